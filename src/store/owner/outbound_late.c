/* SPDX-License-Identifier: ISC */
/* Tells the senders of messages that some recipients are still waiting (outbound_late.h): the
 * owner's part.
 *
 * For mail held by an account's limits, only one message a day causes a report: a stolen password
 * may have sent thousands, and the postmaster, who was notified at once, decides about all of
 * them. */
#include "src/store/owner/outbound_late.h"

#include <stdlib.h>

#include "mail/smtp/dsn.h"
#include "src/store/jobs/attempt.h"
#include "src/store/jobs/queue_view.h"
#include "src/store/jobs/warn.h"
#include "src/store/owner/finish.h"
#include "src/store/owner/outbound_inside.h"
#include "src/store/owner/owner.h"
#include "src/store/owner/report.h"

enum { WARN_MEMORY = 256 * 1024, DAY_S = 86400 };

/* --- the job that writes it --- */

static void continue_walk(struct store *s, int64_t now_s);

void warn_finish(struct store *s, struct store_job *j) {
  struct warn_job *w = (struct warn_job *)j;
  struct late_walk *walk = &s->outbound.late;
  if (walk->writing) walk->writing--;
  if (j->result == JOB_DONE) {
    s->outbound.reports += w->report.job != NULL;
    report_finish(s, &w->report, j->now_s);
    continue_walk(s, j->now_s);
  } else { /* scan again: marked rows are skipped */
    walk->from = (struct late_cursor){ 0 };
    walk->more = false;
  }
}

/* --- who is told, and why it waits --- */

void late_walk_init(struct late_walk *w) {
  *w = (struct late_walk){ 0 };
  map_init(&w->told);
}

void late_walk_free(struct late_walk *w) { map_free(&w->told); }

/* True for the account's first message of the day. */
static bool first_of_limits(struct late_walk *w, uint64_t account, int64_t now_s) {
  if (w->notified_day != now_s / DAY_S) {
    map_free(&w->told);
    map_init(&w->told);
    w->notified_day = now_s / DAY_S;
  }
  return !map_get(&w->told, account, NULL) && map_put(&w->told, account, 1);
}

static void keep_those_to_notify(struct store *s, struct taken_letter *l, int64_t now_s) {
  bool limits = false, first = false;
  size_t kept = 0;
  for (size_t i = 0; i < l->count; i++) {
    const struct taken_rcpt *t = &l->rcpts[i];
    bool wanted = !t->notify || (t->notify & SMTP_NOTIFY_DELAY);
    if (!wanted || t->expires == QUEUE_TO_FAIL) continue;
    if (t->held_by && !limits) {
      limits = true;
      first = first_of_limits(&s->outbound.late, l->letter.account, now_s);
    }
    if (!t->held_by || first) l->rcpts[kept++] = *t;
  }
  l->count = kept;
}

static const char *why_of(const struct queue_view *v, const struct taken_rcpt *t, int64_t now_s) {
  const struct queue_held held = { t->state == QUEUE_HELD, t->held_by != 0, false };
  struct buf domain;
  buf_init(&domain, ENVELOPE_PATH_MAX);
  dir_fold_domain(&domain, t->address);
  struct queue_why y = queue_view_why(v, t->row, buf_slice(&domain), &held, t->due, now_s);
  buf_free(&domain);
  return queue_reason_text(y.reason);
}

/* NULL: no memory, or there is nobody to notify. */
static struct warn_job *new_warning(struct store *s, const struct taken_letter *l,
                                    const struct queue_view *v, int64_t now_s) {
  struct warn_job *w = job_new(KIND_WARN, sizeof *w, NULL, now_s);
  if (!w) return NULL;
  arena_init(&w->memory, WARN_MEMORY);
  w->whys = arena_alloc(&w->memory, l->count * sizeof *w->whys);
  if (w->whys && outbound_copy_letter(&w->memory, l, &w->letter) &&
      report_address(s, l->letter.return_path, &w->memory, now_s, &w->report) && w->report.due) {
    for (size_t i = 0; i < l->count; i++) w->whys[i] = why_of(v, &l->rcpts[i], now_s);
    return w;
  }
  job_free(w);
  return NULL;
}

static void warn(struct store *s, struct taken_letter *l, const struct queue_view *v,
                 int64_t now_s) {
  keep_those_to_notify(s, l, now_s);
  struct warn_job *w = l->count ? new_warning(s, l, v, now_s) : NULL;
  if (!w) return;
  s->outbound.late.writing++;
  s->jobs_out++;
  s->shell.enqueue(s->shell.arg, &w->job, true);
}

/* --- the walk --- */

static void read_slice(struct store *s, int64_t now_s) {
  struct late_walk *w = &s->outbound.late;
  struct late_job *x = job_new(KIND_LATE, sizeof *x, NULL, now_s);
  w->more = false;
  if (!x) return;
  x->came_by = now_s - (int64_t)s->conf->queue_warn_after;
  x->from = w->from;
  w->reading = true;
  s->jobs_out++;
  s->shell.enqueue(s->shell.arg, &x->job, false);
}

static void continue_walk(struct store *s, int64_t now_s) {
  const struct late_walk *w = &s->outbound.late;
  if (w->more && !w->reading && !w->writing && !s->stopping) read_slice(s, now_s);
}

void late_due(struct store *s, int64_t now_s) {
  const struct late_walk *w = &s->outbound.late;
  if (s->conf->queue_warn_after && !w->reading && !w->writing) read_slice(s, now_s);
}

void late_finish(struct store *s, struct store_job *j) {
  struct late_job *x = (struct late_job *)j;
  struct late_walk *w = &s->outbound.late;
  w->reading = false;
  if (j->result != JOB_DONE || s->stopping) return;
  struct queue_view *v = x->letters ? queue_view_new(s) : NULL;
  if (x->letters && !v) return; /* no memory: the same slice a minute later */
  w->from = x->from;
  w->more = x->full;
  for (struct taken_letter *l = x->letters; l; l = l->next) warn(s, l, v, j->now_s);
  queue_view_free(&v);
  continue_walk(s, j->now_s);
}
