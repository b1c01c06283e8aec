/* SPDX-License-Identifier: ISC */
/* One hash to be computed, with its inputs and its result; created and freed on the loop's thread,
 * computed in another. */
#ifndef QASID_AUTH_JOB_H
#define QASID_AUTH_JOB_H

#include "lib/password/password.h"
#include "src/auth/scram.h"

enum auth_job_kind {
  JOB_VERIFY, /* whether `password` matches `hash` */
  JOB_HASH,   /* the hash of `password`, into `hash` */
};

struct login;
struct admin_call;

struct auth_job {
  enum auth_job_kind kind;
  struct buf password, hash;
  uint8_t random[PASSWORD_RANDOM];
  /* if that succeeds: also compute the keys in `verifiers`, whose salts are set */
  bool scram;
  /* they were computed; not if SCRAM cannot use the password */
  bool scram_made;
  struct scram_verifiers verifiers;
  enum password_result result;
  bool computed; /* false: the process stopped before its turn */
  /* What waits for it: one of the two. */
  struct login *login;
  struct admin_call *call;
  struct auth_job *next; /* while it waits */
};

/* NULL without memory. */
struct auth_job *auth_job_new(enum auth_job_kind kind, struct slice password, struct slice hash);
void auth_job_free(struct auth_job **job);

#endif
