/* SPDX-License-Identifier: ISC */
/* The role `pickup` hands smtpd a connection for a message that a local program left while the
 * server was down (docs/design/pickup.md). smtpd serves it as one to the socket `submit` by that
 * user; on the connection they speak SMTP. There are no other messages, and no tags. */
#ifndef QASID_IPC_PICKUP_SMTPD_H
#define QASID_IPC_PICKUP_SMTPD_H

#include "ipc/ipc.h"

/* clang-format off */
/* uid: the owner of the file. id: the message's identity, 16 octets, by which store remembers the
 * recipients that have the message. The descriptor is smtpd's end of the connection. */
#define pickup_submit_FIELDS(F) F(u32, uid, ) F(bytes, id, 16)

#define PICKUP_SMTPD_MESSAGES(M) \
  /* type name from allowed in next max fds kind */ \
  M(1, pickup_submit, IPC_LEFT, IPC_ANY, IPC_SAME, 64, 1, IPC_SEND)

PICKUP_SMTPD_MESSAGES(IPC_DECLARE)
extern const struct ipc_pair ipc_pickup_smtpd;
/* clang-format on */

#endif
