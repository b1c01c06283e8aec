/* SPDX-License-Identifier: ISC */
/* One writer, readers, a checkpointer and a thread that opens and closes connections, all at once
 * on the real disk: each reader's snapshot is whole and never older than the one before. Run under
 * TSan also. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include <pthread.h>
#include <stdatomic.h>
#include <unistd.h>

#include "lib/db/db.h"

enum { READERS = 2, GROUPS = 150, GROUP = 5 };

struct shared {
  struct disk *d;
  atomic_bool done;
  /* cmocka's asserts are for its own thread only */
  atomic_int bad, snapshots, openings, checkpoints;
};

static const struct db_options options = { .page_size = 4096, .cache_kib = 64 };

static bool ok(struct shared *s, bool good) {
  if (!good) atomic_fetch_add(&s->bad, 1);
  return good;
}

/* Each group adds GROUP rows and counts them, in one transaction. */
static bool group(struct db *db, int64_t g) {
  static uint8_t body[3000];
  enum db_result r = db_begin(db);
  for (int64_t i = 0; r == DB_OK && i < GROUP; i++) {
    struct db_stmt *s = db_prepare(db, "INSERT INTO t (v) VALUES (?)");
    db_bind_blob(s, 1, slice_of(body, sizeof body));
    r = db_run(s);
  }
  if (r == DB_OK) r = db_run(db_prepare(db, "UPDATE c SET n = n + 5"));
  if (r == DB_OK && g % 10 == 0) {
    db_rollback(db);
    return true;
  }
  return r == DB_OK && db_commit(db) == DB_OK;
}

static void *write_groups(void *arg) {
  struct shared *s = arg;
  struct db *db = NULL;
  if (ok(s, db_open(s->d, "t.db", &options, &db) == DB_OK))
    for (int64_t g = 1; g <= GROUPS; g++) ok(s, group(db, g));
  db_close(&db);
  atomic_store(&s->done, true);
  return NULL;
}

static int64_t one(struct db *db, const char *literal) {
  struct db_stmt *st = db_prepare(db, literal);
  int64_t v = db_step(st) == DB_ROW ? db_int(st, 0) : -1;
  db_reset(st);
  return v;
}

static void *read_snapshots(void *arg) {
  struct shared *s = arg;
  struct db *db = NULL;
  int64_t before = 0;
  if (!ok(s, db_open(s->d, "t.db", &options, &db) == DB_OK)) return NULL;
  while (!atomic_load(&s->done)) {
    ok(s, db_begin_read(db) == DB_OK);
    int64_t counted = one(db, "SELECT n FROM c");
    ok(s, counted >= before && counted % GROUP == 0);
    ok(s, one(db, "SELECT count(*) FROM t WHERE length(v) = 3000") == counted);
    ok(s, db_commit(db) == DB_OK);
    before = counted;
    atomic_fetch_add(&s->snapshots, 1);
  }
  db_close(&db);
  return NULL;
}

static void *checkpoint(void *arg) {
  struct shared *s = arg;
  struct db *db = NULL;
  if (!ok(s, db_open(s->d, "t.db", &options, &db) == DB_OK)) return NULL;
  while (!atomic_load(&s->done)) {
    enum db_result r = db_checkpoint(db, false);
    ok(s, r == DB_OK || r == DB_BUSY);
    atomic_fetch_add(&s->checkpoints, 1);
    usleep(2000);
  }
  db_close(&db);
  return NULL;
}

static void *open_and_close(void *arg) {
  struct shared *s = arg;
  while (!atomic_load(&s->done)) {
    struct db *db = NULL;
    ok(s, db_open(s->d, "t.db", &options, &db) == DB_OK && one(db, "SELECT n FROM c") >= 0);
    db_close(&db);
    atomic_fetch_add(&s->openings, 1);
    usleep(1000);
  }
  return NULL;
}

static void all_at_once(void **state) {
  char path[] = "/tmp/qasid-threads-XXXXXX", command[96];
  assert_non_null(mkdtemp(path));
  int e;
  static struct shared s;
  s.d = disk_posix_open(path, &e);
  struct db *db = NULL;
  assert_int_equal(db_open(s.d, "t.db", &options, &db), DB_OK);
  assert_int_equal(
      db_exec(db, "CREATE TABLE t (id INTEGER PRIMARY KEY, v BLOB); CREATE TABLE c (n INTEGER);"
                  "INSERT INTO c VALUES (0)"),
      DB_OK);
  db_close(&db); /* whoever comes first below makes the shared index */
  void *(*const work[])(void *) = { write_groups, checkpoint, open_and_close, read_snapshots,
                                    read_snapshots };
  pthread_t threads[3 + READERS];
  for (size_t i = 0; i < 3 + READERS; i++)
    assert_int_equal(pthread_create(&threads[i], NULL, work[i], &s), 0);
  for (size_t i = 0; i < 3 + READERS; i++) pthread_join(threads[i], NULL);
  assert_int_equal(s.bad, 0);
  assert_true(s.snapshots > 0 && s.openings > 0 && s.checkpoints > 0);
  assert_int_equal(db_open(s.d, "t.db", &options, &db), DB_OK);
  assert_int_equal(one(db, "SELECT count(*) FROM t"), (GROUPS - GROUPS / 10) * GROUP);
  db_close(&db);
  disk_posix_close(&s.d);
  snprintf(command, sizeof command, "rm -rf %s", path);
  assert_int_equal(system(command), 0);
}

int main(void) {
  const struct CMUnitTest tests[] = { cmocka_unit_test(all_at_once) };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
