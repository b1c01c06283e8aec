/* SPDX-License-Identifier: ISC */
/* A maildrop for POP3: its snapshot, one message of it, the deletions at QUIT. */
#include "src/store/jobs/maildrop.h"

#include <stdlib.h>
#include <string.h>

#include "ipc/pop3d_store.h"
#include "lib/base/wire.h"
#include "mail/surrogate.h"
#include "src/store/jobs/uidl.h"
#include "src/store/sql/body_row.h"
#include "src/store/sql/deleted.h"
#include "src/store/sql/engine.h"
#include "src/store/sql/work.h"

enum {
  LISTING_MAX = 512 * 1024 * 1024,
  HEADS_MAX = 2 * (1 + POP_AHEAD_MAX) * MESSAGE_HEAD_MAX, /* of the message read and of those sent
                                                           * ahead */
};

/* --- the snapshot --- */

static enum db_result open_folder(struct store_engine *e, struct open_job *o) {
  struct db_stmt *s = db_prepare(e->db, "SELECT uidvalidity, uidnext FROM folder WHERE id = ?");
  db_bind_int(s, 1, (int64_t)o->folder);
  enum db_result r = db_step(s);
  if (r == DB_OK) o->job.result = JOB_MISSING;
  if (r != DB_ROW) return r;
  o->uidvalidity = (uint32_t)db_int(s, 0);
  int64_t next = db_int(s, 1);
  o->uid_end = next > UINT32_MAX ? UINT32_MAX : (uint32_t)next;
  db_reset(s);
  return DB_OK;
}

static void put_row(struct open_job *o, uint32_t uid, uint64_t size, struct slice uidl,
                    uint64_t surrogate) {
  if (uidl.n > UIDL_MAX) uidl = slice_first(uidl, UIDL_MAX);
  wire_put_u32(&o->rows, uid);
  wire_put_u64(&o->rows, size);
  bool same = surrogate == SURROGATE_SAME;
  buf_put_u8(&o->rows, (uint8_t)(uidl.n | (same ? 0 : POP_ROW_SURROGATE)));
  if (!same) wire_put_u64(&o->rows, surrogate); /* NULL is 0, SURROGATE_UNKNOWN */
  if (uidl.n) buf_put(&o->rows, uidl);
  o->count++;
  o->octets += size;
}

static enum db_result list_entries(struct store_engine *e, struct open_job *o) {
  struct db_stmt *s =
      db_prepare(e->db, "SELECT uid, size, coalesce(uidl, shown), surrogate FROM entry"
                        " WHERE folder = ? ORDER BY uid");
  db_bind_int(s, 1, (int64_t)o->folder);
  enum db_result r;
  while ((r = db_step(s)) == DB_ROW && !o->rows.failed)
    put_row(o, (uint32_t)db_int(s, 0), (uint64_t)db_int(s, 1), db_bytes(s, 2),
            (uint64_t)db_int(s, 3));
  db_reset(s);
  return o->rows.failed ? DB_NOMEM : r;
}

enum db_result open_run(struct store_engine *e, struct store_job *j) {
  struct open_job *o = (struct open_job *)j;
  o->count = 0;
  o->octets = 0;
  buf_init(&o->rows, LISTING_MAX);
  enum db_result r = db_begin_read(e->db);
  if (r == DB_OK) r = open_folder(e, o);
  if (r == DB_OK && j->result == JOB_DONE) r = list_entries(e, o);
  db_rollback(e->db);
  return r;
}

/* --- one message --- */

/* The column sum, then those of BODY_ROW, from `at` on. False without memory. */
static bool take_row(struct read_job *rd, struct db_stmt *s, int at, struct read_file *m,
                     struct body_row *b) {
  body_row_get(b, s, at + 1);
  m->size = b->size;
  m->start = b->start;
  m->summed = !db_is_null(s, at) && db_int(s, at) >= 0;
  m->sum = m->summed ? (uint32_t)db_int(s, at) : 0;
  bool goes_along = b->in_file && b->head.n && !rd->octets_only;
  m->head = goes_along ? arena_copy(&rd->heads, b->head) : SLICE_NONE;
  return !rd->heads.failed;
}

/* The file itself if the disk can share it, otherwise the requested octets. */
static enum db_result read_file(struct store_engine *e, struct read_job *rd,
                                const struct body_row *b) {
  struct disk_file *f = NULL;
  int r = body_row_open(e->disk, b, &f);
  if (r < 0) return db_result_of_body(r);
  if (!rd->octets_only) rd->file.fd = e->disk->ops->share(f);
  if (rd->file.fd < 0) {
    rd->file.fd = -1;
    r = body_row_read(e->disk, b, f, rd->offset, rd->most, &rd->data);
  }
  e->disk->ops->close(&f);
  return db_result_of_body(r);
}

static enum db_result read_row(struct store_engine *e, struct read_job *rd, struct db_stmt *s) {
  struct body_row b;
  if (!take_row(rd, s, 0, &rd->file, &b)) return DB_NOMEM;
  if (b.in_file) return read_file(e, rd, &b);
  return db_result_of_body(body_row_read(e->disk, &b, NULL, rd->offset, rd->most, &rd->data));
}

/* False if the body is inline or cannot be opened; reading that message reports the error. */
static bool add_next(struct store_engine *e, struct read_job *rd, struct db_stmt *s) {
  struct read_file m = { .fd = -1, .uid = (uint32_t)db_int(s, 0) };
  struct body_row b;
  struct disk_file *f = NULL;
  if (db_is_null(s, 4) || !take_row(rd, s, 1, &m, &b) || body_row_open(e->disk, &b, &f) < 0)
    return false;
  m.fd = e->disk->ops->share(f);
  e->disk->ops->close(&f);
  if (m.fd >= 0) rd->next[rd->next_count++] = m;
  return m.fd >= 0;
}

static enum db_result add_ahead(struct store_engine *e, struct read_job *rd, uint32_t uid,
                                bool *ret_added) {
  struct db_stmt *s = db_prepare(e->db, "SELECT e.uid, b.sum, " BODY_ROW " FROM entry e"
                                        " JOIN body b ON b.id = e.body"
                                        " WHERE e.folder = ? AND e.uid = ?");
  db_bind_int(s, 1, (int64_t)rd->folder);
  db_bind_int(s, 2, uid);
  enum db_result r = db_step(s);
  *ret_added = r == DB_ROW && add_next(e, rd, s);
  db_reset(s);
  return r == DB_ROW ? DB_OK : r;
}

/* Stops at the first one that is not a file. */
static enum db_result read_ahead(struct store_engine *e, struct read_job *rd) {
  enum db_result r = DB_OK;
  bool added = true;
  for (size_t i = 0; r == DB_OK && added && i < rd->ahead_count; i++)
    r = add_ahead(e, rd, rd->ahead[i], &added);
  return r;
}

enum db_result read_run(struct store_engine *e, struct store_job *j) {
  struct read_job *rd = (struct read_job *)j;
  rd->file = (struct read_file){ .fd = -1, .uid = rd->uid };
  rd->next_count = 0;
  buf_init(&rd->data, IPC_CHUNK);
  arena_init(&rd->heads, HEADS_MAX);
  struct db_stmt *s = db_prepare(e->db, "SELECT b.sum, " BODY_ROW " FROM entry e"
                                        " JOIN body b ON b.id = e.body"
                                        " WHERE e.folder = ? AND e.uid = ?");
  db_bind_int(s, 1, (int64_t)rd->folder);
  db_bind_int(s, 2, rd->uid);
  enum db_result r = db_step(s);
  if (r == DB_OK) j->result = JOB_MISSING;
  if (r == DB_ROW) r = read_row(e, rd, s);
  db_reset(s);
  if (r == DB_OK && rd->file.fd >= 0) r = read_ahead(e, rd);
  return r;
}

/* --- QUIT --- */

/* Records an imported UIDL, so that no other message ever gets it, with what distinguishes its
 * message from another one to which a server gives the same UIDL. */
static enum db_result remember_uidl(struct store_engine *e, uint64_t folder, struct slice uidl,
                                    uint64_t size, uint64_t body) {
  struct db_stmt *s =
      db_prepare(e->db, "INSERT INTO gone (folder, uidl, size, sum)"
                        " VALUES (?, ?, ?, (SELECT sum FROM body WHERE id = ? AND sum >= 0))"
                        " ON CONFLICT (folder, uidl) DO NOTHING");
  db_bind_int(s, 1, (int64_t)folder);
  db_bind_text(s, 2, uidl);
  db_bind_int(s, 3, (int64_t)size);
  db_bind_int(s, 4, (int64_t)body);
  return db_run(s);
}

static enum db_result delete_entry(struct store_engine *e, uint64_t folder, uint32_t uid) {
  struct db_stmt *s = db_prepare(e->db, "DELETE FROM entry WHERE folder = ? AND uid = ?");
  db_bind_int(s, 1, (int64_t)folder);
  db_bind_int(s, 2, uid);
  return db_run(s);
}

static enum db_result take_out(struct store_engine *e, uint64_t folder, uint32_t uid,
                               uint64_t *ret_size, uint64_t *ret_body) {
  *ret_size = *ret_body = 0;
  struct db_stmt *s =
      db_prepare(e->db, "SELECT body, size, uidl FROM entry WHERE folder = ? AND uid = ?");
  db_bind_int(s, 1, (int64_t)folder);
  db_bind_int(s, 2, uid);
  enum db_result r = db_step(s);
  if (r != DB_ROW) return r; /* already gone: the request is satisfied */
  uint64_t size = (uint64_t)db_int(s, 1);
  *ret_body = (uint64_t)db_int(s, 0);
  r = db_is_null(s, 2) ? DB_OK : remember_uidl(e, folder, db_bytes(s, 2), size, *ret_body);
  db_reset(s);
  if (r == DB_OK) r = delete_entry(e, folder, uid);
  if (r == DB_OK) *ret_size = size;
  return r;
}

enum db_result message_take_out(struct store_engine *e, uint64_t folder, uint32_t uid,
                                uint64_t *ret_size) {
  uint64_t body;
  return take_out(e, folder, uid, ret_size, &body);
}

enum db_result message_delete(struct store_engine *e, uint64_t folder, uint32_t uid,
                              uint64_t *ret_size) {
  uint64_t body;
  enum db_result r = take_out(e, folder, uid, ret_size, &body);
  return r == DB_OK && body ? engine_unref_body(e, body) : r;
}

enum { RANGE_MAX = 256 };

/* The bodies of uids [first, last] of a folder, at most RANGE_MAX. */
struct uid_range {
  uint32_t first, last;
  size_t count;
  uint64_t octets;
  struct {
    uint64_t body;
    bool alone, in_file; /* nothing else refers to it */
  } of[RANGE_MAX];
};

static enum db_result read_range(struct store_engine *e, uint64_t folder, struct uid_range *g) {
  struct db_stmt *s = db_prepare(
      e->db, "SELECT e.size, e.body, e.uidl, b.refs, b.start IS NOT NULL FROM entry e"
             " LEFT JOIN body b ON b.id = e.body WHERE e.folder = ? AND e.uid BETWEEN ? AND ?"
             " ORDER BY e.uid");
  enum db_result r = DB_OK, kept = DB_OK;
  g->count = 0, g->octets = 0;
  db_bind_int(s, 1, (int64_t)folder);
  db_bind_int(s, 2, g->first);
  db_bind_int(s, 3, g->last);
  while (kept == DB_OK && g->count < RANGE_MAX && (r = db_step(s)) == DB_ROW) {
    uint64_t size = (uint64_t)db_int(s, 0), body = (uint64_t)db_int(s, 1);
    if (!db_is_null(s, 2)) kept = remember_uidl(e, folder, db_bytes(s, 2), size, body);
    g->of[g->count].body = body;
    g->of[g->count].alone = db_int(s, 3) == 1;
    g->of[g->count++].in_file = db_int(s, 4);
    g->octets += size;
  }
  db_reset(s);
  return kept != DB_OK ? kept : r == DB_ROW ? DB_OK : r;
}

static enum db_result delete_bodies(struct store_engine *e, uint64_t first, uint64_t last) {
  struct db_stmt *s = db_prepare(e->db, "DELETE FROM body WHERE id BETWEEN ? AND ?");
  db_bind_int(s, 1, (int64_t)first);
  db_bind_int(s, 2, (int64_t)last);
  return db_run(s);
}

/* Bodies with consecutive numbers, to which nothing else refers, are removed together. */
static enum db_result unref_range(struct store_engine *e, const struct uid_range *g) {
  enum db_result r = DB_OK;
  for (size_t i = 0, n; r == DB_OK && i < g->count; i += n) {
    n = 1;
    if (!g->of[i].alone) {
      r = engine_unref_body(e, g->of[i].body);
      continue;
    }
    while (i + n < g->count && g->of[i + n].alone && g->of[i + n].body == g->of[i].body + n) n++;
    r = delete_bodies(e, g->of[i].body, g->of[i].body + n - 1);
    for (size_t k = i; r == DB_OK && k < i + n; k++)
      if (g->of[k].in_file && !id_list_add(&e->freed_now, g->of[k].body)) r = DB_NOMEM;
  }
  return r;
}

static enum db_result delete_range(struct store_engine *e, struct quit_job *q,
                                   struct uid_range *g) {
  enum db_result r = read_range(e, q->folder, g);
  if (r != DB_OK || !g->count) return r;
  struct db_stmt *s =
      db_prepare(e->db, "DELETE FROM entry WHERE folder = ? AND uid BETWEEN ? AND ?");
  db_bind_int(s, 1, (int64_t)q->folder);
  db_bind_int(s, 2, g->first);
  db_bind_int(s, 3, g->last);
  r = db_run(s);
  if (r == DB_OK) r = unref_range(e, g);
  q->deleted += (uint32_t)g->count;
  q->octets += g->octets;
  return r;
}

/* The uids are sorted; duplicates are allowed. */
static enum db_result delete_messages(struct store_engine *e, struct quit_job *q) {
  enum db_result r = DB_OK;
  struct uid_range g;
  for (size_t i = 0, n; r == DB_OK && i < q->count; i += n) {
    for (n = 1; n < RANGE_MAX && i + n < q->count && q->uids[i + n] - q->uids[i + n - 1] <= 1;) n++;
    g.first = q->uids[i], g.last = q->uids[i + n - 1];
    r = delete_range(e, q, &g);
  }
  return r;
}

static enum db_result keep_messages(struct store_engine *e, struct quit_job *q, struct folder *f) {
  enum db_result r = DB_OK;
  for (size_t i = 0; r == DB_OK && i < q->count; i++) {
    uint64_t size;
    r = message_keep(e, f, q->uids[i], q->job.now_s, &size);
    q->deleted += size > 0;
    q->octets += size;
  }
  return r;
}

enum db_result quit_run(struct store_engine *e, struct store_job *j) {
  struct quit_job *q = (struct quit_job *)j;
  struct folder *f;
  q->deleted = 0;
  q->octets = 0;
  enum db_result r = engine_folder(e, q->folder, &f);
  if (r != DB_OK || !f) {
    j->result = JOB_MISSING;
    return r;
  }
  r = q->keep ? keep_messages(e, q, f) : delete_messages(e, q);
  if (q->deleted) folder_shrink(e, f, q->deleted, q->octets);
  return r;
}
