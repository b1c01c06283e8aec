/* SPDX-License-Identifier: ISC */
/* A message being received, from any source: smtpd, the collector, or an import.
 *
 *   empty ----incoming_chunk()---> spooling ----incoming_end()---> a job for its source, and empty
 *     ^                               |  |                            with incoming_deliver()
 *     |                               |  +---an error---> spoiled
 *     +--------incoming_drop()--------+----------------------+
 *
 * Invariants: the octets of a spoiled message are never delivered; a limited source delivers no
 * message above incoming_most(); spooled octets have one owner, this message or the job that
 * delivers it; every message is completed as RETR sends it (jobs/deliver.h). */
#ifndef QASID_STORE_OWNER_INCOMING_H
#define QASID_STORE_OWNER_INCOMING_H

#include "src/store/jobs/deliver.h"
#include "src/store/owner/history.h"

struct store;
struct session;

/* What is common to all messages of a source. */
struct incoming_road {
  enum job_kind chunk, message; /* the kinds of its jobs */
  size_t size;                  /* octets of the message's job, which begins with a struct
                                 * deliver_job */
  bool limited;                 /* message_size_limit applies */
  bool history;                 /* its messages are recorded in the history */
};

struct incoming {
  struct spool spool; /* number 0: nothing was spooled. The job owns it while one is outstanding */
  uint64_t octets;    /* received so far, written or not */
  /* not JOB_DONE: the message is refused for this reason */
  enum job_result spoiled;
  struct history_arrival *arrival; /* NULL: not known */
};

/* The most octets that a message of a limited source may have: message_size_limit applies to what
 * the client sent; prepended fields and completion come on top. */
uint64_t incoming_most(const struct store *s);

/* The next octets of the session's message, as a job for the caller to submit. Anything but
 * JOB_DONE spoils the message. */
enum job_result incoming_chunk(struct store *s, const struct incoming_road *road,
                               struct session *session, struct slice chunk, int64_t now_s,
                               struct spool_job **ret);
/* That job has come back. Returns the state of the message. */
enum job_result incoming_chunk_done(struct store *s, struct incoming *in,
                                    const struct store_job *j);
/* The message is complete: the spooled octets, and `parts`. *ret: its job, without recipients; the
 * caller frees it or passes it to incoming_deliver(). The message is unchanged until then. */
enum job_result incoming_end(struct store *s, const struct incoming_road *road,
                             struct session *session, struct deliver_parts *parts, int64_t now_s,
                             struct deliver_job **ret);
/* Submits it, with all that the session had of the message. */
void incoming_deliver(struct store *s, struct session *session, struct deliver_job *d);
/* Discards the message; no job for it may be outstanding. */
void incoming_drop(struct store *s, struct incoming *in);

#endif
