/* SPDX-License-Identifier: ISC */
/* The Message-ID: field (RFC 5322 §3.6.4) of a message that comes in pieces, however it is cut, for
 * the log: the first such field, unfolded, cut to MESSAGE_ID_MAX octets. Start with all zero. */
#ifndef QASID_MAIL_MESSAGE_ID_H
#define QASID_MAIL_MESSAGE_ID_H

#include "lib/base/slice.h"

enum { MESSAGE_ID_MAX = 250 };

struct message_id {
  uint8_t state;   /* see message_id.c */
  uint8_t matched; /* octets of the name that this line has begun with */
  uint16_t n;
  uint8_t octets[MESSAGE_ID_MAX];
};
void message_id_take(struct message_id *m, struct slice piece);
/* Without the space around it; empty when there is none (yet). */
struct slice message_id_value(const struct message_id *m);

#endif
