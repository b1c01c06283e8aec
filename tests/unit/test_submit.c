/* SPDX-License-Identifier: ISC */
/* Whose a submitted message is, and what it lacks. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "mail/submit.h"

static const struct submit_with with = { .domain = { (const uint8_t *)"example.org", 11 },
                                         .hostname = { (const uint8_t *)"mx.example.org", 14 },
                                         .id = { (const uint8_t *)"Q1", 2 },
                                         .now_s = 0 };

static enum submit_verdict run(const char *header, const struct submit_with *w, struct buf *out,
                               struct buf *authors) {
  buf_init(out, 1 << 20);
  buf_init(authors, 1 << 16);
  enum submit_verdict v = submit_header(slice_str(header), w, out, authors);
  assert_false(out->failed || authors->failed);
  return v;
}

#define REST "Date: x\r\nMessage-ID: <a>\r\n\r\n"

/* `want` NULL: it can be read in more than one way. */
static void authors_are(const char *fields, const char *want) {
  struct buf out, authors, header;
  buf_init(&header, 1 << 20);
  buf_printf(&header, "%s%s", fields, REST);
  enum submit_verdict v = run(buf_cstr(&header), &with, &out, &authors);
  if (v != (want ? SUBMIT_OK : SUBMIT_UNCLEAR)) fail_msg("%s: %d", fields, v);
  if (want && !slice_eq(buf_slice(&authors), slice_str(want)))
    fail_msg("%s: %.*s", fields, SLICE_ARG(buf_slice(&authors)));
  buf_free(&out), buf_free(&authors), buf_free(&header);
}

static void one_reading(void **state) {
  static const struct {
    const char *fields, *authors;
  } t[] = {
    { "From: alice@example.org\r\n", "alice@example.org\n" },
    { "fROM : <alice@Example.ORG>\r\n", "alice@example.org\n" },
    { "From:\r\n Alice\r\n <alice@example.org>\r\n", "alice@example.org\n" },
    { "From: \"ceo@bank.example\" <alice@example.org>\r\n", "alice@example.org\n" },
    { "From: alice@example.org (ceo@bank.example (nested))\r\n", "alice@example.org\n" },
    { "From: =?utf-8?q?J=C3=BCrgen?= <j@example.org>\r\n", "j@example.org\n" },
    { "From: J\xc3\xbcrgen <j@example.org>\r\n", "j@example.org\n" },
    { "From: a@example.org, B <b@example.org>\r\nSender: a@example.org\r\n",
      "a@example.org\nb@example.org\na@example.org\n" },
    { "From: us: a@example.org, b@example.org;\r\n", "a@example.org\nb@example.org\n" },
    { "From: \"a b\"@example.org\r\n", "a b@example.org\n" },
    { "From: \xc3\xa9@example.org\r\n", "\xc3\xa9@example.org\n" }, /* RFC 6532 */
    { "From: alice\r\n", "alice@example.org\n" },
    { "From: Alice <alice>\r\n", "alice@example.org\n" },
    { "From: ceo@bank.example\r\n", "ceo@bank.example\n" },
  };
  for (size_t i = 0; i < sizeof t / sizeof *t; i++) authors_are(t[i].fields, t[i].authors);
}

static void two_readings(void **state) {
  static const char *const t[] = {
    "From: alice@example.org\r\nFrom: ceo@bank.example\r\n",
    "From: alice@example.org\r\nFrom: alice@example.org\r\n",
    "From: alice@example.org\r\nfrom : ceo@bank.example\r\n",
    "From: alice@example.org\r\nSender: alice@example.org\r\nSender: ceo@bank.example\r\n",
    "From: alice@example.org\r\nSender: alice@example.org, bob@example.org\r\n",
    "From: alice@example.org\r\nSender:\r\n",
    "From:\r\n",
    "From: ;\r\n",
    "From: nobody:;\r\n",
    "From: Alice Smith\r\n",
    "From: ceo@bank.example <alice@example.org>\r\n",
    "From: ceo@bank.example, <alice@example.org> <b@example.org>\r\n",
    "From: <@bank.example:alice@example.org>\r\n",
    "From: <ceo@bank.example:alice@example.org>\r\n",
    "From: alice@example.org <\r\n",
    "From: <alice@example.org\r\n",
    "From: \"alice@example.org\r\n",
    "From: (alice@example.org\r\n",
    "From: alice@example.org)\r\n\tceo@bank.example\r\n",
    "From: alice@example.org ceo@bank.example\r\n",
    "From: =?utf-8?q?ceo=40bank.example?=@example.org\r\n",
    "From: <alice+=?utf-8?q?=00?=@example.org>\r\n",
    "From: J\xfcrgen <j@example.org>\r\n",
    "From: J\xc3<j@example.org>\r\n",
    "From: a\\@b <alice@example.org>\r\n",
    "From: Alice\x01 <alice@example.org>\r\n",
    "From: <>\r\n",
    "From: alice@example.org\r\nthis is no field\r\n",
  };
  for (size_t i = 0; i < sizeof t / sizeof *t; i++) authors_are(t[i], NULL);
}

static void oversize(void **state) {
  struct buf b;
  for (size_t names = 700; names <= 900; names += 200) {
    buf_init(&b, 1 << 20);
    buf_put_str(&b, "From: ");
    for (size_t i = 0; i < names; i++) buf_put_str(&b, "abcdefghi ");
    buf_put_str(&b, "<alice@example.org>\r\n");
    authors_are(buf_cstr(&b), names < 800 ? "alice@example.org\n" : NULL);
    buf_free(&b);
  }
  buf_init(&b, 1 << 20); /* nested without end */
  buf_put_str(&b, "From: ");
  for (size_t i = 0; i < 8000; i++) buf_put_u8(&b, '(');
  buf_put_str(&b, "\r\n");
  authors_are(buf_cstr(&b), NULL);
  buf_free(&b);
}

static void becomes(const char *header, const struct submit_with *w, const char *want) {
  struct buf out, authors;
  run(header, w, &out, &authors);
  if (!slice_eq(buf_slice(&out), slice_str(want)))
    fail_msg("%s:\n%.*s", header, SLICE_ARG(buf_slice(&out)));
  buf_free(&out), buf_free(&authors);
}

static void what_it_lacks(void **state) {
  becomes("From: a@b.example\r\n\r\n", &with,
          "From: a@b.example\r\nDate: Thu, 01 Jan 1970 00:00:00 +0000\r\nMessage-ID: "
          "<Q1@mx.example.org>\r\n\r\n");
  becomes("From: a@b.example\r\nDate: Tue, 1 Jul 2003 10:52:37\r\nmessage-id: <x@y>\r\n\r\n", &with,
          "From: a@b.example\r\nDate: Tue, 1 Jul 2003 10:52:37 -0000\r\nmessage-id: <x@y>\r\n\r\n");
  becomes("From: a@b.example\r\nDate: 1 Jul 2003 10:52 \r\nMessage-ID: <x@y>\r\n", &with,
          "From: a@b.example\r\nDate: 1 Jul 2003 10:52 -0000 \r\nMessage-ID: <x@y>\r\n");
  becomes("return-path: <x@y>,\r\n z\r\nFrom: a@b.example\r\nReturn-Path: <w>\r\nDate: "
          "x\r\nMessage-ID: <x@y>\r\n\r\n",
          &with, "From: a@b.example\r\nDate: x\r\nMessage-ID: <x@y>\r\n\r\n");
  static const char *const same[] = {
    "From: a@b.example\r\nDate: Tue, 1 Jul 2003 10:52:37 +0200\r\nMessage-ID: <x@y>\r\n\r\n",
    "From: a@b.example\r\nDate: Tue, 1 Jul 2003 10:52:37 GMT\r\nMessage-ID: <x@y>\r\nBcc: "
    "c@d.example\r\n\r\n",
    "From: a@b.example\r\nDate: 10:52:37:00\r\nMessage-ID: <x@y>\r\nSubject: alice\r\nX-From: "
    "bob\r\n\r\n",
  };
  for (size_t i = 0; i < sizeof same / sizeof *same; i++) becomes(same[i], &with, same[i]);
  struct buf out, authors;
  assert_int_equal(run("Subject: x\r\n\r\n", &with, &out, &authors), SUBMIT_NO_FROM);
  buf_free(&out), buf_free(&authors);
  struct submit_with adds = with;
  adds.author = SLICE("alice@example.org");
  becomes("Subject: x\r\nDate: y\r\nMessage-ID: <z>\r\n\r\n", &adds,
          "Subject: x\r\nDate: y\r\nMessage-ID: <z>\r\nFrom: <alice@example.org>\r\n\r\n");
  assert_int_equal(run("Subject: x\r\n\r\n", &adds, &out, &authors), SUBMIT_OK);
  assert_true(slice_eq(buf_slice(&authors), SLICE("alice@example.org\n")));
  buf_free(&out), buf_free(&authors);
}

#define F "From: a@b.example\r\n"

static void domains(void **state) {
  static const struct {
    const char *body, *want;
  } t[] = {
    { "bob", "bob@example.org" },
    { "bob, carl@x.example, <dan>", "bob@example.org, carl@x.example, <dan@example.org>" },
    { "Bob <bob>, \"Mc, D\" <d@e.f>", "Bob <bob@example.org>, \"Mc, D\" <d@e.f>" },
    /* RFC 6409 §4.2 */
    { "bob@sales, \"C\" <carl @ sales>",
      "bob@sales.example.org, \"C\" <carl @ sales.example.org>" },
    { "a@[192], b@x.y, c@\"d\", e@f@g, h i@j", "a@[192], b@x.y, c@\"d\", e@f@g, h i@j" },
    { "bob (the builder)\r\n\t, carl", "bob@example.org (the builder)\r\n\t, carl@example.org" },
    { "team: bob, carl; dan", "team: bob@example.org, carl@example.org; dan@example.org" },
    { "undisclosed-recipients:;", "undisclosed-recipients:;" },
    { "\"b o b\"", "\"b o b\"@example.org" },
    { "Bob Smith", "Bob Smith" },
    { "=?utf-8?q?bob?=", "=?utf-8?q?bob?=" },
    { "<@a:bob>", "<@a:bob>" },
    { "<bob", "<bob" },
    { ", ,", ", ," },
    { "", "" },
  };
  for (size_t i = 0; i < sizeof t / sizeof *t; i++) {
    char header[400], want[400];
    snprintf(header, sizeof header, F "To: %s\r\nDate: y\r\nMessage-ID: <z>\r\n\r\n", t[i].body);
    snprintf(want, sizeof want, F "To: %s\r\nDate: y\r\nMessage-ID: <z>\r\n\r\n", t[i].want);
    becomes(header, &with, want);
  }
  struct submit_with dotless = with;
  dotless.dotless = true;
  becomes(F "To: root@localhost\r\nDate: y\r\nMessage-ID: <z>\r\n\r\n", &dotless,
          F "To: root@localhost\r\nDate: y\r\nMessage-ID: <z>\r\n\r\n");
}

int main(void) {
  const struct CMUnitTest tests[] = {
    cmocka_unit_test(one_reading),   cmocka_unit_test(two_readings), cmocka_unit_test(oversize),
    cmocka_unit_test(what_it_lacks), cmocka_unit_test(domains),
  };
  return cmocka_run_group_tests_name("submit", tests, NULL, NULL);
}
