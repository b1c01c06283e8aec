/* SPDX-License-Identifier: ISC */
/* The store without memory, at each allocation in turn: what it answers is true, and no report is
 * left out. */
#include "tests/unit/queue_kit.h"

#include "mail/smtp/dsn.h"
#include "tests/world/alloc_fail.h"

/* One message, in which the nth allocation of the store fails. True: it did, and there may be more.
 */
static bool with_failure(struct kit *k, enum role kind, uint32_t number, uint16_t type,
                         uint64_t tag, struct slice payload, uint64_t n) {
  struct ipc_msg m = { type, tag, payload, -1 };
  alloc_fail = (struct alloc_fail){ .armed = true, .fail_at = n };
  alloc_enter();
  bool fine = store_message(k->store, kind, number, &m, k->now_s);
  alloc_leave();
  bool failed = alloc_failed();
  alloc_fail.armed = false;
  if (!fine) fail_msg("allocation %llu: the peer is blamed", (unsigned long long)n);
  kit_pump(k);
  return failed;
}

/* A message of alice's is refused elsewhere: she gets the report, or the row waits on and says so.
 */
static bool refused(struct kit *k, uint64_t n) {
  struct buf list, payload;
  size_t before = mails(k, "alice@example.org");
  assert_int_equal(commit(k, "bob@elsewhere.example"), COMMIT_DONE);
  ready(k, SENDER, 1);
  struct got g = letter(k);
  buf_init(&list, SEND_ROWS_MAX);
  buf_init(&payload, IPC_PAYLOAD_MAX);
  send_outcome_put(&list, &(struct send_outcome){ .row = g.rows[0],
                                                  .fate = SEND_PERMANENT,
                                                  .code = 550,
                                                  .enhanced = { 5, 1, 1 },
                                                  .text = SLICE("unknown") });
  send_result_put(&payload, &(struct send_result){ .host = SLICE("mx.elsewhere.example"),
                                                   .results = buf_slice(&list) });
  bool failed =
      with_failure(k, ROLE_SENDER, SENDER, send_result_type, g.tag, buf_slice(&payload), n);
  buf_free(&list);
  buf_free(&payload);
  size_t reports = mails(k, "alice@example.org") - before, rows = waiting(k);
  if (reports + rows != 1)
    fail_msg("allocation %llu: %zu reports, %zu rows", (unsigned long long)n, reports, rows);
  assert_true(failed || reports);
  if (rows) assert_int_equal(kit_command(k, "queue drop bob@elsewhere.example").code, CLI_OK);
  assert_int_equal(waiting(k), 0);
  return failed;
}

static void report_needs_memory(void **state) {
  struct kit *k = *state;
  uint64_t n = 0;
  uint64_t id = alice(k);
  do {
    kit_reopen(k); /* what the sender had in its hands is due again */
    submit_grant(k, SESSION, id);
    assert_true(n < 1000);
  } while (refused(k, ++n));
  assert_true(n > 3);
}

/* 250 promises the message for bob and its report: of his delivery, or that another has it not. */
static bool submitted(struct kit *k, uint64_t n, const char *to, uint8_t notify) {
  struct buf rcpts, payload;
  size_t bob = mails(k, "bob@example.org"), alice = mails(k, "alice@example.org");
  kit_rcpts_with(&rcpts, to, notify, "");
  buf_init(&payload, IPC_PAYLOAD_MAX);
  smtp_commit_put(
      &payload,
      &(struct smtp_commit){
          .envelope = { .return_path = SLICE("alice@example.org"), .rcpts = buf_slice(&rcpts) },
          .end = { .id = SLICE("Q1"), .tail = SLICE("Subject: hello\r\n\r\nhi\r\n") } });
  bool failed =
      with_failure(k, ROLE_SMTPD, SMTPD, smtp_commit_type, SESSION, buf_slice(&payload), n);
  buf_free(&rcpts);
  buf_free(&payload);
  enum commit_outcome outcome = KIT_HEAR(k, smtp_committed).outcome;
  bool done = outcome == COMMIT_DONE;
  if (!done && !failed) fail_msg("allocation %llu: outcome %d", (unsigned long long)n, outcome);
  assert_int_equal(mails(k, "bob@example.org") - bob, done);
  if (mails(k, "alice@example.org") - alice != done)
    fail_msg("allocation %llu: no report", (unsigned long long)n);
  return failed;
}

static void commit_needs_memory(void **state) {
  struct kit *k = *state;
  uint64_t n = 0;
  alice(k);
  kit_account(k, "bob@example.org");
  kit_account(k, "tiny@example.org");
  assert_int_equal(kit_command(k, "account quota tiny@example.org 10").code, CLI_OK);
  /* the store knows its peer */
  assert_int_equal(rcpt(k, SESSION, "", "bob@example.org", false), RCPT_OURS);
  while (submitted(k, ++n, "bob@example.org", SMTP_NOTIFY_SUCCESS)) assert_true(n < 1000);
  assert_true(n > 5);
  for (n = 1; submitted(k, n, "tiny@example.org bob@example.org", 0); n++) assert_true(n < 1000);
  assert_true(n > 5);
}

#define TEST(fn) cmocka_unit_test_setup_teardown(fn, kit_setup, kit_teardown)

int main(void) {
  const struct CMUnitTest tests[] = { TEST(report_needs_memory), TEST(commit_needs_memory) };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
