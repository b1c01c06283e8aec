/* SPDX-License-Identifier: ISC */
/* The header of mail that this server writes to its own postmaster. */
#ifndef QASID_MAIL_NOTICE_H
#define QASID_MAIL_NOTICE_H

#include "lib/base/buf.h"

/* All fields and the empty line. `host`: this server's name; `id`: unique, the local part of the
 * Message-ID; `subject`: printable ASCII. */
void notice_put_header(struct buf *out, const char *host, struct slice subject, struct slice id,
                       int64_t now_s);

#endif
