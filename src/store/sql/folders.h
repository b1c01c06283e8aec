/* SPDX-License-Identifier: ISC */
/* How much mail an account has, for its quota: what its folders say in the database, and what is
 * coming in write jobs now under way. The counters themselves are the writer's (engine.h).
 *
 * What is known of an account is read when a quota asks for it. A job that ended changes what was
 * read, when it was sent off after the reading; one that was under way then may be in what was read
 * or not, and so it is read again. What was read and what is coming is together never less than
 * what the account has, so no quota is exceeded; for as long as a job takes to be reported it may
 * be counted twice. */
#ifndef QASID_STORE_SQL_FOLDERS_H
#define QASID_STORE_SQL_FOLDERS_H

#include "lib/base/map.h"
#include "lib/db/db.h"

struct usage {
  uint64_t account;
  uint64_t octets; /* when known */
  uint64_t coming;
  bool known;
  uint64_t as_of; /* jobs up to this number may be in what was read */
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
/* The number of the next job; to be given to it before it is sent off. 0 is none's. */
uint64_t folders_job(struct folders *f);
/* *ret: octets that it has or that are coming. False: they could not be read. */
bool folders_held(struct folders *f, uint64_t account, uint64_t *ret);
/* A message of so many octets is on its way into the account; false without memory. */
bool folders_coming(struct folders *f, uint64_t account, uint64_t octets);
/* It has come, or not. */
void folders_came(struct folders *f, uint64_t job, uint64_t account, uint64_t octets, bool added);
void folders_removed(struct folders *f, uint64_t job, uint64_t account, uint64_t octets);
/* Something else happened to it. */
void folders_changed(struct folders *f, uint64_t account);

#endif
