/* SPDX-License-Identifier: ISC */
/* The queue: remote recipients, as rows. docs/design/queue.md has the states.
 *
 *   letter      what the recipients of one message share; it holds one reference to the body
 *   recipient   one recipient that is waiting or held; only the owner knows which ones a sender has
 *               in hands (outbound.c)
 *   attempt     history: one row for each attempt for each recipient
 *
 * Invariants:
 *  1. A recipient leaves the table only in the job that records its end: delivered, failed (with
 *     the
 *     report, if one is due, in the same transaction), dropped.
 *  2. A letter and its reference to the body are removed with its last recipient.
 *  3. A row is identified by its id; ids are never reused. */
#ifndef QASID_STORE_JOBS_QUEUE_H
#define QASID_STORE_JOBS_QUEUE_H

#include "ipc/sender_store.h"
#include "lib/base/arena.h"
#include "mail/smtp/class.h"
#include "src/store/jobs/deliver.h"

/* `expires` of a recipient that the administrator failed. */
enum { QUEUE_TO_FAIL = -1 };
/* A domain, and perhaps the selector of a line of `routes` (src/store/owner/routes.h). */
enum { QUEUE_DESTINATION_MAX = SEND_DESTINATION_MAX + 1 + ENVELOPE_PATH_MAX + 16 };
enum queue_state { QUEUE_WAITING, QUEUE_HELD };

/* The address in whose name it is sent, if its author is known or the address is this server's own;
 * else empty (src/store/owner/routes.h). */
struct slice queue_known_path(const struct queue_letter *l, struct slice forwarder);
/* The length of our own Return-Path: line at the front; 0: there is none. */
uint32_t queue_own_line(struct slice octets);

/* --- the take: a read job --- */

struct taken_rcpt {
  uint64_t row;
  struct slice address, orcpt;
  uint8_t notify;
  uint8_t state, held_by; /* enum queue_state, enum queue_held_by */
  int64_t due, expires;
  uint32_t tries, delay;
  uint32_t doubts; /* attempts after which a server may have had the message */
};

/* Rows of one body, all with the same forwarder. */
struct taken_letter {
  struct taken_letter *next;
  uint64_t body;
  /* the local address through which they are reached; empty: the envelope's own recipients */
  struct slice forwarder;
  /* the reverse-path to be sent: letter.return_path, or a rewritten one (mail/srs.h) */
  struct slice wire_path;
  bool loops;        /* that address has forwarded it before */
  bool over;         /* its recipients have expired: they are not tried any more */
  struct slice name; /* the queue id */
  struct queue_letter letter;
  int64_t came_s;
  /* octets to be sent: without our Return-Path: line, with what is prepended */
  uint64_t size;
  uint32_t skip;       /* octets of that line */
  uint32_t before;     /* octets of "Delivered-To: <forwarder>", which `octets` begins with */
  struct slice octets; /* the first ones to be sent */
  struct taken_rcpt *rcpts;
  size_t count;
  size_t row_octets; /* at least what they take in the envelope's records */
};

#define SCHED_NEVER INT64_MAX
struct sched_cursor {
  int64_t due;
  uint64_t row;
};

struct take_job {
  struct store_job job;
  struct slice destination; /* copied after the job */
  struct slice secret;      /* store's; lives as long as the store */
  struct sched_cursor cursor;
  uint32_t most;   /* letters */
  uint32_t sender; /* for whom */
  uint64_t number; /* hands.h */
  uint8_t generation;
  /* results */
  struct arena memory;
  struct taken_letter *letters;
  uint32_t count;
  int64_t next_due;
};

/* More octets of a letter in hands. */
struct octets_job {
  struct store_job job;
  uint64_t tag, body, offset; /* offset: in the stored octets */
  uint32_t sender;
  struct buf octets; /* result; empty: they cannot be read */
};

/* --- housekeeping --- */

/* A position in the order (expires, id) of rows. */
struct queue_cursor {
  int64_t expires, row;
};
/* The next letters with recipients that have expired, in whatever state. */
struct expired_job {
  struct store_job job;
  struct queue_cursor from; /* result: the last row that was read */
  /* results */
  struct arena memory;
  struct taken_letter *letters;
  bool full; /* there may be more */
};

struct late_cursor {
  int64_t came;
  uint64_t body, row; /* the last one examined */
};

/* The next letters with recipients that still wait and were not yet reported as delayed. */
struct late_job {
  struct store_job job;
  int64_t came_by;
  struct late_cursor from; /* result: where the next one continues */
  /* results */
  struct arena memory;
  struct taken_letter *letters;
  bool full; /* there may be more */
};

/* Removes some old history; `again` while there is more. */
struct attempts_job {
  struct store_job job;
  int64_t before_s;
};

#endif
