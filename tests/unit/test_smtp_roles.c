/* SPDX-License-Identifier: ISC */
/* src/smtpd with its processes: store in trouble, STARTTLS (TL), logins (AU), clients that go. */
#include "tests/unit/smtp_kit.h"

/* --- store in trouble --- */

static void store_outcomes(void **state) {
  static const struct {
    enum commit_outcome outcome;
    const char *reply;
  } t[] = {
    { COMMIT_TROUBLE, "451 4.3.0 Cannot keep the message now, try again later\r\n" },
    { COMMIT_NO_SPACE, "452 4.3.1 No space for the message now, try again later\r\n" },
    { COMMIT_TOO_BIG, "552 5.3.4 Message too big\r\n" },
    { COMMIT_DONE, "250 2.0.0 5f-2-7-1 accepted\r\n" },
  };
  struct kit *k = kit_met("smtp");
  for (size_t i = 0; i < 4; i++) {
    k->outcome = t[i].outcome;
    kit_expect(k, MAIL RCPT "DATA\r\n", "250 250 354 ");
    kit_exchange(k, MESSAGE, t[i].reply);
  }
  kit_expect(k, MAIL RCPT "DATA\r\n", "250 250 354 ");
  k->store_lost = true;
  kit_expect(k, MESSAGE, "451 ");
  k->store_lost = false;
  kit_expect(k, MAIL RCPT "DATA\r\n" MESSAGE, "250 250 354 250 ");
  kit_free(k);
}

static void spooled_messages(void **state) {
  struct kit *k = kit_with_rcpt();
  kit_expect(k, "DATA\r\n", "354 ");
  kit_say_much(k, 300000);
  assert_int_equal(k->spools, 4);
  kit_expect(k, ".\r\n", "250 ");
  assert_in_range(buf_len(&k->messages[0].body), 300000, 300500);
  /* no space: said at the end, and nothing left there */
  kit_expect(k, MAIL RCPT "DATA\r\n", "250 250 354 ");
  k->spool_outcome = COMMIT_NO_SPACE;
  kit_say_much(k, 300000);
  assert_int_equal(k->drops, 1);
  kit_expect(k, ".\r\n", "452 ");
  k->spool_outcome = COMMIT_DONE;
  /* the store dies with half a message: never the other half alone */
  kit_expect(k, MAIL RCPT "DATA\r\n", "250 250 354 ");
  kit_say_much(k, 100000);
  buf_reset(&k->spool);
  k->store_state = 0;
  smtpd_session_ops.role_lost(k->p, ROLE_STORE);
  kit_expect(k, "last\r\n.\r\n", "451 ");
  /* the same while it is asked */
  kit_expect(k, MAIL RCPT "DATA\r\n", "250 250 354 ");
  kit_say_much(k, 100000);
  k->store_lost = true;
  kit_say_much(k, 100000);
  k->store_lost = false;
  kit_expect(k, ".\r\n", "451 ");
  assert_int_equal(k->count, 1);
  kit_free(k);
}

/* As many without an answer as the last answer allows, and the message is whole. */
static void chunks_ahead(void **state) {
  struct kit *k = kit_with_rcpt();
  k->ahead = 3;
  for (int i = 0; i < 2; i++) { /* the second message begins without leave */
    k->spools = k->mores = 0;
    if (i) kit_expect(k, MAIL RCPT, "250 250 ");
    kit_expect(k, "DATA\r\n", "354 ");
    kit_say_much(k, 600000);
    assert_int_equal(k->spools, 3);
    assert_int_equal(k->mores, 6);
    kit_expect(k, ".\r\n", "250 ");
    assert_in_range(buf_len(&k->messages[i].body), 600000, 600500);
  }
  /* what goes wrong is heard with the next answer */
  kit_expect(k, MAIL RCPT "DATA\r\n", "250 250 354 ");
  kit_say_much(k, 200000);
  k->spool_outcome = COMMIT_NO_SPACE;
  kit_say_much(k, 300000);
  assert_int_equal(k->drops, 1);
  kit_expect(k, ".\r\n", "452 ");
  k->spool_outcome = COMMIT_DONE;
  /* the store dies behind a chunk that nobody answers */
  kit_expect(k, MAIL RCPT "DATA\r\n", "250 250 354 ");
  kit_say_much(k, 200000);
  buf_reset(&k->spool);
  k->store_state = 0;
  smtpd_session_ops.role_lost(k->p, ROLE_STORE);
  kit_say_much(k, 200000);
  kit_expect(k, "last\r\n.\r\n", "451 ");
  assert_int_equal(k->count, 2);
  kit_free(k);
}

/* TL-14, BD-11: gone inside a message; what was spooled is let go of. */
static void gone_in_data(void **state) {
  struct kit *k = kit_with_rcpt();
  kit_expect(k, "DATA\r\n", "354 ");
  kit_say_much(k, 100000);
  smtpd_session_ops.gone(k->p, CLOSE_PEER_GONE);
  kit_run(k);
  assert_true(k->closed);
  assert_int_equal(k->p->reason, CLOSE_PEER_GONE_DATA);
  assert_int_equal(k->drops, 1);
  assert_int_equal(k->store_state, SMTP_AT_REST);
  assert_int_equal(k->count, 0);
  kit_free(k);
  k = kit_with_rcpt();
  smtpd_session_ops.gone(k->p, CLOSE_STOPPING);
  kit_run(k);
  assert_string_equal(kit_codes(k), "421 ");
  assert_int_equal(k->p->reason, CLOSE_STOPPING);
  kit_free(k);
  k = kit_with_rcpt(); /* while the commit is under way */
  k->hold = true;
  kit_expect(k, "DATA\r\n" MESSAGE, "354 ");
  assert_int_equal(k->p->ask.type, smtp_commit_type);
  smtpd_session_ops.gone(k->p, CLOSE_PEER_GONE);
  assert_int_equal(k->p->reason, CLOSE_PEER_GONE);
  kit_free(k);
}

/* --- STARTTLS --- */

static void starttls(void **state) {
  struct kit *k = kit_met("smtp");
  kit_exchange(k, MAIL RCPT "STARTTLS\r\n",
               "250 2.1.0 Sender ok\r\n250 2.1.5 Recipient ok\r\n"
               "220 2.0.0 mx.here.example Begin TLS now\r\n");
  assert_true(k->in_tls);
  kit_expect(k, RCPT "DATA\r\n" MAIL, "503 503 503 "); /* TL-10, ST-6 */
  kit_exchange(k, "EHLO c\r\n", OFFERS "250 HELP\r\n");
  kit_expect(k, "STARTTLS\r\n", "503 "); /* TL-11 */
  kit_expect(k, MAIL RCPT "DATA\r\nFrom: x@y.example\r\n" MESSAGE, "250 250 354 250 ");
  assert_true(slice_search(buf_slice(&k->messages[0].body),
                           SLICE("(Qasid) with ESMTPS (TLSv1.3 TLS_AES_128_GCM_SHA256)\r\n")) > 0);
  kit_free(k);
  static const char *const tails[] = { "NOOP\r\n", "NOOP\n",       "MAIL\r\nRCPT\r\n",
                                       "NO",       "STARTTLS\r\n", "\n" };
  for (size_t i = 0; i < sizeof tails / sizeof *tails; i++) { /* TL-1 to TL-8 */
    k = kit_met("smtp");
    buf_put_str(&k->in, "STARTTLS\r\n");
    kit_say(k, tails[i]);
    assert_true(k->closed);
    assert_int_equal(k->p->reason, CLOSE_TLS_INJECTION);
    assert_string_equal(kit_codes(k), "220 ");
    kit_free(k);
  }
  k = kit_new("smtp", false);
  kit_connect(k, false);
  kit_expect(k, "EHLO c\r\nSTARTTLS\r\n", "220 250 502 ");
  kit_free(k);
}

/* --- AUTH --- */

static void submission_needs_login(void **state) {
  struct kit *k = kit_met("submission");
  kit_expect(k, MAIL "VRFY x\r\n", "530 530 ");
  kit_exchange(k, MAIL, "530 5.7.0 Say STARTTLS first, then log in\r\n");
  /* TL-16 */
  kit_exchange(k, PLAIN, "538 5.7.11 Say STARTTLS first: no passwords in the clear\r\n");
  kit_exchange(k, "EHLO c\r\n", OFFERS "250-STARTTLS\r\n250 HELP\r\n");
  kit_expect(k, "STARTTLS\r\n", "220 ");
  kit_exchange(k, "EHLO c\r\n", OFFERS "250-AUTH PLAIN LOGIN\r\n250 HELP\r\n");
  kit_exchange(k, MAIL, "530 5.7.0 Log in first\r\n");
  kit_exchange(k, PLAIN, "235 2.7.0 Logged in\r\n");
  kit_expect(k, PLAIN, "503 "); /* ST-7 */
  kit_expect(k, "MAIL FROM:<alice@here.example> AUTH=<>\r\n" RCPT, "250 250 ");
  kit_expect(k, PLAIN, "503 ");
  assert_true(k->login); /* by which a store without the grant knows that it lacks one */
  kit_expect(k, "DATA\r\nFrom: x@y.example\r\n" MESSAGE, "354 250 ");
  assert_true(
      slice_search(buf_slice(&k->messages[0].body), SLICE("(Qasid) with ESMTPSA (TLSv1.3")) > 0);
  kit_free(k);
}

/* auth_mechanisms: what it names, where it may be used; in the clear, those that hide the password.
 */
static void bindings(void *arg, struct proto_bindings *ret) { ret->exporter_n = 32; }

static void ehlo_names_mechanisms(void **state) {
  static const char *const named[] = { "CRAM-MD5", "login", "scram-sha-256", "SCRAM-SHA-256-PLUS" };
  struct kit *k = kit_met("submission");
  k->service.mechanisms = sasl_set_of(named, 4);
  kit_exchange(k, "EHLO c\r\n",
               OFFERS "250-STARTTLS\r\n250-AUTH SCRAM-SHA-256 CRAM-MD5\r\n250 HELP\r\n");
  kit_exchange(k, MAIL, "530 5.7.0 Log in first\r\n");
  kit_expect(k, "AUTH LOGIN\r\n", "538 ");
  kit_expect(k, "AUTH SCRAM-SHA-1\r\n", "504 ");
  k->service.require_tls_login = true;
  kit_exchange(k, "EHLO c\r\n", OFFERS "250-STARTTLS\r\n250 HELP\r\n");
  kit_expect(k, "AUTH CRAM-MD5\r\n", "538 ");
  kit_expect(k, "STARTTLS\r\n", "220 ");
  kit_exchange(k, "EHLO c\r\n", OFFERS "250-AUTH SCRAM-SHA-256 LOGIN CRAM-MD5\r\n250 HELP\r\n");
  kit_expect(k, "AUTH SCRAM-SHA-256-PLUS\r\n", "504 "); /* nothing to bind to */
  k->p->channel.bindings = bindings;
  kit_exchange(k, "EHLO c\r\n",
               OFFERS "250-AUTH SCRAM-SHA-256-PLUS SCRAM-SHA-256 LOGIN CRAM-MD5\r\n250 HELP\r\n");
  k->service.mechanisms = 0;
  kit_exchange(k, "EHLO c\r\n", OFFERS "250 HELP\r\n");
  kit_expect(k, PLAIN, "504 "); /* not named, not taken */
  kit_free(k);
}

/* With plaintext_auth: what was proved in the clear is forgotten inside (RFC 3207 §4.2). */
static void login_forgotten(void **state) {
  struct kit *k = kit_met("submission");
  k->service.plaintext_auth = true;
  kit_expect(k, PLAIN MAIL, "235 250 ");
  kit_expect(k, "STARTTLS\r\n", "220 ");
  kit_expect(k, "EHLO c\r\n" MAIL, "250 530 ");
  kit_free(k);
}

static void auth_forms(void **state) {
  struct kit *k = kit_user();
  kit_exchange(k, "AUTH PLAIN\r\n", "334 \r\n");
  kit_exchange(k, "AGFsaWNlAHNlY3JldA==\r\n", "235 2.7.0 Logged in\r\n");
  kit_free(k);
  k = kit_user();
  kit_exchange(k, "auth login\r\n", "334 VXNlcm5hbWU6\r\n");
  kit_exchange(k, "YWxpY2U=\r\n", "334 UGFzc3dvcmQ6\r\n");
  kit_exchange(k, "c2VjcmV0\r\n", "235 2.7.0 Logged in\r\n");
  kit_free(k);
  k = kit_user(); /* all at once */
  kit_expect(
      k, "AUTH PLAIN\r\nAGFsaWNlAHNlY3JldA==\r\n" MAIL RCPT "DATA\r\nFrom: x@y.example\r\n" MESSAGE,
      "334 235 250 250 354 250 ");
  kit_free(k);
  k = kit_user();
  kit_expect(k, "AUTH LOGIN\r\nYWxpY2U=\r\n*\r\nNOOP\r\n", "334 334 501 250 ");
  assert_int_equal(k->cancels, 1);
  kit_expect(k, "AUTH PLAIN\r\n!!!\r\nNOOP\r\n", "334 501 250 ");
  kit_expect(k, "AUTH PLAIN A===\r\n", "501 ");
  kit_expect(k, "AUTH PLAIN =\r\n", "535 ");
  kit_expect(k, "AUTH GSSAPI\r\n", "504 ");
  kit_expect(k, "AUTH\r\n", "501 ");
  kit_expect(k, "AUTH PLAIN\r\nA\nB\r\nNOOP\r\n", "334 500 250 ");
  assert_int_equal(k->cancels, 3);
  kit_free(k);
  k = kit_user(); /* AU-3 */
  kit_expect(k, "AUTH PLAIN\r\n", "334 ");
  char line[20000];
  memset(line, 'A', sizeof line);
  memcpy(line + 12288 - 2, "\r\n", 2);
  kit_send(k, slice_of(line, 12288)); /* 12286 is no multiple of four */
  assert_string_equal(kit_codes(k), "501 ");
  kit_expect(k, "AUTH PLAIN\r\n", "334 ");
  memset(line, 'A', sizeof line);
  memcpy(line + 12284, "\r\n", 2);
  kit_send(k, slice_of(line, 12286));
  assert_string_equal(kit_codes(k), "535 ");
  kit_expect(k, "AUTH PLAIN\r\n", "334 ");
  memset(line, 'A', sizeof line);
  memcpy(line + 12287, "\r\n", 2);
  kit_send(k, slice_of(line, 12289));
  assert_string_equal(kit_codes(k), "500 ");
  kit_expect(k, "NOOP\r\n", "250 ");
  kit_free(k);
}

static void auth_failures(void **state) {
  struct kit *k = kit_user();
  kit_expect(k, "AUTH PLAIN AGEAYg==\r\nAUTH PLAIN AGEAYg==\r\n", "535 535 ");
  kit_expect(k, "AUTH PLAIN AGEAYg==\r\nNOOP\r\n", "535 421 ");
  assert_int_equal(k->p->reason, CLOSE_AUTH_FAILURES);
  kit_free(k);
  k = kit_user();
  k->auth_lost = true;
  kit_expect(k, PLAIN, "454 ");
  k->auth_lost = false;
  kit_expect(k, "AUTH LOGIN\r\n", "334 "); /* auth restarts between two lines */
  k->auth_state = 0;
  smtpd_session_ops.role_lost(k->p, ROLE_AUTH);
  kit_expect(k, "YWxpY2U=\r\n", "454 ");
  assert_int_equal(k->cancels, 0);
  kit_expect(k, PLAIN, "235 ");
  kit_free(k);
  k = kit_user(); /* gone in the middle */
  kit_expect(k, "AUTH LOGIN\r\n", "334 ");
  smtpd_session_ops.gone(k->p, CLOSE_PEER_GONE);
  kit_run(k);
  assert_int_equal(k->cancels, 1);
  kit_free(k);
}

/* I10: no secret and no message in a trace. */
static void traces(void **state) {
  struct kit *k = kit_user();
  k->p->trace.fn = kit_trace;
  k->p->trace.arg = k;
  kit_say(k, PLAIN "AUTH LOGIN\r\nc2VjcmV0\r\nc2VjcmV0 x\r\n");
  kit_say(k, MAIL RCPT "DATA\r\nTop: c2VjcmV0\r\n\r\n.\r\nQUIT\r\n");
  struct slice trace = buf_slice(&k->trace);
  assert_true(slice_search(trace, SLICE("c2VjcmV0")) < 0);
  assert_true(slice_search(trace, SLICE("AGFsaWNl")) < 0);
  assert_true(slice_search(trace, SLICE("C AUTH PLAIN ***\n")) >= 0);
  assert_true(slice_search(trace, SLICE("C MAIL FROM:<x@y.example>\nS 503")) < 0);
  assert_true(slice_search(trace, SLICE("* state ready > mail\n")) > 0);
  assert_true(slice_search(trace, SLICE("* message of 17 octets\n")) > 0);
  assert_true(slice_search(trace, SLICE("S 221 2.0.0 mx.here.example Bye\n")) > 0);
  kit_free(k);
}

int main(void) {
  const struct CMUnitTest tests[] = {
    cmocka_unit_test(store_outcomes),
    cmocka_unit_test(spooled_messages),
    cmocka_unit_test(chunks_ahead),
    cmocka_unit_test(gone_in_data),
    cmocka_unit_test(starttls),
    cmocka_unit_test(submission_needs_login),
    cmocka_unit_test(ehlo_names_mechanisms),
    cmocka_unit_test(login_forgotten),
    cmocka_unit_test(auth_forms),
    cmocka_unit_test(auth_failures),
    cmocka_unit_test(traces),
  };
  return cmocka_run_group_tests_name("smtp-processes", tests, NULL, NULL);
}
