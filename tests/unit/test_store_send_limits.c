/* SPDX-License-Identifier: ISC */
/* As whom an account may send, and how much: delegated addresses, authors, limits and held mail,
 * and what reports there are of reports. */
#include "tests/unit/queue_kit.h"

static const struct slice note = { (const uint8_t *)"Subject: hello\r\n\r\nhi\r\n", 22 };

static enum commit_outcome commit_as(struct kit *k, const char *from, const char *authors,
                                     const char *to) {
  struct buf list, names;
  kit_rcpts(&list, to);
  kit_list(&names, authors);
  if (!*authors) buf_reset(&names);
  assert_true(KIT_SAY(k, ROLE_SMTPD, SMTPD, smtp_commit, SESSION,
                      .envelope = { .return_path = slice_str(from), .rcpts = buf_slice(&list) },
                      .end = { .id = SLICE("Q1"), .tail = note }, .authors = buf_slice(&names)));
  buf_free(&list), buf_free(&names);
  return KIT_HEAR(k, smtp_committed).outcome;
}

/* From and Sender are the login's own, all of them; a mailbox here makes no difference. */
static void authors(void **state) {
  struct kit *k = *state;
  uint64_t id = alice(k);
  kit_account(k, "ceo@example.org");
  const char *alice_ = "alice@example.org", *bob = "bob@elsewhere.example";
  submit_grant(k, SESSION, id);
  assert_int_equal(commit_as(k, alice_, alice_, bob), COMMIT_DONE);
  assert_int_equal(commit_as(k, alice_, "Alice+x@Example.org", bob), COMMIT_DONE);
  assert_int_equal(commit_as(k, alice_, "ceo@example.org", bob), COMMIT_NOT_YOURS);
  assert_int_equal(commit_as(k, alice_, "alice@example.org ceo@bank.example", bob),
                   COMMIT_NOT_YOURS);
  assert_int_equal(commit_as(k, alice_, "ceo@bank.example", alice_), COMMIT_NOT_YOURS);
  assert_int_equal(commit_as(k, alice_, "", bob), COMMIT_NOT_YOURS);
  k->conf->sender_check = CONF_SENDER_CHECK_ENVELOPE;
  assert_int_equal(commit_as(k, alice_, "ceo@bank.example", bob), COMMIT_DONE);
  assert_int_equal(commit_as(k, "ceo@bank.example", "ceo@bank.example", bob), COMMIT_TROUBLE);
  k->conf->sender_check = CONF_SENDER_CHECK_OFF;
  assert_int_equal(commit_as(k, "ceo@bank.example", "ceo@bank.example", bob), COMMIT_DONE);
  assert_int_equal(commit_as(k, "", "ceo@bank.example", bob), COMMIT_DONE);
  assert_int_equal(waiting(k), 5);
  assert_sound(k);
}

/* An address, all of a domain, nobody; kept over a restart, gone with the account. The refusal
 * names them. */
static void delegated(void **state) {
  struct kit *k = *state;
  uint64_t id = alice(k);
  const char *bob = "bob@elsewhere.example";
  kit_account(k, "ceo@example.org");
  assert_int_equal(kit_command(k, "alias add sales@example.org alice@example.org").code, CLI_OK);
  submit_grant(k, SESSION, id);
  assert_int_equal(rcpt(k, SESSION, "ceo@example.org", bob, false), RCPT_NOT_YOURS);
  struct smtp_verdicts v;
  assert_true(smtp_verdicts_get(k->last->payload, &v));
  assert_true(slice_eq(v.yours, SLICE("alice@example.org, sales@example.org")));
  assert_int_equal(kit_command(k, "account sendas add alice@example.org CEO@example.org").code,
                   CLI_OK);
  assert_int_equal(kit_command(k, "account sendas add alice@example.org ceo@example.org").code,
                   CLI_EXISTS);
  assert_int_equal(kit_command(k, "account sendas add alice@example.org @shop.example").code,
                   CLI_OK);
  assert_int_equal(kit_command(k, "account sendas add nobody@example.org @shop.example").code,
                   CLI_NOT_FOUND);
  static const char *const wrong[] = { "ceo", "@", "@a b", "ceo@", "<", "a@b@" };
  for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
    char words[100];
    snprintf(words, sizeof words, "account sendas add alice@example.org %s", wrong[i]);
    assert_int_equal(kit_command(k, words).code, CLI_USAGE);
  }
  for (int again = 0; again < 2; again++) {
    assert_int_equal(rcpt(k, SESSION, "Ceo@example.org", bob, false), RCPT_LEAVES);
    assert_int_equal(rcpt(k, SESSION, "ceo+x@example.org", bob, false), RCPT_LEAVES);
    assert_int_equal(rcpt(k, SESSION, "anybody@shop.example", bob, false), RCPT_LEAVES);
    assert_int_equal(rcpt(k, SESSION, "anybody@www.shop.example", bob, false), RCPT_NOT_YOURS);
    assert_int_equal(rcpt(k, SESSION, "", bob, false), RCPT_NOT_YOURS);
    assert_int_equal(commit_as(k, "alice@example.org", "ceo@example.org x@shop.example", bob),
                     COMMIT_DONE);
    kit_reopen(k);
    submit_grant(k, SESSION, id);
  }
  assert_int_equal(kit_command(k, "account sendas add alice@example.org <>").code, CLI_OK);
  assert_int_equal(rcpt(k, SESSION, "", bob, false), RCPT_LEAVES);
  assert_int_equal(kit_command(k, "account sendas list").count, 3);
  assert_int_equal(kit_command(k, "account sendas delete alice@example.org <>").code, CLI_OK);
  assert_int_equal(kit_command(k, "account sendas delete alice@example.org <>").code,
                   CLI_NOT_FOUND);
  assert_int_equal(rcpt(k, SESSION, "", bob, false), RCPT_NOT_YOURS);
  assert_int_equal(kit_command(k, "account delete alice@example.org").code, CLI_OK);
  assert_int_equal(kit_command(k, "account sendas list").count, 0);
}

static void login_without_grant(struct kit *k, const char *to) {
  struct buf list;
  kit_rcpts(&list, to);
  const struct envelope e = { .return_path = SLICE("ceo@example.org"), .rcpts = buf_slice(&list) };
  assert_true(KIT_SAY(k, ROLE_SMTPD, SMTPD, smtp_rcpt, SESSION, .envelope = e, .login = true));
  assert_int_equal(KIT_HEAR(k, smtp_verdicts).verdicts.p[0], RCPT_TROUBLE);
  assert_true(KIT_SAY(k, ROLE_SMTPD, SMTPD, smtp_commit, SESSION, .envelope = e,
                      .end = { .id = SLICE("Q1"), .tail = note }, .login = true));
  assert_int_equal(KIT_HEAR(k, smtp_committed).outcome, COMMIT_TROUBLE);
  buf_free(&list);
}

/* The store was started again and has not heard of the login yet: nothing is taken as a stranger's
 * mail, to nobody here either. */
static void grant_is_late(void **state) {
  struct kit *k = *state;
  uint64_t id = alice(k);
  kit_account(k, "ceo@example.org");
  login_without_grant(k, "alice@example.org");
  login_without_grant(k, "bob@elsewhere.example");
  submit_grant(k, SESSION, id);
  assert_int_equal(rcpt(k, SESSION, "ceo@example.org", "alice@example.org", false), RCPT_NOT_YOURS);
  assert_int_equal(mails(k, "alice@example.org"), 0);
}

static size_t held(struct kit *k) { return kit_command(k, "queue list state=held").count; }

static void send_to(struct kit *k, size_t first, size_t count) {
  char to[60000];
  size_t n = 0;
  for (size_t i = 0; i < count; i++)
    n += (size_t)snprintf(to + n, sizeof to - n, "%su%zu@e.example", i ? " " : "", first + i);
  assert_int_equal(commit_as(k, "alice@example.org", "alice@example.org", to), COMMIT_DONE);
}

/* A stolen password: 10,000 recipients. What the limits let through leaves, everything else is
 * held, and the postmaster has one letter an hour. */
static void stolen_password(void **state) {
  struct kit *k = *state;
  submit_grant(k, SESSION, alice(k));
  kit_account(k, "postmaster@example.org");
  k->conf->account_new_recipients_per_day = 250;
  for (size_t i = 0; i < 100; i++) send_to(k, 100 * i, 100);
  struct answer status = kit_command(k, "status queue");
  assert_non_null(strstr(status.rows, "waiting 200 2 "));
  assert_non_null(strstr(status.rows, "held 9800 98 "));
  struct answer held =
      kit_command(k, "status held"); /* whose it is, and the words that select it */
  assert_int_equal(held.count, 1);
  assert_non_null(strstr(held.rows, "alice@example.org account-limit 9800 98 1700000000 "
                                    "account=alice@example.org reason=account-limit"));
  assert_int_equal(
      kit_command(k, "queue list account=alice@example.org reason=account-limit").count, 9800);
  assert_non_null(
      strstr(kit_command(k, "queue list reason=account-limit").rows, " account-limit "));
  assert_int_equal(mails(k, "postmaster@example.org"), 1);
  ready(k, SENDER, 1000);
  size_t left = 0;
  for (kit_pump(k); k->said; left++) kit_next(k, send_letter_type);
  assert_int_equal(left, 2);
  k->now_s += 3600;
  send_to(k, 10000, 1);
  send_to(k, 10001, 1);
  assert_int_equal(mails(k, "postmaster@example.org"), 2);
  assert_sound(k);
}

/* Each limit by itself: of the option, or the account's own; over a restart, and until its time is
 * over. */
static void limits(void **state) {
  static const struct {
    const char *name;
    size_t each, fine;
    unsigned for_s;
  } t[] = {
    { "messages-per-hour", 1, 3, 3600 },       { "recipients-per-hour", 2, 1, 3600 },
    { "messages-per-day", 1, 3, 86400 },       { "recipients-per-day", 2, 1, 86400 },
    { "new-recipients-per-day", 1, 3, 86400 },
  };
  struct kit *k = *state;
  uint64_t id = alice(k);
  char words[100];
  size_t next = 0;
  for (size_t i = 0; i < sizeof t / sizeof *t; i++) {
    submit_grant(k, SESSION, id);
    snprintf(words, sizeof words, "account set alice@example.org %s 3", t[i].name);
    assert_int_equal(kit_command(k, words).code, CLI_OK);
    for (size_t n = 0; n < t[i].fine; n++, next += t[i].each) send_to(k, next, t[i].each);
    assert_int_equal(held(k), 0);
    kit_reopen(k);
    submit_grant(k, SESSION, id);
    send_to(k, next, t[i].each);
    next += t[i].each;
    assert_int_equal(held(k), t[i].each);
    assert_non_null(strstr(kit_command(k, "queue list state=held").rows, "held for the account's"));
    k->now_s += t[i].for_s;
    send_to(k, next++, 1);
    assert_int_equal(held(k), t[i].each);
    assert_int_equal(kit_command(k, "queue drop account=alice@example.org").code, CLI_OK);
    snprintf(words, sizeof words, "account set alice@example.org %s none", t[i].name);
    assert_int_equal(kit_command(k, words).code, CLI_OK);
    k->now_s += 2 * 86400;
  }
  assert_int_equal(kit_command(k, "account set alice@example.org messages-per-year 3").code,
                   CLI_USAGE);
  assert_sound(k);
}

/* Whom it wrote to before is not new; mailboxes here are not counted; released mail leaves, and the
 * count begins anew. */
static void release(void **state) {
  struct kit *k = *state;
  submit_grant(k, SESSION, alice(k));
  k->conf->account_new_recipients_per_day = 2;
  send_to(k, 1, 2);
  send_to(k, 1, 2);
  for (int i = 0; i < 5; i++)
    assert_int_equal(commit_as(k, "alice@example.org", "alice@example.org", "alice@example.org"),
                     COMMIT_DONE);
  assert_int_equal(held(k), 0);
  send_to(k, 3, 1);
  assert_int_equal(held(k), 1);
  assert_int_equal(kit_command(k, "queue release account=nobody@example.org").code, CLI_NOT_FOUND);
  assert_int_equal(kit_command(k, "queue release account=alice@example.org state=held").code,
                   CLI_OK);
  send_to(k, 5, 2);
  assert_int_equal(held(k), 0);
  send_to(k, 7, 1);
  assert_int_equal(held(k), 1);
  k->now_s += 6 * 86400; /* held mail ends like any other */
  store_housekeeping(k->store, k->now_s);
  kit_pump(k);
  assert_int_equal(held(k), 0);
}

/* Reports to one domain elsewhere have a budget a day. */
static void report_budget(void **state) {
  struct kit *k = *state;
  alice(k);
  k->conf->reports_per_destination = 3;
  for (int day = 0; day < 2; day++, k->now_s += 86400) {
    for (int i = 0; i < 5; i++)
      assert_int_equal(
          commit_dsn(k, 50, "x@third.example", "alice@example.org", note, SMTP_NOTIFY_SUCCESS, 0),
          COMMIT_DONE);
    assert_int_equal(
        commit_dsn(k, 50, "x@fourth.example", "alice@example.org", note, SMTP_NOTIFY_SUCCESS, 0),
        COMMIT_DONE);
    assert_int_equal(waiting(k), 4 * (size_t)(day + 1));
  }
  assert_int_equal(mails(k, "alice@example.org"), 12);
}

/* Mail for unknown addresses is refused while its client waits: 10,000 of them make no report. */
static void backscatter(void **state) {
  struct kit *k = *state;
  alice(k);
  for (int i = 0; i < 10000; i++) {
    char to[64];
    snprintf(to, sizeof to, "u%d@example.org", i);
    assert_int_equal(rcpt(k, 50, "victim@third.example", to, false), RCPT_UNKNOWN);
  }
  assert_int_equal(
      commit_dsn(k, 50, "victim@third.example", "u1@example.org", note, SMTP_NOTIFY_SUCCESS, 0),
      COMMIT_TROUBLE);
  assert_int_equal(waiting(k), 0);
}

/* A report fails: it is dropped or, by option, sent to the postmaster. */
static void double_bounce(void **state) {
  struct kit *k = *state;
  alice(k);
  kit_account(k, "postmaster@example.org");
  ready(k, SENDER, 10);
  for (size_t told = 0; told < 2; told++) {
    k->conf->double_bounces = told > 0;
    assert_int_equal(
        commit_dsn(k, 50, "x@third.example", "alice@example.org", note, SMTP_NOTIFY_SUCCESS, 0),
        COMMIT_DONE);
    struct got g = letter(k);
    assert_true(report(k, SENDER, &g, SEND_PERMANENT, 550, "no"));
    nothing(k);
    assert_int_equal(mails(k, "postmaster@example.org"), told);
  }
  assert_int_equal(waiting(k), 0);
  assert_sound(k);
}

/* Cron's mail, from and to root at the server's own name, which is no domain of ours: the report on
 * it has nowhere to go but to the postmaster, who gets all of it. */
static void report_to_own_host(void **state) {
  struct kit *k = *state;
  alice(k);
  kit_account(k, "postmaster@example.org");
  ready(k, SENDER, 10);
  static const char root[] = "root@mx.example.net";
  const char *before = k->conf->hostname;
  k->conf->hostname = "mx.example.net";
  assert_int_equal(commit_dsn(k, 50, root, "alice@example.org", note, SMTP_NOTIFY_SUCCESS, 0),
                   COMMIT_DONE);
  struct got g = letter(k);
  assert_string_equal(g.to[0], root);
  assert_true(report(k, SENDER, &g, SEND_PERMANENT, 0, "it is this server"));
  nothing(k);
  assert_int_equal(mails(k, "postmaster@example.org"), 1);
  assert_int_equal(waiting(k), 0);
  assert_sound(k);
  k->conf->hostname = before;
}

/* A local program's mail without a reverse-path that another server refuses: the postmaster gets
 * it, unless the program wanted no report. From a machine in relay_networks it is often a report
 * of that machine's own, to a forged sender: no report is sent for that. */
static void local_orphan(void **state) {
  struct kit *k = *state;
  alice(k);
  kit_account(k, "postmaster@example.org");
  ready(k, SENDER, 10);
  static const struct {
    bool local;
    uint8_t notify;
    size_t told;
  } cases[] = { { false, 0, 0 }, { true, SMTP_NOTIFY_NEVER, 0 }, { true, 0, 1 } };
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    commit_trusted = true, commit_local = cases[i].local;
    assert_int_equal(commit_dsn(k, 60 + i, "", "ghost@elsewhere.example", note, cases[i].notify, 0),
                     COMMIT_DONE);
    struct got g = letter(k);
    assert_true(report(k, SENDER, &g, SEND_PERMANENT, 550, "nobody here"));
    nothing(k);
    assert_int_equal(mails(k, "postmaster@example.org"), cases[i].told);
  }
  commit_trusted = commit_local = false;
  assert_int_equal(waiting(k), 0);
  assert_sound(k);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, kit_setup, kit_teardown)

int main(void) {
  const struct CMUnitTest tests[] = {
    TEST(authors),       TEST(delegated),     TEST(stolen_password),
    TEST(limits),        TEST(release),       TEST(report_budget),
    TEST(backscatter),   TEST(double_bounce), TEST(report_to_own_host),
    TEST(grant_is_late), TEST(local_orphan),
  };
  return cmocka_run_group_tests_name("store-send-limits", tests, NULL, NULL);
}
