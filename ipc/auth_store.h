/* SPDX-License-Identifier: ISC */
/* auth sends store the identity that it has just verified: session 17 of front-end 5 is account 42.
 *
 * This is the only way in which a session gets access to a maildrop. `front` is the number that the
 * parent gave the front-end's process; numbers are never reused, so a grant for a process that died
 * opens nothing. store replies before auth accepts the login at the front-end, so the grant always
 * arrives first. The tag is auth's own number for the request.
 *
 * The session may end, or auth may time out, before the login is accepted: auth_revoke then
 * withdraws the grant. A maildrop that is open by then stays open; its session closes it.
 *
 * auth remembers which smtpd sessions are logged in until store reports their end (auth_over), and
 * repeats their grants to a restarted store: the login survives the restart. The maildrop of a POP3
 * session, and what a collector's run has listed, are lost with store, and so are their grants. */
#ifndef QASID_IPC_AUTH_STORE_H
#define QASID_IPC_AUTH_STORE_H

#include "ipc/ipc.h"

enum grant_service {
  GRANT_MAILDROP,   /* pop3d opens its maildrop */
  GRANT_SUBMISSION, /* mail of the smtpd session may be relayed. May be repeated: see above */
  /* the collector's run delivers into its inbox, for the collection `source`
   * (ipc/collector_store.h) */
  GRANT_COLLECTION,
  GRANT_SERVICES
};

/* clang-format off */
/* service: enum grant_service, what the session may do as that account. source: with
 * GRANT_COLLECTION, the collection (a random number, never used for another); else 0. */
#define auth_grant_FIELDS(F) \
  F(u32, front, ) F(u64, session, ) F(u64, account, ) F(u8, service, ) F(u64, source, )
/* The collection was removed: store may discard what it remembers of it. No reply. */
#define auth_uncollect_FIELDS(F) F(u64, account, ) F(u64, source, )
/* The session with that GRANT_SUBMISSION is over. */
#define auth_over_FIELDS(F) F(u32, front, ) F(u64, session, )
/* No reply. */
#define auth_revoke_FIELDS(F) F(u32, front, ) F(u64, session, )
/* known: store has such an account. wait_s not 0: the account opened its maildrop so recently that
 * it has to wait this many seconds (LOGIN-DELAY, RFC 2449 §6.5); nothing was granted. */
#define auth_granted_FIELDS(F) F(flag, known, ) F(u32, wait_s, )

#define AUTH_STORE_MESSAGES(M) \
  /* type name         from       allowed in  next      max  fds */ \
  M(1,  auth_grant,     IPC_LEFT,  IPC_ANY,    IPC_SAME, 32,  0, IPC_ASK) \
  M(2,  auth_revoke,    IPC_LEFT,  IPC_ANY,    IPC_SAME, 16,  0, IPC_SEND) \
  M(4,  auth_uncollect, IPC_LEFT,  IPC_ANY,    IPC_SAME, 16,  0, IPC_SEND) \
  M(64, auth_granted,   IPC_RIGHT, IPC_ANY,    IPC_SAME, 16,  0, IPC_TO(1)) \
  M(65, auth_over,      IPC_RIGHT, IPC_ANY,    IPC_SAME, 16,  0, IPC_SEND)

AUTH_STORE_MESSAGES(IPC_DECLARE)
extern const struct ipc_pair ipc_auth_store;
/* clang-format on */

#endif
