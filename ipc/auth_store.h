/* SPDX-License-Identifier: ISC */
/* auth tells store what it has just proved: session 17 of front-end 5 is account 42.
 *
 * This is the only way by which a session comes to a maildrop. `front` is the number that the
 * parent gave the front-end's process; it is never used twice, so a grant for a process that died
 * opens nothing. store answers before auth says yes to the front-end, so the grant is always there
 * first. The tag is auth's own number for the question.
 *
 * A session may be over, or auth's patience, before it has heard yes: auth_revoke takes the grant
 * back. A maildrop that is open by then stays open; it is its session's to close. */
#ifndef QASID_IPC_AUTH_STORE_H
#define QASID_IPC_AUTH_STORE_H

#include "ipc/ipc.h"

/* clang-format off */
#define auth_grant_FIELDS(F) F(u32, front, ) F(u64, session, ) F(u64, account, )
/* The collector's run `session` may deliver into that account's inbox, for the collection `source`
 * (a random number, never used for another): ipc/collector_store.h. Answered and revoked as
 * auth_grant is. */
#define auth_collect_FIELDS(F) F(u32, front, ) F(u64, session, ) F(u64, account, ) F(u64, source, )
/* The smtpd session is that account's: what it submits may leave. Answered and revoked as
 * auth_grant is. */
#define auth_submit_FIELDS(F) F(u32, front, ) F(u64, session, ) F(u64, account, )
/* The collection is no more: what store remembers of it may go. No answer. */
#define auth_uncollect_FIELDS(F) F(u64, account, ) F(u64, source, )
/* No answer. */
#define auth_revoke_FIELDS(F) F(u32, front, ) F(u64, session, )
/* known: store has such an account. wait_s not 0: it opened its maildrop so recently that it has to
 * wait so many seconds (LOGIN-DELAY, RFC 2449 §6.5); nothing was granted. */
#define auth_granted_FIELDS(F) F(flag, known, ) F(u32, wait_s, )

#define AUTH_STORE_MESSAGES(M) \
  /* type name         from       allowed in  next      max  fds */ \
  M(1,  auth_grant,     IPC_LEFT,  IPC_ANY,    IPC_SAME, 32,  0) \
  M(2,  auth_revoke,    IPC_LEFT,  IPC_ANY,    IPC_SAME, 16,  0) \
  M(3,  auth_collect,   IPC_LEFT,  IPC_ANY,    IPC_SAME, 32,  0) \
  M(4,  auth_uncollect, IPC_LEFT,  IPC_ANY,    IPC_SAME, 16,  0) \
  M(5,  auth_submit,    IPC_LEFT,  IPC_ANY,    IPC_SAME, 32,  0) \
  M(64, auth_granted,   IPC_RIGHT, IPC_ANY,    IPC_SAME, 16,  0)

AUTH_STORE_MESSAGES(IPC_DECLARE)
extern const struct ipc_pair ipc_auth_store;
/* clang-format on */

#endif
