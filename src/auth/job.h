/* SPDX-License-Identifier: ISC */
/* One hash to be computed, with all that it needs and its result; made and freed on the loop's
 * thread, computed in another. */
#ifndef QASID_AUTH_JOB_H
#define QASID_AUTH_JOB_H

#include "lib/password/password.h"
#include "src/auth/scram.h"

enum auth_job_kind {
  JOB_VERIFY, /* is `password` the one of `hash`? */
  JOB_HASH,   /* the hash of `password`, into `hash` */
};

struct login;
struct admin_call;

struct auth_job {
  enum auth_job_kind kind;
  struct buf password, hash;
  uint8_t random[PASSWORD_RANDOM];
  /* if that is well: the keys in `verifiers` too, whose salts are there */
  bool scram;
  /* they are there; not when the password is one that SCRAM can't have */
  bool scram_made;
  struct scram_verifiers verifiers;
  enum password_result result;
  bool computed; /* false: the process stopped before its turn */
  /* Who is waiting for it: one of the two. */
  struct login *login;
  struct admin_call *call;
  struct auth_job *next; /* while it waits */
};

/* NULL without memory. */
struct auth_job *auth_job_new(enum auth_job_kind kind, struct slice password, struct slice hash);
void auth_job_free(struct auth_job **job);

#endif
