/* SPDX-License-Identifier: ISC */
/* Marks recipients as reported late and writes the report, in one transaction
 * (owner/outbound_late.h). Invariant: a recipient is reported late once, because the mark is in its
 * row. */
#include <stdlib.h>

#include "src/store/jobs/warn.h"
#include "src/store/sql/attempt.h"
#include "src/store/sql/report.h"
#include "src/store/sql/work.h"

static enum db_result mark(struct store_engine *e, uint64_t row, bool *ret_marked) {
  struct db_stmt *s =
      db_prepare(e->db, "UPDATE recipient SET warned = 1 WHERE id = ? AND warned = 0");
  db_bind_int(s, 1, (int64_t)row);
  enum db_result r = db_run(s);
  *ret_marked = r == DB_OK && db_changes(e->db) > 0;
  return r;
}

static enum db_result mark_and_report(struct store_engine *e, struct warn_job *w,
                                      struct report_rcpt *rcpts, size_t *ret_count) {
  enum db_result r = DB_OK;
  *ret_count = 0;
  for (size_t i = 0; r == DB_OK && i < w->letter.count; i++) {
    const struct taken_rcpt *t = &w->letter.rcpts[i];
    bool marked;
    r = mark(e, t->row, &marked);
    if (r != DB_OK || !marked) continue;
    struct report_rcpt *x = &rcpts[(*ret_count)++];
    *x = (struct report_rcpt){ .action = REPORT_DELAYED,
                               .address = t->address,
                               .orcpt = t->orcpt,
                               .until_s = t->expires,
                               .why = slice_str(w->whys[i]) };
    struct attempt_last last;
    r = attempt_last(e, &w->memory, t->row, w->letter.name, t->address, &last);
    if (r != DB_OK) continue;
    x->code = last.code;
    x->text = last.reply;
    x->host = last.host;
    x->tried_s = last.at_s;
    memcpy(x->enhanced, last.enhanced, sizeof x->enhanced);
  }
  return r;
}

enum db_result warn_run(struct store_engine *e, struct store_job *j) {
  struct warn_job *w = (struct warn_job *)j;
  struct report_rcpt *rcpts = calloc(w->letter.count, sizeof *rcpts);
  struct report_about about = { .name = w->letter.name,
                                .letter = &w->letter.letter,
                                .body = w->letter.body,
                                .size = w->letter.size,
                                .came_s = w->letter.came_s };
  size_t count = 0;
  enum db_result r = rcpts ? mark_and_report(e, w, rcpts, &count) : DB_NOMEM;
  if (r == DB_OK && count) r = report_write(e, &w->report, &about, rcpts, count, j->now_s);
  free(rcpts);
  return r;
}

void warn_undo(struct store_engine *e, struct store_job *j) {
  report_undo(e, &((struct warn_job *)j)->report);
}

void warn_settle(struct store_engine *e, struct store_job *j) {
  report_settle(e, &((struct warn_job *)j)->report);
}
