/* SPDX-License-Identifier: ISC */
/* The addresses that a header names: RFC 5322 §3.4 and its appendix A. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "mail/mailboxes.h"

static void lists(void **state) {
  static const struct {
    const char *body, *want; /* NULL: wrong */
  } rows[] = {
    { " john@doe.example", "john@doe.example\n" },
    { " John Doe <jdoe@machine.example>", "jdoe@machine.example\n" },
    { " Mary Smith <mary@x.test>, jdoe@example.org, Who? <one@y.test>",
      "mary@x.test\njdoe@example.org\none@y.test\n" },
    { " <boss@nil.test>, \"Giant; \\\"Big\\\" Box\" <sysservices@example.net>",
      "boss@nil.test\nsysservices@example.net\n" },
    { " A Group:Ed Jones <joe@where.test>,John <jdoe@one.test>;",
      "joe@where.test\njdoe@one.test\n" },
    { " Undisclosed recipients:;", "" },
    { " A: a@x.test; , B: b@x.test, c@x.test;", "a@x.test\nb@x.test\nc@x.test\n" },
    { " A: B: a@x.test;;", NULL },
    { " A: a@x.test", NULL },
    { " a@x.test;", NULL },
    { "", "" },
    { " \r\n ", "" },
    { " ,, a@b.test,\r\n , c@d.test ,", "a@b.test\nc@d.test\n" },
    { " Pete(A nice \\) chap) <pete(his account)@silly.test(his host)>", NULL },
    { " Pete(A nice \\) chap (really)) <pete@silly.test>", "pete@silly.test\n" },
    { " \"a,b\"@c.test", "\"a,b\"@c.test\n" },
    { " \"a<b\"@c.test, \"plain\"@c.test", "\"a<b\"@c.test\nplain@c.test\n" },
    { " a@[192.0.2.1]", "a@[192.0.2.1]\n" },
    { " <@x.test,@y.test:a@b.test>", "a@b.test\n" },
    { " A@B.TEST, A@b.test", "A@b.test\n" },
    { " one two@x.test", NULL },
    { " John", NULL },
    { " a@b.test; rm -rf /", NULL },
    { " <a@b.test", NULL },
    { " a@b.test>", NULL },
    { " <a@b.test> <c@d.test>", NULL },
    { " \"a@b.test", NULL },
    { " (a@b.test", NULL },
    { " a@b.test\r\n RCPT TO:<x@y.test>", NULL },
    { " <a@b.test\r\nRCPT>", NULL },
    { " j\xc3\xb6rg@b.test", "j\xc3\xb6rg@b.test\n" },
    { " j\xf6rg@b.test", NULL },
    { " J\xc3\xb6rg <joerg@b.test>", "joerg@b.test\n" },
  };
  for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
    struct buf message, got, wrong;
    buf_init(&message, 4096), buf_init(&got, 4096), buf_init(&wrong, 4096);
    buf_printf(&message, "Subject: x\r\nTo:%s\r\n\r\nTo: body@x.test\r\n", rows[i].body);
    bool ok = mailboxes_of_header(buf_slice(&message), SLICE_NONE, &got, &wrong);
    if (ok != (rows[i].want != NULL)) fail_msg("%s", rows[i].body);
    if (ok) assert_string_equal(buf_len(&got) ? buf_cstr(&got) : "", rows[i].want);
    buf_free(&message), buf_free(&got), buf_free(&wrong);
  }
}

static void all_three_fields_each_once(void **state) {
  struct buf got, wrong;
  buf_init(&got, 4096), buf_init(&wrong, 4096);
  assert_true(mailboxes_of_header(
      SLICE("To: a@x.test,\r\n b@x.test\r\nCC: c@x.test, a@x.test\r\nbcc: d@x.test\r\n"
            "Reply-To: e@x.test\r\n\r\n"),
      SLICE_NONE, &got, &wrong));
  assert_string_equal(buf_cstr(&got), "a@x.test\nb@x.test\nc@x.test\nd@x.test\n");
  buf_reset(&got);
  assert_false(mailboxes_of_header(SLICE("To: root\r\n"), SLICE_NONE, &got, &wrong));
  assert_true(mailboxes_of_header(SLICE("To: root , Al <al >, b@y.test, c (x)\r\nCc: d\r\n"),
                                  SLICE("x.test"), &got, &wrong));
  assert_string_equal(buf_cstr(&got), "root@x.test\nal@x.test\nb@y.test\nc@x.test\nd@x.test\n");
  buf_free(&got), buf_free(&wrong);
}

static void blind_copies_are_not_shown(void **state) {
  struct buf out;
  buf_init(&out, 4096);
  struct slice m = SLICE("Return-Path: <q@x.test>\r\nTo: a@x.test\r\nBcc: d@x.test,\r\n "
                         "e@x.test\r\nX: y\r\nBCC:\r\n\r\nBcc: body\r\n");
  mailboxes_put_sent(m, false, &out);
  assert_string_equal(buf_cstr(&out), "To: a@x.test\r\nX: y\r\n\r\nBcc: body\r\n");
  buf_reset(&out);
  mailboxes_put_sent(m, true, &out);
  assert_string_equal(buf_cstr(&out),
                      "To: a@x.test\r\nBcc: d@x.test,\r\n e@x.test\r\nX: y\r\nBCC:\r\n\r\n"
                      "Bcc: body\r\n");
  buf_free(&out);
}

int main(void) {
  const struct CMUnitTest tests[] = {
    cmocka_unit_test(lists),
    cmocka_unit_test(all_three_fields_each_once),
    cmocka_unit_test(blind_copies_are_not_shown),
  };
  return cmocka_run_group_tests_name("mailboxes", tests, NULL, NULL);
}
