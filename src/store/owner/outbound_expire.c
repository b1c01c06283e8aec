/* SPDX-License-Identifier: ISC */
/* Ends recipients whose time in the queue is over, in whatever state: waiting, held, or to be
 * failed by the administrator. What is in a sender's hands ends when it comes back
 * (outbound_results.c, or the next take).
 *
 * Invariants: a scan goes from the beginning to the end of what has expired, in slices, of which
 * one is outstanding at a time, so a million rows fill no memory and delay nothing else; a row in
 * hands is skipped and does not hide the rows after it. outbound.h has the scan's states. */
#include "src/store/owner/finish.h"
#include "src/store/owner/outbound_inside.h"
#include "src/store/owner/owner.h"

const struct send_outcome outbound_over = { .fate = SEND_TEMPORARY,
                                            .enhanced = { 4, 4, 7 },
                                            .text = SLICE("its time in the queue is over") };

static const struct queue_cursor beginning = { INT64_MIN, 0 };

/* --- the walk --- */

static void read_slice(struct store *s, int64_t now_s) {
  struct expire_walk *w = &s->outbound.expire;
  struct expired_job *x = s->stopping ? NULL : job_new(KIND_EXPIRED, sizeof *x, NULL, now_s);
  w->more = false; /* without memory: from the beginning, by the next housekeeping */
  if (!x) return;
  x->from = w->from;
  w->reading = true;
  s->jobs_out++;
  s->shell.enqueue(s->shell.arg, &x->job, false);
}

static void begin(struct store *s, int64_t now_s) {
  struct expire_walk *w = &s->outbound.expire;
  w->again = w->away = false;
  w->from = beginning;
  read_slice(s, now_s);
}

static void continue_walk(struct store *s, int64_t now_s) {
  struct expire_walk *w = &s->outbound.expire;
  if (w->reading || w->writing) return;
  if (w->more)
    read_slice(s, now_s);
  else if (w->again)
    begin(s, now_s);
}

void outbound_expire(struct store *s, int64_t now_s) {
  struct expire_walk *w = &s->outbound.expire;
  w->again = true;
  continue_walk(s, now_s);
}

void outbound_expired(struct store *s, int64_t now_s) {
  struct expire_walk *w = &s->outbound.expire;
  if (w->writing) w->writing--;
  continue_walk(s, now_s);
}

static void leave_out_in_hands(const struct store *s, struct taken_letter *l) {
  size_t kept = 0;
  for (size_t i = 0; i < l->count; i++)
    if (!outbound_has_row(s, l->rcpts[i].row)) l->rcpts[kept++] = l->rcpts[i];
  l->count = kept;
}

void expired_finish(struct store *s, struct store_job *j) {
  struct expired_job *x = (struct expired_job *)j;
  struct expire_walk *w = &s->outbound.expire;
  bool fine = j->result == JOB_DONE && !s->stopping;
  w->reading = false;
  for (struct taken_letter *l = x->letters; fine && l; l = l->next) {
    size_t all = l->count;
    leave_out_in_hands(s, l);
    w->away |= l->count < all;
    if (l->count) outbound_settle_here(s, 0, l, &outbound_over, j->now_s);
  }
  w->from = x->from;
  w->more = fine && x->full;
  if (fine) continue_walk(s, j->now_s);
}
