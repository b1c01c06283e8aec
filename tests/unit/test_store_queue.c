/* SPDX-License-Identifier: ISC */
/* The queue: which clients may send, which letters a sender gets, and the effect of its reports. */
#include "src/store/jobs/tls_failures.h"
#include "src/store/sql/schema.h"
#include "tests/unit/queue_kit.h"

/* No client relays without a login; store relies on auth's grant, not on the front-end. */
static void no_relay(void **state) {
  struct kit *k = *state;
  alice(k);
  assert_int_equal(rcpt(k, SESSION, "alice@example.org", "bob@elsewhere.example", false),
                   RCPT_ELSEWHERE);
  assert_int_equal(commit(k, "bob@elsewhere.example"), COMMIT_TROUBLE);
  assert_int_equal(commit(k, "alice@example.org bob@elsewhere.example"), COMMIT_TROUBLE);
  assert_int_equal(mails(k, "alice@example.org"), 0);
  /* relay_networks */
  assert_int_equal(rcpt(k, SESSION, "x@y.example", "bob@elsewhere.example", true), RCPT_LEAVES);
  assert_int_equal(waiting(k), 0);
  assert_sound(k);
}

/* The login's own addresses: its address, aliases, subaddresses; no other's, and not <>. */
static void sender_check(void **state) {
  struct kit *k = *state;
  uint64_t id = alice(k);
  kit_account(k, "ceo@example.org");
  assert_int_equal(kit_command(k, "alias add sales@example.org alice@example.org").code, CLI_OK);
  submit_grant(k, SESSION, id);
  const char *bob = "bob@elsewhere.example";
  assert_int_equal(rcpt(k, SESSION, "alice@example.org", bob, false), RCPT_LEAVES);
  assert_int_equal(rcpt(k, SESSION, "alice+x@example.org", bob, false), RCPT_LEAVES);
  assert_int_equal(rcpt(k, SESSION, "sales@example.org", bob, false), RCPT_LEAVES);
  assert_int_equal(rcpt(k, SESSION, "ceo@example.org", bob, false), RCPT_NOT_YOURS);
  assert_int_equal(rcpt(k, SESSION, "ceo@bank.example", bob, false), RCPT_NOT_YOURS);
  assert_int_equal(rcpt(k, SESSION, "", bob, false), RCPT_NOT_YOURS);
  assert_int_equal(commit_dsn(k, SESSION, "ceo@example.org", bob, SLICE("a: b\r\n\r\n"), 0, 0),
                   COMMIT_TROUBLE);
}

/* The grant ends with the session, or when auth revokes it. */
static void grant_ends(void **state) {
  struct kit *k = *state;
  uint64_t id = alice(k);
  submit_grant(k, SESSION, id);
  assert_true(KIT_SAY(k, ROLE_SMTPD, SMTPD, smtp_discard, SESSION, ));
  assert_int_equal(rcpt(k, SESSION, "alice@example.org", "b@elsewhere.example", false),
                   RCPT_LEAVES);
  assert_true(KIT_SAY(k, ROLE_SMTPD, SMTPD, smtp_bye, SESSION, ));
  struct auth_over over = KIT_HEAR(k, auth_over); /* auth need not revoke the grant too */
  assert_int_equal(over.front, SMTPD);
  assert_int_equal(over.session, SESSION);
  assert_int_equal(rcpt(k, SESSION, "alice@example.org", "b@elsewhere.example", false),
                   RCPT_ELSEWHERE);
  submit_grant(k, SESSION, id);
  submit_grant(k, SESSION, id); /* a repeated one */
  assert_true(KIT_SAY(k, ROLE_AUTH, AUTH, auth_revoke, 0, SMTPD, SESSION));
  assert_int_equal(rcpt(k, SESSION, "alice@example.org", "b@elsewhere.example", false),
                   RCPT_ELSEWHERE);
}

static void delivered(void **state) {
  struct kit *k = *state;
  submit_grant(k, SESSION, alice(k));
  assert_int_equal(commit(k, "bob@elsewhere.example carl@elsewhere.example alice@example.org"),
                   COMMIT_DONE);
  assert_int_equal(waiting(k), 2);
  assert_sound(k);
  ready(k, SENDER, 10);
  struct got g = letter(k);
  assert_int_equal(g.count, 2); /* one letter for one destination */
  assert_string_equal(g.to[0], "bob@elsewhere.example");
  /* without our Return-Path: */
  assert_true(slice_eq(g.m.octets, SLICE("Subject: hello\r\n\r\nhi\r\n")));
  assert_int_equal(g.m.envelope.size, g.m.octets.n);
  nothing(k);
  assert_true(report(k, SENDER, &g, SEND_DELIVERED, 250, "ok"));
  assert_int_equal(waiting(k), 0);
  assert_int_equal(mails(k, "alice@example.org"), 1); /* the local copy stays */
  assert_int_equal(kit_command(k, "queue history bob@elsewhere.example").count, 1);
  assert_sound(k);
}

/* A permanent failure generates one report for all recipients that failed together. A report that
 * fails generates none. */
static void failed(void **state) {
  struct kit *k = *state;
  uint64_t id = alice(k);
  submit_grant(k, SESSION, id);
  assert_int_equal(commit(k, "bob@elsewhere.example carl@elsewhere.example"), COMMIT_DONE);
  ready(k, SENDER, 10);
  struct got g = letter(k);
  assert_true(report(k, SENDER, &g, SEND_PERMANENT, 550, "no such user\nat all"));
  assert_int_equal(waiting(k), 0);
  assert_int_equal(mails(k, "alice@example.org"), 1);
  assert_sound(k);
  struct drop *d = kit_open_drop(k, 77, id);
  struct buf text;
  buf_init(&text, 100000);
  assert_int_equal(kit_read(k, 77, 1, &text), POP_DONE);
  assert_true(slice_search(buf_slice(&text), SLICE("Return-Path: <>\r\n")) == 0);
  assert_true(slice_search(buf_slice(&text),
                           SLICE("Final-Recipient: rfc822; carl@elsewhere.example\r\nAction: "
                                 "failed\r\nStatus: 5.1.1\r\n")) > 0);
  assert_true(slice_search(buf_slice(&text),
                           SLICE("Diagnostic-Code: smtp; 550 no such user at all\r\n")) > 0);
  assert_true(slice_search(buf_slice(&text), SLICE("Subject: hello\r\n")) > 0);
  buf_free(&text);
  kit_quit(k, 77);
  (void)d;
}

/* NOTIFY=NEVER: no report. A report to a remote sender is queued with <>, and its own failure is
 * never reported. */
static void reports(void **state) {
  struct kit *k = *state;
  submit_grant(k, SESSION, alice(k));
  struct slice tail = SLICE("Subject: hello\r\n\r\nhi\r\n");
  assert_int_equal(commit_dsn(k, SESSION, "alice@example.org", "bob@elsewhere.example", tail,
                              SMTP_NOTIFY_NEVER, 0),
                   COMMIT_DONE);
  ready(k, SENDER, 10);
  struct got g = letter(k);
  assert_true(report(k, SENDER, &g, SEND_PERMANENT, 550, "no"));
  assert_int_equal(mails(k, "alice@example.org"), 0);

  struct buf list;
  kit_rcpts(&list, "bob@elsewhere.example");
  assert_true(
      KIT_SAY(k, ROLE_SMTPD, SMTPD, smtp_commit, 99,
              .envelope = { .return_path = SLICE("x@third.example"), .rcpts = buf_slice(&list) },
              .end = { .id = SLICE("Q2"), .tail = tail }, .trusted = true));
  buf_free(&list);
  assert_int_equal(KIT_HEAR(k, smtp_committed).outcome, COMMIT_DONE);
  g = letter(k);
  assert_true(report(k, SENDER, &g, SEND_PERMANENT, 550, "no"));
  struct got back = letter(k); /* the report leaves at once */
  assert_int_equal(back.m.envelope.return_path.n, 0);
  assert_string_equal(back.to[0], "x@third.example");
  struct envelope_rcpt only; /* a report requests no DSN (RFC 3461 §6.1) */
  struct slice list_ = back.m.envelope.rcpts;
  assert_true(envelope_rcpt_next(&list_, &only) && only.notify == SMTP_NOTIFY_NEVER &&
              !only.orcpt.n);
  assert_true(!back.m.envelope.ret && !back.m.envelope.envid.n);
  assert_true(report(k, SENDER, &back, SEND_PERMANENT, 550, "no"));
  nothing(k);
  assert_int_equal(waiting(k), 0);
  assert_sound(k);
}

/* NOTIFY=SUCCESS through a server without DSN: the sender gets a "relayed" report (RFC 3461
 * §5.2.2). */
static void relayed(void **state) {
  struct kit *k = *state;
  uint64_t id = alice(k);
  submit_grant(k, SESSION, id);
  assert_int_equal(commit_dsn(k, SESSION, "alice@example.org", "bob@elsewhere.example",
                              SLICE("Subject: s\r\n\r\nbody text\r\n"), SMTP_NOTIFY_SUCCESS,
                              SMTP_RET_FULL),
                   COMMIT_DONE);
  ready(k, SENDER, 10);
  struct got g = letter(k);
  assert_true(report(k, SENDER, &g, SEND_DELIVERED, 250, "ok"));
  assert_int_equal(mails(k, "alice@example.org"), 1);
  kit_open_drop(k, 77, id);
  struct buf text;
  buf_init(&text, 100000);
  assert_int_equal(kit_read(k, 77, 1, &text), POP_DONE);
  assert_true(slice_search(buf_slice(&text), SLICE("Action: relayed\r\nStatus: 2.1.1\r\n")) > 0);
  assert_true(slice_search(buf_slice(&text), SLICE("Subject: s\r\n")) > 0);
  /* RET=FULL is for failures: §4.3 */
  assert_true(slice_search(buf_slice(&text), SLICE("body text\r\n")) < 0);
  buf_free(&text);
  kit_quit(k, 77);
}

/* All of it in one text. */
static void read_mail(struct kit *k, uint64_t account, uint32_t uid, struct buf *text) {
  buf_init(text, 300000);
  kit_open_drop(k, 78, account);
  assert_int_equal(kit_read(k, 78, uid, text), POP_DONE);
  kit_quit(k, 78);
}
static bool has(const struct buf *text, const char *what) {
  return slice_search(buf_slice(text), slice_str(what)) >= 0;
}

/* NOTIFY=SUCCESS for a mailbox here: "delivered", with ENVID and ORCPT as they were before xtext,
 * in the transaction of the message. Original-Recipient only where there was an ORCPT. */
static void delivered_here(void **state) {
  struct kit *k = *state;
  uint64_t id = alice(k);
  struct buf text;
  kit_account(k, "bob@example.org");
  struct slice tail = SLICE("Subject: s\r\n\r\nbody text\r\n");
  assert_int_equal(commit_orcpt(k, SESSION, "alice@example.org", "bob+x@example.org", tail,
                                SMTP_NOTIFY_SUCCESS, SMTP_RET_FULL, "rfc822;Bob+2Bx@example.org",
                                "my+20id"),
                   COMMIT_DONE);
  assert_int_equal(mails(k, "bob@example.org"), 1);
  assert_int_equal(mails(k, "alice@example.org"), 1);
  read_mail(k, id, 1, &text);
  assert_true(has(&text, "Return-Path: <>\r\n"));
  assert_true(has(&text, "Original-Envelope-Id: my id\r\n"));
  assert_true(has(&text, "Original-Recipient: rfc822; Bob+x@example.org\r\nFinal-Recipient: "
                         "rfc822; bob+x@example.org\r\n"
                         "Action: delivered\r\nStatus: 2.1.5\r\n"));
  assert_true(has(&text, "Subject: s\r\n"));
  assert_false(has(&text, "body text"));
  assert_false(has(&text, "Diagnostic-Code"));
  buf_free(&text);
  assert_int_equal(
      commit_dsn(k, SESSION, "alice@example.org", "bob@example.org", tail, SMTP_NOTIFY_SUCCESS, 0),
      COMMIT_DONE);
  read_mail(k, id, 2, &text);
  assert_true(has(&text, "Final-Recipient: rfc822; bob@example.org\r\n"));
  assert_false(has(&text, "Original-Recipient"));
  assert_false(has(&text, "Original-Envelope-Id"));
  buf_free(&text);
  static const uint8_t others[] = { 0, SMTP_NOTIFY_NEVER, SMTP_NOTIFY_FAILURE | SMTP_NOTIFY_DELAY };
  for (size_t i = 0; i < sizeof others; i++)
    assert_int_equal(
        commit_dsn(k, SESSION, "alice@example.org", "bob@example.org", tail, others[i], 0),
        COMMIT_DONE);
  assert_int_equal(commit_dsn(k, SESSION, "", "bob@example.org", tail, SMTP_NOTIFY_SUCCESS, 0),
                   COMMIT_DONE);
  assert_int_equal(mails(k, "alice@example.org"), 2);
  assert_int_equal(waiting(k), 0);
  assert_sound(k);
}

/* The sender is remote: the report is queued with the empty reverse-path. A large message's
 * header is read from its file. */
static void delivered_for_elsewhere(void **state) {
  struct kit *k = *state;
  alice(k);
  k->conf->body_threshold = 1024;
  kit_reopen(k);
  char big[20000];
  memset(big, 'a', sizeof big);
  memcpy(big, "Subject: big\r\n\r\n", 16);
  memcpy(big + sizeof big - 2, "\r\n", 2);
  assert_int_equal(commit_dsn(k, SESSION, "x@third.example", "alice@example.org",
                              slice_of(big, sizeof big), SMTP_NOTIFY_SUCCESS, 0),
                   COMMIT_DONE);
  assert_int_equal(waiting(k), 1);
  ready(k, SENDER, 10);
  struct got g = letter(k);
  assert_int_equal(g.m.envelope.return_path.n, 0);
  assert_string_equal(g.to[0], "x@third.example");
  assert_true(slice_search(g.m.octets, SLICE("Action: delivered\r\n")) > 0);
  assert_true(slice_search(g.m.octets, SLICE("Subject: big\r\n")) > 0);
  assert_true(report(k, SENDER, &g, SEND_PERMANENT, 550, "no"));
  nothing(k);
  assert_sound(k);
}

/* A report delivered to a mailbox is counted like any mail: the account's totals match the
 * messages in it. */
static void reports_count(void **state) {
  struct kit *k = *state;
  uint64_t id = alice(k);
  submit_grant(k, SESSION, id);
  assert_int_equal(kit_command(k, "account quota alice@example.org 3000").code, CLI_OK);
  struct slice tail = SLICE("Subject: s\r\n\r\nbody text\r\n");
  assert_int_equal(kit_rcpt(k, "alice@example.org", 2500), RCPT_OURS);
  assert_int_equal(commit_dsn(k, SESSION, "alice@example.org", "b@elsewhere.example", tail, 0, 0),
                   COMMIT_DONE);
  ready(k, SENDER, 10);
  struct got g = letter(k);
  assert_true(report(k, SENDER, &g, SEND_PERMANENT, 550, "no"));
  assert_int_equal(mails(k, "alice@example.org"), 1);
  assert_int_equal(kit_rcpt(k, "alice@example.org", 2500), RCPT_FULL);
  assert_sound(k);
}

/* 100 recipients with the longest ORCPT do not fit one letter: the sender gets several. */
static void long_orcpts(void **state) {
  struct kit *k = *state;
  struct buf list;
  char address[300], orcpt[SMTP_ORCPT_WIRE_MAX];
  alice(k);
  buf_init(&list, ENVELOPE_RCPTS_MAX);
  memset(orcpt, 'x', sizeof orcpt);
  memcpy(orcpt, "rfc822;", 7);
  for (int i = 0; i < 40; i++) {
    int n = snprintf(address, sizeof address, "u%d@elsewhere.example", i);
    envelope_rcpt_put(&list, &(struct envelope_rcpt){ .notify = SMTP_NOTIFY_FAILURE,
                                                      .address = slice_of(address, (size_t)n),
                                                      .orcpt = slice_of(orcpt, sizeof orcpt) });
  }
  assert_true(
      KIT_SAY(k, ROLE_SMTPD, SMTPD, smtp_commit, SESSION,
              .envelope = { .return_path = SLICE("x@y.example"), .rcpts = buf_slice(&list) },
              .end = { .id = SLICE("Q1"), .tail = SLICE("a: b\r\n\r\n") }, .trusted = true));
  buf_free(&list);
  assert_int_equal(KIT_HEAR(k, smtp_committed).outcome, COMMIT_DONE);
  ready(k, SENDER, 10);
  size_t count = 0, letters = 0;
  for (; count < 40; letters++) {
    struct said *x = kit_next(k, send_letter_type);
    struct send_letter m;
    struct envelope_rcpt r;
    assert_true(send_letter_get(x->payload, &m));
    for (struct slice rows = m.envelope.rcpts; envelope_rcpt_next(&rows, &r); count++)
      assert_int_equal(r.orcpt.n, sizeof orcpt);
  }
  assert_int_equal(count, 40);
  assert_int_equal(letters, 2);
}

/* Each delay is longer than the one before; when the queue time ends, the author gets a report. */
static void retries(void **state) {
  struct kit *k = *state;
  submit_grant(k, SESSION, alice(k));
  int64_t begin = k->now_s;
  assert_int_equal(commit(k, "bob@elsewhere.example"), COMMIT_DONE);
  ready(k, SENDER, 1000);
  unsigned tries = 0;
  int64_t last = begin;
  for (; k->now_s - begin < 6 * 86400; k->now_s += 60) {
    store_housekeeping(k->store, k->now_s);
    store_due(k->store, k->now_s);
    kit_pump(k);
    if (!k->said) continue;
    struct got g = letter(k);
    tries++;
    last = k->now_s;
    assert_true(report(k, SENDER, &g, SEND_TEMPORARY, 450, "later"));
    nothing(k); /* not at once */
  }
  assert_int_equal(waiting(k), 0);
  assert_in_range(last - begin, 5 * 86400 - 300, 5 * 86400 - 180); /* the last try, before it */
  assert_in_range(tries, 20, 60);
  assert_int_equal(mails(k, "alice@example.org"), 2); /* one warning, one return */
  assert_sound(k);
}

/* Seconds until the letter is handed out again after that reply; the sender has it then. */
static int64_t next_try(struct kit *k, struct got *g, uint16_t code, const char *text) {
  int64_t begin = k->now_s;
  assert_true(report(k, SENDER, g, SEND_TEMPORARY, code, text));
  while (!k->said && k->now_s - begin < 86400) {
    k->now_s += 10;
    store_due(k->store, k->now_s);
    kit_pump(k);
  }
  *g = letter(k);
  return k->now_s - begin;
}

/* NOTIFY decides which reports are sent (RFC 3461 §5.2.5, §5.2.6): of a delay after four hours, or
 * of a failure; RET=FULL returns the whole message. */
static void asked_for(void **state) {
  static const struct {
    unsigned notify, delays, failures;
  } t[] = {
    { 0, 1, 1 },
    { SMTP_NOTIFY_FAILURE, 0, 1 },
    { SMTP_NOTIFY_DELAY, 1, 0 },
    { SMTP_NOTIFY_FAILURE | SMTP_NOTIFY_DELAY, 1, 1 },
    { SMTP_NOTIFY_SUCCESS, 0, 0 },
    { SMTP_NOTIFY_NEVER, 0, 0 },
  };
  struct kit *k = *state;
  struct buf text;
  uint64_t id = alice(k);
  submit_grant(k, SESSION, id);
  ready(k, SENDER, 1000);
  size_t count = 0;
  for (size_t i = 0; i < sizeof t / sizeof *t; i++) {
    assert_int_equal(commit_dsn(k, SESSION, "alice@example.org", "bob@elsewhere.example",
                                SLICE("Subject: s\r\n\r\nbody text\r\n"), (uint8_t)t[i].notify,
                                SMTP_RET_FULL),
                     COMMIT_DONE);
    struct got g = letter(k);
    for (int64_t end = k->now_s + 5 * 3600; k->now_s < end;) {
      next_try(k, &g, 450, "later");
      store_housekeeping(k->store, k->now_s);
      kit_pump(k);
    }
    count += t[i].delays;
    assert_int_equal(mails(k, "alice@example.org"), count);
    assert_true(report(k, SENDER, &g, SEND_PERMANENT, 550, "no"));
    count += t[i].failures;
    assert_int_equal(mails(k, "alice@example.org"), count);
    if (i) continue;
    read_mail(k, id, 2, &text);
    assert_true(has(&text, "Action: failed\r\n") && has(&text, "\r\nbody text\r\n"));
    assert_true(has(&text, "Content-Type: message/rfc822\r\n"));
    buf_free(&text);
  }
}

/* A report is tried for a day, and its expiry generates no report (RFC 5321 §4.5.4.1). */
static void report_ends(void **state) {
  struct kit *k = *state;
  int64_t begin = k->now_s, last = begin;
  alice(k);
  assert_int_equal(commit_dsn(k, SESSION, "x@third.example", "alice@example.org",
                              SLICE("Subject: s\r\n\r\n"), SMTP_NOTIFY_SUCCESS, 0),
                   COMMIT_DONE);
  ready(k, SENDER, 1000);
  for (; k->now_s - begin < 3 * 86400; k->now_s += 60) {
    store_housekeeping(k->store, k->now_s);
    store_due(k->store, k->now_s);
    kit_pump(k);
    if (!k->said) continue;
    struct got g = letter(k);
    last = k->now_s;
    assert_true(report(k, SENDER, &g, SEND_TEMPORARY, 450, "later"));
    nothing(k);
  }
  assert_int_equal(waiting(k), 0);
  assert_in_range(last - begin, 86400 - 300, 86400 - 180);
  assert_int_equal(mails(k, "alice@example.org"), 1);
  assert_sound(k);
}

/* The delay depends on what the reply means: 5 to 15 minutes for greylisting, but not without end;
 * an hour for a full mailbox. */
static void classes(void **state) {
  struct kit *k = *state;
  submit_grant(k, SESSION, alice(k));
  assert_int_equal(commit(k, "bob@elsewhere.example"), COMMIT_DONE);
  ready(k, SENDER, 1000);
  struct got g = letter(k);
  assert_in_range(next_try(k, &g, 451, "greylisted, come back"), 240, 370);
  for (int i = 0; i < 18; i++)
    assert_in_range(next_try(k, &g, 451, "greylisted, come back"), 240, 1090);
  for (int i = 0; i < 4; i++) next_try(k, &g, 451, "greylisted, come back");
  assert_true(next_try(k, &g, 451, "greylisted, come back") > 1200);
  assert_in_range(next_try(k, &g, 452, "mailbox full"), 2880, 17300);
  assert_int_equal(waiting(k), 1);
}

/* When a sender dies its letters return to the queue at once; late reports of it are ignored. */
static void sender_lost(void **state) {
  struct kit *k = *state;
  submit_grant(k, SESSION, alice(k));
  assert_int_equal(commit(k, "bob@elsewhere.example"), COMMIT_DONE);
  ready(k, SENDER, 10);
  struct got g = letter(k);
  store_process_lost(k->store, ROLE_SENDER, SENDER);
  ready(k, SENDER_2, 10);
  struct got again = letter(k);
  assert_int_equal(again.rows[0], g.rows[0]);
  assert_true(again.tag != g.tag);
  assert_true(report(k, SENDER_2, &again, SEND_DELIVERED, 250, "ok"));
  assert_int_equal(waiting(k), 0);
}

/* A letter that a sender has when the server stops is in the queue again at the next start. */
static void restart(void **state) {
  struct kit *k = *state;
  submit_grant(k, SESSION, alice(k));
  assert_int_equal(commit(k, "bob@elsewhere.example dora@other.example"), COMMIT_DONE);
  ready(k, SENDER, 10);
  letter(k);
  letter(k);
  kit_reopen(k);
  ready(k, SENDER, 10);
  struct got g = letter(k), h = letter(k);
  assert_true(report(k, SENDER, &g, SEND_DELIVERED, 250, "ok"));
  assert_true(report(k, SENDER, &h, SEND_DELIVERED, 250, "ok"));
  assert_int_equal(waiting(k), 0);
  assert_sound(k);
}

/* A sender marks rows of its own letters only, each once. */
static void breaches(void **state) {
  struct kit *k = *state;
  submit_grant(k, SESSION, alice(k));
  assert_int_equal(commit(k, "bob@elsewhere.example dora@other.example"), COMMIT_DONE);
  ready(k, SENDER, 10);
  struct got g = letter(k), h = letter(k), mixed = g;
  mixed.rows[0] = h.rows[0];
  assert_false(report(k, SENDER, &mixed, SEND_DELIVERED, 250, "ok"));
  mixed = g;
  mixed.rows[mixed.count++] = g.rows[0];
  assert_false(report(k, SENDER, &mixed, SEND_DELIVERED, 250, "ok"));
  mixed = g;
  mixed.tag = 999;
  assert_false(report(k, SENDER, &mixed, SEND_DELIVERED, 250, "ok"));
  assert_false(KIT_SAY(k, ROLE_SENDER, SENDER, send_read, 999, 0));
  assert_false(KIT_SAY(k, ROLE_SENDER, SENDER, send_read, g.tag, g.m.envelope.size + 1));
  assert_int_equal(waiting(k), 2);
}

/* The sender requests the octets that did not fit the letter, piece by piece. */
static void large(void **state) {
  struct kit *k = *state;
  submit_grant(k, SESSION, alice(k));
  enum { LINES = 5000 };
  struct buf text, read;
  buf_init(&text, 1 << 20);
  buf_init(&read, 1 << 20);
  buf_put_str(&text, "Subject: large\r\n\r\n");
  for (int i = 0; i < LINES; i++)
    buf_printf(&text, "line %d of a message that is no small one\r\n", i);
  struct slice rest = buf_slice(&text);
  for (; rest.n > 50000; rest = slice_from(rest, 50000)) {
    assert_true(KIT_SAY(k, ROLE_SMTPD, SMTPD, smtp_spool, SESSION, slice_first(rest, 50000)));
    assert_int_equal(KIT_HEAR(k, smtp_spooled).outcome, COMMIT_DONE);
  }
  assert_int_equal(commit_dsn(k, SESSION, "alice@example.org", "bob@elsewhere.example", rest, 0, 0),
                   COMMIT_DONE);
  ready(k, SENDER, 10);
  struct got g = letter(k);
  assert_int_equal(g.m.envelope.size, buf_len(&text));
  buf_put(&read, g.m.octets);
  while (buf_len(&read) < g.m.envelope.size) {
    assert_true(KIT_SAY(k, ROLE_SENDER, SENDER, send_read, g.tag, buf_len(&read)));
    struct send_octets o = KIT_HEAR(k, send_octets);
    assert_true(o.octets.n > 0);
    buf_put(&read, o.octets);
  }
  assert_true(slice_eq(buf_slice(&read), buf_slice(&text)));
  assert_true(report(k, SENDER, &g, SEND_DELIVERED, 250, "ok"));
  assert_sound(k);
  buf_free(&text);
  buf_free(&read);
}

static void steering(void **state) {
  struct kit *k = *state;
  submit_grant(k, SESSION, alice(k));
  assert_int_equal(commit(k, "bob@elsewhere.example dora@other.example"), COMMIT_DONE);
  assert_int_equal(kit_command(k, "queue hold to=elsewhere.example").code, CLI_OK);
  assert_int_equal(kit_command(k, "queue list state=held").count, 1);
  ready(k, SENDER, 10);
  struct got g = letter(k);
  assert_string_equal(g.to[0], "dora@other.example");
  nothing(k);
  assert_int_equal(kit_command(k, "queue release bob@elsewhere.example").code, CLI_OK);
  struct got h = letter(k);
  assert_string_equal(h.to[0], "bob@elsewhere.example");
  assert_true(report(k, SENDER, &h, SEND_TEMPORARY, 450, "later"));
  assert_int_equal(kit_command(k, "queue retry Q1").code, CLI_OK);
  h = letter(k);
  assert_string_equal(h.to[0], "bob@elsewhere.example");
  assert_int_equal(kit_command(k, "queue drop from=example.org").code, CLI_OK);
  assert_int_equal(waiting(k), 0);
  /* A letter dropped while a sender has it ends without a report, whatever the sender's result. */
  assert_true(report(k, SENDER, &h, SEND_PERMANENT, 550, "no"));
  assert_true(report(k, SENDER, &g, SEND_DELIVERED, 250, "ok"));
  assert_int_equal(mails(k, "alice@example.org"), 0);
  assert_int_equal(kit_command(k, "queue drop nobody@nowhere.example").code, CLI_NOT_FOUND);
  assert_int_equal(kit_command(k, "queue list state=odd").code, CLI_USAGE);
  assert_sound(k);
}

/* Only release lets go what is held, by hand or by the limits of accounts: retry counts it. */
static void retry_leaves_held(void **state) {
  struct kit *k = *state;
  submit_grant(k, SESSION, alice(k));
  assert_int_equal(kit_command(k, "account set alice@example.org messages-per-hour 1").code,
                   CLI_OK);
  assert_int_equal(commit(k, "bob@elsewhere.example dora@other.example"), COMMIT_DONE);
  assert_int_equal(commit(k, "eve@other.example"), COMMIT_DONE);
  assert_int_equal(kit_command(k, "queue list reason=account-limit").count, 1);
  assert_int_equal(kit_command(k, "queue hold bob@elsewhere.example").code, CLI_OK);
  struct answer a = kit_command(k, "queue retry from=example.org");
  assert_int_equal(a.code, CLI_OK);
  assert_string_equal(a.text, "1 recipient due now; 2 recipients that fit are held: queue release "
                              "lets them go");
  a = kit_command(k, "queue retry eve@other.example");
  assert_int_equal(a.code, CLI_NOT_FOUND);
  assert_string_equal(
      a.text, "nothing was changed; 1 recipient that fits is held: queue release lets it go");
  assert_int_equal(kit_command(k, "queue list state=held").count, 2);
  ready(k, SENDER, 10);
  struct got g = letter(k);
  assert_string_equal(g.to[0], "dora@other.example");
  nothing(k);
  assert_int_equal(kit_command(k, "queue release from=example.org").code, CLI_OK);
  letter(k), letter(k);
  assert_int_equal(kit_command(k, "queue list state=held").count, 0);
  assert_sound(k);
}

/* Each recipient has one reason, and it is the right one. */
static bool says(struct kit *k, const char *words, const char *what) {
  struct answer a = kit_command(k, words);
  return strstr(a.rows, what) != NULL;
}

static void reasons(void **state) {
  struct kit *k = *state;
  submit_grant(k, SESSION, alice(k));
  assert_int_equal(commit(k, "bob@elsewhere.example dora@other.example"), COMMIT_DONE);
  assert_true(says(k, "queue list to=elsewhere.example", "no-sender"));
  ready(k, SENDER, 1);
  struct got g = letter(k), h;
  assert_int_equal(kit_command(k, "queue list reason=sending").count, 1);
  assert_int_equal(kit_command(k, "queue list reason=sender-full").count, 1);
  assert_true(report(k, SENDER, &g, SEND_TEMPORARY, 452, "mailbox full"));
  assert_int_equal(kit_command(k, "queue list reason=back-off").count, 1);
  assert_int_equal(kit_command(k, "queue list reason=mailbox-full").count, 1);
  assert_int_equal(kit_command(k, "queue hold reason=mailbox-full").code, CLI_OK);
  /* it is */
  assert_int_equal(kit_command(k, "queue hold reason=mailbox-full").code, CLI_NOT_FOUND);
  assert_int_equal(kit_command(k, "queue list reason=held").count, 1);
  assert_int_equal(kit_command(k, "queue list state=held").count, 1);
  assert_int_equal(kit_command(k, "queue release reason=held").code, CLI_OK);
  ready(k, SENDER, 2);
  g = letter(k), h = letter(k);
  assert_int_equal(kit_command(k, "queue list reason=sending").count, 2);
  assert_true(KIT_SAY(k, ROLE_SENDER, SENDER, send_where, g.tag, SEND_WAITS_FOR_DNS, 0));
  assert_int_equal(kit_command(k, "queue list reason=waiting-for-dns").count, 1);
  assert_int_equal(kit_command(k, "queue list reason=sending").count, 1);
  assert_true(KIT_SAY(k, ROLE_SENDER, SENDER, send_where, g.tag, SEND_WAITS_FOR_CONNECTION, 0));
  assert_int_equal(kit_command(k, "queue list reason=connecting").count, 1);
  assert_true(KIT_SAY(k, ROLE_SENDER, SENDER, send_where, g.tag, SEND_IN_SESSION, 17));
  assert_true(says(k, "queue list reason=in-session", "in session 17; "));
  assert_false(KIT_SAY(k, ROLE_SENDER, SENDER, send_where, g.tag, SEND_WHERES, 0)); /* a breach */
  struct buf list;
  buf_init(&list, SEND_ROWS_MAX);
  send_outcome_put(&list, &(struct send_outcome){ .row = g.rows[0],
                                                  .fate = SEND_TEMPORARY,
                                                  .enhanced = { 4, 4, 1 },
                                                  .text = SLICE("Connection refused") });
  assert_true(KIT_SAY(k, ROLE_SENDER, SENDER, send_result, g.tag, .unreachable = true,
                      .results = buf_slice(&list)));
  buf_free(&list);
  assert_int_equal(kit_command(k, "queue list reason=network").count, 1);
  assert_true(report(k, SENDER, &h, SEND_DELIVERED, 250, "ok"));
  assert_int_equal(kit_command(k, "queue list reason=odd").code, CLI_USAGE);
  assert_sound(k);
}

/* Every selector, alone and with others. */
static void selectors(void **state) {
  struct kit *k = *state;
  submit_grant(k, SESSION, alice(k));
  assert_int_equal(commit(k, "bob@elsewhere.example dora@other.example eve@other.example"),
                   COMMIT_DONE);
  k->now_s += 7200;
  assert_int_equal(commit(k, "fred@elsewhere.example"), COMMIT_DONE);
  static const struct {
    const char *words;
    size_t count;
  } cases[] = {
    { "queue list Q1", 4 },
    { "queue list Q2", 0 },
    { "queue list bob@elsewhere.example", 1 },
    { "queue list alice@example.org", 4 },
    { "queue list to=other.example", 2 },
    { "queue list to=OTHER.example", 2 },
    { "queue list to=eve@other.example", 1 },
    { "queue list from=alice@example.org", 4 },
    { "queue list from=example.org", 4 },
    { "queue list from=Example.ORG", 4 },
    { "queue list from=other.example", 0 },
    { "queue list from=org", 0 },
    { "queue list from=example.org to=other.example", 2 },
    { "queue list from=example.org older=1h", 3 },
    { "queue list from=example.org state=held", 0 },
    { "queue list account=alice@example.org", 4 },
    { "queue list account=nobody@example.org", 0 },
    { "queue list older=1h", 3 },
    { "queue list newer=1h", 1 },
    { "queue list older=1h to=elsewhere.example", 1 },
    { "queue list older=3h", 0 },
    { "queue list state=waiting", 4 },
    { "queue list state=held", 0 },
    { "queue list reason=no-sender", 4 },
    { "queue letter Q1", 2 },
  };
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    struct answer a = kit_command(k, cases[i].words);
    if (a.code != CLI_OK || a.count != cases[i].count) fail_msg("%s: %zu", cases[i].words, a.count);
  }
  assert_int_equal(kit_command(k, "queue hold to=other.example").code, CLI_OK);
  assert_int_equal(kit_command(k, "queue list to=other.example").count, 2); /* the held ones too */
  static const char *const refused[] = {
    "queue list older=",
    "queue drop bogus=1",
    "queue drop from=other.example from=example.org",
    "queue drop Q1 Q1",
    "queue drop bob@elsewhere.example dora@other.example",
    "queue drop reason=held reason=network",
    "queue drop account=alice@example.org account=alice@example.org",
  };
  for (size_t i = 0; i < sizeof refused / sizeof *refused; i++) {
    enum cli_code code = kit_command(k, refused[i]).code;
    if (code != CLI_USAGE) fail_msg("%s: %d", refused[i], code);
  }
  assert_true(strstr(kit_command(k, "queue drop bogus=1").text, "account=ADDRESS, state=held|"));
  /* an address with = in it is one */
  assert_int_equal(kit_command(k, "queue list prvs=1=bob@elsewhere.example").code, CLI_OK);
  assert_int_equal(waiting(k), 4);
  assert_int_equal(kit_command(k, "queue drop older=1h state=waiting").code, CLI_OK);
  assert_int_equal(waiting(k), 3);
  assert_sound(k);
}

/* A migration counts the messages of an older queue and fills in their senders' domains. */
static void an_older_queue(void **state) {
  struct kit *k = *state;
  struct db_options options = { .page_size = 4096, .cache_kib = 64 };
  struct db *db;
  struct buf err;
  buf_init(&err, 1000);
  assert_int_equal(db_open(k->disk, "older.sqlite", &options, &db), DB_OK);
  assert_true(schema_bring_to(db, 19, &err));
  assert_int_equal(
      db_exec(db, "INSERT INTO letter (body, return_path, ret, flags, account, came, name) VALUES"
                  " (1, '', 0, 0, 7, 1, 'a'), (2, 'a@Some.Example', 0, 0, 7, 2, 'b'),"
                  " (3, '\"a@b\"@other.example', 0, 0, 8, 3, 'c');"
                  "INSERT INTO recipient (body, destination, address, notify, state, due, expires,"
                  " held_by) VALUES (1, 'x', 'a@x', 0, 0, 1, 9, 0), (1, 'x', 'b@x', 0, 1, 1, 9, 0),"
                  " (2, 'x', 'a@x', 0, 1, 1, 9, 0), (2, 'x', 'b@x', 0, 1, 1, 9, 3),"
                  " (3, 'x', 'a@x', 0, 0, 1, 9, 0), (3, 'x', 'b@x', 0, 1, 1, -1, 0)"),
      DB_OK);
  assert_true(schema_bring_forward(db, &err));
  struct db_stmt *s = db_prepare(db, "SELECT group_concat(kind || ' ' || account || ' ' ||"
                                     " recipients || ' ' || messages, ', ') FROM queue_count");
  assert_int_equal(db_step(s), DB_ROW);
  assert_true(slice_eq(db_bytes(s, 0), SLICE("0 0 2 2, 1 7 2 2, 2 7 1 1, 3 8 1 1")));
  db_reset(s);
  s = db_prepare(db, "SELECT group_concat(waiting || held || limited || failing, ' ') FROM letter");
  assert_int_equal(db_step(s), DB_ROW);
  assert_true(slice_eq(db_bytes(s, 0), SLICE("1100 0110 1001")));
  db_reset(s);
  s = db_prepare(db, "SELECT group_concat(coalesce(domain, '-'), ' ') FROM letter");
  assert_int_equal(db_step(s), DB_ROW);
  assert_true(slice_eq(db_bytes(s, 0), SLICE("- some.example other.example")));
  db_reset(s);
  db_close(&db);
  buf_free(&err);
}

static void lose_at_end(struct kit *k, const struct got *g) {
  struct buf list;
  buf_init(&list, SEND_ROWS_MAX);
  send_outcome_put(&list, &(struct send_outcome){ .row = g->rows[0],
                                                  .fate = SEND_TEMPORARY,
                                                  .stage = SMTP_STAGE_END,
                                                  .enhanced = { 4, 4, 2 },
                                                  .text = SLICE("lost; it may have taken it") });
  assert_true(KIT_SAY(k, ROLE_SENDER, SENDER, send_result, g->tag,
                      .host = SLICE("mx.elsewhere.example"), .results = buf_slice(&list)));
  buf_free(&list);
  kit_pump(k);
}

/* RFC 1047: each try behind which the connection is lost may be one more copy. The third returns
 * the message, and there is time before it. */
static void lost_at_end(void **state) {
  struct kit *k = *state;
  submit_grant(k, SESSION, alice(k));
  ready(k, SENDER, 10);
  assert_int_equal(commit(k, "bob@elsewhere.example"), COMMIT_DONE);
  static const int64_t waits[][2] = { { 240, 360 }, { 24 * 240, 24 * 360 } };
  for (unsigned i = 0; i < 3; i++) {
    struct got g = letter(k);
    assert_int_equal(g.m.doubts, i);
    lose_at_end(k, &g);
    assert_int_equal(waiting(k), i < 2 ? 1 : 0);
    if (i == 2) break;
    k->now_s += waits[i][0] - 1;
    store_due(k->store, k->now_s);
    nothing(k);
    k->now_s += waits[i][1] - waits[i][0] + 2;
    store_due(k->store, k->now_s);
  }
  assert_int_equal(mails(k, "alice@example.org"), 1);
  assert_sound(k);
}

/* Each group with a job that fails behind it (one address twice breaks the table's rule), so that
 * it is rolled back and run job by job. */
static void pump_with_failures(struct kit *k) {
  struct tls_failures_job *bad =
      job_new(KIND_TLS_FAILURES, sizeof *bad + 2 * sizeof *bad->rows, NULL, k->now_s);
  assert_non_null(bad);
  bad->count = 2;
  bad->rows[0].n = bad->rows[1].n = 4;
  while (k->writes) {
    struct store_job *first = k->writes, *last = first;
    k->writes = NULL;
    while (last->next) last = last->next;
    last->next = &bad->job;
    assert_true(store_write_group(k->writer, first));
    last->next = NULL;
    assert_int_equal(bad->job.result, JOB_TROUBLE);
    kit_finish_all(k, first);
  }
  free(bad);
}

/* A slice that is rolled back with its group restarts at the same row: it skips no message and
 * counts each once. */
static void a_slice_is_undone(void **state) {
  struct kit *k = *state;
  struct buf list;
  submit_grant(k, SESSION, alice(k));
  for (int i = 0; i < 5; i++) {
    char to[4096] = "";
    for (int n = 0; n < 50; n++)
      snprintf(to + strlen(to), sizeof to - strlen(to), "%su%d-%d@elsewhere.example", n ? " " : "",
               i, n);
    assert_int_equal(commit(k, to), COMMIT_DONE);
  }
  kit_list(&list, "queue drop to=elsewhere.example");
  assert_true(KIT_SAY(k, ROLE_CLI, CLI, cli_command, 0, buf_slice(&list)));
  buf_free(&list);
  pump_with_failures(k);
  struct answer a = kit_answer(k, NULL);
  assert_int_equal(a.code, CLI_OK);
  assert_string_equal(a.text, "250 recipients dropped");
  assert_int_equal(waiting(k), 0);
  assert_sound(k);
}

/* What became of a message is told by its id, its Message-ID, an address, or our reply to it; and
 * who was refused. */
static void why(void **state) {
  struct kit *k = *state;
  uint64_t id = alice(k);
  submit_grant(k, SESSION, id);
  commit_head = SLICE("Received: from client.test ([192.0.2.7])\r\n\tby mx (Qasid) with ESMTPSA "
                      "(TLSv1.3)\r\n\tid Q1; a date\r\n");
  assert_int_equal(
      commit_dsn(k, SESSION, "alice@example.org", "bob@elsewhere.example alice@example.org",
                 SLICE("Message-ID: <m1@client.test>\r\nSubject: x\r\n\r\nhi\r\n"), 0, 0),
      COMMIT_DONE);
  commit_head = SLICE_NONE;
  assert_int_equal(rcpt(k, 99, "x@y.example", "nobody@example.org", false), RCPT_UNKNOWN);
  kit_pump(k);
  ready(k, SENDER, 10);
  struct got g = letter(k);
  assert_true(report(k, SENDER, &g, SEND_TEMPORARY, 450, "busy, so busy"));
  const char *asked[] = { "why Q1",
                          "why <m1@client.test>",
                          "why m1@client.test",
                          "why bob@elsewhere.example",
                          "why alice@example.org",
                          "why 250 2.0.0 Ok, queued as Q1." };
  for (size_t i = 0; i < sizeof asked / sizeof *asked; i++) {
    struct answer a = kit_command(k, asked[i]);
    if (a.code != CLI_OK) fail_msg("%s: %s", asked[i], a.text);
    assert_non_null(
        strstr(a.rows, "from client.test ([192.0.2.7]) by mx (Qasid) with ESMTPSA (TLSv1.3)"));
    assert_non_null(strstr(a.rows, "mailbox alice@example.org"));
    assert_non_null(strstr(a.rows, "is-there alice@example.org"));
    assert_non_null(strstr(a.rows, "queued bob@elsewhere.example"));
    assert_non_null(strstr(a.rows, "450 busy, so busy (rcpt)"));
    assert_non_null(strstr(a.rows, "waits bob@elsewhere.example"));
    assert_non_null(strstr(a.rows, "back-off"));
  }
  assert_true(says(k, "why nobody@example.org", "550 5.1.1 No such mailbox here"));
  assert_true(says(k, "why 550 5.1.1 no such user", "nobody@example.org"));
  assert_int_equal(kit_command(k, "why Q77").code, CLI_NOT_FOUND);
  struct drop *d = kit_open_drop(k, 77, id);
  struct buf out;
  buf_init(&out, 100000);
  assert_int_equal(kit_read(k, 77, 1, &out), POP_DONE);
  buf_free(&out);
  kit_quit(k, 77);
  (void)d;
  kit_pump(k);
  assert_true(says(k, "why Q1", "pop3-read alice@example.org"));
  kit_reopen(k);
  /* it is a file, and outlives the process */
  assert_true(says(k, "why Q1", "is-there alice@example.org"));
  /* deleted and restored, it has another uid */
  k->conf->undelete_time = 3600;
  uint32_t uid = kit_open_drop(k, 77, id)->uid[0];
  kit_delete(k, 77, uid);
  kit_quit(k, 77);
  kit_pump(k);
  assert_true(says(k, "why Q1", "is-deleted alice@example.org uid 1"));
  assert_int_equal(kit_command(k, "mail undelete alice@example.org --all").count, 1);
  assert_true(says(k, "why Q1", "is-there alice@example.org uid 2"));
  assert_true(says(k, "why Q1", "pop3-deleted alice@example.org uid 1"));
  assert_sound(k);
}

/* The history is bounded, can be switched off, and when its file is damaged mail goes on. */
static void history_bounds(void **state) {
  struct kit *k = *state;
  submit_grant(k, SESSION, alice(k));
  k->conf->history_size = 200 * 1024;
  char text[1200];
  snprintf(text, sizeof text, "Message-ID: <%0500d@x>\r\n\r\nhi\r\n", 7);
  for (int i = 0; i < 1500; i++)
    assert_int_equal(
        commit_dsn(k, SESSION, "alice@example.org", "alice@example.org", slice_str(text), 0, 0),
        COMMIT_DONE);
  kit_pump(k);
  assert_true(says(k, "why alice@example.org", "mailbox"));
  k->conf->history_size = 0;
  assert_int_equal(commit_dsn(k, SESSION, "alice@example.org", "alice@example.org",
                              SLICE("Message-ID: <off@x>\r\n\r\nhi\r\n"), 0, 0),
                   COMMIT_DONE);
  kit_pump(k);
  assert_int_equal(kit_command(k, "why off@x").code, CLI_NOT_FOUND);
  assert_sound(k);
}

/* The administrator fails messages: each generates a report, also if many are failed at once or a
 * message is held. */
static void given_up(void **state) {
  struct kit *k = *state;
  submit_grant(k, SESSION, alice(k));
  enum { MESSAGES = 450 };
  for (int i = 0; i < MESSAGES; i++)
    assert_int_equal(commit(k, "bob@elsewhere.example carl@elsewhere.example"), COMMIT_DONE);
  assert_int_equal(kit_command(k, "queue hold carl@elsewhere.example").code, CLI_OK);
  assert_int_equal(kit_command(k, "queue fail to=elsewhere.example").code, CLI_OK);
  kit_pump(k);
  assert_int_equal(waiting(k), 0);
  /* one for both; a slice may end between them */
  assert_in_range(mails(k, "alice@example.org"), MESSAGES, MESSAGES + 4);
  assert_true(says(k, "queue history bob@elsewhere.example", "administrator"));
  assert_int_equal(kit_command(k, "queue fail Q1").code, CLI_NOT_FOUND);
  assert_sound(k);
}

/* Commands on letters that a sender has: the answer tells what takes effect now, and what when the
 * sender returns the letter. */
static void steered_in_hands(void **state) {
  struct kit *k = *state;
  submit_grant(k, SESSION, alice(k));
  assert_int_equal(commit(k, "bob@elsewhere.example dora@other.example"), COMMIT_DONE);
  assert_int_equal(kit_command(k, "queue hold dora@other.example").code, CLI_OK);
  assert_true(says(k, "status queue", "waiting 1 1 1700000000 1700000000\n"));
  assert_true(says(k, "status queue", "held 1 1 1700000000 \n"));
  ready(k, SENDER, 10);
  struct got g = letter(k);
  assert_string_equal(kit_command(k, "queue fail Q1").text,
                      "1 recipient failed, with a report; 1 more in the sender's hands: failed "
                      "when it gives them back, unless they ended by then");
  kit_pump(k);
  struct answer a = kit_command(k, "queue list");
  assert_int_equal(a.count, 1); /* dora's has ended; bob's does not delay it */
  assert_non_null(strstr(a.rows, " to-be-failed  when the sender gives it back; "));
  assert_null(strstr(a.rows, "18446744073709551615"));
  assert_true(says(k, "why Q1", "to-be-failed"));
  assert_true(says(k, "status queue", "held 0 0 "));
  assert_true(says(k, "status queue", "to-be-failed 1 1 "));
  assert_true(says(k, "status queue", "waiting 0 0  \n")); /* no message has a waiting recipient */
  assert_int_equal(kit_command(k, "queue list reason=to-be-failed").count, 1);
  static const char *const left[] = { "queue hold Q1", "queue release Q1", "queue retry Q1",
                                      "queue fail Q1", "queue hold state=held" };
  for (size_t i = 0; i < sizeof left / sizeof *left; i++)
    assert_int_equal(kit_command(k, left[i]).code, CLI_NOT_FOUND);
  assert_int_equal(mails(k, "alice@example.org"), 1);
  assert_true(report(k, SENDER, &g, SEND_TEMPORARY, 450, "later"));
  kit_pump(k);
  assert_int_equal(waiting(k), 0); /* at once, not with the next housekeeping */
  assert_int_equal(mails(k, "alice@example.org"), 2);
  assert_true(says(k, "queue history bob@elsewhere.example", "administrator"));
  assert_int_equal(commit(k, "eve@elsewhere.example"), COMMIT_DONE);
  g = letter(k);
  assert_string_equal(kit_command(k, "queue hold eve@elsewhere.example").text,
                      "0 recipients held; 1 more in the sender's hands: held when it gives them "
                      "back, unless they ended by then");
  assert_string_equal(kit_command(k, "queue drop eve@elsewhere.example").text,
                      "0 recipients dropped; 1 more in the sender's hands: out of the queue too, "
                      "but it may still deliver them");
  assert_true(report(k, SENDER, &g, SEND_DELIVERED, 250, "ok"));
  assert_int_equal(waiting(k), 0);
  assert_sound(k);
}

/* A letter that a sender has had for hours is recalled. It is not handed out again before the
 * recall is committed and its next try is due; late reports of the first sender are ignored. */
static void overdue(void **state) {
  struct kit *k = *state;
  submit_grant(k, SESSION, alice(k));
  assert_int_equal(commit(k, "bob@elsewhere.example"), COMMIT_DONE);
  ready(k, SENDER, 100);
  struct got g = letter(k);
  k->now_s += 4 * 3600;
  store_housekeeping(k->store, k->now_s);
  store_due(k->store, k->now_s);
  kit_next(k, send_recall_type);
  struct store_job *writes = k->writes; /* the reader may run before the writer */
  k->writes = NULL;
  nothing(k);
  k->writes = writes;
  nothing(k);
  store_due(k->store, k->now_s);
  nothing(k);
  k->now_s += 600;
  store_due(k->store, k->now_s);
  struct got again = letter(k);
  assert_int_equal(again.rows[0], g.rows[0]);
  assert_true(report(k, SENDER, &g, SEND_PERMANENT, 550, "no"));
  assert_int_equal(waiting(k), 1);
  assert_false(report(k, SENDER, &g, SEND_PERMANENT, 550, "no")); /* once */
  assert_true(report(k, SENDER, &again, SEND_DELIVERED, 250, "ok"));
  assert_int_equal(waiting(k), 0);
  assert_sound(k);
}

/* The same when the sender reports, or is lost, while the recall is being committed. */
static void overdue_meanwhile(void **state) {
  struct kit *k = *state;
  submit_grant(k, SESSION, alice(k));
  for (int lost = 0; lost < 2; lost++) {
    assert_int_equal(commit(k, "bob@elsewhere.example"), COMMIT_DONE);
    ready(k, lost ? SENDER_2 : SENDER, 100);
    struct got g = letter(k);
    k->now_s += 4 * 3600;
    store_housekeeping(k->store, k->now_s);
    kit_next(k, send_recall_type);
    if (lost)
      store_process_lost(k->store, ROLE_SENDER, SENDER_2);
    else
      assert_true(report(k, SENDER, &g, SEND_DELIVERED, 250, "ok"));
    nothing(k);
    assert_int_equal(waiting(k), 1);
    assert_int_equal(kit_command(k, "queue drop Q1").code, CLI_OK);
    if (!lost) store_process_lost(k->store, ROLE_SENDER, SENDER);
  }
  assert_sound(k);
}

/* Held mail expires too. */
static void held_expires(void **state) {
  struct kit *k = *state;
  submit_grant(k, SESSION, alice(k));
  assert_int_equal(commit(k, "bob@elsewhere.example"), COMMIT_DONE);
  assert_int_equal(kit_command(k, "queue hold Q1").code, CLI_OK);
  k->now_s += 5 * 86400 + 1;
  store_housekeeping(k->store, k->now_s);
  kit_pump(k);
  kit_pump(k);
  assert_int_equal(waiting(k), 0);
  assert_int_equal(mails(k, "alice@example.org"), 1);
  assert_sound(k);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, kit_setup, kit_teardown)
int main(void) {
  const struct CMUnitTest tests[] = {
    TEST(no_relay),
    TEST(sender_check),
    TEST(grant_ends),
    TEST(delivered),
    TEST(failed),
    TEST(reports),
    TEST(relayed),
    TEST(delivered_here),
    TEST(delivered_for_elsewhere),
    TEST(reports_count),
    TEST(long_orcpts),
    TEST(retries),
    TEST(asked_for),
    TEST(report_ends),
    TEST(classes),
    TEST(sender_lost),
    TEST(restart),
    TEST(breaches),
    TEST(large),
    TEST(steering),
    TEST(retry_leaves_held),
    TEST(a_slice_is_undone),
    TEST(lost_at_end),
    TEST(an_older_queue),
    TEST(reasons),
    TEST(selectors),
    TEST(given_up),
    TEST(why),
    TEST(history_bounds),
    TEST(held_expires),
    TEST(overdue),
    TEST(steered_in_hands),
    TEST(overdue_meanwhile),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
