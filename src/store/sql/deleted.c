/* SPDX-License-Identifier: ISC */
/* Deleted mail that is kept for a while (the options undelete_time and undelete_space).
 *
 *   entry ──QUIT──> deleted ──undelete──> entry, the same message with a new uid and the same UIDL
 *                      └──its time or its space is over──> (gone)
 *
 * A uid is never reused (RFC 9051 §2.3.1.1), so a restored message gets a new one. Its UIDL must
 * stay (RFC 1939 §7): one of ours, which was derived from its first uid, is stored as text, in a
 * column of its own, so that it is never taken for one from another server.
 *
 * A deleted message keeps its reference to the body. An imported UIDL goes into `gone` when its
 * message is deleted and is removed when it is restored, so that meanwhile no import gives it to
 * another message. */
#include "src/store/sql/deleted.h"

#include "ipc/pop3d_store.h"
#include "src/store/jobs/uidl.h"

/* --- there --- */

static enum db_result move_out(struct store_engine *e, uint64_t folder, uint32_t uid,
                               int64_t now_s) {
  struct db_stmt *s = db_prepare(
      e->db,
      "INSERT INTO deleted (folder, uid, body, size, flags, date, uidl, removed, surrogate, shown)"
      " SELECT folder, uid, body, size, flags, date, uidl, ?3, surrogate, shown FROM entry"
      " WHERE folder = ?1 AND uid = ?2");
  db_bind_int(s, 1, (int64_t)folder);
  db_bind_int(s, 2, uid);
  db_bind_int(s, 3, now_s);
  return db_run(s);
}

enum db_result message_keep(struct store_engine *e, struct folder *f, uint32_t uid, int64_t now_s,
                            uint64_t *ret_size) {
  enum db_result r = move_out(e, f->id, uid, now_s);
  if (r == DB_OK && db_changes(e->db)) {
    r = message_take_out(e, f->id, uid, ret_size);
    f->deleted++;
    f->deleted_octets += *ret_size;
  } else {
    *ret_size = 0; /* already gone: the request is satisfied */
  }
  return r;
}

/* --- and back --- */

/* Stores a UIDL derived from the message's own uid, since that uid is no longer in use. */
static enum db_result move_in(struct store_engine *e, struct folder *f,
                              const struct deleted_row *row, uint32_t uid, int64_t now_s) {
  struct buf own;
  buf_init(&own, 2 * UIDL_OWN);
  uidl_put_own(&own, f->uidvalidity, row->uid);
  struct db_stmt *s = db_prepare(
      e->db,
      "INSERT INTO entry (folder, uid, body, size, flags, date, modseq, uidl, surrogate, came,"
      " shown) SELECT folder, ?6, body, size, flags, date, ?3, uidl, CASE WHEN surrogate > 1"
      " AND (surrogate & 1) <> ?5 THEN NULL ELSE surrogate END, ?4,"
      " CASE WHEN uidl IS NULL THEN coalesce(shown, ?7) END FROM deleted"
      " WHERE folder = ?1 AND uid = ?2");
  db_bind_int(s, 1, (int64_t)f->id);
  db_bind_int(s, 2, row->uid);
  db_bind_int(s, 3, (int64_t)f->modseq);
  db_bind_int(s, 4, now_s); /* EXPIRE counts its days from now */
  db_bind_int(s, 5, e->surrogates == SURROGATE_6858);
  db_bind_int(s, 6, uid);
  db_bind_text(s, 7, buf_slice(&own));
  enum db_result r = own.failed ? DB_NOMEM : db_run(s);
  db_reset(s);
  buf_free(&own);
  return r;
}

static enum db_result forget_gone(struct store_engine *e, uint64_t folder, struct slice uidl) {
  struct db_stmt *s = db_prepare(e->db, "DELETE FROM gone WHERE folder = ? AND uidl = ?");
  db_bind_int(s, 1, (int64_t)folder);
  db_bind_text(s, 2, uidl);
  return db_run(s);
}

/* Removes the row from `deleted` and from the folder's counts. */
static enum db_result leave_deleted(struct store_engine *e, struct folder *f, uint32_t uid,
                                    uint64_t size) {
  struct db_stmt *s = db_prepare(e->db, "DELETE FROM deleted WHERE folder = ? AND uid = ?");
  db_bind_int(s, 1, (int64_t)f->id);
  db_bind_int(s, 2, uid);
  f->deleted -= f->deleted > 0;
  f->deleted_octets -= size < f->deleted_octets ? size : f->deleted_octets;
  return db_run(s);
}

enum db_result message_restore(struct store_engine *e, struct folder *f,
                               const struct deleted_row *row, int64_t now_s, uint32_t *ret_uid) {
  engine_touch(e, f);
  *ret_uid = (uint32_t)f->uidnext++;
  enum db_result r = move_in(e, f, row, *ret_uid, now_s);
  if (r == DB_OK && row->imported) r = forget_gone(e, f->id, slice_of(row->uidl, row->uidl_n));
  if (r == DB_OK) r = leave_deleted(e, f, row->uid, row->size);
  if (r != DB_OK) return r;
  e->unmeasured = true; /* unmeasured: measured now */
  f->messages++;
  f->octets += row->size;
  return DB_OK;
}

/* --- for good --- */

enum db_result message_purge(struct store_engine *e, struct folder *f,
                             const struct deleted_row *row) {
  engine_touch(e, f);
  enum db_result r = leave_deleted(e, f, row->uid, row->size);
  return r == DB_OK ? engine_unref_body(e, row->body) : r;
}

/* --- looking --- */

#define ROW "folder, uid, body, size, coalesce(uidl, shown), uidl IS NOT NULL"

static void take_row(struct db_stmt *s, struct deleted_row *row) {
  struct slice uidl = slice_first(db_bytes(s, 4), UIDL_MAX);
  *row = (struct deleted_row){
    .folder = (uint64_t)db_int(s, 0),
    .uid = (uint32_t)db_int(s, 1),
    .body = (uint64_t)db_int(s, 2),
    .size = (uint64_t)db_int(s, 3),
    .uidl_n = (uint8_t)uidl.n,
    .imported = db_int(s, 5),
  };
  if (uidl.n) memcpy(row->uidl, uidl.p, uidl.n);
}

static enum db_result take_rows(struct db_stmt *s, struct deleted_row *rows, size_t most,
                                size_t *ret_count) {
  enum db_result r = DB_OK;
  *ret_count = 0;
  while (*ret_count < most && (r = db_step(s)) == DB_ROW) take_row(s, &rows[(*ret_count)++]);
  db_reset(s);
  return r == DB_ROW ? DB_OK : r;
}

enum db_result deleted_of_folder(struct store_engine *e, uint64_t folder, int64_t since_s,
                                 struct deleted_row *rows, size_t most, size_t *ret_count) {
  struct db_stmt *s = db_prepare(e->db, "SELECT " ROW " FROM deleted"
                                        " WHERE folder = ? AND removed >= ? ORDER BY uid LIMIT ?");
  db_bind_int(s, 1, (int64_t)folder);
  db_bind_int(s, 2, since_s);
  db_bind_int(s, 3, (int64_t)most);
  return take_rows(s, rows, most, ret_count);
}

enum db_result deleted_before(struct store_engine *e, int64_t before_s, struct deleted_row *rows,
                              size_t most, size_t *ret_count) {
  struct db_stmt *s = db_prepare(e->db, "SELECT " ROW " FROM deleted"
                                        " WHERE removed <= ? ORDER BY removed LIMIT ?");
  db_bind_int(s, 1, before_s);
  db_bind_int(s, 2, (int64_t)most);
  return take_rows(s, rows, most, ret_count);
}

enum db_result deleted_find(struct store_engine *e, uint64_t folder, uint32_t uid,
                            struct deleted_row *ret, bool *ret_there) {
  struct db_stmt *s = db_prepare(e->db, "SELECT " ROW " FROM deleted"
                                        " WHERE folder = ? AND uid = ?");
  size_t count;
  db_bind_int(s, 1, (int64_t)folder);
  db_bind_int(s, 2, uid);
  enum db_result r = take_rows(s, ret, 1, &count);
  *ret_there = count == 1;
  return r;
}
