/* SPDX-License-Identifier: ISC */
/* The record of a message's envelope (RFC 5321 §2.3.1) passed between processes, and the record of
 * the octets that a front-end sends last (docs/design/envelope.md).
 *
 * Both are field types (ipc.h): `envelope` and `message`. The decoder enforces the bounds below; a
 * message whose envelope breaks one is malformed. The encoder keeps them too, and whatever the
 * decoder accepts is encoded to the same octets: each record has exactly one encoding. */
#ifndef QASID_IPC_ENVELOPE_H
#define QASID_IPC_ENVELOPE_H

#include "ipc/ipc.h"

enum {
  ENVELOPE_PATH_MAX = 512,        /* a path without its brackets */
  ENVELOPE_ENVID_MAX = 100 * 3,   /* RFC 3461 §4.4, as xtext */
  ENVELOPE_ORCPT_MAX = 41 + 1500, /* RFC 3461 §4.2, as xtext, with its type */
  /* All recipients with their records: 1,000 with addresses of 64 octets, or 100 with an ORCPT of
   * 500. They and a chunk fit one message between processes. */
  ENVELOPE_RCPTS_MAX = 72 * 1024,
  /* Maximum octets of a recipient's record beside its address and its ORCPT. */
  ENVELOPE_RCPT_HEAD = 1 + 8 + 4 + 4,
  /* A whole envelope. */
  ENVELOPE_MAX = ENVELOPE_RCPTS_MAX + ENVELOPE_PATH_MAX + ENVELOPE_ENVID_MAX + 32,
  QUEUE_ID_MAX = 64, /* a queue id */
};

/* Stored with a letter (src/store/jobs/queue_letter.h), so the numbers must not change. */
enum envelope_flags {
  ENVELOPE_EIGHT_BIT = 1, /* some octet is above 127 (RFC 6152) */
  ENVELOPE_UTF8 = 2,      /* it was received with SMTPUTF8 (RFC 6531) */
  /* From an authorized sender or from the server itself; not forwarded for a third party. Only
   * store sets it. */
  ENVELOPE_OURS = 4,
  /* With SMTPUTF8, and one of its headers is not ASCII. Without ENVELOPE_UTF8: a report that
   * returns such a header as message/global or message/global-headers. */
  ENVELOPE_UTF8_HEADER = 8,
  ENVELOPE_FLAGS = 15
};

struct envelope {
  struct slice return_path; /* without brackets; empty: <>. No octet of it ends a line */
  struct slice envid;       /* ENVID= as xtext, or empty */
  uint8_t ret;              /* enum smtp_ret */
  uint8_t flags;            /* enum envelope_flags */
  uint64_t size;            /* octets: the value of SIZE=, or 0; in a letter, the message's own
                             * size */
  struct slice rcpts;       /* records of recipients, at least one: envelope_rcpt_next() */
  size_t count;             /* number of recipients; set by the decoder */
};

struct envelope_rcpt {
  uint64_t row;   /* of the queue, in letters; else 0 */
  uint8_t notify; /* enum smtp_notify; 0: not given */
  /* From a front-end "local@domain" (local-part unquoted, domain in lower case; "postmaster" alone
   * for <Postmaster>); in a letter, the wire form. At least 1 octet. */
  struct slice address;
  struct slice orcpt; /* "rfc822;xtext", or empty */
};

/* The end of a message: everything spooled before, then `tail`. */
struct message_end {
  struct slice id;    /* the queue id, for logs and replies */
  uint64_t surrogate; /* the size of its surrogate, in the encoding of mail/surrogate.h */
  struct slice head;  /* whole header fields to be prepended: at most MESSAGE_FIELDS_MAX */
  struct slice tail;  /* at most IPC_CHUNK */
};

void envelope_put(struct buf *b, const struct envelope *e);
/* Decodes the next field of `w`; a record outside the bounds sets its sticky error. */
struct envelope envelope_get(struct wire *w);

void envelope_rcpt_put(struct buf *rcpts, const struct envelope_rcpt *r);
/* Takes the next record off `*rcpts`. False at the end, and on malformed input (`*rcpts` then has
 * octets left; cannot happen with a decoded envelope). */
bool envelope_rcpt_next(struct slice *rcpts, struct envelope_rcpt *ret);

void message_end_put(struct buf *b, const struct message_end *m);
struct message_end message_end_get(struct wire *w);

/* The field types, like the others in ipc.h. */
#define IPC_DECL_envelope(id) struct envelope id;
#define IPC_PUT_envelope(id) envelope_put(b, &m->id);
#define IPC_GET_envelope(id, max) m.id = envelope_get(&w);
#define IPC_ZERO_envelope \
  { .ret = 0 }
#define IPC_DECL_message(id) struct message_end id;
#define IPC_PUT_message(id) message_end_put(b, &m->id);
#define IPC_GET_message(id, max) m.id = message_end_get(&w);
#define IPC_ZERO_message \
  { .surrogate = 0 }

#endif
