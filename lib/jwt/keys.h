/* SPDX-License-Identifier: ISC */
/* The public keys of who issues tokens: a JSON Web Key Set (RFC 7517 §5). Read-only once made. */
#ifndef QASID_JWT_KEYS_H
#define QASID_JWT_KEYS_H

#include "lib/base/buf.h"
#include "lib/tls/verify.h"

enum {
  JWT_KEYS_MAX = 64, /* issuers have two or three, and turn them */
  JWT_KEYS_TEXT_MAX = 64 * 1024,
  JWT_KID_MAX = 256,
};

struct jwt_keys;

/* The algorithm of a name in "alg"; SIGNATURE_KINDS: not one that is taken here. Those are RS256,
 * PS256, ES256 and EdDSA; never "none", and never one where who verifies could sign (HS256). */
enum signature_kind jwt_algorithm(struct slice name);

/* From the text of a key set. Keys for other purposes ("use" other than "sig") and of kinds that
 * are not taken here are passed over (§5). NULL with a sentence in `err`: when it is no key set,
 * when no key is left, when a key that is meant is wrong, when two have one "kid", and when a
 * private key is in it, which has no business on a mail server. */
struct jwt_keys *jwt_keys_read(struct slice text, struct buf *err);
void jwt_keys_free(struct jwt_keys **k);
size_t jwt_keys_count(const struct jwt_keys *k);
/* The key of that "kid"; with an empty one, the only key there is for the algorithm. It takes the
 * algorithm. NULL: there is none. */
const struct public_key *jwt_keys_find(const struct jwt_keys *k, struct slice kid,
                                       enum signature_kind kind);

#endif
