/* SPDX-License-Identifier: ISC */
/* Writes and reads rows of the queue's history (jobs/attempt.h). */
#ifndef QASID_STORE_SQL_ATTEMPT_H
#define QASID_STORE_SQL_ATTEMPT_H

#include "lib/base/arena.h"
#include "src/store/jobs/attempt.h"
#include "src/store/sql/engine.h"

enum db_result attempt_put(struct store_engine *e, const struct attempt *a);
/* Records an administrative action on the recipient of that row. */
enum db_result attempt_put_act(struct store_engine *e, int64_t row, enum attempt_what what,
                               int64_t now_s);

enum db_result attempt_last(struct store_engine *e, struct arena *a, uint64_t row,
                            struct slice name, struct slice address, struct attempt_last *ret);

#endif
