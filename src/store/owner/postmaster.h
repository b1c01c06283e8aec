/* SPDX-License-Identifier: ISC */
/* Mail from the server to its postmaster: into the mailboxes to which the address postmaster leads.
 * If it leads nowhere, nothing is sent. */
#ifndef QASID_STORE_OWNER_POSTMASTER_H
#define QASID_STORE_OWNER_POSTMASTER_H

#include <stdint.h>

#include "lib/base/slice.h"

struct store;
struct ipc_msg;

enum { POSTMASTER_TEXT_MAX = 8192 };

/* `text`: lines with CRLF. */
void postmaster_send(struct store *s, struct slice subject, struct slice text, int64_t now_s);
/* Handles send_login_refused: notifies once a day for each route. False: malformed. */
bool postmaster_login_refused(struct store *s, const struct ipc_msg *m, int64_t now_s);

#endif
