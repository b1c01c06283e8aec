/* SPDX-License-Identifier: ISC */
/* Results for recipients in a sender's hands, or for recipients that have expired, as a write
 * job. */
#ifndef QASID_STORE_JOBS_RESULT_H
#define QASID_STORE_JOBS_RESULT_H

#include "src/store/jobs/attempt.h"
#include "src/store/jobs/report.h"

enum queue_move {
  QUEUE_DELIVERED, /* the row goes */
  QUEUE_FAILED,    /* the row goes */
  QUEUE_LATER,     /* due and delay are stored */
  QUEUE_CUT,       /* the attempt was interrupted: due at once, and only recorded in the history */
  QUEUE_UNTOUCHED, /* not tried: due at once */
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
  bool report;           /* it is included in this job's report */
  bool over;             /* QUEUE_FAILED because it expired */
  bool doubtful;         /* no decisive reply to the end of data: the message may have been taken */
  int64_t due;           /* QUEUE_LATER */
  uint32_t delay;
  struct slice destination; /* QUEUE_LATER: the destination under which it waits from now on; empty:
                             * unchanged */
  /* results */
  bool there; /* the row existed: the result has been applied */
  /* another server's last reply: the outcome, or that of an earlier attempt */
  struct attempt_last last;
};

struct result_job {
  struct store_job job;
  uint64_t tag;        /* 0: housekeeping's, nothing was in hands */
  bool here;           /* not tried: the outcome was decided here */
  struct arena memory; /* for the slices here */
  struct taken_letter *letter;
  struct queue_result *results;
  size_t count;
  struct slice host, address, tls;
  bool unreachable;
  bool moved; /* its mail is now routed differently from the rest of its former destination */
  int64_t dead_until;
  struct report_post report;
};

#endif
