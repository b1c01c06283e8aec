/* SPDX-License-Identifier: ISC */
/* Verification of a signed JSON Web Token, in this order: form, header, key, signature, claims
 * (expiry, not before, issuer, audience, account name).
 * Invariants: claims are parsed only after the signature was verified; a key is chosen from the
 * local set by the header's "kid" and "alg", and never taken from the token; the account name is
 * put out only when every check has passed. */
#include "lib/jwt/jwt.h"

#include "lib/base/codec.h"
#include "lib/json/json.h"

const char *jwt_result_text(enum jwt_result r) {
  static const char *const texts[JWT_RESULTS] = {
    [JWT_GOOD] = "token taken",
    [JWT_MALFORMED] = "token refused: not a signed token",
    [JWT_ALGORITHM] = "token refused: signed in a way that is not taken",
    [JWT_NO_KEY] = "token refused: signed with a key that is not in oauth_keys",
    [JWT_SIGNATURE] = "token refused: its signature is wrong",
    [JWT_EXPIRED] = "token refused: expired",
    [JWT_TOO_EARLY] = "token refused: not valid yet",
    [JWT_ISSUER] = "token refused: not from oauth_issuer",
    [JWT_AUDIENCE] = "token refused: not for oauth_audience",
    [JWT_NAME] = "token refused: it names no account in oauth_claim",
    [JWT_UNVERIFIED] = "token refused: the issuer has not verified its email (email_verified)",
  };
  return texts[r < JWT_RESULTS ? r : JWT_MALFORMED];
}

/* header "." payload "." signature; each in base64url */
struct parts {
  struct slice header, payload, signature, signed_text;
};

static bool cut(struct slice token, struct parts *ret) {
  struct slice rest = token;
  if (token.n > JWT_TOKEN_MAX) return false;
  ret->header = slice_split(&rest, '.');
  if (!rest.p) return false;
  ret->payload = slice_split(&rest, '.');
  if (!rest.p || slice_find(rest, '.') >= 0) return false;
  ret->signature = rest;
  ret->signed_text = slice_first(token, ret->header.n + 1 + ret->payload.n);
  return ret->header.n && ret->payload.n && ret->signature.n;
}

static struct json_value *read_part(struct slice text, size_t most) {
  struct buf b;
  const char *why;
  buf_init(&b, most);
  struct json_value *v = base64url_decode(&b, text) ? json_read(buf_slice(&b), &why) : NULL;
  buf_wipe(&b);
  return v;
}

/* RFC 7519 §5.1, RFC 9068 §2.1; a token of another type is not valid for a login (RFC 8725
 * §3.11). */
static bool is_login(struct slice typ) {
  return slice_caseeq(typ, SLICE("JWT")) || slice_caseeq(typ, SLICE("at+jwt")) ||
         slice_caseeq(typ, SLICE("application/at+jwt"));
}

static enum jwt_result judge_header(const struct json_value *h, struct slice *ret_kid,
                                    enum signature_kind *ret_kind) {
  struct slice alg, typ;
  *ret_kid = SLICE_NONE;
  if (!json_text(h, "alg", &alg)) return JWT_MALFORMED;
  *ret_kind = jwt_algorithm(alg);
  if (*ret_kind == SIGNATURE_KINDS || json_member(h, "crit")) return JWT_ALGORITHM;
  if (json_member(h, "typ") && (!json_text(h, "typ", &typ) || !is_login(typ))) return JWT_ALGORITHM;
  if (json_member(h, "kid") && (!json_text(h, "kid", ret_kid) || !ret_kid->n)) return JWT_MALFORMED;
  return JWT_GOOD;
}

static enum jwt_result judge_signature(const struct jwt_keys *keys, const struct parts *p,
                                       struct slice kid, enum signature_kind kind) {
  struct buf signature;
  const struct public_key *key = jwt_keys_find(keys, kid, kind);
  if (!key) return JWT_NO_KEY;
  buf_init(&signature, JWT_TOKEN_MAX);
  enum jwt_result r = !base64url_decode(&signature, p->signature) ? JWT_MALFORMED
                      : public_key_verify(key, kind, p->signed_text, buf_slice(&signature))
                          ? JWT_GOOD
                          : JWT_SIGNATURE;
  buf_free(&signature);
  return r;
}

/* RFC 7519 §4.1.3: a string, or an array of strings. */
static bool is_for_us(const struct json_value *claims, struct slice audience) {
  const struct json_value *aud = json_member(claims, "aud");
  struct slice one;
  if (json_is_text(aud, &one)) return slice_eq(one, audience);
  for (size_t i = 0; i < json_count(aud); i++)
    if (json_is_text(json_item(aud, i), &one) && slice_eq(one, audience)) return true;
  return false;
}

/* The claim's name is the operator's, an option of at most 64 octets. */
static bool name_of(const struct json_value *claims, struct slice claim, struct slice *ret) {
  char name[80];
  if (claim.n >= sizeof name) return false;
  memcpy(name, claim.p, claim.n);
  name[claim.n] = 0;
  return json_text(claims, name, ret) && ret->n && ret->n <= JWT_NAME_MAX;
}

static enum jwt_result judge_claims(const struct json_value *c, const struct jwt_rules *r,
                                    struct buf *ret_name) {
  int64_t exp, nbf;
  struct slice issuer, name;
  if (!json_seconds(c, "exp", &exp) || exp <= r->now_s - JWT_LEEWAY_S) return JWT_EXPIRED;
  if (json_member(c, "nbf") && (!json_seconds(c, "nbf", &nbf) || nbf > r->now_s + JWT_LEEWAY_S))
    return JWT_TOO_EARLY;
  if (!json_text(c, "iss", &issuer) || !issuer.n || !slice_eq(issuer, r->issuer)) return JWT_ISSUER;
  if (!r->audience.n || !is_for_us(c, r->audience)) return JWT_AUDIENCE;
  if (!name_of(c, r->claim, &name)) return JWT_NAME;
  if (slice_eq(r->claim, SLICE("email")) && json_denies(c, "email_verified")) return JWT_UNVERIFIED;
  buf_put(ret_name, name);
  return ret_name->failed ? JWT_NAME : JWT_GOOD;
}

enum jwt_result jwt_verify(const struct jwt_keys *keys, const struct jwt_rules *rules,
                           struct slice token, struct buf *ret_name) {
  struct parts p;
  struct slice kid;
  enum signature_kind kind;
  if (!cut(token, &p)) return JWT_MALFORMED;
  struct json_value *header = read_part(p.header, JWT_HEADER_MAX), *claims = NULL;
  enum jwt_result r = header ? judge_header(header, &kid, &kind) : JWT_MALFORMED;
  if (r == JWT_GOOD) r = judge_signature(keys, &p, kid, kind);
  json_done(&header);
  /* The payload is parsed only after its signature was verified. */
  if (r == JWT_GOOD && !(claims = read_part(p.payload, JWT_TOKEN_MAX))) r = JWT_MALFORMED;
  if (r == JWT_GOOD) r = judge_claims(claims, rules, ret_name);
  json_done(&claims);
  return r;
}
