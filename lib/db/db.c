/* SPDX-License-Identifier: ISC */
/* A connection: opening, errors, transactions, the log, and queries about the database as a whole.
 *
 * States of a connection: idle; in a transaction; in a transaction that has failed (`sticky` is
 * set, every call returns it, db_rollback leads back to idle); dead (after DB_IOERR, for good).
 * SQLite ends a transaction by itself after some errors; this is hidden from the caller: the state
 * stays "failed" until db_rollback. */
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#include "lib/db/db_inside.h"
#include "lib/db/vfs.h"

/* -- once a process -- */

/* No connection is used by two threads at once, so SQLite needs mutexes only for what connections
 * share. Counting memory would take a lock at each allocation. A refusal means that SQLite was
 * started before; then it works with its defaults, only slower. */
static void configure(void) {
  sqlite3_config(SQLITE_CONFIG_MULTITHREAD);
  sqlite3_config(SQLITE_CONFIG_MEMSTATUS, 0);
  sqlite3_config(SQLITE_CONFIG_URI, 0);
  sqlite3_config(SQLITE_CONFIG_STMTJRNL_SPILL, -1); /* statement journals stay in memory */
  sqlite3_config(SQLITE_CONFIG_MMAP_SIZE, (sqlite3_int64)0, (sqlite3_int64)0);
  /* pages and small blocks one by one, as needed: preallocated, each connection would keep 130 KB
   * that it rarely uses */
  sqlite3_config(SQLITE_CONFIG_PAGECACHE, NULL, 0, 0);
  sqlite3_config(SQLITE_CONFIG_LOOKASIDE, 0, 0);
  sqlite3_initialize();
}

static pthread_once_t once = PTHREAD_ONCE_INIT;

/* -- results -- */

const char *db_result_text(enum db_result r) {
  static const char *const text[] = {
    [DB_OK] = "done",
    [DB_ROW] = "a row is there",
    [DB_FULL] = "the disk is full",
    [DB_IOERR] = "the disk failed",
    [DB_CORRUPT] = "the database is damaged",
    [DB_CONSTRAINT] = "a constraint of the schema is violated",
    [DB_NOMEM] = "out of memory",
    [DB_BUSY] = "the database is in use by another program",
    [DB_CANTOPEN] = "the database file is missing or may not be opened",
    [DB_ERROR] = "a mistake in the use of the database",
  };
  return text[r];
}

enum db_result db_translate(int rc) {
  if (rc == SQLITE_IOERR_NOMEM) return DB_NOMEM;
  if (rc == SQLITE_IOERR_CORRUPTFS) return DB_CORRUPT;
  switch (rc & 0xff) {
  case SQLITE_OK:
  case SQLITE_DONE: return DB_OK;
  case SQLITE_ROW: return DB_ROW;
  case SQLITE_FULL: return DB_FULL;
  case SQLITE_IOERR: return DB_IOERR;
  case SQLITE_CORRUPT:
  case SQLITE_NOTADB: return DB_CORRUPT;
  case SQLITE_CONSTRAINT: return DB_CONSTRAINT;
  case SQLITE_NOMEM: return DB_NOMEM;
  case SQLITE_BUSY:
  case SQLITE_LOCKED:
  case SQLITE_PROTOCOL: return DB_BUSY;
  case SQLITE_CANTOPEN: return DB_CANTOPEN;
  default: return DB_ERROR;
  }
}

void db_words(sqlite3 *h, int rc, char *to, size_t n) {
  int e = h ? sqlite3_system_errno(h) : 0;
  const char *said =
      h && sqlite3_extended_errcode(h) == rc ? sqlite3_errmsg(h) : sqlite3_errstr(rc);
  char why[80] = "";
  bool outside = (rc & 0xff) == SQLITE_IOERR || (rc & 0xff) == SQLITE_CANTOPEN;
  if (outside && e > 0)
    snprintf(why, sizeof why, ": %s", strerrordesc_np(e) ? strerrordesc_np(e) : "?");
  snprintf(to, n, "%s (%d)%s", said, rc, why);
}

/* After a disk failure SQLite meets refusals in places where it takes them for something else, such
 * as a missing table. */
static int true_cause(struct db *db, int rc) {
  enum db_result r = db_translate(rc);
  if (r == DB_OK || r == DB_ROW || r == DB_IOERR) return rc;
  return sqlite3_file_control(db->h, "main", VFS_CONTROL_USABLE, NULL) == SQLITE_IOERR
             ? SQLITE_IOERR
             : rc;
}

enum db_result db_note(struct db *db, int rc) {
  rc = true_cause(db, rc);
  enum db_result r = db_translate(rc);
  if (r == DB_OK || r == DB_ROW) return r;
  db_words(db->h, rc, db->words, sizeof db->words);
  if (r == DB_IOERR) db->dead = true;
  if (db->in_transaction) db->sticky = r;
  return r;
}

enum db_result db_mistake(struct db *db, const char *words) {
  snprintf(db->words, sizeof db->words, "%s", words);
  if (db->in_transaction) db->sticky = DB_ERROR;
  return DB_ERROR;
}

enum db_result db_stuck(const struct db *db) { return db->dead ? DB_IOERR : db->sticky; }

const char *db_error(struct db *db) { return db->words; }

/* -- open and close -- */

int db_sqlite_open(struct disk *disk, const char *name, int flags, sqlite3 **ret) {
  pthread_once(&once, configure);
  const char *vfs = vfs_acquire(disk);
  if (!vfs) return SQLITE_NOMEM;
  flags |= SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_PRIVATECACHE | SQLITE_OPEN_EXRESCODE;
  sqlite3 *h = NULL;
  int rc = sqlite3_open_v2(name, &h, flags, vfs);
  if (rc != SQLITE_OK) {
    db_sqlite_close(disk, &h);
    return rc;
  }
  sqlite3_busy_timeout(h, DB_BUSY_MS);
  *ret = h;
  return SQLITE_OK;
}

void db_sqlite_close(struct disk *disk, sqlite3 **h) {
  sqlite3_close(*h);
  *h = NULL;
  vfs_release(disk);
}

static int after_commit(void *arg, sqlite3 *h, const char *which, int pages) {
  struct db *db = arg;
  db->wal_pages = (unsigned)pages;
  return SQLITE_OK;
}

/* The schema comes from a file that may have been tampered with: its functions are not trusted, and
 * no statement of ours may modify the file's internal structure. */
static void harden(sqlite3 *h) {
  static const int off[] = { SQLITE_DBCONFIG_TRUSTED_SCHEMA, SQLITE_DBCONFIG_DQS_DML,
                             SQLITE_DBCONFIG_DQS_DDL };
  for (size_t i = 0; i < sizeof off / sizeof *off; i++)
    sqlite3_db_config(h, off[i], 0, (int *)NULL);
  sqlite3_db_config(h, SQLITE_DBCONFIG_DEFENSIVE, 1, (int *)NULL);
}

/* The pragma returns the mode in force; on failure that is the old one. */
static enum db_result use_wal(struct db *db) {
  struct db_stmt *s = db_prepare(db, "PRAGMA journal_mode=WAL");
  enum db_result r = db_step(s);
  bool wal = r == DB_ROW && slice_eq(db_bytes(s, 0), SLICE("wal"));
  db_reset(s);
  if (r == DB_ROW && !wal)
    return db_mistake(db, "the database can't be switched to a write-ahead log");
  return r == DB_ROW ? DB_OK : r;
}

/* The map of pages can be enabled only before the database is created. */
static enum db_result keep_map(struct db *db) {
  struct db_stmt *s = db_prepare(db, "PRAGMA page_count");
  enum db_result r = db_step(s);
  bool new = r == DB_ROW &&db_int(s, 0) == 0;
  db_reset(s);
  if (new) return db_exec(db, "PRAGMA auto_vacuum=INCREMENTAL");
  return r == DB_ROW ? DB_OK : r;
}

/* More than the size at which a loaded server checkpoints, so that only the excess of a burst is
 * returned, with the first commit of the log's next round, and the file need not grow again in
 * every round. */
enum { LOG_KEPT = 48 * 1024 * 1024 };

/* secure_delete=FAST: a deleted message's octets are overwritten where that needs no extra page
 * write. */
static enum db_result set_up(struct db *db, const struct db_options *o) {
  char sql[400];
  harden(db->h);
  snprintf(sql, sizeof sql,
           "PRAGMA temp_store=MEMORY; PRAGMA page_size=%u; PRAGMA cache_size=-%u; PRAGMA "
           "synchronous=FULL;"
           "PRAGMA foreign_keys=ON; PRAGMA cell_size_check=ON; PRAGMA mmap_size=0; PRAGMA "
           "secure_delete=FAST;"
           "PRAGMA journal_size_limit=%u;",
           o->page_size ? o->page_size : DB_PAGE, o->cache_kib ? o->cache_kib : 2048,
           o->log_kept ? o->log_kept : LOG_KEPT);
  enum db_result r = db_exec(db, sql);
  if (r == DB_OK && !o->read_only) r = keep_map(db);
  if (r == DB_OK && !o->read_only) r = use_wal(db);
  sqlite3_wal_hook(db->h, after_commit, db); /* also ends SQLite's own checkpoints */
  /* The first access to the file: detects what is not a database, and recovers the log. */
  if (r == DB_OK) r = db_exec(db, "SELECT count(*) FROM sqlite_schema");
  return r;
}

enum db_result db_open(struct disk *disk, const char *name, const struct db_options *options,
                       struct db **ret) {
  struct db *db = calloc(1, sizeof *db);
  if (!db) return DB_NOMEM;
  db->disk = disk;
  int flags =
      options->read_only ? SQLITE_OPEN_READONLY : SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE;
  enum db_result r = db_translate(db_sqlite_open(disk, name, flags, &db->h));
  if (r != DB_OK) {
    free(db);
    return r;
  }
  r = set_up(db, options);
  if (r == DB_OK)
    *ret = db;
  else
    db_close(&db);
  return r;
}

void db_close(struct db **db) {
  if (!*db) return;
  db_stmts_free(*db);
  db_sqlite_close((*db)->disk, &(*db)->h);
  free(*db);
  *db = NULL;
}

/* -- statements without rows -- */

enum db_result db_exec(struct db *db, const char *sql) {
  enum db_result r = db_stuck(db);
  return r == DB_OK ? db_note(db, sqlite3_exec(db->h, sql, NULL, NULL, NULL)) : r;
}

int64_t db_changes(struct db *db) { return sqlite3_changes64(db->h); }

/* -- transactions -- */

/* Without memory even this may fail: then the next begin tries again. */
static enum db_result end(struct db *db) {
  if (db->dead || sqlite3_get_autocommit(db->h)) return DB_OK;
  return db_run(db_prepare(db, "ROLLBACK"));
}

static enum db_result begin(struct db *db, const char *literal) {
  enum db_result r = db_stuck(db);
  if (r != DB_OK) return r;
  if (db->in_transaction) return db_mistake(db, "a transaction in a transaction");
  r = end(db);
  if (r != DB_OK) return r;
  r = db_run(db_prepare(db, literal));
  db->in_transaction = r == DB_OK;
  return r;
}

enum db_result db_begin(struct db *db) { return begin(db, "BEGIN IMMEDIATE"); }

enum db_result db_begin_read(struct db *db) { return begin(db, "BEGIN"); }

enum db_result db_commit(struct db *db) {
  enum db_result r = db_stuck(db);
  if (r != DB_OK) return r;
  if (!db->in_transaction) return db_mistake(db, "a commit without a transaction");
  db_stmts_reset(db);
  r = db_run(db_prepare(db, "COMMIT"));
  db->in_transaction = r != DB_OK;
  return r;
}

void db_rollback(struct db *db) {
  db_stmts_reset(db);
  db->in_transaction = false;
  db->sticky = DB_OK;
  if (end(db) != DB_OK) end(db);
}

enum db_result db_savepoint(struct db *db) { return db_run(db_prepare(db, "SAVEPOINT point")); }

enum db_result db_release(struct db *db) { return db_run(db_prepare(db, "RELEASE point")); }

/* SQLite has rolled back the whole transaction by itself when it is in autocommit mode again. */
enum db_result db_rollback_to(struct db *db) {
  if (db->dead || (db->sticky != DB_OK && sqlite3_get_autocommit(db->h))) return db_stuck(db);
  db_stmts_reset(db);
  db->sticky = DB_OK;
  enum db_result r = db_run(db_prepare(db, "ROLLBACK TO point"));
  return r == DB_OK ? db_release(db) : r;
}

/* -- the log -- */

enum db_result db_checkpoint(struct db *db, bool all) {
  enum db_result r = db_stuck(db);
  if (r != DB_OK) return r;
  if (db->in_transaction) return db_mistake(db, "a checkpoint in a transaction");
  int pages = 0, moved = 0;
  int how = all ? SQLITE_CHECKPOINT_TRUNCATE : SQLITE_CHECKPOINT_PASSIVE;
  r = db_note(db, sqlite3_wal_checkpoint_v2(db->h, "main", how, &pages, &moved));
  if (r == DB_OK) db->wal_pages = pages > moved ? (unsigned)(pages - moved) : 0;
  return r;
}

unsigned db_wal_pages(struct db *db) { return db->wal_pages; }

/* -- the database as a whole -- */

int64_t db_version(struct db *db) {
  struct db_stmt *s = db_prepare(db, "PRAGMA user_version");
  int64_t version = db_step(s) == DB_ROW ? db_int(s, 0) : -1;
  db_reset(s);
  return version;
}

enum db_result db_set_version(struct db *db, int64_t version) {
  char sql[64];
  if (version < 0 || version > INT32_MAX) return db_mistake(db, "a schema version out of range");
  snprintf(sql, sizeof sql, "PRAGMA user_version=%lld", (long long)version);
  return db_exec(db, sql);
}

enum db_result db_integrity(struct db *db, void (*fn)(void *arg, const char *finding), void *arg) {
  struct db_stmt *s = db_prepare(db, "PRAGMA integrity_check");
  enum db_result r;
  while ((r = db_step(s)) == DB_ROW) {
    const char *finding = (const char *)sqlite3_column_text(s->h, 0);
    if (finding && strcmp(finding, "ok") != 0) fn(arg, finding);
  }
  return r;
}

static int read_blob(struct db *db, sqlite3_blob *blob, void *to, size_t n, uint64_t at) {
  uint64_t size = (uint64_t)sqlite3_blob_bytes(blob);
  if (at > size || n > size - at) return SQLITE_ERROR;
  return sqlite3_blob_read(blob, to, (int)n, (int)at);
}

enum db_result db_blob_read(struct db *db, const char *table, const char *column, int64_t rowid,
                            void *to, size_t n, uint64_t at) {
  enum db_result r = db_stuck(db);
  if (r != DB_OK) return r;
  sqlite3_blob *blob = NULL;
  r = db_note(db, sqlite3_blob_open(db->h, "main", table, column, rowid, 0, &blob));
  if (r == DB_OK) r = db_note(db, read_blob(db, blob, to, n, at));
  sqlite3_blob_close(blob);
  return r;
}
