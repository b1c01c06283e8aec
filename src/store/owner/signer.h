/* SPDX-License-Identifier: ISC */
/* Which local domain signs an outgoing message (DKIM). */
#ifndef QASID_STORE_OWNER_SIGNER_H
#define QASID_STORE_OWNER_SIGNER_H

#include "src/store/jobs/queue.h"
#include "src/store/owner/owner.h"

/* Puts the domain, in lower case; nothing: the message is not signed. The letter's octets are its
 * first ones, as read by the take. */
void signer_of(struct store *s, const struct taken_letter *l, struct buf *ret);

#endif
