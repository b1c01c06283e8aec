/* SPDX-License-Identifier: ISC */
/* A login that waits for a maildrop which another session has: the options pop3_steal_after,
 * pop3_lock_wait. */
#include "tests/unit/store_kit.h"

static uint64_t scene(struct kit *k) {
  k->conf->pop3_steal_after = 120;
  k->conf->pop3_lock_wait = 0;
  assert_int_equal(kit_command(k, "domain add example.org").code, CLI_OK);
  uint64_t account = kit_account(k, "alice@example.org");
  assert_int_equal(kit_deliver(k, "alice@example.org", SLICE("Subject: x\r\n\r\nx\r\n")),
                   COMMIT_DONE);
  return account;
}

/* Session 1 of POP3D has it; session 2 of POP3D_2 waits, and session 1 has heard of it. */
static uint64_t one_waits(struct kit *k) {
  uint64_t account = scene(k);
  kit_open_drop(k, 1, account);
  kit_grant(k, POP3D_2, 2, account);
  assert_true(KIT_SAY(k, ROLE_POP3D, POP3D_2, pop_open, 2, ));
  KIT_HEAR(k, pop_wanted);
  assert_int_equal(k->last->number, POP3D);
  assert_int_equal(k->last->tag, 1);
  assert_null(k->said);
  return account;
}

static struct pop_opened receive_opened(struct kit *k) {
  static struct drop d;
  d.opened = KIT_HEAR(k, pop_opened);
  assert_int_equal(k->last->number, POP3D_2);
  if (d.opened.outcome == POP_DONE) kit_hear_listing(k, &d);
  return d.opened;
}

static void an_idle_one_lets_go(void **state) {
  struct kit *k = *state;
  one_waits(k);
  kit_delete(k, 1, 1);
  assert_true(KIT_SAY(k, ROLE_POP3D, POP3D, pop_close, 1, ));
  struct pop_opened o = receive_opened(k);
  assert_int_equal(o.outcome, POP_DONE);
  assert_int_equal(o.count, 1);
  assert_true(o.taken);
  assert_false(KIT_SAY(k, ROLE_POP3D, POP3D, pop_quit, 1, )); /* it has nothing any more */
}

static void a_busy_one_keeps_it(void **state) {
  struct kit *k = *state;
  uint64_t account = one_waits(k);
  assert_true(KIT_SAY(k, ROLE_POP3D, POP3D, pop_keep, 1, ));
  assert_int_equal(receive_opened(k).outcome, POP_IN_USE);
  assert_true(KIT_SAY(k, ROLE_POP3D, POP3D, pop_keep, 1, )); /* once more says nothing */
  assert_null(k->said);
  kit_delete(k, 1, 1);
  assert_int_equal(kit_quit(k, 1).deleted, 1);
  assert_int_equal(kit_open_drop(k, 3, account)->opened.count, 0);
}

/* It says so while store reads for it. */
static void it_keeps_it_inside_a_question(void **state) {
  struct kit *k = *state;
  scene(k);
  kit_open_drop(k, 1, 1);
  assert_true(KIT_SAY(k, ROLE_POP3D, POP3D, pop_read, 1, 1, 0, 1000));
  kit_grant(k, POP3D_2, 2, 1);
  assert_true(KIT_SAY(k, ROLE_POP3D, POP3D_2, pop_open, 2, ));
  assert_true(KIT_SAY(k, ROLE_POP3D, POP3D, pop_keep, 1, ));
  kit_pump(k);
  unsigned in_use = 0;
  for (struct said *x = k->said; x; x = x->next) {
    struct pop_opened o;
    if (x->type == pop_opened_type && pop_opened_get(x->payload, &o))
      in_use += o.outcome == POP_IN_USE;
  }
  assert_int_equal(in_use, 1);
}

/* The session is asked once for all of them. */
static void two_ask_at_once(void **state) {
  struct kit *k = *state;
  uint64_t account = one_waits(k);
  kit_grant(k, POP3D_2, 3, account);
  assert_true(KIT_SAY(k, ROLE_POP3D, POP3D_2, pop_open, 3, ));
  assert_null(k->said);
  /* a breach: it has nothing yet */
  assert_false(KIT_SAY(k, ROLE_POP3D, POP3D_2, pop_read, 2, 1, 0, 10));
  assert_true(KIT_SAY(k, ROLE_POP3D, POP3D, pop_keep, 1, ));
  assert_int_equal(receive_opened(k).outcome, POP_IN_USE);
  assert_int_equal(receive_opened(k).outcome, POP_IN_USE);
}

static void quit_frees_it_for_the_waiting(void **state) {
  struct kit *k = *state;
  one_waits(k);
  kit_delete(k, 1, 1);
  assert_int_equal(kit_quit(k, 1).deleted, 1);
  struct pop_opened o = receive_opened(k);
  assert_int_equal(o.count, 0);
  assert_false(o.taken);
}

static void who_waits_may_leave(void **state) {
  struct kit *k = *state;
  uint64_t account = one_waits(k);
  assert_true(KIT_SAY(k, ROLE_POP3D, POP3D_2, pop_close, 2, ));
  assert_true(KIT_SAY(k, ROLE_POP3D, POP3D, pop_keep, 1, ));
  assert_null(k->said);
  kit_grant(k, POP3D_2, 4, account);
  assert_true(KIT_SAY(k, ROLE_POP3D, POP3D_2, pop_open, 4, ));
  KIT_HEAR(k, pop_wanted);
  store_process_lost(k->store, ROLE_POP3D, POP3D_2);
  assert_true(KIT_SAY(k, ROLE_POP3D, POP3D, pop_close, 1, ));
  assert_null(k->said);
  assert_int_equal(kit_open_drop(k, 5, account)->opened.count, 1);
}

static void a_lost_process_frees_it(void **state) {
  struct kit *k = *state;
  one_waits(k);
  store_process_lost(k->store, ROLE_POP3D, POP3D);
  assert_int_equal(receive_opened(k).outcome, POP_DONE);
}

/* Both are of the process that goes. */
static void both_are_lost(void **state) {
  struct kit *k = *state;
  uint64_t account = scene(k);
  kit_open_drop(k, 1, account);
  kit_grant(k, POP3D, 2, account);
  assert_true(KIT_SAY(k, ROLE_POP3D, POP3D, pop_open, 2, ));
  KIT_HEAR(k, pop_wanted);
  store_process_lost(k->store, ROLE_POP3D, POP3D);
  kit_pump(k);
  assert_null(k->said);
  assert_int_equal(store_jobs_out(k->store), 0);
  kit_grant(k, POP3D_2, 9, account);
  static struct drop d;
  assert_int_equal(kit_drop_open(k, POP3D_2, 9, &d), POP_DONE);
}

static void the_store_stops(void **state) {
  struct kit *k = *state;
  one_waits(k);
  store_stop(k->store);
  kit_pump(k);
  assert_int_equal(store_jobs_out(k->store), 0);
}

static void the_account_goes(void **state) {
  struct kit *k = *state;
  one_waits(k);
  assert_int_equal(kit_command(k, "account delete alice@example.org").code, CLI_OK);
  assert_true(KIT_SAY(k, ROLE_POP3D, POP3D, pop_close, 1, ));
  assert_true(KIT_SAY(k, ROLE_POP3D, POP3D_2, pop_close, 2, ));
  kit_pump(k);
  assert_int_equal(store_jobs_out(k->store), 0);
}

static void off_when_both_are_none(void **state) {
  struct kit *k = *state;
  struct drop d;
  uint64_t account = scene(k);
  k->conf->pop3_steal_after = 0;
  kit_open_drop(k, 1, account);
  kit_grant(k, POP3D_2, 2, account);
  assert_int_equal(kit_drop_open(k, POP3D_2, 2, &d), POP_IN_USE);
}

/* --- pop3_lock_wait --- */

static uint64_t waits(struct kit *k, uint32_t wait_s) {
  uint64_t account = scene(k);
  k->conf->pop3_lock_wait = wait_s;
  kit_open_drop(k, 1, account);
  assert_false(store_waits(k->store));
  kit_grant(k, POP3D_2, 2, account);
  assert_true(KIT_SAY(k, ROLE_POP3D, POP3D_2, pop_open, 2, ));
  assert_true(store_waits(k->store));
  return account;
}

static void a_busy_one_is_waited_for(void **state) {
  struct kit *k = *state;
  waits(k, 5);
  for (int second = 1; second <= 5; second++) {
    KIT_HEAR(k, pop_wanted);
    assert_true(KIT_SAY(k, ROLE_POP3D, POP3D, pop_keep, 1, ));
    assert_null(k->said);
    store_tick(k->store);
  }
  assert_int_equal(receive_opened(k).outcome, POP_IN_USE);
  assert_false(store_waits(k->store));
  assert_null(k->said);
}

static void it_may_become_idle_meanwhile(void **state) {
  struct kit *k = *state;
  waits(k, 5);
  KIT_HEAR(k, pop_wanted);
  assert_true(KIT_SAY(k, ROLE_POP3D, POP3D, pop_keep, 1, ));
  store_tick(k->store);
  KIT_HEAR(k, pop_wanted);
  assert_true(KIT_SAY(k, ROLE_POP3D, POP3D, pop_close, 1, ));
  struct pop_opened o = receive_opened(k);
  assert_int_equal(o.outcome, POP_DONE);
  assert_true(o.taken);
  assert_false(store_waits(k->store));
}

/* Each that leaves lets the oldest of the others in, and nothing was taken from it. */
static void each_waits_in_turn(void **state) {
  struct kit *k = *state;
  uint64_t account = waits(k, 5);
  k->conf->pop3_steal_after = 0;
  KIT_HEAR(k, pop_wanted);
  assert_true(KIT_SAY(k, ROLE_POP3D, POP3D, pop_keep, 1, ));
  kit_grant(k, POP3D_2, 3, account);
  assert_true(KIT_SAY(k, ROLE_POP3D, POP3D_2, pop_open, 3, ));
  store_tick(k->store);
  for (uint64_t tag = 2; tag <= 3; tag++) {
    assert_true(KIT_SAY(k, ROLE_POP3D, tag == 2 ? POP3D : POP3D_2, pop_close, tag - 1, ));
    struct pop_opened o = receive_opened(k);
    assert_int_equal(k->last->tag, tag);
    assert_int_equal(o.outcome, POP_DONE);
    assert_false(o.taken);
  }
  assert_false(store_waits(k->store));
}

static void four_wait(void **state) {
  struct kit *k = *state;
  struct drop d;
  uint64_t account = waits(k, 5);
  KIT_HEAR(k, pop_wanted);
  for (uint64_t tag = 3; tag <= 5; tag++) {
    kit_grant(k, POP3D_2, tag, account);
    assert_true(KIT_SAY(k, ROLE_POP3D, POP3D_2, pop_open, tag, ));
    assert_null(k->said);
  }
  kit_grant(k, POP3D_2, 6, account);
  assert_int_equal(kit_drop_open(k, POP3D_2, 6, &d), POP_IN_USE);
  assert_true(KIT_SAY(k, ROLE_POP3D, POP3D_2, pop_close, 4, )); /* makes room for one */
  kit_grant(k, POP3D_2, 7, account);
  assert_true(KIT_SAY(k, ROLE_POP3D, POP3D_2, pop_open, 7, ));
  assert_null(k->said);
}

static void nobody_is_asked_without_stealing(void **state) {
  struct kit *k = *state;
  scene(k);
  k->conf->pop3_steal_after = 0;
  k->conf->pop3_lock_wait = 2;
  kit_open_drop(k, 1, 1);
  kit_grant(k, POP3D_2, 2, 1);
  assert_true(KIT_SAY(k, ROLE_POP3D, POP3D_2, pop_open, 2, ));
  store_tick(k->store);
  assert_null(k->said);
  store_tick(k->store);
  assert_int_equal(receive_opened(k).outcome, POP_IN_USE);
}

static void who_waits_for_a_deleted_account_is_answered(void **state) {
  struct kit *k = *state;
  waits(k, 2);
  KIT_HEAR(k, pop_wanted);
  assert_int_equal(kit_command(k, "account delete alice@example.org").code, CLI_OK);
  store_tick(k->store);
  store_tick(k->store);
  assert_int_equal(receive_opened(k).outcome, POP_IN_USE);
  assert_false(store_waits(k->store));
}

#define TEST(fn) cmocka_unit_test_setup_teardown(fn, kit_setup, kit_teardown)

int main(void) {
  const struct CMUnitTest tests[] = {
    TEST(an_idle_one_lets_go),
    TEST(a_busy_one_keeps_it),
    TEST(it_keeps_it_inside_a_question),
    TEST(two_ask_at_once),
    TEST(quit_frees_it_for_the_waiting),
    TEST(who_waits_may_leave),
    TEST(a_lost_process_frees_it),
    TEST(both_are_lost),
    TEST(the_store_stops),
    TEST(the_account_goes),
    TEST(off_when_both_are_none),
    TEST(a_busy_one_is_waited_for),
    TEST(it_may_become_idle_meanwhile),
    TEST(each_waits_in_turn),
    TEST(four_wait),
    TEST(nobody_is_asked_without_stealing),
    TEST(who_waits_for_a_deleted_account_is_answered),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
