/* SPDX-License-Identifier: ISC */
/* Collects events of the history and passes them to the writer (jobs/history.h). */
#ifndef QASID_STORE_OWNER_HISTORY_H
#define QASID_STORE_OWNER_HISTORY_H

#include "mail/smtp/reply.h"
#include "src/store/jobs/history.h"

enum { HISTORY_REFUSALS_A_SECOND = 100 };

struct history {
  struct buf pending;
  uint64_t lost;     /* did not fit, or could not be written */
  unsigned out;      /* its outstanding jobs */
  int64_t flushed_s; /* when the last job was sent */
  int64_t second;    /* of refusals */
  uint32_t refusals;
};
void history_init(struct history *h);
void history_free(struct history *h);
struct store;
void history_note(struct store *s, const struct history_event *e);
/* Writes the collected events now: at the stop, each minute, and before a query. The writer has
 * written them when it runs a job that is enqueued after this. */
void history_flush(struct store *s, int64_t now_s);
/* Records that a recipient was refused with that reply. */
void history_refused(struct store *s, struct slice sender, struct slice recipient,
                     enum smtp_outcome why, int64_t now_s);

struct deliver_job;
/* The message is durable, in mailboxes or in the queue: records that. `from` NULL: made here. */
void history_delivered(struct store *s, const struct deliver_job *d,
                       const struct history_arrival *from);

#endif
