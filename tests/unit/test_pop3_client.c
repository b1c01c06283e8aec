/* SPDX-License-Identifier: ISC */
/* The POP3 client session: against servers that are honest, chatty, mistaken and hostile. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/unit/pop3_script.h"

static const size_t cuts[] = { 0, 1, 2, 3, 5, 7, 64 };

/* Plays the script with every cut of the octets, with a sink that holds and one that does not. */
static void check(struct pop3_client_start *start, const struct script *like, const char *text,
                  enum pop3_end end, const char *log) {
  for (size_t i = 0; i < 2 * sizeof cuts / sizeof *cuts; i++) {
    struct script t;
    script_init(&t);
    struct pop3_sink sink = t.start.sink;
    if (start) t.start = *start, t.start.sink = sink;
    if (like) {
      t.wish = like->wish, t.lines = like->lines, t.late = like->late, t.unsafe = like->unsafe;
      t.at_listed = like->at_listed, t.at_begin = like->at_begin;
      t.at_piece = like->at_piece, t.at_end = like->at_end;
    }
    t.cut = cuts[i / 2];
    t.hold = i % 2;
    assert_true(script_play(&t, text));
    assert_string_equal(pop3_end_word(t.c->end), pop3_end_word(end));
    if (end != POP3_END_NONE) assert_int_equal(t.c->proto.want, PROTO_CLOSE);
    if (log && !slice_eq(buf_slice(&t.log), slice_str(log))) {
      print_error("cut %zu, hold %d; wanted:\n%s\ngot:\n%.*s\n", t.cut, t.hold, log,
                  SLICE_ARG(buf_slice(&t.log)));
      fail();
    }
    assert_int_equal(buf_len(&t.c->proto.out), 0);
    script_free(&t);
  }
}

static void init_start(struct pop3_client_start *s) {
  struct script t;
  script_init(&t);
  *s = t.start;
  script_free(&t);
}

#define OPEN "S: +OK POP3 server ready <1896.697170952@dbc.mtview.ca.us>\nC: CAPA\n"
#define CAPA_USER "S: +OK\nS: USER\nS: UIDL\nS: TOP\nS: PIPELINING\nS: .\n"
#define LOGIN "C: USER mrose\nS: +OK\nC: PASS tanstaaf\nS: +OK\n"
#define TWO                                                                   \
  "C: LIST\nC: UIDL\nS: +OK 2 messages\nS: 1 10\nS: 2 5\nS: .\nS: +OK\nS: 1 " \
  "whqtswO00WBw418f9t5JxYwZ\nS: 2 "                                           \
  "QhdPYR:00WBw1Ph7x7\nS: .\n"
#define TWO_LISTED "listed 2\n  1 10 whqtswO00WBw418f9t5JxYwZ\n  2 5 QhdPYR:00WBw1Ph7x7\n"
#define QUIT "C: QUIT\nS: +OK bye\n"

/* --- the whole way --- */

static void fetches_and_keeps(void **state) {
  check(NULL, NULL,
        OPEN CAPA_USER LOGIN TWO
        "C: RETR 1\nC: RETR 2\nS: +OK\nS: a:b\nS: \nS: ..\nS: .\nS: +OK\nS: x: y\nS: .\n" QUIT,
        POP3_END_DONE, TWO_LISTED "begin 1\na:b\r\n\r\n.\r\nend 1 10\nbegin 2\nx: y\r\nend 2 6\n");
}

static void moves_what_is_safe(void **state) {
  struct script like = { .wish = POP3_MOVE };
  check(NULL, &like,
        OPEN CAPA_USER LOGIN TWO
        "C: RETR 1\nC: RETR 2\nS: +OK\nS: a:b\nS: \nS: ..\nS: .\nS: +OK\nS: x: y\nS: .\n"
        "C: DELE 1\nC: DELE 2\nS: +OK\nS: +OK\n" QUIT,
        POP3_END_DONE, NULL);
}

static void without_pipelining_one_at_a_time(void **state) {
  struct script like = { .wish = POP3_MOVE };
  check(NULL, &like,
        OPEN "S: -ERR what?\n" LOGIN
             "C: LIST\nS: +OK\nS: 1 6\nS: 7 6\nS: .\nC: UIDL\nS: -ERR unknown\n"
             "C: RETR 1\nS: +OK\nS: a: b\nS: .\nC: RETR 7\nS: +OK\nS: x: y\nS: .\nC: DELE 1\nS: "
             "+OK\nC: DELE "
             "7\nS: +OK\n" QUIT,
        POP3_END_DONE,
        "listed 2\n  1 6 \n  7 6 \nbegin 1\na: b\r\nend 1 6\nbegin 7\nx: y\r\nend 7 6\n");
}

static void nothing_there(void **state) {
  check(NULL, NULL, OPEN CAPA_USER LOGIN "C: LIST\nC: UIDL\nS: +OK\nS: .\nS: +OK\nS: .\n" QUIT,
        POP3_END_DONE, "listed 0\n");
}

static void looks(void **state) {
  struct script like = { .wish = POP3_LOOK, .lines = 3 };
  check(NULL, &like,
        OPEN CAPA_USER LOGIN TWO "C: TOP 1 3\nC: TOP 2 3\nS: +OK\nS: a: b\nS: .\nS: -ERR no\n" QUIT,
        POP3_END_DONE, TWO_LISTED "begin 1\na: b\r\nend 1 6\nrefused 2\n");
}

/* Another message may have the same number and UIDL: the client deletes only what it fetched in
 * this session. */
static void deletes_only_what_came(void **state) {
  struct script like = { .wish = POP3_MOVE };
  check(NULL, &like,
        OPEN CAPA_USER LOGIN TWO
        "C: RETR 1\nC: RETR 2\nS: -ERR no\nS: +OK\nS: x: y\nS: .\nC: DELE 2\nS: -ERR no\n" QUIT,
        POP3_END_DONE, TWO_LISTED "refused 1\nbegin 2\nx: y\r\nend 2 6\nrefused 2\n");
}

static void leaves_all(void **state) {
  struct script like = { .wish = POP3_LEAVE };
  check(NULL, &like, OPEN CAPA_USER LOGIN TWO QUIT, POP3_END_DONE, TWO_LISTED);
}

/* A server may delete at QUIT whatever was fetched. */
static void never_says_quit(void **state) {
  struct script like = { .wish = POP3_MOVE };
  struct pop3_client_start s;
  init_start(&s);
  s.policy.no_quit = true;
  check(&s, &like,
        OPEN CAPA_USER LOGIN TWO
        "C: RETR 1\nC: RETR 2\nS: +OK\nS: aaaaaaaa\nS: .\nS: +OK\nS: x: y\nS: .\n",
        POP3_END_DONE, TWO_LISTED "begin 1\naaaaaaaa\r\nend 1 10\nbegin 2\nx: y\r\nend 2 6\n");
}

static void login_only(void **state) {
  struct pop3_client_start s;
  init_start(&s);
  s.policy.login_only = true;
  check(&s, NULL, OPEN CAPA_USER LOGIN QUIT, POP3_END_DONE, "");
}

/* --- never deleted before it is safe --- */

static void unsafe_is_not_deleted(void **state) {
  struct script like = { .wish = POP3_MOVE, .unsafe = true };
  check(NULL, &like,
        OPEN CAPA_USER LOGIN TWO
        "C: RETR 1\nC: RETR 2\nS: +OK\nS: a:b\nS: \nS: ..\nS: .\nS: +OK\nS: x: y\nS: .\n" QUIT,
        POP3_END_DONE, NULL);
}

static void waits_until_it_is_safe(void **state) {
  struct script t;
  script_init(&t);
  t.wish = POP3_MOVE, t.late = true;
  assert_true(
      script_play(&t, OPEN CAPA_USER LOGIN TWO
                  "C: RETR 1\nC: RETR 2\nS: +OK\nS: aaaaaaaa\nS: .\nS: +OK\nS: x: y\nS: .\n"));
  assert_true(t.c->settling);
  assert_int_equal(buf_len(&t.c->proto.out), 0);
  pop3_client_settle(t.c, &t.c->items[1], true);
  assert_int_equal(buf_len(&t.c->proto.out), 0);
  pop3_client_settle(t.c, &t.c->items[0], false);
  pop3_client_settle(t.c, &t.c->items[0], true); /* the first settlement counts */
  assert_true(script_play(&t, "C: DELE 2\nS: +OK\n" QUIT));
  assert_int_equal(t.c->items[0].state, POP3_FAILED);
  assert_int_equal(t.c->items[1].state, POP3_DELETED);
  assert_int_equal(t.c->end, POP3_END_DONE);
  script_free(&t);
}

static void a_sink_that_never_answers_ends_it(void **state) {
  struct script like = { .wish = POP3_MOVE, .late = true };
  check(NULL, &like,
        OPEN CAPA_USER LOGIN TWO
        "C: RETR 1\nC: RETR 2\nS: +OK\nS: aaaaaaaa\nS: .\nS: +OK\nS: x: y\nS: .\n+: 601\n",
        POP3_END_SINK, NULL);
}

static void short_ones_are_kept(void **state) {
  struct script like = { .wish = POP3_MOVE };
  struct pop3_client_start s;
  /* What follows a message shorter than listed may be the rest of it: the client discards the reply
   * to a RETR already sent, and repeats the RETR once the server has named the right UIDL. */
  const char *text = OPEN CAPA_USER LOGIN TWO
      "C: RETR 1\nC: RETR 2\nS: +OK\nS: a: b\nS: .\nS: +OK\nS: forged\nS: .\n"
      "C: UIDL 2\nS: +OK 2 QhdPYR:00WBw1Ph7x7\n"
      "C: RETR 2\nS: +OK\nS: x: y\nS: .\nC: DELE 2\nS: +OK\n" QUIT;
  check(NULL, &like, text, POP3_END_DONE, NULL);
  /* A forger does not know the UIDL. */
  static const char *const forged[] = { "+OK", "+OK 2 x", "+OK 1 QhdPYR:00WBw1Ph7x7",
                                        "-ERR no such message" };
  for (size_t i = 0; i < sizeof forged / sizeof *forged; i++) {
    char line[512];
    snprintf(line, sizeof line,
             OPEN CAPA_USER LOGIN TWO "C: RETR 1\nC: RETR 2\nS: +OK\nS: a: b\nS: .\nS: -ERR\n"
                                      "C: UIDL 2\nS: %s\n",
             forged[i]);
    check(NULL, &like, line, POP3_END_PROTOCOL, NULL);
  }
  /* What came before it goes. */
  check(NULL, &like,
        OPEN CAPA_USER LOGIN TWO
        "C: RETR 1\nC: RETR 2\nS: +OK\nS: aaaaaaaa\nS: .\nS: +OK\nS: y\nS: .\nC: DELE 1\nS: "
        "+OK\n" QUIT,
        POP3_END_DONE, NULL);
  init_start(&s);
  s.policy.delete_short = true;
  check(&s, &like,
        OPEN CAPA_USER LOGIN TWO
        "C: RETR 1\nC: RETR 2\nS: +OK\nS: a: b\nS: .\nS: +OK\nS: x: y\nS: .\n"
        "C: DELE 1\nC: DELE 2\nS: +OK\nS: +OK\n" QUIT,
        POP3_END_DONE, NULL);
}

/* A first line begins with a dot that the server did not stuff: the message seems to end at once,
 * and the rest of it reads as replies. */
static void out_of_step(void **state) {
  static const char *const rests[] = { "S: ..\nS: x\nS: .\n", "S: +OK\nS: forged\nS: .\nS: .\n" };
  for (size_t i = 0; i < sizeof rests / sizeof *rests; i++) {
    struct script t;
    char text[1024];
    script_init(&t);
    t.wish = POP3_MOVE;
    snprintf(text, sizeof text, OPEN CAPA_USER LOGIN TWO "C: RETR 1\nC: RETR 2\nS: +OK\nS: .\n%s",
             rests[i]);
    assert_true(script_play(&t, text));
    assert_int_equal(t.c->end, POP3_END_PROTOCOL);
    assert_ptr_equal(t.c->stuck, &t.c->items[0]);
    assert_int_equal(buf_len(&t.c->proto.out), 0);
    script_free(&t);
  }
}

/* Some servers count a line end as one octet, or list arbitrary sizes: a message may be cut
 * although as many octets arrived as listed. The client accepts its end, and what follows, only
 * after the server has named the right UIDL, and repeats the RETRs already sent. */
static void size_proves_nothing(void **state) {
  struct script like = { .wish = POP3_MOVE };
  const char *begun = OPEN CAPA_USER LOGIN TWO "C: RETR 1\nC: RETR 2\n"
                                               "S: +OK\nS: a: b\nS: \nS: x\nS: .\n";
  struct buf b;
  buf_init(&b, 65536);
  buf_printf(&b,
             "%sS: +OK\nS: x: y\nS: .\nC: UIDL 2\nS: +OK 2 QhdPYR:00WBw1Ph7x7\n"
             "C: RETR 2\nS: +OK\nS: x: y\nS: .\nC: DELE 1\nC: DELE 2\nS: +OK\nS: +OK\n" QUIT,
             begun);
  check(NULL, &like, buf_cstr(&b), POP3_END_DONE,
        TWO_LISTED "begin 1\na: b\r\n\r\nx\r\nend 1 11\nbegin 2\nx: y\r\nend 2 6\n");
  buf_reset(&b);
  buf_printf(&b, "%sS: +OK\nS: forged\nS: .\nC: UIDL 2\nS: +OK\n", begun);
  check(NULL, &like, buf_cstr(&b), POP3_END_PROTOCOL,
        TWO_LISTED "begin 1\na: b\r\n\r\nx\r\ncut 1\n");
  buf_free(&b);
}

/* The second has as many octets as announced, from a server that counted less for the first. */
static void size_is_right_and_it_is_cut(void **state) {
  struct script like = { .wish = POP3_MOVE };
  check(NULL, &like,
        OPEN CAPA_USER LOGIN "C: LIST\nC: UIDL\nS: +OK\nS: 1 5\nS: 2 6\nS: .\nS: +OK\nS: 1 a\nS: 2 "
                             "b\nS: .\n"
                             "C: RETR 1\nC: RETR 2\nS: +OK\nS: x: y\nS: .\nS: +OK\nS: x: y\nS: .\n"
                             "C: UIDL 1\nS: +OK\n",
        POP3_END_PROTOCOL,
        "listed 2\n  1 5 a\n  2 6 b\nbegin 1\nx: y\r\nend 1 6\nbegin 2\nx: y\r\ncut 2\n");
}

/* Where the server died, or stands still. */
static void stuck_at(void **state) {
  static const struct {
    const char *text;
    int item;
  } rows[] = { { "C: RETR 1\nC: RETR 2\nX:\n", 0 },
               { "C: RETR 1\nC: RETR 2\nS: +OK\nS: aaaa\nX:\n", 0 },
               { "C: RETR 1\nC: RETR 2\nS: +OK\nS: aaaaaaaa\nS: .\nX:\n", 1 },
               { "C: RETR 1\nC: RETR 2\nS: +OK\nS: aaaaaaaa\nS: .\nS: +OK\nS: x\n+: 200\n", 1 },
               { "C: RETR 1\nC: RETR 2\nS: +OK\nS: aaaaaaaa\nS: .\nS: x\n", 0 },
               { "C: RETR 1\nC: RETR 2\nS: x\n", 0 },
               { "C: RETR 1\nC: RETR 2\nS: +OK\nS: aaaaaaaa\nS: .\nS: +OK\nS: x: y\nS: .\nC: "
                 "QUIT\nS: x\n",
                 -1 },
               { "C: RETR 1\nC: RETR 2\nS: -ERR a\nS: -ERR b\nC: QUIT\nX:\n", -1 } };
  for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
    struct script t;
    char text[1024];
    script_init(&t);
    snprintf(text, sizeof text, "%s%s", OPEN CAPA_USER LOGIN TWO, rows[i].text);
    assert_true(script_play(&t, text));
    assert_ptr_equal(t.c->stuck, rows[i].item < 0 ? NULL : &t.c->items[rows[i].item]);
    script_free(&t);
  }
}

/* What the sink is told when the connection is lost. */
static void broken_off(void **state) {
  struct script like = { .wish = POP3_MOVE };
  const char *begin = OPEN CAPA_USER LOGIN TWO "C: RETR 1\nC: RETR 2\nS: +OK\nS: aaaaaaaa\nS: .\n";
  struct buf b;
  buf_init(&b, 65536);
  buf_printf(&b, "%sS: +OK\nS: x: y\nX:\n", begin);
  check(NULL, &like, buf_cstr(&b), POP3_END_GONE,
        TWO_LISTED "begin 1\naaaaaaaa\r\nend 1 10\nbegin 2\nx: y\r\ncut 2\n");
  buf_reset(&b);
  buf_printf(&b, "%sX:\n", begin);
  check(NULL, &like, buf_cstr(&b), POP3_END_GONE, TWO_LISTED "begin 1\naaaaaaaa\r\nend 1 10\n");
  buf_reset(&b);
  buf_printf(&b, "%sS: +OK\nS: x: y\nS: .\nC: DELE 1\nC: DELE 2\nS: +OK\nS: +OK\nC: QUIT\nX:\n",
             begin);
  check(NULL, &like, buf_cstr(&b), POP3_END_QUIT_UNHEARD, NULL);
  buf_reset(&b);
  buf_printf(&b,
             "%sS: +OK\nS: x: y\nS: .\nC: DELE 1\nC: DELE 2\nS: +OK\nS: +OK\nC: QUIT\nS: -ERR some "
             "were not "
             "removed\n",
             begin);
  check(NULL, &like, buf_cstr(&b), POP3_END_QUIT_REFUSED, NULL);
  buf_free(&b);
  check(NULL, NULL,
        OPEN CAPA_USER LOGIN TWO "C: RETR 1\nC: RETR 2\nS: -ERR a\nS: -ERR b\nC: QUIT\nX:\n",
        POP3_END_DONE, TWO_LISTED "refused 1\nrefused 2\n");
}

static void the_sink_says_no(void **state) {
  const char *text = OPEN CAPA_USER LOGIN TWO
      "C: RETR 1\nC: RETR 2\nS: +OK\nS: aaaaaaaa\nS: .\nS: +OK\nS: x: y\nS: .\n" QUIT;
  struct script t;
  for (int where = 0; where < 3; where++) {
    script_init(&t);
    t.wish = POP3_MOVE, t.late = true;
    t.at_begin = where == 0 ? POP3_SINK_NO : POP3_SINK_ON;
    t.at_piece = where == 1 ? POP3_SINK_NO : POP3_SINK_ON;
    t.at_end = where == 2 ? POP3_SINK_NO : POP3_SINK_ON;
    assert_true(script_play(&t, text));
    assert_int_equal(t.c->end, POP3_END_DONE);
    assert_int_equal(t.c->items[0].state, POP3_FAILED);
    script_free(&t);
  }
  script_init(&t);
  t.at_piece = POP3_SINK_OVER;
  assert_true(script_play(&t, OPEN CAPA_USER LOGIN TWO
                          "C: RETR 1\nC: RETR 2\nS: +OK\nS: aaaaaaaa\nS: .\n"));
  assert_int_equal(t.c->end, POP3_END_SINK);
  script_free(&t);
}

/* --- the opening --- */

static void greeting_refused(void **state) {
  check(NULL, NULL, "S: -ERR go away\n", POP3_END_NOT_WELCOME, "");
  check(NULL, NULL, "S: -ERR [SYS/TEMP] later\n", POP3_END_TROUBLE, "");
  check(NULL, NULL, "S: 220 mx.example.org ESMTP\n", POP3_END_PROTOCOL, "");
  check(NULL, NULL, "X:\n", POP3_END_GONE, "");
  check(NULL, NULL, "+: 121\n", POP3_END_IDLE, "");
}

static void stls(void **state) {
  struct pop3_client_start s;
  init_start(&s);
  s.policy = (struct pop3_client_policy){ .tls = POP3_TLS_MUST };
  check(&s, NULL,
        OPEN
        "S: +OK\nS: STLS\nS: SASL CRAM-MD5\nS: .\nC: STLS\nS: +OK go\nT:\nC: CAPA\n" CAPA_USER LOGIN
            TWO "C: RETR 1\nC: RETR 2\nS: -ERR\nS: -ERR\n" QUIT,
        POP3_END_DONE, NULL);
  check(&s, NULL, OPEN "S: +OK\nS: USER\nS: .\nC: QUIT\n", POP3_END_NO_TLS, "");
  check(&s, NULL, OPEN "S: -ERR\nC: QUIT\n", POP3_END_NO_TLS, "");
  s.policy.tls = POP3_TLS_IF_OFFERED;
  check(&s, NULL, OPEN "S: +OK\nS: USER\nS: STLS\nS: .\nC: STLS\nS: -ERR no\nC: QUIT\n",
        POP3_END_STLS_REFUSED, "");
  s.policy.tls = POP3_TLS_NEVER;
  s.policy.may_show = true;
  check(&s, NULL, OPEN "S: +OK\nS: USER\nS: STLS\nS: PIPELINING\nS: .\n" LOGIN "C: LIST\nC: UIDL\n",
        POP3_END_NONE, "");
}

/* UTF8 keeps messages unconverted (RFC 6856): the client sends it once, after any STLS, and goes on
 * whatever the reply is. */
static void utf8_is_said_where_it_is_known(void **state) {
  struct pop3_client_start s;
  init_start(&s);
  const char *const answers[] = { "+OK", "-ERR not today" };
  for (int i = 0; i < 2; i++) {
    char text[512];
    snprintf(text, sizeof text,
             OPEN "S: +OK\nS: USER\nS: UTF8 USER\nS: PIPELINING\nS: .\nC: UTF8\nS: %s\n" LOGIN
                  "C: LIST\nC: UIDL\n",
             answers[i]);
    s.policy = (struct pop3_client_policy){ .tls = POP3_TLS_NEVER, .may_show = true };
    check(&s, NULL, text, POP3_END_NONE, "");
  }
  s.policy = (struct pop3_client_policy){ .tls = POP3_TLS_MUST };
  check(&s, NULL,
        OPEN "S: +OK\nS: STLS\nS: UTF8\nS: .\nC: STLS\nS: +OK go\nT:\nC: CAPA\n" CAPA_USER LOGIN TWO
             "C: RETR 1\nC: RETR 2\nS: -ERR\nS: -ERR\n" QUIT,
        POP3_END_DONE, NULL);
}

/* attacks TL-12: what follows the reply to STLS in the same segment may be injected. */
static void stls_injection(void **state) {
  struct script t;
  script_init(&t);
  t.start.policy = (struct pop3_client_policy){ .tls = POP3_TLS_MUST };
  assert_true(
      script_play(&t, OPEN "S: +OK\nS: STLS\nS: .\nC: STLS\nS: +OK go\nS: +OK\nS: USER\nS: .\n"));
  assert_int_equal(t.c->end, POP3_END_INJECTION);
  assert_int_equal(buf_len(&t.c->proto.out), 0);
  script_free(&t);
}

/* A timestamp received before TLS may be an attacker's: the client does not use it for APOP. */
static void no_apop_after_stls(void **state) {
  struct pop3_client_start s;
  init_start(&s);
  s.policy = (struct pop3_client_policy){ .tls = POP3_TLS_MUST };
  s.mechanism = "apop";
  check(&s, NULL,
        OPEN "S: +OK\nS: STLS\nS: .\nC: STLS\nS: +OK\nT:\nC: CAPA\n" CAPA_USER "C: QUIT\n",
        POP3_END_NO_MECHANISM, "");
}

/* --- logins --- */

static void apop(void **state) {
  struct pop3_client_start s;
  init_start(&s);
  s.mechanism = "apop";
  const char *rfc =
      OPEN CAPA_USER "C: APOP mrose c4c9334bac560ecc979e58001b3e22fb\nS: +OK\nC: LIST\nC: UIDL\n";
  check(&s, NULL, rfc, POP3_END_NONE, "");
  s.mechanism = NULL;
  s.policy.may_show = false; /* no password without TLS */
  /* and no digest without TLS, unless configured */
  check(&s, NULL, OPEN CAPA_USER "C: QUIT\n", POP3_END_NO_TLS, "");
  check(&s, NULL, OPEN "S: +OK\nS: SASL CRAM-MD5 SCRAM-SHA-256\nS: .\nC: QUIT\n", POP3_END_NO_TLS,
        "");
  check(&s, NULL, OPEN "S: -ERR\nC: QUIT\n", POP3_END_NO_TLS, "");
  s.policy.clear = true;
  check(&s, NULL, rfc, POP3_END_NONE, "");
  check(&s, NULL, "S: +OK\nC: CAPA\n" CAPA_USER "C: QUIT\n", POP3_END_NO_MECHANISM, "");
  s.mechanism = "user";
  check(&s, NULL, OPEN CAPA_USER "C: QUIT\n", POP3_END_NO_MECHANISM, "");
  s.mechanism = "plain";
  check(&s, NULL, OPEN CAPA_USER "C: QUIT\n", POP3_END_NO_MECHANISM, "");
  s.mechanism = "no-such-thing";
  check(&s, NULL, OPEN CAPA_USER "C: QUIT\n", POP3_END_NO_MECHANISM, "");
}

/* Announced, and not known. */
static void unknown_mechanisms(void **state) {
  static const char *const words[] = { "Unknown command", "unrecognized authentication type",
                                       "AUTH not supported", "command not implemented",
                                       "Invalid command." };
  for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
    char text[512];
    snprintf(text, sizeof text,
             OPEN "S: +OK\nS: SASL PLAIN\nS: PIPELINING\nS: .\nC: AUTH PLAIN "
                  "AG1yb3NlAHRhbnN0YWFm\nS: -ERR %s\n" LOGIN "C: LIST\nC: UIDL\n",
             words[i]);
    check(NULL, NULL, text, POP3_END_NONE, "");
    snprintf(text, sizeof text,
             OPEN "S: +OK\nS: SASL PLAIN\nS: .\nC: AUTH PLAIN AG1yb3NlAHRhbnN0YWFm\nS: -ERR %s\nC: "
                  "USER mrose\nS: -ERR %s\n"
                  "C: QUIT\n",
             words[i], words[i]);
    check(NULL, NULL, text, POP3_END_LOGIN_WRONG, ""); /* once */
  }
  check(NULL, NULL,
        OPEN "S: +OK\nS: SASL PLAIN\nS: .\nC: AUTH PLAIN AG1yb3NlAHRhbnN0YWFm\nS: -ERR unknown "
             "user or wrong password\n"
             "C: QUIT\n",
        POP3_END_LOGIN_WRONG, "");
  struct pop3_client_start s;
  init_start(&s);
  s.policy = (struct pop3_client_policy){ .clear = true }; /* no password without TLS */
  check(&s, NULL,
        OPEN "S: +OK\nS: SASL CRAM-MD5\nS: .\nC: AUTH CRAM-MD5\nS: -ERR unknown command\n"
             "C: APOP mrose c4c9334bac560ecc979e58001b3e22fb\nS: -ERR unknown command\nC: QUIT\n",
        POP3_END_LOGIN_WRONG, "");
}

#define EVERY                                                                         \
  "SASL EXTERNAL XOAUTH2 OAUTHBEARER CRAM-MD5 LOGIN PLAIN SCRAM-SHA-1 SCRAM-SHA-256 " \
  "SCRAM-SHA-1-PLUS "                                                                 \
  "SCRAM-SHA-256-PLUS NTLM"

/* A server that announces everything: the client tries mechanisms in the order of
 * mail/sasl/login.h, as far as the channel permits. */
static void every_mechanism(void **state) {
  struct pop3_client_start s;
  init_start(&s);
  s.policy.may_show = true;
  check(&s, NULL,
        OPEN "S: +OK\nS: USER\nS: PIPELINING\nS: " EVERY
             "\nS: .\nC: AUTH SCRAM-SHA-256 biwsbj1tcm9zZSxyPUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQQ==\n"
             "S: -ERR Unknown authentication mechanism\n"
             "C: AUTH SCRAM-SHA-1 biwsbj1tcm9zZSxyPUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQQ==\n"
             "S: -ERR Unknown authentication mechanism\n" LOGIN "C: LIST\nC: UIDL\n",
        POP3_END_NONE, "");
  s.policy = (struct pop3_client_policy){ .clear = true };
  check(&s, NULL,
        OPEN "S: +OK\nS: USER\nS: PIPELINING\nS: " EVERY
             "\nS: .\nC: AUTH SCRAM-SHA-256 biwsbj1tcm9zZSxyPUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQQ==\n"
             "S: -ERR [AUTH] no\nC: QUIT\n",
        POP3_END_LOGIN_WRONG, "");
  s.policy = (struct pop3_client_policy){ .second_try = true };
  check(&s, NULL, OPEN "S: +OK\nS: USER\nS: PIPELINING\nS: " EVERY "\nS: .\nC: QUIT\n",
        POP3_END_NO_TLS, "");
}

/* PLAIN cannot carry a password that is not UTF-8: the client uses a mechanism that can. */
static void other_octets(void **state) {
  struct pop3_client_start s;
  init_start(&s);
  s.secret = SLICE("tanst\344\344f");
  check(&s, NULL,
        OPEN "S: +OK\nS: PIPELINING\nS: SASL PLAIN LOGIN\nS: .\nC: AUTH LOGIN\nS: + "
             "VXNlcm5hbWU6\nC: bXJvc2U=\n"
             "S: + UGFzc3dvcmQ6\nC: dGFuc3Tk5GY=\nS: +OK\nC: LIST\nC: UIDL\n",
        POP3_END_NONE, "");
}

static void plain_and_login(void **state) {
  check(NULL, NULL,
        OPEN
        "S: +OK\nS: PIPELINING\nS: SASL PLAIN LOGIN\nS: .\nC: AUTH PLAIN AG1yb3NlAHRhbnN0YWFm\nS: "
        "+OK\nC: LIST\nC: UIDL\n",
        POP3_END_NONE, "");
  check(NULL, NULL,
        OPEN "S: +OK\nS: PIPELINING\nS: SASL LOGIN CRAM-MD5\nS: .\nC: AUTH LOGIN\nS: + "
             "VXNlcm5hbWU6\nC: bXJvc2U=\n"
             "S: + UGFzc3dvcmQ6\nC: dGFuc3RhYWY=\nS: +OK\nC: LIST\nC: UIDL\n",
        POP3_END_NONE, "");
}

/* RFC 5034 §4: a line of more than 255 octets waits for the server's "+ ". */
static void long_initial_responses_wait(void **state) {
  struct pop3_client_start s;
  char secret[201];
  struct buf b;
  init_start(&s);
  memset(secret, 'x', 200);
  s.secret = slice_of(secret, 200);
  buf_init(&b, 4096);
  buf_put_str(&b, OPEN
              "S: +OK\nS: PIPELINING\nS: SASL PLAIN\nS: .\nC: AUTH PLAIN\nS: + \nC: AG1yb3NlAHh4");
  for (int i = 0; i < 198 / 3; i++) buf_put_str(&b, "eHh4");
  buf_put_str(&b, "\nS: +OK\nC: LIST\nC: UIDL\n");
  check(&s, NULL, buf_cstr(&b), POP3_END_NONE, "");
  buf_free(&b);
}

static void cancelled(void **state) {
  check(NULL, NULL,
        OPEN
        "S: +OK\nS: SASL LOGIN\nS: .\nC: AUTH LOGIN\nS: + !!!\nC: *\nS: -ERR cancelled\nC: QUIT\n",
        POP3_END_UNPROVEN, "");
  check(NULL, NULL, OPEN "S: +OK\nS: SASL LOGIN\nS: .\nC: AUTH LOGIN\nS: + !!!\nC: *\nS: + AAAA\n",
        POP3_END_PROTOCOL, "");
  check(NULL, NULL,
        OPEN "S: +OK\nS: SASL LOGIN\nS: .\nC: AUTH LOGIN\nS: + !!!\nC: *\nS: +OK hello\n",
        POP3_END_UNPROVEN, "");
}

/* A server that sends +OK without its SCRAM signature has not proved that it knows the account. */
static void scram_unproven(void **state) {
  struct pop3_client_start s;
  init_start(&s);
  s.mechanism = "scram-sha-256";
  check(&s, NULL,
        OPEN "S: +OK\nS: SASL SCRAM-SHA-256\nS: .\nC: AUTH SCRAM-SHA-256 "
             "biwsbj1tcm9zZSxyPUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQQ==\nS: +OK welcome\n",
        POP3_END_UNPROVEN, "");
}

/* SCRAM first; refused, once more with what every account can, under TLS that was verified only. */
static void second_try(void **state) {
  struct pop3_client_start s;
  init_start(&s);
  s.policy = (struct pop3_client_policy){ .tls = POP3_TLS_IMPLICIT, .second_try = true };
  const char *capa = "S: +OK\nC: CAPA\nS: +OK\nS: PIPELINING\nS: SASL PLAIN SCRAM-SHA-1\nS: .\n"
                     "C: AUTH SCRAM-SHA-1 eSwsbj1tcm9zZSxyPUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQQ==\n";
  struct buf b;
  buf_init(&b, 4096);
  buf_printf(
      &b,
      "%sS: -ERR [AUTH] wrong\nC: AUTH PLAIN AG1yb3NlAHRhbnN0YWFm\nS: -ERR [AUTH] wrong\nC: QUIT\n",
      capa);
  check(&s, NULL, buf_cstr(&b), POP3_END_LOGIN_WRONG, "");
  buf_reset(&b);
  buf_printf(&b, "%sS: -ERR [IN-USE] locked\nC: QUIT\n", capa);
  check(&s, NULL, buf_cstr(&b), POP3_END_IN_USE, "");
  s.policy.second_try = false;
  buf_reset(&b);
  buf_printf(&b, "%sS: -ERR [AUTH] wrong\nC: QUIT\n", capa);
  check(&s, NULL, buf_cstr(&b), POP3_END_LOGIN_WRONG, "");
  buf_free(&b);
}

static void why_the_login_was_refused(void **state) {
  static const struct {
    const char *capa, *says;
    enum pop3_end end;
  } rows[] = {
    { "", "[AUTH] no", POP3_END_LOGIN_WRONG },
    { "", "no", POP3_END_LOGIN_WRONG },
    { "", "[IN-USE] locked", POP3_END_IN_USE },
    { "", "[in-use] locked", POP3_END_IN_USE },
    { "", "unable to Lock maildrop", POP3_END_IN_USE },
    { "", "[LOGIN-DELAY] wait", POP3_END_LOGIN_DELAY },
    { "", "[SYS/TEMP] disk", POP3_END_TROUBLE },
    { "", "[SYS/PERM] no such disk", POP3_END_SERVER_BROKEN },
    { "", "[SYS/PERM/2] no such disk", POP3_END_SERVER_BROKEN },
    { "", "[SYSTEM] what", POP3_END_LOGIN_WRONG },
    { "S: AUTH-RESP-CODE\n", "database", POP3_END_TROUBLE }, /* RFC 3206 §3 */
    { "S: AUTH-RESP-CODE\n", "[AUTH] no", POP3_END_LOGIN_WRONG },
  };
  for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
    char text[512];
    snprintf(
        text, sizeof text,
        OPEN
        "S: +OK\nS: USER\n%sS: .\nC: USER mrose\nS: +OK\nC: PASS tanstaaf\nS: -ERR %s\nC: QUIT\n",
        rows[i].capa, rows[i].says);
    check(NULL, NULL, text, rows[i].end, "");
  }
}

static void no_second_line_in_a_name(void **state) {
  struct pop3_client_start s;
  init_start(&s);
  s.user = SLICE("mrose\r\nDELE 1");
  check(&s, NULL, OPEN CAPA_USER "C: QUIT\n", POP3_END_UNSENDABLE, "");
  s.user = SLICE("mrose");
  s.secret = SLICE("a\nb");
  check(&s, NULL, OPEN CAPA_USER "C: USER mrose\nS: +OK\nC: QUIT\n", POP3_END_UNSENDABLE, "");
}

/* --- hostile lists --- */

static void lists(void **state) {
  static const struct {
    const char *list, *uidl;
    enum pop3_end end;
    const char *log;
  } rows[] = {
    { "S: 2 5\nS: 1 10\n", "S: 1 a\nS: 2 b\n", POP3_END_DONE, "listed 2\n  1 10 a\n  2 5 b\n" },
    { "S: 1 5\nS: 1 5\n", "", POP3_END_PROTOCOL, "" },
    { "S: 0 5\n", "", POP3_END_PROTOCOL, "" },
    { "S: 1\n", "", POP3_END_PROTOCOL, "" },
    { "S: one 5\n", "", POP3_END_PROTOCOL, "" },
    { "S: -1 5\n", "", POP3_END_PROTOCOL, "" },
    { "S: 4294967296 5\n", "", POP3_END_PROTOCOL, "" },
    { "S: 18446744073709551616 5\n", "", POP3_END_PROTOCOL, "" },
    { "S: 1 18446744073709551616\n", "", POP3_END_PROTOCOL, "" },
    { "S: 1 18446744073709551615\nS: 2 18446744073709551615\n", "", POP3_END_DONE,
      "listed 2\n  1 18446744073709551615 \n  2 18446744073709551615 \n" },
    { "S: 1 5 and more\n", "S: 1 a\n", POP3_END_DONE, "listed 1\n  1 5 a\n" },
    { "S: 1 5\n", "S: 1 a\nS: 1 b\n", POP3_END_PROTOCOL, "" },
    { "S: 1 5\n", "S: 2 a\n", POP3_END_DONE, "listed 1\n  1 5 \n" },
    { "S: 1 5\n", "S: 1 a\x01z\n", POP3_END_DONE,
      "listed 1\n  1 5 long-63ca5a499b34757dc5f3a8ee4405f18ce0da310491e9438682457066d669e2f3\n" },
    { "S: 1 5\n", "S: 1 a b\n", POP3_END_DONE,
      "listed 1\n  1 5 long-c8687a08aa5d6ed2044328fa6a697ab8e96dc34291e8c2034ae8c38e6fcc6d65\n" },
    { "S: 1 5\n", "S: 1 \n", POP3_END_DONE, "listed 1\n  1 5 \n" },
    { "S: 1 5\n", "S: 1 xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx\n",
      POP3_END_DONE,
      "listed 1\n  1 5 long-87a1e4c1c92b7b7a7c46433d780de6cc19f9ef34fdb872c875fd6363ab238a56\n" },
    { "S: 1 5\nS: 2 5\nS: 3 5\n", "S: 1 a\nS: 2 b\nS: 3 a\n", POP3_END_DONE,
      "listed 3\n  1 5 a twin\n    like 1, 2\n  2 5 b\n  3 5 a twin\n    like 1, 2\n" },
    { "S: 1 5\nS: 2 6\n", "S: 1 a\nS: 2 a\n", POP3_END_DONE,
      "listed 2\n  1 5 a twin\n  2 6 a twin\n" },
    { "S:  1 \t5 \nS: \t2  6\t\n", "S:  1\ta \nS: 2 \t b\t\n", POP3_END_DONE,
      "listed 2\n  1 5 a\n  2 6 b\n" },
  };
  for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
    struct script like = { .wish = POP3_LEAVE };
    char text[1024];
    snprintf(text, sizeof text,
             OPEN CAPA_USER LOGIN "C: LIST\nC: UIDL\nS: +OK\n%sS: .\nS: +OK\n%sS: .\n%s",
             rows[i].list, rows[i].uidl, rows[i].end == POP3_END_DONE ? QUIT : "");
    check(NULL, &like, text, rows[i].end, rows[i].log);
  }
}

static void list_and_uidl_refused(void **state) {
  check(NULL, NULL, OPEN CAPA_USER LOGIN "C: LIST\nC: UIDL\nS: -ERR no\nC: QUIT\n",
        POP3_END_NO_LIST, "");
  check(NULL, NULL,
        OPEN CAPA_USER LOGIN "C: LIST\nC: UIDL\nS: +OK\nS: .\nS: -ERR [SYS/TEMP] no\nC: QUIT\n",
        POP3_END_TROUBLE, "");
}

/* A list longer than the limit is cut; one without end, or a line without end, ends the session. */
static void endless_lists(void **state) {
  struct script t;
  struct buf b;
  buf_init(&b, SCRIPT_MAX);
  for (int endless = 0; endless < 2; endless++) {
    script_init(&t);
    t.start.limits.messages = 10;
    t.wish = POP3_LEAVE;
    buf_reset(&b);
    buf_put_str(&b, OPEN CAPA_USER LOGIN "C: LIST\nC: UIDL\nS: +OK\n");
    for (int i = 1; i <= (endless ? 2000 : 500); i++) buf_printf(&b, "S: %d 1\n", i);
    buf_put_str(&b, endless ? "S: .\n" : "S: .\nS: +OK\nS: 10 z\nS: 11 y\nS: .\n" QUIT);
    assert_true(script_play(&t, buf_cstr(&b)));
    assert_int_equal(t.c->end, endless ? POP3_END_TOO_MUCH : POP3_END_DONE);
    assert_int_equal(t.c->count, 10);
    assert_true(t.c->list_cut);
    if (!endless) assert_int_equal(t.c->items[9].uidl.n, 1);
    script_free(&t);
  }
  static const char *const where[] = { "", OPEN, OPEN "S: +OK\n",
                                       OPEN CAPA_USER LOGIN "C: LIST\nC: UIDL\nS: +OK\n" };
  for (size_t i = 0; i < sizeof where / sizeof *where; i++) {
    script_init(&t);
    assert_true(script_play(&t, where[i]));
    buf_reset(&b);
    for (int n = 0; n < 100000; n++) buf_put_u8(&b, 'x');
    script_say(&t, buf_slice(&b));
    assert_int_equal(t.c->end, POP3_END_TOO_MUCH);
    script_free(&t);
  }
  buf_free(&b);
}

/* A server gives all its messages the same UIDL, which then identifies none of them. */
static void one_uidl_for_all(void **state) {
  struct script t;
  struct buf b;
  buf_init(&b, SCRIPT_MAX);
  for (int more = 0; more < 2; more++) {
    int n = POP3_CLIENT_TWINS + more;
    script_init(&t);
    t.wish = POP3_LEAVE;
    buf_reset(&b);
    buf_put_str(&b, OPEN CAPA_USER LOGIN "C: LIST\nC: UIDL\nS: +OK\n");
    for (int i = 1; i <= n + 1; i++) buf_printf(&b, "S: %d %d\n", i, i);
    buf_put_str(&b, "S: .\nS: +OK\n");
    for (int i = 1; i <= n; i++) buf_printf(&b, "S: %d all\n", i);
    buf_printf(&b, "S: %d one\nS: .\n" QUIT, n + 1);
    assert_true(script_play(&t, buf_cstr(&b)));
    assert_int_equal(t.c->end, POP3_END_DONE);
    assert_int_equal(t.c->items[0].uidl.n, more ? 0 : 3);
    assert_int_equal(t.c->items[n - 1].uidl.n, more ? 0 : 3);
    assert_int_equal(t.c->items[n].uidl.n, 3);
    assert_int_equal(t.c->items[0].twin, !more);
    script_free(&t);
  }
  buf_free(&b);
}

/* A line that ends with a bare LF is not complete; the session times out. */
static void bare_line_feeds(void **state) {
  struct script t;
  script_init(&t);
  assert_true(script_play(&t, ""));
  script_say(&t, SLICE("+OK hello\n"));
  assert_int_equal(t.c->end, POP3_END_NONE);
  assert_int_equal(buf_len(&t.c->proto.out), 0);
  assert_true(script_play(&t, "+: 121\n"));
  assert_int_equal(t.c->end, POP3_END_IDLE);
  script_free(&t);
}

static void octets_that_nobody_asked_for(void **state) {
  struct script like = { .wish = POP3_MOVE, .late = true };
  const char *begin = OPEN CAPA_USER LOGIN TWO
      "C: RETR 1\nC: RETR 2\nS: +OK\nS: aaaaaaaa\nS: .\nS: +OK\nS: x: y\nS: .\n";
  struct buf b;
  buf_init(&b, 65536);
  buf_printf(&b, "%sS: +OK\n", begin);
  check(NULL, &like, buf_cstr(&b), POP3_END_PROTOCOL, NULL);
  buf_reset(&b);
  buf_printf(&b, "%sS: -ERR autologout\n", begin);
  check(NULL, &like, buf_cstr(&b), POP3_END_GONE, NULL);
  buf_free(&b);
  check(NULL, NULL, OPEN CAPA_USER "C: USER mrose\nS: + what\n", POP3_END_PROTOCOL, "");
}

/* --- messages that are longer than announced, larger than wanted, slow --- */

static void put_message(struct buf *b, size_t octets) {
  buf_put(b, SLICE("+OK\r\n"));
  for (size_t i = 0; i + 1 < octets / 64; i++)
    buf_put(b, SLICE("123456789012345678901234567890123456789012345678901234567890aa\r\n"));
  buf_put(b, SLICE("123456789012345678901234567890123456789012345678901234567890aa\r\n.\r\n"));
}

static void longer_than_announced(void **state) {
  struct script t;
  struct buf b;
  buf_init(&b, SCRIPT_MAX);
  script_init(&t);
  t.wish = POP3_MOVE;
  assert_true(script_play(&t, OPEN CAPA_USER LOGIN TWO "C: RETR 1\nC: RETR 2\n"));
  put_message(&b, 128 * 1024);
  script_say(&t, buf_slice(&b));
  assert_int_equal(t.c->items[0].state, POP3_FAILED);
  assert_non_null(strstr(buf_cstr(&t.log), "cut 1"));
  assert_true(script_play(&t, "S: +OK\nS: x: y\nS: .\nC: DELE 2\nS: +OK\n" QUIT));
  assert_int_equal(t.c->end, POP3_END_DONE);
  script_free(&t);
  /* without end */
  script_init(&t);
  t.start.limits.message = 256 * 1024;
  assert_true(script_play(&t, OPEN CAPA_USER LOGIN TWO "C: RETR 1\nC: RETR 2\n"));
  buf_reset(&b);
  put_message(&b, 512 * 1024);
  script_say(&t, buf_slice(&b));
  assert_int_equal(t.c->end, POP3_END_TOO_MUCH);
  script_free(&t);
  buf_free(&b);
}

static void too_large_is_not_fetched(void **state) {
  struct pop3_client_start s;
  init_start(&s);
  s.limits.message = 9;
  check(&s, NULL, OPEN CAPA_USER LOGIN TWO "C: RETR 2\nS: +OK\nS: x: y\nS: .\n" QUIT, POP3_END_DONE,
        NULL);
}

static void the_window(void **state) {
  struct script t;
  struct buf b;
  buf_init(&b, 65536);
  script_init(&t);
  t.start.limits.window = 3;
  t.start.limits.unsettled = 4;
  t.late = true;
  buf_put_str(&b, OPEN CAPA_USER LOGIN "C: LIST\nC: UIDL\nS: +OK\n");
  for (int i = 1; i <= 9; i++) buf_printf(&b, "S: %d 6\n", i);
  buf_put_str(&b,
              "S: .\nS: -ERR\nC: RETR 1\nC: RETR 2\nC: RETR 3\nS: +OK\nS: a: b\nS: .\nC: RETR 4\n"
              "S: +OK\nS: a: b\nS: .\nS: +OK\nS: a: b\nS: .\nS: +OK\nS: a: b\nS: .\n");
  assert_true(script_play(&t, buf_cstr(&b)));
  assert_int_equal(buf_len(&t.c->proto.out), 0);
  assert_true(t.c->settling);
  script_settle(&t, true);
  assert_true(script_play(&t, "C: RETR 5\nC: RETR 6\nC: RETR 7\n"));
  script_free(&t);
  /* by octets */
  script_init(&t);
  t.start.limits.window_octets = 12;
  assert_true(script_play(&t, OPEN CAPA_USER LOGIN TWO
                          "C: RETR 1\nS: +OK\nS: aaaaaaaa\nS: .\nC: RETR 2\n"));
  script_free(&t);
  buf_free(&b);
}

static void tricklers(void **state) {
  struct script t;
  script_init(&t);
  assert_true(script_play(&t, OPEN CAPA_USER LOGIN TWO "C: RETR 1\nC: RETR 2\nS: +OK\n"));
  for (int i = 0; i < 200 && t.c->end == POP3_END_NONE; i++) {
    script_say(&t, SLICE("x\r\n"));
    assert_true(script_play(&t, "+: 1\n"));
  }
  assert_int_equal(t.c->end, POP3_END_IDLE);
  assert_non_null(strstr(buf_cstr(&t.log), "cut 1"));
  script_free(&t);
}

/* At the end of its time it asks for nothing more, but deletes what is safe. */
static void session_time(void **state) {
  struct script t;
  script_init(&t);
  t.wish = POP3_MOVE;
  t.start.limits.session_ms = 60000;
  t.start.limits.window = 1;
  assert_true(script_play(&t, OPEN CAPA_USER LOGIN TWO
                          "C: RETR 1\nS: +OK\n+: 61\nS: aaaaaaaa\nS: .\nC: DELE 1\nS: +OK\n" QUIT));
  assert_int_equal(t.c->end, POP3_END_DONE);
  assert_int_equal(t.c->items[1].state, POP3_LISTED);
  script_free(&t);
  script_init(&t);
  t.start.limits.session_ms = 60000;
  assert_true(script_play(&t, OPEN CAPA_USER LOGIN TWO "C: RETR 1\nC: RETR 2\nS: +OK\n+: 61\n"));
  for (int i = 0; i < 200 && t.c->end == POP3_END_NONE; i++) {
    struct buf b;
    buf_init(&b, 65536);
    for (int j = 0; j < 200; j++) buf_put(&b, SLICE("xxxxxxxxxxxxxxxxxxxx\r\n"));
    script_say(&t, buf_slice(&b));
    buf_free(&b);
    assert_true(script_play(&t, "+: 1\n"));
  }
  assert_int_equal(t.c->end, POP3_END_SESSION_TIME);
  script_free(&t);
}

static void finish_early(void **state) {
  struct script t;
  script_init(&t);
  t.wish = POP3_MOVE;
  t.start.limits.window = 1;
  assert_true(script_play(&t, OPEN CAPA_USER LOGIN TWO "C: RETR 1\nS: +OK\n"));
  pop3_client_finish(t.c);
  assert_true(script_play(&t, "S: aaaaaaaa\nS: .\nC: DELE 1\nS: +OK\n" QUIT));
  assert_int_equal(t.c->end, POP3_END_DONE);
  script_free(&t);
}

static void the_trace_has_no_password(void **state);

struct traced {
  struct buf text;
};
static void take_trace(void *arg, char direction, struct slice line) {
  struct traced *x = arg;
  buf_printf(&x->text, "%c: %.*s\n", direction, SLICE_ARG(line));
}

static void the_trace_has_no_password(void **state) {
  struct traced x;
  struct script t;
  buf_init(&x.text, 65536);
  script_init(&t);
  t.start.trace = (struct proto_trace){ take_trace, &x };
  assert_true(script_play(&t, OPEN CAPA_USER LOGIN TWO));
  assert_null(strstr(buf_cstr(&x.text), "tanstaaf"));
  assert_non_null(strstr(buf_cstr(&x.text), "C: PASS (password)\n"));
  script_free(&t);
  script_init(&t);
  t.start.trace = (struct proto_trace){ take_trace, &x };
  assert_true(script_play(
      &t, OPEN
      "S: +OK\nS: PIPELINING\nS: SASL PLAIN LOGIN\nS: .\nC: AUTH PLAIN AG1yb3NlAHRhbnN0YWFm\n"));
  assert_null(strstr(buf_cstr(&x.text), "AG1"));
  script_free(&t);
  buf_free(&x.text);
}

int main(void) {
  const struct CMUnitTest tests[] = {
    cmocka_unit_test(fetches_and_keeps),
    cmocka_unit_test(moves_what_is_safe),
    cmocka_unit_test(without_pipelining_one_at_a_time),
    cmocka_unit_test(nothing_there),
    cmocka_unit_test(looks),
    cmocka_unit_test(deletes_only_what_came),
    cmocka_unit_test(leaves_all),
    cmocka_unit_test(never_says_quit),
    cmocka_unit_test(login_only),
    cmocka_unit_test(unsafe_is_not_deleted),
    cmocka_unit_test(waits_until_it_is_safe),
    cmocka_unit_test(a_sink_that_never_answers_ends_it),
    cmocka_unit_test(short_ones_are_kept),
    cmocka_unit_test(out_of_step),
    cmocka_unit_test(size_proves_nothing),
    cmocka_unit_test(size_is_right_and_it_is_cut),
    cmocka_unit_test(stuck_at),
    cmocka_unit_test(broken_off),
    cmocka_unit_test(the_sink_says_no),
    cmocka_unit_test(greeting_refused),
    cmocka_unit_test(stls),
    cmocka_unit_test(utf8_is_said_where_it_is_known),
    cmocka_unit_test(stls_injection),
    cmocka_unit_test(no_apop_after_stls),
    cmocka_unit_test(apop),
    cmocka_unit_test(unknown_mechanisms),
    cmocka_unit_test(every_mechanism),
    cmocka_unit_test(other_octets),
    cmocka_unit_test(plain_and_login),
    cmocka_unit_test(long_initial_responses_wait),
    cmocka_unit_test(cancelled),
    cmocka_unit_test(scram_unproven),
    cmocka_unit_test(second_try),
    cmocka_unit_test(why_the_login_was_refused),
    cmocka_unit_test(no_second_line_in_a_name),
    cmocka_unit_test(lists),
    cmocka_unit_test(list_and_uidl_refused),
    cmocka_unit_test(endless_lists),
    cmocka_unit_test(one_uidl_for_all),
    cmocka_unit_test(bare_line_feeds),
    cmocka_unit_test(octets_that_nobody_asked_for),
    cmocka_unit_test(longer_than_announced),
    cmocka_unit_test(too_large_is_not_fetched),
    cmocka_unit_test(the_window),
    cmocka_unit_test(tricklers),
    cmocka_unit_test(session_time),
    cmocka_unit_test(finish_early),
    cmocka_unit_test(the_trace_has_no_password),
  };
  return cmocka_run_group_tests_name("pop3_client", tests, NULL, NULL);
}
