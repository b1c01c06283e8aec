/* SPDX-License-Identifier: ISC */
/* A job: work for a thread that has the database, as passive data with its result in it.
 *
 *   owner     makes it, fills in the request, enqueues it           (maker in smtp.c, pop.c, …)
 *   thread    run; for writes also undo or settle                   (deliver.c, maildrop.c, …)
 *   owner     finish: answers, updates what it keeps in memory; then done() frees what it holds
 *
 * A write job runs inside the group's transaction and may run twice: once in the group, and once
 * more alone when the group was rolled back. So run() sets its results from the start each time,
 * and undo() takes back whatever it did outside the database. */
#ifndef QASID_STORE_JOB_H
#define QASID_STORE_JOB_H

#include "ipc/pop3d_store.h"
#include "lib/base/arena.h"
#include "lib/db/db.h"
#include "src/store/bodies.h"
#include "src/store/queue_letter.h"
#include "src/store/store.h"

struct session;

enum job_result {
  JOB_DONE,
  JOB_TROUBLE,  /* try later */
  JOB_NO_SPACE, /* the disk is full */
  JOB_DAMAGED,  /* what was asked for can't be read */
  JOB_MISSING,  /* what was asked for is not there (any more) */
};

struct job_kind {
  const char *name;
  bool is_write;
  /* DB_OK when the job has set its result, whatever that is; else the database's error, after which
   * the transaction is rolled back. */
  enum db_result (*run)(struct store_engine *e, struct store_job *j);
  /* The rest may be NULL. The transaction was rolled back. */
  void (*undo)(struct store_engine *e, struct store_job *j);
  /* Its last run is over, and durable when the result is JOB_DONE. In the writer's thread. */
  void (*settle)(struct store_engine *e, struct store_job *j);
  void (*finish)(struct store *s, struct store_job *j);
  void (*done)(struct store_job *j);
};

struct store_job {
  struct store_job *next;
  const struct job_kind *kind;
  struct session *session; /* who waits for it; NULL: nobody */
  enum job_result result;
  int64_t now_s;
  uint64_t free_least; /* new mail is refused when less space than this is free */
  bool low_space;      /* result: less was free */
  bool again;          /* result: this was one slice of it; the owner enqueues it once more */
  bool patient;        /* other writes go first: store_job_is_patient() */
  uint64_t group;      /* result: which of the writer's groups it was in, from 1 */
  uint64_t number;     /* of those that change what accounts have: folders.h */
};

/* Zeroed, `size` octets with the job at their front; NULL without memory. */
void *job_new(const struct job_kind *kind, size_t size, struct session *session, int64_t now_s);
void job_free(struct store_job **j);
/* What a database's error means for a job that failed by it. */
enum job_result job_result_of(enum db_result r);
/* A disk's errno as a database's error, to be handled alike. */
enum db_result db_result_of(int negative_errno);
/* The same for a body's file, of which a failure proves nothing about the database: it is damaged,
 * or try later. */
enum db_result db_result_of_body(int negative_errno);

/* --- deliver.c: one message into folders --- */

struct deliver_place {
  uint64_t account, folder;
  uint32_t uid; /* result */
};

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
  struct slice head;  /* Return-Path: line; in memory `tail` follows it directly */
  struct slice tail;  /* all of the message, or what comes behind the spooled part */
  struct spool spool; /* not `made`: nothing was spooled */
  bool dots;
  struct deliver_place *places;
  size_t count;
  struct queue_letter letter; /* when some recipients are elsewhere */
  /* owned; what they point to is in `kept`, or lives longer than the job */
  struct queue_rcpt *elsewhere;
  struct arena kept;
  size_t elsewhere_count;
  struct deliver_brake brake;
  int64_t expires_s;       /* of those */
  struct deliver_dsn *dsn; /* recipients here whose delivery is to be reported; NULL: none. Owned */
  struct history_arrival *arrival; /* where from, owned; NULL: not known */
  uint64_t login;                  /* the account that was logged in; 0: none */
  bool full;                       /* some other mailbox had no room */
  bool never;                      /* the message is larger than some other's whole quota */
  bool had;                        /* some recipient has the message already (partly.h) */
  struct slice print;              /* the message's fingerprint; p NULL: none */
  uint64_t size;                   /* of the stored octets: head, spooled, tail */
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
extern const struct job_kind deliver_kind;
/* The surrogate's size of what is stored, when the message as it came, `octets` of it, has a
 * surrogate of size `told`: what store adds in front and behind is ASCII. A size that is impossible
 * counts as unknown. */
uint64_t deliver_surrogate(const struct deliver_job *d, uint64_t known, uint64_t octets);
/* What it is made of, for import's own kind. */
enum db_result deliver_run(struct store_engine *e, struct store_job *j);
void deliver_undo(struct store_engine *e, struct store_job *j);
void deliver_settle(struct store_engine *e, struct store_job *j);
void deliver_done(struct store_job *j);

/* --- spool.c --- */

struct spool_job {
  struct store_job job;
  struct spool *spool; /* the session's */
  struct slice chunk;
  /* chunks that came while another was written, in their order: part of this job, and owned */
  struct spool_job *behind;
};
extern const struct job_kind spool_kind;
enum db_result spool_run(struct store_engine *e, struct store_job *j);

struct drop_job {
  struct store_job job;
  struct spool spool;
};
extern const struct job_kind drop_kind;

/* --- maildrop.c --- */

struct open_job {
  struct store_job job;
  uint64_t folder;
  /* results */
  uint32_t count, uidvalidity, uid_end; /* every uid of the snapshot is below uid_end */
  uint64_t octets;
  struct buf rows; /* as in pop_listing */
};
extern const struct job_kind open_kind;

/* A message that is a file: its descriptor (-1: none), and where in it the message is. */
struct read_file {
  int fd;
  uint32_t uid;
  uint64_t start, size;
  bool dots;
  bool summed; /* its CRC-32C is known */
  uint32_t sum;
};

struct read_job {
  struct store_job job;
  uint64_t folder;
  uint32_t uid;
  uint64_t offset;
  uint32_t most;
  uint8_t ahead;    /* how many of the next files are wanted too */
  bool octets_only; /* never the file itself */
  /* results */
  struct read_file file; /* fd not -1: in place of `data` */
  struct buf data;
  struct read_file next[POP_AHEAD_MAX];
  size_t next_count;
};
extern const struct job_kind read_kind;

struct quit_job {
  struct store_job job;
  uint64_t account, folder;
  uint32_t *uids; /* owned */
  size_t count;
  bool keep; /* so that they can be brought back */
  /* results */
  uint32_t deleted;
  uint64_t octets;
};
extern const struct job_kind quit_kind;

/* --- the owner's side of them: smtp.c, pop.c --- */

/* Counters of the accounts that the message was for. */
void deliver_count(struct store *s, const struct deliver_job *d);
void deliver_finish(struct store *s, struct store_job *j);
void spool_finish(struct store *s, struct store_job *j);
void open_finish(struct store *s, struct store_job *j);
void read_finish(struct store *s, struct store_job *j);
void quit_finish(struct store *s, struct store_job *j);

#endif
