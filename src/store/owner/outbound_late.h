/* SPDX-License-Identifier: ISC */
/* Delayed mail: once, `queue_warn_after` after it came, the sender of a message is told which of
 * its recipients still wait, in whatever state.
 *
 *   owner    late_due() each minute → late job (reader): the next letters in the order in which
 *            they came, with the rows that were not reported yet → late_finish(): finds who wants
 *            to be notified, and why it waits → warn job (writer): the mark and the report, in one
 *            transaction
 *
 * A cursor in memory goes by the time at which letters came, so each is examined once in the life
 * of the process, and marks make that once for ever. */
#ifndef QASID_STORE_OWNER_OUTBOUND_LATE_H
#define QASID_STORE_OWNER_OUTBOUND_LATE_H

#include "lib/base/map.h"
#include "src/store/jobs/queue.h"

struct late_walk {
  bool reading;     /* its job is out */
  bool more;        /* there may be more after `from` */
  uint64_t writing; /* outstanding warn jobs */
  struct late_cursor from;
  struct map told; /* accounts already notified today about mail held by their limits */
  int64_t notified_day;
};
void late_walk_init(struct late_walk *w);
void late_walk_free(struct late_walk *w);
/* Each minute. */
void late_due(struct store *s, int64_t now_s);

#endif
