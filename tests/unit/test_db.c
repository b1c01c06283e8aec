/* SPDX-License-Identifier: ISC */
/* Databases: the wrapper's promises on the real and on the simulated disk. What a power loss or a
 * failing disk may do to them is in test_db_faults.c. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include <sys/wait.h>
#include <unistd.h>

#include "lib/db/db.h"
#include "tests/world/disk_sim.h"

static const struct db_options options = { .page_size = 16384, .cache_kib = 2048 };

struct fixture {
  struct disk_sim *sim;
  struct disk *d;
  struct db *db;
};

static int set_up(void **state) {
  static struct fixture f;
  f.sim = disk_sim_new(1);
  f.d = disk_sim_disk(f.sim);
  f.db = NULL;
  *state = &f;
  return db_open(f.d, "test.db", &options, &f.db);
}

static int tear_down(void **state) {
  struct fixture *f = *state;
  db_close(&f->db);
  int left = (int)disk_sim_handles(f->sim);
  disk_sim_free(&f->sim);
  return left;
}

static void must(enum db_result r) {
  if (r != DB_OK) fail_msg("%s", db_result_text(r));
}

static int64_t one(struct db *db, const char *sql) {
  struct db_stmt *s = db_prepare(db, sql);
  assert_int_equal(db_step(s), DB_ROW);
  int64_t v = db_int(s, 0);
  db_reset(s);
  return v;
}

static const char *const table =
    "CREATE TABLE t (id INTEGER PRIMARY KEY, v BLOB, k INTEGER UNIQUE)";

static void insert(struct db *db, int64_t k, struct slice v) {
  struct db_stmt *s = db_prepare(db, "INSERT INTO t (k, v) VALUES (?, ?)");
  db_bind_int(s, 1, k);
  db_bind_blob(s, 2, v);
  must(db_run(s));
}

static void settings(void **state) {
  struct fixture *f = *state;
  assert_int_equal(one(f->db, "PRAGMA page_size"), 16384);
  assert_int_equal(one(f->db, "PRAGMA synchronous"), 2);
  assert_int_equal(one(f->db, "PRAGMA foreign_keys"), 1);
  assert_int_equal(one(f->db, "PRAGMA temp_store"), 2);
  assert_int_equal(one(f->db, "PRAGMA cell_size_check"), 1);
  assert_int_equal(one(f->db, "PRAGMA trusted_schema"), 0);
  assert_int_equal(one(f->db, "PRAGMA wal_autocheckpoint"), 0);
}

static void values(void **state) {
  struct fixture *f = *state;
  must(db_exec(f->db, "CREATE TABLE x (i INTEGER, t TEXT, b BLOB, n INTEGER)"));
  struct db_stmt *s = db_prepare(f->db, "INSERT INTO x VALUES (?, ?, ?, ?)");
  db_bind_int(s, 1, INT64_MIN);
  db_bind_text(s, 2, SLICE_NONE);
  db_bind_blob(s, 3, SLICE("a\0b"));
  db_bind_null(s, 4);
  must(db_run(s));
  assert_int_equal(db_changes(f->db), 1);
  s = db_prepare(f->db, "SELECT i, t, b, n FROM x");
  assert_int_equal(db_step(s), DB_ROW);
  assert_true(db_int(s, 0) == INT64_MIN);
  assert_false(db_is_null(s, 1));
  assert_int_equal(db_bytes(s, 1).n, 0);
  assert_true(slice_eq(db_bytes(s, 2), SLICE("a\0b")));
  assert_true(db_is_null(s, 3));
  assert_int_equal(db_step(s), DB_OK);
  assert_int_equal(db_int(s, 0), 0);
  /* The bindings of one use are not those of the next. */
  must(db_run(db_prepare(f->db, "INSERT INTO x VALUES (?, ?, ?, ?)")));
  s = db_prepare(f->db, "INSERT INTO x VALUES (?, ?, ?, ?)");
  db_bind_int(s, 5, 1);
  assert_int_equal(db_run(s), DB_ERROR);
}

static void reopened(void **state) {
  struct fixture *f = *state;
  must(db_exec(f->db, table));
  must(db_begin(f->db));
  insert(f->db, 7, SLICE("seven"));
  must(db_commit(f->db));
  must(db_set_version(f->db, 3));
  db_close(&f->db);
  assert_int_equal(disk_sim_handles(f->sim), 0);
  assert_int_equal(f->d->ops->exists(f->d, "test.db-wal"), 0); /* a clean end leaves one file */
  must(db_open(f->d, "test.db", &options, &f->db));
  assert_int_equal(one(f->db, "SELECT k FROM t"), 7);
  assert_int_equal(db_version(f->db), 3);
}

static void read_only(void **state) {
  struct fixture *f = *state;
  must(db_exec(f->db, table));
  insert(f->db, 7, SLICE("seven"));
  db_close(&f->db);
  struct db_options ro = options;
  ro.read_only = true;
  struct db *none = NULL;
  assert_int_equal(db_open(f->d, "missing.db", &ro, &none), DB_CANTOPEN);
  assert_null(none);
  assert_int_equal(f->d->ops->exists(f->d, "missing.db"), 0);
  must(db_open(f->d, "test.db", &ro, &f->db));
  assert_int_equal(one(f->db, "SELECT k FROM t"), 7);
  assert_int_equal(db_exec(f->db, "DELETE FROM t"), DB_ERROR);
}

static void errors_stick(void **state) {
  struct fixture *f = *state;
  must(db_exec(f->db, table));
  must(db_begin(f->db));
  insert(f->db, 1, SLICE("a"));
  struct db_stmt *s = db_prepare(f->db, "INSERT INTO t (k, v) VALUES (?, ?)");
  db_bind_int(s, 1, 1);
  assert_int_equal(db_run(s), DB_CONSTRAINT);
  assert_int_equal(db_run(s), DB_CONSTRAINT);
  assert_int_equal(db_exec(f->db, "DELETE FROM t"), DB_CONSTRAINT);
  assert_int_equal(db_step(db_prepare(f->db, "SELECT 1")), DB_CONSTRAINT);
  assert_int_equal(db_commit(f->db), DB_CONSTRAINT);
  assert_non_null(strstr(db_error(f->db), "UNIQUE"));
  db_rollback(f->db);
  assert_int_equal(one(f->db, "SELECT count(*) FROM t"), 0);
  /* Outside a transaction nothing sticks. */
  assert_int_equal(db_exec(f->db, "SELECT nonsense"), DB_ERROR);
  assert_int_equal(db_step(db_prepare(f->db, "SELECT nonsense")), DB_ERROR);
  must(db_exec(f->db, "DELETE FROM t"));
  assert_int_equal(db_commit(f->db), DB_ERROR);
  must(db_begin(f->db));
  assert_int_equal(db_begin(f->db), DB_ERROR);
  db_rollback(f->db);
}

static void savepoints(void **state) {
  struct fixture *f = *state;
  must(db_exec(f->db, table));
  must(db_begin(f->db));
  insert(f->db, 1, SLICE("a"));
  must(db_savepoint(f->db));
  insert(f->db, 2, SLICE("b"));
  must(db_savepoint(f->db));
  insert(f->db, 3, SLICE("c"));
  assert_int_equal(db_exec(f->db, "INSERT INTO t (k) VALUES (1)"), DB_CONSTRAINT);
  must(db_rollback_to(f->db)); /* takes back 3, and the error */
  must(db_release(f->db));
  must(db_savepoint(f->db));
  insert(f->db, 4, SLICE("d"));
  must(db_release(f->db));
  must(db_commit(f->db));
  assert_int_equal(one(f->db, "SELECT sum(k) FROM t"), 7);
}

static void statements(void **state) {
  struct fixture *f = *state;
  static const char text[] = "SELECT 1";
  struct db_stmt *s = db_prepare(f->db, text);
  assert_ptr_equal(s, db_prepare(f->db, text));
  char dynamic[] = "SELECT 2";
  assert_int_equal(one(f->db, dynamic), 2);
  dynamic[7] = '3';
  assert_int_equal(db_step(db_prepare(f->db, dynamic)), DB_ERROR);
  assert_int_equal(db_step(db_prepare(f->db, "SELECT 1; DELETE FROM t")), DB_ERROR);
  assert_int_equal(one(f->db, "SELECT 4;\n"), 4);
  assert_int_equal(db_run(db_prepare(f->db, "SELECT 5")), DB_ERROR);
}

static void blobs(void **state) {
  struct fixture *f = *state;
  must(db_exec(f->db, table));
  static uint8_t big[200000], got[1000];
  for (size_t i = 0; i < sizeof big; i++) big[i] = (uint8_t)(i * 7919 >> 3);
  insert(f->db, 1, slice_of(big, sizeof big));
  must(db_blob_read(f->db, "t", "v", 1, got, sizeof got, 123456));
  assert_memory_equal(got, big + 123456, sizeof got);
  must(db_blob_read(f->db, "t", "v", 1, got, 1000, sizeof big - 1000));
  assert_int_equal(db_blob_read(f->db, "t", "v", 1, got, 1000, sizeof big - 999), DB_ERROR);
  assert_int_equal(db_blob_read(f->db, "t", "v", 1, got, SIZE_MAX, 5), DB_ERROR);
  assert_int_equal(db_blob_read(f->db, "t", "v", 2, got, 1, 0), DB_ERROR);
}

/* A reader's snapshot beside a writer; the log grows, and is moved into the database. */
static void snapshots(void **state) {
  struct fixture *f = *state;
  struct db *reader = NULL;
  must(db_exec(f->db, table));
  must(db_open(f->d, "test.db", &options, &reader));
  insert(f->db, 1, SLICE("a"));
  must(db_begin_read(reader));
  assert_int_equal(one(reader, "SELECT count(*) FROM t"), 1);
  must(db_begin(f->db));
  insert(f->db, 2, SLICE("b"));
  assert_int_equal(one(reader, "SELECT count(*) FROM t"), 1);
  must(db_commit(f->db));
  assert_int_equal(one(reader, "SELECT count(*) FROM t"), 1);
  must(db_commit(reader));
  assert_int_equal(one(reader, "SELECT count(*) FROM t"), 2);
  assert_true(db_wal_pages(f->db) > 3);
  must(db_checkpoint(reader, false));
  insert(f->db, 3, SLICE("c"));
  assert_true(db_wal_pages(f->db) <= 4);
  must(db_checkpoint(f->db, true));
  assert_int_equal(db_wal_pages(f->db), 0);
  assert_int_equal(one(reader, "SELECT count(*) FROM t"), 3);
  db_close(&reader);
}

static int64_t log_size(struct fixture *f) {
  struct disk_file *file;
  assert_int_equal(f->d->ops->open(f->d, "test.db-wal", DISK_READ, &file), 0);
  int64_t size = f->d->ops->size(file);
  f->d->ops->close(&file);
  return size;
}

/* What a burst left of the log is given back with the next round's first commit. */
static void a_long_log_shrinks(void **state) {
  struct fixture *f = *state;
  static uint8_t much[100000];
  const struct db_options small = { .page_size = 16384, .cache_kib = 2048, .log_kept = 500000 };
  db_close(&f->db);
  must(db_open(f->d, "test.db", &small, &f->db));
  must(db_exec(f->db, table));
  must(db_begin(f->db));
  for (int64_t k = 0; k < 20; k++) insert(f->db, k, slice_of(much, sizeof much));
  must(db_commit(f->db));
  assert_true(log_size(f) > 2000000);
  must(db_checkpoint(f->db, false));
  assert_true(log_size(f) > 2000000);
  insert(f->db, 100, SLICE("x"));
  assert_in_range(log_size(f), 16384, 500000 + 16384);
  insert(f->db, 101, SLICE("y"));
  db_close(&f->db);
  must(db_open(f->d, "test.db", &small, &f->db));
  assert_int_equal(one(f->db, "SELECT count(*) FROM t"), 22);
}

static int64_t file_size(struct fixture *f) {
  struct disk_file *file;
  assert_int_equal(f->d->ops->open(f->d, "test.db", DISK_READ, &file), 0);
  int64_t size = f->d->ops->size(file);
  f->d->ops->close(&file);
  return size;
}

static void fill_and_delete(struct fixture *f) {
  static uint8_t much[100000];
  must(db_exec(f->db, table));
  must(db_begin(f->db));
  for (int64_t k = 0; k < 20; k++) insert(f->db, k, slice_of(much, sizeof much));
  must(db_commit(f->db));
  must(db_exec(f->db, "DELETE FROM t WHERE k <> 19"));
  must(db_checkpoint(f->db, false));
}

/* What is free goes back some pages at a time; a reader keeps its snapshot meanwhile, and the log,
 * which is cut when nobody reads from it. */
static void free_pages_go_back(void **state) {
  struct fixture *f = *state;
  struct db *reader = NULL;
  struct db_space before, after;
  fill_and_delete(f);
  must(db_space(f->db, &before));
  assert_true(before.shrinks);
  assert_int_equal(before.page, 16384);
  assert_in_range(before.free, 100, before.pages);
  assert_in_range(before.log, log_size(f), log_size(f) + 16384);
  must(db_shrink(f->db, 10));
  must(db_space(f->db, &after));
  assert_int_equal(after.pages, before.pages - 10);
  assert_int_equal(after.free, before.free - 10);
  must(db_open(f->d, "test.db", &options, &reader));
  must(db_begin_read(reader));
  assert_int_equal(one(reader, "SELECT count(*) FROM t"), 1);
  must(db_shrink(f->db, 1000));
  assert_int_equal(db_cut_log(f->db), DB_BUSY);
  assert_int_equal(one(reader, "SELECT length(v) FROM t"), 100000);
  must(db_commit(reader));
  must(db_cut_log(f->db));
  assert_int_equal(log_size(f), 0);
  must(db_space(reader, &after));
  assert_int_equal(after.free, 0);
  assert_int_equal(file_size(f), (int64_t)(after.pages * after.page));
  assert_int_equal(one(reader, "SELECT length(v) FROM t"), 100000);
  must(db_shrink(f->db, 1000));
  db_close(&reader);
}

static const struct db_options tight = { .page_size = 4096, .cache_kib = 2048 };

static void count_report(void *arg) { ++*(unsigned *)arg; }

/* A database rewritten: smaller, in other pages, and its next free ones go back. */
static void compacted(void **state) {
  struct fixture *f = *state;
  struct db_space space;
  struct buf err;
  buf_init(&err, 1000);
  fill_and_delete(f);
  must(db_set_version(f->db, 7));
  must(db_exec(f->db, "PRAGMA auto_vacuum=NONE; VACUUM")); /* as earlier versions made it */
  must(db_space(f->db, &space));
  assert_false(space.shrinks);
  must(db_exec(f->db, "CREATE TABLE many (v INTEGER); WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL "
                      "SELECT i + 1 FROM n WHERE i < 1000) INSERT INTO many SELECT i FROM n"));
  must(db_exec(f->db,
               "CREATE TABLE u (v BLOB); INSERT INTO u VALUES (zeroblob(100000)); DELETE FROM u"));
  must(db_shrink(f->db, 5));
  must(db_checkpoint(f->db, true));
  db_close(&f->db);
  int64_t before = file_size(f);
  unsigned reports = 0;
  const struct db_watch watch = { count_report, &reports };
  must(db_compact(f->d, "test.db", "copy.db", &tight, &watch, &err));
  assert_in_range(reports, 10, 10000); /* of 1,000 rows */
  assert_in_range(file_size(f), 100000, before - 90000);
  assert_int_equal(f->d->ops->exists(f->d, "copy.db"), 0);
  must(db_open(f->d, "test.db", &tight, &f->db));
  must(db_space(f->db, &space));
  assert_int_equal(space.page, 4096);
  assert_int_equal(space.free, 0);
  assert_true(space.shrinks);
  assert_int_equal(db_version(f->db), 7);
  assert_int_equal(one(f->db, "SELECT length(v) FROM t"), 100000);
  must(db_exec(f->db, "DELETE FROM t"));
  must(db_shrink(f->db, 1000));
  must(db_space(f->db, &space));
  assert_int_equal(space.free, 0);
  assert_string_equal(buf_cstr(&err), "");
  buf_free(&err);
}

/* A file that is no database stays unchanged, and a copy left by a crash does not prevent
 * compaction. */
static void not_compacted(void **state) {
  struct fixture *f = *state;
  struct disk_file *file;
  struct buf err;
  buf_init(&err, 1000);
  db_close(&f->db);
  assert_int_equal(f->d->ops->open(f->d, "copy.db", DISK_WRITE, &file), 0);
  assert_int_equal(f->d->ops->write(file, SLICE("what a crash left"), 0), 0);
  f->d->ops->close(&file);
  assert_int_equal(f->d->ops->open(f->d, "bad.db", DISK_WRITE, &file), 0);
  assert_int_equal(f->d->ops->write(file, SLICE("not a database, but long enough"), 0), 0);
  f->d->ops->close(&file);
  assert_int_equal(db_compact(f->d, "bad.db", "copy.db", &tight, NULL, &err), DB_CORRUPT);
  assert_non_null(strstr(buf_cstr(&err), "can't be opened"));
  assert_int_equal(f->d->ops->exists(f->d, "copy.db"), 0);
  assert_int_equal(f->d->ops->exists(f->d, "bad.db"), 1);
  must(db_open(f->d, "test.db", &options, &f->db));
  buf_free(&err);
}

/* One write and one sync for a commit, and none for a reader; no file but the two. */
static uint64_t writes;
static void count_writes(void *arg, const char *line) { writes += strstr(line, " write ") != NULL; }

static void one_write_a_commit(void **state) {
  struct fixture *f = *state;
  static uint8_t body[4000];
  must(db_exec(f->db, table));
  insert(f->db, 0, SLICE("x"));
  disk_sim_trace(f->sim, count_writes, NULL);
  for (int64_t group = 1; group <= 20; group++) {
    disk_sim_plan(f->sim, &(struct disk_plan){ 0 });
    writes = 0;
    must(db_begin(f->db));
    for (int64_t i = 0; i < 10; i++) insert(f->db, group * 10 + i, slice_of(body, sizeof body));
    must(db_commit(f->db));
    assert_int_equal(writes, 1);
    assert_int_equal(disk_sim_syncs(f->sim), 1);
    assert_int_equal(disk_sim_ops(f->sim), 2);
  }
  disk_sim_plan(f->sim, &(struct disk_plan){ 0 });
  assert_int_equal(
      one(f->db, "SELECT count(*) FROM (SELECT DISTINCT v || id AS w FROM t ORDER BY w)"), 201);
  assert_int_equal(disk_sim_ops(f->sim), 0);
}

/* A transaction far beyond the page cache and the log's buffer is read back by its own statements,
 * some pages from the file, some from memory; rolled back, and done again. */
static void huge_transaction(void **state) {
  struct fixture *f = *state;
  struct db_options small = options;
  small.cache_kib = 256;
  db_close(&f->db);
  must(db_open(f->d, "test.db", &small, &f->db));
  must(db_exec(f->db, table));
  static uint8_t body[10000];
  for (int round = 0; round < 3; round++) {
    must(db_begin(f->db));
    for (int64_t i = 0; i < 2000; i++) {
      body[5000] = (uint8_t)i;
      insert(f->db, i, slice_of(body, sizeof body));
      if (i % 100 == 99) must(db_exec(f->db, "UPDATE t SET v = v || 'x' WHERE id % 100 = 5"));
    }
    assert_int_equal(one(f->db, "SELECT count(*) FROM t WHERE length(v) = 10000"), 1980);
    if (round < 2)
      db_rollback(f->db);
    else
      must(db_commit(f->db));
  }
  disk_sim_plan(f->sim, &(struct disk_plan){ .die_at = 1 });
  assert_int_equal(db_exec(f->db, "DELETE FROM t"), DB_IOERR);
  db_close(&f->db);
  disk_sim_power_loss(f->sim);
  must(db_open(f->d, "test.db", &options, &f->db));
  assert_int_equal(one(f->db, "SELECT count(*) FROM t"), 2000);
}

static void copy_while_in_use(void **state) {
  struct fixture *f = *state;
  static uint8_t body[4000];
  must(db_exec(f->db, table));
  for (int64_t i = 0; i < 200; i++) insert(f->db, i, slice_of(body, sizeof body));
  struct db *from = NULL;
  must(db_open(f->d, "test.db", &options, &from));
  struct disk_sim *other = disk_sim_new(2);
  struct disk *to = disk_sim_disk(other);
  struct db_backup *b = NULL;
  must(db_backup_start(from, to, "copy.db", &b));
  enum db_result r;
  int64_t rounds = 0;
  while ((r = db_backup_step(b, 5)) == DB_ROW) insert(f->db, 1000 + rounds++, SLICE("new"));
  must(r);
  assert_true(rounds > 5);
  db_backup_end(&b);
  assert_int_equal(one(from, "SELECT count(*) FROM t"), 200 + rounds);
  db_close(&from);
  disk_sim_power_loss(other); /* the copy is durable when the last step returns */
  must(db_open(to, "copy.db", &options, &from));
  assert_int_equal(one(from, "SELECT count(*) FROM t"), 200);
  assert_int_equal(db_backup_start(f->db, to, "copy.db", &b), DB_ERROR);
  db_close(&from);
  /* One that is given up leaves nothing. */
  must(db_backup_start(f->db, to, "half.db", &b));
  assert_int_equal(db_backup_step(b, 1), DB_ROW);
  db_backup_end(&b);
  assert_int_equal(to->ops->exists(to, "half.db"), 0);
  assert_int_equal(disk_sim_handles(other), 0);
  disk_sim_free(&other);
}

static void finding(void *arg, const char *text) { ++*(int *)arg; }

static void damage(void **state) {
  struct fixture *f = *state;
  int findings = 0;
  must(db_exec(f->db, table));
  for (int64_t i = 0; i < 50; i++)
    insert(f->db, i, SLICE("0123456789012345678901234567890123456789"));
  must(db_integrity(f->db, finding, &findings));
  assert_int_equal(findings, 0);
  must(db_checkpoint(f->db, true));
  db_close(&f->db);
  assert_true(disk_sim_flip(f->sim, "test.db", 32768)); /* what kind of page the table's root is */
  must(db_open(f->d, "test.db", &options, &f->db));
  assert_int_equal(db_exec(f->db, "SELECT count(v) FROM t"), DB_CORRUPT);
  assert_int_equal(one(f->db, "SELECT count(*) FROM sqlite_schema"), 2);
  enum db_result r = db_integrity(f->db, finding, &findings);
  assert_true(r == DB_CORRUPT || findings > 0);
  db_close(&f->db);
  assert_true(disk_sim_flip(f->sim, "test.db", 0));
  assert_int_equal(db_open(f->d, "test.db", &options, &f->db), DB_CORRUPT);
}

/* -- on the real disk -- */

struct real {
  char path[64];
  struct disk *d;
  struct db *db;
};

static int set_up_real(void **state) {
  static struct real f;
  snprintf(f.path, sizeof f.path, "/tmp/qasid-db-XXXXXX");
  if (!mkdtemp(f.path)) return -1;
  int e;
  f.d = disk_posix_open(f.path, &e);
  f.db = NULL;
  *state = &f;
  return f.d ? (int)db_open(f.d, "test.db", &options, &f.db) : -1;
}

static int tear_down_real(void **state) {
  struct real *f = *state;
  db_close(&f->db);
  disk_posix_close(&f->d);
  char command[96];
  snprintf(command, sizeof command, "rm -rf %s", f->path);
  return system(command);
}

/* The output of the sqlite3 shell for a statement. */
static const char *shell(struct real *f, const char *sql) {
  static char said[1000];
  char command[400];
  snprintf(command, sizeof command, "sqlite3 %s/test.db '%s' 2>&1", f->path, sql);
  FILE *p = popen(command, "r");
  assert_non_null(p);
  said[fread(said, 1, sizeof said - 1, p)] = 0;
  pclose(p);
  return said;
}

/* While we have it open the shell finds the database locked, and may have it afterwards; while the
 * shell has it open, we find it busy. */
static void the_shell(void **state) {
  struct real *f = *state;
  if (system("command -v sqlite3 >/dev/null") != 0) skip();
  must(db_exec(f->db, table));
  insert(f->db, 5, SLICE("five"));
  assert_non_null(strstr(shell(f, "SELECT k FROM t"), "locked"));
  assert_non_null(strstr(shell(f, "DELETE FROM t"), "locked"));
  /* Another connection's end, and that of a descriptor of the file in this process, change nothing.
   */
  struct db *second = NULL;
  must(db_open(f->d, "test.db", &options, &second));
  db_close(&second);
  struct disk_file *file = NULL;
  assert_int_equal(f->d->ops->open(f->d, "test.db", DISK_READ, &file), 0);
  f->d->ops->close(&file);
  assert_non_null(strstr(shell(f, "SELECT k FROM t"), "locked"));
  db_close(&f->db);
  assert_string_equal(shell(f, "SELECT k FROM t; PRAGMA journal_mode; PRAGMA integrity_check;"),
                      "5\nwal\nok\n");

  char command[200];
  snprintf(command, sizeof command, "sqlite3 %s/test.db >/dev/null", f->path);
  FILE *p = popen(command, "w");
  fputs("BEGIN; SELECT * FROM t;\n.system touch ", p);
  fprintf(p, "%s/reading\n", f->path);
  fflush(p);
  for (int i = 0; i < 500 && f->d->ops->exists(f->d, "reading") == 0; i++) usleep(10000);
  assert_int_equal(f->d->ops->exists(f->d, "reading"), 1);
  assert_int_equal(db_open(f->d, "test.db", &options, &f->db), DB_BUSY);
  pclose(p);
  must(db_open(f->d, "test.db", &options, &f->db));
  assert_int_equal(one(f->db, "SELECT k FROM t"), 5);
}

/* A second process of ours, and a second opening of the folder in this one. */
static void only_one_process(void **state) {
  struct real *f = *state;
  int e;
  struct disk *d = disk_posix_open(f->path, &e);
  struct db *db = NULL;
  assert_int_equal(db_open(d, "test.db", &options, &db), DB_BUSY);
  pid_t child = fork();
  if (child == 0) _exit((int)db_open(d, "test.db", &options, &db));
  int status;
  assert_int_equal(waitpid(child, &status, 0), child);
  assert_int_equal(WEXITSTATUS(status), DB_BUSY);
  db_close(&f->db);
  must(db_open(d, "test.db", &options, &db));
  db_close(&db);
  disk_posix_close(&d);
}

/* A process that dies without closing leaves a log; the next opening finds all commits in it. */
static void killed(void **state) {
  struct real *f = *state;
  must(db_exec(f->db, table));
  db_close(&f->db);
  pid_t child = fork();
  if (child == 0) {
    if (db_open(f->d, "test.db", &options, &f->db) != DB_OK) _exit(1);
    for (int64_t i = 0; i < 100; i++) insert(f->db, i, SLICE("x"));
    if (db_begin(f->db) != DB_OK) _exit(1);
    insert(f->db, 1000, SLICE("not committed"));
    _exit(0);
  }
  int status;
  assert_int_equal(waitpid(child, &status, 0), child);
  assert_int_equal(status, 0);
  assert_int_equal(f->d->ops->exists(f->d, "test.db-wal"), 1);
  must(db_open(f->d, "test.db", &options, &f->db));
  assert_int_equal(one(f->db, "SELECT count(*) FROM t"), 100);
}

#define WITH_REAL(f) cmocka_unit_test_setup_teardown(f, set_up_real, tear_down_real)
#define WITH_DB(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void) {
  const struct CMUnitTest tests[] = {
    WITH_DB(settings),
    WITH_DB(values),
    WITH_DB(reopened),
    WITH_DB(read_only),
    WITH_DB(errors_stick),
    WITH_DB(savepoints),
    WITH_DB(statements),
    WITH_DB(blobs),
    WITH_DB(snapshots),
    WITH_DB(a_long_log_shrinks),
    WITH_DB(free_pages_go_back),
    WITH_DB(compacted),
    WITH_DB(not_compacted),
    WITH_DB(one_write_a_commit),
    WITH_DB(huge_transaction),
    WITH_DB(copy_while_in_use),
    WITH_DB(damage),
    WITH_REAL(the_shell),
    WITH_REAL(only_one_process),
    WITH_REAL(killed),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
