/* SPDX-License-Identifier: ISC */
/* The history: what happened to mail, for `qasid why`. It is a database of its own beside the mail
 * database, so that mail neither waits for it nor is lost with it.
 *
 *   owner: history_note() → pending → a write job with all events collected meanwhile → rows of
 *   `event`
 *
 * Invariants:
 *  1. No mail is lost or refused because of the history: its job never fails its group. It is
 *     written about once a second while there are events, with one sync; a crash loses what was not
 *     yet written.
 *  2. It is bounded: `queue_history` by time, `history_size` by octets (0: none is written),
 *     HISTORY_PENDING in memory.
 *  3. Events that were not written are counted (`history-lost` in status). */
#ifndef QASID_STORE_JOBS_HISTORY_H
#define QASID_STORE_JOBS_HISTORY_H

#include "lib/base/buf.h"
#include "lib/base/wire.h"
#include "src/store/jobs/job.h"

enum { HISTORY_TEXT_MAX = 600, HISTORY_PENDING = 1024 * 1024, HISTORY_FIELD_MAX = 1024 };

enum history_kind {
  HISTORY_ARRIVED, /* text: the origin, as in our Received: field. account: the login */
  HISTORY_MAILBOX, /* put into a mailbox: account, folder, uid */
  HISTORY_QUEUED,  /* for a remote recipient */
  HISTORY_REFUSED, /* text: why */
  HISTORY_READ,    /* sent to a POP3 client: account, folder, uid */
  HISTORY_DELETED, /* by a POP3 session: account, folder, uid */
  HISTORY_KINDS
};

struct history_event {
  uint8_t kind;
  int64_t at_s;
  uint64_t account, folder;
  uint32_t uid;
  struct slice name, message_id, sender, recipient, text; /* empty: none */
};

/* The origin of a message: the Message-ID from its first octets; our Received: field from its head.
 * NULL: no memory. */
struct history_arrival {
  size_t text_n, id_n;
  uint8_t text[HISTORY_TEXT_MAX], id[256];
};
struct history_arrival *history_arrival_of(struct slice octets);
void history_arrival_head(struct history_arrival *a, struct slice head);
/* Events encoded one after the other. False: there are no more. */
void history_put_event(struct buf *b, const struct history_event *e);
bool history_get_event(struct wire *w, struct history_event *e);

/* Stores events: KIND_HISTORY. */
struct history_write {
  struct store_job job;
  struct slice events; /* behind the job */
  int64_t before_s;    /* older rows go */
  uint64_t most;       /* octets */
  bool tried;
  uint64_t lost; /* result: events that were not written */
};

#endif
