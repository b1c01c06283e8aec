/* The snapshot of an open maildrop: what each message number stands for.
 *
 * 16 octets a message. UIDLs that were imported from another server stand in an area of their own, one
 * length octet before each; all others are made from UIDVALIDITY and uid when they are asked for. */
#ifndef QASID_POP3D_DROP_H
#define QASID_POP3D_DROP_H

#include "lib/base/buf.h"
#include "lib/mail/surrogate.h"

enum { DROP_MESSAGES_MAX = 16 * 1024 * 1024 }; /* 256 MB of snapshot */

/* What the client gets of a message. In UTF8 mode always the message. */
enum drop_sent {
  DROP_MESSAGE,
  DROP_SURROGATE, /* `octets` is its size */
  DROP_UNKNOWN    /* the message if its headers turn out to be ASCII: `octets` is its size */
};

struct drop_message {
  uint64_t octets : 62;  /* as RETR sends them, before stuffing */
  uint64_t sent : 2;     /* an enum drop_sent */
  uint32_t uid;
  uint32_t uidl_at : 30; /* 1 + place in drop.uidls; 0: made from uidvalidity and uid */
  uint32_t fetched : 1;  /* RETR sent all of it */
  uint32_t deleted : 1;
};

struct drop {
  struct drop_message *messages;
  uint32_t count;        /* messages that were announced */
  uint32_t listed;       /* messages whose row has come */
  uint32_t left;         /* not marked as deleted */
  uint32_t last;         /* the highest number that RETR sent (LAST) */
  uint32_t uidvalidity;
  uint64_t octets_left;  /* of the messages not marked */
  bool utf8;             /* messages are sent as they are: the client said UTF8, or all get them so */
  enum surrogate_way way; /* else */
  struct buf uidls;
};

/* Room for `count` messages. False without memory, or past DROP_MESSAGES_MAX. */
bool drop_open(struct drop *d, uint32_t count, uint32_t uidvalidity, bool utf8, enum surrogate_way way);
/* Rows as pop_listing has them (ipc/pop3d_store.h). False when they are malformed, too many, or memory
 * is missing; the snapshot is then of no use. */
bool drop_add(struct drop *d, struct slice rows);
void drop_close(struct drop *d);

/* Message `number` (from 1), deleted or not; NULL when there is none. */
struct drop_message *drop_at(const struct drop *d, uint64_t number);
void drop_delete(struct drop *d, struct drop_message *m);
/* Marks what was fetched. */
void drop_delete_fetched(struct drop *d);
/* Unmarks all (RSET). */
void drop_restore(struct drop *d);
static inline uint32_t drop_deleted(const struct drop *d) { return d->listed - d->left; }
/* Puts the message's UIDL: 1 to 70 octets from 0x21 to 0x7E. */
void drop_put_uidl(const struct drop *d, const struct drop_message *m, struct buf *out);

#endif
