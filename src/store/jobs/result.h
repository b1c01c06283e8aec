/* SPDX-License-Identifier: ISC */
/* Results of recipients in a sender's hands, or of recipients that have expired, as a write job. */
#ifndef QASID_STORE_JOBS_RESULT_H
#define QASID_STORE_JOBS_RESULT_H

#include "src/store/jobs/attempt.h"
#include "src/store/jobs/report.h"

enum queue_move {
  QUEUE_DELIVERED, /* the row goes */
  QUEUE_FAILED,    /* the row goes */
  QUEUE_LATER,     /* due and delay are stored */
  QUEUE_CUT,       /* the attempt was cut here: due at once, and only the history tells it */
  QUEUE_UNTOUCHED, /* nobody tried: due at once */
};
/* The row stays in the queue. */
static inline bool queue_stays(enum queue_move m) {
  return m == QUEUE_LATER || m == QUEUE_CUT || m == QUEUE_UNTOUCHED;
}

struct queue_result {
  struct taken_rcpt rcpt;
  struct send_outcome outcome;
  enum queue_move move;
  enum smtp_class class; /* of the outcome; delivered: unknown */
  bool report;           /* it is in the report of this job */
  bool over;             /* QUEUE_FAILED, since its time in the queue is over */
  bool doubtful;         /* the end of data had no reply that decides it: it may have been taken */
  int64_t due;           /* QUEUE_LATER */
  uint32_t delay;
  struct slice destination; /* QUEUE_LATER: the one under which it waits now; empty: as before */
  /* results */
  bool there; /* the row was there: what is said above has become true */
  /* what another server said last: the outcome, or what is known of an earlier attempt */
  struct attempt_last last;
};

struct result_job {
  struct store_job job;
  uint64_t tag;        /* 0: housekeeping's, nothing was in hands */
  bool here;           /* nobody tried: the outcome was decided here */
  struct arena memory; /* of what the slices here point to */
  struct taken_letter *letter;
  struct queue_result *results;
  size_t count;
  struct slice host, address, tls;
  bool unreachable;
  bool moved; /* its mail goes another way now than the rest of the destination that it was in */
  int64_t dead_until;
  struct report_post report;
};

#endif
