/* SPDX-License-Identifier: ISC */
/* Writes the results of recipients: rows are removed or get their next time, the history is
 * extended, and the report to the sender of the message is written, all in one transaction.
 *
 * The owner has decided everything (outbound_results.c); for a row that the administrator dropped
 * meanwhile, nothing is changed and nothing reported. */
#include <stdlib.h>

#include "src/store/jobs/result.h"
#include "src/store/sql/attempt.h"
#include "src/store/sql/queue_count.h"
#include "src/store/sql/report.h"
#include "src/store/sql/work.h"

/* --- rows --- */

static enum db_result put_off(struct store_engine *e, const struct result_job *j,
                              const struct queue_result *q) {
  /* a decision made here does not overwrite a server's reply */
  struct db_stmt *s = db_prepare(
      e->db, "UPDATE recipient SET due = ?1, delay = ?2, tries = tries + 1, doubts = doubts + ?8,"
             " code = CASE WHEN ?7 <> 0 AND code <> 0 THEN code ELSE ?3 END,"
             " reply = CASE WHEN ?7 <> 0 AND code <> 0 THEN reply ELSE ?4 END, class = ?5,"
             " destination = coalesce(?9, destination)"
             " WHERE id = ?6");
  db_bind_int(s, 1, q->due);
  db_bind_int(s, 2, q->delay);
  db_bind_int(s, 3, q->outcome.code);
  db_bind_text(s, 4, q->outcome.text.n ? q->outcome.text : SLICE(""));
  db_bind_text(s, 5, slice_str(smtp_class_word(q->class)));
  db_bind_int(s, 6, (int64_t)q->rcpt.row);
  db_bind_int(s, 7, j->here);
  db_bind_int(s, 8, q->doubtful);
  if (q->destination.n)
    db_bind_text(s, 9, q->destination);
  else
    db_bind_null(s, 9);
  return db_run(s);
}

/* q->there: the row existed, whatever the administrator did to it meanwhile. */
static enum db_result end_row(struct store_engine *e, struct queue_result *q,
                              struct queue_tally *t) {
  struct db_stmt *s =
      db_prepare(e->db, "SELECT state, held_by, expires FROM recipient WHERE id = ?");
  db_bind_int(s, 1, (int64_t)q->rcpt.row);
  enum db_result r = db_step(s);
  q->there = r == DB_ROW;
  if (r != DB_ROW) return r;
  t->n[queue_kind_of(db_int(s, 0), db_int(s, 1), db_int(s, 2))]--;
  db_reset(s);
  s = db_prepare(e->db, "DELETE FROM recipient WHERE id = ?");
  db_bind_int(s, 1, (int64_t)q->rcpt.row);
  return db_run(s);
}

/* The reply that explains the end: this attempt's; without an attempt, the last attempt's. */
static enum db_result find_reply(struct store_engine *e, struct result_job *j,
                                 struct queue_result *q) {
  struct attempt_last last;
  q->last = (struct attempt_last){ .at_s = j->here ? 0 : j->job.now_s,
                                   .code = q->outcome.code,
                                   .reply = q->outcome.text,
                                   .host = j->host };
  if (!j->here || !q->over) return DB_OK;
  enum db_result r =
      attempt_last(e, &j->memory, q->rcpt.row, j->letter->name, q->rcpt.address, &last);
  if (r == DB_OK && last.reply.n) q->last = last;
  return r;
}

static enum db_result look_for_row(struct store_engine *e, struct queue_result *q) {
  struct db_stmt *s = db_prepare(e->db, "SELECT 1 FROM recipient WHERE id = ?");
  db_bind_int(s, 1, (int64_t)q->rcpt.row);
  enum db_result r = db_step(s);
  db_reset(s);
  q->there = r == DB_ROW;
  return r == DB_ROW ? DB_OK : r;
}

static enum db_result change_row(struct store_engine *e, struct result_job *j,
                                 struct queue_result *q, struct queue_tally *t) {
  enum db_result r = find_reply(e, j, q);
  if (q->move == QUEUE_CUT) return r == DB_OK ? look_for_row(e, q) : r;
  if (r == DB_OK && q->move != QUEUE_LATER) return end_row(e, q, t);
  if (r == DB_OK) r = put_off(e, j, q);
  q->there = r == DB_OK && db_changes(e->db) > 0;
  return r;
}

static enum db_result put_history(struct store_engine *e, const struct result_job *j,
                                  const struct queue_result *q) {
  static const enum attempt_what whats[] = { [QUEUE_DELIVERED] = ATTEMPT_SENT,
                                             [QUEUE_FAILED] = ATTEMPT_FAILED,
                                             [QUEUE_LATER] = ATTEMPT_DEFERRED,
                                             [QUEUE_CUT] = ATTEMPT_CUT };
  const struct send_outcome *o = &q->outcome;
  struct attempt a = {
    .at_s = j->job.now_s,
    .due_s = queue_stays(q->move) ? q->due : 0,
    .name = j->letter->name,
    .return_path = j->letter->letter.return_path,
    .address = q->rcpt.address,
    .what = q->over ? ATTEMPT_EXPIRED : whats[q->move],
    .stage = j->here && q->move != QUEUE_CUT ? ATTEMPT_NO_STAGE : o->stage,
    .code = q->last.code,
    .reply = q->last.reply,
    .host = q->last.host,
    .ip = j->address,
    .tls = j->tls,
  };
  memcpy(a.enhanced, o->enhanced, sizeof a.enhanced);
  return attempt_put(e, &a);
}

/* The letter is removed with its last recipient. */
enum db_result queue_end_letter(struct store_engine *e, uint64_t body) {
  struct db_stmt *s = db_prepare(e->db, "SELECT 1 FROM recipient WHERE body = ? LIMIT 1");
  db_bind_int(s, 1, (int64_t)body);
  enum db_result r = db_step(s);
  db_reset(s);
  if (r == DB_ROW) return DB_OK;
  if (r != DB_OK) return r;
  s = db_prepare(e->db, "DELETE FROM letter WHERE body = ?");
  db_bind_int(s, 1, (int64_t)body);
  r = db_run(s);
  return r == DB_OK && db_changes(e->db) ? engine_unref_body(e, body) : r;
}

/* --- the report --- */

static enum report_action action_of(const struct queue_result *q) {
  return q->move == QUEUE_DELIVERED ? REPORT_RELAYED : REPORT_FAILED;
}

static struct report_rcpt report_of(const struct result_job *j, const struct queue_result *q) {
  struct report_rcpt r = {
    .action = action_of(q),
    .address = q->rcpt.address,
    .orcpt = q->rcpt.orcpt,
    .code = q->last.code,
    .text = q->last.reply,
    .host = q->last.host,
    .tried_s = q->last.at_s,
    .until_s = q->rcpt.expires,
    .over_s = q->over ? j->job.now_s - j->letter->came_s : 0,
  };
  memcpy(r.enhanced, q->outcome.enhanced, sizeof r.enhanced);
  return r;
}

static enum db_result report(struct store_engine *e, struct result_job *j,
                             struct report_rcpt *rcpts, size_t count) {
  const struct taken_letter *l = j->letter;
  struct report_about about = { .name = l->name,
                                .letter = &l->letter,
                                .body = l->body,
                                .skip = l->skip,
                                .size = l->size,
                                .came_s = l->came_s };
  return report_write(e, &j->report, &about, rcpts, count, j->job.now_s);
}

/* --- the job --- */

static enum db_result run_results(struct store_engine *e, struct result_job *j,
                                  struct report_rcpt *rcpts, size_t *ret_count) {
  struct queue_tally t = { { 0 } };
  *ret_count = 0;
  for (size_t i = 0; i < j->count; i++) {
    struct queue_result *q = &j->results[i];
    if (q->move == QUEUE_UNTOUCHED) continue;
    enum db_result r = change_row(e, j, q, &t);
    if (r == DB_OK && q->there) r = put_history(e, j, q);
    if (r != DB_OK) return r;
    if (q->there && q->report && j->report.due) rcpts[(*ret_count)++] = report_of(j, q);
  }
  for (int k = 0; k < QUEUE_KINDS; k++)
    if (t.n[k]) return queue_count_change(e, j->letter->body, &t);
  return DB_OK;
}

enum db_result result_run(struct store_engine *e, struct store_job *job) {
  struct result_job *j = (struct result_job *)job;
  struct report_rcpt *rcpts = calloc(j->count, sizeof *rcpts);
  size_t count = 0;
  if (!rcpts) return DB_NOMEM;
  enum db_result r = run_results(e, j, rcpts, &count);
  if (r == DB_OK && count) r = report(e, j, rcpts, count);
  if (r == DB_OK) r = queue_end_letter(e, j->letter->body);
  free(rcpts);
  return r;
}

void result_undo(struct store_engine *e, struct store_job *job) {
  report_undo(e, &((struct result_job *)job)->report);
}
void result_settle(struct store_engine *e, struct store_job *job) {
  report_settle(e, &((struct result_job *)job)->report);
}

/* --- history --- */

enum { HISTORY_A_SLICE = 500 };

enum db_result attempts_run(struct store_engine *e, struct store_job *job) {
  struct db_stmt *s = db_prepare(
      e->db,
      "DELETE FROM attempt WHERE id IN (SELECT id FROM attempt WHERE at < ? ORDER BY at LIMIT ?)");
  db_bind_int(s, 1, ((struct attempts_job *)job)->before_s);
  db_bind_int(s, 2, HISTORY_A_SLICE);
  enum db_result r = db_run(s);
  job->again = r == DB_OK && db_changes(e->db) == HISTORY_A_SLICE;
  return r;
}
