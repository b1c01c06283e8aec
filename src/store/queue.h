/* SPDX-License-Identifier: ISC */
/* The queue: recipients elsewhere, as rows. docs/design/queue.md has the states.
 *
 *   letter      what the recipients of one message share; it holds one reference of the body
 *   recipient   one recipient that is waiting or held; which ones are in a sender's hands is known
 *               to the owner only (outbound.c)
 *   attempt     history: one row for each attempt of each recipient
 *
 * Invariants:
 *  1. A recipient leaves the table only in the job that writes its end: delivered, failed (with the
 *     report, where one is due, in the same transaction), dropped.
 *  2. A letter and its reference of the body are removed with its last recipient.
 *  3. A row is named by its id; ids are never used twice. */
#ifndef QASID_STORE_QUEUE_H
#define QASID_STORE_QUEUE_H

#include "ipc/sender_store.h"
#include "lib/base/arena.h"
#include "mail/smtp/class.h"
#include "src/store/engine.h"
#include "src/store/schedule.h"

/* `expires` of a recipient that the administrator ends. */
enum { QUEUE_TO_FAIL = -1 };
enum queue_state { QUEUE_WAITING, QUEUE_HELD };

/* Rows of `from` ("SELECT … WHERE … ") beyond the place (?1, ?2) in the order (key, id), up to
 * `until`. In two parts, since SQLite takes only the first of a pair's columns from an index: a
 * million rows with one time would be walked from the first in each slice. */
#define QUEUE_BEYOND(from, key, id, until)                                                     \
  from key " = ?1 AND " id " > ?2" until " UNION ALL " from key " > ?1" until " ORDER BY " key \
           ", " id

/* --- written with the message: queue_letter.h --- */

/* For deliver.c, inside its transaction. */
enum db_result queue_write(struct store_engine *e, uint64_t body, int64_t now_s, int64_t expires_s,
                           const struct queue_letter *l, const struct queue_rcpt *rcpts,
                           size_t count);

/* At most `n` octets of a stored body from `at` on, appended to `out`. */
enum db_result queue_octets(struct store_engine *e, uint64_t body, uint64_t at, size_t n,
                            struct buf *out);
/* How long our own Return-Path: line at the front is; 0: there is none. */
uint32_t queue_own_line(struct slice octets);
/* Removes the letter, and its reference of the body, if it has no recipient left. */
enum db_result queue_end_letter(struct store_engine *e, uint64_t body);

/* --- the take: a read job --- */

struct taken_rcpt {
  uint64_t row;
  struct slice address, orcpt;
  uint8_t notify;
  uint8_t state, held_by; /* enum queue_state, enum queue_held_by */
  int64_t due, expires;
  uint32_t tries, delay;
  uint32_t doubts; /* attempts after which some server may have had the message */
};

/* Rows of one body, all with the same forwarder. */
struct taken_letter {
  struct taken_letter *next;
  uint64_t body;
  /* the address here that leads to them; empty: the envelope's own recipients */
  struct slice forwarder;
  /* the reverse-path that is sent: letter.return_path, or a rewritten one (mail/srs.h) */
  struct slice wire_path;
  bool loops;        /* it was forwarded by that address before */
  bool over;         /* the time of its recipients is over: they are not tried any more */
  struct slice name; /* the queue id */
  struct queue_letter letter;
  int64_t came_s;
  /* octets that are sent: without our Return-Path: line, with what goes before */
  uint64_t size;
  uint32_t skip;       /* octets of that line */
  uint32_t before;     /* octets of "Delivered-To: <forwarder>", which `octets` begins with */
  struct slice octets; /* the first that are sent */
  struct taken_rcpt *rcpts;
  size_t count;
  size_t row_octets; /* at least what they take in send_letter's list */
};

struct take_job {
  struct store_job job;
  struct slice destination; /* copied behind the job */
  struct slice secret;      /* store's; as long as the store */
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
extern const struct job_kind take_kind;

/* More octets of a letter in hands. */
struct octets_job {
  struct store_job job;
  uint64_t tag, body, offset; /* offset: in the stored octets */
  uint32_t sender;
  struct buf octets; /* result; empty: they cannot be read */
};
extern const struct job_kind octets_kind;

/* --- the start and housekeeping: outside of jobs, or read jobs --- */

/* Calls fn for each destination with waiting rows and its earliest due time. */
enum db_result queue_destinations(struct db *db,
                                  bool (*fn)(void *arg, struct slice destination, int64_t due),
                                  void *arg);

/* A place in the order (expires, id) of rows. */
struct queue_cursor {
  int64_t expires, row;
};
/* The next letters with recipients that have expired, whatever state they are in. */
struct expired_job {
  struct store_job job;
  struct queue_cursor from; /* result: the last row that was read */
  /* results */
  struct arena memory;
  struct taken_letter *letters;
  bool full; /* there may be more */
};
extern const struct job_kind expired_kind;

/* Removes some old history; `again` while there is more. */
struct history_job {
  struct store_job job;
  int64_t before_s;
};
extern const struct job_kind history_kind;

/* --- owner's side: outbound.c --- */
void take_finish(struct store *s, struct store_job *j);
void octets_finish(struct store *s, struct store_job *j);
void expired_finish(struct store *s, struct store_job *j);

#endif
