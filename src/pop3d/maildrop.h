/* SPDX-License-Identifier: ISC */
/* The snapshot of an open maildrop: the message behind each message number.
 *
 * 16 octets a message. UIDLs that were imported from another server are in an area of their own,
 * each preceded by a length octet; all others are made from UIDVALIDITY and uid when they are
 * needed. */
#ifndef QASID_POP3D_MAILDROP_H
#define QASID_POP3D_MAILDROP_H

#include "lib/base/buf.h"
#include "mail/surrogate.h"

enum { MAILDROP_MESSAGES_MAX = 16 * 1024 * 1024 }; /* 256 MB of snapshot */

/* What the client is sent for a message. In UTF8 mode always the message itself. */
enum maildrop_sent {
  MAILDROP_MESSAGE,
  MAILDROP_SURROGATE, /* `octets` is its size */
  DROP_UNKNOWN        /* the message itself if its headers turn out to be ASCII: `octets` is its
                       * size */
};

struct maildrop_message {
  uint64_t octets : 62; /* as RETR sends them, before stuffing */
  uint64_t sent : 2;    /* an enum maildrop_sent */
  uint32_t uid;
  uint32_t uidl_at : 30; /* 1 + place in drop.uidls; 0: made from uidvalidity and uid */
  uint32_t fetched : 1;  /* RETR sent all of it */
  uint32_t deleted : 1;
};

struct maildrop {
  struct maildrop_message *messages;
  uint32_t count;  /* messages that were announced */
  uint32_t listed; /* messages whose row has come */
  uint32_t left;   /* not marked as deleted */
  uint32_t last;   /* the highest number that RETR sent (LAST) */
  uint32_t uidvalidity;
  uint64_t octets_left; /* of the messages not marked */
  /* messages are sent unchanged: the client sent UTF8, or the option says so */
  bool utf8;
  enum surrogate_way way; /* else */
  struct buf uidls;
};

/* Room for `count` messages. False without memory, or past MAILDROP_MESSAGES_MAX. */
bool maildrop_open(struct maildrop *d, uint32_t count, uint32_t uidvalidity, bool utf8,
                   enum surrogate_way way);
/* Adds rows in the encoding of pop_listing (ipc/pop3d_store.h). False if they are malformed or too
 * many, or without memory; the snapshot is then unusable. */
bool maildrop_add(struct maildrop *d, struct slice rows);
void maildrop_close(struct maildrop *d);

/* Message `number` (from 1), deleted or not; NULL if there is none. */
struct maildrop_message *maildrop_at(const struct maildrop *d, uint64_t number);
void maildrop_delete(struct maildrop *d, struct maildrop_message *m);
/* Marks the messages that were fetched. */
void maildrop_delete_fetched(struct maildrop *d);
/* Removes all marks (RSET). */
void maildrop_restore(struct maildrop *d);
static inline uint32_t maildrop_deleted(const struct maildrop *d) { return d->listed - d->left; }
/* Puts the message's UIDL: 1 to 70 octets from 0x21 to 0x7E. */
void maildrop_put_uidl(const struct maildrop *d, const struct maildrop_message *m, struct buf *out);

#endif
