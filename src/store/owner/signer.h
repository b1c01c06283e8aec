/* SPDX-License-Identifier: ISC */
/* Which domain of ours signs a message that goes out (DKIM). */
#ifndef QASID_STORE_OWNER_SIGNER_H
#define QASID_STORE_OWNER_SIGNER_H

#include "src/store/jobs/queue.h"
#include "src/store/owner/owner.h"

/* Puts the domain, in lower case; nothing: the message is not signed. The letter's octets are its
 * first, as the take reads them. */
void signer_of(struct store *s, const struct taken_letter *l, struct buf *ret);

#endif
