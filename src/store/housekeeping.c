/* SPDX-License-Identifier: ISC */
/* What the store does by the clock: it removes old mail where EXPIRE says so (RFC 2449 §6.7), and
 * deleted mail that was kept long enough, or is too much, for good.
 *
 * A round begins each minute and is a sequence of small write jobs, one out at a time, each a slice
 * of work inside one of the writer's groups:
 *
 *   HOUSEKEEPING_EXPIRE  each hour, account after account, as a reader finds them: messages older
 *                        than its days. Not from a maildrop that is open; one that is to be opened
 * meanwhile waits for the slice (housekeeping_parks) HOUSEKEEPING_PURGE   what was deleted longer
 * ago than undelete_time HOUSEKEEPING_SPACE   while the disk is nearly full: what was deleted
 * first, whatever its time HOUSEKEEPING_TRIM    of an account that keeps more than undelete_space:
 * its oldest, until it does not
 *
 * A round with nothing to do costs no job at all. */
#include "src/store/owner.h"

#include "src/store/deleted.h"

enum {
  HOUSEKEEPING_SLICE = 128,
  WALK_EVERY_S = 3600,
  FIND_SPAN = 4096,
  REMEMBERED_S = 86400, /* the longest login_delay */
};

struct effect { /* on an account */
  uint64_t account, messages, octets;
};

struct housekeeping_job {
  struct store_job job;
  enum housekeeping_step step;
  uint64_t folder;
  int64_t before_s; /* HOUSEKEEPING_EXPIRE, HOUSEKEEPING_PURGE */
  uint64_t most;    /* HOUSEKEEPING_TRIM: octets */
  uint64_t from;    /* HOUSEKEEPING_EXPIRE: uids below it were looked at */
  bool keep;        /* HOUSEKEEPING_EXPIRE: so that they can be brought back */
  /* result */
  uint64_t next; /* HOUSEKEEPING_EXPIRE: `from` of the next slice */
  struct effect effects[HOUSEKEEPING_SLICE];
  size_t count;
};

/* --- the writer's side --- */

static void add_effect(struct housekeeping_job *t, const struct folder *f, uint64_t size) {
  struct effect *last = t->count ? &t->effects[t->count - 1] : NULL;
  if (!last || last->account != f->account) {
    last = &t->effects[t->count++];
    *last = (struct effect){ .account = f->account };
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

/* The uids of the next HOUSEKEEPING_SLICE messages that are old enough. Messages lie in the order
 * in which they came, but for those that were brought back: so a slice without an old one is the
 * last. */
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

static enum db_result housekeeping_run(struct store_engine *e, struct store_job *j) {
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
  /* How much disk space came free is known only later: one slice of HOUSEKEEPING_SPACE a round. */
  j->again = r == DB_OK && i == HOUSEKEEPING_SLICE && t->step != HOUSEKEEPING_SPACE;
  return r;
}

/* --- the reader's side: accounts with mail that may be old --- */

struct find_job {
  struct store_job job;
  uint64_t after;
  int64_t usual_days; /* of accounts without their own; -1: never */
  /* result */
  uint64_t found[EXPIRING_FOUND];
  size_t count;
  uint64_t next; /* `after` of the next slice; UINT64_MAX: that was all */
};

static enum db_result last_account(struct store_engine *e, uint64_t *ret) {
  struct db_stmt *s = db_prepare(e->db, "SELECT coalesce(max(id), 0) FROM account");
  enum db_result r = db_step(s);
  if (r != DB_ROW) return r == DB_OK ? DB_CORRUPT : r;
  *ret = (uint64_t)db_int(s, 0);
  db_reset(s);
  return DB_OK;
}

/* A slice looks at the next FIND_SPAN numbers of accounts. */
static enum db_result find_run(struct store_engine *e, struct store_job *j) {
  struct find_job *f = (struct find_job *)j;
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
  db_bind_int(s, 4, EXPIRING_FOUND);
  while (f->count < EXPIRING_FOUND && (r = db_step(s)) == DB_ROW)
    f->found[f->count++] = (uint64_t)db_int(s, 0);
  db_reset(s);
  f->next = f->count == EXPIRING_FOUND ? f->found[f->count - 1] : f->after + FIND_SPAN;
  if (f->next >= last) f->next = UINT64_MAX;
  return r == DB_ROW ? DB_OK : r;
}

/* --- the owner's side --- */

static void housekeeping_finish(struct store *s, struct store_job *j);
static void find_finish(struct store *s, struct store_job *j);
static const struct job_kind housekeeping_kind = {
  .name = "tidy",
  .is_write = true,
  .run = housekeeping_run,
  .finish = housekeeping_finish,
};
static const struct job_kind find_kind = {
  .name = "expiring",
  .run = find_run,
  .finish = find_finish,
};

static void send_off(struct store *s, struct store_job *j) {
  s->housekeeping.out = true;
  s->jobs_out++;
  s->shell.enqueue(s->shell.arg, j, j->kind->is_write);
}

static struct housekeeping_job *new_job(struct store *s, enum housekeeping_step step) {
  struct housekeeping_job *t = job_new(&housekeeping_kind, sizeof *t, NULL, s->housekeeping.now_s);
  if (t) t->step = step;
  return t;
}

/* The first number that the query gives; 0: none. */
static uint64_t first_number(struct store *s, struct db_stmt *q) {
  enum db_result r = db_step(q);
  uint64_t n = r == DB_ROW ? (uint64_t)db_int(q, 0) : 0;
  db_reset(q);
  s->dir.failed |= r == DB_IOERR;
  return n;
}

static bool keeps_deleted(struct store *s) {
  return first_number(s, db_prepare(s->db, "SELECT 1 FROM deleted LIMIT 1")) != 0;
}

/* The folder that keeps most of what was deleted, when that is too much. */
static uint64_t too_much_kept(struct store *s) {
  struct db_stmt *q =
      db_prepare(s->db, "SELECT id FROM folder WHERE deleted_octets > 0 AND deleted_octets > ?"
                        " ORDER BY deleted_octets DESC LIMIT 1");
  if (!s->conf->undelete_space) return 0;
  db_bind_int(q, 1, (int64_t)s->conf->undelete_space);
  return first_number(s, q);
}

/* The next account of those found whose old messages can go. False: there is none of them. */
static bool next_to_expire(struct store *s, struct dir_account *ret) {
  struct housekeeping *t = &s->housekeeping;
  while (t->found_at < t->found_count) {
    uint64_t id = t->found[t->found_at++];
    const struct maildrop_lock *lock = lock_find(&s->locks, id);
    if ((lock && lock->locked_by) || dir_account(&s->dir, id, ret) != DIR_FOUND) continue;
    uint32_t days = rules_expire(s, &ret->limits);
    if (days && days != POP_NEVER) return true;
  }
  return false;
}

static bool begin_walk(struct store *s) {
  struct housekeeping *t = &s->housekeeping;
  if (!t->walking && t->now_s - t->walked_s < WALK_EVERY_S) return false;
  if (!t->walking) t->walked_s = t->now_s;
  if (!t->walking) t->after = 0;
  t->walking = true;
  return true;
}

static struct store_job *find_job(struct store *s) {
  static const struct dir_limits usual = { .expire = DIR_DEFAULT };
  uint32_t days = rules_expire(s, &usual);
  struct find_job *f = job_new(&find_kind, sizeof *f, NULL, s->housekeeping.now_s);
  if (!f) return NULL;
  f->after = s->housekeeping.after;
  f->usual_days = days == POP_NEVER ? -1 : (int64_t)days;
  return &f->job;
}

static struct store_job *expire_job(struct store *s) {
  struct housekeeping *h = &s->housekeeping;
  struct dir_account a;
  if (rules_of_all(s)->expire == POP_NEVER || !begin_walk(s)) return NULL;
  if (!next_to_expire(s, &a)) {
    h->found_at = h->found_count = 0;
    if (h->after != UINT64_MAX) return find_job(s);
    h->walking = false;
    return NULL;
  }
  struct housekeeping_job *t = new_job(s, HOUSEKEEPING_EXPIRE);
  if (!t) return NULL;
  t->folder = a.inbox;
  t->before_s = h->now_s - (int64_t)rules_expire(s, &a.limits) * 86400;
  t->keep = s->conf->undelete_time > 0;
  h->account = a.id;
  return &t->job;
}

/* The job of the present step, or NULL: it has nothing to do. */
static struct store_job *job_of_step(struct store *s) {
  struct housekeeping_job *t = NULL;
  uint64_t folder;
  if (s->housekeeping.step == HOUSEKEEPING_EXPIRE) return expire_job(s);
  if (!keeps_deleted(s)) return NULL;
  switch (s->housekeeping.step) {
  case HOUSEKEEPING_PURGE:
    if ((t = new_job(s, HOUSEKEEPING_PURGE)))
      t->before_s = s->housekeeping.now_s - (int64_t)s->conf->undelete_time;
    break;
  case HOUSEKEEPING_SPACE:
    if (!(t = new_job(s, HOUSEKEEPING_SPACE))) return NULL;
    t->before_s = INT64_MAX;
    t->job.free_least = 2 * s->conf->store_free_space;
    break;
  case HOUSEKEEPING_TRIM:
    if (!(folder = too_much_kept(s)) || !(t = new_job(s, HOUSEKEEPING_TRIM))) return NULL;
    t->folder = folder;
    t->most = s->conf->undelete_space;
    break;
  case HOUSEKEEPING_EXPIRE:
  case HOUSEKEEPING_REST: break;
  }
  return t ? &t->job : NULL;
}

static void go_on(struct store *s) {
  struct store_job *t = NULL;
  while (!t && s->housekeeping.step != HOUSEKEEPING_REST && !s->stopping) {
    t = job_of_step(s);
    if (!t) s->housekeeping.step++;
  }
  if (t) send_off(s, t);
}

bool housekeeping_parks(struct store *s, uint64_t account, struct session *session,
                        struct store_job *open) {
  if (!s->housekeeping.out || s->housekeeping.account != account) return false;
  s->housekeeping.parked = open;
  s->jobs_out++;
  session->pending = true;
  return true;
}

static void let_open(struct store *s) {
  struct store_job *open = s->housekeeping.parked;
  s->housekeeping.parked = NULL;
  s->housekeeping.account = 0;
  if (open) s->shell.enqueue(s->shell.arg, open, false);
}

static void expired(struct store *s, const struct effect *x) {
  s->expired += x->messages;
  folders_changed(&s->folders, x->account);
}

/* After it the next job of the round, if there is one. */
static void step_over(struct store *s, const struct housekeeping_job *t, bool fine) {
  if (!fine)
    s->housekeeping.step = HOUSEKEEPING_REST;
  else if (t->step == HOUSEKEEPING_PURGE || t->step == HOUSEKEEPING_SPACE ||
           (t->step == HOUSEKEEPING_TRIM && !t->count))
    /* HOUSEKEEPING_EXPIRE and HOUSEKEEPING_TRIM go from account to account until none is left */
    s->housekeeping.step++;
  go_on(s);
}

static void housekeeping_finish(struct store *s, struct store_job *j) {
  struct housekeeping_job *t = (struct housekeeping_job *)j;
  bool fine = j->result == JOB_DONE;
  for (size_t i = 0; fine && i < t->count; i++)
    if (t->step == HOUSEKEEPING_EXPIRE)
      expired(s, &t->effects[i]);
    else
      s->purged += t->effects[i].messages;
  t->from = t->next;
  if (fine && j->again && !s->stopping && !s->housekeeping.parked) return; /* the same once more */
  j->again = false;
  s->housekeeping.out = false;
  let_open(s);
  step_over(s, t, fine);
}

static void find_finish(struct store *s, struct store_job *j) {
  struct find_job *f = (struct find_job *)j;
  struct housekeeping *h = &s->housekeeping;
  h->out = false;
  if (j->result == JOB_DONE) {
    memcpy(h->found, f->found, f->count * sizeof *f->found);
    h->found_count = f->count;
    h->found_at = 0;
    h->after = f->next;
  } else {
    h->step = HOUSEKEEPING_REST;
  }
  go_on(s);
}

void store_housekeeping(struct store *s, int64_t now_s) {
  outbound_housekeeping(s, now_s);
  locks_forget(&s->locks, now_s - REMEMBERED_S);
  if (s->housekeeping.out || s->stopping) return;
  s->housekeeping.now_s = now_s;
  s->housekeeping.step = HOUSEKEEPING_EXPIRE;
  go_on(s);
}
