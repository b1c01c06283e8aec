/* SPDX-License-Identifier: ISC */
/* keys without its socket: the private keys, and the operations that front-ends request.
 *
 * Invariants:
 *  1. A private key comes in once, from the parent, and nothing derived from it goes out but
 *     signatures.
 *  2. A front-end's request is a place, a use and octets of bounded length; they are parsed no
 *     further than "is this block padded as a signature" (lib/tls/key.h).
 *  3. A front-end gets KEYS_PER_SECOND operations a second and no more: a compromised one cannot
 *     use the key as fast as the machine could, and cannot starve the others. The sender's requests
 *     for signatures on mail (src/keys/mail_keys.h) are limited likewise.
 *  4. A new set of keys takes effect whole or not at all. */
#ifndef QASID_KEYS_H
#define QASID_KEYS_H

#include "ipc/front_keys.h"
#include "lib/base/buf.h"

enum {
  KEYS_MAX = 256,
  KEYS_FRONTS_MAX = 128,  /* front-ends that are counted at a time */
  KEYS_PER_SECOND = 5000, /* for each front-end; a full handshake takes it 160 µs of CPU or more */
  KEYS_MAIL_PER_SECOND = 1000, /* messages signed; one takes about 1 ms of CPU */
};

struct keys;

struct keys *keys_new(void);
/* Wipes. */
void keys_free(struct keys **k);

/* Key number `index` of the set being received; `last` makes the set take effect. False with a
 * sentence in `err`: a key cannot be used, or places are missing. The set in use then stays, and
 * the rest of the new one is ignored up to the next `last`. */
bool keys_add(struct keys *k, uint16_t index, bool last, struct slice pem, struct buf *err);
/* How many keys are in use. */
size_t keys_count(const struct keys *k);

/* A message of front-end number `front`. Puts the payload of the key_signed that answers it. False:
 * malformed, a breach. */
bool keys_message(struct keys *k, uint32_t front, const struct ipc_msg *msg, uint64_t now_ms,
                  struct buf *answer);
/* True if one more message may be signed now. */
bool keys_mail_turn(struct keys *k, uint64_t now_ms);
/* That front-end is gone. */
void keys_front_lost(struct keys *k, uint32_t front);

#endif
