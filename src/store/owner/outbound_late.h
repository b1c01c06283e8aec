/* SPDX-License-Identifier: ISC */
/* Mail that is late: once, `queue_warn_after` after it came, the sender of a message is told which
 * of its recipients still wait, in whatever state they are.
 *
 *   owner    late_due() each minute → late job (reader): the next letters in the order in which
 *            they came, with the rows that are not warned yet → late_finish(): who wants to
 *            know, and why it waits → warn job (writer): the mark and the report, in one
 *            transaction
 *
 * A cursor in memory goes by the time at which letters came, so each is looked at once in the life
 * of the process, and marks make that once for ever. */
#ifndef QASID_STORE_OWNER_OUTBOUND_LATE_H
#define QASID_STORE_OWNER_OUTBOUND_LATE_H

#include "lib/base/map.h"
#include "src/store/jobs/queue.h"

struct late_walk {
  bool reading;     /* its job is out */
  bool more;        /* behind `from` there may be more */
  uint64_t writing; /* warn jobs that are out */
  struct late_cursor from;
  struct map told; /* accounts that were told today of what is held for their limits */
  int64_t notified_day;
};
void late_walk_init(struct late_walk *w);
void late_walk_free(struct late_walk *w);
/* Each minute. */
void late_due(struct store *s, int64_t now_s);

#endif
