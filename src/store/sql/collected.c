/* SPDX-License-Identifier: ISC */
/* Collected messages of other servers: the rows of `collected`, read and written by jobs.
 * collected.h has a row's states. Invariants: a row counts as the same message only if the digest
 * of the octets is equal, never by its UIDL alone; a UIDL has at most UIDL_ROWS_MAX rows and one
 * message at most SIZES_MAX sizes, so a server that lies about either cannot grow the table. */
#include "src/store/sql/collected.h"

#include "src/store/jobs/collected.h"
#include "src/store/sql/work.h"

enum {
  SEEN_IDS_MAX =
      8 * 64 * COLLECT_ASK_MAX /* One UIDL has several rows when several messages share it. */
};

/* --- rows --- */

struct row {
  uint64_t id, date, size, octets, tries;
  int64_t tried;
  bool old, missing; /* old: written by a version that recorded neither size nor digest */
};

#define ROWS                                                            \
  "SELECT id, date, size, octets, tries, tried, missing FROM collected" \
  " WHERE account = ? AND source = ? AND uidl = ? AND "

static struct db_stmt *rows_of(struct store_engine *e, const char *sql, uint64_t account,
                               uint64_t source, struct slice uidl) {
  struct db_stmt *s = db_prepare(e->db, sql);
  db_bind_int(s, 1, (int64_t)account);
  db_bind_int(s, 2, (int64_t)source);
  db_bind_text(s, 3, uidl);
  return s;
}

static struct row row_get(struct db_stmt *s) {
  return (struct row){ .id = (uint64_t)db_int(s, 0),
                       .date = (uint64_t)db_int(s, 1),
                       .old = db_is_null(s, 2),
                       .size = (uint64_t)db_int(s, 2),
                       .octets = (uint64_t)db_int(s, 3),
                       .tries = (uint64_t)db_int(s, 4),
                       .tried = db_int(s, 5),
                       .missing = !db_is_null(s, 6) };
}

/* The size is the other server's claim: limit it to what the database can store. */
static uint64_t bounded(uint64_t size) { return size > INT64_MAX ? INT64_MAX : size; }

/* --- which messages are known --- */

/* The message came shorter than listed. */
static bool is_short(const struct row *r) { return !r->old && r->octets < r->size; }

static bool is_due_again(const struct row *r, int64_t now_s) {
  return r->tries < SHORT_TRIES || now_s < r->tried || now_s - r->tried >= SHORT_REST_S;
}

/* One message of the listing among the rows of its UIDL. */
struct seen_one {
  uint64_t size, date;
  uint32_t alike, known, cut;
};

static void look_at_row(struct seen_job *seen, struct seen_one *one, const struct row *r) {
  if (!r->old && r->missing) return;
  if (buf_room(&seen->ids) >= sizeof r->id) buf_put(&seen->ids, slice_of(&r->id, sizeof r->id));
  if (is_short(r)) {
    one->cut += !is_due_again(r, seen->job.now_s);
    return;
  }
  one->known += r->old ? one->alike : 1;
  uint64_t date = r->date ? r->date : 1;
  if (!one->date || date < one->date) one->date = date;
}

static enum db_result look_at_rows(struct seen_job *seen, struct seen_one *one, struct db_stmt *s) {
  enum db_result r;
  while ((r = db_step(s)) == DB_ROW) {
    struct row row = row_get(s);
    look_at_row(seen, one, &row);
  }
  db_reset(s);
  return r;
}

static enum db_result look_at(struct store_engine *e, struct seen_job *seen, struct slice uidl,
                              struct seen_one *one) {
  struct db_stmt *s = rows_of(e, ROWS "size = ?", seen->account, seen->source, uidl);
  db_bind_int(s, 4, (int64_t)one->size);
  enum db_result r = look_at_rows(seen, one, s);
  return r == DB_OK
             ? look_at_rows(seen, one,
                            rows_of(e, ROWS "size IS NULL", seen->account, seen->source, uidl))
             : r;
}

enum db_result seen_run(struct store_engine *e, struct store_job *j) {
  struct seen_job *seen = (struct seen_job *)j;
  struct slice rest = seen->uidls, uidl;
  struct wire sizes = wire_open(seen->sizes);
  buf_init(&seen->dates, 8 * COLLECT_ASK_MAX);
  buf_init(&seen->ids, SEEN_IDS_MAX);
  enum db_result r = db_begin_read(e->db);
  while (r == DB_OK && ipc_list_next(&rest, &uidl)) {
    struct seen_one one = { .size = bounded(wire_get_u64(&sizes)) };
    one.alike = wire_get_u32(&sizes);
    r = look_at(e, seen, uidl, &one);
    bool known = one.known && one.known >= one.alike,
         cut = one.cut && one.known + one.cut >= one.alike;
    wire_put_u64(&seen->dates, known ? one.date : cut ? COLLECT_SHORT : 0);
  }
  db_rollback(e->db);
  return seen->dates.failed || seen->ids.failed ? DB_NOMEM : r;
}

/* --- a message with its row --- */

/* Limits the rows of a UIDL that a server reuses without ever confirming a deletion. */
static enum db_result trim_rows(struct store_engine *e, const struct collected_job *c) {
  struct db_stmt *s = db_prepare(
      e->db,
      "DELETE FROM collected WHERE id IN (SELECT id FROM collected WHERE account = ? AND source = ?"
      " AND uidl = ? ORDER BY id DESC LIMIT ? OFFSET ?)");
  db_bind_int(s, 1, (int64_t)c->d.places[0].account);
  db_bind_int(s, 2, (int64_t)c->source);
  db_bind_text(s, 3, c->uidl);
  db_bind_int(s, 4, INT64_MAX);
  db_bind_int(s, 5, UIDL_ROWS_MAX);
  return db_run(s);
}

static enum db_result put_row(struct store_engine *e, struct collected_job *c) {
  struct db_stmt *s = db_prepare(
      e->db, "INSERT INTO collected (account, source, uidl, date, size, octets, digest, tried)"
             " VALUES (?, ?, ?, ?, ?, ?, ?, ?) RETURNING id");
  db_bind_int(s, 1, (int64_t)c->d.places[0].account);
  db_bind_int(s, 2, (int64_t)c->source);
  db_bind_text(s, 3, c->uidl);
  db_bind_int(s, 4, c->d.job.now_s);
  db_bind_int(s, 5, (int64_t)bounded(c->size));
  db_bind_int(s, 6, (int64_t)bounded(c->octets));
  db_bind_blob(s, 7, slice_of(c->digest, sizeof c->digest));
  db_bind_int(s, 8, c->d.job.now_s);
  enum db_result r = db_step(s);
  if (r != DB_ROW) return r == DB_OK ? DB_ERROR : r;
  c->row = (uint64_t)db_int(s, 0);
  db_reset(s);
  return trim_rows(e, c);
}

/* Looks for the same octets under this UIDL: c->row is their row, and among copies the one for this
 * copy; rows of this size take precedence, because a missing one then counts as listed again. */
static enum db_result find_same(struct store_engine *e, struct collected_job *c) {
  struct db_stmt *s = rows_of(e, ROWS "digest = ? ORDER BY size IS DISTINCT FROM ?, id LIMIT ?",
                              c->d.places[0].account, c->source, c->uidl);
  db_bind_blob(s, 4, slice_of(c->digest, sizeof c->digest));
  db_bind_int(s, 5, (int64_t)bounded(c->size));
  db_bind_int(s, 6, c->copy);
  enum db_result r;
  c->row = 0;
  while ((r = db_step(s)) == DB_ROW) {
    struct row row = row_get(s);
    if (!c->row || row.size == bounded(c->size)) c->row = row.id;
  }
  db_reset(s);
  return r;
}

static enum db_result count(struct db_stmt *s, uint32_t *ret) {
  enum db_result r;
  *ret = 0;
  while ((r = db_step(s)) == DB_ROW) ++*ret;
  db_reset(s);
  return r;
}

/* How many are recorded with this UIDL and this size: a message that once came short of it, and was
 * another one, is not counted. */
static enum db_result count_alike(struct store_engine *e, const struct collected_job *c,
                                  uint32_t *ret) {
  struct db_stmt *s = rows_of(e, ROWS "size = ? AND (octets >= size OR digest = ?) LIMIT ?",
                              c->d.places[0].account, c->source, c->uidl);
  db_bind_int(s, 4, (int64_t)bounded(c->size));
  db_bind_blob(s, 5, slice_of(c->digest, sizeof c->digest));
  db_bind_int(s, 6, c->copy);
  return count(s, ret);
}

/* The same octets are listed with another size. A server that lists a new size each time gets no
 * row for each of them. */
static enum db_result put_size(struct store_engine *e, struct collected_job *c) {
  uint32_t rows;
  struct db_stmt *s =
      rows_of(e, ROWS "digest = ? LIMIT ?", c->d.places[0].account, c->source, c->uidl);
  db_bind_blob(s, 4, slice_of(c->digest, sizeof c->digest));
  db_bind_int(s, 5, (int64_t)c->copy + SIZES_MAX);
  enum db_result r = count(s, &rows);
  if (r != DB_OK || rows < c->copy + SIZES_MAX) return r == DB_OK ? put_row(e, c) : r;
  s = db_prepare(e->db, "UPDATE collected SET size = ?, missing = NULL WHERE id = ?");
  db_bind_int(s, 1, (int64_t)bounded(c->size));
  db_bind_int(s, 2, (int64_t)c->row);
  return db_run(s);
}

static enum db_result note_try(struct store_engine *e, const struct collected_job *c) {
  struct db_stmt *s =
      db_prepare(e->db, "UPDATE collected SET tries = tries + 1, tried = ? WHERE id = ?");
  db_bind_int(s, 1, c->d.job.now_s);
  db_bind_int(s, 2, (int64_t)c->row);
  return db_run(s);
}

/* An existing message is recorded again if another size is listed for it, or it is one more
 * copy. */
enum db_result collect_run(struct store_engine *e, struct store_job *j) {
  struct collected_job *c = (struct collected_job *)j;
  uint32_t alike;
  c->d.in_file = false;
  c->d.uidl_found = UIDL_THERE;
  enum db_result r = find_same(e, c);
  if (r == DB_OK) r = count_alike(e, c, &alike);
  if (r != DB_OK) return r;
  if (c->row) return alike < c->copy ? put_size(e, c) : note_try(e, c);
  r = deliver_run(e, j);
  return r == DB_OK && j->result == JOB_DONE ? put_row(e, c) : r;
}

/* --- what the other server lists no longer --- */

static bool is_listed(const struct listed_job *t, uint64_t id) {
  size_t low = 0, high = t->count;
  while (low < high) {
    size_t middle = low + (high - low) / 2;
    if (t->ids[middle] < id)
      low = middle + 1;
    else
      high = middle;
  }
  return low < t->count && t->ids[low] == id;
}

enum fate { STAYS, IS_MISSING, IS_BACK, GOES };

static enum fate fate_of(const struct listed_job *t, uint64_t id, bool was_missing, int64_t since) {
  if (is_listed(t, id)) return was_missing ? IS_BACK : STAYS;
  if (!was_missing) return IS_MISSING;
  return t->job.now_s - since > COLLECTED_KEEP_S ? GOES : STAYS;
}

struct tidied {
  uint64_t id;
  enum fate fate;
};

static enum db_result find_changes(struct store_engine *e, const struct listed_job *t,
                                   struct tidied *changes, size_t *ret_count) {
  struct db_stmt *s =
      db_prepare(e->db, "SELECT id, missing FROM collected WHERE account = ? AND source = ?");
  db_bind_int(s, 1, (int64_t)t->account);
  db_bind_int(s, 2, (int64_t)t->source);
  enum db_result r;
  size_t n = 0;
  while ((r = db_step(s)) == DB_ROW && n < TIDIED_MAX) {
    struct tidied x = { .id = (uint64_t)db_int(s, 0) };
    x.fate = fate_of(t, x.id, !db_is_null(s, 1), db_int(s, 1));
    if (x.fate != STAYS) changes[n++] = x;
  }
  db_reset(s);
  *ret_count = n;
  return r == DB_ROW ? DB_OK : r;
}

static enum db_result apply_change(struct store_engine *e, const struct tidied *x, int64_t now_s) {
  if (x->fate == GOES) {
    struct db_stmt *s = db_prepare(e->db, "DELETE FROM collected WHERE id = ?");
    db_bind_int(s, 1, (int64_t)x->id);
    return db_run(s);
  }
  struct db_stmt *s = db_prepare(e->db, "UPDATE collected SET missing = ? WHERE id = ?");
  if (x->fate == IS_MISSING)
    db_bind_int(s, 1, now_s);
  else
    db_bind_null(s, 1);
  db_bind_int(s, 2, (int64_t)x->id);
  return db_run(s);
}

enum db_result listed_run(struct store_engine *e, struct store_job *j) {
  struct listed_job *t = (struct listed_job *)j;
  struct tidied changes[TIDIED_MAX];
  size_t count = 0;
  enum db_result r = find_changes(e, t, changes, &count);
  for (size_t i = 0; r == DB_OK && i < count; i++) r = apply_change(e, &changes[i], j->now_s);
  return r;
}

/* --- what was deleted there --- */

enum db_result deleted_run(struct store_engine *e, struct store_job *j) {
  struct deleted_job *d = (struct deleted_job *)j;
  enum db_result r = DB_OK;
  for (struct wire w = wire_open(d->rows); r == DB_OK && !wire_done(&w);) {
    struct db_stmt *s =
        db_prepare(e->db, "DELETE FROM collected WHERE id = ? AND account = ? AND source = ?");
    db_bind_int(s, 1, (int64_t)wire_get_u64(&w));
    db_bind_int(s, 2, (int64_t)d->account);
    db_bind_int(s, 3, (int64_t)d->source);
    r = db_run(s);
  }
  return r;
}

/* --- ends --- */

enum db_result forget_run(struct store_engine *e, struct store_job *j) {
  struct forget_job *f = (struct forget_job *)j;
  struct db_stmt *s =
      db_prepare(e->db, "DELETE FROM collected WHERE id IN"
                        " (SELECT id FROM collected WHERE account = ? AND source = ? LIMIT ?)");
  db_bind_int(s, 1, (int64_t)f->account);
  db_bind_int(s, 2, (int64_t)f->source);
  db_bind_int(s, 3, FORGOTTEN_MAX);
  enum db_result r = db_run(s);
  j->again = db_changes(e->db) == FORGOTTEN_MAX;
  return r;
}

enum db_result collected_drop_account(struct store_engine *e, int64_t account, bool *ret_left) {
  struct db_stmt *s = db_prepare(
      e->db,
      "DELETE FROM collected WHERE id IN (SELECT id FROM collected WHERE account = ? LIMIT ?)");
  db_bind_int(s, 1, account);
  db_bind_int(s, 2, FORGOTTEN_MAX);
  enum db_result r = db_run(s);
  *ret_left = r == DB_OK && db_changes(e->db) == FORGOTTEN_MAX;
  return r;
}
