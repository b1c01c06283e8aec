/* SPDX-License-Identifier: ISC */
/* Small files that the configuration names: certificates, keys, key sets. */
#ifndef QASID_BASE_FILE_H
#define QASID_BASE_FILE_H

#include "lib/base/buf.h"

/* Appends a regular file's octets to `to`, whose maximum is the most it may have. Anything else (a
 * folder, a FIFO without a writer) is refused at once. False, with `"PATH": ` and what is wrong
 * with it in `err`. */
bool file_read(const char *path, struct buf *to, struct buf *err);

#endif
