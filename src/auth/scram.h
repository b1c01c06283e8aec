/* SPDX-License-Identifier: ISC */
/* What an account keeps for SCRAM (RFC 5802 §3): for each digest a salt, a count, StoredKey and
 * ServerKey. A client cannot log in with them, but an attacker who has them can try passwords
 * against them, and faster than against yescrypt: PBKDF2 needs no memory. So an account has them
 * only if that was requested, and they are sealed.
 *
 * The salt is made from the name and a key of this server. So a name without an account has one
 * too, and it stays the same whatever happens to the account. */
#ifndef QASID_AUTH_SCRAM_H
#define QASID_AUTH_SCRAM_H

#include "mail/sasl/sasl.h"

enum {
  SCRAM_SALT = 16,
  SCRAM_ITERATIONS = 32768, /* eight times the minimum of RFC 7677 §4: 6 ms a digest */
  SCRAM_PACKED_MAX = 160,
};

struct scram_verifier {
  uint8_t salt[SCRAM_SALT];
  uint32_t iterations;
  struct scram_keys keys;
};
struct scram_verifiers {
  struct scram_verifier sha1, sha256;
};

/* The one for a mechanism's digest. */
struct scram_verifier *scram_verifier_of(struct scram_verifiers *v, enum digest_kind kind);
/* The one for a mechanism's digest. */
bool scram_salts(const uint8_t key[DIGEST_SHA256_SIZE], struct slice name,
                 struct scram_verifiers *ret);
/* Computes the keys, for salts that are set. Some milliseconds; touches nothing else. False: see
 * scram_keys_derive(). */
bool scram_derive(struct scram_verifiers *v, struct slice password);
/* True if SASLprep accepts it (RFC 5802 §2.2). */
bool scram_takes(struct slice password);

void scram_pack(const struct scram_verifiers *v, struct buf *out);
bool scram_unpack(struct slice packed, struct scram_verifiers *ret);

#endif
