/* SPDX-License-Identifier: ISC */
/* JSON Web Tokens (RFC 7519) that are signed (RFC 7515, compact serialization), with the rules of
 * RFC 8725: the algorithm must be accepted here and fit the key; the key comes from the local set,
 * never from the token or an address in it; issuer, audience and expiry are checked each time. */
#ifndef QASID_JWT_JWT_H
#define QASID_JWT_JWT_H

#include "lib/jwt/keys.h"

enum {
  JWT_TOKEN_MAX = 12288, /* what SASL carries (RFC 4954 §4) */
  JWT_HEADER_MAX = 2048, /* octets, decoded from base64 */
  JWT_NAME_MAX = 320,
  JWT_LEEWAY_S = 60, /* how far clocks may differ (RFC 7519 §4.1.4 allows "a few minutes") */
};

struct jwt_rules {
  struct slice issuer;   /* "iss" is this */
  struct slice audience; /* "aud" is this, or a list with it */
  struct slice claim;    /* the claim that names the account */
  int64_t now_s;         /* seconds since 1970 */
};

/* Why a token is refused. From JWT_EXPIRED on its signature was valid. */
enum jwt_result {
  JWT_GOOD,
  JWT_MALFORMED, /* not a token */
  /* an algorithm that is not accepted, or an extension that must be understood (RFC 7515 §4.1.11)
   */
  JWT_ALGORITHM,
  JWT_NO_KEY, /* no key of that name and kind in the set */
  JWT_SIGNATURE,
  JWT_EXPIRED,   /* or without "exp" */
  JWT_TOO_EARLY, /* "nbf" */
  JWT_ISSUER,
  JWT_AUDIENCE,
  JWT_NAME,       /* the claim is missing, not a string or too long */
  JWT_UNVERIFIED, /* it is the email, and the issuer has not verified that */
  JWT_RESULTS
};
/* For a log: "token refused: expired". */
const char *jwt_result_text(enum jwt_result r);

/* On GOOD the claim that names the account is put into ret_name. */
enum jwt_result jwt_verify(const struct jwt_keys *keys, const struct jwt_rules *rules,
                           struct slice token, struct buf *ret_name);

#endif
