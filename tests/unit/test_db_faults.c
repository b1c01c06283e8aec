/* SPDX-License-Identifier: ISC */
/* Databases on a disk that fails: at every operation of a scripted workload the power goes, the
 * process dies, a write or a sync answers EIO, or the disk is full from there on. Afterwards each
 * transaction whose commit returned DB_OK is there as a whole; each that was rolled back or refused
 * is not, not even after a further power loss; and the one that was in its commit is there as a
 * whole or not at all.
 *
 * The operations are a sample (sample.h). QASID_FAULT_SEEDS=n runs each with n seeds instead of
 * one. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include <sqlite3.h>

#include "lib/base/num.h"
#include "lib/db/db.h"
#include "tests/world/disk_sim.h"
#include "tests/world/rng.h"
#include "tests/unit/sample.h"

enum { TRANSACTIONS = 14, SECTOR_SPOILT = 4096 };

enum fate { ABSENT, PRESENT, EITHER };

/* -- a disk behind the simulated one that spoils whole sectors -- */

/* The simulated disk keeps or loses sectors of 512 octets as wholes. A worse one: when the power
 * goes, any sector of 4096 octets that a write since the last sync touched may hold nonsense, also
 * the part that was not written. This one sits in front, and remembers what was touched. */
struct touched {
  char name[32];
  uint64_t from, till;
};

struct spoiler {
  struct disk disk; /* first */
  struct disk *under;
  struct touched touched[4096];
  size_t count;
};

struct disk_file {
  struct spoiler *on;
  struct disk_file *under;
  char name[32];
};

static struct spoiler *spoiler_of(struct disk *d) { return (struct spoiler *)(void *)d; }

static int sp_open(struct disk *d, const char *name, enum disk_open how, struct disk_file **ret) {
  struct disk_file *f = calloc(1, sizeof *f);
  f->on = spoiler_of(d);
  snprintf(f->name, sizeof f->name, "%s", name);
  int e = f->on->under->ops->open(f->on->under, name, how, &f->under);
  if (e)
    free(f);
  else
    *ret = f;
  return e;
}
static void sp_close(struct disk_file **f) {
  (*f)->on->under->ops->close(&(*f)->under);
  free(*f);
  *f = NULL;
}
static int64_t sp_read(struct disk_file *f, void *to, size_t n, uint64_t at) {
  return f->on->under->ops->read(f->under, to, n, at);
}
static int sp_write(struct disk_file *f, struct slice s, uint64_t at) {
  assert_true(f->on->count < sizeof f->on->touched / sizeof *f->on->touched);
  struct touched *t = &f->on->touched[f->on->count++];
  *t = (struct touched){ .from = at / SECTOR_SPOILT * SECTOR_SPOILT, .till = at + s.n };
  memcpy(t->name, f->name, sizeof t->name);
  return f->on->under->ops->write(f->under, s, at);
}
static int sp_truncate(struct disk_file *f, uint64_t size) {
  return f->on->under->ops->truncate(f->under, size);
}
static int64_t sp_size(struct disk_file *f) { return f->on->under->ops->size(f->under); }
static int sp_sync(struct disk_file *f) {
  int e = f->on->under->ops->sync(f->under);
  size_t kept = 0;
  for (size_t i = 0; i < f->on->count; i++)
    if (e || strcmp(f->on->touched[i].name, f->name) != 0)
      f->on->touched[kept++] = f->on->touched[i];
  f->on->count = kept;
  return e;
}
static int sp_remove(struct disk *d, const char *name) {
  return spoiler_of(d)->under->ops->remove(spoiler_of(d)->under, name);
}
static int sp_exists(struct disk *d, const char *name) {
  return spoiler_of(d)->under->ops->exists(spoiler_of(d)->under, name);
}
static int sp_sync_dir(struct disk *d, const char *name) {
  return spoiler_of(d)->under->ops->sync_dir(spoiler_of(d)->under, name);
}

static int sp_rename(struct disk *d, const char *from, const char *to) {
  return spoiler_of(d)->under->ops->rename(spoiler_of(d)->under, from, to);
}

static const struct disk_ops spoiler_ops = {
  .open = sp_open,
  .close = sp_close,
  .read = sp_read,
  .write = sp_write,
  .truncate = sp_truncate,
  .size = sp_size,
  .sync = sp_sync,
  .rename = sp_rename,
  .remove = sp_remove,
  .exists = sp_exists,
  .sync_dir = sp_sync_dir,
};

/* After a power loss: half of the touched sectors turn to nonsense. */
static void spoil(struct spoiler *s, struct rng *rng) {
  for (size_t i = 0; i < s->count; i++) {
    struct touched *t = &s->touched[i];
    struct disk_file *f = NULL;
    if (s->under->ops->open(s->under, t->name, DISK_READ, &f)) continue;
    int64_t size = s->under->ops->size(f);
    s->under->ops->close(&f);
    assert_int_equal(s->under->ops->open(s->under, t->name, DISK_WRITE, &f), 0);
    for (uint64_t at = t->from; at < t->till && at < (uint64_t)size; at += SECTOR_SPOILT) {
      uint8_t junk[SECTOR_SPOILT];
      uint64_t n = (uint64_t)size - at < sizeof junk ? (uint64_t)size - at : sizeof junk;
      for (size_t j = 0; j < n; j++) junk[j] = (uint8_t)rng_next(rng);
      if (rng_chance(rng, 1, 2))
        assert_int_equal(s->under->ops->write(f, slice_of(junk, n), at), 0);
    }
    assert_int_equal(s->under->ops->sync(f), 0);
    s->under->ops->close(&f);
  }
  s->count = 0;
}

/* -- the workload -- */

struct run {
  struct disk_sim *sim;
  struct spoiler spoiler;
  struct disk *disk;
  struct rng rng;
  uint64_t seed;
  struct db *db, *reader;
  enum fate fate[TRANSACTIONS + 2]; /* of each transaction */
  bool has_table;
  uint64_t n; /* the operation at which it fails, for the message */
  const char *what;
  bool stop_when_full;
};

static const struct db_options options = { .page_size = 4096, .cache_kib = 64 };
static const struct db_options wider = { .page_size = 8192, .cache_kib = 64 };

static int64_t rows_of(int64_t t) { return t % 5 == 0 ? 40 : 1 + t % 3; }

static enum db_result one_row(struct run *r, int64_t t, int64_t i) {
  static uint8_t body[6000];
  memset(body, (int)t, sizeof body);
  struct db_stmt *s = db_prepare(r->db, "INSERT INTO t (t, i, v) VALUES (?, ?, ?)");
  db_bind_int(s, 1, t);
  db_bind_int(s, 2, i);
  db_bind_blob(s, 3, slice_of(body, (size_t)(300 + t * 1777 % 5000)));
  return db_run(s);
}

/* One transaction; every sixth is rolled back. */
static enum db_result transaction(struct run *r, int64_t t) {
  enum db_result e = db_begin(r->db);
  for (int64_t i = 0; e == DB_OK && i < rows_of(t); i++) e = one_row(r, t, i);
  r->fate[t] = ABSENT;
  if (e != DB_OK || t % 6 == 0) {
    db_rollback(r->db);
    return e;
  }
  e = db_commit(r->db);
  r->fate[t] = e == DB_OK ? PRESENT : e == DB_IOERR ? EITHER : ABSENT;
  if (e != DB_OK) db_rollback(r->db);
  return e;
}

static bool go_on(struct run *r, enum db_result e) {
  if (e != DB_OK && e != DB_FULL && e != DB_IOERR)
    fail_msg("%s at %llu: %s (%s)", r->what, (unsigned long long)r->n, db_result_text(e),
             r->db ? db_error(r->db) : "");
  return e == DB_OK || (e == DB_FULL && !r->stop_when_full);
}

static bool open_all(struct run *r) {
  enum db_result e = db_open(r->disk, "t.db", &options, &r->db);
  if (e == DB_OK && !r->has_table) {
    e = db_exec(r->db,
                "CREATE TABLE IF NOT EXISTS t (t INTEGER, i INTEGER, v BLOB, UNIQUE (t, i))");
    r->has_table = e == DB_OK;
  }
  if (e == DB_OK) e = db_open(r->disk, "t.db", &options, &r->reader);
  return r->db && go_on(r, e) && e == DB_OK;
}

static void close_all(struct run *r) {
  db_close(&r->reader);
  db_close(&r->db);
}

/* Commits, rollbacks, checkpoints of both kinds, one with a reader in the way, a close and an
 * opening. */
static void work(struct run *r) {
  if (!open_all(r)) return;
  for (int64_t t = 1; t <= TRANSACTIONS; t++) {
    if (!go_on(r, transaction(r, t))) return;
    if (t == 4 && !go_on(r, db_begin_read(r->reader))) return;
    if (t == 4 && !go_on(r, db_exec(r->reader, "SELECT count(*) FROM t"))) return;
    if (t == 7) db_rollback(r->reader);
    if (t % 4 == 1 && !go_on(r, db_checkpoint(r->db, false))) return;
    if (t == 11 && !go_on(r, db_checkpoint(r->reader, true))) return;
    if (t == 9) {
      close_all(r);
      if (!open_all(r)) return;
    }
  }
}

/* What is to come free, in front of most other pages. */
static enum db_result add_junk(struct run *r) {
  static uint8_t body[30000];
  enum db_result e = db_exec(r->db, "CREATE TABLE IF NOT EXISTS junk (v BLOB)");
  struct db_stmt *s = db_prepare(r->db, "INSERT INTO junk (v) VALUES (?)");
  db_bind_blob(s, 1, slice_of(body, sizeof body));
  return e == DB_OK ? db_run(s) : e;
}

/* Pages are given back in two steps, and the log's file. */
static enum db_result shrink(struct run *r) {
  enum db_result e = db_exec(r->db, "DROP TABLE IF EXISTS junk");
  if (e == DB_OK) e = db_shrink(r->db, 3);
  if (e == DB_OK) e = db_shrink(r->db, 100);
  if (e == DB_OK) e = db_checkpoint(r->db, false);
  if (e == DB_OK) e = db_cut_log(r->db);
  return e == DB_BUSY ? DB_OK : e;
}

/* Free pages given back, and a database rewritten in larger pages. */
static void give_back(struct run *r) {
  if (!open_all(r) || !go_on(r, add_junk(r))) return;
  for (int64_t t = 1; t <= 4; t++)
    if (!go_on(r, transaction(r, t))) return;
  if (!go_on(r, shrink(r)) || !go_on(r, transaction(r, 7))) return;
  close_all(r);
  if (!go_on(r, db_compact(r->disk, "t.db", "t.copy", &wider, NULL, NULL)) || !open_all(r)) return;
  if (!go_on(r, transaction(r, 8)) || !go_on(r, db_checkpoint(r->db, false))) return;
}

static void (*const workloads[])(struct run *r) = { work, give_back };

/* -- what must be there -- */

static int64_t count_of(struct run *r, int64_t t) {
  struct db_stmt *s =
      db_prepare(r->db, "SELECT count(*) FROM t WHERE t = ? AND substr(v, 1, 1) = ?");
  uint8_t octet = (uint8_t)t;
  db_bind_int(s, 1, t);
  db_bind_blob(s, 2, slice_of(&octet, 1));
  enum db_result e = db_step(s);
  if (e != DB_ROW) fail_msg("%s at %llu: %s", r->what, (unsigned long long)r->n, db_error(r->db));
  int64_t n = db_int(s, 0);
  db_reset(s);
  return n;
}

static void finding(void *arg, const char *text) {
  struct run *r = arg;
  fail_msg("%s at %llu, seed %llu: %s", r->what, (unsigned long long)r->n,
           (unsigned long long)r->seed, text);
}

static void check(struct run *r, const char *when) {
  for (int64_t t = 1; t <= TRANSACTIONS + 1; t++) {
    int64_t n = count_of(r, t), all = rows_of(t);
    bool good = r->fate[t] == ABSENT    ? n == 0
                : r->fate[t] == PRESENT ? n == all
                                        : n == 0 || n == all;
    if (!good)
      fail_msg("%s at %llu, seed %llu, %s: transaction %lld has %lld of %lld rows", r->what,
               (unsigned long long)r->n, (unsigned long long)r->seed, when, (long long)t,
               (long long)n, (long long)all);
    /* What was once seen after a restart stays. */
    if (r->fate[t] == EITHER) r->fate[t] = n ? PRESENT : ABSENT;
  }
  assert_int_equal(db_integrity(r->db, finding, r), DB_OK);
}

/* Opens what is left, looks, adds a transaction, and looks again after another power loss. */
static void reopen_and_check(struct run *r) {
  disk_sim_plan(r->sim, &(struct disk_plan){ 0 });
  disk_sim_space(r->sim, UINT64_MAX);
  if (!open_all(r))
    fail_msg("%s at %llu, seed %llu: can't be opened", r->what, (unsigned long long)r->n,
             (unsigned long long)r->seed);
  check(r, "reopened");
  assert_int_equal(transaction(r, TRANSACTIONS + 1), DB_OK);
  check(r, "written to");
}

/* No operation of ours from here on: not even the closing changes anything. */
static void die(struct run *r) {
  struct disk *d = disk_sim_disk(r->sim);
  disk_sim_plan(r->sim, &(struct disk_plan){ .die_at = 1 });
  d->ops->sync_dir(d, ".");
  assert_true(disk_sim_dead(r->sim));
  close_all(r);
  assert_int_equal(disk_sim_handles(r->sim), 0);
}

static void power_loss(struct run *r) {
  die(r);
  disk_sim_power_loss(r->sim);
}

static void process_death(struct run *r) {
  die(r);
  disk_sim_restart(r->sim);
}

/* -- the loops -- */

struct kind {
  const char *what;
  struct disk_plan plan; /* 1 where n goes */
  bool restart;          /* only the process dies */
  bool spoils, stop_when_full;
};

static struct disk_plan planned(const struct disk_plan *p, uint64_t n) {
  return (struct disk_plan){ p->die_at ? n : 0, p->fail_sync_at ? n : 0, p->fail_write_at ? n : 0,
                             p->full_at ? n : 0 };
}

static void run_new(struct run *r, const struct kind *k, uint64_t n, uint64_t seed) {
  *r = (struct run){ .sim = disk_sim_new(seed * 1000003 + n),
                     .rng = rng_from(seed ^ n << 20),
                     .n = n,
                     .what = k->what };
  r->seed = seed;
  r->stop_when_full = k->stop_when_full;
  r->disk = disk_sim_disk(r->sim);
  r->spoiler = (struct spoiler){ .disk = { &spoiler_ops }, .under = r->disk };
  if (k->spoils) r->disk = &r->spoiler.disk;
}

/* False: the workload is shorter than n. */
static bool fail_at(const struct kind *k, void (*workload)(struct run *r), uint64_t n,
                    uint64_t seed) {
  static struct run r;
  run_new(&r, k, n, seed);
  struct disk_plan plan = planned(&k->plan, n);
  disk_sim_plan(r.sim, &plan);
  workload(&r);
  bool reached = (k->plan.fail_sync_at ? disk_sim_syncs(r.sim) : disk_sim_ops(r.sim)) >= n;
  if (k->plan.full_at && !k->stop_when_full && r.db && r.has_table) {
    /* Space came back: all goes on without reopening. */
    disk_sim_plan(r.sim, &(struct disk_plan){ 0 });
    disk_sim_space(r.sim, UINT64_MAX);
    check(&r, "after a full disk");
    assert_int_equal(transaction(&r, TRANSACTIONS + 1), DB_OK);
    check(&r, "with space again");
    r.fate[TRANSACTIONS + 1] = PRESENT;
    power_loss(&r);
    disk_sim_plan(r.sim, &(struct disk_plan){ 0 });
    if (!open_all(&r)) fail();
    check(&r, "and a power loss");
  } else {
    bool only_failed = (k->plan.fail_sync_at || k->plan.fail_write_at) && !k->restart;
    if (only_failed)
      close_all(&r); /* the kernel goes on, with what it thinks is clean */
    else if (k->restart)
      process_death(&r);
    else
      power_loss(&r);
    if (k->spoils) spoil(&r.spoiler, &r.rng);
    reopen_and_check(&r);
    power_loss(&r);
    if (k->spoils) spoil(&r.spoiler, &r.rng);
    disk_sim_plan(r.sim, &(struct disk_plan){ 0 });
    if (!open_all(&r)) fail();
    check(&r, "after the next power loss");
  }
  close_all(&r);
  disk_sim_free(&r.sim);
  return reached;
}

static void everywhere(const struct kind *k) {
  uint64_t seeds = 1;
  struct sample some = sample_next();
  num_parse(slice_str(getenv("QASID_FAULT_SEEDS")), 100000, &seeds);
  for (uint64_t seed = 1; seed <= seeds; seed++)
    for (size_t w = 0; w < sizeof workloads / sizeof *workloads; w++) {
      uint64_t n = some.first;
      while (fail_at(k, workloads[w], n, seed)) n += some.step;
      assert_true(n > 20);
    }
}

static void power(void **state) {
  everywhere(&(struct kind){ .what = "power loss", .plan = { .die_at = 1 } });
}
static void process(void **state) {
  everywhere(&(struct kind){ .what = "death", .plan = { .die_at = 1 }, .restart = true });
}
static void spoilt(void **state) {
  everywhere(&(struct kind){ .what = "spoilt sectors", .plan = { .die_at = 1 }, .spoils = true });
}
static void sync_fails(void **state) {
  everywhere(&(struct kind){ .what = "failed sync", .plan = { .fail_sync_at = 1 } });
}
static void write_fails(void **state) {
  everywhere(&(struct kind){ .what = "failed write", .plan = { .fail_write_at = 1 } });
}
static void full(void **state) {
  everywhere(&(struct kind){ .what = "full disk", .plan = { .full_at = 1 } });
}
static void full_then_death(void **state) {
  everywhere(&(struct kind){ .what = "full disk, then death",
                             .plan = { .full_at = 1 },
                             .restart = true,
                             .stop_when_full = true });
}
static void full_then_power(void **state) {
  everywhere(&(struct kind){
      .what = "full disk, then power loss", .plan = { .full_at = 1 }, .stop_when_full = true });
}

/* The disk has room for some of a commit, perhaps for all of it but the last page's repetition. It
 * is refused, and stays so: seen at once, after a checkpoint with space again, after the process's
 * death. */
static void full_inside_a_commit(void **state) {
  static const struct kind k = { .what = "full inside a commit" };
  static struct run r;
  unsigned refused = 0;
  for (uint64_t room = 0; room < 40000; room += 100) {
    run_new(&r, &k, room, 1);
    assert_true(open_all(&r));
    for (int64_t t = 1; t <= 3; t++) assert_int_equal(transaction(&r, t), DB_OK);
    disk_sim_space(r.sim, disk_sim_used(r.sim) + room);
    refused += transaction(&r, 4) == DB_FULL;
    check(&r, "refused");
    disk_sim_space(r.sim, UINT64_MAX);
    if (room % 200) assert_int_equal(db_checkpoint(r.reader, false), DB_OK);
    process_death(&r);
    reopen_and_check(&r);
    close_all(&r);
    disk_sim_free(&r.sim);
  }
  assert_true(refused > 50 && refused < 400);
}

/* When the log can't be synced, no connection of the database touches its files any more, not even
 * one that only reads and whose idea of the schema is old, until all are closed. */
static void one_for_all(void **state) {
  static const struct kind k = { .what = "one for all" };
  static struct run r;
  run_new(&r, &k, 1, 1);
  struct db *old = NULL;
  assert_int_equal(db_open(r.disk, "t.db", &options, &old), DB_OK);
  assert_true(open_all(&r));
  disk_sim_plan(r.sim, &(struct disk_plan){ .fail_sync_at = 1 });
  assert_int_equal(transaction(&r, 1), DB_IOERR);
  assert_int_equal(db_begin(r.db), DB_IOERR);
  assert_int_equal(db_exec(r.reader, "DELETE FROM t"), DB_IOERR);
  assert_int_equal(db_exec(old, "SELECT * FROM t"), DB_IOERR);
  struct db *late = NULL;
  assert_int_equal(db_open(r.disk, "t.db", &options, &late), DB_IOERR);
  db_close(&old);
  close_all(&r);
  assert_true(open_all(&r));
  check(&r, "reopened");
  close_all(&r);
  disk_sim_free(&r.sim);
}

/* -- memory -- */

/* SQLite's allocator, which fails at its nth allocation, and then works again. */
static sqlite3_mem_methods memory;
static uint64_t allocations, fail_allocation;

static void *fails_once(int n) {
  return ++allocations == fail_allocation ? NULL : memory.xMalloc(n);
}
static void *refails_once(void *p, int n) {
  return ++allocations == fail_allocation ? NULL : memory.xRealloc(p, n);
}

static void use_failing_memory(void) {
  sqlite3_config(SQLITE_CONFIG_GETMALLOC, &memory);
  sqlite3_mem_methods failing = memory;
  failing.xMalloc = fails_once;
  failing.xRealloc = refails_once;
  sqlite3_config(SQLITE_CONFIG_MALLOC, &failing);
}

static enum db_result make(struct run *r) {
  enum db_result e = r->db ? DB_OK : db_open(r->disk, "t.db", &options, &r->db);
  return e == DB_OK
             ? db_exec(r->db,
                       "CREATE TABLE IF NOT EXISTS t (t INTEGER, i INTEGER, v BLOB, UNIQUE (t, i))")
             : e;
}

/* DB_NOMEM, or success in spite of it; and then all goes on. */
static void out_of_memory(void **state) {
  static const struct kind k = { .what = "out of memory" };
  static struct run r;
  bool reached = true;
  for (uint64_t n = 1; reached; n += 1 + n / 40) {
    run_new(&r, &k, n, 1);
    allocations = 0;
    fail_allocation = n;
    enum db_result e = make(&r);
    if (e == DB_NOMEM) e = make(&r);
    for (int64_t t = 1; t <= 7 && e == DB_OK; t++) {
      e = transaction(&r, t);
      if (e == DB_OK && t == 3) e = db_checkpoint(r.db, false);
      if (e == DB_NOMEM) e = DB_OK;
    }
    if (e != DB_OK)
      fail_msg("allocation %llu: %s: %s", (unsigned long long)n, db_result_text(e), db_error(r.db));
    reached = allocations >= n;
    fail_allocation = 0;
    process_death(&r);
    reopen_and_check(&r);
    close_all(&r);
    disk_sim_free(&r.sim);
  }
}

int main(void) {
  use_failing_memory();
  const struct CMUnitTest tests[] = {
    cmocka_unit_test(power),
    cmocka_unit_test(process),
    cmocka_unit_test(spoilt),
    cmocka_unit_test(sync_fails),
    cmocka_unit_test(write_fails),
    cmocka_unit_test(full),
    cmocka_unit_test(full_then_death),
    cmocka_unit_test(full_then_power),
    cmocka_unit_test(full_inside_a_commit),
    cmocka_unit_test(one_for_all),
    cmocka_unit_test(out_of_memory),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
