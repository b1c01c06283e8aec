/* SPDX-License-Identifier: ISC */
/* Limits on what an account sends: the writer's side (see owner/brake.h). */
#ifndef QASID_STORE_SQL_BRAKE_H
#define QASID_STORE_SQL_BRAKE_H

#include "src/store/jobs/deliver.h"
#include "src/store/sql/engine.h"

enum { BRAKE_MEMORY_DAYS = 400 };

enum db_result brake_run(struct store_engine *e, struct deliver_job *d);
/* Resets the account's counters, when the postmaster has released its mail. */
enum db_result brake_forget(struct store_engine *e, uint64_t account);

#endif
