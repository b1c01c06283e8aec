/* SPDX-License-Identifier: ISC */
/* A front-end asks keys for one private-key operation of a TLS handshake.
 *
 * The request is synchronous: the front-end sends it and waits for the reply (at most
 * KEYS_WAIT_MS). A P-256 signature takes less time than the round trip, resumed handshakes need
 * none, and OpenSSL's callbacks remain ordinary function calls. The tag counts requests. */
#ifndef QASID_IPC_FRONT_KEYS_H
#define QASID_IPC_FRONT_KEYS_H

#include "ipc/ipc.h"
#include "lib/tls/key_use.h"

enum { KEYS_WAIT_MS = 2000 };

/* clang-format off */
/* key: the certificate's index in the configuration, from 0. */
#define key_sign_FIELDS(F) F(u16, key, ) F(u8, use, ) F(bytes, input, 4096)
/* Empty when keys refuses. */
#define key_signed_FIELDS(F) F(bytes, output, 4096)

#define FRONT_KEYS_MESSAGES(M) \
  /* type name      from       allowed in  next      max   fds kind */ \
  M(1,  key_sign,    IPC_LEFT,  IPC_ANY,    IPC_SAME, 4128, 0, IPC_ASK) \
  M(64, key_signed,  IPC_RIGHT, IPC_ANY,    IPC_SAME, 4128, 0, IPC_TO(1))

FRONT_KEYS_MESSAGES(IPC_DECLARE)
extern const struct ipc_pair ipc_front_keys;
/* clang-format on */

#endif
