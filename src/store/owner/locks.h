/* SPDX-License-Identifier: ISC */
/* Which session has which maildrop open, which wait for it, and other state of accounts since the
 * start: in the owner's memory only, one record for each account with any such state. */
#ifndef QASID_STORE_OWNER_LOCKS_H
#define QASID_STORE_OWNER_LOCKS_H

#include "lib/base/map.h"

struct session;

struct maildrop_lock {
  uint64_t account;
  struct session *locked_by; /* the session that has the maildrop open */
  uint8_t waiters;           /* logins that wait for it, at most POP_WAITERS_MAX */
  bool asked;                /* that session was asked whether it is idle, and has not answered */
  bool gone;                 /* the account was deleted: waiting logins will be refused */
  int64_t login_s;           /* when it was last opened, 0: not since the start, or long ago */
  /* when the postmaster was last notified that its mail is held; 0: not since the start */
  int64_t over_limit_s;
};

struct locks {
  struct map by_account;
};

void locks_init(struct locks *l);
void locks_free(struct locks *l);
/* NULL: there is no state for that account, nobody has it open. */
struct maildrop_lock *lock_find(const struct locks *l, uint64_t account);
/* Created if missing; NULL without memory. */
struct maildrop_lock *lock_get(struct locks *l, uint64_t account);
/* Removes records of accounts that are not open or waited for, and have not changed since then. */
void locks_forget(struct locks *l, int64_t before_s);

#endif
