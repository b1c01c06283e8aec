/* SPDX-License-Identifier: ISC */
/* Rows of `collected` (jobs/collected.h). */
#ifndef QASID_STORE_SQL_COLLECTED_H
#define QASID_STORE_SQL_COLLECTED_H

#include "src/store/sql/engine.h"

/* Removes some hundreds of the account's rows; *ret_left: there are more. */
enum db_result collected_drop_account(struct store_engine *e, int64_t account, bool *ret_left);

#endif
