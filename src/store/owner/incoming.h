/* SPDX-License-Identifier: ISC */
/* A message on its way in, on any road: from smtpd, from the collector, from an import.
 *
 *   empty ----incoming_chunk()---> spooling ----incoming_end()---> a job of its road, and empty
 *     ^                               |  |                            with incoming_deliver()
 *     |                               |  +---an error---> spoiled
 *     +--------incoming_drop()--------+----------------------+
 *
 * Invariants: the octets of a spoiled message are never delivered; a limited road takes no message
 * above incoming_most(); what was spooled has one owner, this message or the job that delivers it;
 * every message ends as RETR sends it (jobs/deliver.h). */
#ifndef QASID_STORE_OWNER_INCOMING_H
#define QASID_STORE_OWNER_INCOMING_H

#include "src/store/jobs/deliver.h"
#include "src/store/owner/history.h"

struct store;
struct session;

/* What is the same for each message of a road. */
struct incoming_road {
  enum job_kind chunk, message; /* kinds of its jobs */
  size_t size;                  /* octets of the message's job, a struct deliver_job at its front */
  bool limited;                 /* by message_size_limit */
  bool history;                 /* where it comes from is an event of the history */
};

struct incoming {
  struct spool spool; /* number 0: nothing was spooled. The job's while one is out */
  uint64_t octets;    /* came so far, written or not */
  /* not JOB_DONE: the message is refused, with this */
  enum job_result spoiled;
  struct history_arrival *arrival; /* NULL: not known */
};

/* The most octets that a message of a limited road may have: message_size_limit is for what the
 * client sent; what is put in front of it, and what it is mended by, comes on top. */
uint64_t incoming_most(const struct store *s);

/* The next octets of the session's message, as a job for the caller to send off. Anything but
 * JOB_DONE spoils the message. */
enum job_result incoming_chunk(struct store *s, const struct incoming_road *road,
                               struct session *session, struct slice chunk, int64_t now_s,
                               struct spool_job **ret);
/* That job has come back. Returns what has become of the message. */
enum job_result incoming_chunk_done(struct store *s, struct incoming *in,
                                    const struct store_job *j);
/* All of the message is here: what was spooled, and `parts`. *ret: its job, without recipients; the
 * caller frees it or hands it to incoming_deliver(). The message stays as it is until then. */
enum job_result incoming_end(struct store *s, const struct incoming_road *road,
                             struct session *session, struct deliver_parts *parts, int64_t now_s,
                             struct deliver_job **ret);
/* Sends it off, with all that the session had of the message. */
void incoming_deliver(struct store *s, struct session *session, struct deliver_job *d);
/* Discards what came; no job may be out for it. */
void incoming_drop(struct store *s, struct incoming *in);

#endif
