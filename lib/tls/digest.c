/* SPDX-License-Identifier: ISC */
/* Digests, HMAC, PBKDF2 and AES-256-GCM through OpenSSL's EVP.
 * Invariants: no call keeps state between calls except a `struct digest_run`, and all may run in
 * any thread; intermediate key material is cleansed; seal_open() puts out nothing unless the tag
 * was right. */
#include "lib/tls/digest.h"

#include <limits.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <stdlib.h>

void digest_start(void) { OPENSSL_init_crypto(OPENSSL_INIT_NO_LOAD_CONFIG, NULL); }

static const EVP_MD *digest_md(enum digest_kind kind) {
  digest_start();
  switch (kind) {
  case DIGEST_MD5: return EVP_md5();
  case DIGEST_SHA1: return EVP_sha1();
  case DIGEST_SHA256: return EVP_sha256();
  case DIGEST_KINDS: break;
  }
  return NULL;
}

size_t digest_size(enum digest_kind kind) {
  static const uint8_t sizes[DIGEST_KINDS] = { DIGEST_MD5_SIZE, DIGEST_SHA1_SIZE,
                                               DIGEST_SHA256_SIZE };
  return kind < DIGEST_KINDS ? sizes[kind] : 0;
}

bool digest_parts(enum digest_kind kind, const struct slice *parts, size_t count, uint8_t *ret) {
  EVP_MD_CTX *ctx = EVP_MD_CTX_new();
  bool ok = ctx && EVP_DigestInit_ex(ctx, digest_md(kind), NULL);
  for (size_t i = 0; ok && i < count; i++) ok = EVP_DigestUpdate(ctx, parts[i].p, parts[i].n);
  ok = ok && EVP_DigestFinal_ex(ctx, ret, NULL);
  EVP_MD_CTX_free(ctx);
  return ok;
}

bool digest_of(enum digest_kind kind, struct slice s, uint8_t *ret) {
  return digest_parts(kind, &s, 1, ret);
}

struct digest_run {
  EVP_MD_CTX *ctx;
  bool ok;
};

struct digest_run *digest_begin(enum digest_kind kind) {
  struct digest_run *d = calloc(1, sizeof *d);
  if (!d) return NULL;
  d->ctx = EVP_MD_CTX_new();
  d->ok = d->ctx && EVP_DigestInit_ex(d->ctx, digest_md(kind), NULL);
  return d;
}

void digest_put(struct digest_run *d, struct slice s) {
  if (d && d->ok) d->ok = EVP_DigestUpdate(d->ctx, s.p, s.n);
}

bool digest_end(struct digest_run **d, uint8_t *ret) {
  if (!*d) return false;
  uint8_t nobodys[DIGEST_MAX];
  bool ok = (*d)->ok && EVP_DigestFinal_ex((*d)->ctx, ret ? ret : nobodys, NULL);
  EVP_MD_CTX_free((*d)->ctx);
  free(*d);
  *d = NULL;
  return ok;
}

/* RFC 2104 §2: H(K XOR opad, H(K XOR ipad, text)); all three digests have blocks of 64 octets. */
enum { HMAC_BLOCK = 64 };

static bool hmac_pad(enum digest_kind kind, struct slice key, uint8_t inner[HMAC_BLOCK],
                     uint8_t outer[HMAC_BLOCK]) {
  uint8_t block[HMAC_BLOCK] = { 0 };
  if (key.n > HMAC_BLOCK) {
    if (!digest_of(kind, key, block)) return false;
  } else if (key.n) {
    memcpy(block, key.p, key.n);
  }
  for (size_t i = 0; i < HMAC_BLOCK; i++) {
    inner[i] = block[i] ^ 0x36;
    outer[i] = block[i] ^ 0x5c;
  }
  OPENSSL_cleanse(block, sizeof block);
  return true;
}

static bool hmac_inner(EVP_MD_CTX *ctx, const EVP_MD *md, struct slice pad,
                       const struct slice *parts, size_t count, uint8_t *ret) {
  bool ok = EVP_DigestInit_ex(ctx, md, NULL) && EVP_DigestUpdate(ctx, pad.p, pad.n);
  for (size_t i = 0; ok && i < count; i++) ok = EVP_DigestUpdate(ctx, parts[i].p, parts[i].n);
  return ok && EVP_DigestFinal_ex(ctx, ret, NULL);
}

bool digest_hmac_parts(enum digest_kind kind, struct slice key, const struct slice *parts,
                       size_t count, uint8_t *ret) {
  uint8_t inner[HMAC_BLOCK], outer[HMAC_BLOCK], first[DIGEST_MAX];
  EVP_MD_CTX *ctx = EVP_MD_CTX_new();
  struct slice digest = slice_of(first, digest_size(kind));
  bool ok = ctx && hmac_pad(kind, key, inner, outer) &&
            hmac_inner(ctx, digest_md(kind), slice_of(inner, HMAC_BLOCK), parts, count, first) &&
            hmac_inner(ctx, digest_md(kind), slice_of(outer, HMAC_BLOCK), &digest, 1, ret);
  EVP_MD_CTX_free(ctx);
  OPENSSL_cleanse(inner, sizeof inner);
  OPENSSL_cleanse(outer, sizeof outer);
  return ok;
}

bool digest_hmac(enum digest_kind kind, struct slice key, struct slice s, uint8_t *ret) {
  return digest_hmac_parts(kind, key, &s, 1, ret);
}

bool digest_pbkdf2(enum digest_kind kind, struct slice password, struct slice salt,
                   uint32_t iterations, uint8_t *ret) {
  if (password.n > INT_MAX || salt.n > INT_MAX || iterations == 0 || iterations > INT_MAX)
    return false;
  return PKCS5_PBKDF2_HMAC(password.n ? (const char *)password.p : "", (int)password.n, salt.p,
                           (int)salt.n, (int)iterations, digest_md(kind), (int)digest_size(kind),
                           ret) == 1;
}

static const EVP_CIPHER *seal_cipher(void) {
  digest_start();
  return EVP_aes_256_gcm();
}

bool seal_put(const uint8_t key[SEAL_KEY], const uint8_t nonce[SEAL_NONCE], struct slice context,
              struct slice plain, struct buf *out) {
  uint8_t *to = plain.n <= INT_MAX / 2 ? buf_reserve(out, plain.n + SEAL_TAG) : NULL;
  EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();
  int n = 0, done = 0;
  bool ok = to && ctx && context.n <= INT_MAX &&
            EVP_EncryptInit_ex(ctx, seal_cipher(), NULL, key, nonce) &&
            (!context.n || EVP_EncryptUpdate(ctx, NULL, &n, context.p, (int)context.n));
  n = 0;
  ok = ok && (!plain.n || EVP_EncryptUpdate(ctx, to, &n, plain.p, (int)plain.n)) &&
       EVP_EncryptFinal_ex(ctx, to + n, &done) &&
       EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_GCM_GET_TAG, SEAL_TAG, to + plain.n);
  EVP_CIPHER_CTX_free(ctx);
  if (ok) buf_added(out, plain.n + SEAL_TAG);
  return ok;
}

bool seal_open(const uint8_t key[SEAL_KEY], const uint8_t nonce[SEAL_NONCE], struct slice context,
               struct slice sealed, struct buf *out) {
  if (sealed.n < SEAL_TAG || sealed.n > INT_MAX) return false;
  size_t size = sealed.n - SEAL_TAG;
  uint8_t tag[SEAL_TAG];
  memcpy(tag, sealed.p + size, SEAL_TAG);
  uint8_t *to = buf_reserve(out, size);
  EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();
  int n = 0, done = 0;
  bool ok = to && ctx && context.n <= INT_MAX &&
            EVP_DecryptInit_ex(ctx, seal_cipher(), NULL, key, nonce) &&
            (!context.n || EVP_DecryptUpdate(ctx, NULL, &n, context.p, (int)context.n));
  n = 0;
  ok = ok && (!size || EVP_DecryptUpdate(ctx, to, &n, sealed.p, (int)size)) &&
       EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_GCM_SET_TAG, SEAL_TAG, tag) &&
       EVP_DecryptFinal_ex(ctx, to + n, &done) == 1;
  EVP_CIPHER_CTX_free(ctx);
  if (ok)
    buf_added(out, size);
  else if (to)
    OPENSSL_cleanse(to, size);
  return ok;
}
