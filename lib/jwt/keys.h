/* SPDX-License-Identifier: ISC */
/* The public keys of token issuers: a JSON Web Key Set (RFC 7517 §5). Read-only once made. */
#ifndef QASID_JWT_KEYS_H
#define QASID_JWT_KEYS_H

#include "lib/base/buf.h"
#include "lib/tls/verify.h"

enum {
  JWT_KEYS_MAX = 64, /* issuers have two or three, and rotate them */
  JWT_KEYS_TEXT_MAX = 64 * 1024,
  JWT_KID_MAX = 256,
};

struct jwt_keys;

/* The algorithm of a name in "alg"; SIGNATURE_KINDS: not accepted. Accepted are RS256, PS256, ES256
 * and EdDSA; never "none", and never an algorithm whose verifier could sign (HS256). */
enum signature_kind jwt_algorithm(struct slice name);

/* Reads a key set. Keys for other purposes ("use" other than "sig") and of kinds that are not
 * accepted are skipped (§5). NULL with a sentence in `err`: when the text is not a key set, no key
 * is left, a key for signatures is invalid, two keys have one "kid", or the set contains a private
 * key, which must not be stored on a mail server. */
struct jwt_keys *jwt_keys_read(struct slice text, struct buf *err);
void jwt_keys_free(struct jwt_keys **k);
size_t jwt_keys_count(const struct jwt_keys *k);
/* The key of that "kid"; with an empty one, the only key that fits the algorithm. The key is of the
 * algorithm's kind. NULL: there is none. */
const struct public_key *jwt_keys_find(const struct jwt_keys *k, struct slice kid,
                                       enum signature_kind kind);

#endif
