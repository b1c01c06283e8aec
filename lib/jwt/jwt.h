/* SPDX-License-Identifier: ISC */
/* JSON Web Tokens (RFC 7519) that are signed (RFC 7515, compact serialization), with the rules of
 * RFC 8725: the algorithm must be one that is taken here and fit the key; the key comes out of the
 * local set, never out of the token or from an address in it; who issued it, whom it is for and
 * until when are looked at each time. */
#ifndef QASID_JWT_JWT_H
#define QASID_JWT_JWT_H

#include "lib/jwt/keys.h"

enum {
  JWT_TOKEN_MAX = 12288, /* what SASL carries (RFC 4954 §4) */
  JWT_HEADER_MAX = 2048, /* octets, out of base64 */
  JWT_NAME_MAX = 320,
  JWT_LEEWAY_S = 60, /* how far clocks may differ (RFC 7519 §4.1.4 allows "a few minutes") */
};

struct jwt_rules {
  struct slice issuer;   /* "iss" is this */
  struct slice audience; /* "aud" is this, or a list with it */
  struct slice claim;    /* the claim that names the account */
  int64_t now_s;         /* seconds since 1970 */
};

/* What is wrong with a token. From JWT_EXPIRED on its signature was right. */
enum jwt_result {
  JWT_GOOD,
  JWT_MALFORMED, /* no token at all */
  /* one that is not taken, or an extension that must be understood (RFC 7515 §4.1.11) */
  JWT_ALGORITHM,
  JWT_NO_KEY, /* none of that name and kind in the set */
  JWT_SIGNATURE,
  JWT_EXPIRED,   /* or without "exp" */
  JWT_TOO_EARLY, /* "nbf" */
  JWT_ISSUER,
  JWT_AUDIENCE,
  /* the claim is missing, no string or too long, or the issuer has not verified it */
  JWT_NAME,
  JWT_RESULTS
};
const char *jwt_result_text(enum jwt_result r);

/* On GOOD the claim that names the account is put into ret_name. */
enum jwt_result jwt_verify(const struct jwt_keys *keys, const struct jwt_rules *rules,
                           struct slice token, struct buf *ret_name);

#endif
