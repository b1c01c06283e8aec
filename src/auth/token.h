/* SPDX-License-Identifier: ISC */
/* Verifies OAuth access tokens and finds their accounts. One interface, so that a verifier that has
 * to query another server (introspection, RFC 7662) can be added beside the one that only needs the
 * issuer's public keys. */
#ifndef QASID_AUTH_TOKEN_H
#define QASID_AUTH_TOKEN_H

#include "conf/conf.h"

struct auth;
struct login;

struct token_verifier {
  /* Verifies l->sasl.token and reports the result with login_token_judged(), once: in this call, or
   * later, unless the login was freed meanwhile. */
  void (*verify)(struct token_verifier *v, struct auth *a, struct login *l, uint64_t now_ms);
  void (*free)(struct token_verifier *v);
};

/* JSON Web Tokens, verified with the key set in `keys` (lib/jwt/keys.h). NULL with a sentence in
 * `err`. */
struct token_verifier *token_verifier_jwt(struct slice keys, struct buf *err);

#endif
