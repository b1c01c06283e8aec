/* SPDX-License-Identifier: ISC */
/* The functions that the threads run for each kind of job (jobs/kinds.def), and their table.
 *
 *   run      DB_OK when the job has set its result, whatever that is; else the database's error,
 *            after which the transaction is rolled back
 *   undo     the transaction was rolled back
 *   settle   its last run is over, and durable if the result is JOB_DONE: in the writer's thread */
#ifndef QASID_STORE_SQL_WORK_H
#define QASID_STORE_SQL_WORK_H

#include "src/store/jobs/job.h"

typedef enum db_result work_run(struct store_engine *e, struct store_job *j);
typedef void work_end(struct store_engine *e, struct store_job *j);

struct work {
  const char *name;
  work_run *run;
  work_end *undo, *settle; /* NULL: nothing to be done */
};
const struct work *work_of(const struct store_job *j);

work_run attempts_run, collect_run, command_run, deleted_run, deliver_run, expired_run, forget_run,
    history_run, housekeeping_run, late_run, listed_run, octets_run, old_mail_run, open_run,
    quit_run, read_run, release_run, result_run, seen_run, spool_run, take_run, tls_failures_run,
    unspool_run, warn_run;
work_end command_undo, deliver_undo, deliver_settle, result_undo, result_settle, warn_undo,
    warn_settle;

#endif
