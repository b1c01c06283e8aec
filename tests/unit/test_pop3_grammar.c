/* SPDX-License-Identifier: ISC */
/* The grammar of POP3: lines, arguments, replies, and messages on their way out and in. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "mail/pop3/command.h"
#include "mail/pop3/line.h"
#include "mail/pop3/reply.h"
#include "mail/pop3/stuff.h"
#include "mail/uidl.h"

#define S(lit) SLICE(lit)

static void assert_slice(struct slice got, const char *want, size_t n) {
  assert_int_equal(got.n, n);
  assert_memory_equal(n ? got.p : (const uint8_t *)"", want, n);
}

/* --- lines --- */

static void only_crlf_ends_a_line(void **state) {
  struct pop3_framer f = { 0 };
  struct slice in = S("USER a\nPASS b\rSTAT\n\rX\r\nNOOP\r\nrest"), line;
  assert_int_equal(pop3_line_next(&f, &in, POP3_COMMAND_MAX, &line), POP3_LINE_READY);
  assert_slice(line, "USER a\nPASS b\rSTAT\n\rX", 21);
  assert_int_equal(pop3_line_next(&f, &in, POP3_COMMAND_MAX, &line), POP3_LINE_READY);
  assert_slice(line, "NOOP", 4);
  assert_int_equal(pop3_line_next(&f, &in, POP3_COMMAND_MAX, &line), POP3_LINE_MORE);
  assert_int_equal(in.n, 4);
}

/* Each LF alone is a line to refuse, what follows up to the CRLF is none; however the octets are
 * cut. */
static void an_lf_alone_is_answered(void **state) {
  static const struct {
    const char *in, *want; /* r: a line, b: one to refuse, l: one that is too long */
  } rows[] = {
    { "NOOP\n", "b" },
    { "\n\n\nSTAT\n", "bbbb" },
    { "a\nb\r\nNOOP\r\n", "br" },
    { "a\r\r\nb\r\n", "rr" },
    { "a\n\r\nb\r\nc\n", "brb" },
    { "a\rb\nc\r\n", "b" },
    { "NOOP\r\n\nNOOP\r\nQUIT\r\n", "rbr" },
  };
  for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
    struct slice all = slice_str(rows[i].in);
    for (size_t step = 1; step <= all.n; step++) {
      struct pop3_framer f = { 0 };
      size_t taken = 0, n = 0;
      char got[16];
      for (size_t end = step; taken < all.n; end = end + step < all.n ? end + step : all.n) {
        struct slice in = slice_first(slice_from(all, taken), (end < all.n ? end : all.n) - taken),
                     before = in, line;
        enum pop3_line kind;
        while ((kind = pop3_command_next(&f, &in, POP3_COMMAND_MAX, &line)) != POP3_LINE_MORE)
          got[n++] = kind == POP3_LINE_READY ? 'r' : kind == POP3_LINE_BARE ? 'b' : 'l';
        taken += before.n - in.n;
        if (end >= all.n) break;
      }
      got[n] = 0;
      assert_string_equal(got, rows[i].want);
    }
  }
  /* A line that is too long, and one without end of LFs. */
  uint8_t text[300];
  memset(text, 'a', sizeof text);
  memcpy(text + 290, "\nxx\r\nA\r\n", 9);
  struct pop3_framer f = { 0 };
  struct slice in = slice_of(text, 299), line;
  assert_int_equal(pop3_command_next(&f, &in, POP3_COMMAND_MAX, &line), POP3_LINE_BARE);
  assert_int_equal(pop3_command_next(&f, &in, POP3_COMMAND_MAX, &line), POP3_LINE_READY);
  assert_slice(line, "A", 1);
  size_t lines = 0;
  enum pop3_line got;
  do {
    in = S("NOOP\n");
    got = pop3_command_next(&f, &in, POP3_COMMAND_MAX, &line);
  } while (got == POP3_LINE_BARE && ++lines < 100000);
  assert_int_equal(got, POP3_LINE_ENDLESS);
  assert_in_range(lines, POP3_ENDLESS / 5 - 10, POP3_ENDLESS / 5 + 10);
}

/* RFC 2449 §4: 255 octets with CRLF pass, 256 do not; however the octets are cut. */
static void a_command_has_255_octets(void **state) {
  for (size_t n = 250; n < 260; n++) {
    for (size_t cut = 0; cut <= n; cut++) {
      uint8_t text[300];
      memset(text, 'a', sizeof text);
      memcpy(text + n - 2, "\r\nNOOP\r\n", 8);
      struct pop3_framer f = { 0 };
      struct slice in = slice_of(text, cut), line;
      enum pop3_line got = pop3_line_next(&f, &in, POP3_COMMAND_MAX, &line);
      if (got == POP3_LINE_MORE) {
        size_t taken = cut - in.n;
        in = slice_of(text + taken, n + 6 - taken);
        got = pop3_line_next(&f, &in, POP3_COMMAND_MAX, &line);
      }
      assert_int_equal(got, n <= 255 ? POP3_LINE_READY : POP3_LINE_TOO_LONG);
      if (cut < n)
        assert_int_equal(pop3_line_next(&f, &in, POP3_COMMAND_MAX, &line), POP3_LINE_READY);
    }
  }
}

/* LN-3: a line that never ends is given up after a bounded number of octets, none of them kept. */
static void an_endless_line_is_given_up(void **state) {
  struct pop3_framer f = { 0 };
  uint8_t text[1000];
  memset(text, 'a', sizeof text);
  size_t total = 0;
  for (int i = 0; i < 100; i++) {
    struct slice in = slice_of(text, sizeof text), line;
    enum pop3_line got = pop3_line_next(&f, &in, POP3_COMMAND_MAX, &line);
    total += sizeof text;
    assert_int_equal(in.n, 0);
    if (got == POP3_LINE_ENDLESS) break;
    assert_int_equal(got, POP3_LINE_MORE);
  }
  assert_in_range(total, POP3_ENDLESS, POP3_ENDLESS + 2000);
}

static void auth_lines_may_be_long(void **state) {
  assert_int_equal(pop3_command_limit(S("auth PLAIN x")), POP3_SASL_MAX);
  assert_int_equal(pop3_command_limit(S("AUTHX")), POP3_COMMAND_MAX);
  assert_int_equal(pop3_command_limit(S("USERX")), POP3_COMMAND_MAX);
  assert_int_equal(pop3_command_limit(S("NOOP ")), POP3_COMMAND_MAX);
}

/* A line of each login command with the longest name and password of an account. */
static void login_lines_hold_every_name(void **state) {
  assert_int_equal(pop3_command_limit(S("user x")), strlen("USER \r\n") + 320);
  assert_int_equal(pop3_command_limit(S("PASS ")), strlen("PASS \r\n") + 511);
  assert_int_equal(pop3_command_limit(S("Apop x")), strlen("APOP  \r\n") + 320 + 32);
}

/* --- arguments --- */

struct arg_case {
  enum pop3_arg kind;
  const char *line;
  bool good;
};

/* PO-1, and each kind's own rule. */
static const struct arg_case arg_cases[] = {
  { POP3_ARG_NONE, "STAT", true },
  { POP3_ARG_NONE, "STAT ", true },
  { POP3_ARG_NONE, "STAT 1", false },
  { POP3_ARG_NUMBER, "RETR 1", true },
  { POP3_ARG_NUMBER, "RETR 4294967295", true },
  { POP3_ARG_NUMBER, "RETR 2147483648", true },
  { POP3_ARG_NUMBER, "RETR", false },
  { POP3_ARG_NUMBER, "RETR ", false },
  { POP3_ARG_NUMBER, "RETR 0", false },
  { POP3_ARG_NUMBER, "RETR -1", false },
  { POP3_ARG_NUMBER, "RETR +1", false },
  { POP3_ARG_NUMBER, "RETR 01", false },
  { POP3_ARG_NUMBER, "RETR 1x", false },
  { POP3_ARG_NUMBER, "RETR 0x1", false },
  { POP3_ARG_NUMBER, "RETR 1 ", true },
  { POP3_ARG_NUMBER, "RETR  ", false },
  { POP3_ARG_NUMBER, "RETR  1", false },
  { POP3_ARG_NUMBER, "RETR 1 2", false },
  { POP3_ARG_NUMBER, "RETR 4294967296", false },
  { POP3_ARG_NUMBER, "RETR 4294967297", false },
  { POP3_ARG_NUMBER, "RETR 18446744073709551616", false },
  { POP3_ARG_NUMBER, "RETR 18446744073709551617", false },
  { POP3_ARG_NUMBER, "RETR \xd9\xa1", false },
  { POP3_ARG_NUMBER, "RETR %d", false },
  { POP3_ARG_NUMBER, "RETR *", false },
  { POP3_ARG_NUMBER, "RETR 1\r", false },
  { POP3_ARG_NUMBER, "RETR 1\t", true },
  { POP3_ARG_NUMBER, "RETR 1\t2", false },
  { POP3_ARG_MAYBE_NUMBER, "LIST", true },
  { POP3_ARG_MAYBE_NUMBER, "LIST 2", true },
  { POP3_ARG_MAYBE_NUMBER, "LIST ", true },
  { POP3_ARG_MAYBE_NUMBER, "LIST 2 ", true },
  { POP3_ARG_MAYBE_NUMBER, "LIST 0", false },
  { POP3_ARG_TOP, "TOP 1 0", true },
  { POP3_ARG_TOP, "TOP 1 10", true },
  { POP3_ARG_TOP, "TOP 1 18446744073709551615", true },
  { POP3_ARG_TOP, "TOP 1 18446744073709551616", false },
  { POP3_ARG_TOP, "TOP 1", false },
  { POP3_ARG_TOP, "TOP 1 ", false },
  { POP3_ARG_TOP, "TOP 1 -1", false },
  { POP3_ARG_TOP, "TOP 1 00", false },
  { POP3_ARG_TOP, "TOP 0 1", false },
  { POP3_ARG_TOP, "TOP  1 1", false },
  { POP3_ARG_TOP, "TOP 1 1 1", false },
  { POP3_ARG_NAME, "USER mrose", true },
  { POP3_ARG_NAME, "USER m@x", true },
  { POP3_ARG_NAME, "USER", false },
  { POP3_ARG_NAME, "USER ", false },
  { POP3_ARG_NAME, "USER a b", false },
  { POP3_ARG_NAME, "USER a\n", false },
  { POP3_ARG_NAME, "USER \xc3\xa9", true },
  { POP3_ARG_NAME, "USER \xe9", false },
  { POP3_ARG_NAME, "USER \x7f", false },
  { POP3_ARG_PASSWORD, "PASS x", true },
  { POP3_ARG_PASSWORD, "PASS ", true },
  { POP3_ARG_PASSWORD, "PASS", false },
  { POP3_ARG_PASSWORD, "PASS  a b ", true },
  { POP3_ARG_PASSWORD, "PASS \xc3\xa9", true },
  { POP3_ARG_PASSWORD, "PASS a\nb", false },
  { POP3_ARG_PASSWORD, "PASS a\rb", false },
  { POP3_ARG_APOP, "APOP mrose c4c9334bac560ecc979e58001b3e22fb", true },
  { POP3_ARG_APOP, "APOP mrose C4C9334BAC560ECC979E58001B3E22FB", false },
  { POP3_ARG_APOP, "APOP mrose c4c9334bac560ecc979e58001b3e22f", false },
  { POP3_ARG_APOP, "APOP mrose c4c9334bac560ecc979e58001b3e22fbb", false },
  { POP3_ARG_APOP, "APOP mrose g4c9334bac560ecc979e58001b3e22fb", false },
  { POP3_ARG_APOP, "APOP mrose", false },
  { POP3_ARG_APOP, "APOP  c4c9334bac560ecc979e58001b3e22fb", false },
  { POP3_ARG_LANG, "LANG", true },
  { POP3_ARG_LANG, "LANG *", true },
  { POP3_ARG_LANG, "LANG de-CH-1996", true },
  { POP3_ARG_LANG, "LANG ", true },
  { POP3_ARG_LANG, "LANG -de", false },
  { POP3_ARG_LANG, "LANG de-", false },
  { POP3_ARG_LANG, "LANG d1", false },
  { POP3_ARG_LANG, "LANG abcdefghi", false },
  { POP3_ARG_LANG, "LANG de--x", false },
  { POP3_ARG_LANG, "LANG de en", false },
  { POP3_ARG_AUTH, "AUTH", true },
  { POP3_ARG_AUTH, "AUTH ", true },
  { POP3_ARG_AUTH, "AUTH PLAIN", true },
  { POP3_ARG_AUTH, "AUTH PLAIN =", true },
  { POP3_ARG_AUTH, "AUTH PLAIN ", true },
  { POP3_ARG_AUTH, "AUTH PLAIN a b", false },
  { POP3_ARG_AUTH, "AUTH P.AIN", false },
  { POP3_ARG_AUTH, "AUTH ABCDEFGHIJKLMNOPQRST", true },
  { POP3_ARG_AUTH, "AUTH ABCDEFGHIJKLMNOPQRSTU", false },
};

static void arguments_follow_their_kind(void **state) {
  for (size_t i = 0; i < sizeof arg_cases / sizeof *arg_cases; i++) {
    struct pop3_command c = pop3_command_split(slice_str(arg_cases[i].line));
    struct pop3_args a;
    if (pop3_args_parse(arg_cases[i].kind, &c, &a) != arg_cases[i].good)
      fail_msg("%s", arg_cases[i].line);
  }
  char digits[420] = "RETR ";
  memset(digits + 5, '1', 400);
  struct pop3_command c = pop3_command_split(slice_of(digits, 405));
  struct pop3_args a;
  assert_false(pop3_args_parse(POP3_ARG_NUMBER, &c, &a));
  c = pop3_command_split(S("PASS a\0b"));
  assert_false(pop3_args_parse(POP3_ARG_PASSWORD, &c, &a));
}

static void arguments_have_their_values(void **state) {
  struct pop3_args a;
  struct pop3_command c = pop3_command_split(S("PASS  two  words "));
  assert_true(pop3_args_parse(POP3_ARG_PASSWORD, &c, &a));
  assert_slice(a.text, " two  words ", 12);
  c = pop3_command_split(S("TOP 7 10"));
  assert_true(pop3_args_parse(POP3_ARG_TOP, &c, &a));
  assert_int_equal(a.number, 7);
  assert_int_equal(a.lines, 10);
  c = pop3_command_split(S("APOP mrose c4c9334bac560ecc979e58001b3e22fb"));
  assert_true(pop3_args_parse(POP3_ARG_APOP, &c, &a));
  assert_int_equal(a.digest[0], 0xc4);
  assert_int_equal(a.digest[15], 0xfb);
}

/* --- what a server says --- */

static void replies_are_read(void **state) {
  struct pop3_reply r;
  assert_true(pop3_reply_parse(S("+OK"), &r));
  assert_int_equal(r.status, POP3_OK);
  /* RFC 2449 §8.1.2 */
  assert_true(pop3_reply_parse(S("-ERR [IN-USE] Do you have another POP session running?"), &r));
  assert_int_equal(r.status, POP3_ERR);
  assert_slice(r.code, "IN-USE", 6);
  assert_slice(r.text, "Do you have another POP session running?", 40);
  assert_true(pop3_reply_parse(S("+ "), &r));
  assert_int_equal(r.status, POP3_CONTINUE);
  assert_int_equal(r.text.n, 0);
  assert_true(pop3_reply_parse(S("+OK [not closed"), &r));
  assert_int_equal(r.code.n, 0);
  static const char *const bad[] = {
    "", "OK", "+okay", "+OKAY", "-ER", "-ERROR", "*", " +OK", "+x"
  };
  for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
    if (pop3_reply_parse(slice_str(bad[i]), &r)) fail_msg("%s", bad[i]);
  static const char *const loose[] = { "+ok", "+Ok [X/Y] z", "+OK\t[X/Y] z", "+OK  \t [X/Y] z" };
  for (size_t i = 0; i < sizeof loose / sizeof *loose; i++) {
    assert_true(pop3_reply_parse(slice_str(loose[i]), &r));
    assert_int_equal(r.status, POP3_OK);
    if (i) assert_slice(r.code, "X/Y", 3);
  }
  assert_true(pop3_reply_parse(S("-err\tno"), &r));
  assert_int_equal(r.status, POP3_ERR);
  assert_slice(r.text, "no", 2);
  assert_false(pop3_reply_parse(S("+OK a\0b"), &r));
  assert_false(pop3_reply_parse(S("+OK a\nb"), &r));
}

static void greetings_listings_and_ids_are_read(void **state) {
  struct slice s;
  uint64_t a, b;
  assert_true(pop3_reply_timestamp(S("POP3 server ready <1896.697170952@dbc.mtview.ca.us>"), &s));
  assert_slice(s, "<1896.697170952@dbc.mtview.ca.us>", 33);
  assert_false(pop3_reply_timestamp(S("ready"), &s));
  assert_false(pop3_reply_timestamp(S("ready <a>"), &s));
  assert_false(pop3_reply_timestamp(S("ready <a@b"), &s));
  assert_false(pop3_reply_timestamp(S("ready <a @b>"), &s));
  assert_true(pop3_reply_pair(S("2 320"), &a, &b));
  assert_int_equal(b, 320);
  assert_true(pop3_reply_pair(S("1 18446744073709551615 more"), &a, &b));
  assert_false(pop3_reply_pair(S("1 18446744073709551616"), &a, &b));
  assert_false(pop3_reply_pair(S("1"), &a, &b));
  assert_true(pop3_reply_pair(S(" \t1 \t 2  "), &a, &b));
  assert_int_equal(a, 1), assert_int_equal(b, 2);
  assert_true(pop3_reply_uidl(S("2 QhdPYR:00WBw1Ph7x7"), &a, &s));
  assert_slice(s, "QhdPYR:00WBw1Ph7x7", 18);
  assert_false(pop3_reply_uidl(S("2 "), &a, &s));
  assert_true(pop3_reply_uidl(S("\t2 \t a b \t"), &a, &s));
  assert_true(slice_eq(s, S("a b")) && !uidl_is_valid(s));
  char id[74] = "1 ";
  memset(id + 2, '~', 71);
  assert_true(pop3_reply_uidl(slice_of(id, 72), &a, &s));
  assert_false(pop3_reply_uidl(S("2 \t"), &a, &s));
  assert_true(pop3_reply_uidl(slice_of(id, 73), &a, &s));
  assert_false(uidl_is_valid(s));
}

/* --- messages out --- */

struct out_case {
  struct slice message;
  uint64_t announced;
  struct slice sent;
};

static struct buf stuffed(struct slice message, uint64_t announced, size_t step, bool top,
                          uint64_t lines, enum pop3_stuff *ret) {
  struct buf out;
  struct pop3_stuffer st;
  buf_init(&out, 1 << 20);
  if (top)
    pop3_stuff_open_top(&st, announced, lines);
  else
    pop3_stuff_open(&st, announced);
  enum pop3_stuff r = POP3_STUFF_MORE;
  for (; r == POP3_STUFF_MORE && message.n > 0; message = slice_from(message, step))
    r = pop3_stuff_put(&st, slice_first(message, step), &out);
  *ret = r == POP3_STUFF_MORE ? pop3_stuff_end(&st, &out) : r;
  return out;
}

/* PO-5, each cut into pieces of every size. */
static void messages_leave_stuffed(void **state) {
  const struct out_case cases[] = {
    { S("A: b\r\n\r\ntext\r\n"), 14, S("A: b\r\n\r\ntext\r\n.\r\n") },
    { S("A: b\r\n\r\n.\r\n..\r\n. \r\na.\r\n"), 23,
      S("A: b\r\n\r\n..\r\n...\r\n.. \r\na.\r\n.\r\n") },
    { S(".A: b\r\n\r\n."), 12, S("..A: b\r\n\r\n..\r\n.\r\n") },
    { S("A: b\r\n\r\nno end"), 16, S("A: b\r\n\r\nno end\r\n.\r\n") },
    { S("A: b\r\n\r\nx\n.\ny\r.\r\n"), 17, S("A: b\r\n\r\nx\n.\ny\r.\r\n.\r\n") },
    { S("A: b\r\n\r\nx\r"), 12, S("A: b\r\n\r\nx\r\r\n.\r\n") },
    { S("A: b\r\n\r\nx\0y\0\r\n"), 14, S("A: b\r\n\r\nx\x80y\x80\r\n.\r\n") },
    { S("A: b\r\n"), 6, S("A: b\r\n.\r\n") },     /* its size leaves the empty line out */
    { S("A: b\r\n"), 8, S("A: b\r\n\r\n.\r\n") }, /* its size has it */
    { S("A: b"), 8, S("A: b\r\n\r\n.\r\n") },
    { S("A: b"), 6, S("A: b\r\n.\r\n") },
    { S("\r\nx\r\n"), 5, S("\r\nx\r\n.\r\n") },
    { S(""), 0, S(".\r\n") },
    { S(""), 2, S("\r\n.\r\n") },
  };
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    for (size_t step = 1; step <= cases[i].message.n + 1; step++) {
      enum pop3_stuff r;
      struct buf out = stuffed(cases[i].message, cases[i].announced, step, false, 0, &r);
      assert_int_equal(r, POP3_STUFF_DONE);
      assert_slice(buf_slice(&out), (const char *)cases[i].sent.p, cases[i].sent.n);
      buf_free(&out);
    }
  }
}

static void a_wrong_size_is_never_made_right(void **state) {
  const struct out_case cases[] = {
    { S("A: b\r\n\r\nx\r\n"), 10, S("") },
    { S("A: b\r\n\r\nx\r\n"), 12, S("") },
    { S("A: b\r\n\r\nx"), 9, S("") },
    { S("A: b\r\n\r\nx"), 13, S("") },
    { S("A: b"), 4, S("") },
    { S("A: b\r\n"), 10, S("") },
    { S(""), 1, S("") },
    { S(""), 4, S("") },
    { S("x"), UINT64_MAX, S("") },
  };
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    for (size_t step = 1; step <= cases[i].message.n + 1; step++) {
      enum pop3_stuff r;
      struct buf out = stuffed(cases[i].message, cases[i].announced, step, false, 0, &r);
      assert_int_equal(r, POP3_STUFF_WRONG);
      assert_true(slice_search(buf_slice(&out), S(".\r\n")) < 0);
      buf_free(&out);
    }
  }
}

/* RFC 1939 §7, TOP. */
static void top_is_cut_after_its_lines(void **state) {
  const struct slice message = S("A: b\r\n c\r\n\r\none\r\n.two\r\n\r\nfour\r\n");
  const struct {
    uint64_t lines;
    struct slice sent;
  } cases[] = {
    { 0, S("A: b\r\n c\r\n\r\n.\r\n") },
    { 1, S("A: b\r\n c\r\n\r\none\r\n.\r\n") },
    { 2, S("A: b\r\n c\r\n\r\none\r\n..two\r\n.\r\n") },
    { 3, S("A: b\r\n c\r\n\r\none\r\n..two\r\n\r\n.\r\n") },
    { 4, S("A: b\r\n c\r\n\r\none\r\n..two\r\n\r\nfour\r\n.\r\n") },
    { UINT64_MAX, S("A: b\r\n c\r\n\r\none\r\n..two\r\n\r\nfour\r\n.\r\n") },
  };
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    for (size_t step = 1; step <= message.n + 1; step++) {
      enum pop3_stuff r;
      struct buf out = stuffed(message, message.n, step, true, cases[i].lines, &r);
      assert_int_equal(r, POP3_STUFF_DONE);
      assert_slice(buf_slice(&out), (const char *)cases[i].sent.p, cases[i].sent.n);
      buf_free(&out);
    }
  }
  enum pop3_stuff r;
  struct buf out = stuffed(S("A: b\r\n"), 6, 9, true, 0, &r); /* TOP promises the empty line */
  assert_int_equal(r, POP3_STUFF_DONE);
  assert_slice(buf_slice(&out), "A: b\r\n\r\n.\r\n", 11);
  buf_free(&out);
}

static uint32_t next_random(uint32_t *seed) {
  return *seed = *seed * 1664525u + 1013904223u, *seed >> 8;
}

/* What the measure announces is what is sent, and what is sent comes back as it was. */
static void sizes_are_exact_and_messages_come_back(void **state) {
  static const char alphabet[] = { '.', '\r', '\n', 'a', ':', 0, '.', '\n', '\r', '\r' };
  uint32_t seed = 1;
  for (int round = 0; round < 20000; round++) {
    uint8_t text[64];
    size_t n = next_random(&seed) % sizeof text, step = 1 + next_random(&seed) % 9;
    for (size_t i = 0; i < n; i++)
      text[i] = (uint8_t)alphabet[next_random(&seed) % sizeof alphabet];
    if (round % 3 == 0)
      for (size_t i = 0; i + 1 < n; i++)
        if (text[i] == '\r') text[++i] = '\n';
    struct mail_measure m;
    mail_measure_open(&m);
    for (size_t at = 0; at < n; at += step)
      mail_measure_put(&m, slice_first(slice_of(text + at, n - at), step));
    enum pop3_stuff r;
    struct buf out = stuffed(slice_of(text, n), mail_measure_end(&m), 1 + next_random(&seed) % 9,
                             false, 0, &r),
               back;
    assert_int_equal(r, POP3_STUFF_DONE);
    buf_init(&back, 4096);
    struct pop3_unstuffer u;
    pop3_unstuff_open(&u, UINT64_MAX);
    struct slice in = buf_slice(&out);
    enum pop3_unstuff end = POP3_UNSTUFF_MORE;
    while (in.n > 0 && end == POP3_UNSTUFF_MORE) {
      struct slice piece = slice_first(in, step);
      size_t before = piece.n;
      end = pop3_unstuff_put(&u, &piece, &back);
      in = slice_from(in, before - piece.n);
    }
    assert_int_equal(end, POP3_UNSTUFF_END);
    assert_int_equal(in.n, 0);
    assert_int_equal(buf_len(&back), mail_measure_end(&m));
    for (size_t i = 0; i < n; i++)
      assert_int_equal(slice_at(buf_slice(&back), i), text[i] ? text[i] : 0x80);
    buf_free(&out);
    buf_free(&back);
  }
}

/* --- messages in --- */

static void responses_are_bounded(void **state) {
  struct pop3_unstuffer u;
  struct buf out;
  buf_init(&out, 4096);
  struct slice in = S("..a\r\n.b\r\n.\r\n+OK next\r\n");
  pop3_unstuff_open(&u, 7);
  assert_int_equal(pop3_unstuff_put(&u, &in, &out), POP3_UNSTUFF_END);
  assert_slice(buf_slice(&out), ".a\r\nb\r\n", 7);
  assert_slice(in, "+OK next\r\n", 10);
  buf_reset(&out);
  in = S("..a\r\n.b\r\n.\r\n");
  pop3_unstuff_open(&u, 6);
  assert_int_equal(pop3_unstuff_put(&u, &in, &out), POP3_UNSTUFF_TOO_BIG);
  buf_reset(&out);
  in = S("a\n.\r\nb\r\n.\n\r\n.\r\r\n.\r\n"); /* only CRLF.CRLF ends it */
  pop3_unstuff_open(&u, 100);
  assert_int_equal(pop3_unstuff_put(&u, &in, &out), POP3_UNSTUFF_END);
  assert_slice(buf_slice(&out), "a\n.\r\nb\r\n\n\r\n\r\r\n", 14);
  buf_free(&out);
}

int main(void) {
  const struct CMUnitTest tests[] = {
    cmocka_unit_test(only_crlf_ends_a_line),
    cmocka_unit_test(an_lf_alone_is_answered),
    cmocka_unit_test(a_command_has_255_octets),
    cmocka_unit_test(an_endless_line_is_given_up),
    cmocka_unit_test(auth_lines_may_be_long),
    cmocka_unit_test(login_lines_hold_every_name),
    cmocka_unit_test(arguments_follow_their_kind),
    cmocka_unit_test(arguments_have_their_values),
    cmocka_unit_test(replies_are_read),
    cmocka_unit_test(greetings_listings_and_ids_are_read),
    cmocka_unit_test(messages_leave_stuffed),
    cmocka_unit_test(a_wrong_size_is_never_made_right),
    cmocka_unit_test(top_is_cut_after_its_lines),
    cmocka_unit_test(sizes_are_exact_and_messages_come_back),
    cmocka_unit_test(responses_are_bounded),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
