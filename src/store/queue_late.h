/* SPDX-License-Identifier: ISC */
/* Mail that is late: once, `queue_warn_after` after it came, the sender of a message is told which
 * of its recipients still wait, in whatever state they are.
 *
 *   owner    late_run() each minute → late job (reader): the next letters in the order in which
 *            they came, with the rows that are not warned yet → late_finish(): who wants to
 *            know, and why it waits → warn job (writer): the mark and the report, in one
 *            transaction
 *
 * A cursor in memory goes by the time at which letters came, so each is looked at once in the life
 * of the process, and marks make that once for ever. */
#ifndef QASID_STORE_QUEUE_LATE_H
#define QASID_STORE_QUEUE_LATE_H

#include "src/store/queue.h"

struct late_cursor {
  int64_t came;
  uint64_t body, row; /* the last that was looked at */
};

struct late_job {
  struct store_job job;
  int64_t came_by;
  struct late_cursor from; /* result: where the next goes on */
  /* results */
  struct arena memory;
  struct taken_letter *letters;
  bool full; /* there may be more */
};
extern const struct job_kind late_kind;

/* --- the owner's side: outbound_late.c --- */

struct late_walk {
  bool reading;     /* its job is out */
  bool more;        /* behind `from` there may be more */
  uint64_t writing; /* warn jobs that are out */
  struct late_cursor from;
  struct map told; /* accounts that were told today of what is held for their limits */
  int64_t told_day;
};
void late_init(struct late_walk *w);
void late_free(struct late_walk *w);
/* Each minute. */
void late_run(struct store *s, int64_t now_s);
void late_finish(struct store *s, struct store_job *j);

#endif
