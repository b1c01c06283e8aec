/* SPDX-License-Identifier: ISC */
/* Creating and freeing jobs (job.h has their life), and what an error of a database or a disk means
 * for the job. Invariant: a job's result is JOB_TROUBLE until a run has set another. */
#include "src/store/jobs/job.h"

#include <stdlib.h>

#include "src/store/jobs/frees.h"

static const struct {
  bool writes;
  void (*free)(struct store_job *j);
} kinds[] = {
/* clang-format off */
#define WRITER true
#define READER false
#define JOB(name, word, thread, run, undo, settle, finish, free) [KIND_##name] = { thread, free },
#include "src/store/jobs/kinds.def"
#undef JOB
#undef WRITER
#undef READER
  /* clang-format on */
};

bool job_kind_writes(enum job_kind kind) { return kinds[kind].writes; }

void *job_new(enum job_kind kind, size_t size, struct session *session, int64_t now_s) {
  struct store_job *j = calloc(1, size);
  if (!j) return NULL;
  j->kind = kind;
  j->session = session;
  j->now_s = now_s;
  j->result = JOB_TROUBLE; /* until a run sets another */
  return j;
}

void job_free(void *job) {
  struct store_job *j = job;
  if (j && kinds[j->kind].free) kinds[j->kind].free(j);
  free(j);
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

struct store_job *store_job_next(const struct store_job *job) {
  return job->next;
}

bool store_job_is_patient(const struct store_job *job) { return job->again || job->patient; }

void store_job_link(struct store_job *job, struct store_job *next) { job->next = next; }

bool store_job_is_slow(const struct store_job *job) { return job->kind == KIND_COMMAND_READ; }
