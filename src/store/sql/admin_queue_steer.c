/* SPDX-License-Identifier: ISC */
/* Changes the queue: queue hold, release, retry, drop, fail. A recipient in a sender's hands may
 * end although it is held or dropped. Only release releases held recipients: retry counts them. For
 * a recipient that is to fail only drop has an effect.
 *
 * A recipient that is to fail gets an expiry time in the past; housekeeping, started at once, ends
 * it with a report like any other that has expired. */
#include <stdio.h>

#include "src/store/sql/admin_queue.h"
#include "src/store/sql/attempt.h"
#include "src/store/sql/send_limits.h"
#include "src/store/sql/queue_count.h"
#include "src/store/sql/work.h"

enum { CHANGES_A_LOOK = 20 /* between two checks of the clock */ };

/* Changes one row; *ret_changed: it was different before. */
typedef enum db_result change_fn(struct store_engine *e, struct admin_job *a,
                                 const struct selected *c, bool *ret_changed);

static enum db_result run_on(struct store_engine *e, const char *sql, int64_t first, int64_t second,
                             bool *ret_changed) {
  struct db_stmt *s = db_prepare(e->db, sql);
  db_bind_int(s, 1, first);
  db_bind_int(s, 2, second);
  enum db_result r = db_run(s);
  *ret_changed = r == DB_OK && db_changes(e->db) > 0;
  return r;
}

/* Records each effective action in the history. */
static enum db_result note(struct store_engine *e, struct admin_job *a, const struct selected *c,
                           enum attempt_what what, bool changed) {
  const struct attempt act = {
    .at_s = a->job.now_s,
    .name = c->name,
    .return_path = c->return_path,
    .address = c->address,
    .what = what,
    .stage = ATTEMPT_NO_STAGE,
    .reply = SLICE("by the administrator"),
  };
  return changed ? attempt_put(e, &act) : DB_OK;
}

/* Counts it under its new kind; QUEUE_KINDS: it is deleted. */
static enum db_result count(struct store_engine *e, const struct selected *c, enum queue_kind to,
                            bool changed) {
  struct queue_tally t = { { 0 } };
  if (!changed || c->kind == to) return DB_OK;
  t.n[c->kind]--;
  if (to < QUEUE_KINDS) t.n[to]++;
  return queue_count_change(e, (uint64_t)c->body, &t);
}

static enum db_result hold_one(struct store_engine *e, struct admin_job *a,
                               const struct selected *c, bool *ret_changed) {
  enum db_result r =
      run_on(e, "UPDATE recipient SET state = ?2, held_by = 0 WHERE id = ?1 AND state <> ?2",
             c->row, QUEUE_HELD, ret_changed);
  if (r == DB_OK) r = count(e, c, QUEUE_KIND_HELD, *ret_changed);
  return r == DB_OK ? note(e, a, c, ATTEMPT_HELD, *ret_changed) : r;
}

/* Once for a run of rows with the same destination. */
static enum db_result wake(struct admin_job *a, const struct selected *c, bool changed) {
  if (!changed) return DB_OK;
  const struct change *last =
      a->changes
          ? (const struct change *)((const char *)a->changes_end - offsetof(struct change, next))
          : NULL;
  if (last && slice_eq(last->text, c->destination)) return DB_OK;
  struct change *change = admin_change(a, CHANGE_QUEUE_DUE);
  if (!change) return DB_NOMEM;
  change->text = admin_copy(a, c->destination);
  return change->text.p ? DB_OK : DB_NOMEM;
}

static enum db_result release_one(struct store_engine *e, struct admin_job *a,
                                  const struct selected *c, bool *ret_changed) {
  enum db_result r =
      run_on(e, "UPDATE recipient SET state = 0, due = ?2 WHERE id = ?1 AND state = 1", c->row,
             a->job.now_s, ret_changed);
  if (r == DB_OK) r = count(e, c, QUEUE_KIND_WAITING, *ret_changed);
  if (r == DB_OK) r = note(e, a, c, ATTEMPT_RELEASED, *ret_changed);
  return r == DB_OK ? wake(a, c, *ret_changed) : r;
}

static enum db_result retry_one(struct store_engine *e, struct admin_job *a,
                                const struct selected *c, bool *ret_changed) {
  enum db_result r = run_on(e, "UPDATE recipient SET due = ?2 WHERE id = ?1 AND state = 0", c->row,
                            a->job.now_s, ret_changed);
  if (r == DB_OK) r = note(e, a, c, ATTEMPT_RETRIED, *ret_changed);
  return r == DB_OK ? wake(a, c, *ret_changed) : r;
}

/* The failure that follows gets a row of its own: this one records the command, in case the failure
 * comes later. */
static enum db_result fail_one(struct store_engine *e, struct admin_job *a,
                               const struct selected *c, bool *ret_changed) {
  enum db_result r = run_on(e, "UPDATE recipient SET state = 1, expires = ?2 WHERE id = ?1", c->row,
                            QUEUE_TO_FAIL, ret_changed);
  if (r == DB_OK) r = count(e, c, QUEUE_KIND_FAILING, *ret_changed);
  return r == DB_OK ? note(e, a, c, ATTEMPT_TO_FAIL, *ret_changed && c->why.in_hands) : r;
}

static enum db_result drop_one(struct store_engine *e, struct admin_job *a,
                               const struct selected *c, bool *ret_changed) {
  enum db_result r =
      run_on(e, "DELETE FROM recipient WHERE id = ?1 AND CAST(?2 AS BIGINT) IS NOT NULL", c->row, 0,
             ret_changed);
  if (r == DB_OK) r = count(e, c, QUEUE_KINDS, *ret_changed);
  if (r == DB_OK) r = note(e, a, c, ATTEMPT_DROPPED, *ret_changed);
  return r == DB_OK ? queue_end_letter(e, (uint64_t)c->body) : r;
}

/* What a command does to a row, and how its answer begins. */
struct steering {
  change_fn *one;
  const char *done;
  const char *hands;  /* what happens to those that a sender has now; NULL: nothing else */
  bool skips_held;    /* held recipients are counted and left unchanged */
  bool takes_to_fail; /* those that are to fail are changed too */
};

#define RECIPIENTS(n) (unsigned long long)(n), (n) == 1 ? "" : "s"

static enum db_result end_of(struct admin_job *a, const struct selection *x,
                             const struct steering *v) {
  char held[160] = "", hands[200] = "";
  bool one = x->now.held == 1;
  if (x->now.held)
    snprintf(held, sizeof held, "; %llu recipient%s that fit%s %s held: queue release lets %s go",
             RECIPIENTS(x->now.held), one ? "s" : "", one ? "is" : "are", one ? "it" : "them");
  if (x->now.hands)
    snprintf(hands, sizeof hands, "; %llu more in the sender's hands: %s",
             (unsigned long long)x->now.hands, v->hands);
  if (x->now.done)
    return admin_send(a, CLI_OK, "%llu recipient%s %s%s%s", RECIPIENTS(x->now.done - x->now.hands),
                      v->done, hands, held);
  if (x->now.held) return admin_send(a, CLI_NOT_FOUND, "nothing was changed%s", held);
  return admin_send(a, CLI_NOT_FOUND, "nothing in the queue fits, or all of it is so already");
}

static enum db_result change_row(struct store_engine *e, struct admin_job *a, struct selection *x,
                                 const struct selected *s, const struct steering *v) {
  bool changed = false, skipped = v->skips_held && s->held;
  bool left = skipped || (s->to_fail && !v->takes_to_fail);
  enum db_result r = left ? DB_OK : v->one(e, a, s, &changed);
  x->now.done += r == DB_OK && changed;
  x->now.hands += r == DB_OK && changed && v->hands && s->why.in_hands;
  x->now.held += skipped;
  return r;
}

static enum db_result change_some(struct store_engine *e, struct admin_job *a, struct selection *x,
                                  const struct steering *v) {
  struct selected s;
  enum db_result r = DB_OK;
  size_t looked = 0;
  while (r == DB_OK && selection_next(e, a, x, CHANGES_A_LOOK, &looked, &s, &r))
    r = change_row(e, a, x, &s, v);
  return r;
}

/* A slice may be run again, alone, if its group was rolled back: it then starts from the same
 * point. */
static enum db_result change(struct store_engine *e, struct admin_job *a,
                             const struct steering *v) {
  struct selection *x;
  enum db_result r;
  if (!selection_ready(e, a, &x, &r))
    return r != DB_OK || a->job.again || !x || !x->gathered || x->count ? r : end_of(a, x, v);
  if (a->undone) x->now = x->before;
  x->before = x->now;
  engine_slice_begins(e);
  do r = change_some(e, a, x, v);
  while (r == DB_OK && a->job.again && !engine_slice_is_over(e, x->now.at - x->before.at));
  if (r == DB_OK) return a->job.again ? r : end_of(a, x, v);
  x->now = x->before;
  return r;
}

enum db_result verb_queue_hold(struct store_engine *e, struct admin_job *a) {
  return change(
      e, a,
      &(struct steering){ hold_one, "held",
                          .hands = "held when it gives them back, unless they ended by then" });
}
/* The mail of one account is released as a whole: its counters are reset. */
enum db_result verb_queue_release(struct store_engine *e, struct admin_job *a) {
  enum db_result r = change(e, a, &(struct steering){ release_one, "released" });
  const struct selection *x = a->state;
  bool over = r == DB_OK && !a->job.again && x && x->account > 0 && x->account < INT64_MAX;
  return over ? send_limits_forget(e, (uint64_t)x->account) : r;
}

enum db_result verb_queue_retry(struct store_engine *e, struct admin_job *a) {
  return change(e, a, &(struct steering){ retry_one, "due now", .skips_held = true });
}
enum db_result verb_queue_drop(struct store_engine *e, struct admin_job *a) {
  return change(e, a,
                &(struct steering){ drop_one, "dropped",
                                    .hands = "out of the queue too, but it may still deliver them",
                                    .takes_to_fail = true });
}
enum db_result verb_queue_fail(struct store_engine *e, struct admin_job *a) {
  enum db_result r = change(
      e, a,
      &(struct steering){ fail_one, "failed, with a report",
                          .hands = "failed when it gives them back, unless they ended by then" });
  if (r != DB_OK || a->job.again) return r;
  return admin_change(a, CHANGE_QUEUE_TO_FAIL) ? DB_OK : DB_NOMEM;
}
