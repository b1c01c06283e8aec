/* SPDX-License-Identifier: ISC */
/* Which recipients have which message of the drop folder (docs/design/pickup.md): the process may
 * be killed between a commit and the removal of the file, which is then submitted again.
 *
 * The rows are written in the transaction of the message, by recipient: an account's number, or a
 * key for a remote address. The owner has the same in memory (src/store/owner/partly.h) and leaves
 * such recipients out. The newest DROPPED_MAX are kept; they do not expire by time, since the
 * server may be down for any time between a commit and the next submission.
 *
 * While an earlier commit of the same message is in progress, the owner does not know its
 * recipients yet, but the writer sees its rows: the later one fails, and is tried again. */
#ifndef QASID_STORE_SQL_DROPPED_H
#define QASID_STORE_SQL_DROPPED_H

#include "src/store/jobs/deliver.h"
#include "src/store/sql/engine.h"

/* All rows, the oldest first. */
enum db_result dropped_read(struct db *db, void (*fn)(void *arg, struct slice name, uint64_t who),
                            void *arg);
/* In the message's transaction. If a recipient already has it: j->result is JOB_TROUBLE, and
 * nothing is written. */
enum db_result dropped_write(struct store_engine *e, struct deliver_job *d);

#endif
