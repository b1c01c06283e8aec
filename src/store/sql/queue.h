/* SPDX-License-Identifier: ISC */
/* Rows of the queue, as read and written by the jobs of jobs/queue.h and others. */
#ifndef QASID_STORE_SQL_QUEUE_H
#define QASID_STORE_SQL_QUEUE_H

#include "src/store/jobs/queue.h"
#include "src/store/sql/engine.h"

/* Rows of `from` ("SELECT … WHERE … ") after the position (?1, ?2) in the order (key, id), up to
 * `until`. In two parts, since SQLite uses only the first of a pair of columns from an index: a
 * million rows with the same time would be scanned from the first in each slice. */
#define QUEUE_BEYOND(from, key, id, until)                                                     \
  from key " = ?1 AND " id " > ?2" until " UNION ALL " from key " > ?1" until " ORDER BY " key \
           ", " id

/* Inside the transaction of the message. */
enum db_result queue_write(struct store_engine *e, uint64_t body, int64_t now_s, int64_t expires_s,
                           const struct queue_letter *l, const struct queue_rcpt *rcpts,
                           size_t count);

/* Appends at most `n` octets of a stored body from `at` on to `out`. */
enum db_result queue_octets(struct store_engine *e, uint64_t body, uint64_t at, size_t n,
                            struct buf *out);
/* Removes the letter, and its reference to the body, if it has no recipient left. */
enum db_result queue_end_letter(struct store_engine *e, uint64_t body);

/* Calls fn for each destination with waiting rows and its earliest due time. */
enum db_result queue_destinations(struct db *db,
                                  bool (*fn)(void *arg, struct slice destination, int64_t due),
                                  void *arg);

#endif
