/* SPDX-License-Identifier: ISC */
/* The store's time-driven work (owner/housekeeping.c): KIND_HOUSEKEEPING removes some messages,
 * KIND_OLD_MAIL finds accounts that may have old ones. */
#ifndef QASID_STORE_JOBS_HOUSEKEEPING_H
#define QASID_STORE_JOBS_HOUSEKEEPING_H

#include "src/store/jobs/job.h"

enum { HOUSEKEEPING_SLICE = 128, OLD_MAIL_FOUND = 128 };

/* A round's steps, in order. */
enum housekeeping_step {
  HOUSEKEEPING_EXPIRE,
  HOUSEKEEPING_PURGE,
  HOUSEKEEPING_SPACE,
  HOUSEKEEPING_TRIM,
  HOUSEKEEPING_REST
};

struct housekeeping_effect { /* on an account */
  uint64_t account, messages, octets;
};

struct housekeeping_job {
  struct store_job job;
  enum housekeeping_step step;
  uint64_t folder;
  int64_t before_s; /* HOUSEKEEPING_EXPIRE, HOUSEKEEPING_PURGE */
  uint64_t most;    /* HOUSEKEEPING_TRIM: octets */
  uint64_t from;    /* HOUSEKEEPING_EXPIRE: uids below it were already examined */
  bool keep;        /* HOUSEKEEPING_EXPIRE: keep them, so that they can be restored */
  /* result */
  uint64_t next; /* HOUSEKEEPING_EXPIRE: `from` of the next slice */
  struct housekeeping_effect effects[HOUSEKEEPING_SLICE];
  size_t count;
};

struct old_mail_job {
  struct store_job job;
  uint64_t after;
  int64_t usual_days; /* for accounts without a value of their own; -1: never */
  /* result */
  uint64_t found[OLD_MAIL_FOUND];
  size_t count;
  uint64_t next; /* `after` of the next slice; UINT64_MAX: there are no more */
};

#endif
