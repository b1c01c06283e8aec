/* SPDX-License-Identifier: ISC */
/* mail/surrogate*: messages for clients that read ASCII only. RFC 6857's ways, field by field; then
 * whole messages: the cuts, the nesting, the hostile ones. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "lib/base/utf8.h"
#include "mail/alabel.h"
#include "mail/surrogate.h"
#include "mail/words.h"

/* --- fields --- */

static const struct {
  const char *in, *out;
} fields[] = {
  /* unstructured: RFC 6857 §3.1.1 */
  /* clang-format off */
  { "Subject: salam\r\n", "Subject: salam\r\n" },
  { "Subject: Gr\xc3\xbc\xc3\x9f" "e\r\n", "Subject: =?UTF-8?Q?Gr=C3=BC=C3=9Fe?=\r\n" },
  /* clang-format on */
  { "Subject: b\xc3\xb6se Blumen sind nicht b\xc3\xb6se hier\r\n",
    "Subject: =?UTF-8?Q?b=C3=B6se_Blumen_sind_nicht_b=C3=B6se?= hier\r\n" },
  { "Subject:\xc3\xa9\r\n", "Subject: =?UTF-8?Q?=C3=A9?=\r\n" },
  { "Subject: Re: caf\xc3\xa9 on\r\n Friday\r\n",
    "Subject: Re: =?UTF-8?Q?caf=C3=A9?= on\r\n Friday\r\n" },
  { "Subject: caf\xc3\xa9  \r\n", "Subject: =?UTF-8?Q?caf=C3=A9?=  \r\n" },
  /* beside an encoded-word that is there: the space between them is kept */
  { "Subject: =?UTF-8?Q?a?= caf\xc3\xa9 =?UTF-8?Q?b?= c\r\n",
    "Subject: =?UTF-8?Q?a?= =?UTF-8?Q?_caf=C3=A9_?= =?UTF-8?Q?b?= c\r\n" },
  /* what would end a line after decoding does not */
  { "Subject: \xc3\xa9\nX: \xc3\xa9\r\n", "Subject: =?UTF-8?B?w6k/WDogw6k=?=\r\n" },
  { "Subject: 012345678901234567890123456789012345678901234567890123456789\r\xc3\xa9\r\n",
    "Subject: "
    "012345678901234567890123456789012345678901234567890123456789\r=?UTF-8?Q?=C3=A9?=\r\n" },
  { "Subject: nice\rtry\xc3\xa9\n.\r\n", "Subject: nice\r=?UTF-8?Q?try=C3=A9?=\n.\r\n" },
  /* fields without a rule of their own */
  { "X-Ort: M\xc3\xbcnchen\r\n", "X-Ort: =?UTF-8?Q?M=C3=BCnchen?=\r\n" },
  { "List-Id: M\xc3\xbcnchen <l.example.org>\r\n",
    "List-Id: =?UTF-8?Q?M=C3=BCnchen?= <l.example.org>\r\n" },
  { "Keywords: caf\xc3\xa9, tea\r\n", "Keywords: =?UTF-8?Q?caf=C3=A9?=, tea\r\n" },
  /* display names: §3.1.5 */
  { "From: x\xc3\xa1 x x\xc3\xa1 <x@example.com>\r\n",
    "From: =?UTF-8?Q?x=C3=A1_x_x=C3=A1?= <x@example.com>\r\n" },
  { "From: \"M\xc3\xbcller, Hans\" <h@example.de>\r\n",
    "From: =?UTF-8?Q?M=C3=BCller=2C_Hans?= <h@example.de>\r\n" },
  { "From: \"a \\\"b\\\" \xc3\xa9\" <h@example.de>\r\n",
    "From: =?UTF-8?Q?a_=22b=22_=C3=A9?= <h@example.de>\r\n" },
  { "From: (comment) Test Sub\xc2\xbe <x@x.example>\r\n",
    "From: (comment) =?UTF-8?Q?Test_Sub=C2=BE?= <x@x.example>\r\n" },
  { "To: x <x@example.com>, \"\xc2\xbe\" <y@example.com>\r\n",
    "To: x <x@example.com>, =?UTF-8?Q?=C2=BE?= <y@example.com>\r\n" },
  /* comments: §3.1.3 */
  { "From: (tes\xc2\xbet) x@x.example\r\n", "From: (=?UTF-8?Q?tes=C2=BEt?=) x@x.example\r\n" },
  { "From: x@x.example (a (\xc3\xa9\xc3\xa9) b)\r\n",
    "From: x@x.example (a (=?UTF-8?Q?=C3=A9=C3=A9?=) b)\r\n" },
  { "Date: Mon, 1 Jan 2024 00:00:00 +0000 (Z\xc3\xbcrich)\r\n",
    "Date: Mon, 1 Jan 2024 00:00:00 +0000 (=?UTF-8?Q?Z=C3=BCrich?=)\r\n" },
  /* domains: §3.1.6 */
  /* clang-format off */
  { "To: x <x@e\xc3\xa1.example>\r\n", "To: x <x@xn--e-ufa.example>\r\n" },
  { "To: a@b\xc3\xbc" "cher.example\r\n", "To: a@xn--bcher-kva.example\r\n" },
  /* clang-format on */
  /* local parts: §3.1.8 */
  { "Sender: x <x\xc3\xa1y@example.com>\r\n",
    "Sender: x =?UTF-8?Q?x=C3=A1y=40example=2Ecom?= :;\r\n" },
  { "From: x\xc3\xa1y@example.com\r\n", "From: =?UTF-8?Q?x=C3=A1y=40example=2Ecom?= :;\r\n" },
  { "From: \xc3\xa9 <\xc3\xa9@example.com>, b@example.org\r\n",
    "From: =?UTF-8?Q?=C3=A9?= =?UTF-8?Q?_=C3=A9=40example=2Ecom?= :;, b@example.org\r\n" },
  /* a domain that can't be one */
  { "To: x@\xcc\x80.example\r\n", "To: =?UTF-8?Q?x=40=CC=80=2Eexample?= :;\r\n" },
  /* groups: §3.1.7 */
  { "To: g: x@example.com, x\xc3\xa1y@example.com;, z@example.org\r\n",
    "To: g =?UTF-8?Q?x=40example=2Ecom=2C_x=C3=A1y=40example=2Ecom?= :;, z@example.org\r\n" },
  { "To: g: x@example.com, x@e\xc3\xa1.example;\r\n",
    "To: g: x@example.com, x@xn--e-ufa.example;\r\n" },
  { "To: caf\xc3\xa9:;\r\n", "To: =?UTF-8?Q?caf=C3=A9?=:;\r\n" },
  /* ids: §3.1.10 */
  { "References: <a@b> (r\xc3\xa9)\r\n", "References: <a@b> (=?UTF-8?B?csOp?=)\r\n" },
  /* recipients of a report: §3.1.9, RFC 6533 §3 */
  { "Final-Recipient: utf-8; \xc3\xa9+a@example.org\r\n",
    "Final-Recipient: utf-8; \\x{E9}\\x{2B}a@example.org\r\n" },
  { "Original-Recipient: x400; \xc3\xa9\r\n",
    "Downgraded-Original-Recipient: =?UTF-8?Q?x400=3B_=C3=A9?=\r\n" },
  { "Message-ID: <\xc3\xa9@example.org>\r\n",
    "Downgraded-Message-ID: =?UTF-8?Q?=3C=C3=A9=40example=2Eorg=3E?=\r\n" },
  /* Received: §3.2.4 */
  { "Received: from a.example by b.example for <\xc3\xa9@b.example>; Mon, 1 Jan 2024 00:00:00 "
    "+0000\r\n",
    "Received: from a.example by b.example ; Mon, 1 Jan 2024 00:00:00 +0000\r\n" },
  { "Received: from e\xc3\xa1.example (\xc3\xa9) by b.example id \xc3\xa9 for "
    "<a@e\xc3\xa1.example>\r\n",
    "Received: from xn--e-ufa.example (=?UTF-8?Q?=C3=A9?=) by b.example for "
    "<a@xn--e-ufa.example>\r\n" },
  /* MIME parameters: §3.1.4, RFC 2231 */
  { "Content-Disposition: attachment; filename=\"r\xc3\xa9sum\xc3\xa9.pdf\"; size=3\r\n",
    "Content-Disposition: attachment; filename*=UTF-8''r%C3%A9sum%C3%A9.pdf; size=3\r\n" },
  { "Content-Type: text/plain;\r\n name=caf\xc3\xa9 noir.txt\r\n",
    "Content-Type: text/plain;\r\n name*=UTF-8''caf%C3%A9%20noir.txt\r\n" },
  { "Content-Type: text/plain; name*=UTF-8''caf\xc3\xa9\r\n",
    "Content-Type: text/plain; name*=UTF-8''caf%C3%A9\r\n" },
  { "Content-Type: text/plain; name=\"\xc3\xa9\" (c)\r\n",
    "Content-Type: text/plain; name*=UTF-8''%C3%A9\r\n" },
  { "Content-Type: text/plain; charset=x (\xc3\xa9)\r\n",
    "Content-Type: text/plain; charset=x (=?UTF-8?Q?=C3=A9?=)\r\n" },
  { "Content-Type: t\xc3\xa9xt/plain; name=a\r\n", "Content-Type: t\xc3\xa9xt/plain; name=a\r\n" },
  { "Content-Disposition: attachment; "
    "filename=\"\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\"\r\n",
    "Content-Disposition: attachment; "
    "filename*0*=UTF-8''%C3%A9%C3%A9%C3%A9%C3%A9%C3%A9%C3%A9%C3%A9%C3%A9;\r\n "
    "filename*1*=%C3%A9\r\n" },
  /* no fields */
  /* clang-format off */
  { "S\xc3\xbc" "bject: x\r\n", "S\xc3\xbc" "bject: x\r\n" },
  { "\xc3\xa9\r\n", "\xc3\xa9\r\n" },
  { " folded \xc3\xa9: nothing\r\n", " folded \xc3\xa9: nothing\r\n" },
  /* clang-format on */
  /* nothing is closed */
  { "From: \"\xc3\xa9 <a@example.org\r\n",
    "From: =?UTF-8?Q?=22=C3=A9_=3Ca=40example=2Eorg?= :;\r\n" },
  { "From: (\xc3\xa9\r\n", "From: (=?UTF-8?Q?=C3=A9?=\r\n" },
};

static void fields_become_ascii(void **state) {
  for (size_t i = 0; i < sizeof fields / sizeof *fields; i++) {
    struct buf out;
    buf_init(&out, 4096);
    surrogate_field(&out, slice_str(fields[i].in), SURROGATE_6857);
    const char *got = buf_cstr(&out);
    assert_non_null(got);
    assert_string_equal(got, fields[i].out);
    buf_free(&out);
  }
}

static void long_text_is_folded(void **state) {
  struct buf in, out;
  buf_init(&in, 8192);
  buf_init(&out, 32768);
  buf_put_str(&in, "Subject:");
  for (int i = 0; i < 100; i++) buf_put_str(&in, i % 10 ? " \xc9\x99ziz" : " abc");
  buf_put_str(&in, "\r\nX: y\r\n");
  surrogate_field(&out, slice_first(buf_slice(&in), buf_len(&in) - 6), SURROGATE_6857);
  for (struct slice rest = buf_slice(&out); rest.n;) {
    struct slice line = slice_split(&rest, '\n');
    assert_true(line.n <= MAIL_COLUMNS + 1); /* its CR */
    assert_true(line.n > 2);
  }
  buf_free(&in);
  buf_free(&out);
}

static void domains_become_a_labels(void **state) {
  static const struct {
    const char *in, *out;
  } good[] = {
    /* clang-format off */
    { "b\xc3\xbc" "cher.example", "xn--bcher-kva.example" },
    { "Example.ORG", "example.org" },
    { "\xe4\xbe\x8b\xe3\x81\x88.jp", "xn--r8jz45g.jp" }, /* 例え */
    { "stra\xc3\x9f" "e.de", "xn--strae-oqa.de" },
    /* clang-format on */
    /* RFC 3492 §7.1 (B): Chinese, simplified */
    { "\xe4\xbb\x96\xe4\xbb\xac\xe4\xb8\xba\xe4\xbb\x80\xe4\xb9\x88\xe4\xb8\x8d\xe8\xaf\xb4\xe4\xb8"
      "\xad\xe6\x96\x87",
      "xn--ihqwcrb4cv8a8dqg056pqjye" },
  };
  static const char *const bad[] = { "",
                                     ".",
                                     "a..b",
                                     "\xff.org",
                                     "\xc3\x89"
                                     "cole.fr",
                                     "a\xe2\x80\x8f.org",
                                     "a b.org",
                                     "\xcc\x80.org" };
  for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
    struct buf out;
    buf_init(&out, 512);
    assert_true(alabel_put_domain(&out, slice_str(good[i].in)));
    assert_string_equal(buf_cstr(&out), good[i].out);
    buf_free(&out);
  }
  for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
    struct buf out;
    buf_init(&out, 512);
    assert_false(alabel_put_domain(&out, slice_str(bad[i])));
    buf_free(&out);
  }
}

static void utf8_is_told_from_what_is_not(void **state) {
  static const char *const bad[] = {
    "\x80",     "\xc0\xaf", "\xed\xa0\x80", "\xf4\x90\x80\x80", "\xf8\x88\x80\x80\x80",
    "\xe2\x82", "a\xff"
  };
  uint32_t point;
  assert_true(utf8_is_valid(SLICE("")));
  assert_true(utf8_is_valid(SLICE("a\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80")));
  for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
    assert_false(utf8_is_valid(slice_str(bad[i])));
  assert_int_equal(utf8_first(SLICE("\xe2\x82\xac"), &point), 3);
  assert_int_equal(point, 0x20ac);
}

/* --- messages --- */

/* The surrogate of `in`, fed in pieces of `step`; measured at the same time, in other pieces. */
static struct buf surrogate_by(struct slice in, size_t step, enum surrogate_way way,
                               bool *ret_changed) {
  struct surrogate s, m;
  struct buf out;
  buf_init(&out, (size_t)SURROGATE_GROWTH * (in.n + 64));
  surrogate_open(&s, way);
  surrogate_open(&m, way);
  for (struct slice rest = in; rest.n; rest = slice_from(rest, step))
    surrogate_put(&s, slice_first(rest, step), &out);
  surrogate_end(&s, &out);
  surrogate_put(&m, in, NULL);
  surrogate_end(&m, NULL);
  assert_false(s.failed || m.failed || out.failed);
  assert_int_equal(s.taken, in.n);
  assert_int_equal(s.put, buf_len(&out));
  assert_int_equal(m.put, s.put);
  assert_int_equal(m.changed, s.changed);
  assert_int_equal(surrogate_known(surrogate_size(&s), way),
                   s.changed ? 2 * s.put + way : SURROGATE_SAME);
  if (s.changed) assert_int_equal(surrogate_octets(surrogate_size(&s)), s.put);
  *ret_changed = s.changed;
  return out;
}

static struct buf surrogate_of(struct slice in, size_t step, bool *ret_changed) {
  return surrogate_by(in, step, SURROGATE_6857, ret_changed);
}

static void expect_message(struct slice in, struct slice want) {
  for (size_t step = 1; step <= in.n; step = step < 20 ? step + 1 : step * 2) {
    bool changed;
    struct buf out = surrogate_of(in, step, &changed);
    if (!slice_eq(buf_slice(&out), want))
      fail_msg("step %zu: got\n%.*s\nwant\n%.*s", step, SLICE_ARG(buf_slice(&out)),
               SLICE_ARG(want));
    assert_int_equal(changed, !slice_eq(in, want));
    buf_free(&out);
  }
}

static const struct {
  struct slice in, out;
} messages[] = {
#define M(in, out)                                                                         \
  {                                                                                        \
    { (const uint8_t *)(in), sizeof(in) - 1 }, { (const uint8_t *)(out), sizeof(out) - 1 } \
  }
#define SAME(in) M(in, in)
  SAME("Subject: a\r\n\r\nb\xc3\xa9\r\n"),
  SAME(""),
  SAME("\r\n"),
  SAME("\r\n\xc3\xa9"),
  SAME("x"),
  SAME("Subject: x"),
  SAME("A: b\r\n c\r\n\td\r\n\r\n--x\r\n\xe9: \xe9\r\n\r\n"),
  M("Subject: \xc3\xa9", "Subject: =?UTF-8?Q?=C3=A9?="),
  M("Subject: \xc3\xa9\r\n\r\nSubject: \xc3\xa9\r\n",
    "Subject: =?UTF-8?Q?=C3=A9?=\r\n\r\nSubject: \xc3\xa9\r\n"),
  M("Subject: a\r\n \xc3\xa9\r\nX: \0\r\n\r\n",
    "Subject: a\r\n =?UTF-8?Q?=C3=A9?=\r\nX: \0\r\n\r\n"),
  SAME("X: \xc3\xa9\0\r\n\r\n"),
  /* parts, a preamble and an epilogue that look like headers, a boundary that begins as another */
  M("Content-Type: multipart/mixed; boundary=\"b b\"\r\n\r\nX: \xc3\xa9\r\n--b b\r\nX: "
    "\xc3\xa9\r\n\r\nX: \xc3\xa9\r\n--b b \r\n"
    "Content-Disposition: inline; filename=\xc3\xa9\r\n\r\n--b\r\nX: \xc3\xa9\r\n\r\n--b b--\r\nX: "
    "\xc3\xa9\r\n",
    "Content-Type: multipart/mixed; boundary=\"b b\"\r\n\r\nX: \xc3\xa9\r\n--b b\r\nX: "
    "=?UTF-8?Q?=C3=A9?=\r\n\r\nX: \xc3\xa9\r\n--b b \r\n"
    "Content-Disposition: inline; filename*=UTF-8''%C3%A9\r\n\r\n--b\r\nX: \xc3\xa9\r\n\r\n--b "
    "b--\r\nX: \xc3\xa9\r\n"),
  /* a part in a part, left by the outer delimiter alone; a header that a delimiter ends */
  M("Content-Type: multipart/mixed; boundary=a\r\n\r\n--a\r\nContent-Type: multipart/mixed; "
    "boundary=ab\r\n\r\n--ab\r\nX: \xc3\xa9\r\n"
    "--a\r\nX: \xc3\xa9\r\n\r\n--ab\r\nX: \xc3\xa9\r\n--a--\r\n",
    "Content-Type: multipart/mixed; boundary=a\r\n\r\n--a\r\nContent-Type: multipart/mixed; "
    "boundary=ab\r\n\r\n--ab\r\nX: =?UTF-8?Q?=C3=A9?=\r\n"
    "--a\r\nX: =?UTF-8?Q?=C3=A9?=\r\n\r\n--ab\r\nX: =?UTF-8?Q?=C3=A9?=\r\n--a--\r\n"),
  /* messages in messages */
  M("Content-Type: message/rfc822\r\n\r\nContent-Type: Message/Global (c)\r\nX: \xc3\xa9\r\n\r\nX: "
    "\xc3\xa9\r\n\r\nX: \xc3\xa9\r\n",
    "Content-Type: message/rfc822\r\n\r\nContent-Type: Message/Global (c)\r\nX: "
    "=?UTF-8?Q?=C3=A9?=\r\n\r\nX: =?UTF-8?Q?=C3=A9?=\r\n\r\nX: \xc3\xa9\r\n"),
  SAME("Content-Type: message/global\r\nContent-Transfer-Encoding: base64\r\n\r\nX: \xc3\xa9\r\n"),
  M("Content-Type: multipart/digest; boundary=d\r\n\r\n--d\r\n\r\nX: \xc3\xa9\r\n\r\nX: "
    "\xc3\xa9\r\n--d--\r\n",
    "Content-Type: multipart/digest; boundary=d\r\n\r\n--d\r\n\r\nX: =?UTF-8?Q?=C3=A9?=\r\n\r\nX: "
    "\xc3\xa9\r\n--d--\r\n"),
  /* the first Content-Type counts */
  SAME("Content-Type: text/plain\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\nX: "
       "\xc3\xa9\r\n\r\n"),
  /* no boundary: nothing is known of its parts */
  SAME("Content-Type: multipart/mixed\r\n\r\n\xc3\xa9\r\n--q\r\nX: "
       "\xc3\xa9\r\n\r\n\xc3\xa9\r\n--q--\r\n"),
  SAME("Content-Type: multipart/mixed; boundary=\xe9\r\n\r\n--\xe9\r\nX: \xc3\xa9\r\n"),
  /* what is no UTF-8, or no field: a BOM, text without an empty line before it, a part without a
     header */
  SAME("Subject: caf\xe9\r\nFrom: \xd0\xd7\xcc <a@b>\r\nSubject: \xc3\xa9 \xe9\r\nX: "
       "a\xc0\xaf\r\n\r\n"),
  SAME("Content-Disposition: attachment; filename=\"\xb2\xe2\xca\xd4.doc\"\r\n\r\n"),
  SAME("\xef\xbb\xbfSubject: a\r\nHallo J\xc3\xb6rg: wie geht's?\r\nGr\xc3\xbc\xc3\x9f"
       "e\r\n\r\n"),
  SAME("Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\nGr\xc3\xbc\xc3\x9f"
       "e aus Z\xc3\xbcrich\r\n--b--\r\n"),
  /* below a signature nothing changes, and behind it all does again */
  M("Subject: \xc3\xa9\r\nContent-Type: multipart/mixed; boundary=o\r\n\r\n--o\r\nX: \xc3\xa9\r\n"
    "Content-Type: multipart/signed; boundary=s\r\n\r\n--s\r\nX: \xc3\xa9\r\nContent-Type: "
    "multipart/mixed; boundary=i\r\n\r\n"
    "--i\r\nX: \xc3\xa9\r\nContent-Type: message/rfc822\r\n\r\nX: "
    "\xc3\xa9\r\n\r\n--i--\r\n--s\r\nX: \xc3\xa9\r\n\r\n--s--\r\n--o\r\nX: "
    "\xc3\xa9\r\n\r\n--o--\r\n",
    "Subject: =?UTF-8?Q?=C3=A9?=\r\nContent-Type: multipart/mixed; boundary=o\r\n\r\n--o\r\nX: "
    "=?UTF-8?Q?=C3=A9?=\r\n"
    "Content-Type: multipart/signed; boundary=s\r\n\r\n--s\r\nX: \xc3\xa9\r\nContent-Type: "
    "multipart/mixed; boundary=i\r\n\r\n"
    "--i\r\nX: \xc3\xa9\r\nContent-Type: message/rfc822\r\n\r\nX: "
    "\xc3\xa9\r\n\r\n--i--\r\n--s\r\nX: \xc3\xa9\r\n\r\n--s--\r\n--o\r\nX: "
    "=?UTF-8?Q?=C3=A9?=\r\n\r\n--o--\r\n"),
  M("Subject: \xc3\xa9\r\nContent-Type: Multipart/Encrypted; boundary=s\r\n\r\n--s\r\nX: "
    "\xc3\xa9\r\n\r\n--s--\r\n",
    "Subject: =?UTF-8?Q?=C3=A9?=\r\nContent-Type: Multipart/Encrypted; boundary=s\r\n\r\n--s\r\nX: "
    "\xc3\xa9\r\n\r\n--s--\r\n"),
  /* a signed part that only the outer delimiter ends */
  M("Content-Type: multipart/mixed; boundary=o\r\n\r\n--o\r\nContent-Type: multipart/signed; "
    "boundary=s\r\n\r\n--s\r\nX: \xc3\xa9\r\n--o\r\nX: \xc3\xa9\r\n\r\n",
    "Content-Type: multipart/mixed; boundary=o\r\n\r\n--o\r\nContent-Type: multipart/signed; "
    "boundary=s\r\n\r\n--s\r\nX: \xc3\xa9\r\n--o\r\nX: =?UTF-8?Q?=C3=A9?=\r\n\r\n"),
  /* a delivery report: its recipients, and nothing else of it (RFC 6857 §4.2) */
  M("Content-Type: multipart/report; boundary=r\r\n\r\n--r\r\nContent-Type: "
    "message/global-delivery-status\r\n\r\nReporting-MTA: dns; \xc3\xa9\r\n\r\n"
    "Final-Recipient: utf-8; \xc3\xa9@example.org\r\nDiagnostic-Code: "
    "\xc3\xa9\r\n\r\nOriginal-Recipient: utf-8;\xc3\xa9\r\n--r\r\nX: \xc3\xa9\r\n\r\n--r--\r\n",
    "Content-Type: multipart/report; boundary=r\r\n\r\n--r\r\nContent-Type: "
    "message/global-delivery-status\r\n\r\nReporting-MTA: dns; \xc3\xa9\r\n\r\n"
    "Final-Recipient: utf-8; \\x{E9}@example.org\r\nDiagnostic-Code: "
    "\xc3\xa9\r\n\r\nOriginal-Recipient: utf-8; \\x{E9}\r\n--r\r\nX: "
    "=?UTF-8?Q?=C3=A9?=\r\n\r\n--r--\r\n"),
  /* a delimiter with much behind it, in a header */
  M("Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n--b: \xe9 "
    "234567890123456789012345678901234567890123456789012345678"
    "90123456789012345678901234567890\r\nX: \xc3\xa9\r\n\r\nX: \xc3\xa9\r\n--b--\r\n",
    "Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n--b: \xe9 "
    "234567890123456789012345678901234567890123456789012345678"
    "90123456789012345678901234567890\r\nX: =?UTF-8?Q?=C3=A9?=\r\n\r\nX: \xc3\xa9\r\n--b--\r\n"),
  /* a bare LF ends no line */
  SAME("Content-Type: multipart/mixed; boundary=b\r\n\r\na\n--b\r\nX: \xc3\xa9\r\n\r\n"),
};

static void messages_become_ascii(void **state) {
  for (size_t i = 0; i < sizeof messages / sizeof *messages; i++)
    expect_message(messages[i].in, messages[i].out);
}

/* Each cut of one message in two. */
static void every_cut_gives_the_same(void **state) {
  for (size_t i = 0; i < sizeof messages / sizeof *messages; i++) {
    struct slice in = messages[i].in;
    for (size_t cut = 0; cut <= in.n; cut++) {
      struct surrogate s;
      struct buf out;
      buf_init(&out, 8192);
      surrogate_open(&s, SURROGATE_6857);
      surrogate_put(&s, slice_first(in, cut), &out);
      surrogate_put(&s, slice_from(in, cut), &out);
      surrogate_end(&s, &out);
      assert_true(slice_eq(buf_slice(&out), messages[i].out));
      buf_free(&out);
    }
  }
}

static void fields_beyond_the_limit_pass(void **state) {
  static uint8_t in[1024 * 1024];
  bool changed;
  memset(in, 'a', sizeof in);
  memcpy(in, "Subject: ", 9);
  memcpy(in + sizeof in - 20, "\xc3\xa9", 2);
  memcpy(in + sizeof in - 4, "\r\n\r\n", 4);
  for (size_t step = 1; step <= sizeof in; step *= 32) {
    struct buf out = surrogate_of(slice_of(in, sizeof in), step, &changed);
    assert_true(slice_eq(buf_slice(&out), slice_of(in, sizeof in)));
    assert_false(changed);
    buf_free(&out);
  }
  /* Exactly at the limit, in one piece and in many. */
  for (size_t n = SURROGATE_FIELD_MAX - 1; n <= SURROGATE_FIELD_MAX + 1; n++) {
    memset(in, 'a', n);
    memcpy(in, "A: \xc3\xa9 ", 6);
    memcpy(in + n - 2, "\r\n\r\n", 4);
    struct buf one = surrogate_of(slice_of(in, n + 2), n + 2, &changed),
               two = surrogate_of(slice_of(in, n + 2), 7, &changed);
    assert_true(slice_eq(buf_slice(&one), buf_slice(&two)));
    assert_int_equal(buf_len(&one) == n + 2, n > SURROGATE_FIELD_MAX);
    buf_free(&one);
    buf_free(&two);
  }
}

/* As deep as MIME_DEPTH, and with boundaries of any length that a line has; beyond that
 * nothing changes. */
static void nesting_is_bounded(void **state) {
  static const unsigned depths[] = {
    1, 2, 16, 17, MIME_DEPTH - 1, MIME_DEPTH, MIME_DEPTH + 1, 200
  };
  static const unsigned lengths[] = {
    1, 70, 71, MIME_BOUNDARY_MAX - 4, MIME_BOUNDARY_MAX, MIME_BOUNDARY_MAX + 1
  };
  for (size_t d = 0; d < sizeof depths / sizeof *depths; d++)
    for (size_t l = 0; l < sizeof lengths / sizeof *lengths; l++) {
      struct buf in;
      bool changed;
      int pad = (int)lengths[l] - 4 > 0 ? (int)lengths[l] - 4 : 0;
      buf_init(&in, 4 * 1024 * 1024);
      for (unsigned i = 0; i < depths[d]; i++)
        buf_printf(&in,
                   "Content-Type: multipart/mixed;\r\n boundary=b%03u%.*d\r\n\r\n--b%03u%.*d\r\n",
                   i, pad, 0, i, pad, 0);
      buf_put_str(&in, "X-Deep: \xc3\xa9\xc3\xa9\r\n\r\nok\r\n");
      unsigned length = 4 + (unsigned)(pad ? pad : 1);
      bool known = depths[d] <= MIME_DEPTH && length <= MIME_BOUNDARY_MAX;
      known = known && depths[d] * length <= MIME_BOUNDARIES_MAX;
      struct buf out = surrogate_of(buf_slice(&in), 11, &changed);
      assert_int_equal(changed, known);
      assert_int_equal(surrogate_wants(buf_slice(&out)), !known);
      assert_true(known || slice_eq(buf_slice(&out), buf_slice(&in)));
      buf_free(&out);
      buf_free(&in);
    }
}

/* RFC 6858 §2: each kind of field. */
static void simple_surrogates(void **state) {
  static const struct {
    const char *in, *out;
  } t[] = {
    { "From: \xc3\xa9 <fred@\xc3\xa9.example>\r\n",
      "From: =?UTF-8?Q?=C3=A9?= =?UTF-8?Q?_fred=40=C3=A9=2Eexample?= "
      "<invalid@internationalized.invalid>\r\n" },
    { "From: Fred <\xc3\xa9@example.com>\r\n",
      "From: Fred =?UTF-8?Q?=C3=A9=40example=2Ecom?= <invalid@internationalized.invalid>\r\n" },
    { "To: \xc3\xa9@example.com, \xc3\xa9 <a@b.example>\r\n",
      "To: =?UTF-8?Q?=C3=A9=40example=2Ecom?= <invalid@internationalized.invalid>,\r\n "
      "=?UTF-8?Q?=C3=A9?= <a@b.example>\r\n" },
    { "To: g: a@b.example, \xc3\xa9@b.example;\r\n",
      "To: g: a@b.example, =?UTF-8?Q?=C3=A9=40b=2Eexample?= "
      "<invalid@internationalized.invalid>;\r\n" },
    { "Subject: \xc3\xa9 a\r\n", "Subject: =?UTF-8?Q?=C3=A9?= a\r\n" },
    { "Content-Disposition: attachment; filename=\xc3\xa9\r\n",
      "Content-Disposition: attachment\r\n" },
    { "Content-Type: text/plain; name=\"\xc3\xa9\"; charset=utf-8\r\n",
      "Content-Type: text/plain; charset=utf-8\r\n" },
    { "Received: from a for <\xc3\xa9@b>; x\r\n", "" },
    { "Message-ID: <\xc3\xa9@b>\r\n", "" },
    { "X-Ort: M\xc3\xbcnchen\r\n", "" },
    { "Content-Transfer-Encoding: base64 (\xc3\xa9)\r\n",
      "Content-Transfer-Encoding: base64 (=?UTF-8?Q?=C3=A9?=)\r\n" },
    { "Stray \xc3\xa9 line\r\n", "Stray \xc3\xa9 line\r\n" },
    { "Subject: \xe9\r\n", "Subject: \xe9\r\n" },
  };
  struct buf in, want;
  bool changed;
  buf_init(&in, 8192), buf_init(&want, 8192);
  for (size_t i = 0; i < sizeof t / sizeof *t; i++)
    buf_put_str(&in, t[i].in), buf_put_str(&want, t[i].out);
  buf_put_str(&in, "\r\n\xc3\xa9\r\n"), buf_put_str(&want, "\r\n\xc3\xa9\r\n");
  for (size_t step = 1; step < 2000; step += step < 90 ? 1 : 500) {
    struct buf out = surrogate_by(buf_slice(&in), step, SURROGATE_6858, &changed);
    if (!slice_eq(buf_slice(&out), buf_slice(&want))) fail_msg("%.*s", SLICE_ARG(buf_slice(&out)));
    assert_true(changed);
    buf_free(&out);
  }
  buf_free(&in), buf_free(&want);
  assert_int_equal(surrogate_known(2 * 100 + 1, SURROGATE_6857), SURROGATE_UNKNOWN);
  assert_int_equal(surrogate_known(2 * 100, SURROGATE_6858), SURROGATE_UNKNOWN);
  assert_int_equal(surrogate_known(SURROGATE_SAME, SURROGATE_6858), SURROGATE_SAME);
}

static uint32_t next_random(uint32_t *seed) {
  return *seed = *seed * 1664525u + 1013904223u, *seed >> 8;
}

/* Pieces of mail in any order: nothing grows beyond what is promised, and a surrogate is its own
 * surrogate, by either way. */
static void any_message_has_one(void **state) {
  static const char *const pieces[] = {
    "From: ",
    "To: ",
    "Subject: ",
    "Content-Type: ",
    "Received: ",
    "Keywords: ",
    "Message-ID: ",
    "Date: ",
    "multipart/mixed; boundary=b",
    "message/rfc822",
    "\r\n",
    "\r\n",
    "\r\n ",
    "--b\r\n",
    "--b--\r\n",
    "\"",
    "(",
    ")",
    "<",
    ">",
    "@",
    ",",
    ";",
    ":",
    "=",
    "\\",
    "[",
    "]",
    "*",
    "=?UTF-8?Q?x?=",
    "\xc3\xa9",
    "\xff",
    "\xc9\x99ziz",
    " ",
    " ",
    "a",
    "for",
    "name",
    "\t",
    "\r",
    "\n",
    "-----\r\n",
    "a-b",
    "-",
    ".",
    "xn--",
    "text/plain",
    "multipart/signed; boundary=s",
    "--s\r\n",
    "message/delivery-status",
    "Final-Recipient: utf-8;",
  };
  uint32_t seed = 7;
  for (int round = 0; round < 20000; round++) {
    struct buf in;
    bool changed, again;
    buf_init(&in, 4096);
    for (unsigned n = next_random(&seed) % 60; n; n--) {
      if (next_random(&seed) % 50 == 0) buf_put_u8(&in, 0);
      buf_put_str(&in, pieces[next_random(&seed) % (sizeof pieces / sizeof *pieces)]);
    }
    enum surrogate_way way = round % 2 ? SURROGATE_6858 : SURROGATE_6857;
    struct buf one = surrogate_by(buf_slice(&in), 1 + next_random(&seed) % 9, way, &changed);
    struct buf whole = surrogate_by(buf_slice(&in), 4096, way, &again);
    assert_true(slice_eq(buf_slice(&one), buf_slice(&whole)));
    assert_int_equal(changed, again);
    if (!changed) assert_true(slice_eq(buf_slice(&one), buf_slice(&in)));
    struct buf two = surrogate_by(buf_slice(&one), 5, way, &again);
    assert_true(slice_eq(buf_slice(&one), buf_slice(&two)));
    buf_free(&in);
    buf_free(&one);
    buf_free(&two);
    buf_free(&whole);
  }
}

/* A field of nothing but what costs most, of the largest size that is converted. */
static void hostile_fields_cost_what_they_may(void **state) {
  static const char *const names[] = { "From:",       "To: g:",    "Subject:",
                                       "Keywords:",   "Received:", "Content-Type: a/b",
                                       "Message-ID:", "Date:" };
  static const char *const units[] = {
    "\xc3\xa9,",   "\xc3\xa9 ",  "\xc3\xa9 ;",   ";a=\xc3\xa9",   "\xc3\xa9:",
    "(\xc3\xa9)",  "<\xc3\xa9>", "\"\xc3\xa9\"", "\xc3\xa9@",     " for \xc3\xa9",
    "((((",        "\"",         "[\xc3\xa9",    "=?\xc3\xa9?= ", "\xc3\xa9 =?a?b?c?= ",
    "a@\xc3\xa9,", ":",          "\\",           ";a*=\xc3\xa9"
  };
  for (size_t i = 0; i < sizeof names / sizeof *names; i++)
    for (size_t k = 0; k < sizeof units / sizeof *units; k++) {
      struct buf in;
      bool changed;
      buf_init(&in, 2 * SURROGATE_FIELD_MAX);
      buf_put_str(&in, names[i]);
      while (buf_len(&in) + 12 < SURROGATE_FIELD_MAX) buf_put_str(&in, units[k]);
      buf_put_str(&in, "\xc3\xa9\r\n\r\n");
      /* bounds are in there */
      struct buf simple = surrogate_by(buf_slice(&in), 65536, SURROGATE_6858, &changed);
      buf_free(&simple);
      struct buf out = surrogate_of(buf_slice(&in), 65536, &changed);
      buf_free(&in);
      buf_free(&out);
    }
}

int main(void) {
  const struct CMUnitTest tests[] = {
    cmocka_unit_test(fields_become_ascii),
    cmocka_unit_test(long_text_is_folded),
    cmocka_unit_test(domains_become_a_labels),
    cmocka_unit_test(utf8_is_told_from_what_is_not),
    cmocka_unit_test(messages_become_ascii),
    cmocka_unit_test(every_cut_gives_the_same),
    cmocka_unit_test(fields_beyond_the_limit_pass),
    cmocka_unit_test(nesting_is_bounded),
    cmocka_unit_test(simple_surrogates),
    cmocka_unit_test(any_message_has_one),
    cmocka_unit_test(hostile_fields_cost_what_they_may),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
