/* SPDX-License-Identifier: ISC */
/* A job: work for a thread that has the database, as passive data that includes its result.
 *
 *   owner     creates it, fills in the request, enqueues it         (src/store/owner)
 *   thread    run; for writes also undo or settle                   (src/store/sql)
 *   owner     finish: answers, updates its memory                   (src/store/owner)
 *   either    job_free() frees what the job holds                   (src/store/jobs)
 *
 * kinds.def has a row for each kind of job with its functions. A write job runs inside the group's
 * transaction and may run twice: once in the group, and once more alone if the group was rolled
 * back. So run sets all its results each time, and undo reverts whatever it did outside the
 * database. */
#ifndef QASID_STORE_JOBS_JOB_H
#define QASID_STORE_JOBS_JOB_H

#include "lib/db/db.h"
#include "src/store/store.h"

struct session;

enum job_result {
  JOB_DONE,
  JOB_TROUBLE,  /* try later */
  JOB_NO_SPACE, /* the disk is full */
  JOB_TOO_BIG,  /* the message exceeds the size limit; no run sets this */
  JOB_DAMAGED,  /* the requested data cannot be read */
  JOB_MISSING,  /* the requested data does not exist (any more) */
};

enum job_kind {
#define JOB(name, ...) KIND_##name,
#include "src/store/jobs/kinds.def"
#undef JOB
  JOB_KINDS
};
/* True if the writer's thread runs it. */
bool job_kind_writes(enum job_kind kind);

struct store_job {
  struct store_job *next;
  enum job_kind kind;
  struct session *session; /* the session that waits for it; NULL: none */
  enum job_result result;
  int64_t now_s;
  uint64_t free_least; /* new mail is refused when less space than this is free */
  bool low_space;      /* result: less was free */
  bool again;          /* result: this was one slice; the owner enqueues it again */
  bool patient;        /* other writes go first: store_job_is_patient() */
  uint64_t group;      /* result: the number of the writer's group it was in, from 1 */
  uint64_t number;     /* for jobs that change what accounts have: folders.h */
};

/* Zeroed, `size` octets with the job at the front; NULL without memory. */
void *job_new(enum job_kind kind, size_t size, struct session *session, int64_t now_s);
/* A job of any kind, as job_new() made it; NULL: nothing to free. */
void job_free(void *job);
/* The result of a job that failed with this database error. */
enum job_result job_result_of(enum db_result r);

#endif
