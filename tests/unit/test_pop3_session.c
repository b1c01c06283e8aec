/* SPDX-License-Identifier: ISC */
/* The POP3 session against scripted processes: RFC 1939's example, each verb in each state, and
 * what hostile clients, failing processes and large maildrops do to it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <malloc.h>

#include "mail/pop3/line.h"
#include "src/pop3d/lang.h"
#include "tests/unit/pop3_world.h"

#define GREETING "+OK POP3 server ready <1896.697170952@dbc.mtview.ca.us>\r\n"
#define APOP "APOP mrose c4c9334bac560ecc979e58001b3e22fb\r\n"
#define TEXT1 "From: a@example.org\r\nSubject: one\r\n\r\n"

static struct pop3_world *world_new(void) {
  struct pop3_world *w = malloc(sizeof *w);
  assert_non_null(w);
  world_init(w);
  return w;
}

static void world_end(struct pop3_world **w) {
  world_free(*w);
  free(*w);
  *w = NULL;
}

static void assert_said(struct pop3_world *w, const char *want) {
  struct slice got = buf_slice(&w->said);
  if (!slice_eq(got, slice_str(want))) fail_msg("said: %.*s\nwant: %s", SLICE_ARG(got), want);
  buf_reset(&w->said);
}

static void assert_starts(struct pop3_world *w, const char *want) {
  struct slice got = buf_slice(&w->said);
  if (!slice_starts(got, slice_str(want))) fail_msg("said: %.*s\nwant: %s", SLICE_ARG(got), want);
  buf_reset(&w->said);
}

static void assert_asked(struct pop3_world *w, const char *want) {
  struct slice got = buf_slice(&w->asked);
  if (!slice_eq(got, slice_str(want))) fail_msg("asked: %.*s\nwant: %s", SLICE_ARG(got), want);
  buf_reset(&w->asked);
}

static void say(struct pop3_world *w, const char *line, const char *want) {
  world_send(w, slice_str(line));
  assert_said(w, want);
}

static void says(struct pop3_world *w, const char *line, const char *want) {
  world_send(w, slice_str(line));
  assert_starts(w, want);
}

static void start(struct pop3_world *w) {
  world_start(w);
  assert_said(w, GREETING);
}

/* Two messages of 120 and 200 octets, as in RFC 1939 §10. */
static char text1[121], text2[201];

static struct pop3_world *rfc_world(void) {
  struct pop3_world *w = world_new();
  memset(text1, 'x', sizeof text1);
  memset(text2, 'y', sizeof text2);
  memcpy(text1, TEXT1, strlen(TEXT1));
  memcpy(text2, TEXT1, strlen(TEXT1));
  memcpy(text1 + 118, "\r\n", 3);
  memcpy(text2 + 198, "\r\n", 3);
  world_message(w, slice_of(text1, 120));
  world_message(w, slice_of(text2, 200));
  start(w);
  return w;
}

static struct pop3_world *logged_in(void) {
  struct pop3_world *w = rfc_world();
  says(w, APOP, "+OK mrose's maildrop has 2 messages (320 octets)\r\n");
  buf_reset(&w->asked);
  return w;
}

static void retrieved(struct pop3_world *w, const char *line, const char *first, const char *text) {
  char want[512];
  snprintf(want, sizeof want, "%s\r\n%s.\r\n", first, text);
  say(w, line, want);
}

/* --- the sessions that every reader knows --- */

static void the_session_of_rfc_1939_10(void **state) {
  struct pop3_world *w = rfc_world();
  say(w, APOP, "+OK mrose's maildrop has 2 messages (320 octets)\r\n");
  say(w, "STAT\r\n", "+OK 2 320\r\n");
  say(w, "LIST\r\n", "+OK 2 messages (320 octets)\r\n1 120\r\n2 200\r\n.\r\n");
  retrieved(w, "RETR 1\r\n", "+OK 120 octets", text1);
  say(w, "DELE 1\r\n", "+OK message 1 deleted\r\n");
  retrieved(w, "RETR 2\r\n", "+OK 200 octets", text2);
  say(w, "DELE 2\r\n", "+OK message 2 deleted\r\n");
  say(w, "QUIT\r\n", "+OK dbc.mtview.ca.us POP3 server signing off (maildrop empty)\r\n");
  assert_true(w->closed);
  assert_int_equal(w->p->reason, CLOSE_QUIT);
  assert_int_equal(w->removed, 2);
  assert_int_equal(w->deleted[0], 1);
  assert_int_equal(w->deleted[1], 2);
  assert_asked(w, "apop mrose <1896.697170952@dbc.mtview.ca.us>\nopen\ndelete\nquit\n");
  world_end(&w);
}

static void user_and_pass(void **state) {
  struct pop3_world *w = rfc_world();
  w->conf.plaintext_auth = true;
  say(w, "USER mrose\r\n", "+OK User accepted\r\n");
  say(w, "PASS tanstaaf\r\n", "+OK Pass accepted\r\n");
  say(w, "QUIT\r\n", "+OK dbc.mtview.ca.us POP3 server signing off (2 messages left)\r\n");
  assert_asked(w, "login mrose tanstaaf\nopen\nquit\n");
  assert_false(w->locked);
  world_end(&w);
}

/* The examples that stand with the commands in RFC 1939 §5 and §7. */
static void the_examples_of_each_command(void **state) {
  struct pop3_world *w = logged_in();
  w->messages[1].uidl = "QhdPYR:00WBw1Ph7x7";
  say(w, "LIST 2\r\n", "+OK 2 200\r\n");
  say(w, "LIST 3\r\n", "-ERR no such message, only 2 messages in maildrop\r\n");
  say(w, "TOP 1 0\r\n", "+OK top of message follows\r\n" TEXT1 ".\r\n");
  says(w, "TOP 100 3\r\n", "-ERR no such message");
  say(w, "UIDL\r\n",
      "+OK unique-id listing follows\r\n1 0000abcd00000001\r\n2 0000abcd00000002\r\n.\r\n");
  say(w, "UIDL 3\r\n", "-ERR no such message, only 2 messages in maildrop\r\n");
  say(w, "NOOP\r\n", "+OK\r\n");
  say(w, "DELE 1\r\n", "+OK message 1 deleted\r\n");
  say(w, "DELE 1\r\n", "-ERR message 1 already deleted\r\n");
  say(w, "RSET\r\n", "+OK maildrop has 2 messages (320 octets)\r\n");
  say(w, "DELE 2\r\n", "+OK message 2 deleted\r\n");
  say(w, "QUIT\r\n", "+OK dbc.mtview.ca.us POP3 server signing off (1 message left)\r\n");
  assert_int_equal(w->removed, 1);
  assert_int_equal(w->deleted[0], 2);
  world_end(&w);
  w = rfc_world();
  say(w, "QUIT\r\n", "+OK dbc.mtview.ca.us POP3 server signing off\r\n");
  assert_asked(w, "");
  world_end(&w);
}

static void an_empty_maildrop(void **state) {
  struct pop3_world *w = world_new();
  start(w);
  say(w, APOP, "+OK mrose's maildrop has 0 messages (0 octets)\r\n");
  say(w, "STAT\r\nLIST\r\nUIDL\r\n",
      "+OK 0 0\r\n+OK 0 messages (0 octets)\r\n.\r\n+OK unique-id listing follows\r\n.\r\n");
  say(w, "RETR 1\r\n", "-ERR no such message, only 0 messages in maildrop\r\n");
  say(w, "QUIT\r\n", "+OK dbc.mtview.ca.us POP3 server signing off (maildrop empty)\r\n");
  world_end(&w);
}

/* --- the matrix --- */

enum { IN_CLEAR, IN_CLEAR_ALLOWED, IN_TLS, AFTER_USER, IN_SASL, LOGGED_IN, SETTINGS };

static struct pop3_world *in_setting(int setting) {
  if (setting == LOGGED_IN) return logged_in();
  struct pop3_world *w = world_new();
  w->conf.plaintext_auth = setting == IN_CLEAR_ALLOWED;
  w->start.secure = setting == IN_TLS || setting == AFTER_USER || setting == IN_SASL;
  start(w);
  if (setting == AFTER_USER) say(w, "USER mrose\r\n", "+OK User accepted\r\n");
  if (setting == IN_SASL) says(w, "AUTH LOGIN\r\n", "+ ");
  return w;
}

/* O: "+OK"; o: "+OK" and the session is at its end or goes on in TLS; E: "-ERR" that counts towards
 * the limit of errors; e: "-ERR" that does not. In SASL every line is a response: base64 goes to
 * auth. */
static const struct {
  const char *line, *golden;
} matrix[] = {
  /*                                                    clear, allowed, tls, user, sasl, in */
  { "CAPA\r\n", "OOOOeO" },
  { "STLS\r\n", "ooEEeE" },
  { "USER mrose\r\n", "EOOOEE" },
  { "PASS tanstaaf\r\n", "EEEOEE" },
  { APOP, "OOOOEE" },
  { "AUTH\r\n", "OOOOeE" },
  { "AUTH \r\n", "OOOOEE" },
  { "AUTH PLAIN AG1yb3NlAHRhbnN0YWFm\r\n", "EOOOEE" },
  { "AUTH GSSAPI\r\n", "EEEEEE" },
  { "STAT\r\n", "EEEEeO" },
  { "LIST\r\n", "EEEEeO" },
  { "LIST 1\r\n", "EEEEEO" },
  { "LIST 3\r\n", "EEEEEe" },
  { "UIDL\r\n", "EEEEeO" },
  { "UIDL 1\r\n", "EEEEEO" },
  { "RETR 1\r\n", "EEEEEO" },
  { "RETR\r\n", "EEEEeE" },
  { "TOP 1 0\r\n", "EEEEEO" },
  { "TOP 1\r\n", "EEEEEE" },
  { "DELE 1\r\n", "EEEEEO" },
  { "DELE 3\r\n", "EEEEEe" },
  { "NOOP\r\n", "EEEEeO" },
  { "NOOP \r\n", "EEEEEO" },
  { "QUIT \r\n", "ooooEo" },
  { "LIST \r\n", "EEEEEO" },
  { "NOOP x\r\n", "EEEEEE" },
  { "RSET\r\n", "EEEEeO" },
  { "LANG\r\n", "OOOOeO" },
  { "LANG de\r\n", "OOOOEO" },
  { "LANG xx\r\n", "EEEEEE" },
  { "UTF8\r\n", "OOOOeE" },
  { "UTF8 USER\r\n", "EEEEEE" },
  { "LAST\r\n", "EEEEeE" },
  { "QUIT\r\n", "ooooeo" },
  { "XTND\r\n", "EEEEeE" },
  { "\r\n", "EEEEeE" },
  { "*\r\n", "EEEEEE" },
};

static char outcome(struct pop3_world *w, const char *line) {
  w->conf.pop3_error_limit = 1; /* a counted refusal closes */
  world_send(w, slice_str(line));
  bool yes = slice_starts(buf_slice(&w->said), SLICE("+OK"));
  bool no = slice_starts(buf_slice(&w->said), SLICE("-ERR"));
  assert_true(yes || no);
  if (yes) return w->closed || w->tls_started ? 'o' : 'O';
  return w->p->reason == CLOSE_TOO_MANY_ERRORS ? 'E' : 'e';
}

static void every_verb_in_every_state(void **state) {
  char got[SETTINGS + 1] = "";
  bool good = true;
  for (size_t i = 0; i < sizeof matrix / sizeof *matrix; i++) {
    for (int setting = 0; setting < SETTINGS; setting++) {
      struct pop3_world *w = in_setting(setting);
      got[setting] = outcome(w, matrix[i].line);
      world_end(&w);
    }
    if (strcmp(got, matrix[i].golden)) {
      print_message("%.*s: %s, not %s\n", (int)strcspn(matrix[i].line, "\r"), matrix[i].line, got,
                    matrix[i].golden);
      good = false;
    }
  }
  assert_true(good);
}

/* --- CAPA --- */

#define CAPA_TAIL \
  "RESP-CODES\r\nAUTH-RESP-CODE\r\nPIPELINING\r\nEXPIRE NEVER\r\nIMPLEMENTATION Qasid\r\n.\r\n"
#define CAPA_HEAD "+OK Capability list follows\r\n"

/* PO-8. RFC 2449 §5: what AUTHORIZATION has stays announced; RFC 2595 §4: STLS only where it works.
 */
static void capa_is_honest(void **state) {
  struct pop3_world *w = logged_in();
  say(w, "CAPA\r\n", CAPA_HEAD "UIDL\r\nTOP\r\nLANG\r\nUTF8\r\n" CAPA_TAIL);
  world_end(&w);
  w = rfc_world();
  say(w, "CAPA\r\n", CAPA_HEAD "STLS\r\nUIDL\r\nTOP\r\nLANG\r\nUTF8\r\n" CAPA_TAIL);
  say(w, "STLS\r\n", "+OK Begin TLS negotiation\r\n");
  say(w, "CAPA\r\n",
      CAPA_HEAD "USER\r\nSASL PLAIN LOGIN\r\nUIDL\r\nTOP\r\nLANG\r\nUTF8\r\n" CAPA_TAIL);
  say(w, "AUTH\r\n", "+OK mechanisms follow\r\nPLAIN\r\nLOGIN\r\n.\r\n");
  world_end(&w);
  w = world_new();
  w->service.has_cert = false;
  w->conf.plaintext_auth = true;
  start(w);
  say(w, "CAPA\r\n",
      CAPA_HEAD "USER\r\nSASL PLAIN LOGIN\r\nUIDL\r\nTOP\r\nLANG\r\nUTF8\r\n" CAPA_TAIL);
  say(w, "STLS\r\n", "-ERR there is no TLS here\r\n");
  world_end(&w);
}

/* auth_mechanisms: what it names, where it may be used; nothing at all has no line (RFC 5034 §3).
 */
static void bindings(void *arg, struct proto_bindings *ret) { ret->exporter_n = 32; }

static void capa_names_mechanisms(void **state) {
  static const char *named[] = { "login", "CRAM-MD5", "SCRAM-SHA-256", "nonsense" };
  struct pop3_world *w = world_new();
  w->conf.auth_mechanisms = (struct conf_list){ named, 4 };
  start(w);
  say(w, "CAPA\r\n",
      CAPA_HEAD "STLS\r\nSASL SCRAM-SHA-256 CRAM-MD5\r\nUIDL\r\nTOP\r\nLANG\r\nUTF8\r\n" CAPA_TAIL);
  say(w, "STLS\r\n", "+OK Begin TLS negotiation\r\n");
  say(w, "AUTH\r\n", "+OK mechanisms follow\r\nSCRAM-SHA-256\r\nLOGIN\r\nCRAM-MD5\r\n.\r\n");
  named[0] = "SCRAM-SHA-1-PLUS";
  says(w, "AUTH SCRAM-SHA-1-PLUS\r\n", "-ERR mechanism not available"); /* nothing to bind to */
  w->p->channel.bindings = bindings;
  say(w, "AUTH\r\n",
      "+OK mechanisms follow\r\nSCRAM-SHA-1-PLUS\r\nSCRAM-SHA-256\r\nCRAM-MD5\r\n.\r\n");
  w->conf.auth_mechanisms.count = 0;
  say(w, "CAPA\r\n", CAPA_HEAD "USER\r\nUIDL\r\nTOP\r\nLANG\r\nUTF8\r\n" CAPA_TAIL);
  says(w, "AUTH LOGIN\r\n", "-ERR mechanism not available"); /* not named, not taken */
  world_end(&w);
}

/* --- logins --- */

static void passwords_keep_their_spaces(void **state) {
  struct pop3_world *w = in_setting(IN_TLS);
  say(w, "USER mrose\r\n", "+OK User accepted\r\n");
  says(w, "PASS  two words \r\n", "-ERR [AUTH]");
  assert_asked(w, "login mrose  two words \n");
  world_end(&w);
}

/* RFC 1939 §7: PASS "immediately after a successful USER". */
static void user_is_for_the_next_command_only(void **state) {
  static const char *const between[] = { "CAPA\r\n", "NOPE\r\n", "STAT\r\n",  "AUTH\r\n",
                                         "USER\r\n", "\r\n",     "APOP x\r\n" };
  for (size_t i = 0; i < sizeof between / sizeof *between; i++) {
    struct pop3_world *w = in_setting(AFTER_USER);
    world_send(w, slice_str(between[i]));
    buf_reset(&w->said);
    say(w, "PASS tanstaaf\r\n", "-ERR say USER first\r\n");
    assert_asked(w, "");
    world_end(&w);
  }
  struct pop3_world *w = in_setting(AFTER_USER);
  says(w, "PASS wrong\r\n", "-ERR [AUTH]");
  say(w, "PASS tanstaaf\r\n", "-ERR say USER first\r\n");
  world_end(&w);
}

static void who_exists_is_not_told(void **state) {
  struct pop3_world *w = in_setting(IN_TLS);
  say(w, "USER nobody\r\nPASS x\r\nUSER mrose\r\nPASS x\r\n",
      "+OK User accepted\r\n-ERR [AUTH] permission denied\r\n+OK User accepted\r\n-ERR [AUTH] "
      "permission denied\r\n");
  says(w, "APOP nobody c4c9334bac560ecc979e58001b3e22fb\r\n", "-ERR [AUTH] permission denied\r\n");
  assert_true(w->closed);
  assert_int_equal(w->p->reason, CLOSE_AUTH_FAILURES);
  world_end(&w);
}

static void failures_have_their_codes(void **state) {
  static const struct {
    uint8_t why;
    const char *reply;
  } rows[] = {
    { AUTH_WRONG, "-ERR [AUTH] permission denied\r\n" },
    { AUTH_MALFORMED, "-ERR malformed response\r\n" },
    { AUTH_UNAVAILABLE, "-ERR mechanism not available\r\n" },
    { AUTH_TROUBLE, "-ERR [SYS/TEMP] logins are not possible at the moment, try again later\r\n" },
  };
  for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
    struct pop3_world *w = in_setting(IN_CLEAR);
    w->refuse_all = true;
    w->fail_why = rows[i].why;
    for (int n = 0; n < 3; n++) say(w, APOP, rows[i].reply);
    assert_int_equal(w->closed, rows[i].why != AUTH_TROUBLE);
    world_end(&w);
  }
}

static void the_maildrop_may_not_open(void **state) {
  static const struct {
    uint8_t outcome;
    const char *reply;
  } rows[] = {
    { POP_IN_USE, "-ERR [IN-USE] unable to lock maildrop\r\n" },
    { POP_TROUBLE, "-ERR [SYS/TEMP] unable to open maildrop, try again later\r\n" },
    { POP_DAMAGED, "-ERR [SYS/PERM] maildrop is damaged, tell the postmaster\r\n" },
  };
  for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
    struct pop3_world *w = rfc_world();
    w->open_outcome = rows[i].outcome;
    say(w, APOP, rows[i].reply);
    says(w, "STAT\r\n", "-ERR log in first");
    w->open_outcome = POP_DONE;
    say(w, APOP, "+OK mrose's maildrop has 2 messages (320 octets)\r\n");
    say(w, "STAT\r\n", "+OK 2 320\r\n");
    world_end(&w);
  }
}

static void sasl_exchanges(void **state) {
  struct pop3_world *w = in_setting(IN_TLS);
  say(w, "AUTH PLAIN AG1yb3NlAHRhbnN0YWFm\r\n",
      "+OK mrose@dbc.mtview.ca.us's maildrop has 0 messages (0 octets)\r\n");
  world_end(&w);
  w = in_setting(IN_TLS);
  say(w, "AUTH PLAIN\r\n", "+ \r\n"); /* RFC 5034 §4: an empty challenge is "+ ", nothing else */
  says(w, "AG1yb3NlAHRhbnN0YWFm\r\n", "+OK ");
  world_end(&w);
  w = in_setting(IN_TLS);
  say(w, "auth login\r\n", "+ VXNlcm5hbWU6\r\n");
  say(w, "bXJvc2U=\r\n", "+ UGFzc3dvcmQ6\r\n");
  says(w, "dGFuc3RhYWY=\r\n", "+OK ");
  world_end(&w);
  w = in_setting(IN_TLS); /* pipelined: the responses wait for their challenges */
  says(w, "AUTH LOGIN\r\nbXJvc2U=\r\ndGFuc3RhYWY=\r\nSTAT\r\n",
       "+ VXNlcm5hbWU6\r\n+ UGFzc3dvcmQ6\r\n+OK ");
  world_end(&w);
}

/* RFC 5034 §4 and AU-3. After each the session is as if AUTH had not been said. */
static void sasl_refusals(void **state) {
  static const char *const responses[] = { "*",        "A",    "AAA",  "=AAA",  "AAA=BBB=",
                                           "AA==AA==", "A A=", "!!!!", "AAAA\n" };
  struct pop3_world *w;
  for (size_t i = 0; i < sizeof responses / sizeof *responses; i++) {
    char line[64];
    w = in_setting(IN_SASL);
    buf_reset(&w->asked);
    snprintf(line, sizeof line, "%s\r\n", responses[i]);
    says(w, line, "-ERR ");
    assert_asked(w, "cancel\n");
    says(w, "AUTH PLAIN AG1yb3NlAHRhbnN0YWFm\r\n", "+OK ");
    world_end(&w);
    if (i == 0) continue;
    w = in_setting(IN_TLS);
    snprintf(line, sizeof line, "AUTH PLAIN %s\r\n", responses[i]);
    says(w, line, "-ERR ");
    assert_asked(w, "");
    world_end(&w);
  }
  w = in_setting(IN_TLS); /* "=" is an empty initial response */
  says(w, "AUTH PLAIN =\r\n", "-ERR [AUTH]");
  assert_asked(w, "start with PLAIN\n");
  world_end(&w);
}

static void sasl_lines_have_a_limit(void **state) {
  static char line[POP3_SASL_MAX + 8];
  for (size_t n = POP3_SASL_MAX - 2; n < POP3_SASL_MAX + 2; n++) {
    struct pop3_world *w = in_setting(IN_SASL);
    buf_reset(&w->asked);
    memset(line, 'A', sizeof line);
    line[n] = '\r';
    line[n + 1] = '\n';
    world_send(w, slice_of(line, n + 2));
    bool fits = n + 2 <= POP3_SASL_MAX && n % 4 == 0;
    assert_int_equal(slice_starts(buf_slice(&w->asked), SLICE("step")), fits);
    buf_reset(&w->said);
    says(w, "AUTH PLAIN AG1yb3NlAHRhbnN0YWFm\r\n", "+OK ");
    world_end(&w);
  }
}

/* TL-10, TL-7, TL-11, TL-1. */
static void stls_forgets_what_was_said(void **state) {
  struct pop3_world *w = world_new();
  w->conf.plaintext_auth = true;
  start(w);
  say(w, "USER mrose\r\n", "+OK User accepted\r\n");
  say(w, "STLS\r\n", "+OK Begin TLS negotiation\r\n");
  assert_true(w->tls_started);
  say(w, "PASS tanstaaf\r\n", "-ERR say USER first\r\n");
  say(w, "STLS\r\n", "-ERR Command not permitted when TLS active\r\n");
  assert_asked(w, "");
  world_end(&w);
  w = rfc_world();
  says(w, "STLS now\r\n", "-ERR ");
  assert_false(w->tls_started);
  world_send(w, SLICE("STLS\r\nUSER mrose\r\n"));
  assert_said(w, "+OK Begin TLS negotiation\r\n");
  assert_true(w->injected);
  assert_false(w->tls_started);
  assert_int_equal(w->p->reason, CLOSE_TLS_INJECTION);
  world_end(&w);
}

/* --- input nobody should send --- */

static void lines_are_strict(void **state) {
  struct pop3_world *w = logged_in();
  says(w, "STAT\nSTAT\r\n", "-ERR a line ends with CRLF\r\n");
  says(w, "STAT\r\r\n", "-ERR unknown command\r\n");
  says(w, " STAT\r\n", "-ERR unknown command\r\n");
  world_send(w, SLICE("ST\0AT\r\nstat\r\n"));
  assert_said(w, "-ERR unknown command\r\n+OK 2 320\r\n");
  char line[300];
  memset(line, 'a', sizeof line);
  memcpy(line + 254, "\r\n", 3);
  world_send(w, slice_of(line, 256));
  assert_said(w, "-ERR line too long\r\n");
  for (int i = 0; i < 40; i++) world_send(w, slice_of(line, 200)); /* and never ends */
  assert_said(w, "");
  for (int i = 0; i < 200 && !w->closed; i++) world_send(w, slice_of(line, 200));
  assert_said(w, "-ERR line too long\r\n");
  assert_int_equal(w->p->reason, CLOSE_LINE_TOO_LONG);
  assert_int_equal(buf_len(&w->in), 0);
  assert_false(w->locked);
  world_end(&w);
}

static void an_octet_at_a_time(void **state) {
  struct pop3_world *w = rfc_world();
  const struct slice all = SLICE(APOP "STAT\r\nLIST 1\r\nQUIT\r\n");
  for (size_t i = 0; i < all.n; i++) world_send(w, slice_first(slice_from(all, i), 1));
  assert_said(w, "+OK mrose's maildrop has 2 messages (320 octets)\r\n+OK 2 320\r\n+OK 1 120\r\n"
                 "+OK dbc.mtview.ca.us POP3 server signing off (2 messages left)\r\n");
  world_end(&w);
}

/* W-1 */
static void other_protocols_are_shown_the_door(void **state) {
  static const char *const openings[] = {
    "GET / HTTP/1.1\r\n", "POST / HTTP/1.1\r\n", "CONNECT a:25 HTTP/1.1\r\n",
    "\x16\x03\x01",       "SSH-2.0-x\r\n",       "*1\r\n",
    "EHLO a\r\n"
  };
  for (size_t i = 0; i < sizeof openings / sizeof *openings; i++) {
    struct pop3_world *w = rfc_world();
    world_send(w, slice_str(openings[i]));
    assert_true(w->closed);
    assert_int_equal(w->p->reason, CLOSE_NOT_MAIL);
    world_end(&w);
  }
}

static void errors_are_counted(void **state) {
  struct pop3_world *w = logged_in();
  for (int i = 0; i < 19; i++) says(w, "NOPE\r\n", "-ERR unknown command\r\n");
  say(w, "RETR 9\r\n", "-ERR no such message, only 2 messages in maildrop\r\n");
  assert_false(w->closed);
  says(w, "NOPE\r\nSTAT\r\n", "-ERR unknown command\r\n");
  assert_true(w->closed);
  assert_int_equal(w->p->reason, CLOSE_TOO_MANY_ERRORS);
  world_end(&w);
}

/* PO-1: whatever is no number of a message is answered -ERR, and the session goes on. */
static void numbers_are_strict(void **state) {
  static const char *const numbers[] = {
    "0",        "-1",         "+1",         "01",         "1x",
    "",         "2147483648", "4294967296", "4294967297", "18446744073709551616",
    "\xd9\xa1", "%d",         "*",          " 1",         "3",
    "0x1",      "1e0"
  };
  static const char *const verbs[] = { "RETR", "DELE", "LIST", "UIDL", "TOP" };
  struct pop3_world *w = logged_in();
  w->conf.pop3_error_limit = 1000;
  for (size_t v = 0; v < sizeof verbs / sizeof *verbs; v++)
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++) {
      char line[80];
      snprintf(line, sizeof line, "%s %s%s\r\n", verbs[v], numbers[i], v == 4 ? " 0" : "");
      /* a blank behind LIST and UIDL is no argument */
      if (!*numbers[i] && (v == 2 || v == 3)) continue;
      says(w, line, "-ERR ");
    }
  says(w, "TOP 1 -1\r\n", "-ERR ");
  says(w, "TOP 1 18446744073709551616\r\n", "-ERR ");
  say(w, "STAT\r\n", "+OK 2 320\r\n");
  assert_asked(w, "");
  world_end(&w);
}

/* --- numbers, marks, deletions --- */

/* PO-2: message numbers stay; commands reject a message marked as deleted, and STAT omits it. */
static void marked_messages(void **state) {
  struct pop3_world *w = logged_in();
  say(w, "DELE 1\r\n", "+OK message 1 deleted\r\n");
  static const char *const lines[] = { "RETR 1\r\n", "DELE 1\r\n", "LIST 1\r\n", "UIDL 1\r\n",
                                       "TOP 1 0\r\n" };
  for (size_t i = 0; i < 5; i++) say(w, lines[i], "-ERR message 1 already deleted\r\n");
  say(w, "STAT\r\n", "+OK 1 200\r\n");
  say(w, "LIST\r\n", "+OK 1 message (200 octets)\r\n2 200\r\n.\r\n");
  say(w, "UIDL\r\n", "+OK unique-id listing follows\r\n2 0000abcd00000002\r\n.\r\n");
  say(w, "LIST 2\r\n", "+OK 2 200\r\n");
  say(w, "LIST 3\r\n", "-ERR no such message, only 2 messages in maildrop\r\n");
  say(w, "RSET\r\nSTAT\r\n", "+OK maildrop has 2 messages (320 octets)\r\n+OK 2 320\r\n");
  world_end(&w);
}

/* PO-3 */
static void without_quit_nothing_is_deleted(void **state) {
  struct pop3_world *w = logged_in();
  say(w, "DELE 1\r\n", "+OK message 1 deleted\r\n");
  pop3d_session_ops.gone(w->p, CLOSE_PEER_GONE);
  world_run(w);
  assert_asked(w, "close\n");
  assert_int_equal(w->p->reason, CLOSE_PEER_GONE_DROP);
  assert_int_equal(w->removed, 0);
  assert_false(w->locked);
  world_end(&w);
  w = logged_in();
  pop3d_session_ops.gone(w->p, CLOSE_PEER_GONE);
  world_run(w);
  assert_int_equal(w->p->reason, CLOSE_PEER_GONE);
  world_end(&w);
}

static void quit_says_ok_only_when_it_is_done(void **state) {
  struct pop3_world *w = logged_in();
  say(w, "DELE 1\r\n", "+OK message 1 deleted\r\n");
  w->hold = true;
  say(w, "QUIT\r\n", "");
  assert_false(w->closed);
  pop3d_session_ops.gone(w->p, CLOSE_PEER_GONE); /* store is at it: nothing to take back */
  assert_int_equal(w->p->reason, CLOSE_PEER_GONE);
  world_end(&w);
  static const struct {
    uint8_t outcome;
    const char *reply;
  } rows[] = {
    { POP_TROUBLE, "-ERR [SYS/TEMP] deleted messages not removed\r\n" },
    { POP_DAMAGED, "-ERR [SYS/PERM] deleted messages not removed\r\n" },
  };
  for (size_t i = 0; i < 2; i++) {
    w = logged_in();
    w->quit_outcome = rows[i].outcome;
    say(w, "DELE 1\r\nQUIT\r\nSTAT\r\n",
        i == 0 ? "+OK message 1 deleted\r\n-ERR [SYS/TEMP] deleted messages not removed\r\n"
               : "+OK message 1 deleted\r\n-ERR [SYS/PERM] deleted messages not removed\r\n");
    assert_true(w->closed);
    assert_int_equal(w->p->reason, CLOSE_QUIT);
    world_end(&w);
  }
}

static void last_is_an_option(void **state) {
  struct pop3_world *w = logged_in();
  says(w, "LAST\r\n", "-ERR unknown command\r\n");
  w->conf.pop3_last = true;
  say(w, "LAST\r\n", "+OK 0\r\n");
  says(w, "RETR 2\r\n", "+OK 200 octets\r\n");
  says(w, "RETR 1\r\n", "+OK 120 octets\r\n");
  say(w, "LAST\r\nRSET\r\nLAST\r\n",
      "+OK 2\r\n+OK maildrop has 2 messages (320 octets)\r\n+OK 0\r\n");
  world_end(&w);
}

/* PO-6: imported ids stand as they are, made ones come from uidvalidity and uid. */
static void unique_ids(void **state) {
  struct pop3_world *w = world_new();
  world_message(w, SLICE("\r\n"));
  world_message(w, SLICE("\r\n"));
  world_message(w, SLICE("\r\n"));
  w->messages[0].uidl = "whqtswO00WBw418f9t5JxYwZ";
  /* 70 */
  w->messages[2].uidl = "~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~";
  start(w);
  says(w, APOP, "+OK");
  say(w, "UIDL\r\n",
      "+OK unique-id listing follows\r\n1 whqtswO00WBw418f9t5JxYwZ\r\n2 0000abcd00000002\r\n"
      "3 ~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~\r\n.\r\n");
  say(w, "UIDL 1\r\n", "+OK 1 whqtswO00WBw418f9t5JxYwZ\r\n");
  world_end(&w);
  /* an id that the protocol can't carry is store's mistake, not the client's problem to parse */
  w = world_new();
  world_message(w, SLICE("\r\n"));
  w->messages[0].uidl = "a b";
  start(w);
  says(w, APOP, "-ERR [SYS/TEMP]");
  assert_true(w->closed);
  assert_false(w->locked);
  world_end(&w);
}

/* --- messages --- */

/* PO-5: what is announced is what is sent, however store cuts it. */
static void sizes_are_exact(void **state) {
  static const struct {
    const char *text, *sent;
    uint64_t announced;
  } rows[] = {
    { "A: b\r\n\r\n.\r\n..\r\n", "A: b\r\n\r\n..\r\n...\r\n", 15 },
    { "A: b\r\n\r\nno end", "A: b\r\n\r\nno end\r\n", 16 },
    { "A: b\r\n", "A: b\r\n\r\n", 8 },
    { "A: b\r\n", "A: b\r\n", 6 },
    { "", "", 0 },
  };
  for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
    for (uint32_t cut = 0; cut < 4; cut++) {
      struct pop3_world *w = world_new();
      char want[128];
      world_message(w, slice_str(rows[i].text));
      w->messages[0].announced = rows[i].announced;
      w->short_reads = cut;
      start(w);
      says(w, APOP, "+OK");
      snprintf(want, sizeof want, "+OK %u octets\r\n%s.\r\n+OK\r\n", (unsigned)rows[i].announced,
               rows[i].sent);
      say(w, "RETR 1\r\nNOOP\r\n", want);
      world_end(&w);
    }
}

/* Rather no message than one that looks whole and is not. */
static void wrong_sizes_never_get_their_dot(void **state) {
  static char text[200000];
  memset(text, 'z', sizeof text);
  memcpy(text, "A: b\r\n\r\n", 8);
  memcpy(text + sizeof text - 2, "\r\n", 2);
  for (int by = -3; by <= 5; by++) {
    if (by == 0) continue;
    struct pop3_world *w = world_new();
    world_message(w, slice_of(text, sizeof text));
    w->messages[0].announced += (uint64_t)(int64_t)by;
    start(w);
    says(w, APOP, "+OK");
    world_send(w, SLICE("RETR 1\r\nNOOP\r\n"));
    assert_true(w->closed);
    assert_int_equal(w->p->reason, CLOSE_READ_ERROR);
    assert_true(slice_search(buf_slice(&w->said), SLICE("\r\n.\r\n")) < 0);
    assert_asked(w, "apop mrose <1896.697170952@dbc.mtview.ca.us>\nopen\nclose\n");
    world_end(&w);
  }
  struct pop3_world *w = world_new(); /* seen before anything is sent: the session goes on */
  world_message(w, SLICE("A: b\r\n\r\nx\r\n"));
  w->messages[0].announced = 10;
  start(w);
  says(w, APOP, "+OK");
  say(w, "RETR 1\r\nNOOP\r\n",
      "-ERR [SYS/PERM] message 1 is damaged, tell the postmaster\r\n+OK\r\n");
  world_end(&w);
}

static void read_errors(void **state) {
  static char text[200000];
  memset(text, 'z', sizeof text);
  memcpy(text, "A: b\r\n\r\n", 8);
  static const struct {
    uint8_t outcome;
    const char *reply;
  } rows[] = {
    { POP_TROUBLE, "-ERR [SYS/TEMP] message 1 can't be read at the moment, try again later\r\n" },
    { POP_DAMAGED, "-ERR [SYS/PERM] message 1 is damaged, tell the postmaster\r\n" },
  };
  for (size_t i = 0; i < 2; i++)
    for (int first = 0; first < 2; first++) {
      struct pop3_world *w = world_new();
      world_message(w, slice_of(text, sizeof text));
      w->messages[0].announced += 2;
      w->read_outcome = rows[i].outcome;
      w->fail_at = first ? 0 : 1;
      start(w);
      says(w, APOP, "+OK");
      if (first) {
        say(w, "RETR 1\r\n", rows[i].reply);
        assert_false(w->closed);
      } else {
        says(w, "RETR 1\r\nNOOP\r\n", "+OK 200002 octets\r\nA: b\r\n\r\nzzz");
        assert_true(w->closed);
        assert_int_equal(w->p->reason, CLOSE_READ_ERROR);
      }
      world_end(&w);
    }
}

static void count_damage(void *arg, struct slice record) {
  unsigned *lines = arg;
  assert_int_equal(record.p[LOG_RECORD_HEAD - 1], LOG_E_DAMAGE);
  assert_true(slice_search(record, SLICE("mrose@dbc.mtview.ca.us")) > 0);
  ++*lines;
}

static void open_log(void *arg, struct log_line *l, enum log_event event) {
  log_open(l, arg, event);
}

/* Damage is named in the log, at most once a minute for an account; what may pass is not. */
static void damage_is_logged(void **state) {
  unsigned lines = 0;
  struct log log = { .fd = -1, .take = count_damage, .arg = &lines };
  struct pop3_world *w = world_new();
  world_message(w, SLICE("A: b\r\n\r\nx\r\n"));
  w->fail_at = 0;
  start(w);
  w->p->log = (struct proto_log){ open_log, &log };
  says(w, APOP, "+OK");
  w->read_outcome = POP_TROUBLE;
  says(w, "RETR 1\r\n", "-ERR [SYS/TEMP]");
  assert_int_equal(lines, 0);
  w->read_outcome = POP_DAMAGED;
  says(w, "RETR 1\r\n", "-ERR [SYS/PERM]");
  says(w, "TOP 1 1\r\n", "-ERR [SYS/PERM]");
  assert_int_equal(lines, 1);
  w->p->now_ms += SELDOM_EVERY_MS;
  w->fail_at = UINT64_MAX;
  says(w, "RETR 1\r\n", "+OK");
  w->fail_at = 0;
  says(w, "RETR 1\r\n", "-ERR [SYS/PERM]");
  assert_int_equal(lines, 2);
  world_end(&w);
}

static void damage_at_login_is_logged(void **state) {
  unsigned lines = 0;
  struct log log = { .fd = -1, .take = count_damage, .arg = &lines };
  struct pop3_world *w = rfc_world();
  w->p->log = (struct proto_log){ open_log, &log };
  w->open_outcome = POP_DAMAGED;
  says(w, APOP, "-ERR [SYS/PERM] maildrop is damaged");
  says(w, APOP, "-ERR [SYS/PERM] maildrop is damaged");
  assert_int_equal(lines, 1);
  world_end(&w);
}

static void top_reads_little(void **state) {
  static char text[1 << 20];
  memset(text, 'z', sizeof text);
  memcpy(text, "A: b\r\n\r\none\r\n", 13);
  memcpy(text + sizeof text - 2, "\r\n", 2);
  struct pop3_world *w = world_new();
  world_message(w, slice_of(text, sizeof text));
  w->fail_at = 1; /* only the first piece is to be had */
  w->read_outcome = POP_DAMAGED;
  start(w);
  says(w, APOP, "+OK");
  say(w, "TOP 1 1\r\n", "+OK top of message follows\r\nA: b\r\n\r\none\r\n.\r\n");
  say(w, "TOP 1 0\r\n", "+OK top of message follows\r\nA: b\r\n\r\n.\r\n");
  w->fail_at = UINT64_MAX;
  world_send(w, SLICE("TOP 1 18446744073709551615\r\n"));
  assert_int_equal(buf_len(&w->said), 28 + sizeof text + 3);
  world_end(&w);
}

/* A pipelined client gets everything back to back, and memory stays where it is. */
static void a_thousand_pipelined_retrs(void **state) {
  static char text[50000];
  memset(text, '.', sizeof text);
  memcpy(text, "A: b\r\n\r\n", 8);
  /* each line a dot: the most stuffing there is */
  for (size_t i = 10; i + 1 < sizeof text; i += 3) memcpy(text + i, "\r\n", 2);
  memcpy(text + sizeof text - 2, "\r\n", 2);
  struct pop3_world *w = world_new();
  world_message(w, slice_of(text, sizeof text));
  w->forget_said = true;
  w->p = NULL;
  world_start(w);
  world_send(w, SLICE(APOP));
  uint64_t before = w->octets_out;
  world_send(w, SLICE("RETR 1\r\n"));
  uint64_t one = w->octets_out - before;
  assert_true(one > sizeof text + sizeof text / 4);
  struct buf many;
  buf_init(&many, 1 << 20);
  buf_put(&many, SLICE("STAT\r\nUIDL\r\nLIST\r\n"));
  for (int i = 0; i < 1000; i++) buf_put(&many, SLICE("RETR 1\r\n"));
  buf_put(&many, SLICE("NOOP\r\n"));
  before = w->octets_out;
  world_send(w, buf_slice(&many));
  assert_int_equal(buf_len(&w->in), 0);
  assert_in_range(w->octets_out - before, 1000 * one, 1000 * one + 200);
  assert_true(w->out_peak < PROTO_OUT_HIGH + 2 * IPC_CHUNK);
  buf_free(&many);
  world_end(&w);
}

/* Sizes that no 32 bits hold: one message of 5 GiB, a maildrop of more. */
static void large_sizes(void **state) {
  struct pop3_world *w = world_new();
  world_message(w, SLICE("A: b\r\n"));
  world_message(w, SLICE("A: b\r\n"));
  w->messages[0].announced = 5368709120;
  w->messages[1].announced = 4294967295;
  start(w);
  say(w, APOP, "+OK mrose's maildrop has 2 messages (9663676415 octets)\r\n");
  say(w, "LIST\r\n", "+OK 2 messages (9663676415 octets)\r\n1 5368709120\r\n2 4294967295\r\n.\r\n");
  say(w, "DELE 2\r\nSTAT\r\n", "+OK message 2 deleted\r\n+OK 1 5368709120\r\n");
  world_end(&w);
  w = world_new(); /* a sum that no 64 bits hold can't be true */
  world_message(w, SLICE(""));
  world_message(w, SLICE(""));
  w->messages[0].announced = w->messages[1].announced = UINT64_MAX;
  start(w);
  says(w, APOP, "-ERR [SYS/TEMP]");
  assert_true(w->closed);
  world_end(&w);
}

static void a_hundred_thousand_messages(void **state) {
  struct pop3_world *w = world_new();
  w->virtual_count = 100000;
  start(w);
  size_t before = mallinfo2().uordblks;
  say(w, APOP, "+OK mrose's maildrop has 100000 messages (10000000 octets)\r\n");
  size_t after = mallinfo2().uordblks;
  if (after > before) assert_true(after - before < 64 * 100000);
  world_send(w, SLICE("LIST\r\nUIDL\r\n"));
  assert_true(w->out_peak < PROTO_OUT_HIGH + 32 * 1024);
  assert_true(
      slice_search(
          buf_slice(&w->said),
          SLICE("\r\n100000 100\r\n.\r\n+OK unique-id listing follows\r\n1 0000abcd00000001\r\n")) >
      0);
  assert_true(slice_search(buf_slice(&w->said), SLICE("\r\n100000 0000abcd000186a0\r\n.\r\n")) > 0);
  buf_reset(&w->said);
  for (unsigned i = 1; i <= 100000; i += 3) {
    char line[32];
    snprintf(line, sizeof line, "DELE %u\r\n", i);
    world_send(w, slice_str(line));
  }
  buf_reset(&w->said);
  say(w, "QUIT\r\n", "+OK dbc.mtview.ca.us POP3 server signing off (66666 messages left)\r\n");
  assert_int_equal(w->removed, 33334);
  assert_asked(
      w, "apop mrose <1896.697170952@dbc.mtview.ca.us>\nopen\ndelete\ndelete\ndelete\nquit\n");
  world_end(&w);
}

/* --- time, and processes that go --- */

static void login_has_a_time(void **state) {
  struct pop3_world *w = in_setting(IN_TLS);
  assert_int_equal(w->p->deadline_ms, 181000);
  w->p->now_ms = 100000;
  say(w, "USER mrose\r\n", "+OK User accepted\r\n");
  assert_int_equal(w->p->deadline_ms, 181000); /* the login as a whole */
  w->p->now_ms = 180999;
  pop3d_session_ops.tick(w->p);
  assert_int_equal(w->p->want, PROTO_READ);
  w->p->now_ms = 181000;
  pop3d_session_ops.tick(w->p);
  world_run(w);
  assert_said(w, "");
  assert_true(w->closed);
  assert_int_equal(w->p->reason, CLOSE_IDLE);
  world_end(&w);
  w = in_setting(IN_SASL); /* auth is told */
  buf_reset(&w->asked);
  w->p->now_ms = 181000;
  pop3d_session_ops.tick(w->p);
  world_run(w);
  assert_asked(w, "cancel\n");
  world_end(&w);
}

/* RFC 1939 §3: a timeout deletes nothing and says nothing; a command starts it anew, half of one
 * does not. */
static void idle_sessions_end(void **state) {
  struct pop3_world *w = logged_in();
  w->p->now_ms = 500000;
  say(w, "DELE 1\r\n", "+OK message 1 deleted\r\n");
  assert_int_equal(w->p->deadline_ms, 1100000);
  w->p->now_ms = 1000000;
  say(w, "ST", "");
  assert_int_equal(w->p->deadline_ms, 1100000);
  w->p->now_ms = 1100000;
  pop3d_session_ops.tick(w->p);
  world_run(w);
  assert_said(w, "");
  assert_asked(w, "close\n");
  assert_int_equal(w->p->reason, CLOSE_IDLE);
  assert_int_equal(w->removed, 0);
  world_end(&w);
}

static void auth_may_go(void **state) {
  struct pop3_world *w = in_setting(IN_TLS);
  w->hold = true;
  say(w, APOP, "");
  pop3d_session_ops.answer(w->p, 0, SLICE_NONE);
  world_run(w);
  assert_starts(w, "-ERR [SYS/TEMP]");
  w->hold = false;
  says(w, APOP, "+OK");
  world_end(&w);
  w = in_setting(IN_SASL); /* while the client thinks about its response */
  buf_reset(&w->asked);
  pop3d_session_ops.role_lost(w->p, ROLE_AUTH);
  world_run(w);
  says(w, "bXJvc2U=\r\n", "-ERR [SYS/TEMP]");
  assert_asked(w, "");
  says(w, APOP, "+OK");
  world_end(&w);
}

static void store_may_go(void **state) {
  struct pop3_world *w = logged_in();
  pop3d_session_ops.role_lost(w->p, ROLE_STORE);
  world_run(w);
  assert_starts(w, "-ERR [SYS/TEMP]");
  assert_int_equal(w->p->reason, CLOSE_PROCESS_LOST);
  assert_asked(w, "");
  world_end(&w);
  static const char *const lines[] = { "RETR 1\r\n", "QUIT\r\n" };
  for (size_t i = 0; i < 2; i++) {
    w = logged_in();
    says(w, "DELE 2\r\n", "+OK");
    w->hold = true;
    world_send(w, slice_str(lines[i]));
    pop3d_session_ops.answer(w->p, 0, SLICE_NONE);
    world_run(w);
    assert_starts(w, "-ERR [SYS/TEMP]");
    assert_int_equal(w->p->reason, CLOSE_PROCESS_LOST);
    world_end(&w);
  }
  w = rfc_world(); /* while auth is asked: the grant went with it */
  w->hold = true;
  world_send(w, SLICE(APOP));
  pop3d_session_ops.role_lost(w->p, ROLE_STORE);
  world_auth_ok(w);
  world_run(w);
  assert_starts(w, "-ERR [SYS/TEMP]");
  assert_asked(w, "");
  world_end(&w);
}

/* Inside a message there is no place for an -ERR. */
static void store_may_go_inside_a_message(void **state) {
  static char text[100000];
  memset(text, 'z', sizeof text);
  struct pop3_world *w = world_new();
  world_message(w, slice_of(text, sizeof text));
  w->messages[0].announced += 4;
  start(w);
  says(w, APOP, "+OK");
  w->hold = true;
  world_send(w, SLICE("RETR 1\r\n"));
  struct buf b;
  buf_init(&b, IPC_PAYLOAD_MAX);
  pop_chunk_put(&b, &(struct pop_chunk){ .outcome = POP_DONE, .data = slice_of(text, 60000) });
  world_answer(w, pop_chunk_type, &b);
  world_run(w);
  pop3d_session_ops.answer(w->p, 0, SLICE_NONE);
  world_run(w);
  assert_true(w->closed);
  assert_int_equal(w->p->reason, CLOSE_PROCESS_LOST);
  assert_true(slice_search(buf_slice(&w->said), SLICE("-ERR")) < 0);
  assert_true(slice_search(buf_slice(&w->said), SLICE("\r\n.\r\n")) < 0);
  world_end(&w);
}

/* --- languages --- */

/* RFC 6856 §3 */
static void replies_have_a_language(void **state) {
  struct pop3_world *w = rfc_world();
  say(w, "LANG\r\n",
      "+OK language listing follows\r\nen English\r\naz Azərbaycanca\r\nde Deutsch\r\nfr "
      "Français\r\n"
      "ru Русский\r\ntr Türkçe\r\nes Español\r\n.\r\n");
  say(w, "LANG MUL\r\n", "-ERR no such language\r\n");
  say(w, "LANG es-MX\r\n", "+OK es idioma cambiado\r\n");
  say(w, "LANG uga\r\n", "-ERR no existe ese idioma\r\n");
  say(w, "LANG ru\r\n", "+OK ru язык изменён\r\n");
  say(w, APOP, "+OK в ящике mrose 2 сообщения (320 байт)\r\n");
  /* what programs read stays as it is */
  say(w, "STAT\r\nLIST 1\r\n", "+OK 2 320\r\n+OK 1 120\r\n");
  say(w, "DELE 1\r\nRSET\r\n", "+OK сообщение 1 удалено\r\n+OK в ящике 2 сообщения (320 байт)\r\n");
  say(w, "LANG *\r\n", "+OK en language changed\r\n");
  say(w, "LANG de\r\nQUIT\r\n",
      "+OK de Sprache geändert\r\n+OK dbc.mtview.ca.us POP3-Server meldet sich ab (2 Nachrichten "
      "verbleiben)\r\n");
  world_end(&w);
  w = rfc_world(); /* response codes stay, and STLS forgets the language */
  w->open_outcome = POP_IN_USE;
  say(w, "LANG AZ\r\n", "+OK az dil dəyişdirildi\r\n");
  say(w, APOP, "-ERR [IN-USE] poçt qutusunu kilidləmək mümkün olmadı\r\n");
  says(w, "STLS\r\n", "+OK TLS razılaşmasına başlayın\r\n");
  says(w, "STAT\r\n", "-ERR log in first\r\n");
  world_end(&w);
}

static void numbers_have_their_forms(void **state) {
  static const struct {
    uint64_t n;
    unsigned form;
  } rows[] = { { 0, 2 },  { 1, 0 },  { 2, 1 },  { 4, 1 },   { 5, 2 },   { 11, 2 },     { 12, 2 },
               { 14, 2 }, { 21, 0 }, { 22, 1 }, { 111, 2 }, { 121, 0 }, { 1000000, 2 } };
  unsigned ru;
  assert_true(language_find(SLICE("ru-RU"), &ru));
  for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
    assert_int_equal(pop3d_languages[ru].form(rows[i].n), rows[i].form);
}

/* The response code and the conversions of a text, in order: what a translation must keep. */
static void shape(const char *text, struct buf *out) {
  if (*text == '[') buf_put(out, slice_of(text, strcspn(text, "]") + 1));
  for (const char *at = strchr(text, '%'); at; at = strchr(at + 1, '%'))
    buf_put(out, slice_of(at, strspn(at, "%.*lus")));
}

static void translations_keep_their_shape(void **state) {
  static const char *const rows[][LANGUAGES] = {
#define T(en, az, de, fr, ru, tr, es) { en, az, de, fr, ru, tr, es },
#include "src/pop3d/messages.def"
#undef T
  };
  for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
    for (size_t l = 1; l < LANGUAGES; l++) {
      struct buf a, b;
      buf_init(&a, 1000);
      buf_init(&b, 1000);
      shape(rows[i][0], &a);
      shape(rows[i][l], &b);
      if (!slice_eq(buf_slice(&a), buf_slice(&b))) fail_msg("%s: %s", rows[i][0], rows[i][l]);
      if (strlen(rows[i][l]) > 150) fail_msg("too long: %s", rows[i][l]);
      buf_free(&a);
      buf_free(&b);
    }
}

/* Every text that the code hands to ok, err, refuse or cancel, or has in a table, is in the
 * catalogue. Run from the root. */
static void every_text_has_its_translations(void **state) {
  static const char *const files[] = { "auth", "capa",  "listing", "login",  "mark",
                                       "quit", "reply", "retr",    "session" };
  static const char *const calls[] = { "ok(s, \"",     "err(s, \"", "refuse(s, \"",
                                       "cancel(s, \"", "] = { \"",  "] = \"" };
  static char text[65536];
  unsigned seen = 0;
  for (size_t f = 0; f < sizeof files / sizeof *files; f++) {
    char name[64];
    snprintf(name, sizeof name, "src/pop3d/%s.c", files[f]);
    FILE *file = fopen(name, "r");
    assert_non_null(file);
    text[fread(text, 1, sizeof text - 1, file)] = 0;
    fclose(file);
    for (size_t c = 0; c < sizeof calls / sizeof *calls; c++)
      for (char *at = strstr(text, calls[c]); at; at = strstr(at + 1, calls[c])) {
        if (at > text && at[-1] == '[') continue; /* words[] = { "..." }: of the protocol */
        char *from = at + strlen(calls[c]);
        char english[200];
        size_t n = strcspn(from, "\"");
        assert_true(n < sizeof english);
        memcpy(english, from, n);
        english[n] = 0;
        if (strspn(english, "% .*lus()") == n) continue; /* no words in it */
        seen++;
        if (pop3d_translated(1, english) == english) fail_msg("%s: %s", name, english);
      }
  }
  assert_true(seen > 30);
}

/* --- what an operator sees, and what it costs --- */

static void traces_have_no_secrets(void **state) {
  struct pop3_world *w = world_new();
  world_message(w, SLICE("A: private\r\n\r\nprivate\r\n"));
  w->start.secure = true;
  start(w);
  world_send(w, SLICE("USER mrose\r\nPASS seekrit\r\nseekrit\r\nAPOP mrose "
                      "00000000000000000000000000000000\r\nAPOP seekrit\r\n"
                      "AUTH PLAIN c2Vla3JpdA==\r\n"));
  world_end(&w);
  w = world_new();
  world_message(w, SLICE("A: private\r\n\r\nprivate\r\n"));
  w->start.secure = true;
  start(w);
  world_send(w, SLICE("PASS seekrit\r\nAUTH LOGIN\r\nbXJvc2U=\r\nc2Vla3JpdA==\r\n" APOP
                      "RETR 1\r\nTOP 1 1\r\nQUIT\r\n"));
  struct slice t = buf_slice(&w->trace);
  assert_true(slice_search(t, SLICE("seekrit")) < 0);
  assert_true(slice_search(t, SLICE("c2Vla3JpdA")) < 0);
  assert_true(slice_search(t, SLICE("c4c9334b")) < 0);
  assert_true(slice_search(t, SLICE("private")) < 0);
  assert_true(slice_search(t, SLICE("C: APOP mrose ***\n")) >= 0);
  assert_true(slice_search(t, SLICE("*: state authorization > transaction\n")) >= 0);
  assert_true(slice_search(t, SLICE("C: RETR 1\nS: +OK 23 octets\n*: 23 octets of message 1\n")) >=
              0);
  world_end(&w);
}

static void add_pair(void *arg, const char *key, struct slice value) {
  struct buf *b = arg;
  buf_put_str(b, key);
  buf_put_u8(b, '=');
  buf_put(b, value);
  buf_put_u8(b, ' ');
}

static void the_closing_line(void **state) {
  struct pop3_world *w = logged_in();
  world_send(w, SLICE("RETR 1\r\nDELE 1\r\nQUIT\r\n"));
  struct buf b;
  buf_init(&b, 1000);
  pop3d_session_ops.summary(w->p, add_pair, &b);
  const struct slice want = SLICE("login=mrose@dbc.mtview.ca.us messages=2 retrieved=1 octets=120 "
                                  "marked=1 deleted=1 failed_logins=0 ");
  if (!slice_eq(buf_slice(&b), want)) fail_msg("%.*s", SLICE_ARG(buf_slice(&b)));
  buf_free(&b);
  world_end(&w);
}

static void idle_sessions_are_small(void **state) {
  struct pop3_world *w = world_new();
  w->p = NULL;
  size_t before = mallinfo2().uordblks;
  struct proto *p = pop3d_session_ops.new(&w->service, &w->start);
  buf_reset(&p->out);
  buf_release_if_empty(&p->out);
  size_t after = mallinfo2().uordblks;
  if (after > before) assert_true(after - before <= 1024);
  w->p = p;
  assert_false(pop3d_session_ops.valuable(p));
  world_end(&w);
  w = logged_in();
  assert_true(pop3d_session_ops.valuable(w->p));
  world_end(&w);
}

/* --- UTF8 --- */

#define HIGH "Subject: \xc3\xa9\xc3\xa9\r\nTo: a\r\n\r\n.x\r\n"
#define LOW "Subject: =?UTF-8?Q?=C3=A9=C3=A9?=\r\nTo: a\r\n\r\n"

/* One message that has a surrogate, which store says has `surrogate` octets (0: not known), and a
 * plain one. */
static struct pop3_world *with_surrogate(struct slice text, uint64_t surrogate, bool utf8) {
  struct pop3_world *w = world_new();
  world_message(w, text);
  w->messages[0].differs = true;
  w->messages[0].surrogate = surrogate;
  world_message(w, SLICE("A: b\r\n\r\n"));
  start(w);
  if (utf8) say(w, "UTF8\r\n", "+OK UTF8 enabled\r\n");
  says(w, APOP, "+OK ");
  return w;
}

static void surrogates_have_their_own_sizes(void **state) {
  struct pop3_world *w = with_surrogate(SLICE(HIGH), sizeof LOW - 1 + 4, false);
  say(w, "STAT\r\n", "+OK 2 56\r\n");
  say(w, "LIST\r\n", "+OK 2 messages (56 octets)\r\n1 48\r\n2 8\r\n.\r\n");
  say(w, "RETR 1\r\n", "+OK 48 octets\r\n" LOW "..x\r\n.\r\n");
  say(w, "TOP 1 0\r\n", "+OK top of message follows\r\n" LOW ".\r\n");
  say(w, "RETR 2\r\n", "+OK 8 octets\r\nA: b\r\n\r\n.\r\n");
  say(w, "DELE 1\r\n", "+OK message 1 deleted\r\n");
  say(w, "STAT\r\n", "+OK 1 8\r\n");
  say(w, "RSET\r\n", "+OK maildrop has 2 messages (56 octets)\r\n");
  world_end(&w);
  w = with_surrogate(SLICE(HIGH), sizeof LOW - 1 + 4, true);
  say(w, "LIST\r\n", "+OK 2 messages (36 octets)\r\n1 28\r\n2 8\r\n.\r\n");
  say(w, "RETR 1\r\n", "+OK 28 octets\r\nSubject: \xc3\xa9\xc3\xa9\r\nTo: a\r\n\r\n..x\r\n.\r\n");
  says(w, "UTF8\r\n", "-ERR you are logged in already");
  world_end(&w);
}

/* What store was told wrong is never sent with its final dot; what nobody measured is told by
 * [UTF8]. */
static void surrogates_of_another_size(void **state) {
  for (int off = -2; off <= 2; off++) {
    struct pop3_world *w = with_surrogate(SLICE(HIGH), (uint64_t)(48 + off), false);
    world_send(w, SLICE("RETR 1\r\n"));
    assert_int_equal(slice_search(buf_slice(&w->said), SLICE("\r\n.\r\n")) > 0, off == 0);
    assert_int_equal(w->closed, off > 0);
    assert_starts(w, off < 0 ? "-ERR [SYS/PERM] message 1 is damaged" : "+OK ");
    world_end(&w);
  }
  struct pop3_world *w = with_surrogate(SLICE(HIGH), 0, false);
  say(w, "LIST 1\r\n", "+OK 1 28\r\n");
  says(w, "RETR 1\r\n", "-ERR [UTF8] message 1 has a header in UTF-8");
  says(w, "TOP 1 0\r\n", "-ERR [UTF8] ");
  says(w, "RETR 2\r\n", "+OK ");
  world_end(&w);
  /* unmeasured, but there is nothing to do */
  w = with_surrogate(SLICE("A: c\r\n\r\n\xc3\xa9\r\n"), 0, false);
  say(w, "RETR 1\r\n", "+OK 12 octets\r\nA: c\r\n\r\n\xc3\xa9\r\n.\r\n");
  say(w, "TOP 1 9\r\n", "+OK top of message follows\r\nA: c\r\n\r\n\xc3\xa9\r\n.\r\n");
  world_end(&w);
}

/* Larger than anything held at once, in pieces of every size, with a part's header at its very end.
 */
static void large_surrogates(void **state) {
  enum { LINES = 20000, LINE = 20 };
  struct buf text;
  struct surrogate s;
  buf_init(&text, 8 << 20);
  buf_put_str(&text,
              "Subject: \xc3\xa9\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n\r\n");
  for (int i = 0; i < LINES; i++) buf_put_str(&text, "..................\r\n");
  buf_put_str(&text, "--b\r\nContent-Description: \xc3\xa9\r\n\r\n--b--\r\n");
  surrogate_open(&s, SURROGATE_6857);
  surrogate_put(&s, buf_slice(&text), NULL);
  surrogate_end(&s, NULL);
  for (uint32_t step = 100; step < 200000; step *= 7) {
    struct pop3_world *w = with_surrogate(buf_slice(&text), s.put, false);
    w->short_reads = step;
    world_send(w, SLICE("RETR 1\r\n"));
    struct slice said = buf_slice(&w->said);
    struct slice first = slice_split(&said, '\n');
    assert_int_equal(said.n, s.put + LINES + 3); /* a dot for each line that begins with one */
    assert_true(slice_starts(first, SLICE("+OK ")));
    assert_true(slice_eq(slice_from(said, said.n - 5), SLICE("\r\n.\r\n")));
    assert_false(w->closed);
    assert_true(w->out_peak <= PROTO_OUT_MAX);
    world_end(&w);
    w = with_surrogate(buf_slice(&text), 0, false); /* found out only after it has begun */
    w->short_reads = step;
    says(w, "RETR 1\r\n", "-ERR [UTF8] ");
    world_end(&w);
  }
  buf_free(&text);
}

static void stls_comes_before_utf8(void **state) {
  struct pop3_world *w = rfc_world();
  say(w, "UTF8\r\n", "+OK UTF8 enabled\r\n");
  say(w, "STLS\r\n", "-ERR STLS comes before UTF8\r\n");
  say(w, "CAPA\r\n", CAPA_HEAD "UIDL\r\nTOP\r\nLANG\r\nUTF8\r\n" CAPA_TAIL);
  assert_false(w->tls_started);
  world_end(&w);
}

int main(void) {
  const struct CMUnitTest tests[] = {
    cmocka_unit_test(the_session_of_rfc_1939_10),
    cmocka_unit_test(user_and_pass),
    cmocka_unit_test(the_examples_of_each_command),
    cmocka_unit_test(an_empty_maildrop),
    cmocka_unit_test(every_verb_in_every_state),
    cmocka_unit_test(capa_is_honest),
    cmocka_unit_test(capa_names_mechanisms),
    cmocka_unit_test(passwords_keep_their_spaces),
    cmocka_unit_test(user_is_for_the_next_command_only),
    cmocka_unit_test(who_exists_is_not_told),
    cmocka_unit_test(failures_have_their_codes),
    cmocka_unit_test(the_maildrop_may_not_open),
    cmocka_unit_test(sasl_exchanges),
    cmocka_unit_test(sasl_refusals),
    cmocka_unit_test(sasl_lines_have_a_limit),
    cmocka_unit_test(stls_forgets_what_was_said),
    cmocka_unit_test(lines_are_strict),
    cmocka_unit_test(an_octet_at_a_time),
    cmocka_unit_test(other_protocols_are_shown_the_door),
    cmocka_unit_test(errors_are_counted),
    cmocka_unit_test(numbers_are_strict),
    cmocka_unit_test(marked_messages),
    cmocka_unit_test(without_quit_nothing_is_deleted),
    cmocka_unit_test(quit_says_ok_only_when_it_is_done),
    cmocka_unit_test(last_is_an_option),
    cmocka_unit_test(unique_ids),
    cmocka_unit_test(sizes_are_exact),
    cmocka_unit_test(wrong_sizes_never_get_their_dot),
    cmocka_unit_test(read_errors),
    cmocka_unit_test(damage_is_logged),
    cmocka_unit_test(damage_at_login_is_logged),
    cmocka_unit_test(top_reads_little),
    cmocka_unit_test(a_thousand_pipelined_retrs),
    cmocka_unit_test(large_sizes),
    cmocka_unit_test(a_hundred_thousand_messages),
    cmocka_unit_test(surrogates_have_their_own_sizes),
    cmocka_unit_test(surrogates_of_another_size),
    cmocka_unit_test(large_surrogates),
    cmocka_unit_test(stls_comes_before_utf8),
    cmocka_unit_test(login_has_a_time),
    cmocka_unit_test(idle_sessions_end),
    cmocka_unit_test(auth_may_go),
    cmocka_unit_test(store_may_go),
    cmocka_unit_test(store_may_go_inside_a_message),
    cmocka_unit_test(replies_have_a_language),
    cmocka_unit_test(numbers_have_their_forms),
    cmocka_unit_test(translations_keep_their_shape),
    cmocka_unit_test(every_text_has_its_translations),
    cmocka_unit_test(traces_have_no_secrets),
    cmocka_unit_test(the_closing_line),
    cmocka_unit_test(idle_sessions_are_small),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
