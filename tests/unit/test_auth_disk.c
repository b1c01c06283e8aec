/* SPDX-License-Identifier: ISC */
/* The accounts on a disk that dies, fails or fills up at each operation in turn: what was answered
 * with OK is there afterwards, what was not is there whole or not at all, and auth always starts
 * again. */
#include "tests/unit/auth_kit.h"
#include "tests/unit/sample.h"
#include "tests/world/disk_sim.h"

enum fault { DIES, SYNC_FAILS, WRITE_FAILS, FULL, FAULTS };

static struct disk_sim *sim;

static int set_up(void **state) {
  conf = conf_defaults();
  now = 1000000;
  said_n = jobs_n = warned = 0;
  store_answers = true;
  return 0;
}

static int tear_down(void **state) {
  conf_free(&conf);
  return 0;
}

static bool try_open(void) {
  struct auth_shell shell = { NULL, say, enqueue, fill, wall, warn, 0 };
  struct buf err;
  buf_init(&err, 1024);
  disk = disk_sim_disk(sim);
  auth = auth_new(disk, conf, &shell, &err);
  assert_true(auth || buf_len(&err) > 0); /* never silently */
  buf_free(&err);
  return auth != NULL;
}

/* What the accounts are after the first n commands: bits of the rows below. */
enum { TIM = 1, TIM_ON = 2, TIM_SEALED = 4, TOM = 8 };
static const unsigned after[] = {
  0, TIM | TIM_ON | TIM_SEALED, TIM | TIM_SEALED, TIM | TIM_SEALED | TOM, TIM | TOM, TIM
};
enum { COMMANDS = sizeof after / sizeof *after - 1 };

static enum cli_code command(size_t n) {
  switch (n) {
  case 0: return admin("account", "add", "tim@example.org", "42", "--legacy-auth", SECRET);
  case 1: return admin("account", "disable", "tim@example.org");
  case 2: return admin("account", "import", "tom@example.org", "43", MD5_SECRET);
  case 3: return admin("account", "legacy", "tim@example.org", "off");
  default: return admin("account", "delete", "tom@example.org");
  }
}

static unsigned accounts_are(void) {
  struct account row;
  unsigned bits = 0;
  enum account_result r = accounts_find(&auth->accounts, SLICE("tim@example.org"), &row);
  assert_true(r == ACCOUNT_OK || r == ACCOUNT_NONE);
  if (r == ACCOUNT_OK) bits |= TIM | (row.enabled ? TIM_ON : 0) | (row.sealed_n ? TIM_SEALED : 0);
  r = accounts_find(&auth->accounts, SLICE("tom@example.org"), &row);
  assert_true(r == ACCOUNT_OK || r == ACCOUNT_NONE);
  return r == ACCOUNT_OK ? bits | TOM : bits;
}

/* Commands from `from` on until one is not answered with OK. Returns how many were in all. */
static size_t go_on(size_t from) {
  while (from < COMMANDS && command(from) == CLI_OK) {
    from++;
    said_n = 0;
  }
  return from;
}

/* One life with the fault at operation `at` (0: none). Returns how many operations it had. */
static uint64_t life(enum fault fault, uint64_t at, uint64_t seed) {
  const struct disk_plan plans[FAULTS] = {
    [DIES] = { .die_at = at },
    [SYNC_FAILS] = { .fail_sync_at = at },
    [WRITE_FAILS] = { .fail_write_at = at },
    [FULL] = { .full_at = at },
  };
  sim = disk_sim_new(seed);
  disk_sim_plan(sim, &plans[fault]);
  size_t done = try_open() ? go_on(0) : 0;
  bool open = auth != NULL;
  disk_sim_space(sim, UINT64_MAX);
  if (open && fault == FULL) { /* space again: it goes on without a restart */
    assert_int_equal(accounts_are(), after[done]);
    done = go_on(done);
    assert_int_equal(done, COMMANDS);
  }
  auth_free(&auth);
  uint64_t operations = disk_sim_ops(sim);
  assert_int_equal(disk_sim_handles(sim), 0);
  disk_sim_plan(sim, &(struct disk_plan){ 0 });
  disk_sim_space(sim, UINT64_MAX);
  disk_sim_power_loss(sim);
  assert_true(try_open());
  unsigned is = accounts_are();
  if (is != after[done] && (done == COMMANDS || is != after[done + 1]))
    fail_msg("fault %d at %u: %u after %zu commands", (int)fault, (unsigned)at, is, done);
  if (is & TIM_SEALED) { /* the key is the one that it was sealed with */
    struct account row;
    struct buf secret;
    buf_init(&secret, PASSWORD_MAX);
    assert_int_equal(accounts_find(&auth->accounts, SLICE("tim@example.org"), &row), ACCOUNT_OK);
    assert_true(account_unseal(&auth->accounts, &row, &secret));
    buf_wipe(&secret);
  }
  done = is == after[done] ? done : done + 1;
  assert_int_equal(go_on(done), COMMANDS); /* and it works again */
  auth_free(&auth);
  disk_sim_free(&sim);
  return operations;
}

static void all_lives(enum fault fault) {
  uint64_t operations = life(fault, 0, 1);
  assert_true(operations > 20);
  struct sample some = sample_next();
  for (uint64_t at = some.first; at <= operations; at += some.step)
    life(fault, at, at * 7919 + fault);
}

static void test_disk_dies(void **state) { all_lives(DIES); }
static void test_sync_fails(void **state) { all_lives(SYNC_FAILS); }
static void test_write_fails(void **state) { all_lives(WRITE_FAILS); }
static void test_disk_full(void **state) { all_lives(FULL); }

/* A full disk is when people must be able to log in and delete mail: auth starts on it. */
static void starts_on_a_full_disk(bool killed) {
  sim = disk_sim_new(1);
  assert_true(try_open());
  assert_int_equal(go_on(0), COMMANDS);
  assert_int_equal(command(2), CLI_OK);
  disk_sim_plan(sim, &(struct disk_plan){ .die_at = killed });
  auth_free(&auth);
  if (killed) disk_sim_restart(sim);
  disk_sim_plan(sim, &(struct disk_plan){ .full_at = 1 });
  assert_true(try_open());
  uint64_t t = login(1, "tom@example.org", SECRET);
  run();
  assert_int_equal(answer(t), YES);
  assert_int_equal(admin("account", "passwd", "tom@example.org", "another one"), CLI_TROUBLE);
  t = login(1, "tom@example.org", SECRET);
  run();
  assert_int_equal(answer(t), YES);
  disk_sim_space(sim, UINT64_MAX);
  assert_int_equal(admin("account", "passwd", "tom@example.org", "another one"), CLI_OK);
  auth_free(&auth);
  disk_sim_free(&sim);
}

static void test_starts_on_a_full_disk(void **state) { starts_on_a_full_disk(false); }
static void test_starts_on_a_full_disk_after_a_kill(void **state) { starts_on_a_full_disk(true); }

int main(void) {
#undef T
#define T(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
  const struct CMUnitTest tests[] = { T(test_disk_dies),
                                      T(test_sync_fails),
                                      T(test_write_fails),
                                      T(test_disk_full),
                                      T(test_starts_on_a_full_disk),
                                      T(test_starts_on_a_full_disk_after_a_kill) };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
