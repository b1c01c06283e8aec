/* SPDX-License-Identifier: ISC */
/* The UIDL of a message that was not imported: UIDVALIDITY and UID, eight hexadecimal digits each.
 * One that is restored after its deletion has a new UID, and keeps its first UIDL as text. */
#ifndef QASID_STORE_JOBS_UIDL_H
#define QASID_STORE_JOBS_UIDL_H

#include "lib/base/buf.h"

enum { UIDL_OWN = 16 };

void uidl_put_own(struct buf *b, uint32_t uidvalidity, uint32_t uid);
/* The UIDL as POP3 shows it, replacing the contents of `b`. `text`: the row's value, or nothing. */
void uidl_set(struct buf *b, struct slice text, uint32_t uidvalidity, uint32_t uid);
/* True when `s` has that form with this uidvalidity. */
bool uidl_is_own(struct slice s, uint32_t uidvalidity, uint32_t *ret_uid);

#endif
