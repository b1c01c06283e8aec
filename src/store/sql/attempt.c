/* SPDX-License-Identifier: ISC */
/* Writes rows of the queue's history (attempt.h), and names them. Invariant: rows are only added
 * here, in the job that performs what they record. */
#include "src/store/sql/attempt.h"

#include "ipc/sender_store.h"

static struct slice text_of(struct slice s) { return s.n ? s : SLICE(""); }

enum db_result attempt_put(struct store_engine *e, const struct attempt *a) {
  struct db_stmt *s = db_prepare(
      e->db,
      "INSERT INTO attempt (at, name, return_path, address, what, stage, code, enhanced, reply,"
      " host, ip, tls, due) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)");
  db_bind_int(s, 1, a->at_s);
  db_bind_text(s, 2, a->name);
  db_bind_text(s, 3, text_of(a->return_path));
  db_bind_text(s, 4, text_of(a->address));
  db_bind_int(s, 5, a->what);
  db_bind_int(s, 6, a->stage);
  db_bind_int(s, 7, a->code);
  db_bind_int(s, 8, a->enhanced[0] << 16 | a->enhanced[1] << 8 | a->enhanced[2]);
  db_bind_text(s, 9, text_of(a->reply));
  db_bind_text(s, 10, text_of(a->host));
  db_bind_text(s, 11, text_of(a->ip));
  db_bind_text(s, 12, text_of(a->tls));
  if (a->due_s)
    db_bind_int(s, 13, a->due_s);
  else
    db_bind_null(s, 13);
  return db_run(s);
}

/* --- the last attempt --- */

static void take_last(struct db_stmt *s, struct arena *a, struct attempt_last *ret) {
  int64_t enhanced = db_int(s, 4);
  struct slice reply = db_bytes(s, 1), host = db_bytes(s, 2);
  *ret = (struct attempt_last){
    .at_s = db_int(s, 3),
    .code = (uint16_t)db_int(s, 0),
    .enhanced = { (uint8_t)(enhanced >> 16), (uint8_t)(enhanced >> 8), (uint8_t)enhanced },
  };
  ret->reply = reply.n ? arena_copy(a, reply) : SLICE_NONE;
  ret->host = host.n ? arena_copy(a, host) : SLICE_NONE;
}

/* From the history, where it may have been trimmed, or be hidden by many newer attempts for other
 * recipients; otherwise from the row itself. */
enum db_result attempt_last(struct store_engine *e, struct arena *a, uint64_t row,
                            struct slice name, struct slice address, struct attempt_last *ret) {
  *ret = (struct attempt_last){ 0 };
  struct db_stmt *s = db_prepare(
      e->db,
      "SELECT code, reply, host, at, enhanced FROM (SELECT * FROM attempt WHERE name = ?"
      " ORDER BY id DESC LIMIT 200) part WHERE address = ? AND what = ? AND stage <> ? LIMIT 1");
  db_bind_text(s, 1, name);
  db_bind_text(s, 2, address);
  db_bind_int(s, 3, ATTEMPT_DEFERRED);
  db_bind_int(s, 4, ATTEMPT_NO_STAGE);
  enum db_result r = db_step(s);
  if (r == DB_OK) {
    db_reset(s);
    s = db_prepare(e->db, "SELECT code, coalesce(reply, ''), '', 0, 0 FROM recipient WHERE id = ?");
    db_bind_int(s, 1, (int64_t)row);
    r = db_step(s);
  }
  if (r == DB_ROW) take_last(s, a, ret);
  db_reset(s);
  return r == DB_ROW ? DB_OK : r;
}
