/* SPDX-License-Identifier: ISC */
/* An issuer of tokens for tests: it makes keys, signs, and publishes its key set. */
#ifndef QASID_TEST_JWT_KIT_H
#define QASID_TEST_JWT_KIT_H

#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/rsa.h>

#include "lib/base/codec.h"
#include "lib/tls/verify.h"

static inline void put_base64url(struct buf *out, struct slice s) {
  struct buf plain;
  buf_init(&plain, 65536);
  base64_put(&plain, s);
  struct slice text = buf_slice(&plain);
  for (size_t i = 0; i < text.n && text.p[i] != '='; i++)
    buf_put_u8(out, text.p[i] == '+' ? '-' : text.p[i] == '/' ? '_' : text.p[i]);
  buf_free(&plain);
}

/* The key of a kind, made once. */
static inline EVP_PKEY *issuer_key(enum public_kind kind) {
  static EVP_PKEY *keys[3];
  if (!keys[kind])
    keys[kind] = kind == PUBLIC_RSA    ? EVP_PKEY_Q_keygen(NULL, NULL, "RSA", (size_t)2048)
                 : kind == PUBLIC_P256 ? EVP_PKEY_Q_keygen(NULL, NULL, "EC", "P-256")
                                       : EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");
  return keys[kind];
}

static inline void issuer_end(void) {
  for (int i = 0; i < 3; i++) EVP_PKEY_free(issuer_key((enum public_kind)i));
}

static inline void put_number(struct buf *out, EVP_PKEY *key, const char *name, int width) {
  uint8_t octets[1024];
  BIGNUM *n = NULL;
  EVP_PKEY_get_bn_param(key, name, &n);
  int len = width ? width : BN_num_bytes(n);
  BN_bn2binpad(n, octets, len);
  put_base64url(out, slice_of(octets, (size_t)len));
  BN_free(n);
}

/* One JWK; `more` stands in front of its members: "\"kid\":\"a\",". */
static inline void put_jwk(struct buf *out, enum public_kind kind, const char *more) {
  EVP_PKEY *key = issuer_key(kind);
  uint8_t raw[32];
  size_t n = sizeof raw;
  if (kind == PUBLIC_RSA) {
    buf_printf(out, "{%s\"kty\":\"RSA\",\"n\":\"", more);
    put_number(out, key, OSSL_PKEY_PARAM_RSA_N, 0);
    buf_put_str(out, "\",\"e\":\"");
    put_number(out, key, OSSL_PKEY_PARAM_RSA_E, 0);
  } else if (kind == PUBLIC_P256) {
    buf_printf(out, "{%s\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"", more);
    put_number(out, key, OSSL_PKEY_PARAM_EC_PUB_X, 32);
    buf_put_str(out, "\",\"y\":\"");
    put_number(out, key, OSSL_PKEY_PARAM_EC_PUB_Y, 32);
  } else {
    EVP_PKEY_get_raw_public_key(key, raw, &n);
    buf_printf(out, "{%s\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"x\":\"", more);
    put_base64url(out, slice_of(raw, n));
  }
  buf_put_str(out, "\"}");
}

static inline void put_signature(struct buf *out, enum signature_kind kind, struct slice text) {
  uint8_t sig[1024], fixed[64];
  size_t n = sizeof sig;
  EVP_MD_CTX *md = EVP_MD_CTX_new();
  EVP_PKEY_CTX *ctx;
  EVP_DigestSignInit(md, &ctx, kind == SIGNATURE_EDDSA ? NULL : EVP_sha256(), NULL,
                     issuer_key(signature_takes(kind)));
  if (kind == SIGNATURE_PS256) {
    EVP_PKEY_CTX_set_rsa_padding(ctx, RSA_PKCS1_PSS_PADDING);
    EVP_PKEY_CTX_set_rsa_pss_saltlen(ctx, RSA_PSS_SALTLEN_DIGEST);
  }
  EVP_DigestSign(md, sig, &n, text.p, text.n);
  EVP_MD_CTX_free(md);
  if (kind == SIGNATURE_ES256) {
    const uint8_t *at = sig;
    ECDSA_SIG *es = d2i_ECDSA_SIG(NULL, &at, (long)n);
    BN_bn2binpad(ECDSA_SIG_get0_r(es), fixed, 32);
    BN_bn2binpad(ECDSA_SIG_get0_s(es), fixed + 32, 32);
    ECDSA_SIG_free(es);
    memcpy(sig, fixed, n = 64);
  }
  put_base64url(out, slice_of(sig, n));
}

/* A token of these two texts, signed with a key of `kind` whatever `alg` the header names. */
static inline void put_token(struct buf *out, enum signature_kind kind, const char *header,
                             const char *claims) {
  size_t from = buf_len(out);
  put_base64url(out, slice_str(header));
  buf_put_u8(out, '.');
  put_base64url(out, slice_str(claims));
  struct buf text;
  buf_init(&text, 65536);
  buf_put(&text, slice_from(buf_slice(out), from));
  buf_put_u8(out, '.');
  put_signature(out, kind, buf_slice(&text));
  buf_free(&text);
}

#endif
