/* lib/smtp: lines, the end of a message in every spelling (SM-*), stuffing, commands, replies. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#include "lib/smtp/command.h"
#include "lib/smtp/data.h"
#include "lib/smtp/line.h"
#include "lib/smtp/reply.h"

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
static struct taken take(struct slice in, size_t step, bool fix, size_t room) {
  struct taken t = { .end = false };
  buf_init(&t.out, room);
  smtp_data_start(&t.d, fix);
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

#define S(lit) { (const uint8_t *)(lit), sizeof(lit) - 1 }
/* SM-1 to SM-19. */
static const struct slice spellings[] = {
  S("\n.\n"), S("\n.\r\n"), S("\r\n.\n"), S("\r.\r"), S("\r.\n"), S("\n.\r"), S("\r.\r\n"), S("\r\n.\r"),
  S("\r\n\0.\r\n"), S("\r\n.\0\r\n"), S("\n\n.\n\n"), S("\r\r\n.\r\r\n"), S("\r\n.\r\r\n"), S("\r\n.\n\r\n"),
  S("\r\n .\r\n"), S("\r\n. \r\n"), S("\r\n.\t\r\n"), S("\x85.\x85"), S("\xe2\x80\xa8.\xe2\x80\xa8"),
  S("\x0b.\x0b"), S("\x0c.\x0c"), S("\r\n\x1a.\r\n"), S("\r\n\x7f.\r\n"), S("\r\n\xEF\xBB\xBF.\r\n"),
  S("\r\n..\r\n"), S("\r\n.\r.\r\n"),
};

static void spelled_ends(void **state) {
  for (size_t i = 0; i < sizeof spellings / sizeof *spellings; i++) {
    for (int fix = 0; fix < 2; fix++) {
      struct buf b;
      buf_init(&b, 1000);
      buf_put_str(&b, "h: v\r\n\r\nx");
      buf_put(&b, spellings[i]);
      buf_put_str(&b, "MAIL FROM:<s@evil>\r\n\r\ny\r\n.\r\nQUIT\r\n");
      size_t want = buf_len(&b) - 6;
      assert_int_equal(reference_end(buf_slice(&b)), want);
      for (size_t step = 1; step <= buf_len(&b); step++) {
        struct taken t = take(buf_slice(&b), step, fix, 1000);
        assert_true(t.end);
        if (t.n != want) fail_msg("SM %zu cut at %zu ends at %zu, not %zu", i, step, t.n, want);
        buf_free(&t.out);
      }
      buf_free(&b);
    }
  }
}

static void notes_what_is_bare(void **state) {
  static const struct { struct slice in; bool bare, nul, dots; struct slice out, fixed; } t[] = {
    { S("a\r\n.\r\n"), 0, 0, 0, S("a\r\n"), S("a\r\n") },
    { S(".\r\n"), 0, 0, 0, S(""), S("") },
    { S("a\r\n..b\r\n.\r\n"), 0, 0, 1, S("a\r\n.b\r\n"), S("a\r\n.b\r\n") },
    { S(".b\r\n.\r\n"), 0, 0, 0, S("b\r\n"), S("b\r\n") },
    { S("..\r\n.\r\n"), 0, 0, 1, S(".\r\n"), S(".\r\n") },
    { S("a.\r\n.\r\n"), 0, 0, 0, S("a.\r\n"), S("a.\r\n") },
    { S("a\nb\r\n.\r\n"), 1, 0, 0, S("a\nb\r\n"), S("a\r\nb\r\n") },
    { S("a\rb\r\n.\r\n"), 1, 0, 0, S("a\rb\r\n"), S("a\r\nb\r\n") },
    { S("a\r\r\n.\r\n"), 1, 0, 0, S("a\r\r\n"), S("a\r\n\r\n") },
    { S("a\n.\r\n.\r\n"), 1, 0, 1, S("a\n.\r\n"), S("a\r\n.\r\n") },
    { S("a\r\n.\rb\r\n.\r\n"), 1, 0, 0, S("a\r\n\rb\r\n"), S("a\r\n\r\nb\r\n") },
    { S("a\r\n.\r.b\r\n.\r\n"), 1, 0, 0, S("a\r\n\r.b\r\n"), S("a\r\n\r\n.b\r\n") },
    { S("a\r\n.\nb\r\n.\r\n"), 1, 0, 0, S("a\r\n\nb\r\n"), S("a\r\n\r\nb\r\n") },
    { S("a\0b\r\n.\r\n"), 0, 1, 0, S("a\0b\r\n"), S("a\0b\r\n") },
    { S("a\r\n.\r\nx\0y"), 0, 0, 0, S("a\r\n"), S("a\r\n") },
  };
  for (size_t i = 0; i < sizeof t / sizeof *t; i++) {
    for (size_t step = 1; step <= t[i].in.n; step++) {
      struct taken plain = take(t[i].in, step, false, 1000), fixed = take(t[i].in, step, true, 1000);
      assert_true(plain.end && fixed.end);
      if (!slice_eq(buf_slice(&plain.out), t[i].out)) fail_msg("%zu/%zu: wrong octets", i, step);
      if (!slice_eq(buf_slice(&fixed.out), t[i].fixed)) fail_msg("%zu/%zu: wrong octets with fix", i, step);
      assert_int_equal(plain.d.bare, t[i].bare);
      assert_int_equal(plain.d.nul, t[i].nul);
      if (!t[i].bare) assert_int_equal(plain.d.dots, t[i].dots);
      struct slice s = buf_slice(&fixed.out);
      assert_int_equal(fixed.d.dots, slice_starts(s, SLICE(".")) || slice_search(s, SLICE("\r\n.")) >= 0);
      assert_int_equal(plain.d.octets, t[i].out.n);
      buf_free(&plain.out);
      buf_free(&fixed.out);
    }
  }
}

/* However little room there is, nothing is lost and nothing fails. */
static void little_room(void **state) {
  struct slice in = S("one\r\n..two\r\n\nthree\r\r\n.\rfour\r\n.\r\nQUIT\r\n");
  struct taken whole = take(in, in.n, true, 1000);
  for (size_t room = 3; room < 20; room++) {
    struct buf all;
    struct smtp_data d;
    struct slice rest = in;
    buf_init(&all, 1000);
    smtp_data_start(&d, true);
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
      smtp_data_start(&d, false);
      bool end = smtp_data_take(&d, &rest, NULL);
      size_t want = reference_end(in);
      if (end != (want != 0) || (end && n - rest.n != want)) fail_msg("text %zu of length %zu", code, n);
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
    struct taken t = take(buf_slice(&out), 1000, false, 100);
    assert_true(t.end && slice_starts(buf_slice(&t.out), text));
    buf_free(&t.out);
    buf_free(&out);
  }
}

/* --- lines --- */

struct line_step { enum smtp_line_result result; struct slice line; };

static void check_lines(struct slice in, size_t limit, const struct line_step *want, size_t n) {
  struct smtp_line l = { 0 };
  for (size_t i = 0; i < n; i++) {
    struct slice line = SLICE_NONE;
    enum smtp_line_result r = smtp_line_take(&l, &in, limit, &line);
    if (r != want[i].result) fail_msg("step %zu: %d, wanted %d", i, r, want[i].result);
    if (r == SMTP_LINE_OK) assert_true(slice_eq(line, want[i].line));
  }
}
#define CHECK_LINES(in, limit, ...)                                                               \
  check_lines((struct slice)S(in), limit, (const struct line_step[]){ __VA_ARGS__ },                \
              sizeof((const struct line_step[]){ __VA_ARGS__ }) / sizeof(struct line_step))

static void lines(void **state) {
  CHECK_LINES("NOOP\r\nQUIT\r\nMA", 100, { SMTP_LINE_OK, S("NOOP") }, { SMTP_LINE_OK, S("QUIT") },
              { SMTP_LINE_MORE, S("") });
  CHECK_LINES("\r\n", 100, { SMTP_LINE_OK, S("") }, { SMTP_LINE_MORE, S("") });
  /* LN-0: a bare LF ends nothing; the line is refused once, and goes up to its CRLF. */
  CHECK_LINES("EHLO x\nMAIL\r\nNOOP\r\n", 100, { SMTP_LINE_BAD, S("") }, { SMTP_LINE_SKIPPED, S("") },
              { SMTP_LINE_OK, S("NOOP") });
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
  CHECK_LINES("12345678901\r\nNOOP\r\n", 10, { SMTP_LINE_LONG, S("") }, { SMTP_LINE_SKIPPED, S("") },
              { SMTP_LINE_OK, S("NOOP") });
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
      for (enum smtp_line_result r; part.n && (r = smtp_line_take(&l, &part, 100, &line)) != SMTP_LINE_MORE;)
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

static void mail_arguments(void **state) {
  enum { ALL = SMTP_PARAM_SIZE | SMTP_PARAM_BODY | SMTP_PARAM_AUTH };
  static const struct { const char *argument; enum smtp_outcome outcome; uint64_t size; } t[] = {
    { "FROM:<a@b>", SMTP_OK, 0 },
    { "from:<>", SMTP_OK, 0 },
    { "FROM: <a@b>", SMTP_OK, 0 },
    { "FROM :<a@b>", SMTP_SENDER_SYNTAX, 0 },
    { "FROM<a@b>", SMTP_SENDER_SYNTAX, 0 },
    { "FROM:<a@b>c", SMTP_SENDER_SYNTAX, 0 },
    { "FROM:<a@b> <c@d>", SMTP_PARAM_BAD, 0 },
    { "FROM:<a@b>\tSIZE=1", SMTP_SENDER_SYNTAX, 0 },
    { "", SMTP_SENDER_SYNTAX, 0 },
    { "FROM:<\xc3\xa9@b>", SMTP_UTF8_ADDRESS, 0 },
    { "FROM:<a@b> SIZE=123 BODY=8BITMIME", SMTP_OK, 123 },
    { "FROM:<a@b>  body=7bit  size=0005", SMTP_OK, 5 },
    /* SZ-1 */
    { "FROM:<a@b> SIZE=18446744073709551615", SMTP_OK, UINT64_MAX },
    { "FROM:<a@b> SIZE=18446744073709551616", SMTP_PARAM_BAD, 0 },
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
    { "FROM:<a@b> RET=FULL", SMTP_PARAM_UNKNOWN, 0 },
    { "FROM:<a@b> SMTPUTF8", SMTP_PARAM_UNKNOWN, 0 },
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
    enum smtp_outcome o = smtp_mail_parse(slice_str(t[i].argument), ALL, &m);
    if (o != t[i].outcome) fail_msg("%s: %s", t[i].argument, smtp_outcome_row(o)->name);
    if (o == SMTP_OK) assert_int_equal(m.size, t[i].size);
  }
  struct smtp_mail m;
  assert_int_equal(smtp_mail_parse(SLICE("FROM:<a@b> AUTH=<>"), SMTP_PARAM_SIZE, &m), SMTP_PARAM_UNKNOWN);
}

static void other_arguments(void **state) {
  struct address a;
  assert_int_equal(smtp_rcpt_parse(SLICE("TO:<a@b>"), &a), SMTP_OK);
  assert_int_equal(smtp_rcpt_parse(SLICE("to: <Postmaster>"), &a), SMTP_OK);
  assert_int_equal(smtp_rcpt_parse(SLICE("TO:<>"), &a), SMTP_RCPT_SYNTAX);
  assert_int_equal(smtp_rcpt_parse(SLICE("TO:<a@b> <c@d>"), &a), SMTP_PARAM_BAD);
  assert_int_equal(smtp_rcpt_parse(SLICE("TO:<a@b> NOTIFY=NEVER"), &a), SMTP_PARAM_UNKNOWN);
  assert_int_equal(smtp_rcpt_parse(SLICE("TO:<a@b> ORCPT=rfc822;+0D+0A"), &a), SMTP_PARAM_UNKNOWN);
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
  c = smtp_command_cut(SLICE("RSET "));
  assert_true(slice_eq(c.verb, SLICE("RSET")) && c.argument.n == 0);
  assert_true(smtp_helo_ok(SLICE("my_pc")));
  assert_false(smtp_helo_ok(SLICE("a b")));
  assert_false(smtp_helo_ok(SLICE("")));
}

/* --- replies --- */

static void outcome_rows(void **state) {
  for (size_t i = 0; i < SMTP_OUTCOMES; i++) {
    const struct smtp_outcome_row *row = smtp_outcome_row(i);
    assert_in_range(row->code, 200, 559);
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
  static const struct { struct slice in; enum smtp_read result; uint16_t code; const char *text; } t[] = {
    { S("250 ok\r\n"), SMTP_READ_DONE, 250, "ok" },
    { S("250\r\n"), SMTP_READ_DONE, 250, "" },
    { S("250-a\r\n250-b\r\n250 c\r\n"), SMTP_READ_DONE, 250, "a\nb\nc" },
    { S("550 5.7.2\r\n"), SMTP_READ_DONE, 550, "5.7.2" },
    { S("250-a\r\n250"), SMTP_READ_MORE, 250, "a" },
    { S("250 a\tb\x1b[31m\r\n"), SMTP_READ_DONE, 250, "a\tb?[31m" },
    /* CL-3 */
    { S("250-a\r\n354 b\r\n"), SMTP_READ_BAD, 250, "a" },
    { S("99 a\r\n"), SMTP_READ_BAD, 0, "" },
    { S("600 a\r\n"), SMTP_READ_BAD, 0, "" },
    { S("199 a\r\n"), SMTP_READ_BAD, 0, "" },
    { S("260 a\r\n"), SMTP_READ_BAD, 0, "" },
    { S("abc d\r\n"), SMTP_READ_BAD, 0, "" },
    { S("2\xb2" "0 a\r\n"), SMTP_READ_BAD, 0, "" },
    { S("250 a\0b\r\n"), SMTP_READ_BAD, 0, "" },
    { S("250_a\r\n"), SMTP_READ_BAD, 0, "" },
    { S("2500 a\r\n"), SMTP_READ_BAD, 0, "" },
    { S("\r\n"), SMTP_READ_BAD, 0, "" },
    { S("\n"), SMTP_READ_BAD, 0, "" },
    { S("250 a\n"), SMTP_READ_BAD, 0, "" },
    { S("250 a\rb\r\n"), SMTP_READ_BAD, 0, "" },
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
    cmocka_unit_test(spelled_ends),     cmocka_unit_test(notes_what_is_bare), cmocka_unit_test(little_room),
    cmocka_unit_test(every_short_text), cmocka_unit_test(stuffing),           cmocka_unit_test(lines),
    cmocka_unit_test(cut_lines),        cmocka_unit_test(mail_arguments),     cmocka_unit_test(other_arguments),
    cmocka_unit_test(outcome_rows),     cmocka_unit_test(replies_of_peers),   cmocka_unit_test(endless_replies),
  };
  return cmocka_run_group_tests_name("smtp-data", tests, NULL, NULL);
}
