#include "src/store/collected.h"

/* --- is it there? --- */

/* DB_OK with *ret_id 0: it is new. */
static enum db_result find_row(struct store_engine *e, uint64_t account, uint64_t source, struct slice uidl,
                               uint64_t *ret_id, uint64_t *ret_date) {
  struct db_stmt *s =
      db_prepare(e->db, "SELECT id, date FROM collected WHERE account = ? AND source = ? AND uidl = ?");
  *ret_id = *ret_date = 0;
  db_bind_int(s, 1, (int64_t)account);
  db_bind_int(s, 2, (int64_t)source);
  db_bind_text(s, 3, uidl);
  enum db_result r = db_step(s);
  if (r == DB_ROW) {
    *ret_id = (uint64_t)db_int(s, 0);
    *ret_date = (uint64_t)db_int(s, 1);
  }
  db_reset(s);
  return r == DB_ROW ? DB_OK : r;
}

static enum db_result seen_run(struct store_engine *e, struct store_job *j) {
  struct seen_job *seen = (struct seen_job *)j;
  struct slice rest = seen->uidls, uidl;
  uint64_t id, date;
  buf_init(&seen->dates, 8 * COLLECT_ASK_MAX);
  buf_init(&seen->ids, 8 * COLLECT_ASK_MAX);
  enum db_result r = db_begin_read(e->db);
  while (r == DB_OK && ipc_list_next(&rest, &uidl)) {
    r = find_row(e, seen->account, seen->source, uidl, &id, &date);
    wire_put_u64(&seen->dates, id && !date ? 1 : date);
    if (id) buf_put(&seen->ids, slice_of(&id, sizeof id));
  }
  db_rollback(e->db);
  return seen->dates.failed || seen->ids.failed ? DB_NOMEM : r;
}

static void seen_done(struct store_job *j) {
  struct seen_job *seen = (struct seen_job *)j;
  buf_free(&seen->dates);
  buf_free(&seen->ids);
}

const struct job_kind seen_kind = {
  .name = "collect-ask", .run = seen_run, .finish = seen_finish, .done = seen_done
};

/* --- a message with its row --- */

static enum db_result put_row(struct store_engine *e, const struct collected_job *c) {
  struct db_stmt *s =
      db_prepare(e->db, "INSERT INTO collected (account, source, uidl, date) VALUES (?, ?, ?, ?)");
  db_bind_int(s, 1, (int64_t)c->d.places[0].account);
  db_bind_int(s, 2, (int64_t)c->source);
  db_bind_text(s, 3, c->uidl);
  db_bind_int(s, 4, c->d.job.now_s);
  return db_run(s);
}

static enum db_result collect_run(struct store_engine *e, struct store_job *j) {
  struct collected_job *c = (struct collected_job *)j;
  uint64_t date;
  c->d.in_file = false;
  c->d.uidl_found = UIDL_THERE;
  enum db_result r = find_row(e, c->d.places[0].account, c->source, c->uidl, &c->row, &date);
  if (r != DB_OK || c->row) return r;
  r = deliver_run(e, j);
  if (r == DB_OK && j->result == JOB_DONE) r = put_row(e, c);
  if (r == DB_OK && j->result == JOB_DONE) c->row = (uint64_t)db_last_id(e->db);
  return r;
}

const struct job_kind collect_kind = {
  .name = "collect",
  .is_write = true,
  .run = collect_run,
  .undo = deliver_undo,
  .settle = deliver_settle,
  .finish = collect_finish,
  .done = deliver_done,
};

const struct job_kind collect_spool_kind = { .name = "collect-spool",
                                             .run = spool_run,
                                             .finish = collect_spool_finish };

/* --- what the other server lists no longer --- */

static bool is_listed(const struct tidy_job *t, uint64_t id) {
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

static enum fate fate_of(const struct tidy_job *t, uint64_t id, bool was_missing, int64_t since) {
  if (is_listed(t, id)) return was_missing ? IS_BACK : STAYS;
  if (!was_missing) return IS_MISSING;
  return t->job.now_s - since > COLLECTED_KEEP_S ? GOES : STAYS;
}

struct tidied {
  uint64_t id;
  enum fate fate;
};

static enum db_result find_changes(struct store_engine *e, const struct tidy_job *t, struct tidied *changes,
                                   size_t *ret_count) {
  struct db_stmt *s = db_prepare(e->db, "SELECT id, missing FROM collected WHERE account = ? AND source = ?");
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

static enum db_result tidy_run(struct store_engine *e, struct store_job *j) {
  struct tidy_job *t = (struct tidy_job *)j;
  struct tidied changes[TIDIED_MAX];
  size_t count = 0;
  enum db_result r = find_changes(e, t, changes, &count);
  for (size_t i = 0; r == DB_OK && i < count; i++) r = apply_change(e, &changes[i], j->now_s);
  return r;
}

const struct job_kind tidy_kind = {
  .name = "collect-tidy", .is_write = true, .run = tidy_run, .finish = tidy_finish
};

/* --- ends --- */

static enum db_result forget_run(struct store_engine *e, struct store_job *j) {
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

/* A slice that was rolled back is not tried for ever. */
static void forget_finish(struct store *s, struct store_job *j) {
  (void)s;
  if (j->result != JOB_DONE) j->again = false;
}

const struct job_kind forget_kind = {
  .name = "collect-forget", .is_write = true, .run = forget_run, .finish = forget_finish
};

enum db_result collected_drop_account(struct store_engine *e, int64_t account, bool *ret_left) {
  struct db_stmt *s = db_prepare(
      e->db, "DELETE FROM collected WHERE id IN (SELECT id FROM collected WHERE account = ? LIMIT ?)");
  db_bind_int(s, 1, account);
  db_bind_int(s, 2, FORGOTTEN_MAX);
  enum db_result r = db_run(s);
  *ret_left = r == DB_OK && db_changes(e->db) == FORGOTTEN_MAX;
  return r;
}
