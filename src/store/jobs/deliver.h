/* SPDX-License-Identifier: ISC */
/* Delivers one message into local folders and into the queue for remote recipients, with the report
 * of delivery that its sender requested: KIND_DELIVER, KIND_IMPORT; part of KIND_COLLECT. */
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

/* The sending limits of the account: send_limits.h. */
struct deliver_send_limits {
  bool on;
  uint64_t limits[5]; /* by enum dir_sends; 0: unlimited */
  uint8_t why;        /* result: enum queue_held_by; 0: not held */
};

struct deliver_job {
  struct store_job job;
  struct slice name;        /* the queue id */
  struct slice return_path; /* in `head`; p NULL: it came without an envelope */
  struct slice head;        /* fields before the octets, at most MESSAGE_HEAD_MAX */
  struct slice tail;        /* all of the octets, or those after the spooled part */
  struct spool spool;       /* not `made`: nothing was spooled */
  struct deliver_place *places;
  size_t count;
  struct queue_letter letter; /* if some recipients are remote */
  /* owned; the texts are in `kept`, or live longer than the job */
  struct queue_rcpt *elsewhere;
  struct arena kept;
  size_t elsewhere_count, elsewhere_cap;
  struct deliver_send_limits send_limits;
  int64_t expires_s;               /* of those */
  struct deliver_dsn *dsn;         /* local recipients to be reported; NULL: none. Owned */
  struct history_arrival *arrival; /* the message's origin, owned; NULL: unknown */
  uint64_t login;                  /* the account that was logged in; 0: none */
  /* of the envelope, in order: enum rcpt_verdict; in `kept` */
  uint8_t *verdicts;
  size_t rcpt_count;
  uint8_t outcome; /* once it is durable: enum commit_outcome */
  uint64_t *told;  /* accounts without room that the report mentions; in `kept` */
  size_t told_count;
  bool had;           /* some recipient already has the message (partly.h) */
  struct slice print; /* the message's fingerprint; p NULL: none */
  /* `print` is the identity of a message of the drop folder (src/store/sql/dropped.h), and these
   * are the keys of its places, of the remote recipients, and of those reported; in `kept` */
  bool once;
  uint64_t *who;
  size_t who_count;
  uint64_t size;      /* of the message: head, spooled, tail */
  uint64_t surrogate; /* the size of their surrogate, as mail/surrogate.h computes it */
  uint64_t body;      /* result, while in a transaction */
  bool in_file;
  /* for an import: one place */
  int64_t date; /* 0: now */
  uint32_t flags;
  struct slice uidl; /* p NULL: none */
  bool again;        /* if the UIDL is in use or gone, add it all the same, with one of ours */
  /* result; nothing was added unless UIDL_NEW */
  enum { UIDL_NEW, UIDL_THERE, UIDL_GONE } uidl_found;
};
/* The parts of a message. */
struct deliver_parts {
  struct slice name;         /* the queue id */
  struct slice print, uidl;  /* p NULL: none */
  bool enveloped;            /* it has a reverse-path, which goes in front as Return-Path: */
  struct slice return_path;  /* empty: <> */
  struct slice fields;       /* whole fields, between that line and the octets */
  const struct spool *spool; /* the octets; NULL or empty: none were spooled; then `tail` */
  struct slice tail;
  uint64_t surrogate; /* its surrogate's size as received (mail/surrogate.h) */
};
/* A job for it, of that kind and size, with copies of all parts in one block; adds a missing end of
 * the message. It has no places yet. NULL without memory. */
void *deliver_new(enum job_kind kind, size_t size, struct session *session,
                  const struct deliver_parts *parts, int64_t now_s);
/* Adds a folder as a place. False without memory. */
bool deliver_into(struct deliver_job *d, uint64_t account, uint64_t folder);

/* For people: why mail is held; `why` is an enum queue_held_by. */
const char *send_limits_words(int64_t why);

#endif
