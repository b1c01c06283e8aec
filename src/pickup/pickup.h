/* SPDX-License-Identifier: ISC */
/* The role that submits the messages that sendmail left in the drop folder while the server was
 * down. The design is docs/design/pickup.md.
 *
 *   resting ──5 s──▶ a pass over the folder: each name is skipped, set aside, or submitted
 *                    (one at a time; the pass continues when it is over) ──▶ a notice to the
 *                    postmaster about files set aside ──▶ resting
 *
 * Invariants:
 *   1. A file is removed only when the last session has settled each of its recipients: smtpd has
 *      answered 250 to the end of data for it, or to that of a report on it, or its sender wanted
 *      no report (RFC 3461 §4.1). Otherwise the file stays or is set aside.
 *   2. A report has the empty reverse-path; one that is refused goes to the postmaster, and if that
 *      is refused too there is none: no loop.
 *   3. Whatever a name turns out to be, the pass continues with the next one.
 *   4. One session with smtpd at a time.
 *   5. Memory: one batch of names, one message's envelope and report, PICKUP_LATER_MAX names to try
 *      later, PICKUP_NOTICE_MAX octets of notice. */
#ifndef QASID_PICKUP_H
#define QASID_PICKUP_H

#include "lib/base/map.h"
#include "mail/smtp/client.h"
#include "mail/smtp/drop.h"
#include "runtime/role/process.h"

enum {
  PICKUP_REST_MS = 5000,
  PICKUP_LATER_MS = 5 * 60000,   /* until a message that was not accepted is tried again */
  PICKUP_STUCK_MS = 60 * 60000,  /* likewise, a file that cannot be moved or removed */
  PICKUP_LATER_MAX = 4096,       /* such names; with more, all are tried again */
  PICKUP_USER_MAX = 200,         /* messages of one user in one pass */
  PICKUP_TURN_MAX = 100,         /* names in one turn of the loop */
  PICKUP_LINES_MAX = 100,        /* lines of the log about files in one pass */
  PICKUP_OLD_S = 5 * 86400,      /* not accepted by then: reported as failed */
  PICKUP_UNFINISHED_S = 86400,   /* likewise, an unfinished file */
  PICKUP_NAMES = 32 * 1024,      /* octets of names read at once */
  PICKUP_NOTICE_MAX = 8 * 1024,  /* octets of lines in a notice to the postmaster */
  PICKUP_NOTICE_MS = 60 * 60000, /* minimum time between two of them */
};

struct drop_submission;
struct talk;
struct notice;

struct pickup {
  struct process *process;
  int folder;
  struct loop_timer *timer;      /* for the next pass, or the next turn of this one */
  struct loop_timer *talk_timer; /* of the session */
  uint8_t *names;
  size_t name_n, name_at; /* octets in memory, and how many of them are done */
  bool passing, skipped;  /* skipped: a user's maximum was reached in this pass */
  struct map taken;       /* uid → messages in this pass */
  struct map later;       /* hash of a name → when it is tried again */
  size_t lines, unlogged; /* of this pass */
  struct drop_submission *now;
  struct talk *talk; /* the session: for `now`, or for the notice */
  struct notice *notice;
};

/* An opened file that looks like a message. */
struct found {
  char name[DROP_NAME + 1];
  uint8_t id[DROP_ID];
  int fd;
  uint32_t uid;
  uint64_t size;
  int64_t changed_s;
};

/* How a submission ended. */
enum outcome {
  OUTCOME_SETTLED, /* each recipient has it, or it was reported, or no report was wanted */
  OUTCOME_LATER,
  OUTCOME_REFUSED, /* and the report was refused too */
};

/* --- look.c --- */

/* Continues the pass, or begins one. */
void look_go(struct pickup *p);
/* The submission is over; `words` says why it was not accepted. */
void look_submitted(struct pickup *p, const struct found *f, enum outcome o, const char *words);
/* A line in the log about a file. */
void look_note(struct pickup *p, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* --- submit.c --- */

/* Takes f->fd. NULL, or why it could not be begun; *ret_malformed: the file is at fault.
 * look_submitted() follows. */
const char *submit_begin(struct pickup *p, const struct found *f, bool *ret_malformed);
void submit_free(struct pickup *p);

/* --- notice.c --- */

/* NULL without memory. */
struct notice *notice_new(void);
void notice_free(struct notice **n);
/* A file was set aside; `line` describes it. */
void notice_add(struct pickup *p, const char *line);
/* Begins sending the collected notice, if it is due. */
void notice_send(struct pickup *p);

/* --- talk.c --- */

struct talk_about {
  uint32_t uid;        /* the submitting user */
  uint8_t id[DROP_ID]; /* the message's identity */
  struct smtp_source source;
  /* The session is over and gone; each letter was returned. */
  void (*over)(void *arg);
  void *arg;
};

/* Begins a session with smtpd, which is p->talk. False: no memory, or no socket. */
bool talk_begin(struct pickup *p, const struct talk_about *about);
/* Its letters are returned; over() is not called. */
void talk_free(struct talk **talk);
/* The session's deadline has come; `arg` is the struct pickup. */
void talk_on_timer(void *arg);

#endif
