/* SPDX-License-Identifier: ISC */
/* A self-signed P-256 certificate for a list of host names and addresses.
 * Invariant: every name is in the subjectAltName, or no certificate is made; the private key
 * passes only through a secure memory BIO and the caller's buffer. */
#include "lib/tls/selfsigned.h"

#include <arpa/inet.h>
#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/x509v3.h>

#include "lib/tls/ossl.h"

enum { TEN_YEARS = 3652, COMMON_NAME_MAX = 64, SERIAL_OCTETS = 16 };

/* The octets of an address in text form: 4, 16, or 0 if it is not an address. */
static int address_octets(const char *name, uint8_t to[16]) {
  if (inet_pton(AF_INET, name, to) == 1) return 4;
  if (inet_pton(AF_INET6, name, to) == 1) return 16;
  return 0;
}

/* Letters, digits, hyphens and dots, no empty label (RFC 1123 §2.1); "*." may stand in front. */
static bool is_host(struct slice s) {
  if (slice_starts(s, SLICE("*."))) s = slice_from(s, 2);
  if (s.n == 0 || s.n > 253) return false;
  while (s.p) {
    struct slice label = slice_split(&s, '.');
    if (label.n == 0 || label.n > 63) return false;
    for (size_t i = 0; i < label.n; i++)
      if (!ascii_is_alnum(label.p[i]) && label.p[i] != '-') return false;
  }
  return true;
}

static GENERAL_NAME *general_name(const char *name) {
  uint8_t octets[16];
  int n = address_octets(name, octets);
  if (n == 0 && !is_host(slice_str(name))) return NULL;
  GENERAL_NAME *g = GENERAL_NAME_new();
  ASN1_STRING *value =
      n ? (ASN1_STRING *)ASN1_OCTET_STRING_new() : (ASN1_STRING *)ASN1_IA5STRING_new();
  if (!g || !value || !ASN1_STRING_set(value, n ? (const void *)octets : name, n ? n : -1)) {
    GENERAL_NAME_free(g);
    ASN1_STRING_free(value);
    return NULL;
  }
  GENERAL_NAME_set0_value(g, n ? GEN_IPADD : GEN_DNS, value);
  return g;
}

static bool add_names(X509 *x, const char *const *names, size_t n) {
  GENERAL_NAMES *all = GENERAL_NAMES_new();
  bool ok = all != NULL;
  for (size_t i = 0; ok && i < n; i++) {
    GENERAL_NAME *g = general_name(names[i]);
    ok = g && sk_GENERAL_NAME_push(all, g) > 0;
    if (!ok) GENERAL_NAME_free(g);
  }
  ok = ok && X509_add1_ext_i2d(x, NID_subject_alt_name, all, 0, X509V3_ADD_DEFAULT) == 1;
  GENERAL_NAMES_free(all);
  return ok;
}

static bool add_extension(X509 *x, int nid, const char *value) {
  X509V3_CTX ctx;
  X509V3_set_ctx(&ctx, x, x, NULL, NULL, 0);
  X509_EXTENSION *e = X509V3_EXT_conf_nid(NULL, &ctx, nid, value);
  bool ok = e && X509_add_ext(x, e, -1) == 1;
  X509_EXTENSION_free(e);
  return ok;
}

/* A positive random number of 127 bits (RFC 5280 §4.1.2.2). */
static bool set_serial(X509 *x) {
  uint8_t octets[SERIAL_OCTETS];
  if (RAND_bytes(octets, sizeof octets) != 1) return false;
  octets[0] = (octets[0] & 0x7f) | 0x40;
  BIGNUM *number = BN_bin2bn(octets, sizeof octets, NULL);
  bool ok = number && BN_to_ASN1_INTEGER(number, X509_get_serialNumber(x));
  BN_free(number);
  return ok;
}

static bool set_subject(X509 *x, const char *name) {
  X509_NAME *subject = X509_get_subject_name(x);
  if (strlen(name) > COMMON_NAME_MAX) name = "Qasid";
  return X509_NAME_add_entry_by_NID(subject, NID_commonName, MBSTRING_ASC,
                                    (const unsigned char *)name, -1, -1, 0) &&
         X509_set_issuer_name(x, subject);
}

static bool fill(X509 *x, EVP_PKEY *key, const char *const *names, size_t n) {
  return X509_set_version(x, X509_VERSION_3) && set_serial(x) && set_subject(x, names[0]) &&
         X509_time_adj_ex(X509_getm_notBefore(x), -1, 0, NULL) &&
         X509_time_adj_ex(X509_getm_notAfter(x), TEN_YEARS, 0, NULL) && X509_set_pubkey(x, key) &&
         add_names(x, names, n) && add_extension(x, NID_basic_constraints, "critical,CA:FALSE") &&
         add_extension(x, NID_key_usage, "critical,digitalSignature") &&
         add_extension(x, NID_ext_key_usage, "serverAuth") &&
         add_extension(x, NID_subject_key_identifier, "hash") &&
         X509_sign(x, key, EVP_sha256()) > 0;
}

static bool put_certificate(X509 *x, struct buf *to) {
  BIO *bio = BIO_new(BIO_s_mem());
  bool ok = bio && PEM_write_bio_X509(bio, x) && ossl_take(bio, to);
  BIO_free(bio);
  return ok;
}

static bool put_key(EVP_PKEY *key, struct buf *to) {
  BIO *bio = BIO_new(BIO_s_secmem());
  bool ok = bio && PEM_write_bio_PKCS8PrivateKey(bio, key, NULL, NULL, 0, NULL, NULL) &&
            ossl_take(bio, to);
  BIO_free(bio);
  return ok;
}

bool tls_make_self_signed(const char *const *names, size_t n, struct buf *cert_pem,
                          struct buf *key_pem) {
  if (n == 0) return false;
  ossl_start();
  EVP_PKEY *key = EVP_EC_gen("P-256");
  X509 *x = X509_new();
  bool ok =
      key && x && fill(x, key, names, n) && put_certificate(x, cert_pem) && put_key(key, key_pem);
  X509_free(x);
  EVP_PKEY_free(key);
  ERR_clear_error();
  return ok;
}
