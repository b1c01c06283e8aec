/* SPDX-License-Identifier: ISC */
/* DKIM key pairs: made, loaded from PKCS #8, and used to sign.
 * Invariants: a loaded key is RSA of at least DKIM_RSA_BITS or Ed25519, as its algorithm says;
 * what is signed is always a SHA-256 that was computed here. */
#include "lib/tls/dkim_key.h"

#include <openssl/evp.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>
#include <stdlib.h>

#include "lib/tls/ossl.h"

struct dkim_key {
  EVP_PKEY *pkey;
  enum dkim_algorithm algorithm;
};

static bool put_private(EVP_PKEY *pkey, struct buf *to) {
  PKCS8_PRIV_KEY_INFO *p8 = EVP_PKEY2PKCS8(pkey);
  unsigned char *der = NULL;
  int n = p8 ? i2d_PKCS8_PRIV_KEY_INFO(p8, &der) : -1;
  if (n > 0) buf_put(to, slice_of(der, (size_t)n));
  OPENSSL_clear_free(der, n > 0 ? (size_t)n : 0);
  PKCS8_PRIV_KEY_INFO_free(p8);
  return n > 0 && !to->failed;
}

/* RFC 6376 §3.6.1 as all verifiers read it: a SubjectPublicKeyInfo; RFC 8463 §4.2: the octets of
 * the key alone. */
static bool put_public(enum dkim_algorithm a, EVP_PKEY *pkey, struct buf *to) {
  unsigned char raw[32], *der = NULL;
  size_t size = sizeof raw;
  if (a == DKIM_ED25519) {
    if (EVP_PKEY_get_raw_public_key(pkey, raw, &size) != 1) return false;
    buf_put(to, slice_of(raw, size));
    return !to->failed;
  }
  int n = i2d_PUBKEY(pkey, &der);
  if (n > 0) buf_put(to, slice_of(der, (size_t)n));
  OPENSSL_free(der);
  return n > 0 && !to->failed;
}

bool dkim_key_make(enum dkim_algorithm a, struct buf *private_key, struct buf *public_key) {
  ossl_start();
  EVP_PKEY *pkey = a == DKIM_RSA ? EVP_PKEY_Q_keygen(NULL, NULL, "RSA", (size_t)DKIM_RSA_BITS)
                                 : EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");
  bool ok = pkey && put_private(pkey, private_key) && put_public(a, pkey, public_key);
  EVP_PKEY_free(pkey);
  ERR_clear_error();
  return ok;
}

static bool is_kind(enum dkim_algorithm a, EVP_PKEY *pkey) {
  if (a == DKIM_ED25519) return EVP_PKEY_is_a(pkey, "ED25519");
  return EVP_PKEY_is_a(pkey, "RSA") && EVP_PKEY_get_bits(pkey) >= DKIM_RSA_BITS; /* RFC 8301 §3.2 */
}

struct dkim_key *dkim_key_load(enum dkim_algorithm a, struct slice private_key) {
  ossl_start();
  const unsigned char *at = private_key.p;
  struct dkim_key *k = calloc(1, sizeof *k);
  if (!k) return NULL;
  k->algorithm = a;
  k->pkey = private_key.n ? d2i_AutoPrivateKey(NULL, &at, (long)private_key.n) : NULL;
  ERR_clear_error();
  if (!k->pkey || !is_kind(a, k->pkey)) dkim_key_free(&k);
  return k;
}

void dkim_key_free(struct dkim_key **k) {
  if (!*k) return;
  EVP_PKEY_free((*k)->pkey);
  free(*k);
  *k = NULL;
}

bool dkim_key_sign(struct dkim_key *k, struct slice input, struct buf *signature) {
  unsigned char hash[EVP_MAX_MD_SIZE], out[1024];
  unsigned hashed = 0;
  size_t n = sizeof out;
  bool ed = k->algorithm == DKIM_ED25519;
  EVP_MD_CTX *ctx = EVP_MD_CTX_new();
  bool ok = ctx && (!ed || EVP_Digest(input.p, input.n, hash, &hashed, EVP_sha256(), NULL) == 1) &&
            EVP_DigestSignInit(ctx, NULL, ed ? NULL : EVP_sha256(), NULL, k->pkey) == 1 &&
            EVP_DigestSign(ctx, out, &n, ed ? hash : input.p, ed ? hashed : input.n) == 1;
  EVP_MD_CTX_free(ctx);
  ERR_clear_error();
  if (ok) buf_put(signature, slice_of(out, n));
  return ok && !signature->failed;
}
