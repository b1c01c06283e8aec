/* SPDX-License-Identifier: ISC */
/* Delivers one message into folders: the octets are stored once, with an entry for each folder. */
#include <stdlib.h>

#include "lib/base/crc32c.h"
#include "mail/surrogate.h"
#include "src/store/jobs/uidl.h"
#include "src/store/sql/send_limits.h"
#include "src/store/sql/dropped.h"
#include "src/store/sql/queue.h"
#include "src/store/sql/report.h"
#include "src/store/sql/work.h"

/* Every folder must exist and have a uid left before anything is written. */
static enum db_result look_at_folders(struct store_engine *e, struct deliver_job *d) {
  for (size_t i = 0; i < d->count; i++) {
    struct folder *f;
    enum db_result r = engine_folder(e, d->places[i].folder, &f);
    if (r != DB_OK) return r;
    if (!f || f->uidnext >= UINT32_MAX) d->job.result = JOB_MISSING;
  }
  return DB_OK;
}

/* --- imported UIDLs --- */

static enum db_result is_there(struct db_stmt *s, const struct deliver_job *d, bool *ret) {
  db_bind_int(s, 1, (int64_t)d->places[0].folder);
  db_bind_text(s, 2, d->uidl);
  enum db_result r = db_step(s);
  *ret = r == DB_ROW;
  db_reset(s);
  return r == DB_ROW ? DB_OK : r;
}

/* A UIDL of our own form, from this very maildrop, that is imported again: it contains the uid, or
 * the first one of a message that was deleted and restored. */
static enum db_result look_at_own_uidl(struct store_engine *e, struct deliver_job *d,
                                       bool *ret_own) {
  struct folder *f;
  uint32_t uid;
  enum db_result r = engine_folder(e, d->places[0].folder, &f);
  *ret_own = r == DB_OK && f && uidl_is_own(d->uidl, f->uidvalidity, &uid);
  if (!*ret_own) return r;
  d->uidl_found = UIDL_GONE;
  /* otherwise it would be given to another message later */
  if (uid >= f->uidnext) d->job.result = JOB_MISSING;
  struct db_stmt *s =
      db_prepare(e->db, "SELECT 1 FROM entry WHERE folder = ?1 AND uid = ?2 AND uidl IS NULL"
                        " AND shown IS NULL UNION ALL"
                        " SELECT 1 FROM entry WHERE folder = ?1 AND shown = ?3");
  db_bind_int(s, 1, (int64_t)f->id);
  db_bind_int(s, 2, uid);
  db_bind_text(s, 3, d->uidl);
  r = db_step(s);
  if (r == DB_ROW) d->uidl_found = UIDL_THERE;
  db_reset(s);
  return r == DB_ROW ? DB_OK : r;
}

static enum db_result look_at_uidl(struct store_engine *e, struct deliver_job *d) {
  bool found;
  enum db_result r = look_at_own_uidl(e, d, &found);
  if (r != DB_OK || found) return r;
  r = is_there(db_prepare(e->db, "SELECT 1 FROM entry WHERE folder = ? AND uidl = ?"), d, &found);
  if (found) d->uidl_found = UIDL_THERE;
  if (r != DB_OK || found) return r;
  r = is_there(db_prepare(e->db, "SELECT 1 FROM gone WHERE folder = ? AND uidl = ?"), d, &found);
  if (found) d->uidl_found = UIDL_GONE;
  return r;
}

/* --- the body --- */

static enum db_result put_file(struct store_engine *e, struct deliver_job *d) {
  int r = d->spool.made ? body_take_spool(e->disk, &d->spool, d->body, d->tail)
                        : body_write(e->disk, d->body, d->tail);
  d->in_file = r == 0;
  e->files_moved |= d->in_file;
  return db_result_of(r);
}

/* The checksum of the stored message, in the database or in a file. */
static uint32_t sum_of(const struct deliver_job *d) {
  uint32_t sum = crc32c_join(crc32c(0, d->head), d->spool.sum, d->spool.size);
  return crc32c(sum, d->tail);
}

static enum db_result put_body(struct store_engine *e, struct deliver_job *d) {
  d->body = e->next_body++;
  if (d->spool.made || d->size > e->body_threshold) {
    enum db_result r = put_file(e, d);
    if (r != DB_OK) return r;
  }
  struct db_stmt *s = db_prepare(e->db, "INSERT INTO body (id, refs, size, dots, start, name, "
                                        "data, sum, head) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)");
  db_bind_int(s, 1, (int64_t)d->body);
  db_bind_int(s, 2, (int64_t)d->count + (d->elsewhere_count > 0));
  db_bind_int(s, 3, (int64_t)d->size);
  db_bind_int(s, 4, 0);
  if (d->in_file)
    db_bind_int(s, 5, 0);
  else
    db_bind_null(s, 5);
  db_bind_text(s, 6, d->name);
  if (d->in_file)
    db_bind_null(s, 7);
  else
    db_bind_blob(s, 7, d->tail);
  db_bind_int(s, 8, sum_of(d));
  if (d->head.n)
    db_bind_blob(s, 9, d->head);
  else
    db_bind_null(s, 9);
  return db_run(s);
}

static enum db_result put_entry(struct store_engine *e, struct deliver_job *d,
                                struct deliver_place *place) {
  struct folder *f;
  enum db_result r = engine_folder(e, place->folder, &f);
  if (r != DB_OK) return r;
  engine_touch(e, f);
  struct db_stmt *s = db_prepare(
      e->db,
      "INSERT INTO entry (folder, uid, body, size, flags, date, modseq, uidl, surrogate, came)"
      " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)");
  place->uid = (uint32_t)f->uidnext;
  db_bind_int(s, 1, (int64_t)f->id);
  db_bind_int(s, 2, place->uid);
  db_bind_int(s, 3, (int64_t)d->body);
  db_bind_int(s, 4, (int64_t)d->size);
  db_bind_int(s, 5, d->flags);
  db_bind_int(s, 6, d->date ? d->date : d->job.now_s);
  db_bind_int(s, 7, (int64_t)f->modseq);
  if (d->uidl.p)
    db_bind_text(s, 8, d->uidl);
  else
    db_bind_null(s, 8);
  uint64_t known = surrogate_known(d->surrogate, e->surrogates);
  if (known)
    db_bind_int(s, 9, (int64_t)known);
  else
    db_bind_null(s, 9);
  e->unmeasured |= !known;
  if (d->date)
    db_bind_int(s, 10, d->job.now_s);
  else
    db_bind_null(s, 10);
  r = db_run(s);
  f->uidnext++;
  f->messages++;
  f->octets += d->size;
  return r;
}

/* --- the job --- */

enum db_result deliver_run(struct store_engine *e, struct store_job *j) {
  struct deliver_job *d = (struct deliver_job *)j;
  d->in_file = false;
  d->uidl_found = UIDL_NEW;
  if (engine_low_space(e, j)) {
    j->result = JOB_NO_SPACE;
    return DB_OK;
  }
  enum db_result r = look_at_folders(e, d);
  if (r == DB_OK && d->once && j->result == JOB_DONE) r = dropped_write(e, d);
  if (r == DB_OK && j->result == JOB_DONE && d->uidl.p) r = look_at_uidl(e, d);
  if (d->again && d->uidl_found != UIDL_NEW) {
    d->uidl = SLICE_NONE; /* it gets one of ours */
    d->uidl_found = UIDL_NEW;
    if (j->result == JOB_MISSING) j->result = JOB_DONE;
  }
  if (r != DB_OK || j->result != JOB_DONE || d->uidl_found != UIDL_NEW) return r;
  r = put_body(e, d);
  for (size_t i = 0; r == DB_OK && i < d->count; i++) r = put_entry(e, d, &d->places[i]);
  if (r == DB_OK && d->elsewhere_count) r = send_limits_apply(e, d);
  if (r == DB_OK && d->elsewhere_count)
    r = queue_write(e, d->body, j->now_s, d->expires_s, &d->letter, d->elsewhere,
                    d->elsewhere_count);
  return r == DB_OK ? delivered_write(e, d) : r;
}

void deliver_undo(struct store_engine *e, struct store_job *j) {
  struct deliver_job *d = (struct deliver_job *)j;
  if (d->dsn) report_undo(e, &d->dsn->post);
  if (!d->in_file) return;
  if (d->spool.made)
    body_return_spool(e->disk, &d->spool, d->body);
  else
    body_remove(e->disk, d->body);
  d->in_file = false;
}

void deliver_settle(struct store_engine *e, struct store_job *j) {
  struct deliver_job *d = (struct deliver_job *)j;
  if (!d->in_file) spool_drop(e->disk, &d->spool);
  if (d->dsn) report_settle(e, &d->dsn->post);
}
