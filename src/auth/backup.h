/* SPDX-License-Identifier: ISC */
/* auth's part of `qasid backup`. */
#ifndef QASID_AUTH_BACKUP_H
#define QASID_AUTH_BACKUP_H

#include "src/auth/accounts.h"

/* A ustar archive of auth.db as it is now and of auth.key, to `put` in pieces of at most `piece`
 * octets. False with a sentence in `err`; what was put until then must be discarded. */
bool backup_put(struct accounts *a, int64_t now_s, size_t piece,
                void (*put)(void *arg, struct slice octets), void *arg, struct buf *err);

#endif
