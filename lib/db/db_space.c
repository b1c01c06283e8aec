/* SPDX-License-Identifier: ISC */
/* The space that a database takes, and returning it.
 *
 * db_shrink() and db_cut_log() are small steps beside other work. db_compact() has the database to
 * itself:
 *
 *   old file, log --log checkpointed and removed--> old file alone, folder synced
 *     --copy, sync--> old file, copy --rename, folder synced--> new file
 *
 *  1. There is neither log nor journal, durably, before the copy gets the old file's name: nothing
 *     that belongs to the old database is ever applied to the new one. (SQLite writes a copy with
 *     another page size only of a database without a log.)
 *  2. The old file stays open, and with it locked, until its name belongs to the new one. After
 *     that, the connection does nothing any more (VFS_CONTROL_RETIRE): the names of log and journal
 *     belong to the new database too. */
#include <errno.h>
#include <stdio.h>

#include "lib/db/db_inside.h"
#include "lib/db/vfs.h"

static enum db_result number(struct db *db, const char *literal, uint64_t *ret) {
  struct db_stmt *s = db_prepare(db, literal);
  enum db_result r = db_step(s);
  *ret = r == DB_ROW ? (uint64_t)db_int(s, 0) : 0;
  db_reset(s);
  return r == DB_ROW ? DB_OK : r;
}

static uint64_t log_octets(struct db *db) {
  sqlite3_file *log = NULL;
  sqlite3_int64 size = 0;
  sqlite3_file_control(db->h, "main", SQLITE_FCNTL_JOURNAL_POINTER, &log);
  if (log && log->pMethods && log->pMethods->xFileSize(log, &size) != SQLITE_OK) size = 0;
  return (uint64_t)size;
}

enum db_result db_space(struct db *db, struct db_space *ret) {
  uint64_t mode = 0;
  enum db_result r = number(db, "PRAGMA page_size", &ret->page);
  if (r == DB_OK) r = number(db, "PRAGMA page_count", &ret->pages);
  if (r == DB_OK) r = number(db, "PRAGMA freelist_count", &ret->free);
  if (r == DB_OK) r = number(db, "PRAGMA auto_vacuum", &mode);
  ret->shrinks = mode != 0;
  ret->log = log_octets(db);
  return r;
}

/* Each row returned means one page less. */
static enum db_result cut_pages(struct db *db, unsigned pages) {
  struct db_stmt *s = db_prepare(db, "PRAGMA incremental_vacuum");
  enum db_result r = DB_ROW;
  while (pages-- && r == DB_ROW) r = db_step(s);
  db_reset(s);
  return r == DB_ROW ? DB_OK : r;
}

enum db_result db_shrink(struct db *db, unsigned pages) {
  enum db_result r = db_begin(db);
  if (r != DB_OK) return r;
  r = cut_pages(db, pages);
  if (r == DB_OK) r = db_commit(db);
  if (r != DB_OK) db_rollback(db);
  return r;
}

enum db_result db_cut_log(struct db *db) {
  sqlite3_busy_timeout(db->h, 0);
  enum db_result r = db_checkpoint(db, true);
  sqlite3_busy_timeout(db->h, DB_BUSY_MS);
  return r;
}

/* --- compacting --- */

struct compacting {
  struct disk *disk;
  const char *name, *copy;
  const struct db_watch *watch;
  struct db *db;
  struct buf *err;
};

static enum db_result explain(struct compacting *c, const char *what, enum db_result r) {
  const char *words = c->db ? db_error(c->db) : "";
  if (c->err) buf_printf(c->err, "%s: %s", what, *words ? words : db_result_text(r));
  return r;
}

static enum db_result disk_result(int e) {
  return e == 0 ? DB_OK : e == -ENOSPC ? DB_FULL : DB_IOERR;
}

static enum db_result sync_file(struct disk *d, const char *name) {
  struct disk_file *f = NULL;
  int e = d->ops->open(d, name, DISK_WRITE, &f);
  if (!e) e = d->ops->sync(f);
  if (f) d->ops->close(&f);
  return e ? DB_IOERR : DB_OK;
}

static enum db_result remove_copy(struct compacting *c) {
  int e = c->disk->ops->remove(c->disk, c->copy);
  return e == -ENOENT ? DB_OK : disk_result(e);
}

static enum db_result sync_folder(struct compacting *c) {
  return c->disk->ops->sync_dir(c->disk, ".") ? DB_IOERR : DB_OK;
}

static enum db_result leave_log(struct compacting *c) {
  struct db_stmt *s = db_prepare(c->db, "PRAGMA journal_mode=DELETE");
  enum db_result r = db_step(s);
  bool left = r == DB_ROW && slice_eq(db_bytes(s, 0), SLICE("delete"));
  db_reset(s);
  if (r != DB_ROW) return r;
  return left ? sync_folder(c) : DB_BUSY;
}

/* Called from within the copying statement, each time it has made so many steps; a row takes about
 * five. */
enum { STEPS_A_REPORT = 100 };

static int on_steps(void *arg) {
  const struct db_watch *w = arg;
  w->advances(w->arg);
  return 0;
}

static void set_progress_handler(struct compacting *c, bool on) {
  if (!c->watch || !c->watch->advances) return;
  sqlite3_progress_handler(c->db->h, on ? STEPS_A_REPORT : 0, on ? on_steps : NULL,
                           (void *)(uintptr_t)c->watch);
}

static enum db_result write_copy(struct compacting *c, unsigned page) {
  char sql[VFS_NAME_MAX + 100];
  snprintf(sql, sizeof sql, "PRAGMA auto_vacuum=INCREMENTAL; PRAGMA page_size=%u; VACUUM INTO '%s'",
           page ? page : DB_PAGE, c->copy);
  set_progress_handler(c, true);
  enum db_result r = db_exec(c->db, sql);
  set_progress_handler(c, false);
  return r == DB_OK ? sync_file(c->disk, c->copy) : r;
}

static enum db_result put_in_place(struct compacting *c) {
  enum db_result r = disk_result(c->disk->ops->rename(c->disk, c->copy, c->name));
  if (r != DB_OK) return r;
  sqlite3_file_control(c->db->h, "main", VFS_CONTROL_RETIRE, NULL);
  return sync_folder(c);
}

static enum db_result rewrite(struct compacting *c, unsigned page) {
  enum db_result r = leave_log(c);
  if (r != DB_OK) return explain(c, "the log can't be moved home", r);
  r = write_copy(c, page);
  if (r != DB_OK) return explain(c, "the copy can't be written", r);
  r = put_in_place(c);
  return r == DB_OK ? DB_OK : explain(c, "the copy can't be put in the old file's place", r);
}

enum db_result db_compact(struct disk *disk, const char *name, const char *copy,
                          const struct db_options *options, const struct db_watch *watch,
                          struct buf *err) {
  struct compacting c = { .disk = disk, .name = name, .copy = copy, .watch = watch, .err = err };
  enum db_result r = remove_copy(&c);
  if (r != DB_OK) return explain(&c, "an old copy can't be removed", r);
  r = db_open(disk, name, options, &c.db);
  if (r != DB_OK) return explain(&c, "the database can't be opened", r);
  r = rewrite(&c, options->page_size);
  db_close(&c.db);
  if (r != DB_OK) remove_copy(&c);
  return r;
}
