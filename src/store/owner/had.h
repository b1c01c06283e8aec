/* SPDX-License-Identifier: ISC */
/* Which recipients of a commit already have the message (partly.h): for a message that some
 * mailboxes had no room for, or one of the drop folder (src/store/sql/dropped.h), which is
 * remembered until another evicts it. */
#ifndef QASID_STORE_OWNER_HAD_H
#define QASID_STORE_OWNER_HAD_H

#include "src/store/owner/owner.h"

/* The key of a remote recipient: from the address as the queue has it. */
uint64_t had_key(struct slice plain);
/* `who`: an account's number, or had_key(). */
bool had_has(const struct store *s, const struct deliver_job *d, uint64_t who);
/* Sets the recipients of this job, for the table of the drop folder. False without memory. */
bool had_set_who(struct deliver_job *d);
/* The client is gone: if it sends the message again, that counts as another one. */
void had_forget(struct store *s, const struct deliver_job *d, struct slice rcpts);
/* A recipient that has the message must not get it again with the others. */
void had_remember(struct store *s, const struct deliver_job *d);

#endif
