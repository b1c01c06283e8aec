/* SPDX-License-Identifier: ISC */
/* Messages that some of their mailboxes have and others had no room for.
 *
 * The rule (recipients.h): while one mailbox is full, a client whose message is known again gets
 * 452 and keeps it, so its server tries again. To deliver no second copy meanwhile, this remembers
 * who has the message, or was reported to its sender, by a fingerprint of the sender and the octets
 * that came.
 *
 * Only messages with a Message-ID have a fingerprint: a repeated message without one may well be
 * another one, such as an alarm of a device. Once all recipients have the message it is forgotten.
 *
 * It is kept in memory and has PARTLY_MAX places; the oldest are evicted first. A forgotten entry
 * (evicted, or lost at a restart) costs a second copy, never a message. */
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
  uint64_t *places; /* keys of `who`, PARTLY_MAX of them, in their order; 0: none */
  size_t next;
};

void partly_init(struct partly *p);
void partly_free(struct partly *p);
/* An account's number, or this value for recipients elsewhere: it is never an account's number. */
uint64_t partly_key(struct slice address);
/* `name` is the fingerprint, PARTLY_NAME octets; any other length names no message. */
bool partly_has(const struct partly *p, struct slice name, uint64_t who);
void partly_keep(struct partly *p, struct slice name, uint64_t who);
void partly_forget(struct partly *p, struct slice name, uint64_t who);

#endif
