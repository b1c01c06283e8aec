/* SPDX-License-Identifier: ISC */
/* mail: paths of RFC 5321 §4.1.2 (attacks AD-*), dates, headers. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#include "mail/address.h"
#include "mail/date.h"
#include "mail/header.h"

static char *text_of(struct buf *b) {
  static char text[1024];
  struct slice s = buf_slice(b);
  assert_true(s.n < sizeof text);
  if (s.n) memcpy(text, s.p, s.n);
  text[s.n] = 0;
  buf_free(b);
  return text;
}

static char *printed(const struct address *a, void (*put)(struct buf *, const struct address *)) {
  struct buf b;
  buf_init(&b, 1024);
  put(&b, a);
  return text_of(&b);
}

struct path {
  const char *written;
  enum address_error error;
  const char *path, *plain; /* printed, when there is no error */
};

static const struct path forward[] = {
  { "<a@b.example>", ADDRESS_OK, "a@b.example", "a@b.example" },
  /* AD-1 */
  { "<@a,@b:c@d>", ADDRESS_OK, "c@d", "c@d" },
  { "<@a.example:c@d>", ADDRESS_OK, "c@d", "c@d" },
  { "<@a,b:c@d>", ADDRESS_SYNTAX, 0, 0 },
  { "<@a:@b:c@d>", ADDRESS_SYNTAX, 0, 0 },
  { "<@:c@d>", ADDRESS_SYNTAX, 0, 0 },
  /* AD-2 */
  { "<a%b@us>", ADDRESS_OK, "a%b@us", "a%b@us" },
  { "<b!a@us>", ADDRESS_OK, "b!a@us", "b!a@us" },
  { "<\"a@b\"@us>", ADDRESS_OK, "\"a@b\"@us", "a@b@us" },
  /* AD-3 */
  { "<a@[127.0.0.1]>", ADDRESS_OK, "a@[127.0.0.1]", "a@[127.0.0.1]" },
  { "<a@[IPv6:::1]>", ADDRESS_OK, "a@[IPv6:::1]", "a@[IPv6:::1]" },
  { "<a@[ipv6:2001:DB8:0:0::0001]>", ADDRESS_OK, "a@[IPv6:2001:db8::1]", "a@[IPv6:2001:db8::1]" },
  { "<a@[IPv6:::ffff:1.2.3.4]>", ADDRESS_OK, "a@[IPv6:::ffff:1.2.3.4]", "a@[IPv6:::ffff:1.2.3.4]" },
  { "<a@[1.2.3.4>", ADDRESS_SYNTAX, 0, 0 },
  { "<a@[1.2.3]>", ADDRESS_SYNTAX, 0, 0 },
  { "<a@[1.2.3.256]>", ADDRESS_SYNTAX, 0, 0 },
  { "<a@[1.2.3.4 ]>", ADDRESS_SYNTAX, 0, 0 },
  { "<a@[::1]>", ADDRESS_SYNTAX, 0, 0 },
  { "<a@[IPv6:fe80::1%lo]>", ADDRESS_SYNTAX, 0, 0 },
  { "<a@[IPv6:1:2:3:4:5:6:7:8:9]>", ADDRESS_SYNTAX, 0, 0 },
  /* §4.1.3: "::" stands for two groups at least, whatever inet_pton() takes */
  { "<a@[IPv6:1111:2222:3333:4444:5555:6666::8888]>", ADDRESS_SYNTAX, 0, 0 },
  { "<a@[IPv6:::2222:3333:4444:5555:6666:7777:8888]>", ADDRESS_SYNTAX, 0, 0 },
  { "<a@[IPv6:1111:2222:3333:4444:5555:6666:7777::]>", ADDRESS_SYNTAX, 0, 0 },
  { "<a@[IPv6:1111:2222:3333:4444:5555::8888]>", ADDRESS_OK,
    "a@[IPv6:1111:2222:3333:4444:5555::8888]", "a@[IPv6:1111:2222:3333:4444:5555::8888]" },
  { "<a@[IPv6:1111:2222:3333:4444:5555:6666:7777:8888]>", ADDRESS_OK,
    "a@[IPv6:1111:2222:3333:4444:5555:6666:7777:8888]",
    "a@[IPv6:1111:2222:3333:4444:5555:6666:7777:8888]" },
  { "<a@[IPv6:1:2:3:4:5::1.2.3.4]>", ADDRESS_SYNTAX, 0, 0 },
  { "<a@[IPv6:1:2:3:4::1.2.3.4]>", ADDRESS_OK, "a@[IPv6:1:2:3:4::102:304]",
    "a@[IPv6:1:2:3:4::102:304]" },
  { "<a@[IPv6:::]>", ADDRESS_OK, "a@[IPv6:::]", "a@[IPv6:::]" },
  { "<a@[IPv6:1::2::3]>", ADDRESS_SYNTAX, 0, 0 },
  { "<a@[IPv6:11111::]>", ADDRESS_SYNTAX, 0, 0 },
  { "<a@[X400:c=de]>", ADDRESS_SYNTAX, 0, 0 },
  { "<a@[]>", ADDRESS_SYNTAX, 0, 0 },
  { "<a@#16909060>", ADDRESS_SYNTAX, 0, 0 }, /* appendix F.4 */
  /* AD-4, AD-5, AD-6 */
  { "<a@b@c>", ADDRESS_SYNTAX, 0, 0 },
  { "<(c)a@b>", ADDRESS_SYNTAX, 0, 0 },
  { "<a(c)@b>", ADDRESS_SYNTAX, 0, 0 },
  { "< a@b >", ADDRESS_SYNTAX, 0, 0 },
  { "<a@b >", ADDRESS_SYNTAX, 0, 0 },
  { "<a..b@c>", ADDRESS_OK, "\"a..b\"@c", "a..b@c" },
  { "<.a@b>", ADDRESS_OK, "\".a\"@b", ".a@b" },
  { "<a.@b>", ADDRESS_OK, "\"a.\"@b", "a.@b" },
  { "<.@b>", ADDRESS_OK, "\".\"@b", ".@b" },
  { "<\"a..b\"@c>", ADDRESS_OK, "\"a..b\"@c", "a..b@c" },
  { "<\"a.b\"@c>", ADDRESS_OK, "a.b@c", "a.b@c" },
  /* AD-7, AD-8 */
  { "<\"a b\"@c>", ADDRESS_OK, "\"a b\"@c", "a b@c" },
  { "<\"\\\"\\\\\"@c>", ADDRESS_OK, "\"\\\"\\\\\"@c", "\"\\@c" },
  { "<\"\\a\"@c>", ADDRESS_OK, "a@c", "a@c" },
  { "<\"\"@c>", ADDRESS_OK, "\"\"@c", "@c" },
  { "<\"a@c>", ADDRESS_SYNTAX, 0, 0 },
  { "<\"a\\\"@c>", ADDRESS_SYNTAX, 0, 0 },
  { "<\"a\\", ADDRESS_SYNTAX, 0, 0 },
  { "<\"a\"b@c>", ADDRESS_SYNTAX, 0, 0 },
  { "<\"a\tb\"@c>", ADDRESS_SYNTAX, 0, 0 },
  { "<\"a\rb\"@c>", ADDRESS_SYNTAX, 0, 0 },
  { "<\"a\x7f\"@c>", ADDRESS_SYNTAX, 0, 0 },
  /* AD-10 */
  { "<a@b", ADDRESS_SYNTAX, 0, 0 },
  { "a@b>", ADDRESS_SYNTAX, 0, 0 },
  { "a@b", ADDRESS_SYNTAX, 0, 0 },
  { "<<a@b>>", ADDRESS_SYNTAX, 0, 0 },
  { "<a>", ADDRESS_SYNTAX, 0, 0 },
  { "<@b>", ADDRESS_SYNTAX, 0, 0 },
  { "<a@>", ADDRESS_SYNTAX, 0, 0 },
  { "<>", ADDRESS_SYNTAX, 0, 0 },
  { "<", ADDRESS_SYNTAX, 0, 0 },
  { "", ADDRESS_SYNTAX, 0, 0 },
  /* AD-12, AD-13 */
  { "<Postmaster>", ADDRESS_OK, "postmaster", "postmaster" },
  { "<POSTMASTER>", ADDRESS_OK, "postmaster", "postmaster" },
  { "<Postmaster@B.Example>", ADDRESS_OK, "Postmaster@b.example", "Postmaster@b.example" },
  { "<aBc@ExAmPlE.Org>", ADDRESS_OK, "aBc@example.org", "aBc@example.org" },
  /* domains */
  { "<a@b.>", ADDRESS_OK, "a@b", "a@b" },
  { "<a@B.Example.>", ADDRESS_OK, "a@b.example", "a@b.example" },
  { "<a@b..>", ADDRESS_SYNTAX, 0, 0 },
  { "<a@b..c>", ADDRESS_SYNTAX, 0, 0 },
  { "<a@[192.0.2.1].>", ADDRESS_SYNTAX, 0, 0 },
  { "<a@.b>", ADDRESS_SYNTAX, 0, 0 },
  { "<a@b..c>", ADDRESS_SYNTAX, 0, 0 },
  { "<a@-b>", ADDRESS_SYNTAX, 0, 0 },
  { "<a@b->", ADDRESS_SYNTAX, 0, 0 },
  { "<a@b_c>", ADDRESS_SYNTAX, 0, 0 },
  { "<a@3com.example>", ADDRESS_OK, "a@3com.example", "a@3com.example" },
  /* AD-14: UTF-8, and U-labels in their one form; look-alikes of other characters are no domains */
  { "<\xc3\xa9@b>", ADDRESS_OK, "\xc3\xa9@b", "\xc3\xa9@b" },
  { "<\"\xc3\xa9 a\"@b>", ADDRESS_OK, "\"\xc3\xa9 a\"@b", "\xc3\xa9 a@b" },
  { "<a@B\xc3\xbc"
    "cher.Example.>",
    ADDRESS_OK, "a@xn--bcher-kva.example", "a@xn--bcher-kva.example" },
  { "<a@XN--BCHER-KVA.example>", ADDRESS_OK, "a@xn--bcher-kva.example", "a@xn--bcher-kva.example" },
  { "<a@\xc3\x89"
    "cole.example>",
    ADDRESS_SYNTAX, 0, 0 },
  { "<a@\xc5\xbf.example>", ADDRESS_SYNTAX, 0, 0 },
  { "<a@b\xe3\x80\x82"
    "c>",
    ADDRESS_SYNTAX, 0, 0 },
  { "<a@b\xef\xbc\x8e"
    "c>",
    ADDRESS_SYNTAX, 0, 0 },
  { "<a@b\xe2\x80\x8f"
    "c>",
    ADDRESS_SYNTAX, 0, 0 },
  { "<a@-\xc3\xbc>", ADDRESS_SYNTAX, 0, 0 },
  { "<\xc0\xaf@b>", ADDRESS_SYNTAX, 0, 0 },
  { "<\xed\xa0\x80@b>", ADDRESS_SYNTAX, 0, 0 },
  { "<\x80@b>", ADDRESS_SYNTAX, 0, 0 },
  { "<a\xc2\x85@b>", ADDRESS_SYNTAX, 0, 0 },
  { "<a@xn--a>", ADDRESS_OK, "a@xn--a", "a@xn--a" },
  /* AD-18 to AD-21: octets, no more */
  { "<a+../../x@b>", ADDRESS_OK, "\"a+../../x\"@b", "a+../../x@b" },
  { "<a/../b@c>", ADDRESS_OK, "\"a/../b\"@c", "a/../b@c" },
  { "<\"a+../../x\"@b>", ADDRESS_OK, "\"a+../../x\"@b", "a+../../x@b" },
  { "<|cmd@b>", ADDRESS_OK, "|cmd@b", "|cmd@b" },
  { "<:include:/etc/passwd@b>", ADDRESS_SYNTAX, 0, 0 },
  { "<~root@b>", ADDRESS_OK, "~root@b", "~root@b" },
  { "<-oQ/tmp@b>", ADDRESS_OK, "-oQ/tmp@b", "-oQ/tmp@b" },
  { "<;for i in 0 1;do read r;done;sh;exit 0;@x>", ADDRESS_SYNTAX, 0, 0 },
  { "<${run{\\x2Fbin\\x2Fsh}}@us>", ADDRESS_SYNTAX, 0, 0 },
  { "<\"x'/**/UNION/**/SELECT/**/X'00'--\"@e>", ADDRESS_OK, "x'/**/UNION/**/SELECT/**/X'00'--@e",
    "x'/**/UNION/**/SELECT/**/X'00'--@e" },
};

static void forward_paths(void **state) {
  for (size_t i = 0; i < sizeof forward / sizeof *forward; i++) {
    const struct path *t = &forward[i];
    struct slice in = slice_str(t->written);
    struct address a;
    enum address_error e = address_take_forward(&in, &a);
    if (e != t->error) fail_msg("%s: %d, wanted %d", t->written, e, t->error);
    if (e) {
      assert_int_equal(in.n, strlen(t->written));
      continue;
    }
    assert_int_equal(in.n, 0);
    assert_string_equal(printed(&a, address_put), t->path);
    assert_string_equal(printed(&a, address_put_plain), t->plain);
    struct buf b;
    buf_init(&b, 1024);
    address_put_quoted(&b, slice_str(t->plain));
    assert_string_equal(text_of(&b), t->path);
  }
}

/* What is printed parses to the same again. */
static void round_trip(void **state) {
  for (size_t i = 0; i < sizeof forward / sizeof *forward; i++) {
    struct slice in = slice_str(forward[i].written);
    struct address a, again;
    if (address_take_forward(&in, &a) || a.kind == ADDRESS_POSTMASTER) continue;
    assert_int_equal(address_parse(slice_str(printed(&a, address_put)), &again), ADDRESS_OK);
    if (!slice_has_high(address_local(&a))) a.utf8 = false; /* its U-labels are A-labels now */
    assert_memory_equal(&a, &again, sizeof a);
  }
}

static void reverse_paths(void **state) {
  struct slice in = SLICE("<> SIZE=1");
  struct address a;
  assert_int_equal(address_take_reverse(&in, &a), ADDRESS_OK);
  assert_int_equal(a.kind, ADDRESS_NULL);
  assert_int_equal(in.n, 7);
  assert_string_equal(printed(&a, address_put), "");
  in = SLICE("<Postmaster>"); /* only a forward-path may be that */
  assert_int_equal(address_take_reverse(&in, &a), ADDRESS_SYNTAX);
  in = SLICE("<a@b>c"); /* AD-10: what follows the path is the caller's */
  assert_int_equal(address_take_reverse(&in, &a), ADDRESS_OK);
  assert_true(slice_eq(in, SLICE("c")));
}

/* A sender's domain is not looked up: what real ones have passes, what breaks the framing does not.
 */
static void real_senders(void **state) {
  static const struct path t[] = {
    { "<SRS0=HHH=TT=example.com=bob@mail_1.example.net>", ADDRESS_OK,
      "SRS0=HHH=TT=example.com=bob@mail_1.example.net", 0 },
    { "<a@-b-.example_>", ADDRESS_OK, "a@-b-.example_", 0 },
    { "<a..b.@docomo.example.>", ADDRESS_OK, "\"a..b.\"@docomo.example", 0 },
    { "<prvs=1234567890=bob@[192.0.2.1]>", ADDRESS_OK, "prvs=1234567890=bob@[192.0.2.1]", 0 },
    { "<a@>", ADDRESS_SYNTAX, 0, 0 },
    { "<a@.>", ADDRESS_SYNTAX, 0, 0 },
    { "<a@b..c>", ADDRESS_SYNTAX, 0, 0 },
    { "<a@b c>", ADDRESS_SYNTAX, 0, 0 },
    { "<a@b>c@d>", ADDRESS_OK, "a@b", 0 },
    { "<a,b@c>", ADDRESS_SYNTAX, 0, 0 },
    { "<a\x01@c>", ADDRESS_SYNTAX, 0, 0 },
    { "<a@c\r>", ADDRESS_SYNTAX, 0, 0 },
    { "<\"a@c>", ADDRESS_SYNTAX, 0, 0 },
    { "<a@[192.0.2.1>", ADDRESS_SYNTAX, 0, 0 },
    { "<a@b/c>", ADDRESS_SYNTAX, 0, 0 },
    { "<a\xc3\xa9@c>", ADDRESS_OK, "a\xc3\xa9@c", 0 },
    { "<a\xe9@c>", ADDRESS_SYNTAX, 0, 0 },
  };
  for (size_t i = 0; i < sizeof t / sizeof *t; i++) {
    struct slice in = slice_str(t[i].written);
    struct address a;
    enum address_error e = address_take_reverse(&in, &a);
    if (e != t[i].error) fail_msg("%s: %d", t[i].written, e);
    if (!e) assert_string_equal(printed(&a, address_put), t[i].path);
  }
}

/* AD-9 */
static void nul_octets(void **state) {
  static const struct slice bad[] = {
    /* clang-format off */
    { (const uint8_t *)"<\"a\0b\"@c>", 9 }, { (const uint8_t *)"<a\0@c>", 6 },
    { (const uint8_t *)"<a@c\0>", 6 },     { (const uint8_t *)"<a@[1.2.3.4\0]>", 14 },
    /* clang-format on */
  };
  for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
    struct slice in = bad[i];
    struct address a;
    assert_int_equal(address_take_forward(&in, &a), ADDRESS_SYNTAX);
  }
}

static enum address_error sized(size_t local, size_t label, size_t labels) {
  static char text[2048];
  size_t n = 0;
  text[n++] = '<';
  for (size_t i = 0; i < local; i++) text[n++] = 'a';
  text[n++] = '@';
  for (size_t l = 0; l < labels; l++) {
    if (l) text[n++] = '.';
    for (size_t i = 0; i < label; i++) text[n++] = 'b';
  }
  text[n++] = '>';
  struct slice in = slice_of(text, n);
  struct address a;
  return address_take_forward(&in, &a);
}

/* AD-11 and LN-4: at the limit, and one over it. */
static void limits(void **state) {
  assert_int_equal(sized(254, 1, 1), ADDRESS_OK);
  assert_int_equal(sized(255, 1, 1), ADDRESS_TOO_LONG);
  assert_int_equal(sized(300, 1, 1), ADDRESS_TOO_LONG);
  assert_int_equal(sized(1, 63, 3), ADDRESS_OK);
  assert_int_equal(sized(1, 64, 1), ADDRESS_TOO_LONG);
  assert_int_equal(sized(254, 1, 128), ADDRESS_OK);     /* 512 with brackets */
  assert_int_equal(sized(1, 1, 129), ADDRESS_TOO_LONG); /* a domain of 257 */
  char domain[300];
  memset(domain, 'a', sizeof domain);
  for (size_t i = 63; i < sizeof domain; i += 64) domain[i] = '.';
  assert_true(address_is_domain(slice_of(domain, 255)));
  domain[254] = 'a';
  assert_false(address_is_domain(slice_of(domain, 256)));
}

static void literals(void **state) {
  static const uint8_t v4[] = { 192, 0, 2, 1 }, v6[16] = { 0x20, 1, 0xd, 0xb8, [15] = 1 };
  struct buf b;
  buf_init(&b, 100);
  address_put_literal(&b, v4, 4);
  address_put_literal(&b, v6, 16);
  assert_string_equal(text_of(&b), "[192.0.2.1][IPv6:2001:db8::1]");
  assert_true(address_is_literal(SLICE("[192.0.2.1]")));
  assert_false(address_is_literal(SLICE("[192.0.2.1]x")));
  assert_false(address_is_literal(SLICE("192.0.2.1")));
  assert_false(address_is_domain(SLICE("")));
  assert_false(address_is_domain(SLICE("a b")));
}

static void dates(void **state) {
  static const struct {
    int64_t s;
    int offset;
    const char *text;
  } t[] = {
    { 0, 0, "Thu, 01 Jan 1970 00:00:00 +0000" },
    { 880127706, -360, "Fri, 21 Nov 1997 09:55:06 -0600" }, /* RFC 5322 appendix A.1.1 */
    { 951782400, 0, "Tue, 29 Feb 2000 00:00:00 +0000" },
    { 2147483648, 0, "Tue, 19 Jan 2038 03:14:08 +0000" },
    { 4107542400, 330, "Mon, 01 Mar 2100 05:30:00 +0530" },
    { 253402300799, 0, "Fri, 31 Dec 9999 23:59:59 +0000" },
    { INT64_MAX, 0, "Fri, 31 Dec 9999 23:59:59 +0000" },
    { INT64_MIN, 0, "Thu, 01 Jan 1970 00:00:00 +0000" },
    { 0, -90, "Thu, 01 Jan 1970 00:00:00 -0130" },
  };
  for (size_t i = 0; i < sizeof t / sizeof *t; i++) {
    struct buf b;
    buf_init(&b, 100);
    date_put(&b, t[i].s, t[i].offset);
    assert_string_equal(text_of(&b), t[i].text);
  }
}

static const struct slice message = {
  (const uint8_t *)"Received: a\r\n\tb\r\nreceived : c\r\nX-Received: d\r\nno colon\r\n:empty\r\n"
                   "Subject:  one\r\n two \r\n\r\nReceived: body\r\n\r\n",
  106
};

static void headers(void **state) {
  struct header_field f;
  struct slice rest = message;
  assert_int_equal(strlen((const char *)message.p), message.n);
  assert_int_equal(header_end(message), 106 - 18);
  assert_true(header_next(&rest, &f));
  assert_true(slice_eq(f.name, SLICE("Received")));
  assert_true(slice_eq(f.body, SLICE(" a\r\n\tb")));
  assert_int_equal(header_count(message, SLICE("RECEIVED")), 2);
  assert_true(header_find(message, SLICE("subject"), &f));
  struct buf b;
  buf_init(&b, 100);
  header_unfold(&b, f.body);
  assert_string_equal(text_of(&b), "one two");
  assert_false(header_find(message, SLICE("Date"), &f));
  size_t fields = 0;
  for (rest = message; header_next(&rest, &f);) fields++;
  assert_int_equal(fields, 6);
  assert_true(slice_starts(rest, SLICE("\r\nReceived: body")));
  assert_int_equal(header_end(SLICE("\r\nbody")), 2);
  assert_int_equal(header_end(SLICE("a: b\r\n")), 6);
}

/* The same count, however the message is cut in two. */
static void hops(void **state) {
  for (size_t cut = 0; cut <= message.n; cut++) {
    struct header_hops h = { 0 };
    header_hops(&h, slice_first(message, cut));
    header_hops(&h, slice_from(message, cut));
    assert_int_equal(h.count, 2);
    assert_true(h.over);
  }
  struct header_hops h = { 0 };
  for (size_t i = 0; i < message.n; i++) header_hops(&h, slice_of(message.p + i, 1));
  assert_int_equal(h.count, 2);
}

int main(void) {
  const struct CMUnitTest tests[] = {
    cmocka_unit_test(forward_paths), cmocka_unit_test(round_trip),
    cmocka_unit_test(reverse_paths), cmocka_unit_test(nul_octets),
    cmocka_unit_test(real_senders),  cmocka_unit_test(limits),
    cmocka_unit_test(literals),      cmocka_unit_test(dates),
    cmocka_unit_test(headers),       cmocka_unit_test(hops),
  };
  return cmocka_run_group_tests_name("address", tests, NULL, NULL);
}
