/* SPDX-License-Identifier: ISC */
/* The role that submits what sendmail left in the drop folder while the server was down. The design
 * is docs/design/pickup.md.
 *
 *   resting ──5 s──▶ a pass over the folder: for each name: passed by, set aside, or submitted
 *                    (one at a time; the pass goes on when it is over) ──▶ resting
 *
 * Invariants:
 *   1. A file is removed only when each of its recipients was accepted in the session that ended
 *      last, and the message by its end of data; everything else leaves it or sets it aside.
 *   2. Whatever a name turns out to be, the pass goes on with the next one.
 *   3. Memory: one batch of names, one message's envelope, PICKUP_LATER_MAX names of later. */
#ifndef QASID_PICKUP_H
#define QASID_PICKUP_H

#include "lib/base/map.h"
#include "mail/smtp/drop.h"
#include "runtime/role/process.h"

enum {
  PICKUP_REST_MS = 5000,
  PICKUP_LATER_MS = 5 * 60000,  /* until a message that was not taken is tried again */
  PICKUP_STUCK_MS = 60 * 60000, /* likewise, one that cannot be moved or removed */
  PICKUP_LATER_MAX = 4096,      /* such names; with more, all are tried again */
  PICKUP_USER_MAX = 200,        /* messages of one user in a pass */
  PICKUP_TURN_MAX = 100,        /* names in one turn of the loop */
  PICKUP_LINES_MAX = 100,       /* lines of the log about files in one pass */
  PICKUP_OLD_S = 5 * 86400,     /* not taken until then: set aside */
  PICKUP_UNFINISHED_S = 86400,  /* likewise, one that is not whole */
  PICKUP_NAMES = 32 * 1024,     /* octets of names read at once */
};

struct submission;

struct pickup {
  struct process *process;
  int folder;
  struct loop_timer *timer;      /* the next pass, or the next turn of this one */
  struct loop_timer *talk_timer; /* of the session */
  uint8_t *names;
  size_t name_n, name_at; /* octets at hand, and which of them are done */
  bool passing, skipped;  /* skipped: somebody's turn was over in this pass */
  struct map taken;       /* uid → messages in this pass */
  struct map later;       /* hash of a name → when it is tried again */
  size_t lines, unlogged; /* of this pass */
  struct submission *now;
};

/* A file that was opened and found to be one. */
struct found {
  char name[DROP_NAME + 1];
  uint8_t id[DROP_ID];
  int fd;
  uint32_t uid;
  uint64_t size;
  int64_t changed_s;
};

/* How a submission ended. */
enum outcome { OUTCOME_TAKEN, OUTCOME_REFUSED, OUTCOME_LATER };

/* --- look.c --- */

/* Goes on with the pass, or begins one. */
void look_go(struct pickup *p);
/* The submission is over; `words` says why it was not taken. */
void look_submitted(struct pickup *p, const struct found *f, enum outcome o, const char *words);

/* --- submit.c --- */

/* Takes f->fd. NULL, or why it could not be begun; *ret_malformed: that is the file's fault.
 * look_submitted() follows. */
const char *submit_begin(struct pickup *p, const struct found *f, bool *ret_malformed);
void submit_free(struct pickup *p);
/* The session's time has come; `arg` is the struct pickup. */
void submit_on_timer(void *arg);

#endif
