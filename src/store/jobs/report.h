/* SPDX-License-Identifier: ISC */
/* Writes delivery reports (mail/report.h) in the transaction that they report on: into a local
 * mailbox, or as a message of the queue with the empty reverse-path.
 *
 *   owner    report_address() finds the recipients of the report, or that there are none
 *   writer   report_write(), inside the run of the job that ends or delays recipients;
 *            report_undo() and report_settle() with those of the job
 *   owner    report_finish(), then report_free()
 *
 * There is never a report about a report: none is sent to the empty reverse-path. */
#ifndef QASID_STORE_JOBS_REPORT_H
#define QASID_STORE_JOBS_REPORT_H

#include "mail/report.h"
#include "src/store/jobs/queue.h"

enum { REPORT_WHOLE_MAX = 64 * 1024 /* RET=FULL returns a message of up to this size */ };

struct report_post {
  bool due;              /* there is a recipient for it */
  struct slice reporter; /* our host name */
  struct slice to;       /* for the To: field; empty: the reverse-path */
  uint8_t nonce[8];
  int64_t expires_s;
  struct deliver_place *places; /* the reverse-path is a local mailbox: owned until `job` has
                                 * them */
  size_t place_count;
  struct queue_rcpt *back; /* remote addresses that get it; in the arena of report_address() */
  size_t back_count;
  struct deliver_job *job; /* set when it is written */
};

/* The message that the report is about. */
struct report_about {
  struct slice name; /* its queue id */
  const struct queue_letter *letter;
  uint64_t body;
  uint32_t skip; /* octets of our own Return-Path: line in it */
  uint64_t size; /* octets after that line */
  int64_t came_s;
};

void report_free(struct report_post *p);

/* Local recipients whose sender requested a report of delivery (NOTIFY=SUCCESS, RFC 3461 §4.1), and
 * those that had no room for the message while others got it: the report is written in the
 * message's own transaction. */
struct deliver_dsn {
  struct report_post post;
  struct report_rcpt *rcpts; /* owned; texts in the job's `kept` */
  size_t count, cap;
};

#endif
