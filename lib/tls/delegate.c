/* SPDX-License-Identifier: ISC */
/* Private keys in another process: OpenSSL's RSA and EC methods with the private operation replaced
 * by a request to the signer.
 *
 * These method tables are the only way that OpenSSL 3.0 offers for this short of a provider of our
 * own; they are deprecated but work, hence the define below, in this file only. Keys with a method
 * that is not OpenSSL's own never reach a provider, so no other function is ever asked for a
 * signature. Ed25519 has no such table; its certificates are refused (tls_remote_pkey). */
#define OPENSSL_SUPPRESS_DEPRECATED
#include <openssl/ec.h>
#include <openssl/rsa.h>

#include "lib/tls/internal.h"

enum {
  APP_DATA = 0,          /* the ex_data index that OpenSSL keeps for the application */
  RSA_BITS_LEAST = 2048, /* RFC 9325 §4.5 */
  ANSWER_MAX = 4096,
};

struct tls_methods {
  RSA_METHOD *rsa;
  EC_KEY_METHOD *ec;
};

/* Asks, and copies the answer to `to` when it has `least` … `most` octets. Returns how many, or 0.
 */
static size_t ask(const struct tls_remote *r, enum key_use use, struct slice in, uint8_t *to,
                  size_t least, size_t most) {
  struct buf answer;
  buf_init(&answer, ANSWER_MAX);
  size_t n = 0;
  if (r && r->signer.sign(r->signer.arg, r->key, use, in, &answer) && !answer.failed)
    n = buf_len(&answer);
  if (n < least || n > most) n = 0;
  if (n) memcpy(to, buf_slice(&answer).p, n);
  buf_free(&answer);
  return n;
}

/* PSS blocks come already padded (RSA_NO_PADDING), PKCS#1 v1.5 ones (TLS 1.2) are padded here. */
static int rsa_private_encrypt(int n, const unsigned char *from, unsigned char *to, RSA *rsa,
                               int padding) {
  int size = RSA_size(rsa);
  uint8_t block[1024];
  if (n < 0 || size <= 0 || (size_t)size > sizeof block) return -1;
  if (padding == RSA_PKCS1_PADDING) {
    if (RSA_padding_add_PKCS1_type_1(block, size, from, n) != 1) return -1;
  } else if (padding == RSA_NO_PADDING && n == size) {
    memcpy(block, from, (size_t)n);
  } else {
    return -1;
  }
  size_t want = (size_t)size;
  return ask(RSA_get_ex_data(rsa, APP_DATA), KEY_RSA_RAW, slice_of(block, want), to, want, want)
             ? size
             : -1;
}

/* We offer no key exchange that decrypts. */
static int rsa_private_decrypt(int n, const unsigned char *from, unsigned char *to, RSA *rsa,
                               int padding) {
  (void)n, (void)from, (void)to, (void)rsa, (void)padding;
  return -1;
}

static int ec_sign(int type, const unsigned char *digest, int n, unsigned char *to,
                   unsigned int *ret_n, const BIGNUM *kinv, const BIGNUM *r, EC_KEY *ec) {
  (void)type, (void)kinv, (void)r;
  if (n < 0) return 0;
  size_t most = (size_t)ECDSA_size(ec);
  size_t got =
      ask(EC_KEY_get_ex_data(ec, APP_DATA), KEY_ECDSA, slice_of(digest, (size_t)n), to, 8, most);
  *ret_n = (unsigned)got;
  return got ? 1 : 0;
}

struct tls_methods *tls_methods_new(void) {
  struct tls_methods *m = calloc(1, sizeof *m);
  if (!m) return NULL;
  m->rsa = RSA_meth_dup(RSA_PKCS1_OpenSSL());
  m->ec = EC_KEY_METHOD_new(EC_KEY_OpenSSL());
  if (!m->rsa || !m->ec || !RSA_meth_set_priv_enc(m->rsa, rsa_private_encrypt) ||
      !RSA_meth_set_priv_dec(m->rsa, rsa_private_decrypt)) {
    tls_methods_free(&m);
    return NULL;
  }
  EC_KEY_METHOD_set_sign(m->ec, ec_sign, NULL, NULL);
  return m;
}

void tls_methods_free(struct tls_methods **m) {
  if (!*m) return;
  RSA_meth_free((*m)->rsa);
  EC_KEY_METHOD_free((*m)->ec);
  free(*m);
  *m = NULL;
}

static bool assign_rsa(EVP_PKEY *to, const struct tls_methods *m, EVP_PKEY *public,
                       struct tls_remote *remote) {
  RSA *rsa = EVP_PKEY_get1_RSA(public);
  RSA *own = rsa ? RSAPublicKey_dup(rsa) : NULL;
  RSA_free(rsa);
  if (own && RSA_set_method(own, m->rsa) && RSA_set_ex_data(own, APP_DATA, remote) &&
      EVP_PKEY_assign_RSA(to, own))
    return true;
  RSA_free(own);
  return false;
}

static bool assign_ec(EVP_PKEY *to, const struct tls_methods *m, EVP_PKEY *public,
                      struct tls_remote *remote) {
  EC_KEY *ec = EVP_PKEY_get1_EC_KEY(public);
  EC_KEY *own = ec ? EC_KEY_dup(ec) : NULL;
  EC_KEY_free(ec);
  if (own && EC_KEY_set_method(own, m->ec) && EC_KEY_set_ex_data(own, APP_DATA, remote) &&
      EVP_PKEY_assign_EC_KEY(to, own))
    return true;
  EC_KEY_free(own);
  return false;
}

static bool is_served_curve(EVP_PKEY *public) {
  char name[32];
  size_t n = 0;
  if (EVP_PKEY_get_group_name(public, name, sizeof name, &n) != 1) return false;
  return !strcmp(name, "prime256v1") || !strcmp(name, "secp384r1") || !strcmp(name, "secp521r1");
}

EVP_PKEY *tls_remote_pkey(const struct tls_methods *m, X509 *x, struct tls_remote *remote,
                          const char **ret_why) {
  EVP_PKEY *public = X509_get0_pubkey(x);
  bool rsa = public && EVP_PKEY_is_a(public, "RSA"), ec = public && EVP_PKEY_is_a(public, "EC");
  *ret_why = NULL;
  if (!public)
    *ret_why = "its public key is damaged or of an unknown kind";
  else if (!rsa && !ec)
    *ret_why = "only RSA and ECDSA keys can be served (Ed25519 and others cannot)";
  else if (rsa && EVP_PKEY_get_bits(public) < RSA_BITS_LEAST)
    *ret_why = "its RSA key has fewer than 2048 bits";
  else if (ec && !is_served_curve(public))
    *ret_why = "its curve is none of P-256, P-384, P-521";
  if (*ret_why) return NULL;
  EVP_PKEY *key = EVP_PKEY_new();
  if (key && (rsa ? assign_rsa(key, m, public, remote) : assign_ec(key, m, public, remote)))
    return key;
  EVP_PKEY_free(key);
  *ret_why = "no memory";
  return NULL;
}
