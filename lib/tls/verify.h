/* SPDX-License-Identifier: ISC */
/* Verification of signatures by public keys: RSA, ECDSA on P-256 and Ed25519, as JSON Web
 * Signatures name and encode them (RFC 7518 §3, RFC 8037 §3.1). Each call stands alone and may run
 * in any thread. */
#ifndef QASID_TLS_VERIFY_H
#define QASID_TLS_VERIFY_H

#include "lib/base/buf.h"

enum public_kind { PUBLIC_RSA, PUBLIC_P256, PUBLIC_ED25519 };
/* Signature algorithms. Each is used with keys of one kind. */
enum signature_kind {
  SIGNATURE_RS256, /* RSASSA-PKCS1-v1_5 with SHA-256 */
  SIGNATURE_PS256, /* RSASSA-PSS with SHA-256, salt of 32 octets, MGF1 with SHA-256 */
  SIGNATURE_ES256, /* ECDSA with SHA-256: r and s, 32 octets each */
  SIGNATURE_EDDSA, /* Ed25519 */
  SIGNATURE_KINDS
};

struct public_key;

/* Big-endian numbers. RSA of 2048 to 8192 bits with an odd exponent of at most 8 octets; a point of
 * P-256 that is on the curve, 32 octets a coordinate; 32 octets of Ed25519. NULL, with a short
 * reason in *ret_why. */
struct public_key *public_key_rsa(struct slice n, struct slice e, const char **ret_why);
struct public_key *public_key_p256(struct slice x, struct slice y, const char **ret_why);
struct public_key *public_key_ed25519(struct slice x, const char **ret_why);
void public_key_free(struct public_key **k);
enum public_kind public_key_kind(const struct public_key *k);
enum public_kind signature_takes(enum signature_kind kind);

/* False: not the signature of that key over `message`, or the key is not of the algorithm's kind,
 * or no memory. */
bool public_key_verify(const struct public_key *k, enum signature_kind kind, struct slice message,
                       struct slice signature);

#endif
