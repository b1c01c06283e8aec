/* SPDX-License-Identifier: ISC */
/* Limits on how much an account sends to other servers. Mail above a limit is accepted and held: a
 * stolen password cannot be used to send spam, and an honest user's mail waits until the postmaster
 * releases it.
 *
 * An hour and a day begin with the first message after the previous one has ended. A message is
 * counted and held as a whole. The recipients to whom an account has sent are remembered, as a
 * hash, for SEND_LIMITS_MEMORY_DAYS; held mail adds none. Only remote recipients are counted, not
 * local mailboxes and not reports.
 *
 *   owner    send_limits_set() puts the account's limits into the job
 *   writer   send_limits_apply() counts in the message's transaction, and decides
 *   owner    send_limits_notify() mails the postmaster, at most once an hour for each account */
#ifndef QASID_STORE_OWNER_SEND_LIMITS_H
#define QASID_STORE_OWNER_SEND_LIMITS_H

#include "src/store/owner/owner.h"

enum { SEND_LIMITS_NOTICE_EVERY_S = 3600 };

void send_limits_set(struct store *s, const struct session *session, struct deliver_job *d);
void send_limits_notify(struct store *s, const struct deliver_job *d, int64_t now_s);

#endif
