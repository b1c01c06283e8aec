/* SPDX-License-Identifier: ISC */
/* A JSON Web Key Set read into at most JWT_KEYS_MAX public keys.
 * Invariants: no two keys have the same "kid"; a key with an "alg" is used with that algorithm
 * only; a set that contains a private key is refused as a whole; a lookup that two keys match
 * finds none. */
#include "lib/jwt/keys.h"

#include "lib/base/codec.h"
#include "lib/json/json.h"

#include <stdlib.h>

struct jwt_key {
  uint8_t kid[JWT_KID_MAX];
  size_t kid_n;
  bool named; /* "alg" was given: for that one alone (§4.4) */
  enum signature_kind kind;
  struct public_key *key;
};

struct jwt_keys {
  struct jwt_key items[JWT_KEYS_MAX];
  size_t count;
};

enum signature_kind jwt_algorithm(struct slice name) {
  static const char *const names[SIGNATURE_KINDS] = {
    [SIGNATURE_RS256] = "RS256",
    [SIGNATURE_PS256] = "PS256",
    [SIGNATURE_ES256] = "ES256",
    [SIGNATURE_EDDSA] = "EdDSA",
  };
  size_t i = 0;
  while (i < SIGNATURE_KINDS && !slice_eq(name, slice_str(names[i]))) i++;
  return (enum signature_kind)i;
}

/* --- one key --- */

enum { NUMBER_MAX = 1100 }; /* octets: 8192 bits and some */

/* A member in base64url. */
static bool octets(const struct json_value *v, const char *name, struct buf *out) {
  struct slice text;
  buf_init(out, NUMBER_MAX);
  return json_text(v, name, &text) && base64url_decode(out, text);
}

/* RFC 7518 §6.2, §6.3; RFC 8037 §2 */
static struct public_key *key_of(const struct json_value *v, struct slice kty,
                                 const char **ret_why) {
  bool rsa = slice_eq(kty, SLICE("RSA")), ec = slice_eq(kty, SLICE("EC"));
  struct buf first, second;
  bool ok = octets(v, rsa ? "n" : "x", &first);
  ok = (rsa || ec ? octets(v, rsa ? "e" : "y", &second) : (buf_init(&second, 1), true)) && ok;
  struct slice a = buf_slice(&first), b = buf_slice(&second);
  *ret_why = "its numbers are not in base64url";
  struct public_key *k = !ok   ? NULL
                         : rsa ? public_key_rsa(a, b, ret_why)
                         : ec  ? public_key_p256(a, b, ret_why)
                               : public_key_ed25519(a, ret_why);
  buf_free(&first);
  buf_free(&second);
  return k;
}

/* Not one that could verify a token here. */
static bool is_for_others(const struct json_value *v, struct slice kty) {
  struct slice use, alg, curve = SLICE_NONE;
  if (json_text(v, "use", &use) && !slice_eq(use, SLICE("sig"))) return true;
  if (json_text(v, "alg", &alg) && jwt_algorithm(alg) == SIGNATURE_KINDS) return true;
  const struct json_value *ops = json_member(v, "key_ops");
  bool verifies = !ops;
  for (size_t i = 0; i < json_count(ops); i++) {
    struct slice op;
    verifies |= json_is_text(json_item(ops, i), &op) && slice_eq(op, SLICE("verify"));
  }
  if (!verifies) return true;
  json_text(v, "crv", &curve);
  if (slice_eq(kty, SLICE("EC"))) return !slice_eq(curve, SLICE("P-256"));
  if (slice_eq(kty, SLICE("OKP"))) return !slice_eq(curve, SLICE("Ed25519"));
  return !slice_eq(kty, SLICE("RSA"));
}

static const char *add(struct jwt_keys *k, const struct json_value *v) {
  struct slice kty, kid = SLICE_NONE, alg;
  const char *why = NULL;
  if (!json_text(v, "kty", &kty)) return "a key has no \"kty\"";
  if (json_member(v, "d")) return "there is a private key in it; only the public half belongs here";
  if (is_for_others(v, kty)) return NULL;
  if (json_member(v, "kid") && (!json_text(v, "kid", &kid) || !kid.n || kid.n > JWT_KID_MAX))
    return "a \"kid\" is a string of at most 256 octets";
  for (size_t i = 0; i < k->count; i++)
    if (kid.n && slice_eq(kid, slice_of(k->items[i].kid, k->items[i].kid_n)))
      return "two keys have the same \"kid\"";
  if (k->count == JWT_KEYS_MAX) return "it has more than 64 keys";
  struct jwt_key *new = &k->items[k->count];
  new->named = json_text(v, "alg", &alg);
  if (new->named) new->kind = jwt_algorithm(alg);
  new->key = key_of(v, kty, &why);
  if (!new->key) return why;
  k->count++;
  if (new->named && signature_takes(new->kind) != public_key_kind(new->key))
    return "an \"alg\" is not of its key's kind";
  if (kid.n) memcpy(new->kid, kid.p, kid.n);
  new->kid_n = kid.n;
  return NULL;
}

/* --- the set --- */

static const char *read_set(struct jwt_keys *k, struct slice text) {
  const char *why = "it is larger than 64 KB";
  struct json_value *set = text.n <= JWT_KEYS_TEXT_MAX ? json_read(text, &why) : NULL;
  if (!set) return why;
  const struct json_value *list = json_member(set, "keys");
  why = json_count(list) ? NULL : "it has no \"keys\" (a JSON Web Key Set, RFC 7517, is meant)";
  for (size_t i = 0; !why && i < json_count(list); i++) why = add(k, json_item(list, i));
  json_done(&set);
  if (!why && !k->count) return "it has no key for RS256, PS256, ES256 or EdDSA";
  return why;
}

struct jwt_keys *jwt_keys_read(struct slice text, struct buf *err) {
  struct jwt_keys *k = calloc(1, sizeof *k);
  const char *why = k ? read_set(k, text) : "no memory";
  if (!why) return k;
  buf_printf(err, "the key set can't be used: %s", why);
  jwt_keys_free(&k);
  return NULL;
}

void jwt_keys_free(struct jwt_keys **ptr) {
  struct jwt_keys *k = *ptr;
  if (!k) return;
  for (size_t i = 0; i < k->count; i++) public_key_free(&k->items[i].key);
  free(k);
  *ptr = NULL;
}

size_t jwt_keys_count(const struct jwt_keys *k) { return k->count; }

const struct public_key *jwt_keys_find(const struct jwt_keys *k, struct slice kid,
                                       enum signature_kind kind) {
  const struct public_key *found = NULL;
  if (kind >= SIGNATURE_KINDS) return NULL;
  for (size_t i = 0; i < k->count; i++) {
    const struct jwt_key *one = &k->items[i];
    if (kid.n && !slice_eq(kid, slice_of(one->kid, one->kid_n))) continue;
    if (signature_takes(kind) != public_key_kind(one->key) || (one->named && one->kind != kind))
      continue;
    if (found) return NULL; /* which of them? */
    found = one->key;
  }
  return found;
}
