/* SPDX-License-Identifier: ISC */
/* Messages that some of their mailboxes have and others had no room for.
 *
 * The rule (recipients.h): while a mailbox is full, a client whose message can be recognised gets
 * 452 and keeps it, so its server tries again. To deliver no second copy meanwhile, this records
 * which recipients have the message, or were reported to its sender, by a fingerprint of the sender
 * and the received octets.
 *
 * Only messages with a Message-ID have a fingerprint: a repeated message without one may well be
 * another one, such as an alarm of a device. Once all recipients have the message it is forgotten.
 *
 * It is kept in memory and has PARTLY_MAX places; the oldest are evicted first. A lost entry
 * (evicted, or lost at a restart) causes a second copy, never the loss of a message. */
#ifndef QASID_STORE_OWNER_PARTLY_H
#define QASID_STORE_OWNER_PARTLY_H

#include "lib/base/map.h"
#include "lib/base/slice.h"

enum {
  PARTLY_MAX = 16384 /* one message reaches DIR_ACCOUNTS_MAX mailboxes at most */,
  PARTLY_NAME = 16
};

struct partly {
  struct map who;   /* half of the fingerprint with the account → the other half */
  uint64_t *places; /* keys of `who`, PARTLY_MAX of them, in order; 0: none */
  size_t next;
};

void partly_init(struct partly *p);
void partly_free(struct partly *p);
/* A key for a remote recipient, in the place of an account's number: never equal to one. */
uint64_t partly_key(struct slice address);
/* `name` is the fingerprint, PARTLY_NAME octets; any other length matches no message. */
bool partly_has(const struct partly *p, struct slice name, uint64_t who);
void partly_keep(struct partly *p, struct slice name, uint64_t who);
void partly_forget(struct partly *p, struct slice name, uint64_t who);

#endif
