/* SPDX-License-Identifier: ISC */
/* TLS private keys: loaded from PEM, compared with their certificate, and used for one operation
 * at a time.
 * Invariants: a key has exactly one use (ECDSA, raw RSA or Ed25519), and any other is refused; a
 * raw RSA operation is done only on a block that is padded as a TLS signature, so the key cannot
 * decrypt; RSA moduli have 2048 to 8192 bits. */
#include "lib/tls/key.h"

#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <openssl/ssl.h>
#include <stdlib.h>

#include "lib/tls/ossl.h"

enum {
  SECURE_OCTETS = 2 << 20, /* 256 RSA keys of 4096 bits need half of it; must be a power of two */
  SECURE_LEAST = 32,
  MODULUS_LEAST = 256, /* 2048 bits */
  MODULUS_MOST = 1024, /* 8192 bits */
};

struct tls_key {
  EVP_PKEY *pkey;
  enum key_use use;
  size_t modulus; /* octets, RSA only */
};

bool tls_key_memory(void) {
  ossl_start();
  /* 1: made and locked; 2: made, not locked. */
  return CRYPTO_secure_malloc_init(SECURE_OCTETS, SECURE_LEAST) == 1;
}

static const char *describe(struct tls_key *k) {
  if (EVP_PKEY_is_a(k->pkey, "EC")) {
    k->use = KEY_ECDSA;
  } else if (EVP_PKEY_is_a(k->pkey, "ED25519")) {
    k->use = KEY_ED25519;
  } else if (EVP_PKEY_is_a(k->pkey, "RSA")) {
    k->use = KEY_RSA_RAW;
    k->modulus = (size_t)EVP_PKEY_get_size(k->pkey);
    if (k->modulus < MODULUS_LEAST || k->modulus > MODULUS_MOST)
      return "an RSA key must have 2048 to 8192 bits";
  } else {
    return "only RSA, ECDSA and Ed25519 keys can be used";
  }
  return NULL;
}

struct tls_key *tls_key_load(struct slice pem, struct buf *err) {
  ossl_start();
  struct tls_key *k = calloc(1, sizeof *k);
  BIO *bio = k ? ossl_reader(pem) : NULL;
  if (bio) k->pkey = PEM_read_bio_PrivateKey(bio, NULL, ossl_no_password, NULL);
  BIO_free(bio);
  const char *why = k && k->pkey ? describe(k) : ossl_reason("no private key in it");
  ERR_clear_error();
  if (!why) return k;
  buf_printf(err, "the private key can't be used: %s", why);
  tls_key_free(&k);
  return NULL;
}

void tls_key_free(struct tls_key **k) {
  if (!*k) return;
  EVP_PKEY_free((*k)->pkey);
  free(*k);
  *k = NULL;
}

bool tls_key_fits(const struct tls_key *k, struct slice certificate_pem) {
  BIO *bio = ossl_reader(certificate_pem);
  bool bad = false;
  X509 *x = bio ? ossl_next_certificate(bio, &bad) : NULL;
  bool fits = x && X509_check_private_key(x, k->pkey) == 1;
  X509_free(x);
  BIO_free(bio);
  ERR_clear_error();
  return fits;
}

/* --- is this block a signature's? --- */

/* RFC 8017 §9.2: 00 01 FF…FF 00 DigestInfo; at least eight FF. The DigestInfo's header must be that
 * of a hash TLS signs with. */
static bool is_pkcs1_signature(struct slice block) {
  static const struct {
    uint8_t header[19];
    size_t digest;
  } hashes[] = {
    { { 0x30, 0x31, 0x30, 0x0d, 6, 9, 0x60, 0x86, 0x48, 1, 0x65, 3, 4, 2, 1, 5, 0, 4, 32 }, 32 },
    { { 0x30, 0x41, 0x30, 0x0d, 6, 9, 0x60, 0x86, 0x48, 1, 0x65, 3, 4, 2, 2, 5, 0, 4, 48 }, 48 },
    { { 0x30, 0x51, 0x30, 0x0d, 6, 9, 0x60, 0x86, 0x48, 1, 0x65, 3, 4, 2, 3, 5, 0, 4, 64 }, 64 },
  };
  if (slice_at(block, 0) != 0 || slice_at(block, 1) != 1) return false;
  size_t at = 2;
  while (slice_at(block, at) == 0xff) at++;
  if (at < 10 || slice_at(block, at) != 0) return false;
  struct slice info = slice_from(block, at + 1);
  for (size_t i = 0; i < sizeof hashes / sizeof *hashes; i++) {
    struct slice header = slice_of(hashes[i].header, sizeof hashes[i].header);
    if (slice_starts(info, header) && info.n == header.n + hashes[i].digest) return true;
  }
  return false;
}

/* RFC 8017 §B.2.1, xored over `to`. */
static bool mgf1_xor(const EVP_MD *md, struct slice seed, uint8_t *to, size_t n) {
  EVP_MD_CTX *ctx = EVP_MD_CTX_new();
  uint8_t mask[EVP_MAX_MD_SIZE];
  bool ok = ctx != NULL;
  for (size_t done = 0, counter = 0; ok && done < n; counter++) {
    uint8_t octets[4] = { 0, 0, 0, (uint8_t)counter }; /* at most 1024 / 32 rounds */
    unsigned got = 0;
    ok = EVP_DigestInit_ex(ctx, md, NULL) && EVP_DigestUpdate(ctx, seed.p, seed.n) &&
         EVP_DigestUpdate(ctx, octets, sizeof octets) && EVP_DigestFinal_ex(ctx, mask, &got);
    for (size_t i = 0; ok && i < got && done < n; i++) to[done++] ^= mask[i];
  }
  EVP_MD_CTX_free(ctx);
  return ok;
}

/* RFC 8017 §9.1.2 with the salt as long as the hash (RFC 8446 §4.2.3): maskedDB, H, BC; and DB must
 * come out as zeros, 01, salt. (A modulus of whole octets: one bit of the first is cut off.) */
static bool is_pss_signature_with(const EVP_MD *md, struct slice block) {
  size_t hash = (size_t)EVP_MD_get_size(md);
  uint8_t db[MODULUS_MOST];
  if (block.n < 2 * hash + 2 || block.n > sizeof db) return false;
  size_t db_size = block.n - hash - 1;
  memcpy(db, block.p, db_size);
  if (slice_at(block, block.n - 1) != 0xbc || (db[0] & 0x80)) return false;
  if (!mgf1_xor(md, slice_of(block.p + db_size, hash), db, db_size)) return false;
  db[0] &= 0x7f;
  size_t one = db_size - hash - 1;
  for (size_t i = 0; i < one; i++)
    if (db[i] != 0) return false;
  return db[one] == 1;
}

static bool is_signature_block(struct slice block) {
  return is_pkcs1_signature(block) || is_pss_signature_with(EVP_sha256(), block) ||
         is_pss_signature_with(EVP_sha384(), block) || is_pss_signature_with(EVP_sha512(), block);
}

/* --- operations --- */

static bool takes(const struct tls_key *k, enum key_use use, struct slice in) {
  if (use != k->use) return false;
  if (use == KEY_ECDSA) return in.n >= 32 && in.n <= EVP_MAX_MD_SIZE;
  if (use == KEY_RSA_RAW) return in.n == k->modulus && is_signature_block(in);
  return true;
}

static bool sign_digest(const struct tls_key *k, struct slice in, uint8_t *to, size_t *n) {
  EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new(k->pkey, NULL);
  bool ok = ctx && EVP_PKEY_sign_init(ctx) == 1 &&
            (k->use != KEY_RSA_RAW || EVP_PKEY_CTX_set_rsa_padding(ctx, RSA_NO_PADDING) == 1) &&
            EVP_PKEY_sign(ctx, to, n, in.p, in.n) == 1;
  EVP_PKEY_CTX_free(ctx);
  return ok;
}

static bool sign_message(const struct tls_key *k, struct slice in, uint8_t *to, size_t *n) {
  EVP_MD_CTX *ctx = EVP_MD_CTX_new();
  bool ok = ctx && EVP_DigestSignInit(ctx, NULL, NULL, NULL, k->pkey) == 1 &&
            EVP_DigestSign(ctx, to, n, in.p, in.n) == 1;
  EVP_MD_CTX_free(ctx);
  return ok;
}

bool tls_key_sign(struct tls_key *k, enum key_use use, struct slice in, struct buf *out) {
  uint8_t signature[MODULUS_MOST];
  size_t n = sizeof signature;
  if (!takes(k, use, in)) return false;
  ERR_clear_error();
  bool ok =
      use == KEY_ED25519 ? sign_message(k, in, signature, &n) : sign_digest(k, in, signature, &n);
  ERR_clear_error();
  if (!ok) return false;
  buf_put(out, slice_of(signature, n));
  return !out->failed;
}
