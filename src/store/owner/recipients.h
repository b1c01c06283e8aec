/* SPDX-License-Identifier: ISC */
/* Which recipients of an envelope get the message, the outcome for the others, and the single reply
 * to the end of data (docs/design/envelope.md):
 *
 *  1. A recipient that cannot be looked up now, or is not permitted now: nothing is written, 451.
 *     If
 *     the client sends it again, RCPT answers for each.
 *  2. Otherwise everybody who has room gets it, and all remote recipients are queued.
 *  3. Nobody gets it: 452 if some mailbox is full, 552 if it is larger than their whole quotas.
 *  4. Somebody gets it: 250, and the others are reported to the reverse-path in the message's own
 *     transaction, unless NOTIFY excludes that. If they cannot be reported: 452 or 552.
 *  5. 452 also while a mailbox is full, if the client did not log in and the message will be
 *     recognised when it is sent again (partly.h): recipients who have it, or were reported, do not
 *     get it again. */
#ifndef QASID_STORE_OWNER_RECIPIENTS_H
#define QASID_STORE_OWNER_RECIPIENTS_H

#include "ipc/smtpd_store.h"
#include "src/store/owner/owner.h"

/* Fills in the job's places, remote recipients, verdicts and report. COMMIT_DONE: the job is to be
 * run if it has a place or a remote recipient (otherwise all of them have the message), and its
 * `outcome` is the answer once that is durable. Anything else is the answer. */
enum commit_outcome recipients_find(struct store *s, const struct session *session,
                                    struct deliver_job *d, const struct smtp_commit *q);

#endif
