/* SPDX-License-Identifier: ISC */
/* Every sequence of commands up to a length, behind a login one longer with SOAK in the environment
 * and one shorter with QUICK, held against a model of POP3's states that is written
 * here a second time, from RFC 1939 and not from the verb table. After each command:
 *
 *   - there is one reply, of the kind that the model says: one line of at most 512 octets, or ended
 * by one ".";
 *   - STAT and LIST say what is not marked, under the numbers of the beginning;
 *   - the maildrop is locked in TRANSACTION, and only then.
 *
 * At the end QUIT has deleted what was marked and nothing else; anything but QUIT has deleted
 * nothing. Leaks are the sanitizer's to find, at the program's end. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/unit/pop3_world.h"
#include "tests/unit/sample.h"

enum { LINE_MAX_1939 = 512 }; /* RFC 1939 §3, with the CRLF */

/* --- the model --- */

enum where { AUTHORIZATION, SASL, TRANSACTION, OVER };

struct model {
  enum where where;
  bool secure, user, utf8;
  bool marked[2];
};

enum reply { NO, YES, LINES, CHALLENGE };

static bool may_show(const struct model *m) { return m->secure; }

static enum reply stls(struct model *m) {
  /* RFC 6856 §2.1: not behind UTF8 */
  if (m->secure || m->utf8 || m->where != AUTHORIZATION) return NO;
  m->secure = true;
  return YES;
}
static enum reply utf8(struct model *m) {
  if (m->where != AUTHORIZATION) return NO;
  m->utf8 = true;
  return YES;
}
static enum reply user(struct model *m) {
  m->user = m->where == AUTHORIZATION && may_show(m);
  return m->user ? YES : NO;
}
static enum reply log_in(struct model *m, bool right) {
  if (right) m->where = TRANSACTION;
  return right ? YES : NO;
}
static enum reply pass(struct model *m) { return log_in(m, m->where == AUTHORIZATION && m->user); }
static enum reply no(struct model *m) { return NO; }
static enum reply apop(struct model *m) { return log_in(m, m->where == AUTHORIZATION); }
static enum reply auth_plain(struct model *m) {
  return log_in(m, m->where == AUTHORIZATION && may_show(m));
}
static enum reply auth_login(struct model *m) {
  if (m->where != AUTHORIZATION || !may_show(m)) return NO;
  m->where = SASL;
  return CHALLENGE;
}
static enum reply auth_list(struct model *m) { return m->where == AUTHORIZATION ? LINES : NO; }
static enum reply both_lines(struct model *m) { return LINES; }
static enum reply both_yes(struct model *m) { return YES; }
static enum reply inside(struct model *m) { return m->where == TRANSACTION ? YES : NO; }
static enum reply inside_lines(struct model *m) { return m->where == TRANSACTION ? LINES : NO; }
static enum reply of_first(struct model *m) {
  return m->where == TRANSACTION && !m->marked[0] ? YES : NO;
}
static enum reply first_lines(struct model *m) { return of_first(m) == YES ? LINES : NO; }
static enum reply mark(struct model *m, int i) {
  if (m->where != TRANSACTION || m->marked[i]) return NO;
  m->marked[i] = true;
  return YES;
}
static enum reply dele_1(struct model *m) { return mark(m, 0); }
static enum reply dele_2(struct model *m) { return mark(m, 1); }
static enum reply rset(struct model *m) {
  if (m->where != TRANSACTION) return NO;
  m->marked[0] = m->marked[1] = false;
  return YES;
}
static enum reply quit(struct model *m) {
  m->where = OVER;
  return YES;
}

struct command {
  const char *line;
  enum reply (*model)(struct model *m);
  bool opens; /* what logs in or talks about it: left out of the sequences that begin inside */
};

static const struct command commands[] = {
  { "STAT\r\n", inside, false },
  { "LIST\r\n", inside_lines, false },
  { "LIST 1\r\n", of_first, false },
  { "RETR 1\r\n", first_lines, false },
  { "DELE 1\r\n", dele_1, false },
  { "DELE 2\r\n", dele_2, false },
  { "RSET\r\n", rset, false },
  { "NOOP\r\n", inside, false },
  { "TOP 1 0\r\n", first_lines, false },
  { "UIDL\r\n", inside_lines, false },
  { "CAPA\r\n", both_lines, false },
  { "FROB\r\n", no, false },
  { "QUIT\r\n", quit, false },
  { "STLS\r\n", stls, true },
  { "USER mrose\r\n", user, true },
  { "PASS tanstaaf\r\n", pass, true },
  { "PASS wrong\r\n", no, true },
  { "APOP mrose c4c9334bac560ecc979e58001b3e22fb\r\n", apop, true },
  { "AUTH PLAIN AG1yb3NlAHRhbnN0YWFm\r\n", auth_plain, true },
  { "AUTH LOGIN\r\n", auth_login, true },
  { "AUTH\r\n", auth_list, true },
  { "*\r\n", no, true },
  { "LANG de\r\n", both_yes, true },
  { "UTF8\r\n", utf8, true },
};
enum { COMMANDS = sizeof commands / sizeof *commands };

/* RFC 1939 §7: PASS "immediately after a successful USER". */
static enum reply expected(struct model *m, const struct command *c) {
  bool had_user = m->user, clears = c->model != pass;
  m->user = had_user && !clears;
  enum reply r = c->model(m);
  if (c->model == pass) m->user = false;
  return r;
}

/* --- what was said --- */

static struct slice take_line_of(struct slice *s) {
  ptrdiff_t end = slice_search(*s, SLICE("\r\n"));
  assert_true(end >= 0);
  struct slice line = slice_first(*s, (size_t)end);
  *s = slice_from(*s, (size_t)end + 2);
  return line;
}

static void check_reply(struct pop3_world *w, enum reply want) {
  static const char *const starts[] = {
    [NO] = "-ERR", [YES] = "+OK", [LINES] = "+OK", [CHALLENGE] = "+ "
  };
  struct slice rest = buf_slice(&w->said), line = take_line_of(&rest);
  if (!slice_starts(line, slice_str(starts[want])))
    fail_msg("not %s but: %.*s", starts[want], SLICE_ARG(line));
  assert_true(line.n + 2 <= LINE_MAX_1939);
  if (want == LINES) do
      line = take_line_of(&rest);
    while (!slice_eq(line, SLICE(".")));
  if (rest.n) fail_msg("more than a reply: %.*s", SLICE_ARG(rest));
}

static const unsigned sizes[] = { 120, 200 };

static void check_listings(struct pop3_world *w, const struct command *c, const struct model *m) {
  char want[200];
  unsigned left = 0, octets = 0;
  for (int i = 0; i < 2; i++) {
    left += !m->marked[i];
    octets += m->marked[i] ? 0 : sizes[i];
  }
  if (c->model == inside && c->line[0] == 'S') {
    snprintf(want, sizeof want, "+OK %u %u\r\n", left, octets);
    assert_true(slice_eq(buf_slice(&w->said), slice_str(want)));
  } else if (c->model == inside_lines && c->line[0] == 'L') {
    struct slice rest = buf_slice(&w->said);
    take_line_of(&rest);
    snprintf(want, sizeof want, "%s%s.\r\n", m->marked[0] ? "" : "1 120\r\n",
             m->marked[1] ? "" : "2 200\r\n");
    assert_true(slice_eq(rest, slice_str(want)));
  }
}

/* --- one sequence --- */

static char texts[2][201];

static void begin(struct pop3_world *w) {
  world_init(w);
  w->conf.pop3_error_limit = w->conf.login_failures = 1000;
  for (size_t i = 0; i < 2; i++) {
    memset(texts[i], 'x', sizes[i]);
    memcpy(texts[i], "A: b\r\n\r\n", 8);
    memcpy(texts[i] + sizes[i] - 2, "\r\n", 2);
    world_message(w, slice_of(texts[i], sizes[i]));
  }
  world_start(w);
}

/* A line inside SASL is a response, whatever it looks like: one line comes back, and "+ " asks for
 * another. */
static void check_response(struct pop3_world *w, struct model *m) {
  bool more = slice_starts(buf_slice(&w->said), SLICE("+ "));
  check_reply(w, more ? CHALLENGE : NO);
  if (!more) m->where = AUTHORIZATION;
}

static void one_command(struct pop3_world *w, struct model *m, const struct command *c) {
  buf_reset(&w->said);
  world_send(w, slice_str(c->line));
  if (m->where == SASL) {
    check_response(w, m);
  } else {
    enum reply want = expected(m, c);
    check_reply(w, want);
    if (want != NO) check_listings(w, c, m);
  }
  assert_int_equal(w->locked, m->where == TRANSACTION);
  assert_int_equal(w->closed, m->where == OVER);
  assert_true(w->closed || (!w->p->ask.type && !w->p->more && w->p->want == PROTO_READ));
}

static void end(struct pop3_world *w, const struct model *m, bool quit_inside) {
  if (!w->closed) {
    pop3d_session_ops.gone(w->p, CLOSE_PEER_GONE);
    world_run(w);
  }
  uint32_t gone = quit_inside ? (uint32_t)(m->marked[0] + m->marked[1]) : 0;
  assert_int_equal(w->removed, gone);
  for (uint32_t i = 0; i < gone; i++) assert_true(m->marked[w->deleted[i] - 1]);
  assert_false(w->locked);
  world_free(w);
}

static size_t run_sequence(const struct command *const *sequence, size_t n, bool logged_in) {
  static struct pop3_world w;
  struct model m = { 0 };
  bool quit_inside = false;
  size_t said = 0;
  begin(&w);
  if (logged_in) one_command(&w, &m, &commands[17]);
  for (; said < n && m.where != OVER; said++) {
    bool inside_now = m.where == TRANSACTION;
    one_command(&w, &m, sequence[said]);
    quit_inside = inside_now && m.where == OVER;
  }
  end(&w, &m, quit_inside);
  return said;
}

/* Sequences in the order of an odometer; those that QUIT cut short are skipped over. */
static size_t run_all(const struct command *const *alphabet, size_t letters, size_t length,
                      bool logged_in) {
  size_t digits[8] = { 0 }, count = 0;
  for (;; count++) {
    const struct command *sequence[8];
    for (size_t i = 0; i < length; i++) sequence[i] = alphabet[digits[i]];
    size_t at = run_sequence(sequence, length, logged_in);
    for (size_t i = at; i < length; i++) digits[i] = letters - 1;
    at = length;
    while (at > 0 && ++digits[at - 1] == letters) digits[--at] = 0;
    if (at == 0) return count + 1;
  }
}

static void every_sequence_of_commands(void **state) {
  const struct command *all[COMMANDS], *inner[COMMANDS];
  size_t n = 0, inside_n = 0;
  for (; n < COMMANDS; n++) {
    all[n] = &commands[n];
    if (!commands[n].opens) inner[inside_n++] = all[n];
  }
  size_t shorter = sample_step(1) > 1;
  size_t count = run_all(all, n, 4 - shorter, false);
  count += run_all(inner, inside_n, (getenv("SOAK") ? 5 : 4) - shorter, true);
  print_message("%zu sequences\n", count);
}

/* RFC 1939 §3: "Responses may be up to 512 characters long, including the terminating CRLF": with
 * the longest names. */
static void the_longest_replies(void **state) {
  static struct pop3_world w;
  static const char *const lines[] = { "CAPA\r\n",
                                       "LANG ru\r\n",
                                       "NOPE\r\n",
                                       "TOP 1\r\n",
                                       "APOP mrose c4c9334bac560ecc979e58001b3e22fb\r\n",
                                       "RETR 9\r\n",
                                       "STAT\r\n",
                                       "QUIT\r\n" };
  static char host[256];
  memset(host, 'h', 255);
  world_init(&w);
  w.conf.hostname = host;
  pop3d_service_init(&w.service, &w.conf, "pop3", true, &w.facts);
  memset(w.start.nonce, 0xff, sizeof w.start.nonce);
  world_start(&w);
  for (size_t i = 0; i < sizeof lines / sizeof *lines; i++) {
    world_send(&w, slice_str(lines[i]));
    for (struct slice rest = buf_slice(&w.said); rest.n;)
      assert_true(take_line_of(&rest).n + 2 <= LINE_MAX_1939);
    buf_reset(&w.said);
  }
  world_free(&w);
}

/* RFC 1939 §4: "the POP3 server must release the lock prior to rejecting the command". */
static void no_lock_behind_a_refusal(void **state) {
  static struct pop3_world w;
  struct buf b;
  begin(&w);
  w.hold = true;
  world_send(&w, SLICE("APOP mrose c4c9334bac560ecc979e58001b3e22fb\r\n"));
  world_auth_ok(&w);
  world_run(&w);
  w.locked = true;
  buf_init(&b, IPC_PAYLOAD_MAX);
  pop_opened_put(&b, &(struct pop_opened){ .outcome = POP_DONE, .count = 2, .uidvalidity = 1 });
  world_answer(&w, pop_opened_type, &b);
  buf_reset(&w.said);
  pop3d_session_ops.answer(w.p, pop_listing_type, SLICE("nonsense"));
  assert_int_equal(w.p->ask.type, pop_close_type); /* said to store first */
  assert_true(w.locked);
  assert_true(world_step(&w));
  assert_false(w.locked);
  assert_int_equal(buf_len(&w.said), 0);
  world_run(&w);
  assert_true(slice_starts(buf_slice(&w.said), SLICE("-ERR [SYS/TEMP]")));
  assert_true(w.closed);
  world_free(&w);
}

int main(void) {
  const struct CMUnitTest tests[] = {
    cmocka_unit_test(every_sequence_of_commands),
    cmocka_unit_test(the_longest_replies),
    cmocka_unit_test(no_lock_behind_a_refusal),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
