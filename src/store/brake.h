/* SPDX-License-Identifier: ISC */
/* How much an account sends to other servers: what is beyond its limits is taken and held, so that
 * a stolen password floods nobody, and an honest user's mail waits for the postmaster's word.
 *
 * An hour and a day begin with the first message that is not in the one before. A message is
 * counted whole and held whole. To whom an account has sent is remembered for BRAKE_MEMORY_DAYS, by
 * a hash; held mail makes nobody known. Counted are recipients elsewhere: mailboxes here and
 * reports are not.
 *
 *   owner    brake_set() puts the account's limits into the job
 *   writer   brake_run() counts in the message's transaction, and decides
 *   owner    brake_notify(): the postmaster gets mail, at most one an hour and account */
#ifndef QASID_STORE_BRAKE_H
#define QASID_STORE_BRAKE_H

#include "src/store/owner.h"

enum { BRAKE_MEMORY_DAYS = 400, BRAKE_NOTICE_EVERY_S = 3600 };

void brake_set(struct store *s, const struct session *session, struct deliver_job *d);
enum db_result brake_run(struct store_engine *e, struct deliver_job *d);
void brake_notify(struct store *s, const struct deliver_job *d, int64_t now_s);
/* The account counts from nothing again: the postmaster has released its mail. */
enum db_result brake_forget(struct store_engine *e, uint64_t account);
/* "more than 300 messages an hour" without the number; of enum queue_held_by. */
const char *brake_words(int64_t why);

#endif
