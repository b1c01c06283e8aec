/* SPDX-License-Identifier: ISC */
/* auth sends store the identity that it has just verified: session 17 of front-end 5 is account 42.
 *
 * This is the only way in which a session gets access to a maildrop. `front` is the number that the
 * parent gave the front-end's process; numbers are never reused, so a grant for a process that died
 * opens nothing. store replies before auth accepts the login at the front-end, so the grant always
 * arrives first. The tag is auth's own number for the request.
 *
 * The session may end, or auth may time out, before the login is accepted: auth_revoke then
 * withdraws the grant. A maildrop that is open by then stays open; its session closes it. */
#ifndef QASID_IPC_AUTH_STORE_H
#define QASID_IPC_AUTH_STORE_H

#include "ipc/ipc.h"

/* clang-format off */
#define auth_grant_FIELDS(F) F(u32, front, ) F(u64, session, ) F(u64, account, )
/* The collector's run `session` may deliver into that account's inbox, for the collection `source`
 * (a random number, never used for another): ipc/collector_store.h. The reply and the revocation
 * are those of auth_grant. */
#define auth_collect_FIELDS(F) F(u32, front, ) F(u64, session, ) F(u64, account, ) F(u64, source, )
/* The smtpd session has logged in as that account: mail that it submits may be relayed. The reply
 * and the revocation are those of auth_grant. */
#define auth_submit_FIELDS(F) F(u32, front, ) F(u64, session, ) F(u64, account, )
/* The collection was removed: store may discard what it remembers of it. No reply. */
#define auth_uncollect_FIELDS(F) F(u64, account, ) F(u64, source, )
/* No reply. */
#define auth_revoke_FIELDS(F) F(u32, front, ) F(u64, session, )
/* known: store has such an account. wait_s not 0: the account opened its maildrop so recently that
 * it has to wait this many seconds (LOGIN-DELAY, RFC 2449 §6.5); nothing was granted. */
#define auth_granted_FIELDS(F) F(flag, known, ) F(u32, wait_s, )

#define AUTH_STORE_MESSAGES(M) \
  /* type name         from       allowed in  next      max  fds */ \
  M(1,  auth_grant,     IPC_LEFT,  IPC_ANY,    IPC_SAME, 32,  0, IPC_ASK) \
  M(2,  auth_revoke,    IPC_LEFT,  IPC_ANY,    IPC_SAME, 16,  0, IPC_SEND) \
  M(3,  auth_collect,   IPC_LEFT,  IPC_ANY,    IPC_SAME, 32,  0, IPC_ASK) \
  M(4,  auth_uncollect, IPC_LEFT,  IPC_ANY,    IPC_SAME, 16,  0, IPC_SEND) \
  M(5,  auth_submit,    IPC_LEFT,  IPC_ANY,    IPC_SAME, 32,  0, IPC_ASK) \
  M(64, auth_granted,   IPC_RIGHT, IPC_ANY,    IPC_SAME, 16,  0, IPC_TO(1) | IPC_TO(3) | IPC_TO(5))

AUTH_STORE_MESSAGES(IPC_DECLARE)
extern const struct ipc_pair ipc_auth_store;
/* clang-format on */

#endif
