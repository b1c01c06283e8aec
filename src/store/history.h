/* SPDX-License-Identifier: ISC */
/* The history: what happened to mail, for `qasid why`. It is a database of its own beside the
 * mail's, so that mail neither waits for it nor is lost with it.
 *
 *   owner: history_note() → pending → one write job at a time, with all that gathered meanwhile →
 *   rows of `event`
 *
 * Invariants:
 *  1. No mail is lost or refused because of the history: a job of it never fails its group. It is
 *     written about once a second while there is something, with one sync; a crash loses what was
 *     not written yet.
 *  2. It is bounded: `queue_history` by time, `history_size` by octets (0: none is written),
 *     HISTORY_PENDING in memory.
 *  3. What was not written is counted (`history-lost` in status). */
#ifndef QASID_STORE_HISTORY_H
#define QASID_STORE_HISTORY_H

#include "src/store/engine.h"

#define HISTORY_DATABASE "history.sqlite"

enum { HISTORY_TEXT_MAX = 600, HISTORY_PENDING = 1024 * 1024, HISTORY_REFUSALS_A_SECOND = 100 };

enum history_kind {
  HISTORY_ARRIVED, /* text: where from, as our Received: field has it. account: who was logged in */
  HISTORY_MAILBOX, /* put into a mailbox: account, folder, uid */
  HISTORY_QUEUED,  /* for a recipient elsewhere */
  HISTORY_REFUSED, /* text: why */
  HISTORY_READ,    /* given to a POP3 session: account, folder, uid */
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

/* --- the owner's side; struct store has one --- */

struct history {
  struct buf pending;
  uint64_t lost;     /* did not fit, or could not be written */
  bool out;          /* its job is under way */
  int64_t flushed_s; /* when the last job left */
  int64_t second;    /* of refusals */
  uint32_t refusals;
};
void history_init(struct history *h);
void history_free(struct history *h);
struct store;
void history_note(struct store *s, const struct history_event *e);
/* Writes now what has gathered: at the stop, each minute, and before a query. */
void history_flush(struct store *s, int64_t now_s);
/* Notes that a recipient was refused. */
void history_refused(struct store *s, struct slice sender, struct slice recipient, const char *why,
                     int64_t now_s);

/* Where a message comes from, out of its first octets: our Received: field and its Message-ID.
 * NULL: no memory. */
struct history_arrival {
  size_t text_n, id_n;
  uint8_t text[HISTORY_TEXT_MAX], id[256];
};
struct history_arrival *history_arrival_of(struct slice octets);
struct deliver_job;
/* The message is durable, in mailboxes or in the queue: notes that. `from` NULL: made here. */
void history_delivered(struct store *s, const struct deliver_job *d,
                       const struct history_arrival *from);

/* --- the database --- */

/* The engine's connection to it, opened (and made anew where it is damaged) at first use; NULL:
 * there is none now. */
struct db *history_db(struct store_engine *e);

#endif
