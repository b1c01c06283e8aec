/* SPDX-License-Identifier: ISC */
/* mail/seven.h: messages in seven bits (RFC 6152 §3). */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#include "mail/seven.h"

static struct slice piece_of(struct slice *rest, size_t n) {
  struct slice piece = slice_first(*rest, n);
  *rest = slice_from(*rest, piece.n);
  return piece;
}

static enum seven_verdict scan(struct slice in, size_t cut, struct buf *plan, struct seven *s) {
  seven_begin(s, plan, false);
  while (in.n) seven_put(s, piece_of(&in, cut), NULL);
  seven_end(s, NULL);
  seven_free(s);
  return s->verdict;
}

static void write_it(struct slice in, size_t cut, struct buf *plan, struct buf *out) {
  struct seven s;
  seven_begin(&s, plan, true);
  while (in.n) seven_put(&s, piece_of(&in, cut), out);
  seven_end(&s, out);
  seven_free(&s);
}

static const struct {
  const char *in, *out;
  enum seven_verdict verdict;
  bool header;
} t[] = {
  /* nothing to do */
  { "A: b\r\n\r\nbody\r\n", "A: b\r\n\r\nbody\r\n", SEVEN_CAN, false },
  { "A: b\r\n", "A: b\r\n", SEVEN_CAN, false },
  { "", "", SEVEN_CAN, false },
  { "A: b\r\nContent-Transfer-Encoding: 8bit (x)\r\n\r\nbody\r\n",
    "A: b\r\nContent-Transfer-Encoding: 7bit\r\n\r\nbody\r\n", SEVEN_CAN, false },
  /* a message that says nothing of MIME */
  { "A: b\r\n\r\nbody of text, caf\xc3\xa9 \r\nx=1\r\n",
    "A: b\r\nMIME-Version: 1.0\r\nContent-Type: text/plain; charset=unknown-8bit\r\n"
    "Content-Transfer-Encoding: quoted-printable\r\n\r\nbody of text, caf=C3=A9=20\r\nx=3D1\r\n",
    SEVEN_CAN, false },
  /* more than a sixth: base64, with the line end of the last line */
  { "MIME-Version: 1.0\r\nContent-Type: text/plain\r\nContent-Transfer-Encoding: "
    "8bit\r\n\r\n\xc3\xa9\r\n",
    "MIME-Version: 1.0\r\nContent-Type: text/plain\r\nContent-Transfer-Encoding: "
    "base64\r\n\r\nw6kNCg==\r\n",
    SEVEN_CAN, false },
  /* parts, each as it needs; the last line end of a part is the delimiter's; a delimiter in the
     middle of a line is none */
  { "MIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=\"a "
    "b\"\r\nContent-Transfer-Encoding: 8bit\r\n\r\n"
    "pr\xc3\xa9\r\n--a b\r\n\r\nascii --a b\r\n--a b\r\nContent-Type: "
    "image/x\r\nContent-Transfer-Encoding: binary\r\n\r\n"
    "\xff\xfe\r\n\xfd\r\n--a b\r\nContent-Transfer-Encoding: QUOTED-PRINTABLE\r\n\r\n=41\xc3\xa9 "
    "soft=\r\nline\r\n"
    "--a b\r\nContent-Transfer-Encoding: base64\r\n\r\nYW\xc3\xa9"
    "Jj\r\n--a b--  \r\n\xe9pilogue\r\n",
    "MIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=\"a "
    "b\"\r\nContent-Transfer-Encoding: 7bit\r\n\r\n"
    "pr??\r\n--a b\r\n\r\nascii --a b\r\n--a b\r\nContent-Type: "
    "image/x\r\nContent-Transfer-Encoding: base64\r\n\r\n"
    "//4NCv0=\r\n--a b\r\nContent-Transfer-Encoding: QUOTED-PRINTABLE\r\n\r\n=41=C3=A9 "
    "soft=\r\nline\r\n"
    "--a b\r\nContent-Transfer-Encoding: base64\r\n\r\nYWJj\r\n--a b--  \r\n?pilogue\r\n",
    SEVEN_CAN, false },
  /* a message in it is followed */
  { "Content-Type: message/rfc822\r\nContent-Transfer-Encoding: 8bit\r\nMIME-Version: "
    "1.0\r\n\r\nSubject: in\r\n\r\nhello, \xe9 is one\r\n",
    "Content-Type: message/rfc822\r\nContent-Transfer-Encoding: 7bit\r\nMIME-Version: "
    "1.0\r\n\r\nSubject: in\r\nMIME-Version: 1.0\r\n"
    "Content-Type: text/plain; charset=unknown-8bit\r\nContent-Transfer-Encoding: "
    "quoted-printable\r\n\r\nhello, =E9 is one\r\n",
    SEVEN_CAN, false },
  { "Content-Type: multipart/digest; boundary=d\r\n\r\n--d\r\n\r\nSubject: in\r\n\r\nhello, \xe9 "
    "is one\r\n--d--\r\n",
    "Content-Type: multipart/digest; boundary=d\r\n\r\n--d\r\n\r\nSubject: in\r\nMIME-Version: "
    "1.0\r\n"
    "Content-Type: text/plain; charset=unknown-8bit\r\nContent-Transfer-Encoding: "
    "quoted-printable\r\n\r\nhello, =E9 is one\r\n--d--\r\n",
    SEVEN_CAN, false },
  /* a header that a delimiter ends */
  { "Content-Type: multipart/mixed; boundary=d\r\n\r\n--d\r\nA: b\r\n--d\r\n\r\nx\r\n--d--\r\n",
    "Content-Type: multipart/mixed; boundary=d\r\n\r\n--d\r\nA: b\r\n--d\r\n\r\nx\r\n--d--\r\n",
    SEVEN_CAN, false },
  /* signed, and what is signed is ASCII */
  { "Content-Type: multipart/signed; boundary=s\r\nContent-Transfer-Encoding: "
    "8bit\r\n\r\n--s\r\nContent-Transfer-Encoding: 8bit\r\n\r\nx\r\n--s--\r\n",
    "Content-Type: multipart/signed; boundary=s\r\nContent-Transfer-Encoding: "
    "7bit\r\n\r\n--s\r\nContent-Transfer-Encoding: 8bit\r\n\r\nx\r\n--s--\r\n",
    SEVEN_CAN, false },
  /* what cannot be */
  { "Content-Type: multipart/signed; boundary=s\r\n\r\n--s\r\n\r\n\xe9\r\n--s--\r\n", NULL,
    SEVEN_SEALED, false },
  { "Content-Type: multipart/encrypted; boundary=s\r\n\r\n--s\r\nContent-Type: multipart/mixed; "
    "boundary=t\r\n\r\n--t\r\n\r\n\xe9\r\n--t--\r\n--s--\r\n",
    NULL, SEVEN_SEALED, false },
  { "Content-Type: multipart/signed; boundary=s\r\n\r\n\xe9\r\n--s\r\n\r\nx\r\n--s--\r\n", NULL,
    SEVEN_SEALED, false },
  { "Subject: \xc3\xa9\r\n\r\nx\r\n", NULL, SEVEN_IN_HEADER, true },
  { "Content-Type: multipart/mixed; boundary=d\r\n\r\n--d\r\nContent-Disposition: attachment; "
    "filename=\"\xc3\xa9\"\r\n\r\nx\r\n--d--\r\n",
    NULL, SEVEN_IN_HEADER, true },
  { "Content-Type: message/partial; id=x; number=1\r\n\r\n\xc3\xa9\r\n", NULL, SEVEN_ENCODED,
    false },
  { "Content-Transfer-Encoding: x-uuencode\r\n\r\n\xc3\xa9\r\n", NULL, SEVEN_ENCODED, false },
  { "Content-Type: multipart/mixed\r\n\r\n--\r\n\r\n\xc3\xa9\r\n", NULL, SEVEN_ENCODED, false },
};

/* The same comes out however it was cut, and is 7-bit. */
static void conversions(void **state) {
  for (size_t i = 0; i < sizeof t / sizeof *t; i++) {
    struct slice in = slice_str(t[i].in);
    for (size_t cut = 1; cut <= in.n + 1; cut++) {
      struct seven s;
      struct buf plan, out;
      buf_init(&plan, SEVEN_PLAN_MAX);
      buf_init(&out, 64 * 1024);
      enum seven_verdict v = scan(in, cut, &plan, &s);
      if (v != t[i].verdict || s.header_high != t[i].header)
        fail_msg("%zu at %zu: %s", i, cut, seven_why(v));
      assert_int_equal(s.eight_bit, slice_has_high(in));
      if (t[i].out) {
        write_it(in, cut, &plan, &out);
        if (!slice_eq(buf_slice(&out), slice_str(t[i].out)))
          fail_msg("%zu at %zu: %.*s", i, cut, SLICE_ARG(buf_slice(&out)));
        assert_false(slice_has_high(buf_slice(&out)));
      }
      buf_free(&plan);
      buf_free(&out);
    }
  }
}

/* No line is longer than 76 octets, whatever stands in it and however it is cut; blanks before a
 * line end are told. */
static void long_lines(void **state) {
  for (size_t n = 990; n < 1010; n++) {
    struct seven s;
    struct buf in, plan, out;
    buf_init(&in, 8192), buf_init(&plan, SEVEN_PLAN_MAX), buf_init(&out, 64 * 1024);
    buf_put_str(&in, "MIME-Version: 1.0\r\nContent-Type: text/plain\r\n\r\n\xe9");
    for (size_t i = 0; i < n; i++) buf_put_u8(&in, i % 7 ? 'a' : i % 2 ? '=' : '\t');
    buf_put_str(&in, " \r\n\xe9 \t\r\nend\r\n");
    assert_int_equal(scan(buf_slice(&in), 1000, &plan, &s), SEVEN_CAN);
    struct buf first;
    buf_init(&first, 64 * 1024);
    write_it(buf_slice(&in), SIZE_MAX, &plan, &first);
    for (size_t cut = 1; cut < 1100; cut += 37) {
      buf_reset(&out);
      write_it(buf_slice(&in), cut, &plan, &out);
      assert_true(slice_eq(buf_slice(&out), buf_slice(&first)));
    }
    for (struct slice rest = buf_slice(&first), line; rest.n;) {
      line = slice_split(&rest, '\n');
      assert_true(line.n <= 77); /* its CR */
      assert_false(line.n > 1 && (line.p[line.n - 2] == ' ' || line.p[line.n - 2] == '\t'));
    }
    assert_true(slice_search(buf_slice(&first), SLICE("=20\r\n=E9 =09\r\nend\r\n")) > 0);
    buf_free(&in), buf_free(&plan), buf_free(&out), buf_free(&first);
  }
}

/* A line of more than 998 octets fits no server; labelled "binary" it may be there. */
static void binary_lines(void **state) {
  struct seven s;
  struct buf in, plan, out;
  buf_init(&in, 8192), buf_init(&plan, SEVEN_PLAN_MAX), buf_init(&out, 64 * 1024);
  buf_put_str(
      &in,
      "MIME-Version: 1.0\r\nContent-Type: text/plain\r\nContent-Transfer-Encoding: binary\r\n\r\n");
  for (size_t i = 0; i < 2000; i++) buf_put_u8(&in, 'a');
  buf_put_str(&in, "\r\n");
  assert_int_equal(scan(buf_slice(&in), 100, &plan, &s), SEVEN_CAN);
  write_it(buf_slice(&in), 100, &plan, &out);
  assert_true(
      slice_search(buf_slice(&out), SLICE("Content-Transfer-Encoding: quoted-printable\r\n")) > 0);
  buf_free(&in), buf_free(&plan), buf_free(&out);
}

static enum seven_verdict verdict_of(struct buf *in) {
  struct seven s;
  struct buf plan;
  buf_init(&plan, SEVEN_PLAN_MAX);
  enum seven_verdict v = scan(buf_slice(in), 4096, &plan, &s);
  assert_true(buf_len(&plan) <= SEVEN_PLAN_MAX);
  buf_free(&plan);
  buf_reset(in);
  return v;
}

static void limits(void **state) {
  struct buf in;
  buf_init(&in, 4 * 1024 * 1024);
  for (int depth = MIME_DEPTH - 1; depth <= MIME_DEPTH; depth++) {
    for (int i = 0; i <= depth; i++)
      buf_printf(&in, "Content-Type: multipart/mixed; boundary=b%d.\r\n\r\n--b%d.\r\n", i, i);
    buf_put_str(&in, "\r\nx\r\n");
    assert_int_equal(verdict_of(&in), depth < MIME_DEPTH ? SEVEN_CAN : SEVEN_BEYOND);
  }
  for (int parts = SEVEN_PLAN_MAX - 1; parts <= SEVEN_PLAN_MAX; parts++) {
    buf_put_str(&in, "Content-Type: multipart/mixed; boundary=b\r\n\r\n");
    for (int i = 0; i < parts; i++) buf_put_str(&in, "--b\r\n\r\nx\r\n");
    assert_int_equal(verdict_of(&in), parts < SEVEN_PLAN_MAX ? SEVEN_CAN : SEVEN_BEYOND);
  }
  for (int more = 0; more < 2; more++) {
    for (int i = 0; i < SEVEN_HEADER_MAX / 8 - 1 + more; i++) buf_put_str(&in, "A: b c\r\n");
    buf_put_str(&in, "\r\nx\r\n");
    assert_int_equal(verdict_of(&in), more ? SEVEN_BEYOND : SEVEN_CAN);
  }
  buf_free(&in);
}

int main(void) {
  const struct CMUnitTest tests[] = {
    cmocka_unit_test(conversions),
    cmocka_unit_test(long_lines),
    cmocka_unit_test(binary_lines),
    cmocka_unit_test(limits),
  };
  return cmocka_run_group_tests_name("seven", tests, NULL, NULL);
}
