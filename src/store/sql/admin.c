/* SPDX-License-Identifier: ISC */
/* Runs a slice of an administrative command (jobs/admin.h). If it fails, only the reason is
 * sent. */
#include "src/store/sql/admin.h"

#include "src/store/sql/work.h"

static verb_run *const verbs[] = {
#define VERB(name, words, usage, least, most, where, run, before, after) [VERB_##name] = run,
#include "src/store/jobs/verbs.def"
#undef VERB
};

enum db_result command_run(struct store_engine *e, struct store_job *j) {
  struct admin_job *a = (struct admin_job *)j;
  a->columns_before = a->columns_sent;
  admin_begin_slice(a);
  j->again = false;
  enum db_result r = verbs[a->verb](e, a);
  a->undone = false;
  if (r == DB_OK && (a->out.failed || a->memory.failed)) r = DB_NOMEM;
  if (r == DB_OK) return r;
  a->columns_sent = a->columns_before;
  j->again = false;
  const char *why = a->why ? a->why(a) : db_error(e->db);
  admin_trouble(a, *why ? why : db_result_text(r));
  return r;
}

/* Another job of the group failed: it is run again, alone. */
void command_undo(struct store_engine *e, struct store_job *j) {
  struct admin_job *a = (struct admin_job *)j;
  a->columns_sent = a->columns_before;
  a->undone = true;
}
