/* SPDX-License-Identifier: ISC */
/* src/smtpd: limits, sizes, clocks, memory. LN lines, SZ sizes, BG big messages. */
#include "tests/unit/smtp_kit.h"

#include "src/smtpd/private.h"

static void kept_is(const struct kit *k, size_t i, const char *want) {
  assert_true(i < k->count);
  struct slice body = buf_slice(&k->messages[i].body);
  ptrdiff_t end = slice_search(body, SLICE("+0000\r\n")); /* of our Received: */
  assert_true(end > 0);
  struct slice rest = slice_from(body, (size_t)end + 7);
  if (!slice_eq(rest, slice_str(want))) fail_msg("kept: %.*s\nwanted: %s", SLICE_ARG(rest), want);
}

#define S(lit) \
  { (const uint8_t *)(lit), sizeof(lit) - 1 }

/* --- lines and limits --- */

static void lines(void **state) {
  struct kit *k = kit_met("smtp");
  kit_expect(k, "NOOP\n", "500 "); /* LN-0 */
  /* Each LF is answered, and what follows up to the CRLF is not obeyed. */
  kit_expect(k, "RSET\nRSET\n", "500 500 ");
  kit_expect(k, "MAIL FROM:<a@b>\nRSET\r\nNOOP\r\n", "500 250 ");
  kit_expect(k, "NO\0OP", "");
  kit_send(k, slice_of("\0\r\n", 3));
  assert_string_equal(kit_codes(k), "500 ");
  char line[4096];
  for (size_t n = 2047; n <= 2049; n++) { /* LN-2: the limit is 2048 */
    memset(line, 'a', sizeof line);
    memcpy(line, "NOOP ", 5);
    memcpy(line + n - 2, "\r\n", 2);
    kit_send(k, slice_of(line, n));
    assert_string_equal(kit_codes(k), n <= 2048 ? "250 " : "500 ");
  }
  kit_expect(k, "EHLO d\r\n" MAIL, "250 250 ");
  kit_free(k);
  k = kit_met("smtp"); /* LN-3 */
  memset(line, 'a', sizeof line);
  for (size_t i = 0; i < 1000 && !k->closed; i++) kit_send(k, slice_of(line, sizeof line));
  assert_string_equal(kit_codes(k), "500 421 ");
  assert_int_equal(k->p->reason, CLOSE_LINE_TOO_LONG);
  kit_free(k);
}

/* LN-1: a long name is rejected and not echoed. */
static void long_names(void **state) {
  struct kit *k = kit_plain("smtp");
  char line[300];
  memset(line, 'a', sizeof line);
  memcpy(line, "EHLO ", 5);
  memcpy(line + 5 + 256, "\r\n", 3);
  kit_exchange(k, line, "501 5.5.4 Say your domain name, or [address]\r\n");
  memcpy(line + 5 + 255, "\r\n", 3);
  kit_expect(k, line, "250 ");
  kit_free(k);
}

static size_t repeats_until_closed(struct kit *k, const char *text, size_t most) {
  size_t n = 0;
  while (!k->closed && n < most) {
    kit_say(k, text);
    n++;
  }
  assert_true(k->closed);
  assert_non_null(strstr(kit_heard(k), "\r\n421 "));
  return n;
}

/* LN-6, LN-7: each at its limit. */
static void counts(void **state) {
  static const struct {
    const char *text;
    size_t n;
    enum close_reason why;
  } t[] = {
    { "\r\n", 20, CLOSE_TOO_MANY_ERRORS },
    { "XYZZY\r\n", 20, CLOSE_TOO_MANY_ERRORS },
    { "DATA\r\n", 20, CLOSE_TOO_MANY_ERRORS },
    { "NOOP\r\n", 100, CLOSE_NO_PROGRESS }, /* with EHLO 101 */
    { "RSET\r\n", 100, CLOSE_NO_PROGRESS },
    { MAIL "RSET\r\n", 50, CLOSE_NO_PROGRESS },
    { MAIL "RCPT TO:<no@here.example>\r\nRSET\r\n", 20, CLOSE_TOO_MANY_ERRORS },
    { "EHLO d\r\n", 100, CLOSE_NO_PROGRESS },
  };
  for (size_t i = 0; i < sizeof t / sizeof *t; i++) {
    struct kit *k = kit_met("smtp");
    assert_int_equal(repeats_until_closed(k, t[i].text, 100000), t[i].n);
    assert_int_equal(k->p->reason, t[i].why);
    kit_free(k);
  }
  struct kit *k = kit_met("smtp"); /* a message pays for what went before */
  for (size_t i = 0; i < 8; i++) {
    for (size_t j = 0; j < 60; j++) kit_say(k, "NOOP\r\n");
    kit_heard(k);
    kit_expect(k, MAIL RCPT "DATA\r\n" MESSAGE, "250 250 354 250 ");
  }
  kit_free(k);
}

/* LN-7: 1000 recipients at most; the next thousand get a transient reply, later ones an error. */
static void many_recipients(void **state) {
  struct kit *k = kit_met("smtp");
  kit_expect(k, MAIL, "250 ");
  struct buf all;
  buf_init(&all, 1 << 20);
  for (int i = 0; i < 1001; i++) buf_printf(&all, "RCPT TO:<user%d@here.example>\r\n", i);
  buf_put_str(&all, "NOOP\r\n");
  kit_send(k, buf_slice(&all));
  const char *codes = kit_codes(k);
  assert_int_equal(strlen(codes), 4 * 1002);
  assert_string_equal(codes + 4 * 999, "250 452 250 ");
  assert_true(k->rcpt_questions <= 2);
  kit_expect(k, "DATA\r\n" MESSAGE, "354 250 ");
  struct slice to = buf_slice(&k->messages[0].to);
  size_t commas = 0;
  for (size_t i = 0; i < to.n; i++) commas += to.p[i] == ',';
  assert_int_equal(commas, 1000);
  buf_free(&all);
  kit_free(k);
  k = kit_met("smtp");
  k->service.recipients_per_message = 100;
  kit_say(k, MAIL);
  size_t n = 0;
  for (; n < 2 * SMTPD_OVERSHOOT_MAX && !k->closed; n++) kit_say(k, RCPT);
  assert_int_equal(n, 100 + SMTPD_OVERSHOOT_MAX + 20);
  assert_int_equal(k->p->reason, CLOSE_TOO_MANY_ERRORS);
  kit_free(k);
}

/* One question for a run of RCPTs; replies in order, with those that never were a question between.
 */
static void grouped_recipients(void **state) {
  struct kit *k = kit_met("smtp");
  kit_exchange(k,
               MAIL RCPT_NO "RCPT\r\n" RCPT
                            "rcpt to:<\xc3\xa9@b>\r\nRCPT TO:<full@here.example>\r\n"
                            "RCPT TO:<trouble@here.example>\r\nRCPT TO:<a@far.example>\r\n"
                            "RCPT TO:<a@b> X=Y\r\nDATA\r\n",
               "250 2.1.0 Sender ok\r\n"
               "550 5.1.1 No such mailbox here\r\n"
               "501 5.1.3 Bad recipient address; write RCPT TO:<user@domain>\r\n"
               "250 2.1.5 Recipient ok\r\n"
               "553 5.6.7 This address needs the parameter SMTPUTF8 in MAIL\r\n"
               "452 4.2.2 Mailbox full\r\n"
               "451 4.3.0 Cannot look this up now, try again later\r\n"
               "550 5.7.1 Not a domain of this server; it does not relay\r\n"
               "555 5.5.4 Unknown parameter\r\n"
               "354 Send the message, end it with a dot on a line of its own\r\n");
  assert_int_equal(k->rcpt_questions, 1);
  kit_expect(k, MESSAGE, "250 ");
  assert_true(slice_eq(buf_slice(&k->messages[0].to), SLICE("alice@here.example,")));
  /* nothing to ask */
  kit_expect(k, MAIL "RCPT TO:<\r\nRCPT TO:<>\r\nDATA\r\n", "250 501 501 503 ");
  assert_int_equal(k->rcpt_questions, 1);
  k->store_lost = true;
  kit_expect(k, RCPT RCPT, "451 451 ");
  kit_free(k);
}

/* W-1: a word of another protocol ends it. */
static void other_protocols(void **state) {
  static const struct slice first[] = {
    S("GET / HTTP/1.1\r\nHost: x\r\n\r\nMAIL FROM:<a@b>\r\n"),
    S("POST /x HTTP/1.0\r\n"),
    S("CONNECT a:25 HTTP/1.1\r\n"),
    S("\x16\x03\x01\x02\x00\x01"),
    S("SSH-2.0-OpenSSH_9\r\n"),
    S("*1\r\n"),
    S("PROXY TCP4 1.2.3.4 5.6.7.8 1 2\r\n"),
  };
  for (size_t i = 0; i < sizeof first / sizeof *first; i++) {
    struct kit *k = kit_plain("smtp");
    kit_send(k, first[i]);
    assert_true(k->closed);
    assert_int_equal(k->p->reason, CLOSE_NOT_MAIL);
    assert_string_equal(kit_codes(k), "554 ");
    kit_free(k);
  }
}

/* --- sizes --- */

static void sizes(void **state) {
  struct kit *k = kit_met("smtp");
  k->service.message_size_limit = 100000;
  kit_expect(k, "MAIL FROM:<a@b> SIZE=100001\r\n", "552 "); /* SZ-2 */
  kit_expect(k, "MAIL FROM:<a@b> SIZE=18446744073709551616\r\n", "552 ");
  kit_expect(k, "MAIL FROM:<a@b> SIZE=1 SIZE=2\r\n", "501 ");
  kit_expect(k, "MAIL FROM:<a@b> FROB=HDRS\r\n", "555 ");
  kit_expect(k, "MAIL FROM:<a@b> AUTH=<>\r\n", "555 "); /* not offered to servers */
  char body[100000];
  memset(body, 'a', sizeof body);
  for (size_t i = 70; i + 1 < sizeof body; i += 72) memcpy(body + i, "\r\n", 2);
  memcpy(body + sizeof body - 2, "\r\n", 2);
  kit_expect(k, "MAIL FROM:<a@b> SIZE=10\r\n" RCPT "DATA\r\n", "250 250 354 "); /* SZ-3 */
  kit_send(k, slice_of(body, sizeof body));
  kit_expect(k, ".\r\n", "250 ");
  assert_int_equal(k->spools, 1);
  struct slice kept = buf_slice(&k->messages[0].body);
  assert_true(kept.n > sizeof body);
  assert_memory_equal(slice_from(kept, kept.n - sizeof body).p, body, sizeof body);
  kit_expect(k, MAIL RCPT "DATA\r\n", "250 250 354 "); /* one octet over, SM-25 */
  kit_send(k, slice_of(body, sizeof body));
  kit_expect(k, "x\r\n.\nMAIL FROM:<c@d>\r\n.\r\nNOOP\r\n", "552 250 ");
  assert_int_equal(k->count, 1);
  assert_int_equal(k->drops, 1);
  kit_free(k);
}

/* BG-2: a stream without end. */
static void endless_message(void **state) {
  struct kit *k = kit_with_rcpt();
  k->service.message_size_limit = 4000000;
  kit_expect(k, "DATA\r\n", "354 ");
  char piece[65536];
  memset(piece, 'a', sizeof piece);
  size_t n = 0;
  for (; n < 1000 && !k->closed; n++) kit_send(k, slice_of(piece, sizeof piece));
  assert_string_equal(kit_codes(k), "552 ");
  assert_int_equal(k->p->reason, CLOSE_TOO_BIG);
  assert_in_range(n * sizeof piece, 8000000, 8200000);
  assert_int_equal(k->count, 0);
  assert_int_equal(k->drops, 1);
  kit_free(k);
}

static void loops(void **state) {
  struct kit *k = kit_met("smtp");
  for (size_t hops = 50; hops <= 51; hops++) {
    kit_expect(k, MAIL RCPT "DATA\r\n", "250 250 354 ");
    for (size_t i = 0; i < hops; i++) kit_say(k, "RECEIVED: x\r\n\ty\r\n");
    kit_expect(k, "\r\nReceived: in the text\r\n.\r\n", hops == 50 ? "250 " : "554 "); /* IN-3 */
  }
  kit_free(k);
}

/* --- clocks --- */

static void timeouts(void **state) {
  struct kit *k = kit_met("smtp");
  kit_wait(k, 299999);
  assert_false(k->closed);
  kit_say(k, "NOO"); /* LN-5: a piece of a command is no command */
  kit_wait(k, 1);
  assert_true(k->closed);
  assert_int_equal(k->p->reason, CLOSE_IDLE);
  assert_string_equal(kit_codes(k), "421 ");
  kit_free(k);
  k = kit_with_rcpt();
  kit_expect(k, "DATA\r\n", "354 ");
  kit_say_much(k, 1000000); /* ahead of the rate for 2000 s */
  kit_wait(k, 179999);
  assert_false(k->closed);
  kit_wait(k, 1);
  assert_int_equal(k->p->reason, CLOSE_IDLE);
  assert_int_equal(k->drops, 1);
  kit_free(k);
  k = kit_with_rcpt();
  kit_expect(k, "DATA\r\n", "354 ");
  size_t seconds = 0;
  for (; seconds < 1000 && !k->closed; seconds++) { /* LN-5: one octet a second */
    kit_say(k, "a");
    kit_wait(k, 1000);
  }
  assert_int_equal(seconds, 31);
  assert_int_equal(k->p->reason, CLOSE_TOO_SLOW);
  assert_int_equal(k->count, 0);
  kit_free(k);
  k = kit_met("smtp");
  for (seconds = 0; seconds < 5000 && !k->closed; seconds += 100) {
    kit_say(k, "NOOP\r\n");
    kit_wait(k, 100000);
  }
  assert_int_equal(seconds, 3600);
  assert_int_equal(k->p->reason, CLOSE_SESSION_TIME);
  kit_free(k);
}

/* While a process is asked the client owes nothing, and the time is not held against it. */
static void waiting_is_ours(void **state) {
  struct kit *k = kit_with_rcpt();
  kit_expect(k, "DATA\r\n", "354 ");
  k->hold = true;
  kit_say_much(k, 66000);
  assert_int_equal(k->p->ask.type, smtp_spool_type);
  assert_int_equal(k->p->deadline_ms, 0);
  k->now_ms += 1000000;
  k->hold = false;
  kit_run(k);
  kit_wait(k, 1000);
  assert_false(k->closed);
  kit_expect(k, ".\r\n", "250 ");
  kit_free(k);
}

/* --- cuts, memory --- */

/* The same replies wherever the stream is cut, and whether or not the client waits. */
static void cut_streams(void **state) {
  static const char all[] = "EHLO c\r\n" MAIL RCPT RCPT_NO RCPT_BOB "DATA\r\n"
                            "Subject: a\r\n\r\n..\r\n.\r\nRSET\r\nNOOP\n\r\nQUIT\r\n";
  for (size_t cut = 0; cut < sizeof all; cut++) {
    struct kit *k = kit_plain("smtp");
    kit_send(k, slice_of(all, cut));
    kit_send(k, slice_of(all + cut, sizeof all - 1 - cut));
    assert_string_equal(kit_codes(k), "250 250 250 550 250 354 250 250 500 221 ");
    kept_is(k, 0, "Subject: a\r\n\r\n.\r\n");
    assert_true(
        slice_eq(buf_slice(&k->messages[0].to), SLICE("alice@here.example,bob@here.example,")));
    kit_free(k);
  }
}

/* An idle session is one small block, and its name; nothing of a message stays behind. */
/* A message with two faults: its reply is the same whole and octet by octet. */
static void cuts_change_no_verdict(void **state) {
  static const char *const faulty[] = { "a\nb\r\n\x01\r\n.\r\n", "a\x01\r\nb\n\r\n.\r\n" };
  for (size_t i = 0; i < sizeof faulty / sizeof *faulty; i++)
    for (size_t step = 1; step < 20; step++) {
      struct kit *k = kit_with_rcpt();
      uint8_t octets[64];
      size_t n = strlen(faulty[i]);
      for (size_t j = 0; j < n; j++) octets[j] = faulty[i][j] == 1 ? 0 : (uint8_t)faulty[i][j];
      kit_say(k, "DATA\r\n");
      kit_heard(k);
      for (struct slice in = slice_of(octets, n); in.n; in = slice_from(in, step))
        kit_send(k, slice_first(in, step));
      assert_string_equal(kit_heard(k), "550 5.6.0 Message has a NUL\r\n");
      kit_free(k);
    }
}

static void idle_memory(void **state) {
  struct kit *k = kit_met("smtp");
  kit_expect(k, MAIL RCPT "DATA\r\n", "250 250 354 ");
  kit_say_much(k, 200000);
  kit_expect(k, ".\r\n", "250 ");
  const struct smtpd_session *s = (const struct smtpd_session *)k->p;
  assert_true(sizeof *s + s->helo.cap + s->user.cap + k->p->ask.body.cap + k->p->out.cap <= 1024);
  assert_null(s->transaction);
  kit_free(k);
}

/* Octets that keep the required rate, not those that were sent once. */
static void valuable_by_progress(void **state) {
  struct kit *k = kit_met("smtp");
  const struct smtpd_session *s = (const struct smtpd_session *)k->p;
  uint64_t rate = s->service->data_rate;
  assert_true(rate > 100);
  kit_expect(k, MAIL RCPT, "250 250 ");
  assert_false(smtpd_session_ops.valuable(k->p));
  kit_expect(k, "DATA\r\n", "354 ");
  kit_send(k, SLICE("A: b\r\n\r\n"));
  assert_false(smtpd_session_ops.valuable(k->p)); /* as in an attack: a few octets, and silence */
  kit_say_much(k, rate);
  assert_true(smtpd_session_ops.valuable(k->p));
  k->p->now_ms += 3500;
  assert_false(smtpd_session_ops.valuable(k->p));
  kit_say_much(k, 2 * rate);
  assert_true(smtpd_session_ops.valuable(k->p));
  kit_say_much(k, 100 * rate); /* that much at once pays for half a minute */
  k->p->now_ms += SMTPD_PROGRESS_MS - 1;
  assert_true(smtpd_session_ops.valuable(k->p));
  k->p->now_ms++;
  assert_false(smtpd_session_ops.valuable(k->p));
  kit_free(k);
}

static void summary_put(void *arg, const char *key, struct slice value) {
  buf_printf(arg, "%s=%.*s ", key, SLICE_ARG(value));
}

static void summary(void **state) {
  struct kit *k = kit_user();
  kit_say(k,
          PLAIN MAIL RCPT "RCPT TO:<no@here.example>\r\nDATA\r\nFrom: a@b\r\n" MESSAGE "XYZZY\r\n");
  assert_true(smtpd_session_ops.valuable(k->p));
  struct buf b;
  buf_init(&b, 1000);
  smtpd_session_ops.summary(k->p, summary_put, &b);
  assert_string_equal(buf_cstr(&b),
                      "helo=laptop login=alice lines=7 messages=1 recipients=1 octets=28 "
                      "errors=1 unknown=1 ");
  buf_free(&b);
  kit_free(k);
  k = kit_met("smtp");
  assert_false(smtpd_session_ops.valuable(k->p));
  kit_free(k);
}

/* RFC 3461: each recipient's NOTIFY and ORCPT go to store beside it, those of refused recipients do
 * not; nothing when nobody asks. And 100 recipients with the longest values have room. */
static void dsn(void **state) {
  struct kit *k = kit_met("smtp");
  kit_expect(k,
             MAIL RCPT
             "RCPT TO:<no@here.example> NOTIFY=NEVER\r\n"
             "RCPT TO:<bob@here.example> NOTIFY=SUCCESS,DELAY ORCPT=rfc822;b\r\nDATA\r\n" MESSAGE,
             "250 250 550 250 354 250 ");
  assert_string_equal(k->messages[0].dsn, "0:,10:rfc822;b, 0");
  kit_expect(k, "MAIL FROM:<x@y.example> RET=FULL ENVID=e\r\n" RCPT "DATA\r\n" MESSAGE,
             "250 250 354 250 ");
  assert_string_equal(k->messages[1].dsn, "e 1");
  kit_free(k);
  k = kit_met("smtp");
  kit_expect(k, MAIL, "250 ");
  for (int i = 0; i < 100; i++) {
    char line[1200];
    int n = snprintf(line, sizeof line,
                     "RCPT TO:<user%d@here.example> NOTIFY=FAILURE ORCPT=rfc822;", i);
    memset(line + n, 'x', 500);
    memcpy(line + n + 500, "\r\n", 3);
    kit_expect(k, line, "250 ");
  }
  kit_expect(k, "DATA\r\n", "354 ");
  kit_say_much(k, 200000);
  kit_expect(k, ".\r\n", "250 ");
  assert_int_equal(k->count, 1);
  kit_free(k);
}

/* What no report can be sent for is not offered. */
static void dsn_without_sending(void **state) {
  struct kit *k = kit_new("smtp", true);
  k->service.sends = false;
  kit_connect(k, false);
  kit_say(k, "EHLO c\r\n");
  assert_null(strstr(kit_heard(k), "DSN"));
  kit_expect(k, "MAIL FROM:<x@y.example> RET=FULL\r\n", "555 ");
  kit_free(k);
}

int main(void) {
  const struct CMUnitTest tests[] = {
    cmocka_unit_test(lines),
    cmocka_unit_test(long_names),
    cmocka_unit_test(counts),
    cmocka_unit_test(many_recipients),
    cmocka_unit_test(grouped_recipients),
    cmocka_unit_test(other_protocols),
    cmocka_unit_test(sizes),
    cmocka_unit_test(endless_message),
    cmocka_unit_test(loops),
    cmocka_unit_test(timeouts),
    cmocka_unit_test(waiting_is_ours),
    cmocka_unit_test(cut_streams),
    cmocka_unit_test(cuts_change_no_verdict),
    cmocka_unit_test(idle_memory),
    cmocka_unit_test(summary),
    cmocka_unit_test(valuable_by_progress),
    cmocka_unit_test(dsn),
    cmocka_unit_test(dsn_without_sending),
  };
  return cmocka_run_group_tests_name("smtp-limits", tests, NULL, NULL);
}
