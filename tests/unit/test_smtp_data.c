/* SPDX-License-Identifier: ISC */
/* mail/smtp: lines, the end of a message in every spelling (SM-*), stuffing, commands, replies. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#include "mail/header.h"
#include "mail/smtp/command.h"
#include "mail/smtp/data.h"
#include "mail/smtp/line.h"
#include "mail/smtp/reply.h"
#include "tests/unit/spellings.h"

/* --- the end of a message --- */

/* Ten lines that find the end another way: the index behind it, or 0. */
static size_t reference_end(struct slice in) {
  if (slice_starts(in, SLICE(".\r\n"))) return 3;
  ptrdiff_t at = slice_search(in, SLICE("\r\n.\r\n"));
  return at < 0 ? 0 : (size_t)at + 5;
}

struct taken {
  bool end;
  size_t n; /* octets taken */
  struct smtp_data d;
  struct buf out;
};

/* Feeds `in` in pieces of at most `step` octets. */
static struct taken take(struct slice in, size_t step, size_t room) {
  struct taken t = { .end = false };
  buf_init(&t.out, room);
  smtp_data_start(&t.d);
  for (struct slice rest = in; rest.n && !t.end;) {
    struct slice piece = slice_first(rest, step);
    size_t before = piece.n;
    t.end = smtp_data_take(&t.d, &piece, &t.out);
    assert_false(t.out.failed);
    if (piece.n == before) break;
    t.n += before - piece.n;
    rest = slice_from(rest, before - piece.n);
  }
  return t;
}

/* True: CR and LF occur only as CRLF, and there is no NUL. It does not use the method of
 * mail/clean.h. */
static bool is_behind_the_door(struct slice s) {
  for (size_t i = 0; i < s.n; i++) {
    if (s.p[i] == 0) return false;
    if (s.p[i] == '\n' && (i == 0 || s.p[i - 1] != '\r')) return false;
    if (s.p[i] == '\r' && slice_at(s, i + 1) != '\n') return false;
  }
  return true;
}

static void spelled_ends(void **state) {
  for (size_t i = 0; i < sizeof spellings / sizeof *spellings; i++) {
    struct buf b;
    buf_init(&b, 1000);
    buf_put_str(&b, "h: v\r\n\r\nx");
    buf_put(&b, spellings[i]);
    buf_put_str(&b, "MAIL FROM:<s@evil>\r\n\r\ny\r\n.\r\nQUIT\r\n");
    size_t want = buf_len(&b) - 6;
    assert_int_equal(reference_end(buf_slice(&b)), want);
    for (size_t step = 1; step <= buf_len(&b); step++) {
      struct taken t = take(buf_slice(&b), step, 1000);
      assert_true(t.end);
      if (t.n != want) fail_msg("SM %zu cut at %zu ends at %zu, not %zu", i, step, t.n, want);
      assert_true(is_behind_the_door(buf_slice(&t.out)));
      buf_free(&t.out);
    }
    buf_free(&b);
  }
}

/* crs, lfs, nuls; what is put out. */
static void notes_what_is_bare(void **state) {
  static const struct {
    struct slice in;
    unsigned crs, lfs, nuls;
    struct slice out;
  } t[] = {
    { S("a\r\n.\r\n"), 0, 0, 0, S("a\r\n") },
    { S(".\r\n"), 0, 0, 0, S("") },
    { S("a\r\n..b\r\n.\r\n"), 0, 0, 0, S("a\r\n.b\r\n") },
    { S(".b\r\n.\r\n"), 0, 0, 0, S("b\r\n") },
    { S("..\r\n.\r\n"), 0, 0, 0, S(".\r\n") },
    { S("a.\r\n.\r\n"), 0, 0, 0, S("a.\r\n") },
    { S("a\nb\r\n.\r\n"), 0, 1, 0, S("a\r\nb\r\n") },
    { S("a\rb\r\n.\r\n"), 1, 0, 0, S("a\r\nb\r\n") },
    /* Ends that were made twice are one. */
    { S("a\r\r\n.\r\n"), 1, 0, 0, S("a\r\n") },
    { S("h: v\r\r\n\r\r\nb\r\r\n.\r\n"), 3, 0, 0, S("h: v\r\n\r\nb\r\n") },
    { S("a\r\r\r\n.\r\n"), 2, 0, 0, S("a\r\n") },
    /* the fifth and sixth, at once */
    { S("a\r\r\r\r\r\r\n.\r\n"), 5, 0, 0, S("a\r\n\r\n\r\n") },
    { S("a\r\rb\r\n.\r\n"), 2, 0, 0, S("a\r\n\r\nb\r\n") },
    /* A client that ends lines with LF stuffs a dot after LF. */
    /* clang-format off */
    { S("a\n.\r\n.\r\n"), 0, 1, 0, S("a\r\n.\r\n") },
    { S("a\n..\nb\r\n.\r\n"), 0, 2, 0, S("a\r\n.\r\nb\r\n") },
    { S("a\n..b\n...c\r\n.\r\n"), 0, 2, 0, S("a\r\n.b\r\n..c\r\n") },
    { S("a\n.b\r\n.\r\n"), 0, 1, 0, S("a\r\n.b\r\n") },
    { S("a\r..b\r\n.\r\n"), 1, 0, 0, S("a\r\n.b\r\n") },
    { S("a\n..\r\n.\r\n"), 0, 1, 0, S("a\r\n.\r\n") },
    { S("a\r\n.\rb\r\n.\r\n"), 1, 0, 0, S("a\r\n\r\nb\r\n") },
    { S("a\r\n.\r.b\r\n.\r\n"), 1, 0, 0, S("a\r\n\r\n.b\r\n") },
    { S("a\r\n.\nb\r\n.\r\n"), 0, 1, 0, S("a\r\n\r\nb\r\n") },
    { S("a\0b\r\n.\r\n"), 0, 0, 1, S("a\x80" "b\r\n") },
    { S("\0\0\r\n\0\r\n.\r\n"), 0, 0, 3, S("\x80\x80\r\n\x80\r\n") },
    { S("a\r\n.\r\nx\0y"), 0, 0, 0, S("a\r\n") },
    /* clang-format on */
  };
  for (size_t i = 0; i < sizeof t / sizeof *t; i++) {
    for (size_t step = 1; step <= t[i].in.n; step++) {
      struct taken one = take(t[i].in, step, 1000);
      const struct mail_clean *c = &one.d.clean;
      assert_true(one.end);
      if (!slice_eq(buf_slice(&one.out), t[i].out)) fail_msg("%zu/%zu: wrong octets", i, step);
      if (c->changed.crs != t[i].crs || c->changed.lfs != t[i].lfs || c->changed.nuls != t[i].nuls)
        fail_msg("%zu/%zu: %d CRs, %d LFs, %d NULs", i, step, (int)c->changed.crs,
                 (int)c->changed.lfs, (int)c->changed.nuls);
      assert_int_equal(smtp_data_bare(&one.d), t[i].crs || t[i].lfs);
      assert_int_equal(c->octets, t[i].out.n);
      buf_free(&one.out);
    }
  }
}

/* The line-end normalizer alone, as the other sources of mail use it: every short text of CR, LF,
 * dot and NUL, at each cut, and also only counted. */
static void the_door(void **state) {
  static const uint8_t octets[] = { '\r', '\n', '.', 0 };
  for (size_t n = 1; n <= 7; n++) {
    for (size_t code = 0; code < (size_t)1 << (2 * n); code++) {
      uint8_t text[8], room[64];
      for (size_t i = 0; i < n; i++) text[i] = octets[code >> (2 * i) & 3];
      struct slice in = slice_of(text, n);
      size_t whole = 0;
      uint64_t size;
      bool clean = mail_is_clean(in, &size);
      if (clean != is_behind_the_door(in)) fail_msg("text %zu of length %zu is clean?", code, n);
      for (size_t cut = 0; cut <= n; cut++) {
        struct mail_clean c = { .octets = 0 };
        struct buf out;
        buf_init(&out, 64);
        mail_clean_put(&c, slice_first(in, cut), &out);
        mail_clean_put(&c, slice_from(in, cut), &out);
        mail_clean_end(&c, &out);
        struct slice s = buf_slice(&out);
        assert_false(out.failed);
        assert_int_equal(s.n, size);
        assert_int_equal(c.octets, size);
        if (!is_behind_the_door(s))
          fail_msg("text %zu of length %zu cut at %zu gets through", code, n, cut);
        if (clean) assert_true(slice_eq(s, in));
        if (cut == 0) memcpy(room, s.p ? s.p : text, whole = s.n);
        assert_true(slice_eq(s, slice_of(room, whole)));
        buf_free(&out);
      }
    }
  }
}

/* Every spelling through the normalizer alone, at every two cuts. */
static void spelled_ends_by_the_door(void **state) {
  for (size_t i = 0; i < sizeof spellings / sizeof *spellings; i++) {
    struct buf b, first;
    buf_init(&b, 200), buf_init(&first, 400);
    buf_put_str(&b, "h: v\r\n\r\nx");
    buf_put(&b, spellings[i]);
    buf_put_str(&b, "+OK 0 0\nrest\r");
    struct slice in = buf_slice(&b);
    for (size_t cut = 0; cut <= in.n; cut++) {
      for (size_t second = cut; second <= in.n; second++) {
        struct mail_clean c = { .octets = 0 };
        struct buf out;
        buf_init(&out, 400);
        mail_clean_put(&c, slice_first(in, cut), &out);
        mail_clean_put(&c, slice_first(slice_from(in, cut), second - cut), &out);
        mail_clean_put(&c, slice_from(in, second), &out);
        mail_clean_end(&c, &out);
        assert_true(is_behind_the_door(buf_slice(&out)));
        if (!buf_len(&first)) buf_put(&first, buf_slice(&out));
        assert_true(slice_eq(buf_slice(&out), buf_slice(&first)));
        buf_free(&out);
      }
    }
    buf_free(&b), buf_free(&first);
  }
}

static void changes_in_words(void **state) {
  static const struct {
    struct mail_changes c;
    const char *words;
  } t[] = {
    { { 1, 0, 0 }, "1 bare CR" },
    { { 0, 2, 0 }, "2 bare LFs" },
    { { 1, 2, 0 }, "2 bare LFs and 1 bare CR" },
    { { 2, 1, 3 }, "1 bare LF, 2 bare CRs and 3 NULs" },
    { { 0, 1, 1 }, "1 bare LF and 1 NUL" },
  };
  for (size_t i = 0; i < sizeof t / sizeof *t; i++) {
    struct buf b;
    buf_init(&b, 100);
    mail_changes_put(&b, &t[i].c);
    assert_string_equal(buf_cstr(&b), t[i].words);
    buf_free(&b);
  }
}

/* What is put in front of a message keeps its header a header and its text text; however its octets
 * come. */
static void first_lines(void **state) {
  static const struct {
    const char *in, *out;
  } t[] = {
    { "Subject: x\r\n\r\nb\r\n", "Subject: x\r\n\r\nb\r\n" },
    { "Subject : x\r\n", "Subject : x\r\n" },
    { "From : a@b\r\n", "From : a@b\r\n" },
    { "\r\nb\r\n", "\r\nb\r\n" },
    { "", "" },
    { " folded\r\nSubject: x\r\n", "\r\n folded\r\nSubject: x\r\n" },
    { "\tfolded\r\n", "\r\n\tfolded\r\n" },
    { "no field\r\n\r\nb\r\n", "\r\nno field\r\n\r\nb\r\n" },
    { "word\r\n", "\r\nword\r\n" },
    { "word", "\r\nword" },
    { ": x\r\n", "\r\n: x\r\n" },
    { ".\r\n", "\r\n.\r\n" },
    { "\xef\xbb\xbfSubject: x\r\n", "\r\n\xef\xbb\xbfSubject: x\r\n" },
    { "From a@b Thu Jan  1 00:00:00 1970\r\nSubject: x\r\n",
      "X-Mailbox-Line: From a@b Thu Jan  1 00:00:00 1970\r\nSubject: x\r\n" },
    { ">>From a@b Thu\r\n", "X-Mailbox-Line: >>From a@b Thu\r\n" },
  };
  for (size_t i = 0; i < sizeof t / sizeof *t; i++) {
    struct slice in = slice_str(t[i].in);
    for (size_t step = 1; step <= in.n + 1; step++) {
      struct buf b;
      bool settled = false;
      buf_init(&b, 200);
      buf_put_str(&b, "Received: x\r\n");
      for (struct slice rest = in; rest.n; rest = slice_from(rest, step)) {
        buf_put(&b, slice_first(rest, step));
        if (!settled) settled = header_settle(&b, 13, false);
      }
      if (!settled) settled = header_settle(&b, 13, true);
      assert_true(settled);
      if (!slice_eq(slice_from(buf_slice(&b), 13), slice_str(t[i].out)))
        fail_msg("%zu by %zu", i, step);
      buf_free(&b);
    }
  }
}

/* However little room there is, nothing is lost and nothing fails. */
static void little_room(void **state) {
  struct slice in = S("one\r\n..two\r\n\nthree\r\r\n.\rfour\r\n.\r\nQUIT\r\n");
  struct taken whole = take(in, in.n, 1000);
  for (size_t room = MAIL_CLEAN_ROOM + 1; room < 30; room++) {
    struct buf all;
    struct smtp_data d;
    struct slice rest = in;
    buf_init(&all, 1000);
    smtp_data_start(&d);
    for (bool end = false; !end;) {
      struct buf out;
      buf_init(&out, room);
      end = smtp_data_take(&d, &rest, &out);
      assert_false(out.failed);
      assert_true(end || buf_len(&out) || d.at);
      buf_put(&all, buf_slice(&out));
      buf_free(&out);
    }
    assert_true(slice_eq(rest, SLICE("QUIT\r\n")));
    assert_true(slice_eq(buf_slice(&all), buf_slice(&whole.out)));
    buf_free(&all);
  }
  buf_free(&whole.out);
}

/* All texts of up to 7 of the octets that matter, against the reference. */
static void every_short_text(void **state) {
  static const uint8_t octets[] = { '\r', '\n', '.', 'a' };
  for (size_t n = 1; n <= 8; n++) {
    size_t count = (size_t)1 << (2 * n);
    for (size_t code = 0; code < count; code++) {
      uint8_t text[8];
      for (size_t i = 0; i < n; i++) text[i] = octets[code >> (2 * i) & 3];
      struct slice in = slice_of(text, n);
      struct smtp_data d;
      struct slice rest = in;
      smtp_data_start(&d);
      bool end = smtp_data_take(&d, &rest, NULL);
      size_t want = reference_end(in);
      if (end != (want != 0) || (end && n - rest.n != want))
        fail_msg("text %zu of length %zu", code, n);
    }
  }
}

static void stuffing(void **state) {
  struct slice text = S(".a\r\n..\r\nb\r\n.");
  for (size_t cut = 0; cut <= text.n; cut++) {
    struct smtp_stuff s = { 0 };
    struct buf out;
    buf_init(&out, 100);
    smtp_stuff_put(&s, &out, slice_first(text, cut));
    smtp_stuff_put(&s, &out, slice_from(text, cut));
    smtp_stuff_end(&s, &out);
    assert_true(slice_eq(buf_slice(&out), SLICE("..a\r\n...\r\nb\r\n..\r\n.\r\n")));
    struct taken t = take(buf_slice(&out), 1000, 150);
    assert_true(t.end && slice_starts(buf_slice(&t.out), text));
    buf_free(&t.out);
    buf_free(&out);
  }
}

/* --- lines --- */

struct line_step {
  enum smtp_line_result result;
  struct slice line;
};

static void check_lines(struct slice in, size_t limit, const struct line_step *want, size_t n) {
  struct smtp_line l = { 0 };
  for (size_t i = 0; i < n; i++) {
    struct slice line = SLICE_NONE;
    enum smtp_line_result r = smtp_line_take(&l, &in, limit, &line);
    if (r != want[i].result) fail_msg("step %zu: %d, wanted %d", i, r, want[i].result);
    if (r == SMTP_LINE_OK) assert_true(slice_eq(line, want[i].line));
  }
}
#define CHECK_LINES(in, limit, ...)                                                  \
  check_lines((struct slice)S(in), limit, (const struct line_step[]){ __VA_ARGS__ }, \
              sizeof((const struct line_step[]){ __VA_ARGS__ }) / sizeof(struct line_step))

static void lines(void **state) {
  CHECK_LINES("NOOP\r\nQUIT\r\nMA", 100, { SMTP_LINE_OK, S("NOOP") }, { SMTP_LINE_OK, S("QUIT") },
              { SMTP_LINE_MORE, S("") });
  CHECK_LINES("\r\n", 100, { SMTP_LINE_OK, S("") }, { SMTP_LINE_MORE, S("") });
  /* LN-0: a bare LF ends nothing; the line is refused once, and goes up to its CRLF. */
  CHECK_LINES("EHLO x\nMAIL\r\nNOOP\r\n", 100, { SMTP_LINE_BAD, S("") },
              { SMTP_LINE_SKIPPED, S("") }, { SMTP_LINE_OK, S("NOOP") });
  CHECK_LINES("EHLO x\rMAIL", 100, { SMTP_LINE_BAD, S("") }, { SMTP_LINE_SKIPPED, S("") });
  CHECK_LINES("EHLO x\r", 100, { SMTP_LINE_MORE, S("") });
  CHECK_LINES("EHLO x\r\r\nNOOP\r\n", 100, { SMTP_LINE_BAD, S("") }, { SMTP_LINE_SKIPPED, S("") },
              { SMTP_LINE_OK, S("NOOP") });
  CHECK_LINES("EH\0LO x\r\nNOOP\r\n", 100, { SMTP_LINE_BAD, S("") }, { SMTP_LINE_OK, S("NOOP") });
  CHECK_LINES("\nNOOP\r\n", 100, { SMTP_LINE_BAD, S("") }, { SMTP_LINE_SKIPPED, S("") },
              { SMTP_LINE_MORE, S("") });
  /* LN-2: the limit counts the CRLF. */
  CHECK_LINES("12345678\r\n", 10, { SMTP_LINE_OK, S("12345678") });
  CHECK_LINES("123456789\r\nNOOP\r\n", 10, { SMTP_LINE_LONG, S("") }, { SMTP_LINE_OK, S("NOOP") });
  CHECK_LINES("1234567890\r\nNOOP\r\n", 10, { SMTP_LINE_LONG, S("") }, { SMTP_LINE_SKIPPED, S("") },
              { SMTP_LINE_OK, S("NOOP") });
  CHECK_LINES("12345678901\r\nNOOP\r\n", 10, { SMTP_LINE_LONG, S("") },
              { SMTP_LINE_SKIPPED, S("") }, { SMTP_LINE_OK, S("NOOP") });
}

/* The same lines come out wherever the stream is cut; LN-3: an endless one ends. */
static void cut_lines(void **state) {
  struct slice in = S("NOOP\r\nEHLO x\ny\r\nRSET\r\nHE\rLP\r\r\nQUIT\r\n");
  for (size_t cut = 0; cut <= in.n; cut++) {
    struct smtp_line l = { 0 };
    struct slice part = slice_first(in, cut), line;
    char got[16] = { 0 };
    size_t n = 0;
    for (int turn = 0; turn < 2; turn++) {
      for (enum smtp_line_result r;
           part.n && (r = smtp_line_take(&l, &part, 100, &line)) != SMTP_LINE_MORE;)
        if (r != SMTP_LINE_SKIPPED) got[n++] = r == SMTP_LINE_OK ? (char)line.p[0] : '!';
      part = slice_from(in, cut - part.n);
    }
    assert_string_equal(got, "N!R!Q");
  }
  static uint8_t endless[SMTP_DISCARD_MAX + 200];
  memset(endless, 'a', sizeof endless);
  struct smtp_line l = { 0 };
  struct slice rest = slice_of(endless, sizeof endless), line;
  assert_int_equal(smtp_line_take(&l, &rest, 100, &line), SMTP_LINE_LONG);
  assert_int_equal(smtp_line_take(&l, &rest, 100, &line), SMTP_LINE_ENDLESS);
}

/* --- commands --- */

enum {
  ALL = SMTP_PARAM_SIZE | SMTP_PARAM_BODY | SMTP_PARAM_AUTH | SMTP_PARAMS_DSN | SMTP_PARAM_UTF8
};

static void mail_arguments(void **state) {
  static const struct {
    const char *argument;
    enum smtp_outcome outcome;
    uint64_t size;
  } t[] = {
    { "FROM:<a@b>", SMTP_OK, 0 },
    { "from:<>", SMTP_OK, 0 },
    { "FROM: <a@b>", SMTP_OK, 0 },
    { "FROM :<a@b>", SMTP_SENDER_SYNTAX, 0 },
    { "FROM<a@b>", SMTP_SENDER_SYNTAX, 0 },
    { "FROM:<a@b>c", SMTP_SENDER_SYNTAX, 0 },
    { "FROM:<a@b> <c@d>", SMTP_PARAM_BAD, 0 },
    { "FROM:<a@b>\tSIZE=1", SMTP_SENDER_SYNTAX, 0 },
    { "", SMTP_SENDER_SYNTAX, 0 },
    { "FROM:<\xc3\xa9@b>", SMTP_UTF8_SENDER, 0 },
    { "FROM:<\xc3\xa9@b> SMTPUTF8", SMTP_OK, 0 },
    { "FROM:<a@b> smtputf8", SMTP_OK, 0 },
    { "FROM:<a@b> SMTPUTF8=yes", SMTP_PARAM_BAD, 0 },
    { "FROM:<a@b> SMTPUTF8=", SMTP_PARAM_BAD, 0 },
    { "FROM:<a@b> SMTPUTF8 SMTPUTF8", SMTP_PARAM_BAD, 0 },
    { "FROM:<a@b> BODY", SMTP_PARAM_BAD, 0 },
    { "FROM:<a@b> SIZE=123 BODY=8BITMIME", SMTP_OK, 123 },
    { "FROM:<a@b>  body=7bit  size=0005", SMTP_OK, 5 },
    /* SZ-1 */
    { "FROM:<a@b> SIZE=18446744073709551615", SMTP_OK, UINT64_MAX },
    { "FROM:<a@b> SIZE=18446744073709551616", SMTP_OK, UINT64_MAX },
    { "FROM:<a@b> SIZE=99999999999999999999", SMTP_OK, UINT64_MAX },
    { "FROM:<a@b> SIZE=00000000000000000007", SMTP_OK, 7 },
    { "FROM:<a@b> SIZE=000000000000000000001", SMTP_PARAM_BAD, 0 },
    { "FROM:<a@b> SIZE=-1", SMTP_PARAM_BAD, 0 },
    { "FROM:<a@b> SIZE=", SMTP_PARAM_BAD, 0 },
    { "FROM:<a@b> SIZE", SMTP_PARAM_BAD, 0 },
    { "FROM:<a@b> SIZE=1 SIZE=2", SMTP_PARAM_BAD, 0 },
    { "FROM:<a@b> SIZE=1e3", SMTP_PARAM_BAD, 0 },
    { "FROM:<a@b> SIZE==1", SMTP_PARAM_BAD, 0 },
    /* SZ-4 */
    { "FROM:<a@b> BODY=8BITMIME BODY=8BITMIME", SMTP_PARAM_BAD, 0 },
    { "FROM:<a@b> BODY=BINARYMIME", SMTP_PARAM_BAD, 0 },
    /* RFC 3461 §4.3, §4.4, §4.5 */
    { "FROM:<a@b> RET=FULL ENVID=QQ314159", SMTP_OK, 0 },
    { "FROM:<a@b> ret=hdrs envid=a+20b+2B", SMTP_OK, 0 },
    { "FROM:<a@b> ENVID=(a)+41+2B!~", SMTP_OK, 0 },
    { "FROM:<a@b> RET=ALL", SMTP_PARAM_BAD, 0 },
    { "FROM:<a@b> RET=", SMTP_PARAM_BAD, 0 },
    { "FROM:<a@b> RET", SMTP_PARAM_BAD, 0 },
    { "FROM:<a@b> RET=FULL RET=FULL", SMTP_PARAM_BAD, 0 },
    { "FROM:<a@b> ENVID=a ENVID=b", SMTP_PARAM_BAD, 0 },
    { "FROM:<a@b> ENVID=", SMTP_PARAM_BAD, 0 },
    { "FROM:<a@b> ENVID=a+2b", SMTP_PARAM_BAD, 0 },
    { "FROM:<a@b> ENVID=a+", SMTP_PARAM_BAD, 0 },
    { "FROM:<a@b> ENVID=a+0D+0Ab", SMTP_PARAM_BAD, 0 },
    { "FROM:<a@b> ENVID=+C3+A9", SMTP_PARAM_BAD, 0 },
    { "FROM:<a@b> NOTIFY=NEVER", SMTP_PARAM_UNKNOWN, 0 },
    { "FROM:<a@b> -x", SMTP_PARAM_BAD, 0 },
    { "FROM:<a@b> =x", SMTP_PARAM_BAD, 0 },
    /* RFC 4954 §5 */
    { "FROM:<e=mc2@example.com> AUTH=e+3Dmc2@example.com", SMTP_OK, 0 },
    { "FROM:<a@b> AUTH=<>", SMTP_OK, 0 },
    { "FROM:<a@b> AUTH=e+3dmc2", SMTP_PARAM_BAD, 0 },
    { "FROM:<a@b> AUTH=a+", SMTP_PARAM_BAD, 0 },
    { "FROM:<a@b> AUTH=", SMTP_PARAM_BAD, 0 },
  };
  for (size_t i = 0; i < sizeof t / sizeof *t; i++) {
    struct smtp_mail m;
    enum smtp_outcome o = smtp_mail_parse(slice_str(t[i].argument), ALL, SLICE_NONE, &m);
    if (o != t[i].outcome) fail_msg("%s: %s", t[i].argument, smtp_outcome_row(o)->name);
    if (o == SMTP_OK) assert_int_equal(m.size, t[i].size);
  }
  struct smtp_mail m;
  assert_int_equal(smtp_mail_parse(SLICE("FROM:<a@b> AUTH=<>"), SMTP_PARAM_SIZE, SLICE_NONE, &m),
                   SMTP_PARAM_UNKNOWN);
}

/* Long values: 100 and 500 characters, as many octets of xtext as they need. */
static void dsn_lengths(void **state) {
  static const struct {
    const char *before, *each;
    size_t n;
    bool mail;
    enum smtp_outcome outcome;
  } t[] = {
    { "FROM:<a@b> ENVID=", "x", 100, true, SMTP_OK },
    { "FROM:<a@b> ENVID=", "+2B", 100, true, SMTP_OK },
    { "FROM:<a@b> ENVID=", "x", 101, true, SMTP_PARAM_BAD },
    { "TO:<a@b> ORCPT=rfc822;", "x", 500, false, SMTP_OK },
    { "TO:<a@b> ORCPT=rfc822;", "+2B", 500, false, SMTP_OK },
    { "TO:<a@b> ORCPT=rfc822;", "x", 501, false, SMTP_PARAM_BAD },
  };
  for (size_t i = 0; i < sizeof t / sizeof *t; i++) {
    struct smtp_mail m;
    struct smtp_recipient r;
    struct buf b;
    buf_init(&b, 4096);
    buf_put_str(&b, t[i].before);
    for (size_t n = 0; n < t[i].n; n++) buf_put_str(&b, t[i].each);
    enum smtp_outcome o = t[i].mail ? smtp_mail_parse(buf_slice(&b), ALL, SLICE_NONE, &m)
                                    : smtp_rcpt_parse(buf_slice(&b), ALL, SLICE_NONE, &r);
    assert_int_equal(o, t[i].outcome);
    buf_free(&b);
  }
}

static void recipients(void **state) {
  enum {
    NONE = 0,
    N = SMTP_NOTIFY_NEVER,
    S = SMTP_NOTIFY_SUCCESS,
    F = SMTP_NOTIFY_FAILURE,
    D = SMTP_NOTIFY_DELAY
  };
  static const struct {
    const char *argument;
    enum smtp_outcome outcome;
    unsigned notify;
    const char *orcpt;
  } t[] = {
    { "TO:<a@b>", SMTP_OK, NONE, "" },
    { "to: <Postmaster>", SMTP_OK, NONE, "" },
    { "TO:<>", SMTP_RCPT_SYNTAX, NONE, "" },
    { "TO:<a@b> <c@d>", SMTP_PARAM_BAD, NONE, "" },
    /* RFC 3461 §4.1 */
    { "TO:<a@b> NOTIFY=NEVER", SMTP_OK, N, "" },
    { "TO:<a@b> NOTIFY=SUCCESS,failure,DELAY", SMTP_OK, S | F | D, "" },
    { "TO:<a@b> NOTIFY=DELAY,DELAY", SMTP_OK, D, "" },
    { "TO:<a@b> NOTIFY=NEVER,FAILURE", SMTP_PARAM_BAD, NONE, "" },
    { "TO:<a@b> NOTIFY=FAILURE,NEVER", SMTP_PARAM_BAD, NONE, "" },
    { "TO:<a@b> NOTIFY=FAILURE,", SMTP_PARAM_BAD, NONE, "" },
    { "TO:<a@b> NOTIFY=,FAILURE", SMTP_PARAM_BAD, NONE, "" },
    { "TO:<a@b> NOTIFY=ALWAYS", SMTP_PARAM_BAD, NONE, "" },
    { "TO:<a@b> NOTIFY=", SMTP_PARAM_BAD, NONE, "" },
    { "TO:<a@b> NOTIFY", SMTP_PARAM_BAD, NONE, "" },
    { "TO:<a@b> NOTIFY=NEVER NOTIFY=NEVER", SMTP_PARAM_BAD, NONE, "" },
    /* §4.2 */
    { "TO:<a@b> ORCPT=rfc822;a+2Bx@b", SMTP_OK, NONE, "rfc822;a+2Bx@b" },
    { "TO:<a@b> orcpt=X400;/C=x", SMTP_PARAM_BAD, NONE, "" },
    { "TO:<a@b> ORCPT=x-y;a+3Db", SMTP_OK, NONE, "x-y;a+3Db" },
    { "TO:<a@b> ORCPT=rfc822;+0D+0A", SMTP_PARAM_BAD, NONE, "" },
    { "TO:<a@b> ORCPT=rfc822;+00", SMTP_PARAM_BAD, NONE, "" },
    { "TO:<a@b> ORCPT=rfc822;a+2", SMTP_PARAM_BAD, NONE, "" },
    { "TO:<a@b> ORCPT=rfc822;", SMTP_PARAM_BAD, NONE, "" },
    { "TO:<a@b> ORCPT=;a", SMTP_PARAM_BAD, NONE, "" },
    { "TO:<a@b> ORCPT=a", SMTP_PARAM_BAD, NONE, "" },
    { "TO:<a@b> ORCPT=(a);b", SMTP_PARAM_BAD, NONE, "" },
    { "TO:<a@b> ORCPT=rfc822;a ORCPT=rfc822;a", SMTP_PARAM_BAD, NONE, "" },
    /* RFC 6533 §3 */
    { "TO:<\xc3\xa9@b> ORCPT=utf-8;\xc3\xa9@b", SMTP_OK, NONE, "utf-8;\xc3\xa9@b" },
    { "TO:<a@b> ORCPT=UTF-8;\\x{E9}@b", SMTP_OK, NONE, "UTF-8;\\x{E9}@b" },
    { "TO:<a@b> ORCPT=utf-8;a+2Bb@b", SMTP_PARAM_BAD, NONE, "" },
    { "TO:<a@b> ORCPT=utf-8;\xe9@b", SMTP_PARAM_BAD, NONE, "" },
    { "TO:<a@b> ORCPT=rfc822;\xc3\xa9@b", SMTP_PARAM_BAD, NONE, "" },
    { "TO:<a@b> NOTIFY=\xc3\xa9", SMTP_PARAM_BAD, NONE, "" },
    { "TO:<a@b> SMTPUTF8", SMTP_PARAM_UNKNOWN, NONE, "" },
    { "TO:<a@b> RET=FULL", SMTP_PARAM_UNKNOWN, NONE, "" },
    { "TO:<a@b> SIZE=1", SMTP_PARAM_UNKNOWN, NONE, "" },
  };
  struct smtp_recipient r;
  for (size_t i = 0; i < sizeof t / sizeof *t; i++) {
    enum smtp_outcome o = smtp_rcpt_parse(slice_str(t[i].argument), ALL, SLICE_NONE, &r);
    if (o != t[i].outcome) fail_msg("%s: %s", t[i].argument, smtp_outcome_row(o)->name);
    if (o != SMTP_OK) continue;
    assert_int_equal(r.notify, t[i].notify);
    assert_true(slice_eq(r.orcpt, slice_str(t[i].orcpt)));
  }
  assert_int_equal(smtp_rcpt_parse(SLICE("TO:<a@b> NOTIFY=NEVER"), 0, SLICE_NONE, &r),
                   SMTP_PARAM_UNKNOWN);
  assert_int_equal(smtp_rcpt_parse(SLICE("TO:<\xc3\xa9@b>"), 0, SLICE_NONE, &r), SMTP_UTF8_RCPT);
  assert_int_equal(smtp_rcpt_parse(SLICE("TO:<a@\xc3\xbc.b>"), 0, SLICE_NONE, &r), SMTP_UTF8_RCPT);
  assert_int_equal(
      smtp_rcpt_parse(SLICE("TO:<a@b> ORCPT=utf-8;\xc3\xa9@b"), SMTP_PARAMS_DSN, SLICE_NONE, &r),
      SMTP_PARAM_BAD);
}

static void other_arguments(void **state) {
  struct smtp_auth auth;
  assert_int_equal(smtp_auth_parse(SLICE("PLAIN AGEAYg=="), &auth), SMTP_OK);
  assert_true(auth.has_initial && slice_eq(auth.initial, SLICE("AGEAYg==")));
  assert_int_equal(smtp_auth_parse(SLICE("PLAIN ="), &auth), SMTP_OK);
  assert_true(auth.has_initial && auth.initial.n == 0);
  assert_int_equal(smtp_auth_parse(SLICE("LOGIN"), &auth), SMTP_OK);
  assert_false(auth.has_initial);
  assert_int_equal(smtp_auth_parse(SLICE(""), &auth), SMTP_SYNTAX);
  assert_int_equal(smtp_auth_parse(SLICE("PLAIN  x"), &auth), SMTP_OK); /* " x" is not base64 */
  assert_int_equal(smtp_auth_parse(SLICE("AAAAAAAAAAAAAAAAAAAAA"), &auth), SMTP_SYNTAX);
  struct smtp_command c = smtp_command_cut(SLICE("MAIL FROM:<a@b> \t"));
  assert_true(slice_eq(c.verb, SLICE("MAIL")) && slice_eq(c.argument, SLICE("FROM:<a@b>")));
  c = smtp_command_cut(SLICE("MAIL\t  FROM:<a@b>"));
  assert_true(slice_eq(c.verb, SLICE("MAIL")) && slice_eq(c.argument, SLICE("FROM:<a@b>")));
  c = smtp_command_cut(SLICE("RSET "));
  assert_true(slice_eq(c.verb, SLICE("RSET")) && c.argument.n == 0);
  assert_true(smtp_helo_ok(SLICE("my_pc")));
  assert_true(smtp_helo_ok(SLICE("PC de Jean")));
  assert_true(smtp_helo_ok(SLICE("J\xfcrgen-PC")));
  assert_true(smtp_helo_ok(SLICE("a\tb")));
  assert_false(smtp_helo_ok(SLICE("a\x1b[2Jb")));
  assert_false(smtp_helo_ok(SLICE("a\x7f")));
  assert_false(smtp_helo_ok(SLICE("")));
}

/* What printers and controllers write, from networks that may. */
static void free_arguments(void **state) {
  static const struct {
    const char *argument;
    enum smtp_outcome outcome;
    const char *address;
  } t[] = {
    { "FROM: raid@host.example", SMTP_OK, "raid@host.example" },
    { "FROM:raid", SMTP_OK, "raid@example.org" },
    { "from\t : \traid", SMTP_OK, "raid@example.org" },
    { "FROM :<raid@host.example> SIZE=3", SMTP_OK, "raid@host.example" },
    { "FROM:<raid> BODY=8BITMIME", SMTP_OK, "raid@example.org" },
    { "FROM:\"a b\"", SMTP_OK, "\"a b\"@example.org" },
    { "FROM:<>", SMTP_OK, "" },
    { "FROM:postmaster", SMTP_OK, "postmaster@example.org" },
    { "FROM:", SMTP_SENDER_SYNTAX, 0 },
    { "FROM:<raid", SMTP_SENDER_SYNTAX, 0 },
    { "FROM:raid>", SMTP_SENDER_SYNTAX, 0 },
    { "FROM:raid@", SMTP_SENDER_SYNTAX, 0 },
    { "FROM:a b", SMTP_PARAM_UNKNOWN, 0 },
    { "FROM:a\rb", SMTP_SENDER_SYNTAX, 0 },
    { "FROM:a,b@c", SMTP_SENDER_SYNTAX, 0 },
    { "FROM raid", SMTP_SENDER_SYNTAX, 0 },
  };
  struct slice domain = SLICE("Example.org");
  for (size_t i = 0; i < sizeof t / sizeof *t; i++) {
    struct smtp_mail m;
    struct slice argument = slice_str(t[i].argument);
    enum smtp_outcome o = smtp_mail_parse(argument, SMTP_PARAM_SIZE | SMTP_PARAM_BODY, domain, &m);
    if (o != t[i].outcome) fail_msg("%s: %s", t[i].argument, smtp_outcome_row(o)->name);
    bool strict =
        smtp_mail_parse(argument, SMTP_PARAM_SIZE | SMTP_PARAM_BODY, SLICE_NONE, &m) == SMTP_OK;
    assert_true(!strict || slice_eq(argument, SLICE("FROM:<>")));
    if (t[i].outcome != SMTP_OK) continue;
    struct buf b;
    buf_init(&b, 1024);
    smtp_mail_parse(argument, SMTP_PARAM_SIZE | SMTP_PARAM_BODY, domain, &m);
    address_put(&b, &m.sender);
    assert_true(slice_eq(buf_slice(&b), slice_str(t[i].address)));
    buf_free(&b);
  }
  struct smtp_recipient r;
  assert_int_equal(smtp_rcpt_parse(SLICE("TO : Postmaster"), 0, domain, &r), SMTP_OK);
  assert_int_equal(r.address.kind, ADDRESS_POSTMASTER);
  assert_true(slice_eq(address_local(&r.address), SLICE("postmaster")));
  assert_int_equal(smtp_rcpt_parse(SLICE("TO:alice"), 0, domain, &r), SMTP_OK);
  assert_true(slice_eq(address_domain(&r.address), SLICE("example.org")));
  assert_int_equal(smtp_rcpt_parse(SLICE("TO:<>"), 0, domain, &r), SMTP_RCPT_SYNTAX);
}

/* --- replies --- */

/* RFC 5321 §4.2: "An SMTP server SHOULD send only the reply codes listed in this document"; those
 * behind them are RFC 3207's and RFC 4954's. */
static bool is_listed(unsigned code) {
  static const unsigned codes[] = { 211, 214, 220, 221, 250, 251, 252, 354, 421, 450, 451,
                                    452, 455, 500, 501, 502, 503, 504, 550, 551, 552, 553,
                                    554, 555, 235, 334, 454, 530, 534, 535, 538 };
  for (size_t i = 0; i < sizeof codes / sizeof *codes; i++)
    if (codes[i] == code) return true;
  return false;
}

static void outcome_rows(void **state) {
  for (size_t i = 0; i < SMTP_OUTCOMES; i++) {
    const struct smtp_outcome_row *row = smtp_outcome_row(i);
    assert_true(is_listed(row->code));
    assert_true(row->text[0]);
    if (*row->enhanced) assert_int_equal(row->enhanced[0] - '0', row->code / 100);
    struct buf b;
    buf_init(&b, 512); /* RFC 5321 §4.5.3.1.5, with the longest name */
    char host[255];
    memset(host, 'h', sizeof host);
    smtp_reply_put(&b, i, slice_of(host, sizeof host));
    assert_false(b.failed);
    struct smtp_reply r;
    smtp_reply_init(&r);
    struct slice in = buf_slice(&b);
    assert_int_equal(smtp_reply_read(&r, &in), SMTP_READ_DONE);
    assert_int_equal(r.code, row->code);
    assert_int_equal(r.enhanced[0], *row->enhanced ? row->code / 100 : 0);
    smtp_reply_free(&r);
    buf_free(&b);
  }
}

static enum smtp_read read_reply(struct slice in, uint16_t *code, char *text, size_t size) {
  struct smtp_reply r;
  smtp_reply_init(&r);
  enum smtp_read result = smtp_reply_read(&r, &in);
  *code = r.code;
  struct slice s = buf_slice(&r.text);
  snprintf(text, size, "%.*s", (int)s.n, (const char *)(s.n ? s.p : (const uint8_t *)""));
  smtp_reply_free(&r);
  return result;
}

static void replies_of_peers(void **state) {
  static const struct {
    struct slice in;
    enum smtp_read result;
    uint16_t code;
    const char *text;
  } t[] = {
    { S("250 ok\r\n"), SMTP_READ_DONE, 250, "ok" },
    { S("250\r\n"), SMTP_READ_DONE, 250, "" },
    { S("250-a\r\n250-b\r\n250 c\r\n"), SMTP_READ_DONE, 250, "a\nb\nc" },
    { S("550 5.7.2\r\n"), SMTP_READ_DONE, 550, "5.7.2" },
    { S("250-a\r\n250"), SMTP_READ_MORE, 250, "a" },
    { S("250 a\tb\x1b[31m\r\n"), SMTP_READ_DONE, 250, "a\tb?[31m" },
    /* RFC 5321 §4.3.2: codes that nobody defined, by their first digit */
    { S("260 a\r\n"), SMTP_READ_DONE, 260, "a" },
    { S("571 5.7.1 a\r\n"), SMTP_READ_DONE, 571, "5.7.1 a" },
    { S("599 a\r\n"), SMTP_READ_DONE, 599, "a" },
    { S("499-a\r\n499 b\r\n"), SMTP_READ_DONE, 499, "a\nb" },
    /* CL-3 */
    /* clang-format off */
    { S("250-a\r\n354 b\r\n"), SMTP_READ_BAD, 250, "a" },
    { S("99 a\r\n"), SMTP_READ_BAD, 0, "" },
    { S("600 a\r\n"), SMTP_READ_BAD, 0, "" },
    { S("199 a\r\n"), SMTP_READ_BAD, 0, "" },
    { S("abc d\r\n"), SMTP_READ_BAD, 0, "" },
    { S("2\xb2" "0 a\r\n"), SMTP_READ_BAD, 0, "" },
    { S("250 a\0b\r\n"), SMTP_READ_BAD, 0, "" },
    { S("250_a\r\n"), SMTP_READ_BAD, 0, "" },
    { S("2500 a\r\n"), SMTP_READ_BAD, 0, "" },
    { S("\r\n"), SMTP_READ_BAD, 0, "" },
    { S("\n"), SMTP_READ_BAD, 0, "" },
    { S("250 a\n"), SMTP_READ_BAD, 0, "" },
    { S("250 a\rb\r\n"), SMTP_READ_BAD, 0, "" },
    /* clang-format on */
  };
  for (size_t i = 0; i < sizeof t / sizeof *t; i++) {
    uint16_t code;
    char text[100];
    enum smtp_read r = read_reply(t[i].in, &code, text, sizeof text);
    if (r != t[i].result) fail_msg("reply %zu: %d", i, r);
    assert_int_equal(code, t[i].code);
    assert_string_equal(text, t[i].text);
  }
}

/* CL-1, CL-2: no reply is without end. */
static void endless_replies(void **state) {
  struct smtp_reply r;
  smtp_reply_init(&r);
  enum smtp_read result = SMTP_READ_MORE;
  size_t lines_ = 0;
  for (; result == SMTP_READ_MORE && lines_ < 1000000; lines_++) {
    struct slice in = SLICE("250-\r\n");
    result = smtp_reply_read(&r, &in);
  }
  assert_int_equal(result, SMTP_READ_BAD);
  assert_int_equal(lines_, SMTP_REPLY_LINES_MAX + 1);
  smtp_reply_reset(&r);
  static uint8_t as[SMTP_REPLY_LINE_MAX];
  memset(as, 'a', sizeof as);
  struct slice in = slice_of(as, sizeof as);
  assert_int_equal(smtp_reply_read(&r, &in), SMTP_READ_BAD);
  memcpy(as, "250-", 4);
  memcpy(as + sizeof as - 2, "\r\n", 2);
  for (result = SMTP_READ_MORE, lines_ = 0; result == SMTP_READ_MORE; lines_++) {
    in = slice_of(as, sizeof as);
    result = smtp_reply_read(&r, &in);
  }
  assert_true(result == SMTP_READ_BAD && lines_ <= 9);
  smtp_reply_free(&r);
}

int main(void) {
  const struct CMUnitTest tests[] = {
    cmocka_unit_test(spelled_ends),
    cmocka_unit_test(notes_what_is_bare),
    cmocka_unit_test(the_door),
    cmocka_unit_test(first_lines),
    cmocka_unit_test(spelled_ends_by_the_door),
    cmocka_unit_test(changes_in_words),
    cmocka_unit_test(little_room),
    cmocka_unit_test(every_short_text),
    cmocka_unit_test(stuffing),
    cmocka_unit_test(lines),
    cmocka_unit_test(cut_lines),
    cmocka_unit_test(mail_arguments),
    cmocka_unit_test(dsn_lengths),
    cmocka_unit_test(recipients),
    cmocka_unit_test(other_arguments),
    cmocka_unit_test(free_arguments),
    cmocka_unit_test(outcome_rows),
    cmocka_unit_test(replies_of_peers),
    cmocka_unit_test(endless_replies),
  };
  return cmocka_run_group_tests_name("smtp-data", tests, NULL, NULL);
}
