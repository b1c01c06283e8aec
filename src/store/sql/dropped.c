/* SPDX-License-Identifier: ISC */
/* The table of recipients that have a message of the drop folder: dropped.h. */
#include "src/store/sql/dropped.h"

/* --- at the start --- */

enum db_result dropped_read(struct db *db, void (*fn)(void *arg, struct slice name, uint64_t who),
                            void *arg) {
  struct db_stmt *q = db_prepare(db, "SELECT name, who FROM dropped ORDER BY n");
  enum db_result r;
  while ((r = db_step(q)) == DB_ROW) fn(arg, db_bytes(q, 0), (uint64_t)db_int(q, 1));
  db_reset(q);
  return r;
}

/* --- in the transaction --- */

static enum db_result is_there(struct store_engine *e, struct slice name, uint64_t who, bool *ret) {
  struct db_stmt *q = db_prepare(e->db, "SELECT 1 FROM dropped WHERE name = ? AND who = ?");
  db_bind_blob(q, 1, name);
  db_bind_int(q, 2, (int64_t)who);
  enum db_result r = db_step(q);
  *ret = r == DB_ROW;
  db_reset(q);
  return r == DB_ROW ? DB_OK : r;
}

static enum db_result insert(struct store_engine *e, struct slice name, uint64_t who) {
  struct db_stmt *q = db_prepare(e->db, "INSERT INTO dropped (name, who) VALUES (?, ?)");
  db_bind_blob(q, 1, name);
  db_bind_int(q, 2, (int64_t)who);
  return db_run(q);
}

static enum db_result forget_oldest(struct store_engine *e) {
  struct db_stmt *q =
      db_prepare(e->db, "DELETE FROM dropped WHERE n <= (SELECT max(n) FROM dropped) - ?");
  db_bind_int(q, 1, DROPPED_MAX);
  return db_run(q);
}

enum db_result dropped_write(struct store_engine *e, struct deliver_job *d) {
  size_t all = d->who_count;
  enum db_result r = DB_OK;
  bool there = false;
  for (size_t i = 0; r == DB_OK && !there && i < all; i++)
    r = is_there(e, d->print, d->who[i], &there);
  if (there) d->job.result = JOB_TROUBLE;
  for (size_t i = 0; r == DB_OK && !there && i < all; i++) {
    bool twice; /* two addresses of the envelope may lead to the same one */
    r = is_there(e, d->print, d->who[i], &twice);
    if (r == DB_OK && !twice) r = insert(e, d->print, d->who[i]);
  }
  return r == DB_OK && !there ? forget_oldest(e) : r;
}
