/* SPDX-License-Identifier: ISC */
/* Limits on what an account sends: the writer's side (see owner/send_limits.h). */
#ifndef QASID_STORE_SQL_SEND_LIMITS_H
#define QASID_STORE_SQL_SEND_LIMITS_H

#include "src/store/jobs/deliver.h"
#include "src/store/sql/engine.h"

enum { SEND_LIMITS_MEMORY_DAYS = 400 };

enum db_result send_limits_apply(struct store_engine *e, struct deliver_job *d);
/* Resets the account's counters, when the postmaster has released its mail. */
enum db_result send_limits_forget(struct store_engine *e, uint64_t account);

#endif
