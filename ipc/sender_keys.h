/* SPDX-License-Identifier: ISC */
/* The sender asks keys to sign a message for one of our domains.
 *
 * keys makes the DKIM-Signature fields itself, with its own date and selectors, and signs the
 * SHA-256 of its input followed by such a field: so a sender can obtain a DKIM signature in the
 * name of a domain that has keys here, and nothing else. The tag is the request's number, never
 * reused. */
#ifndef QASID_IPC_SENDER_KEYS_H
#define QASID_IPC_SENDER_KEYS_H

#include "ipc/ipc.h"
#include "mail/dkim.h"

enum { SIGN_FIELDS_MAX = DKIM_ALGORITHMS * DKIM_FIELD_MAX };

enum sign_outcome {
  SIGN_DONE,       /* prepend `fields` to the message */
  SIGN_NO_KEY,     /* the domain has no keys */
  SIGN_UNREADABLE, /* it has keys, but they cannot be used */
  SIGN_BUSY,       /* too many requests in this second; ask again */
  SIGN_OUTCOMES
};

/* clang-format off */
/* names: the tag h=. body_hash: SHA-256 of the canonical body. input: the canonical fields that
 * `names` stands for. */
#define dkim_sign_FIELDS(F) \
  F(bytes, domain, 255) F(bytes, names, DKIM_NAMES_MAX) F(bytes, body_hash, DKIM_HASH) \
    F(bytes, input, DKIM_INPUT_MAX)
#define dkim_signed_FIELDS(F) F(u8, outcome, ) F(bytes, fields, SIGN_FIELDS_MAX)

#define SENDER_KEYS_MESSAGES(M) \
  /* type name       from       allowed in  next      max        fds kind */ \
  M(1,  dkim_sign,   IPC_LEFT,  IPC_ANY,    IPC_SAME, 70 * 1024, 0, IPC_ASK) \
  M(64, dkim_signed, IPC_RIGHT, IPC_ANY,    IPC_SAME, 20 * 1024, 0, IPC_TO(1))

SENDER_KEYS_MESSAGES(IPC_DECLARE)
extern const struct ipc_pair ipc_sender_keys;
/* clang-format on */

#endif
