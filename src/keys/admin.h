/* SPDX-License-Identifier: ISC */
/* The administrator's commands to keys: `qasid dkim …`:
 *
 *   dkim list [DOMAIN]             a row for each key
 *   dkim make DOMAIN               a new pair: current if it is the first, else next
 *   dkim switch DOMAIN             next becomes current
 *   dkim retire DOMAIN [--force]   removes the old ones
 *   dkim forget DOMAIN             removes all */
#ifndef QASID_KEYS_ADMIN_H
#define QASID_KEYS_ADMIN_H

#include "runtime/role/process.h"
#include "src/keys/mail_keys.h"

/* `m` is NULL when the folder of the keys cannot be opened. False: malformed, a breach. */
bool keys_admin(struct process *r, struct mail_keys *m, uint32_t number, const struct ipc_msg *msg);

#endif
