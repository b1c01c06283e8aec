/* What the store does by the clock: deleted mail that was kept long enough, or is too much, goes for good.
 *
 * A round begins each minute and is a line of small write jobs, one out at a time, each a slice of work
 * inside one of the writer's groups:
 *
 *   TIDY_PURGE   what was deleted longer ago than undelete_time
 *   TIDY_SPACE   while the disk is nearly full: what was deleted first, whatever its time
 *   TIDY_TRIM    of an account that keeps more than undelete_space: its oldest, until it does not
 *
 * A round with nothing to do costs no job at all. */
#include "src/store/owner.h"

#include "src/store/deleted.h"

enum { TIDY_A_SLICE = 128 };

struct effect { /* on an account */
  uint64_t account, messages, octets;
};

struct tidy_job {
  struct store_job job;
  enum tidy_step step;
  uint64_t folder;
  int64_t before_s; /* TIDY_PURGE */
  uint64_t most;    /* TIDY_TRIM: octets */
  /* result */
  struct effect effects[TIDY_A_SLICE];
  size_t count;
};

/* --- the writer's side --- */

static void add_effect(struct tidy_job *t, const struct folder *f, uint64_t size) {
  struct effect *last = t->count ? &t->effects[t->count - 1] : NULL;
  if (!last || last->account != f->account) {
    last = &t->effects[t->count++];
    *last = (struct effect){ .account = f->account };
  }
  last->messages++;
  last->octets += size;
}

/* False: that was enough, or *r is an error. */
static bool purge_row(struct store_engine *e, struct tidy_job *t, const struct deleted_row *row,
                      enum db_result *r) {
  struct folder *f;
  *r = engine_folder(e, row->folder, &f);
  if (*r == DB_OK && !f) *r = DB_CORRUPT; /* `check` tells; nothing else is touched */
  if (*r != DB_OK || (t->step == TIDY_TRIM && f->deleted_octets <= t->most)) return false;
  *r = message_purge(e, f, row);
  if (*r == DB_OK) add_effect(t, f, row->size);
  return *r == DB_OK;
}

static enum db_result tidy_run(struct store_engine *e, struct store_job *j) {
  struct tidy_job *t = (struct tidy_job *)j;
  struct deleted_row rows[TIDY_A_SLICE];
  size_t count = 0;
  t->count = 0;
  j->again = false;
  if (t->step == TIDY_SPACE && !engine_low_space(e, j)) return DB_OK;
  enum db_result r = t->step == TIDY_TRIM
                         ? deleted_of_folder(e, t->folder, INT64_MIN, rows, TIDY_A_SLICE, &count)
                         : deleted_before(e, t->before_s, rows, TIDY_A_SLICE, &count);
  size_t i = 0;
  while (r == DB_OK && i < count && purge_row(e, t, &rows[i], &r)) i++;
  /* How much of the disk came free shows only later: one slice of TIDY_SPACE a round. */
  j->again = r == DB_OK && i == TIDY_A_SLICE && t->step != TIDY_SPACE;
  return r;
}

/* --- the owner's side --- */

static void tidy_finish(struct store *s, struct store_job *j);
static const struct job_kind tidy_kind = {
  .name = "tidy",
  .is_write = true,
  .run = tidy_run,
  .finish = tidy_finish,
};

static void send_off(struct store *s, struct tidy_job *t) {
  s->tidy.out = true;
  s->jobs_out++;
  s->shell.enqueue(s->shell.arg, &t->job, true);
}

static struct tidy_job *new_job(struct store *s, enum tidy_step step) {
  struct tidy_job *t = job_new(&tidy_kind, sizeof *t, NULL, s->tidy.now_s);
  if (t) t->step = step;
  return t;
}

static struct dir_account *too_much_kept(struct store *s) {
  uint64_t most = s->conf->undelete_space;
  struct dir_account *a = most ? s->dir.oldest : NULL;
  while (a && a->deleted_octets <= most) a = a->newer;
  return a;
}

/* The job of the present step, or NULL: it has nothing to do. */
static struct tidy_job *job_of_step(struct store *s) {
  struct tidy_job *t;
  struct dir_account *a;
  switch (s->tidy.step) {
  case TIDY_PURGE:
    if ((t = new_job(s, TIDY_PURGE))) t->before_s = s->tidy.now_s - (int64_t)s->conf->undelete_time;
    return t;
  case TIDY_SPACE:
    if (!(t = new_job(s, TIDY_SPACE))) return NULL;
    t->before_s = INT64_MAX;
    t->job.free_least = 2 * s->conf->store_free_space;
    return t;
  case TIDY_TRIM:
    if (!(a = too_much_kept(s)) || !(t = new_job(s, TIDY_TRIM))) return NULL;
    t->folder = a->inbox;
    t->most = s->conf->undelete_space;
    return t;
  case TIDY_REST: break;
  }
  return NULL;
}

static void go_on(struct store *s) {
  struct tidy_job *t = NULL;
  while (!t && s->tidy.step != TIDY_REST && !s->stopping) {
    t = s->dir.deleted ? job_of_step(s) : NULL;
    if (!t) s->tidy.step++;
  }
  if (t) send_off(s, t);
}

static void tidy_finish(struct store *s, struct store_job *j) {
  struct tidy_job *t = (struct tidy_job *)j;
  bool fine = j->result == JOB_DONE;
  for (size_t i = 0; fine && i < t->count; i++) {
    const struct effect *x = &t->effects[i];
    s->purged += x->messages;
    dir_deleted(&s->dir, x->account, -(int64_t)x->messages, -(int64_t)x->octets);
  }
  if (fine && j->again && !s->stopping) return; /* the same once more */
  j->again = false;
  s->tidy.out = false;
  if (!fine)
    s->tidy.step = TIDY_REST;
  else if (t->step != TIDY_TRIM || !t->count)
    s->tidy.step++; /* TIDY_TRIM ends when no account keeps too much */
  go_on(s);
}

void store_tidy(struct store *s, int64_t now_s) {
  if (s->tidy.out || s->stopping) return;
  s->tidy.now_s = now_s;
  s->tidy.step = TIDY_PURGE;
  go_on(s);
}
