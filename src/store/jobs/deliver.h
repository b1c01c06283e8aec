/* SPDX-License-Identifier: ISC */
/* Delivers one message into folders here and into the queue for recipients elsewhere, with the
 * report of delivery that its sender asked for: KIND_DELIVER, KIND_IMPORT; part of KIND_COLLECT. */
#ifndef QASID_STORE_JOBS_DELIVER_H
#define QASID_STORE_JOBS_DELIVER_H

#include "lib/base/arena.h"
#include "src/store/jobs/job.h"
#include "src/store/jobs/queue_letter.h"
#include "src/store/jobs/spool.h"

struct deliver_place {
  uint64_t account, folder;
  uint32_t uid; /* result */
};

/* Recipients of messages of the drop folder that are remembered. */
enum { DROPPED_MAX = 16384 };

struct deliver_dsn;

/* What the account may send: brake.h. */
struct deliver_brake {
  bool on;
  uint64_t limits[5]; /* by enum dir_sends; 0: any number */
  uint8_t why;        /* result: enum queue_held_by; 0: it goes */
};

struct deliver_job {
  struct store_job job;
  struct slice name;  /* the queue id */
  struct slice head;  /* fields in front of the octets, at most MESSAGE_HEAD_MAX */
  struct slice tail;  /* all of the octets, or what comes behind the spooled part */
  struct spool spool; /* not `made`: nothing was spooled */
  struct deliver_place *places;
  size_t count;
  struct queue_letter letter; /* when some recipients are elsewhere */
  /* owned; what they point to is in `kept`, or lives longer than the job */
  struct queue_rcpt *elsewhere;
  struct arena kept;
  size_t elsewhere_count, elsewhere_cap;
  struct deliver_brake brake;
  int64_t expires_s;               /* of those */
  struct deliver_dsn *dsn;         /* recipients here that are to be reported; NULL: none. Owned */
  struct history_arrival *arrival; /* where from, owned; NULL: not known */
  uint64_t login;                  /* the account that was logged in; 0: none */
  /* of the envelope, in order: enum rcpt_verdict; in `kept` */
  uint8_t *verdicts;
  size_t rcpt_count;
  uint8_t outcome; /* once it is durable: enum commit_outcome */
  uint64_t *told;  /* accounts without room that the report names; in `kept` */
  size_t told_count;
  bool had;           /* some recipient has the message already (partly.h) */
  struct slice print; /* the message's fingerprint; p NULL: none */
  /* it is the identity of a message of the drop folder (src/store/sql/dropped.h), and these are the
   * keys of its places, of those elsewhere, and of those told; in `kept` */
  bool once;
  uint64_t *who;
  size_t who_count;
  uint64_t size;      /* of the message: head, spooled, tail */
  uint64_t surrogate; /* the size of their surrogate, as mail/surrogate.h computes it */
  uint64_t body;      /* result, while in a transaction */
  bool in_file;
  /* an import's: one place */
  int64_t date; /* 0: now */
  uint32_t flags;
  struct slice uidl; /* p NULL: none */
  bool again;        /* a UIDL that is taken or gone: added all the same, with one of ours */
  /* result; nothing was added unless UIDL_NEW */
  enum { UIDL_NEW, UIDL_THERE, UIDL_GONE } uidl_found;
};
/* What a message is made of. */
struct deliver_parts {
  struct slice name;         /* the queue id */
  struct slice print, uidl;  /* p NULL: none */
  struct slice head[4];      /* in front of the octets, one behind the other: whole fields */
  const struct spool *spool; /* the octets, NULL or empty: none were spooled; then `tail` */
  struct slice tail;
  uint64_t surrogate; /* its surrogate's size as it came (mail/surrogate.h) */
};
/* Its job, of that kind and size, with copies of all of them in one block; what the message lacks
 * at its end is added. It has no places yet. NULL without memory. */
void *deliver_new(enum job_kind kind, size_t size, struct session *session,
                  const struct deliver_parts *parts, int64_t now_s);
/* It goes into one folder. False without memory. */
bool deliver_into(struct deliver_job *d, uint64_t account, uint64_t folder);

/* For a person to read: why mail is held; `why` is an enum queue_held_by. */
const char *brake_words(int64_t why);

#endif
