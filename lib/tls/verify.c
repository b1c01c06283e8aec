/* SPDX-License-Identifier: ISC */
/* Public keys and signature verification for JSON Web Signatures (RSA, ECDSA on P-256, Ed25519).
 * Invariants: a key is verified with algorithms of its own kind only; RSA moduli have 2048 to
 * 8192 bits; a P-256 point that is not on the curve is refused when the key is made. */
#include "lib/tls/verify.h"

#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/param_build.h>
#include <openssl/rsa.h>
#include <stdlib.h>

#include "lib/tls/ossl.h"

enum {
  MODULUS_LEAST = 2048 / 8, /* RFC 7518 §3.3: "A key of size 2048 bits or larger MUST be used" */
  MODULUS_MOST = 8192 / 8,  /* bounds the cost of a verification */
  EXPONENT_MOST = 8,
  COORDINATE = 32,
  SIGNATURE_DER_MAX = 80,
};

struct public_key {
  enum public_kind kind;
  EVP_PKEY *pkey;
};

/* --- keys --- */

static struct public_key *wrap(enum public_kind kind, EVP_PKEY *pkey, const char **ret_why) {
  struct public_key *k = pkey ? calloc(1, sizeof *k) : NULL;
  if (k)
    *k = (struct public_key){ kind, pkey };
  else
    EVP_PKEY_free(pkey);
  if (!k) *ret_why = ossl_reason("it is none");
  ERR_clear_error();
  return k;
}

static EVP_PKEY *from_params(const char *type, OSSL_PARAM *params) {
  EVP_PKEY *pkey = NULL;
  EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_name(NULL, type, NULL);
  if (!params || !ctx || EVP_PKEY_fromdata_init(ctx) != 1 ||
      EVP_PKEY_fromdata(ctx, &pkey, EVP_PKEY_PUBLIC_KEY, params) != 1)
    pkey = NULL;
  EVP_PKEY_CTX_free(ctx);
  return pkey;
}

static struct slice without_zeros(struct slice n) {
  while (slice_at(n, 0) == 0) n = slice_from(n, 1);
  return n;
}

struct public_key *public_key_rsa(struct slice n, struct slice e, const char **ret_why) {
  ossl_start();
  n = without_zeros(n), e = without_zeros(e);
  *ret_why = "an RSA key must have 2048 to 8192 bits";
  if (n.n < MODULUS_LEAST || n.n > MODULUS_MOST || !(n.p[0] & 0x80 || n.n > MODULUS_LEAST))
    return NULL;
  *ret_why = "its exponent is not one of RSA";
  if (!e.n || e.n > EXPONENT_MOST || !(e.p[e.n - 1] & 1) || (e.n == 1 && e.p[0] < 3)) return NULL;
  BIGNUM *bn = BN_bin2bn(n.p, (int)n.n, NULL), *be = BN_bin2bn(e.p, (int)e.n, NULL);
  OSSL_PARAM_BLD *b = OSSL_PARAM_BLD_new();
  bool ok = bn && be && b && OSSL_PARAM_BLD_push_BN(b, OSSL_PKEY_PARAM_RSA_N, bn) &&
            OSSL_PARAM_BLD_push_BN(b, OSSL_PKEY_PARAM_RSA_E, be);
  OSSL_PARAM *params = ok ? OSSL_PARAM_BLD_to_param(b) : NULL;
  EVP_PKEY *pkey = from_params("RSA", params);
  OSSL_PARAM_free(params);
  OSSL_PARAM_BLD_free(b);
  BN_free(bn);
  BN_free(be);
  return wrap(PUBLIC_RSA, pkey, ret_why);
}

struct public_key *public_key_p256(struct slice x, struct slice y, const char **ret_why) {
  uint8_t point[1 + 2 * COORDINATE] = { POINT_CONVERSION_UNCOMPRESSED };
  ossl_start();
  *ret_why = "a coordinate of P-256 has 32 octets";
  if (x.n != COORDINATE || y.n != COORDINATE) return NULL;
  memcpy(point + 1, x.p, COORDINATE);
  memcpy(point + 1 + COORDINATE, y.p, COORDINATE);
  OSSL_PARAM params[] = {
    OSSL_PARAM_construct_utf8_string(OSSL_PKEY_PARAM_GROUP_NAME, (char *)"P-256", 0),
    OSSL_PARAM_construct_octet_string(OSSL_PKEY_PARAM_PUB_KEY, point, sizeof point),
    OSSL_PARAM_construct_end(),
  };
  /* off the curve: refused in there */
  return wrap(PUBLIC_P256, from_params("EC", params), ret_why);
}

struct public_key *public_key_ed25519(struct slice x, const char **ret_why) {
  ossl_start();
  *ret_why = "a key of Ed25519 has 32 octets";
  if (x.n != COORDINATE) return NULL;
  return wrap(PUBLIC_ED25519, EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, NULL, x.p, x.n),
              ret_why);
}

void public_key_free(struct public_key **k) {
  if (!*k) return;
  EVP_PKEY_free((*k)->pkey);
  free(*k);
  *k = NULL;
}

enum public_kind public_key_kind(const struct public_key *k) { return k->kind; }

/* --- signatures --- */

enum public_kind signature_takes(enum signature_kind kind) {
  static const enum public_kind takes[SIGNATURE_KINDS] = {
    [SIGNATURE_RS256] = PUBLIC_RSA,
    [SIGNATURE_PS256] = PUBLIC_RSA,
    [SIGNATURE_ES256] = PUBLIC_P256,
    [SIGNATURE_EDDSA] = PUBLIC_ED25519,
  };
  return takes[kind];
}

/* r and s as OpenSSL wants them: a DER SEQUENCE of two INTEGERs. */
static bool to_der(struct slice s, uint8_t der[SIGNATURE_DER_MAX], size_t *ret_n) {
  if (s.n != 2 * COORDINATE) return false;
  ECDSA_SIG *sig = ECDSA_SIG_new();
  BIGNUM *r = BN_bin2bn(s.p, COORDINATE, NULL), *t = BN_bin2bn(s.p + COORDINATE, COORDINATE, NULL);
  uint8_t *at = der;
  int n = -1;
  if (sig && r && t && ECDSA_SIG_set0(sig, r, t) == 1) {
    r = t = NULL;
    if (i2d_ECDSA_SIG(sig, NULL) <= SIGNATURE_DER_MAX) n = i2d_ECDSA_SIG(sig, &at);
  }
  BN_free(r);
  BN_free(t);
  ECDSA_SIG_free(sig);
  *ret_n = n > 0 ? (size_t)n : 0;
  return n > 0;
}

static bool set_padding(EVP_PKEY_CTX *ctx, enum signature_kind kind) {
  if (kind == SIGNATURE_RS256) return EVP_PKEY_CTX_set_rsa_padding(ctx, RSA_PKCS1_PADDING) == 1;
  if (kind != SIGNATURE_PS256) return true;
  return EVP_PKEY_CTX_set_rsa_padding(ctx, RSA_PKCS1_PSS_PADDING) == 1 &&
         EVP_PKEY_CTX_set_rsa_pss_saltlen(ctx, RSA_PSS_SALTLEN_DIGEST) == 1 &&
         EVP_PKEY_CTX_set_rsa_mgf1_md(ctx, EVP_sha256()) == 1;
}

bool public_key_verify(const struct public_key *k, enum signature_kind kind, struct slice message,
                       struct slice signature) {
  uint8_t der[SIGNATURE_DER_MAX];
  size_t n;
  if (kind >= SIGNATURE_KINDS || signature_takes(kind) != k->kind) return false;
  if (kind == SIGNATURE_ES256) {
    if (!to_der(signature, der, &n)) return false;
    signature = slice_of(der, n);
  }
  EVP_MD_CTX *md = EVP_MD_CTX_new();
  EVP_PKEY_CTX *ctx = NULL; /* the md's */
  const EVP_MD *digest = kind == SIGNATURE_EDDSA ? NULL : EVP_sha256();
  bool ok = md && EVP_DigestVerifyInit(md, &ctx, digest, NULL, k->pkey) == 1 &&
            set_padding(ctx, kind) &&
            EVP_DigestVerify(md, signature.p, signature.n, message.p, message.n) == 1;
  EVP_MD_CTX_free(md);
  ERR_clear_error();
  return ok;
}
