/* SPDX-License-Identifier: ISC */
/* The recipients of a report, and what follows once it is written (jobs/report.h). */
#ifndef QASID_STORE_OWNER_REPORT_H
#define QASID_STORE_OWNER_REPORT_H

#include "ipc/smtpd_store.h"
#include "src/store/jobs/report.h"
#include "src/store/owner/owner.h"

/* Finds the recipients of the report; `p->due` is false if there are none. Texts that the store
 * does not own live in `a`. False without memory: then `p->due` is false, and report_free() must
 * still be called. */
bool report_address(struct store *s, struct slice return_path, struct arena *a, int64_t now_s,
                    struct report_post *p);
/* The same for a report that itself failed: it goes to the local postmaster's mailbox, or to
 * nobody. */
bool report_to_postmaster(struct store *s, struct arena *a, int64_t now_s, struct report_post *p);
/* Logs and counts that no report to `to` is written. */
void report_dropped(struct store *s, struct slice to);
/* The report is durable: updates the mailboxes' counters and the schedule. */
void report_finish(struct store *s, struct report_post *p, int64_t now_s);
/* Adds a local recipient, in the front-ends' form, to those that are reported as delivered. False
 * without memory. */
bool delivered_add(struct deliver_job *d, const struct envelope_rcpt *r);
/* The same for one that does not get the message. `others`: some mailboxes behind that address get
 * it. */
bool failed_add(struct deliver_job *d, const struct envelope_rcpt *r, enum rcpt_verdict verdict,
                bool others);

#endif
