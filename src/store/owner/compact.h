/* SPDX-License-Identifier: ISC */
/* What a start does if `compact` was requested (compact.c). */
#ifndef QASID_STORE_OWNER_COMPACT_H
#define QASID_STORE_OWNER_COMPACT_H

#include "src/store/owner/owner.h"

/* Before anything opens a database. False: the disk failed, with a sentence in `err`. */
bool compact_if_wanted(struct store *s, struct buf *err);

#endif
