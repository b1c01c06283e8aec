/* SPDX-License-Identifier: ISC */
/* SCRAM's stored keys (scram.h): derives the salts of a name and the keys of a password, and
 * encodes both for the row. Pure apart from OpenSSL. Invariant: the salt depends on the name and
 * this server's key only, so that a name without an account looks like one that has an account. */
#include "src/auth/scram.h"

#include "lib/base/wire.h"
#include "lib/unicode/prepare.h"

static const enum digest_kind kinds[] = { DIGEST_SHA1, DIGEST_SHA256 };
enum { KINDS = sizeof kinds / sizeof *kinds };

struct scram_verifier *scram_verifier_of(struct scram_verifiers *v, enum digest_kind kind) {
  return kind == DIGEST_SHA1 ? &v->sha1 : &v->sha256;
}

bool scram_salts(const uint8_t key[DIGEST_SHA256_SIZE], struct slice name,
                 struct scram_verifiers *ret) {
  for (size_t i = 0; i < KINDS; i++) {
    struct scram_verifier *v = scram_verifier_of(ret, kinds[i]);
    const uint8_t kind = (uint8_t)kinds[i];
    uint8_t digest[DIGEST_MAX];
    const struct slice parts[] = { slice_of(&kind, 1), name };
    if (!digest_hmac_parts(DIGEST_SHA256, slice_of(key, DIGEST_SHA256_SIZE), parts, 2, digest))
      return false;
    memcpy(v->salt, digest, SCRAM_SALT);
    v->iterations = SCRAM_ITERATIONS;
  }
  return true;
}

bool scram_derive(struct scram_verifiers *ret, struct slice password) {
  bool ok = true;
  for (size_t i = 0; ok && i < KINDS; i++) {
    struct scram_verifier *v = scram_verifier_of(ret, kinds[i]);
    ok = scram_keys_derive(kinds[i], password, slice_of(v->salt, SCRAM_SALT), v->iterations,
                           &v->keys);
  }
  return ok;
}

bool scram_takes(struct slice password) {
  struct buf prepared;
  buf_init(&prepared, PREPARE_MAX);
  bool ok = prepare_sasl(password, &prepared);
  buf_wipe(&prepared);
  return ok;
}

void scram_pack(const struct scram_verifiers *v, struct buf *out) {
  for (size_t i = 0; i < KINDS; i++) {
    const struct scram_verifier *one = kinds[i] == DIGEST_SHA1 ? &v->sha1 : &v->sha256;
    buf_put(out, slice_of(one->salt, SCRAM_SALT));
    wire_put_u32(out, one->iterations);
    buf_put(out, slice_of(one->keys.stored, digest_size(kinds[i])));
    buf_put(out, slice_of(one->keys.server, digest_size(kinds[i])));
  }
}

static void take(struct slice *from, uint8_t *to, size_t n) {
  if (from->n >= n) memcpy(to, from->p, n);
  *from = slice_from(*from, n);
}

bool scram_unpack(struct slice packed, struct scram_verifiers *ret) {
  size_t whole = 0;
  for (size_t i = 0; i < KINDS; i++) whole += SCRAM_SALT + 4 + 2 * digest_size(kinds[i]);
  if (packed.n != whole) return false;
  for (size_t i = 0; i < KINDS; i++) {
    struct scram_verifier *v = scram_verifier_of(ret, kinds[i]);
    take(&packed, v->salt, SCRAM_SALT);
    struct wire w = wire_open(packed);
    v->iterations = wire_get_u32(&w);
    packed = w.rest;
    take(&packed, v->keys.stored, digest_size(kinds[i]));
    take(&packed, v->keys.server, digest_size(kinds[i]));
  }
  return true;
}
