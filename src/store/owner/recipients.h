/* SPDX-License-Identifier: ISC */
/* Who of an envelope gets the message, what becomes of the others, and what the one reply to the
 * end of data says of it (docs/design/envelope.md):
 *
 *  1. A recipient that cannot be found now, or is not permitted now: nothing is written, 451. Sent
 *     again, RCPT answers for each.
 *  2. Otherwise everybody who has room gets it, and all recipients elsewhere are queued.
 *  3. Nobody has it: 452 if some mailbox is full, 552 if it is larger than their whole quotas.
 *  4. Somebody has it: 250, and the others are reported to the reverse-path in the message's own
 *     transaction, unless NOTIFY does not want it. If they cannot be reported: 452 or 552.
 *  5. 452 also while a mailbox is full, if nobody logged in and the message will be recognised when
 *     it is sent again (partly.h): who has it, or was reported, does not get it again. */
#ifndef QASID_STORE_OWNER_RECIPIENTS_H
#define QASID_STORE_OWNER_RECIPIENTS_H

#include "ipc/smtpd_store.h"
#include "src/store/owner/owner.h"

/* Fills the job's places, recipients elsewhere, verdicts and report. COMMIT_DONE: the job is to be
 * run if it has a place or a recipient elsewhere (else all of them have the message), and its
 * `outcome` is the answer once that is durable. Anything else is the answer. */
enum commit_outcome recipients_find(struct store *s, const struct session *session,
                                    struct deliver_job *d, const struct smtp_commit *q);

#endif
