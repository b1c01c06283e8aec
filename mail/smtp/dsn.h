/* SPDX-License-Identifier: ISC */
/* Parameters for delivery reports: RFC 3461. Used by both sides of the protocol and by the
 * queue. */
#ifndef QASID_SMTP_DSN_H
#define QASID_SMTP_DSN_H

#include "lib/base/buf.h"

enum smtp_notify {
  SMTP_NOTIFY_NEVER = 1,
  SMTP_NOTIFY_SUCCESS = 2,
  SMTP_NOTIFY_FAILURE = 4,
  SMTP_NOTIFY_DELAY = 8
};
enum smtp_ret { SMTP_RET_NONE, SMTP_RET_FULL, SMTP_RET_HDRS };

/* The bit for a word of NOTIFY=, in any case; 0 for another word. */
uint8_t smtp_notify_of(struct slice word);
/* " NOTIFY=…" and " RET=…" (§4.1, §4.3); nothing if not given. */
void smtp_notify_put(struct buf *out, uint8_t notify);
void smtp_ret_put(struct buf *out, uint8_t ret);

/* Characters that ENVID= and ORCPT= may stand for (§4.4, §4.2); as xtext they may be three times as
 * long. */
enum { SMTP_ENVID_MAX = 100, SMTP_ORCPT_MAX = 500, SMTP_ORCPT_TYPE_MAX = 40 };
/* Octets of a whole ORCPT= as it stands on the wire. */
enum { SMTP_ORCPT_WIRE_MAX = SMTP_ORCPT_TYPE_MAX + 1 + 3 * SMTP_ORCPT_MAX };

#endif
