/* SPDX-License-Identifier: ISC */
/* The store's time-driven work: it removes old mail if EXPIRE says so (RFC 2449 §6.7), and purges
 * deleted mail that was kept long enough, or is too much.
 *
 * A round begins each minute and is a sequence of small write jobs, one outstanding at a time, each
 * a slice of work inside one of the writer's groups:
 *
 *   - HOUSEKEEPING_EXPIRE: each hour, account after account, as a reader finds them: messages older
 *     than its days. Not from an open maildrop; one that is to be opened meanwhile waits for the
 *     slice (housekeeping_parks).
 *   - HOUSEKEEPING_PURGE: messages deleted longer ago than undelete_time.
 *   - HOUSEKEEPING_SPACE: while the disk is nearly full, the messages deleted first, at any age.
 *   - HOUSEKEEPING_TRIM: of an account that keeps more than undelete_space, its oldest, until it
 *     does not.
 *
 * A round with nothing to do costs no job at all. */
#include "src/store/owner/finish.h"
#include "src/store/owner/owner.h"
#include "src/store/sql/deleted.h"
#include "src/store/sql/owner_reads.h"

enum {
  WALK_EVERY_S = 3600,
  FIND_SPAN = 4096,
  REMEMBERED_S = 86400, /* the longest login_delay */
};

/* --- the owner's side --- */

static void send_off(struct store *s, struct store_job *j) {
  s->housekeeping.out = true;
  s->jobs_out++;
  s->shell.enqueue(s->shell.arg, j, job_kind_writes(j->kind));
}

static struct housekeeping_job *new_job(struct store *s, enum housekeeping_step step) {
  struct housekeeping_job *t = job_new(KIND_HOUSEKEEPING, sizeof *t, NULL, s->housekeeping.now_s);
  if (t) t->step = step;
  return t;
}

static bool keeps_deleted(struct store *s) {
  bool keeps;
  s->dir.failed |= read_keeps_deleted(s->db, &keeps) == DB_IOERR;
  return keeps;
}

/* The folder that keeps most deleted mail, if that is too much; 0: none does. */
static uint64_t too_much_kept(struct store *s) {
  uint64_t folder;
  if (!s->conf->undelete_space) return 0;
  s->dir.failed |= read_too_much_kept(s->db, s->conf->undelete_space, &folder) == DB_IOERR;
  return folder;
}

/* The next account found that may have expired messages. False: there is none. */
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

static struct store_job *old_mail_job(struct store *s) {
  static const struct dir_limits usual = { .expire = DIR_DEFAULT };
  uint32_t days = rules_expire(s, &usual);
  struct old_mail_job *f = job_new(KIND_OLD_MAIL, sizeof *f, NULL, s->housekeeping.now_s);
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
    if (h->after != UINT64_MAX) return old_mail_job(s);
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

/* The job of the current step, or NULL: it has nothing to do. */
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

static void open_parked(struct store *s) {
  struct store_job *open = s->housekeeping.parked;
  s->housekeeping.parked = NULL;
  s->housekeeping.account = 0;
  if (open) s->shell.enqueue(s->shell.arg, open, false);
}

static void expired(struct store *s, const struct housekeeping_effect *x) {
  s->expired += x->messages;
  folders_changed(&s->folders, x->account);
}

/* Continues with the next job of the round, if there is one. */
static void step_over(struct store *s, const struct housekeeping_job *t, bool fine) {
  if (!fine)
    s->housekeeping.step = HOUSEKEEPING_REST;
  else if (t->step == HOUSEKEEPING_PURGE || t->step == HOUSEKEEPING_SPACE ||
           (t->step == HOUSEKEEPING_TRIM && !t->count))
    /* HOUSEKEEPING_EXPIRE and HOUSEKEEPING_TRIM go from account to account until none is left */
    s->housekeeping.step++;
  go_on(s);
}

void housekeeping_finish(struct store *s, struct store_job *j) {
  struct housekeeping_job *t = (struct housekeeping_job *)j;
  bool fine = j->result == JOB_DONE;
  for (size_t i = 0; fine && i < t->count; i++)
    if (t->step == HOUSEKEEPING_EXPIRE)
      expired(s, &t->effects[i]);
    else
      s->purged += t->effects[i].messages;
  t->from = t->next;
  if (fine && j->again && !s->stopping && !s->housekeeping.parked)
    return; /* repeat the same
                                                                            * step */
  j->again = false;
  s->housekeeping.out = false;
  open_parked(s);
  step_over(s, t, fine);
}

void old_mail_finish(struct store *s, struct store_job *j) {
  struct old_mail_job *f = (struct old_mail_job *)j;
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
