/* A login that waits for a maildrop which another session has: the option pop3_steal_after. */
#include "tests/unit/store_kit.h"

static uint64_t scene(struct kit *k) {
  k->conf->pop3_steal_after = 120;
  assert_int_equal(kit_command(k, "domain add example.org").code, CLI_OK);
  uint64_t account = kit_account(k, "alice@example.org");
  assert_int_equal(kit_deliver(k, "alice@example.org", SLICE("Subject: x\r\n\r\nx\r\n")), COMMIT_DONE);
  return account;
}

/* Session 1 of POP3D has it; session 2 of POP3D_2 waits, and session 1 has heard of it. */
static uint64_t one_waits(struct kit *k) {
  uint64_t account = scene(k);
  kit_open_drop(k, 1, account);
  kit_grant(k, POP3D_2, 2, account);
  assert_true(KIT_SAY(k, ROOM_POP3D, POP3D_2, pop_open, 2, ));
  KIT_HEAR(k, pop_wanted);
  assert_int_equal(k->last->number, POP3D);
  assert_int_equal(k->last->tag, 1);
  assert_null(k->said);
  return account;
}

static struct pop_opened hear_opened(struct kit *k) {
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
  assert_true(KIT_SAY(k, ROOM_POP3D, POP3D, pop_close, 1, ));
  struct pop_opened o = hear_opened(k);
  assert_int_equal(o.outcome, POP_DONE);
  assert_int_equal(o.count, 1);
  assert_true(o.taken);
  assert_false(KIT_SAY(k, ROOM_POP3D, POP3D, pop_quit, 1, )); /* it has nothing any more */
}

static void a_busy_one_keeps_it(void **state) {
  struct kit *k = *state;
  uint64_t account = one_waits(k);
  assert_true(KIT_SAY(k, ROOM_POP3D, POP3D, pop_keep, 1, ));
  assert_int_equal(hear_opened(k).outcome, POP_IN_USE);
  assert_true(KIT_SAY(k, ROOM_POP3D, POP3D, pop_keep, 1, )); /* once more says nothing */
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
  assert_true(KIT_SAY(k, ROOM_POP3D, POP3D, pop_read, 1, 1, 0, 1000));
  kit_grant(k, POP3D_2, 2, 1);
  assert_true(KIT_SAY(k, ROOM_POP3D, POP3D_2, pop_open, 2, ));
  assert_true(KIT_SAY(k, ROOM_POP3D, POP3D, pop_keep, 1, ));
  kit_pump(k);
  unsigned in_use = 0;
  for (struct said *x = k->said; x; x = x->next) {
    struct pop_opened o;
    if (x->type == pop_opened_type && pop_opened_get(x->payload, &o)) in_use += o.outcome == POP_IN_USE;
  }
  assert_int_equal(in_use, 1);
}

static void one_waits_only(void **state) {
  struct kit *k = *state;
  uint64_t account = one_waits(k);
  struct drop d;
  kit_grant(k, POP3D, 3, account);
  assert_int_equal(kit_drop_open(k, POP3D, 3, &d), POP_IN_USE);
  assert_false(KIT_SAY(k, ROOM_POP3D, POP3D_2, pop_read, 2, 1, 0, 10)); /* a breach: it has nothing yet */
}

static void quit_frees_it_for_the_waiting(void **state) {
  struct kit *k = *state;
  one_waits(k);
  kit_delete(k, 1, 1);
  assert_int_equal(kit_quit(k, 1).deleted, 1);
  struct pop_opened o = hear_opened(k);
  assert_int_equal(o.count, 0);
  assert_false(o.taken);
}

static void who_waits_may_leave(void **state) {
  struct kit *k = *state;
  uint64_t account = one_waits(k);
  assert_true(KIT_SAY(k, ROOM_POP3D, POP3D_2, pop_close, 2, ));
  assert_true(KIT_SAY(k, ROOM_POP3D, POP3D, pop_keep, 1, ));
  assert_null(k->said);
  kit_grant(k, POP3D_2, 4, account);
  assert_true(KIT_SAY(k, ROOM_POP3D, POP3D_2, pop_open, 4, ));
  KIT_HEAR(k, pop_wanted);
  store_room_lost(k->store, ROOM_POP3D, POP3D_2);
  assert_true(KIT_SAY(k, ROOM_POP3D, POP3D, pop_close, 1, ));
  assert_null(k->said);
  assert_int_equal(kit_open_drop(k, 5, account)->opened.count, 1);
}

static void a_lost_room_frees_it(void **state) {
  struct kit *k = *state;
  one_waits(k);
  store_room_lost(k->store, ROOM_POP3D, POP3D);
  assert_int_equal(hear_opened(k).outcome, POP_DONE);
}

/* Both are of the room that goes. */
static void both_are_lost(void **state) {
  struct kit *k = *state;
  uint64_t account = scene(k);
  kit_open_drop(k, 1, account);
  kit_grant(k, POP3D, 2, account);
  assert_true(KIT_SAY(k, ROOM_POP3D, POP3D, pop_open, 2, ));
  KIT_HEAR(k, pop_wanted);
  store_room_lost(k->store, ROOM_POP3D, POP3D);
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
  assert_true(KIT_SAY(k, ROOM_POP3D, POP3D, pop_close, 1, ));
  assert_true(KIT_SAY(k, ROOM_POP3D, POP3D_2, pop_close, 2, ));
  kit_pump(k);
  assert_int_equal(store_jobs_out(k->store), 0);
}

static void off_by_default(void **state) {
  struct kit *k = *state;
  struct drop d;
  uint64_t account = scene(k);
  k->conf->pop3_steal_after = 0;
  kit_open_drop(k, 1, account);
  kit_grant(k, POP3D_2, 2, account);
  assert_int_equal(kit_drop_open(k, POP3D_2, 2, &d), POP_IN_USE);
}

#define TEST(fn) cmocka_unit_test_setup_teardown(fn, kit_setup, kit_teardown)

int main(void) {
  const struct CMUnitTest tests[] = {
    TEST(an_idle_one_lets_go),
    TEST(a_busy_one_keeps_it),
    TEST(it_keeps_it_inside_a_question),
    TEST(one_waits_only),
    TEST(quit_frees_it_for_the_waiting),
    TEST(who_waits_may_leave),
    TEST(a_lost_room_frees_it),
    TEST(both_are_lost),
    TEST(the_store_stops),
    TEST(the_account_goes),
    TEST(off_by_default),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
