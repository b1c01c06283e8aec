/* SPDX-License-Identifier: ISC */
/* The history's database, for `qasid why`. */
#ifndef QASID_STORE_SQL_HISTORY_H
#define QASID_STORE_SQL_HISTORY_H

#include "src/store/sql/engine.h"

/* The engine's connection to it, opened (and re-created if it is damaged) at first use; NULL: not
 * available. */
struct db *history_db(struct store_engine *e);

#endif
