/* SPDX-License-Identifier: ISC */
/* What accounts have, for their quotas: never less than the truth, and the truth once nothing is on
 * its way, in whatever order jobs are reported; and the maildrops' locks. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "src/store/sql/folders.h"
#include "src/store/owner/locks.h"
#include "src/store/sql/schema.h"
#include "tests/world/disk_sim.h"

static struct disk_sim *sim;
static struct db *writer, *reader;
static struct folders f;

static struct db *open_database(bool read_only) {
  struct db_options options = { .page_size = 4096, .cache_kib = 64, .read_only = read_only };
  struct db *db = NULL;
  assert_int_equal(db_open(disk_sim_disk(sim), "folders.sqlite", &options, &db), DB_OK);
  return db;
}

static int setup(void **state) {
  struct buf err;
  buf_init(&err, 1000);
  sim = disk_sim_new(1);
  writer = open_database(false);
  assert_true(schema_bring_forward(writer, &err));
  assert_int_equal(
      db_exec(writer,
              "INSERT INTO folder (id, account, name, uidvalidity, uidnext, modseq, messages,"
              " octets) VALUES (11, 1, 'INBOX', 1, 1, 1, 0, 100)"),
      DB_OK);
  reader = open_database(true);
  folders_init(&f);
  f.db = reader;
  return 0;
}

static int teardown(void **state) {
  folders_free(&f);
  db_close(&reader);
  db_close(&writer);
  disk_sim_free(&sim);
  return 0;
}

/* The writer's commit of so many octets more. */
static void commit(int64_t more) {
  struct db_stmt *s = db_prepare(writer, "UPDATE folder SET octets = octets + ? WHERE id = 11");
  db_bind_int(s, 1, more);
  assert_int_equal(db_run(s), DB_OK);
}

static uint64_t held(void) {
  uint64_t n = 0;
  assert_true(folders_held(&f, 1, &n));
  return n;
}

static void a_message_comes(void **state) {
  assert_int_equal(held(), 100);
  assert_true(folders_coming(&f, 1, 10));
  uint64_t job = folders_job(&f);
  assert_int_equal(held(), 110);
  commit(10);
  assert_int_equal(held(), 110);
  folders_came(&f, job, 1, 10, true);
  assert_int_equal(held(), 110);
  assert_true(folders_coming(&f, 1, 10));
  folders_came(&f, folders_job(&f), 1, 10, false); /* it was rolled back */
  assert_int_equal(held(), 110);
  folders_removed(&f, folders_job(&f), 1, 30);
  assert_int_equal(held(), 80);
}

/* Read between a job's commit and its report: counted twice until then, never too little. */
static void read_in_between(void **state) {
  assert_true(folders_coming(&f, 1, 10));
  uint64_t job = folders_job(&f);
  commit(10);
  assert_int_equal(held(), 120);
  folders_came(&f, job, 1, 10, true);
  assert_int_equal(held(), 110);
  job = folders_job(&f);
  commit(-40);
  folders_changed(&f, 1);
  assert_int_equal(held(), 70);
  folders_removed(&f, job, 1, 40);
  assert_int_equal(held(), 70);
}

/* Two jobs are out while it is read; one was committed, the other not yet. */
static void reported_in_any_order(void **state) {
  for (int first = 0; first < 2; first++) {
    folders_changed(&f, 1);
    uint64_t before = held(), jobs[2];
    folders_changed(&f, 1);
    for (int i = 0; i < 2; i++) {
      assert_true(folders_coming(&f, 1, 10));
      jobs[i] = folders_job(&f);
    }
    commit(10);
    assert_true(held() >= before + 20);
    commit(10);
    folders_came(&f, jobs[first], 1, 10, true);
    assert_true(held() >= before + 20);
    folders_came(&f, jobs[!first], 1, 10, true);
    assert_int_equal(held(), before + 20);
  }
}

/* A record is forgotten only when nothing is coming. */
static void many_accounts(void **state) {
  uint64_t n;
  assert_true(folders_coming(&f, 1, 10));
  for (uint64_t account = 2; account < 80000; account++) assert_true(folders_held(&f, account, &n));
  assert_true(f.by_account.count < 40000);
  assert_int_equal(held(), 110);
}

static void locks_are_kept_while_needed(void **state) {
  struct locks l;
  locks_init(&l);
  for (uint64_t account = 1; account <= 4; account++) assert_non_null(lock_get(&l, account));
  lock_find(&l, 1)->locked_by = (struct session *)&l;
  lock_find(&l, 2)->waiters = 1;
  lock_find(&l, 3)->login_s = 1000;
  lock_find(&l, 4)->login_s = 999;
  locks_forget(&l, 1000);
  for (uint64_t account = 1; account <= 3; account++) assert_non_null(lock_find(&l, account));
  assert_null(lock_find(&l, 4));
  locks_free(&l);
}

int main(void) {
#define T(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)
  const struct CMUnitTest tests[] = {
    T(a_message_comes),
    T(read_in_between),
    T(reported_in_any_order),
    T(many_accounts),
    T(locks_are_kept_while_needed),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
