/* SPDX-License-Identifier: ISC */
/* Making and freeing jobs (job.h has their life), and what a database's or a disk's error means for
 * the job that met it. Invariant: a job's result is JOB_TROUBLE until a run has set another. */
#include "src/store/job.h"

#include <errno.h>
#include <stdlib.h>

void *job_new(const struct job_kind *kind, size_t size, struct session *session, int64_t now_s) {
  struct store_job *j = calloc(1, size);
  if (!j) return NULL;
  j->kind = kind;
  j->session = session;
  j->now_s = now_s;
  j->result = JOB_TROUBLE; /* until a run sets another */
  return j;
}

void job_free(struct store_job **j) {
  if (!*j) return;
  if ((*j)->kind->done) (*j)->kind->done(*j);
  free(*j);
  *j = NULL;
}

enum job_result job_result_of(enum db_result r) {
  switch (r) {
  case DB_OK:
  case DB_ROW: return JOB_DONE;
  case DB_FULL: return JOB_NO_SPACE;
  case DB_CORRUPT: return JOB_DAMAGED;
  default: return JOB_TROUBLE;
  }
}

enum db_result db_result_of(int negative_errno) {
  switch (negative_errno) {
  case 0: return DB_OK;
  case -ENOSPC:
  case -EDQUOT: return DB_FULL;
  case -ENOMEM: return DB_NOMEM;
  case -EIO: return DB_IOERR;
  default: return DB_ERROR;
  }
}

enum db_result db_result_of_body(int negative_errno) {
  if (body_is_damage(negative_errno)) return DB_CORRUPT;
  return negative_errno == 0 ? DB_OK : negative_errno == -ENOMEM ? DB_NOMEM : DB_ERROR;
}

struct store_job *store_job_next(const struct store_job *job) {
  return job->next;
}

bool store_job_is_patient(const struct store_job *job) { return job->again || job->patient; }

void store_job_link(struct store_job *job, struct store_job *next) { job->next = next; }
