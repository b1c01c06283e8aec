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

/* What became due while there was no sender, and is taken past its deadline, ends; what is beside
 * it in the same destination goes. */
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

#define TEST(name) cmocka_unit_test_setup_teardown(name, kit_setup, kit_teardown)
int main(void) {
  const struct CMUnitTest tests[] = {
    TEST(lost_in_hands),
    TEST(back_late),
    TEST(taken_late),
    TEST(behind_hands),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
