/* SPDX-License-Identifier: ISC */
/* The end of a recipient's time in the queue: in each state, told to the message's sender, and
 * nothing is tried past it. */
#include "tests/unit/queue_kit.h"

enum { LIFETIME = 5 * 86400 };

/* Housekeeping, and all that follows from it. */
static void minute(struct kit *k) {
  store_housekeeping(k->store, k->now_s);
  for (int i = 0; i < 50; i++) kit_pump(k);
}

/* What a sender has past the deadline ends when it comes back by the sender's death: no other
 * sender gets it. */
static void lost_in_hands(void **state) {
  struct kit *k = *state;
  submit_grant(k, SESSION, alice(k));
  assert_int_equal(commit(k, "bob@elsewhere.example"), COMMIT_DONE);
  ready(k, SENDER, 10);
  letter(k);
  k->now_s += LIFETIME;
  store_due(k->store, k->now_s); /* by which it knows the time */
  store_process_lost(k->store, ROLE_SENDER, SENDER);
  ready(k, SENDER_2, 10);
  nothing(k);
  assert_int_equal(waiting(k), 0);
  assert_int_equal(mails(k, "alice@example.org"), 1);
  assert_sound(k);
}

/* The same with a result that came in time, or late: never once more. */
static void back_late(void **state) {
  struct kit *k = *state;
  submit_grant(k, SESSION, alice(k));
  for (int64_t late = -100; late <= 100; late += 200) {
    assert_int_equal(commit(k, "bob@elsewhere.example"), COMMIT_DONE);
    ready(k, SENDER, 10);
    struct got g = letter(k);
    k->now_s += LIFETIME + late;
    assert_true(report(k, SENDER, &g, SEND_TEMPORARY, 450, "later"));
    k->now_s += 200;
    store_due(k->store, k->now_s);
    nothing(k);
    assert_int_equal(waiting(k), 0);
  }
  assert_int_equal(mails(k, "alice@example.org"), 2);
}

/* A recipient became due while there was no sender and is taken after its deadline: it expires.
 * Others for the same destination are sent. */
static void taken_late(void **state) {
  struct kit *k = *state;
  submit_grant(k, SESSION, alice(k));
  for (int i = 0; i < 12; i++)
    assert_int_equal(commit(k, "bob@elsewhere.example carl@elsewhere.example"), COMMIT_DONE);
  k->now_s += LIFETIME;
  assert_int_equal(commit(k, "dora@elsewhere.example"), COMMIT_DONE);
  ready(k, SENDER, 10);
  struct got g = letter(k);
  assert_string_equal(g.to[0], "dora@elsewhere.example");
  for (int i = 0; i < 20; i++) nothing(k);
  assert_int_equal(waiting(k), 1);
  assert_int_equal(mails(k, "alice@example.org"), 12);
  assert_true(report(k, SENDER, &g, SEND_DELIVERED, 250, "ok"));
  assert_int_equal(waiting(k), 0);
  assert_sound(k);
}

/* More in hands than a slice has: what lies behind it ends all the same, and all of it. */
static void behind_hands(void **state) {
  struct kit *k = *state;
  submit_grant(k, SESSION, alice(k));
  enum { LETTERS = 3, ROWS = 100, OTHERS = 650 };
  k->conf->queue_warn_after = 0;
  char *to = malloc(ROWS * 32), *at = to;
  assert_non_null(to);
  for (int i = 0; i < ROWS; i++) at += sprintf(at, "%sr%d@elsewhere.example", i ? " " : "", i);
  for (int i = 0; i < LETTERS; i++) assert_int_equal(commit(k, to), COMMIT_DONE);
  free(to);
  k->now_s++;
  for (int i = 0; i < OTHERS; i++) assert_int_equal(commit(k, "bob@other.example"), COMMIT_DONE);
  assert_int_equal(kit_command(k, "queue list to=bob@other.example").count, OTHERS);
  k->now_s += LIFETIME - 3600;
  ready(k, SENDER, LETTERS);
  for (int i = 0; i < LETTERS; i++) kit_next(k, send_letter_type);
  k->now_s += 3600;
  minute(k);
  assert_int_equal(kit_command(k, "queue list to=bob@other.example").count, 0);
  assert_int_equal(waiting(k), LETTERS * ROWS);
  store_process_lost(k->store, ROLE_SENDER, SENDER);
  for (int i = 0; i < 50; i++) kit_pump(k);
  assert_int_equal(waiting(k), 0);
  /* one for each message; a slice may end within one */
  assert_in_range(mails(k, "alice@example.org"), OTHERS + LETTERS, OTHERS + LETTERS + 5);
  assert_sound(k);
}

/* --- what is told --- */

static bool says(struct kit *k, const char *words, const char *what) {
  return strstr(kit_command(k, words).rows, what) != NULL;
}

/* Message `uid` of the account has it. */
static bool mail_has(struct kit *k, uint64_t account, uint32_t uid, const char *what) {
  struct buf text;
  buf_init(&text, 300000);
  kit_open_drop(k, 78, account);
  assert_int_equal(kit_read(k, 78, uid, &text), POP_DONE);
  kit_quit(k, 78);
  bool has = slice_search(buf_slice(&text), slice_str(what)) >= 0;
  buf_free(&text);
  return has;
}

static void take_log(void *arg, struct slice record) {
  buf_put((struct buf *)arg, record);
  buf_put_u8((struct buf *)arg, '\n');
}

static const char over_words[] =
    "    It could not be delivered for 5 days, and is not tried any more. The last thing that was "
    "said:\r\n    ";
static const char over_fields[] =
    "Action: failed\r\nStatus: 4.4.7\r\nRemote-MTA: dns; mx.elsewhere.example\r\n"
    "Diagnostic-Code: smtp; 450 busy\r\nLast-Attempt-Date: ";

/* The last attempt fails: the report, the log and the history contain how long it was tried and
 * the server's reply. */
static void told(void **state) {
  struct kit *k = *state;
  uint64_t id = alice(k);
  submit_grant(k, SESSION, id);
  struct buf lines;
  struct log log = { .fd = -1, .least = LOG_DEBUG_, .take = take_log, .arg = &lines };
  buf_init(&lines, 100000);
  k->log = &log;
  kit_reopen(k);
  submit_grant(k, SESSION, id);
  k->conf->queue_warn_after = 0;
  assert_int_equal(commit(k, "bob@elsewhere.example"), COMMIT_DONE);
  k->now_s += LIFETIME - 300;
  ready(k, SENDER, 10);
  struct got g = letter(k);
  assert_true(report(k, SENDER, &g, SEND_TEMPORARY, 450, "busy"));
  assert_int_equal(waiting(k), 0);
  assert_true(mail_has(k, id, 1, over_words));
  assert_true(mail_has(k, id, 1, "mx.elsewhere.example said: 450 busy\r\n"));
  assert_true(mail_has(k, id, 1, over_fields));
  assert_true(says(k, "queue history bob@elsewhere.example", "expired rcpt mx.elsewhere.example"));
  assert_true(says(k, "why Q1", "expired bob@elsewhere.example"));
  assert_true(slice_search(buf_slice(&lines), SLICE("5 days")) > 0);
  assert_true(slice_search(buf_slice(&lines), SLICE("busy")) > 0);
  k->log = NULL;
  kit_reopen(k);
  buf_free(&lines);
}

/* It expires between two attempts: the report contains the server's last reply all the same. */
static void told_later(void **state) {
  struct kit *k = *state;
  uint64_t id = alice(k);
  submit_grant(k, SESSION, id);
  k->conf->queue_warn_after = 0;
  assert_int_equal(commit(k, "bob@elsewhere.example"), COMMIT_DONE);
  ready(k, SENDER, 10);
  struct got g = letter(k);
  assert_true(report(k, SENDER, &g, SEND_TEMPORARY, 450, "busy"));
  store_process_lost(k->store, ROLE_SENDER, SENDER);
  k->now_s += LIFETIME;
  minute(k);
  assert_true(mail_has(k, id, 1, over_words));
  assert_true(mail_has(k, id, 1, over_fields));
  /* never tried: nothing is made up */
  assert_int_equal(commit(k, "carl@elsewhere.example"), COMMIT_DONE);
  k->now_s += LIFETIME;
  minute(k);
  assert_true(mail_has(k, id, 2, "Diagnostic-Code: x-qasid; its time in the queue is over\r\n"));
}

/* The history has what the administrator did, and the reports. */
static void acts(void **state) {
  struct kit *k = *state;
  submit_grant(k, SESSION, alice(k));
  assert_int_equal(commit(k, "bob@elsewhere.example carl@other.example"), COMMIT_DONE);
  assert_int_equal(kit_command(k, "queue hold bob@elsewhere.example").code, CLI_OK);
  assert_int_equal(kit_command(k, "queue hold bob@elsewhere.example").code, CLI_NOT_FOUND);
  assert_int_equal(kit_command(k, "queue release bob@elsewhere.example").code, CLI_OK);
  assert_int_equal(kit_command(k, "queue retry bob@elsewhere.example").code, CLI_OK);
  assert_int_equal(kit_command(k, "queue drop carl@other.example").code, CLI_OK);
  assert_int_equal(kit_command(k, "queue history carl@other.example").count, 1);
  assert_int_equal(kit_command(k, "queue history bob@elsewhere.example").count, 3);
  assert_true(says(k, "why Q1", "held bob@elsewhere.example  by the administrator\n"));
  assert_true(says(k, "why Q1", "released bob@elsewhere.example  by the administrator\n"));
  assert_true(says(k, "why Q1", "retried bob@elsewhere.example  by the administrator\n"));
  assert_true(says(k, "why Q1", "dropped carl@other.example  by the administrator\n"));
  ready(k, SENDER, 10);
  struct got g = letter(k);
  assert_int_equal(kit_command(k, "queue fail Q1").code, CLI_OK);
  assert_true(says(k, "why Q1", "to-be-failed bob@elsewhere.example  by the administrator\n"));
  assert_true(report(k, SENDER, &g, SEND_TEMPORARY, 450, "busy"));
  kit_pump(k);
  kit_pump(k);
  struct answer a = kit_command(k, "why Q1");
  const char *at = strstr(a.rows, "reported alice@example.org  a report (failed), put into a "
                                  "mailbox: its id is report");
  assert_non_null(at);
  assert_non_null(strstr(a.rows, "failed bob@elsewhere.example  the administrator ended"));
  char words[80]; /* which can be followed */
  snprintf(words, sizeof words, "why %.22s", strstr(at, "is report") + 3);
  assert_true(says(k, words, "mailbox alice@example.org"));
}

/* --- late --- */

enum { WARN_AFTER = 4 * 3600 };

static const char tells_why[] = "    Why it waits: ";

/* In any state of the recipient, the author gets one warning, with the reason for the delay. */
static void late(void **state) {
  static const struct {
    const char *to, *command, *why;
    uint32_t credit; /* letters that the sender takes */
    uint16_t code;   /* what it reports */
  } rows[] = {
    { "a@one.example", "", "this server sends no mail to others at the moment", 0, 0 },
    { "b@two.example", "queue hold to=two.example", "the administrator of this server holds it", 0,
      0 },
    { "c@three.example", "", "it is being handed over", 1, 0 },
    { "d@four.example", "", "attempts to deliver it failed for now", 1, 450 },
  };
  struct kit *k = *state;
  uint64_t id = alice(k);
  submit_grant(k, SESSION, id);
  for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
    assert_int_equal(commit(k, rows[i].to), COMMIT_DONE);
    if (*rows[i].command) assert_int_equal(kit_command(k, rows[i].command).code, CLI_OK);
    k->now_s += WARN_AFTER - 60;
    struct got g = { 0 };
    if (rows[i].credit) {
      ready(k, SENDER, rows[i].credit);
      g = letter(k);
    }
    if (rows[i].code) assert_true(report(k, SENDER, &g, SEND_TEMPORARY, rows[i].code, "busy"));
    minute(k);
    assert_int_equal(mails(k, "alice@example.org"), i);
    k->now_s += 60;
    minute(k);
    assert_int_equal(mails(k, "alice@example.org"), i + 1);
    assert_true(mail_has(k, id, (uint32_t)i + 1, tells_why));
    if (!mail_has(k, id, (uint32_t)i + 1, rows[i].why)) fail_msg("%s: another reason", rows[i].to);
    assert_true(mail_has(k, id, (uint32_t)i + 1, "Action: delayed\r\n"));
    assert_int_equal(mail_has(k, id, (uint32_t)i + 1, "Diagnostic-Code: smtp; 450 busy\r\n"),
                     rows[i].code != 0);
    k->now_s += 60;
    minute(k); /* once */
    kit_reopen(k);
    submit_grant(k, SESSION, id);
    minute(k);
    assert_int_equal(mails(k, "alice@example.org"), i + 1);
    kit_command(k, "queue drop from=alice@example.org");
  }
  assert_sound(k);
}

/* Warns of all of a large queue, but not an author who asked for no delay reports. */
static void many_late(void **state) {
  struct kit *k = *state;
  enum { MESSAGES = 1200, ROWS = 450 };
  k->conf->account_messages_per_hour = k->conf->account_recipients_per_hour = 0;
  k->conf->account_messages_per_day = k->conf->account_recipients_per_day = 0;
  k->conf->account_new_recipients_per_day = 0;
  submit_grant(k, SESSION, alice(k));
  char *to = malloc(ROWS * 32), *at = to;
  assert_non_null(to);
  for (int i = 0; i < ROWS; i++) at += sprintf(at, "%sr%d@elsewhere.example", i ? " " : "", i);
  assert_int_equal(commit(k, to), COMMIT_DONE);
  free(to);
  for (int i = 0; i < MESSAGES; i++) {
    assert_int_equal(commit(k, "bob@other.example"), COMMIT_DONE);
    assert_int_equal(commit_dsn(k, SESSION, "alice@example.org", "eve@other.example",
                                SLICE("Subject: x\r\n\r\nhi\r\n"), SMTP_NOTIFY_FAILURE, 0),
                     COMMIT_DONE);
    if (i % 100 == 99) k->now_s++;
  }
  k->now_s += WARN_AFTER;
  minute(k);
  /* the warning for a letter of 450 recipients is sent in parts */
  assert_in_range(mails(k, "alice@example.org"), MESSAGES + 5, MESSAGES + 10);
  minute(k);
  assert_in_range(mails(k, "alice@example.org"), MESSAGES + 5, MESSAGES + 10);
  assert_sound(k);
}

/* An account whose limits hold its mail gets one warning a day, not thousands. */
static void late_by_limits(void **state) {
  struct kit *k = *state;
  uint64_t id = alice(k);
  submit_grant(k, SESSION, id);
  k->conf->account_messages_per_hour = 1;
  for (int i = 0; i < 30; i++) assert_int_equal(commit(k, "bob@elsewhere.example"), COMMIT_DONE);
  k->now_s += WARN_AFTER;
  minute(k);
  /* the postmaster's notice; the one that is not held, and one of those that are */
  assert_int_equal(mails(k, "alice@example.org"), 3);
  assert_true(mail_has(k, id, 2, tells_why));
  assert_true(mail_has(k, id, 3, "its account sent more than it may at once"));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, kit_setup, kit_teardown)
int main(void) {
  const struct CMUnitTest tests[] = {
    TEST(lost_in_hands), TEST(back_late),      TEST(taken_late), TEST(behind_hands),
    TEST(told),          TEST(told_later),     TEST(acts),       TEST(late),
    TEST(many_late),     TEST(late_by_limits),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
