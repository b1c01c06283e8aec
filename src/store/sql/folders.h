/* SPDX-License-Identifier: ISC */
/* How much mail an account has, for its quota: the sum of its folders in the database, and the
 * pending octets of write jobs in progress. The counters themselves belong to the writer
 * (engine.h).
 *
 * An account is read when a quota needs it. The report of a job changes the value if the job was
 * submitted after the reading; a job in progress at that time may or may not be included in what
 * was read, so the account is read again. The value read and the pending octets together are never
 * less than what the account has, so no quota is exceeded; until a job is reported it may be
 * counted twice. */
#ifndef QASID_STORE_SQL_FOLDERS_H
#define QASID_STORE_SQL_FOLDERS_H

#include "lib/base/map.h"
#include "lib/db/db.h"

struct usage {
  uint64_t account;
  uint64_t octets; /* when known */
  uint64_t coming;
  bool known;
  uint64_t as_of; /* jobs up to this number may be included in what was read */
  struct usage *older, *newer;
};

struct folders {
  struct db *db; /* borrowed: the owner's */
  uint64_t jobs; /* numbers given to jobs */
  struct map by_account;
  struct usage *oldest, *newest;
  bool failed; /* the database could not be read */
};

void folders_init(struct folders *f);
void folders_free(struct folders *f);
/* The number for the next job, to be set before it is submitted. 0 is never used. */
uint64_t folders_job(struct folders *f);
/* *ret: octets that it has or that are pending. False: they could not be read. */
bool folders_held(struct folders *f, uint64_t account, uint64_t *ret);
/* A message of this size is pending for the account; false without memory. */
bool folders_coming(struct folders *f, uint64_t account, uint64_t octets);
/* It was delivered, or not. */
void folders_came(struct folders *f, uint64_t job, uint64_t account, uint64_t octets, bool added);
void folders_removed(struct folders *f, uint64_t job, uint64_t account, uint64_t octets);
/* Its mail changed in another way. */
void folders_changed(struct folders *f, uint64_t account);

#endif
