/* SPDX-License-Identifier: ISC */
/* The verifier for access tokens that are JSON Web Tokens: checks signature, issuer, audience and
 * time with the key set of `oauth_keys`, and reports the account's name to login.c. It queries
 * nobody and reports within the call. */
#include "src/auth/token.h"

#include "lib/jwt/jwt.h"
#include "src/auth/core.h"

#include <stdlib.h>

struct jwt_verifier {
  struct token_verifier verifier;
  struct jwt_keys *keys;
};

static void verify(struct token_verifier *v, struct auth *a, struct login *l, uint64_t now_ms) {
  const struct jwt_verifier *j = (const struct jwt_verifier *)v;
  const struct jwt_rules rules = {
    .issuer = slice_str(a->conf->oauth_issuer),
    .audience = slice_str(a->conf->oauth_audience),
    .claim = slice_str(a->conf->oauth_claim),
    .now_s = a->shell.wall ? a->shell.wall(a->shell.arg) : 0,
  };
  struct buf name;
  buf_init(&name, JWT_NAME_MAX);
  enum jwt_result r = jwt_verify(j->keys, &rules, buf_slice(&l->sasl.token), &name);
  login_token_judged(a, l, r == JWT_GOOD ? NULL : jwt_result_text(r), buf_slice(&name), now_ms);
  buf_free(&name);
}

static void jwt_free(struct token_verifier *v) {
  struct jwt_verifier *j = (struct jwt_verifier *)v;
  jwt_keys_free(&j->keys);
  free(j);
}

struct token_verifier *token_verifier_jwt(struct slice keys, struct buf *err) {
  struct jwt_keys *set = jwt_keys_read(keys, err);
  struct jwt_verifier *j = set ? calloc(1, sizeof *j) : NULL;
  if (j) {
    *j = (struct jwt_verifier){ { verify, jwt_free }, set };
    return &j->verifier;
  }
  if (set) buf_put_str(err, "no memory");
  jwt_keys_free(&set);
  return NULL;
}
