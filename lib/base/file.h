/* SPDX-License-Identifier: ISC */
/* Reading small files named in the configuration: certificates, keys, key sets. */
#ifndef QASID_BASE_FILE_H
#define QASID_BASE_FILE_H

#include "lib/base/buf.h"

/* Appends a regular file's octets to `to`, whose maximum limits the size. Anything else (a folder,
 * a FIFO without a writer) is refused at once. False, with `"PATH": ` and the reason in `err`. */
bool file_read(const char *path, struct buf *to, struct buf *err);

#endif
