/* SPDX-License-Identifier: ISC */
/* Who has the message of a commit already (partly.h): of a message that some mailboxes had no room
 * for, or of one of the drop folder (src/store/sql/dropped.h), which is remembered until another
 * takes its place. */
#ifndef QASID_STORE_OWNER_HAD_H
#define QASID_STORE_OWNER_HAD_H

#include "src/store/owner/owner.h"

/* The key under which a recipient elsewhere is known: of the address as the queue has it. */
uint64_t had_key(struct slice plain);
/* An account's number, or had_key(). */
bool had_has(const struct store *s, const struct deliver_job *d, uint64_t who);
/* Those who get it, for the table of the drop folder. False without memory. */
bool had_set_who(struct deliver_job *d);
/* The client is gone: if it sends the message again, that is another one. */
void had_forget(struct store *s, const struct deliver_job *d, struct slice rcpts);
/* A recipient that has the message must not get it again with the others. */
void had_remember(struct store *s, const struct deliver_job *d);

#endif
