/* SPDX-License-Identifier: ISC */
/* Delivery reports (mail/report.h) are written: into a mailbox here, or as a message of the queue
 * with the empty reverse-path, in the transaction that they report of.
 *
 *   owner    report_address(): to whom, or that no one is to have one
 *   writer   report_write(), inside the run of the job that ends or delays recipients;
 * report_undo() and report_settle() with that job's owner    report_finish(), then report_free()
 *
 * Nobody gets a report of a report: there is none for the empty reverse-path. */
#ifndef QASID_STORE_REPORT_H
#define QASID_STORE_REPORT_H

#include "mail/report.h"
#include "src/store/queue.h"

enum { REPORT_WHOLE_MAX = 64 * 1024 /* RET=FULL gives the message back up to that size */ };

struct report_post {
  bool due;              /* somebody is to have it */
  struct slice reporter; /* our host name */
  struct slice to;       /* as the To: field has it; empty: the reverse-path */
  uint8_t nonce[8];
  int64_t expires_s;
  struct deliver_place *places; /* the reverse-path is a mailbox here: owned until `job` has them */
  size_t place_count;
  struct queue_rcpt *back; /* addresses elsewhere that get it; in the arena of report_address() */
  size_t back_count;
  struct deliver_job *job; /* once it is written */
};

/* The message that it is about. */
struct report_about {
  const struct queue_letter *letter;
  uint64_t body;
  uint32_t skip; /* octets of our own Return-Path: line in it */
  uint64_t size; /* octets behind that line */
  int64_t came_s;
};

/* Finds who gets it; `p->due` is false where no one does. Texts that are not the store's own live
 * in `a`. False: no memory; then it is due to no one, and report_free() is still to be called. */
bool report_address(struct store *s, struct slice return_path, struct arena *a, int64_t now_s,
                    struct report_post *p);
/* The same for a report that itself failed: to the postmaster's mailbox here, or no one. */
bool report_to_postmaster(struct store *s, struct arena *a, int64_t now_s, struct report_post *p);
/* A report to `to` is left out: logged and counted. */
void report_dropped(struct store *s, struct slice to);
enum db_result report_write(struct store_engine *e, struct report_post *p,
                            const struct report_about *about, const struct report_rcpt *rcpts,
                            size_t count, int64_t now_s);
void report_undo(struct store_engine *e, struct report_post *p);
void report_settle(struct store_engine *e, struct report_post *p);
/* It is durable: mailboxes and the schedule learn of it. */
void report_finish(struct store *s, struct report_post *p, int64_t now_s);
void report_free(struct report_post *p);

#endif
