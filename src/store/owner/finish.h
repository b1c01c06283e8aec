/* SPDX-License-Identifier: ISC */
/* The owner's function for a job of each kind that comes back (jobs/kinds.def): answers, and
 * updates its memory. */
#ifndef QASID_STORE_OWNER_FINISH_H
#define QASID_STORE_OWNER_FINISH_H

#include "src/store/jobs/job.h"

void finish_job(struct store *s, struct store_job *j);

typedef void finish_fn(struct store *s, struct store_job *j);
finish_fn collect_finish, collect_spool_finish, command_finish, deleted_finish, deliver_finish,
    expired_finish, forget_finish, history_finish, housekeeping_finish, import_finish,
    import_spool_finish, late_finish, listed_finish, octets_finish, old_mail_finish, open_finish,
    quit_finish, read_finish, result_finish, seen_finish, spool_finish, take_finish,
    tls_failures_finish, warn_finish;

#endif
