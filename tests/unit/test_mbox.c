/* SPDX-License-Identifier: ISC */
/* mbox files (mboxrd): cut apart, quoted, unquoted, and both ways through wire form. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>

#include "src/cli/mailbox/mbox.h"
#include "src/cli/mailbox/mbox_from.h"

static void to_wire(struct slice raw, enum mbox_quoting quoting, size_t step, struct buf *out) {
  struct to_wire w = to_wire_open(quoting);
  for (; raw.n; raw = slice_from(raw, step)) to_wire_put(&w, slice_first(raw, step), out);
  to_wire_end(&w, out);
}

/* In pieces of every size, the result is the same. */
static void from_wire_is(const char *wire, bool quote, const char *wanted) {
  for (size_t step = 1; step < strlen(wire) + 2; step++) {
    struct buf out;
    buf_init(&out, 4096);
    struct from_wire w = from_wire_open(quote);
    for (struct slice s = slice_str(wire); s.n; s = slice_from(s, step))
      from_wire_put(&w, slice_first(s, step), &out);
    from_wire_end(&w, &out);
    assert_string_equal(buf_cstr(&out), wanted);
    buf_free(&out);
  }
}

static void to_wire_is(const char *raw, enum mbox_quoting quoting, const char *wanted) {
  for (size_t step = 1; step < strlen(raw) + 2; step++) {
    struct buf out;
    buf_init(&out, 4096);
    to_wire(slice_str(raw), quoting, step, &out);
    assert_string_equal(buf_len(&out) ? buf_cstr(&out) : "", wanted);
    buf_free(&out);
  }
}

/* --- cutting --- */

static ssize_t read_text(void *arg, uint64_t at, void *to, size_t n) {
  struct slice s = slice_first(slice_from(*(struct slice *)arg, (size_t)at), n);
  if (s.n) memcpy(to, s.p, s.n);
  return (ssize_t)s.n;
}

struct cut {
  const char *raw;
  int64_t date;
};

/* The file is cut into these messages, and nothing is left of it. */
static void cuts(struct slice box, enum mbox_form form, enum mbox_quoting quoting,
                 const struct cut *wanted, size_t count) {
  static struct mbox_scan s;
  struct mbox_message m;
  mbox_scan_open(&s, (struct octets_in){ read_text, &box, box.n }, form);
  for (size_t i = 0; i < count; i++) {
    if (!mbox_scan_next(&s, &m)) fail_msg("%zu of %zu in %.*s", i, count, SLICE_ARG(box));
    struct slice raw = slice_first(slice_from(box, (size_t)m.at), (size_t)m.size);
    if (!slice_eq(raw, slice_str(wanted[i].raw)))
      fail_msg("%zu: [%.*s] not [%s]", i, SLICE_ARG(raw), wanted[i].raw);
    assert_int_equal(m.date, wanted[i].date);
    assert_int_equal(m.quoting, quoting);
  }
  assert_false(mbox_scan_next(&s, &m));
  assert_int_equal(s.at, box.n);
  assert_int_equal(s.error, 0);
}
#define CUTS(box, form, quoting, ...)                                      \
  cuts(slice_str(box), form, quoting, (const struct cut[]){ __VA_ARGS__ }, \
       sizeof((const struct cut[]){ __VA_ARGS__ }) / sizeof(struct cut))

static const char dated[] = "From a@example.org Thu Nov 26 20:07:09 2026\n";
enum { DATE = 1795723629 };

static void cuts_messages(void **state) {
  CUTS("From a@example.org Thu Nov 26 20:07:09 2026\n"
       "Subject: one\n\nhello\n>From me\nFrom here on, no blank line before\n\n"
       "From MAILER-DAEMON Thu Nov 26 20:07:09 2026\n\nbody\n\n\n"
       "From x Sat Jan  2 03:04:05 1971\n\n"
       "From y Sat Jan  2 03:04:05 1971\nlast: line",
       MBOX_GUESS, MBOX_QUOTES_ALL,
       { "Subject: one\n\nhello\n>From me\nFrom here on, no blank line before\n", DATE },
       { "\nbody\n\n", DATE }, { "", 31633445 }, { "last: line", 31633445 });
}

/* Text is text; a line with a date begins a message without an empty line too, when a header
 * follows. */
static void text_that_looks_alike(void **state) {
  static const char text[] =
      "S: x\n\nHello,\n\nFrom now on all is well.\n\nFrom Thu Nov 26 on: x\nFrom: y\n";
  char box[2048];
  snprintf(box, sizeof box, "%s%s\n%sS: z\n\nb\n", dated, text, dated);
  CUTS(box, MBOX_GUESS, MBOX_QUOTES_ALL, { text, DATE }, { "S: z\n\nb\n", DATE });
  snprintf(box, sizeof box, "%sS: x\n\nno end%c%sS: y\n\n%syes, quoted\n\n", dated, '\n', dated,
           dated);
  char second[256];
  /* its body begins with a dated line behind the empty one */
  snprintf(second, sizeof second, "S: y\n");
  CUTS(box, MBOX_GUESS, MBOX_QUOTES_ALL, { "S: x\n\nno end\n", DATE }, { second, DATE },
       { "yes, quoted\n", DATE });
  snprintf(box, sizeof box, "%sS: x\n\nlog:\n%sno header\n", dated, dated);
  snprintf(second, sizeof second, "S: x\n\nlog:\n%sno header\n", dated);
  CUTS(box, MBOX_GUESS, MBOX_QUOTES_ALL, { second, DATE });
  /* Mozilla's */
  CUTS("From - Thu Nov 26 20:07:09 2026\nS: x\n\nb\n\nFrom \nS: y\n\nFrom \nflowed text\n",
       MBOX_GUESS, MBOX_QUOTES_ALL, { "S: x\n\nb\n", DATE }, { "S: y\n\nFrom \nflowed text\n", 0 });
  /* UUCP's (RFC 976) */
  CUTS("From uucp Thu Nov 26 20:07:09 2026\n>From a Thu Nov 26 20:07 2026 remote from b\nS: "
       "x\n\nb\n",
       MBOX_GUESS, MBOX_QUOTES_ALL, { "S: x\n\nb\n", DATE });
}

static void line_ends_of_others(void **state) {
  CUTS("\xef\xbb\xbf"
       "From a Thu Nov 26 20:07:09 2026\nS: x\n\nb\n",
       MBOX_GUESS, MBOX_QUOTES_ALL, { "S: x\n\nb\n", DATE });
  CUTS("\r\nFrom a Thu Nov 26 20:07:09 2026\r\nS: x\r\n\r\nb\r\n\r\nFrom a Thu Nov 26 20:07:09 "
       "2026\r\nS: y\r\n\r\nc\r\n",
       MBOX_GUESS, MBOX_QUOTES_ALL, { "S: x\r\n\r\nb\r\n", DATE }, { "S: y\r\n\r\nc\r\n", DATE });
  CUTS("From a Thu Nov 26 20:07:09 2026\rS: x\r\rb\r\rFrom a Thu Nov 26 20:07:09 2026\rS: y\r\rc\r",
       MBOX_GUESS, MBOX_QUOTES_ALL, { "S: x\r\rb\r", DATE }, { "S: y\r\rc\r", DATE });
  /* a CR inside a line of others is no line's end */
  CUTS("From a Thu Nov 26 20:07:09 2026\nS: x\n\nb\r\rFrom a Thu Nov 26 20:07:09 2026\rS: y\n",
       MBOX_GUESS, MBOX_QUOTES_ALL,
       { "S: x\n\nb\r\rFrom a Thu Nov 26 20:07:09 2026\rS: y\n", DATE });
}

/* Content-Length: right in every message, in all but one, and wrong. */
static void lengths(void **state) {
  static const char inner[] = "Hi\n\nFrom a Thu Nov 26 20:07:09 2026\nS: inner\n\nFrom me\n";
  char box[4096], first[512], second[] = "S: y\nContent-Length: 2\n\nb\n";
  snprintf(first, sizeof first, "S: x\nContent-Length: %zu\n\n%s", strlen(inner), inner);
  snprintf(box, sizeof box, "%s%s\n%s%s\n", dated, first, dated, second);
  CUTS(box, MBOX_GUESS, MBOX_QUOTES_NONE, { first, DATE }, { second, DATE });
  CUTS(box, MBOX_CL2, MBOX_QUOTES_NONE, { first, DATE }, { second, DATE });
  CUTS(box, MBOX_CL, MBOX_QUOTES_FROM, { first, DATE }, { second, DATE });
  char head[600];
  snprintf(head, sizeof head, "S: x\nContent-Length: %zu\n\nHi\n", strlen(inner));
  CUTS(box, MBOX_RD, MBOX_QUOTES_ALL, { head, DATE }, { "S: inner\n\nFrom me\n", DATE },
       { second, DATE });
  /* a stranger's field leads nobody past the messages behind it */
  snprintf(box, sizeof box, "%s%s\n%sS: z\n\nb\n", dated, first, dated);
  CUTS(box, MBOX_GUESS, MBOX_QUOTES_ALL, { head, DATE }, { "S: inner\n\nFrom me\n", DATE },
       { "S: z\n\nb\n", DATE });
  snprintf(box, sizeof box,
           "%sContent-Length: 9\n\nb\n\n%sContent-Length: 18446744073709551615\n\nb\n", dated,
           dated);
  CUTS(box, MBOX_CL, MBOX_QUOTES_FROM, { "Content-Length: 9\n\nb\n", DATE },
       { "Content-Length: 18446744073709551615\n\nb\n", DATE });
}

static void fields(void **state) {
  static const struct {
    const char *line;
    uint32_t flags;
  } rows[] = {
    { "Status: RO", 1 },
    { "Status: O", 0 },
    { "X-Status: AF", 2 | 4 },
    { "x-status: DT", 8 | 16 },
    { "X-Mozilla-Status: 0001", 1 },
    { "X-Mozilla-Status: 000f", 15 & ~0 },
    { "X-Mozilla-Status: zz", 0 },
    { "Statuses: R", 0 },
  };
  for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
    struct mbox_fields f = { .flags = 0 };
    mbox_fields_put(&f, slice_str(rows[i].line));
    if (f.flags != rows[i].flags) fail_msg("%s: %u", rows[i].line, f.flags);
  }
  struct mbox_fields f = { .flags = 0 };
  mbox_fields_put(&f, SLICE("X-UIDL: abc#1 "));
  assert_string_equal(f.uidl, "abc#1");
  mbox_fields_put(&f, SLICE("Subject: DON'T DELETE THIS MESSAGE -- FOLDER INTERNAL DATA"));
  assert_true(f.has_subject && !f.has_state);
  mbox_fields_put(&f, SLICE("X-IMAP: 1 2"));
  assert_true(f.has_state);
}

static void from_lines(void **state) {
  static const struct {
    const char *line;
    int64_t date; /* -1: none */
  } rows[] = {
    { "From a@example.org Thu Nov 26 20:07:09 2026", DATE },
    { "From a@example.org  Thu Nov 26 20:07:09 2026", DATE },
    { "From ???@??? Thu Nov 26 20:07:09 2026", DATE },
    { "From a at example.org  Thu Nov 26 20:07:09 2026", DATE },
    { "From \"a b\"@example.org Thu Nov 26 20:07:09 2026", DATE },
    { "From Thu Nov 26 20:07:09 2026", DATE },
    { "From a Thu Nov 26 20:07 2026", DATE - 9 },
    { "From a Thu Nov 26 20:07:09 PST 2026", DATE + 8 * 3600 },
    { "From a Thu Nov 26 20:07 PST 2026", DATE - 9 + 8 * 3600 },
    { "From a Thu Nov 26 20:07:09 MET DST 2026", DATE - 2 * 3600 },
    { "From a Thu Nov 26 20:07:09 +0000 2026", DATE },
    { "From a Thu Nov 26 20:07:09 -0700 2026", DATE + 7 * 3600 },
    { "From a Thu Nov 26 20:07:09 +01:00 2026", DATE - 3600 },
    { "From a Thu Nov 26 20:07:09 GMT+01:00 2026", DATE - 3600 },
    { "From a Thu Nov 26 20:07:09 2026 +0100", DATE - 3600 },
    { "From a Thu Nov 26 20:07 2026 -0700", DATE - 9 + 7 * 3600 },
    { "From a Thu Nov 26 20:07:09 2026 PST", DATE + 8 * 3600 },
    { "From a Thu Nov 26 20:07 2026 PST remote from b", DATE - 9 + 8 * 3600 },
    { "From a Thu Nov 26 20:07:09 2026 remote from b", DATE },
    { "From a thu nov 26 20:07:09 26", DATE },
    { "From a Thu, 26 Nov 2026 20:07:09 +0100", DATE - 3600 },
    { "From a 26 Nov 2026 20:07 GMT", DATE - 9 },
    { "From a 2026-11-26 20:07:09", DATE },
    { "From a 2026-11-26T20:07:09Z", DATE },
    { "From a 2026-11-26 20:07:09.123 +0100", DATE - 3600 },
    { "From a 2026-11-26T20:07:09+01:00", DATE - 3600 },
    { "From a Sat Jan  2 03:04:05 1926", 0 },
    { "From now on all is well.", -1 },
    { "From a", -1 },
    { "From ", -1 },
    { "From", -1 },
    { ">From a Thu Nov 26 20:07:09 2026", -1 },
    { "From a Thu Nov 26 25:07:09 2026", -1 },
    { "From a Thu Nov 32 20:07:09 2026", -1 },
    { "From a Thu Nov 26 20:07:61 2026", -1 },
    { "From a Thu Nov 26 20:07:09", -1 },
    { "From a Thu Nov 26 20:07:09 2026 we met", -1 },
    { "From Thu Nov 26 on", -1 },
    { "From a 2026-13-26 20:07:09", -1 },
    { "From a 2026-11-26", -1 },
  };
  for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
    int64_t date = -1;
    bool good = mbox_from_parse(slice_str(rows[i].line), &date);
    if (good != (rows[i].date >= 0) || (good && date != rows[i].date))
      fail_msg("%s: %lld", rows[i].line, (long long)date);
  }
  assert_true(mbox_from_is_bare(SLICE("From ")) && mbox_from_is_bare(SLICE("From -")));
  assert_false(mbox_from_is_bare(SLICE("From x")) || mbox_from_is_bare(SLICE("From")));
}

static ssize_t read_half(void *arg, uint64_t at, void *to, size_t n) {
  return read_text(arg, at, to, at < 30 ? n < 30 ? n : 30 : 0);
}

static void not_an_mbox(void **state) {
  static struct mbox_scan s;
  struct mbox_message m;
  struct slice text = SLICE("Subject: no\n\nFrom a b\n");
  mbox_scan_open(&s, (struct octets_in){ read_text, &text, text.n }, MBOX_GUESS);
  assert_false(mbox_scan_next(&s, &m));
  assert_true(s.at < text.n);
  cuts(SLICE(""), MBOX_GUESS, MBOX_QUOTES_ALL, NULL, 0);
  cuts(SLICE("\n\r\n\n"), MBOX_GUESS, MBOX_QUOTES_ALL, NULL, 0);
  /* somebody makes it shorter while it is read */
  text = slice_str(
      "From a Thu Nov 26 20:07:09 2026\nS: x\n\nb\n\nFrom a Thu Nov 26 20:07:09 2026\nS: x\n\nb\n");
  mbox_scan_open(&s, (struct octets_in){ read_half, &text, text.n }, MBOX_GUESS);
  assert_false(mbox_scan_next(&s, &m));
  assert_true(s.error != 0);
}

/* Lines and messages around the window's end. */
static void long_ones(void **state) {
  for (size_t n = MBOX_WINDOW - 120; n < MBOX_WINDOW + 20; n++) {
    struct buf box;
    buf_init(&box, 1 << 20);
    buf_put_str(&box, dated);
    buf_put_str(&box, "S: x\n\n");
    for (size_t i = 0; i < n; i++) buf_put_u8(&box, 'x');
    size_t first = buf_len(&box) - strlen(dated) + 1;
    buf_put_str(&box, "\n\n");
    buf_put_str(&box, dated);
    buf_put_str(&box, "S: y\n\nb\n");
    static struct mbox_scan s;
    struct mbox_message m;
    struct slice all = buf_slice(&box);
    mbox_scan_open(&s, (struct octets_in){ read_text, &all, all.n }, MBOX_GUESS);
    assert_true(mbox_scan_next(&s, &m));
    assert_int_equal(m.size, first);
    assert_true(mbox_scan_next(&s, &m));
    assert_int_equal(m.size, 8);
    assert_false(mbox_scan_next(&s, &m));
    buf_free(&box);
  }
}

static void into_wire_form(void **state) {
  enum mbox_quoting all = MBOX_QUOTES_ALL, from = MBOX_QUOTES_FROM, none = MBOX_QUOTES_NONE;
  to_wire_is("a\nb\r\nc\rd\n\n", none, "a\r\nb\r\nc\r\nd\r\n\r\n");
  to_wire_is("no end", none, "no end\r\n");
  to_wire_is("a\r", none, "a\r\n");
  to_wire_is("", none, "");
  to_wire_is("\r\r\n", none, "\r\n\r\n");
  to_wire_is(">From a\n>>From b\nFrom c\n>Fro\n> From\n>F\r>", all,
             "From a\r\n>From b\r\nFrom c\r\n>Fro\r\n> From\r\n>F\r\n>\r\n");
  to_wire_is(">From a\n>>From b\n", from, "From a\r\n>>From b\r\n");
  to_wire_is(">From a\n", none, ">From a\r\n");
  to_wire_is(">>>\n>>>From", all, ">>>\r\n>>>From\r\n");
}

/* However many ">"s: bounded, and the same octets. */
static void many_quotes(void **state) {
  enum { MANY = 5000 };
  struct buf raw, out;
  buf_init(&raw, 3 * MANY), buf_init(&out, 3 * MANY);
  for (int i = 0; i < MANY; i++) buf_put_u8(&raw, '>');
  buf_put_str(&raw, "From x\n");
  to_wire(buf_slice(&raw), MBOX_QUOTES_ALL, 7, &out);
  assert_int_equal(buf_len(&out), MANY + 8);
  buf_free(&raw), buf_free(&out);
}

static void out_of_wire_form(void **state) {
  from_wire_is("a\r\nb\r\n", false, "a\nb\n");
  from_wire_is("From a\r\n>From b\r\n>>From c\r\nFrom\r\nFro", true,
               ">From a\n>>From b\n>>>From c\nFrom\nFro");
  from_wire_is("From a\r\n", false, "From a\n");
  from_wire_is("x From a\r\n From b\r\n>>x\r\n", true, "x From a\n From b\n>>x\n");
  from_wire_is("a\rb\r\r\n", true, "a\rb\r\n");
}

static void there_and_back(void **state) {
  static const char wire[] =
      "Return-Path: <a@example.org>\r\nSubject: x\r\n\r\nFrom me\r\n>From you\r\n\r\n\r\n";
  struct buf file, back;
  buf_init(&file, 4096), buf_init(&back, 4096);
  for (int i = 0; i < 3; i++) {
    struct from_wire w = from_wire_open(true);
    mbox_put_from(&file, slice_str(wire), 1795723629);
    from_wire_put(&w, slice_str(wire), &file);
    from_wire_end(&w, &file);
    buf_put_u8(&file, '\n');
  }
  assert_true(slice_starts(buf_slice(&file),
                           SLICE("From a@example.org Thu Nov 26 20:07:09 2026\nReturn-Path")));
  struct slice all = buf_slice(&file);
  static struct mbox_scan scan;
  struct mbox_message m;
  int n = 0;
  mbox_scan_open(&scan, (struct octets_in){ read_text, &all, all.n }, MBOX_GUESS);
  for (; mbox_scan_next(&scan, &m); n++) {
    buf_reset(&back);
    to_wire(slice_first(slice_from(all, (size_t)m.at), (size_t)m.size), m.quoting, 5, &back);
    assert_string_equal(buf_cstr(&back), wire);
    assert_int_equal(m.date, 1795723629);
  }
  assert_int_equal(n, 3);
  buf_free(&file), buf_free(&back);
}

static void senders(void **state) {
  static const struct {
    const char *message, *from;
  } rows[] = {
    { "", "From MAILER-DAEMON Thu Jan  1 00:00:00 1970\n" },
    { "Return-Path: <>\r\n", "From MAILER-DAEMON Thu Jan  1 00:00:00 1970\n" },
    { "Return-Path: <a b@c>\r\n", "From MAILER-DAEMON Thu Jan  1 00:00:00 1970\n" },
    { "Return-Path: <a\nFrom b>\r\n", "From MAILER-DAEMON Thu Jan  1 00:00:00 1970\n" },
    { "return-path: <a@b>\r\n", "From a@b Thu Jan  1 00:00:00 1970\n" },
  };
  for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
    struct buf out;
    buf_init(&out, 4096);
    mbox_put_from(&out, slice_str(rows[i].message), 0);
    assert_string_equal(buf_cstr(&out), rows[i].from);
    buf_free(&out);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
    cmocka_unit_test(cuts_messages),
    cmocka_unit_test(text_that_looks_alike),
    cmocka_unit_test(line_ends_of_others),
    cmocka_unit_test(lengths),
    cmocka_unit_test(fields),
    cmocka_unit_test(from_lines),
    cmocka_unit_test(not_an_mbox),
    cmocka_unit_test(long_ones),
    cmocka_unit_test(into_wire_form),
    cmocka_unit_test(many_quotes),
    cmocka_unit_test(out_of_wire_form),
    cmocka_unit_test(there_and_back),
    cmocka_unit_test(senders),
  };
  return cmocka_run_group_tests_name("mbox", tests, NULL, NULL);
}
