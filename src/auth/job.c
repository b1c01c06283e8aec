/* SPDX-License-Identifier: ISC */
/* One password hash as a job: made and freed on the loop's thread, computed by auth_work() in
 * another. Invariants: auth_work() touches the job only; a job holds its secrets in buffers that
 * never move, and they are wiped when it is freed; a job not computed has PASSWORD_TROUBLE. */
#include "src/auth/job.h"

#include "src/auth/auth.h"

#include <stdlib.h>

struct auth_job *auth_job_new(enum auth_job_kind kind, struct slice password, struct slice hash) {
  struct auth_job *j = calloc(1, sizeof *j);
  if (!j) return NULL;
  j->kind = kind;
  j->result = PASSWORD_TROUBLE;
  buf_init(&j->password, SASL_PASSWORD_MAX);
  buf_init(&j->hash, PASSWORD_HASH_MAX);
  buf_reserve(
      &j->password,
      password.n); /* allocated at its full size: growing would leave a copy of the secret behind */
  buf_put(&j->password, password);
  buf_put(&j->hash, hash);
  if (j->password.failed || j->hash.failed) auth_job_free(&j);
  return j;
}

void auth_job_free(struct auth_job **job) {
  struct auth_job *j = *job;
  if (!j) return;
  buf_wipe(&j->password);
  buf_wipe(&j->hash);
  explicit_bzero(j, sizeof *j);
  free(j);
  *job = NULL;
}

void auth_work(struct auth_job *j) {
  j->computed = true;
  switch (j->kind) {
  case JOB_VERIFY: j->result = password_verify(buf_slice(&j->password), buf_slice(&j->hash)); break;
  case JOB_HASH: j->result = password_hash(buf_slice(&j->password), j->random, &j->hash); break;
  }
  bool wanted = j->scram && j->result == PASSWORD_OK;
  j->scram_made = wanted && scram_derive(&j->verifiers, buf_slice(&j->password));
}
