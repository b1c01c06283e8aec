/* SPDX-License-Identifier: ISC */
/* The owner's part of administrative commands (jobs/verbs.def). */
#ifndef QASID_STORE_OWNER_ADMIN_H
#define QASID_STORE_OWNER_ADMIN_H

#include "src/store/jobs/admin.h"
#include "src/store/owner/owner.h"

typedef void admin_fn(struct store *s, struct admin_job *a);

/* Before a command: refuses it, or supplies what only the owner knows. */
admin_fn admin_refuse_open;       /* mail delete: not while a client has the maildrop open */
admin_fn admin_view;              /* why rows of the queue wait */
admin_fn admin_view_with_history; /* the same, and the history is written up to now */
/* Whole commands. */
admin_fn admin_put_rows, admin_plan;
admin_fn import_begin;
/* After a command: the owner's part of its answer. */
admin_fn admin_status, admin_compact;

#endif
