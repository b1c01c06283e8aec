/* SPDX-License-Identifier: ISC */
/* The database's side of time-driven work: removes some messages (writer), finds accounts that may
 * have old ones (reader). */
#include "src/store/jobs/housekeeping.h"

#include "src/store/sql/deleted.h"
#include "src/store/sql/work.h"

enum { FIND_SPAN = 4096 };

/* --- the writer --- */

static void add_effect(struct housekeeping_job *t, const struct folder *f, uint64_t size) {
  struct housekeeping_effect *last = t->count ? &t->effects[t->count - 1] : NULL;
  if (!last || last->account != f->account) {
    last = &t->effects[t->count++];
    *last = (struct housekeeping_effect){ .account = f->account };
  }
  last->messages++;
  last->octets += size;
}

/* False: that was enough, or *r is an error. */
static bool purge_row(struct store_engine *e, struct housekeeping_job *t,
                      const struct deleted_row *row, enum db_result *r) {
  struct folder *f;
  *r = engine_folder(e, row->folder, &f);
  if (*r == DB_OK && !f) *r = DB_CORRUPT; /* `check` reports it; nothing else is touched */
  if (*r != DB_OK || (t->step == HOUSEKEEPING_TRIM && f->deleted_octets <= t->most)) return false;
  *r = message_purge(e, f, row);
  if (*r == DB_OK) add_effect(t, f, row->size);
  return *r == DB_OK;
}

/* The uids of the next HOUSEKEEPING_SLICE messages that are old enough. Messages are in the order
 * in which they came, except restored ones: so a slice without an old one is the last. */
static enum db_result old_messages(struct store_engine *e, struct housekeeping_job *t,
                                   uint32_t *uids, size_t *ret_count, size_t *ret_seen) {
  struct db_stmt *s = db_prepare(e->db, "SELECT uid, coalesce(came, date) FROM entry"
                                        " WHERE folder = ? AND uid >= ? ORDER BY uid LIMIT ?");
  enum db_result r = DB_OK;
  *ret_count = *ret_seen = 0;
  t->next = t->from;
  db_bind_int(s, 1, (int64_t)t->folder);
  db_bind_int(s, 2, (int64_t)t->from);
  db_bind_int(s, 3, HOUSEKEEPING_SLICE);
  while (*ret_seen < HOUSEKEEPING_SLICE && (r = db_step(s)) == DB_ROW) {
    ++*ret_seen;
    t->next = (uint64_t)db_int(s, 0) + 1;
    if (db_int(s, 1) <= t->before_s) uids[(*ret_count)++] = (uint32_t)db_int(s, 0);
  }
  db_reset(s);
  return r == DB_ROW ? DB_OK : r;
}

static enum db_result expire_run(struct store_engine *e, struct housekeeping_job *t) {
  uint32_t uids[HOUSEKEEPING_SLICE];
  size_t count, seen;
  struct folder *f = NULL;
  enum db_result r = old_messages(e, t, uids, &count, &seen);
  if (r == DB_OK) r = engine_folder(e, t->folder, &f);
  if (r != DB_OK || !f) return r;
  for (size_t i = 0; r == DB_OK && i < count; i++) {
    uint64_t size = 0;
    r = t->keep ? message_keep(e, f, uids[i], t->job.now_s, &size)
                : message_delete(e, f->id, uids[i], &size);
    if (r == DB_OK && size) add_effect(t, f, size);
  }
  if (t->count) folder_shrink(e, f, t->effects[0].messages, t->effects[0].octets);
  t->job.again = r == DB_OK && count && seen == HOUSEKEEPING_SLICE;
  return r;
}

enum db_result housekeeping_run(struct store_engine *e, struct store_job *j) {
  struct housekeeping_job *t = (struct housekeeping_job *)j;
  struct deleted_row rows[HOUSEKEEPING_SLICE];
  size_t count = 0;
  t->count = 0;
  j->again = false;
  if (t->step == HOUSEKEEPING_EXPIRE) return expire_run(e, t);
  if (t->step == HOUSEKEEPING_SPACE && !engine_low_space(e, j)) return DB_OK;
  enum db_result r =
      t->step == HOUSEKEEPING_TRIM
          ? deleted_of_folder(e, t->folder, INT64_MIN, rows, HOUSEKEEPING_SLICE, &count)
          : deleted_before(e, t->before_s, rows, HOUSEKEEPING_SLICE, &count);
  size_t i = 0;
  while (r == DB_OK && i < count && purge_row(e, t, &rows[i], &r)) i++;
  /* How much disk space was freed is known only later: one slice of HOUSEKEEPING_SPACE in each
   * round. */
  j->again = r == DB_OK && i == HOUSEKEEPING_SLICE && t->step != HOUSEKEEPING_SPACE;
  return r;
}

/* --- the reader: accounts with mail that may be old --- */

static enum db_result last_account(struct store_engine *e, uint64_t *ret) {
  struct db_stmt *s = db_prepare(e->db, "SELECT coalesce(max(id), 0) FROM account");
  enum db_result r = db_step(s);
  if (r != DB_ROW) return r == DB_OK ? DB_CORRUPT : r;
  *ret = (uint64_t)db_int(s, 0);
  db_reset(s);
  return DB_OK;
}

/* A slice scans the next FIND_SPAN account numbers. */
enum db_result old_mail_run(struct store_engine *e, struct store_job *j) {
  struct old_mail_job *f = (struct old_mail_job *)j;
  uint64_t last;
  enum db_result r = last_account(e, &last);
  f->count = 0;
  if (r != DB_OK) return r;
  struct db_stmt *s = db_prepare(
      e->db, "SELECT a.id FROM account a JOIN folder f ON f.account = a.id AND f.name = 'INBOX'"
             " WHERE a.id > ?1 AND a.id <= ?2 AND f.messages > 0 AND coalesce(a.expire, ?3) > 0"
             " ORDER BY a.id LIMIT ?4");
  db_bind_int(s, 1, (int64_t)f->after);
  db_bind_int(s, 2, (int64_t)f->after + FIND_SPAN);
  db_bind_int(s, 3, f->usual_days);
  db_bind_int(s, 4, OLD_MAIL_FOUND);
  while (f->count < OLD_MAIL_FOUND && (r = db_step(s)) == DB_ROW)
    f->found[f->count++] = (uint64_t)db_int(s, 0);
  db_reset(s);
  f->next = f->count == OLD_MAIL_FOUND ? f->found[f->count - 1] : f->after + FIND_SPAN;
  if (f->next >= last) f->next = UINT64_MAX;
  return r == DB_ROW ? DB_OK : r;
}
