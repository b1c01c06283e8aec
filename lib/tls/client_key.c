/* SPDX-License-Identifier: ISC */
/* A client's own certificate. It is a file of its own so that a program which presents none links
 * no private-key code. */
#include <openssl/pem.h>

#include "lib/tls/internal.h"
#include "lib/tls/ossl.h"

static bool use_key(SSL_CTX *ctx, struct slice pem) {
  BIO *bio = ossl_reader(pem);
  EVP_PKEY *key = bio ? PEM_read_bio_PrivateKey(bio, NULL, ossl_no_password, NULL) : NULL;
  bool ok = key && SSL_CTX_use_PrivateKey(ctx, key) == 1 && SSL_CTX_check_private_key(ctx) == 1;
  EVP_PKEY_free(key);
  BIO_free(bio);
  return ok;
}

static bool use_chain(SSL_CTX *ctx, struct slice pem) {
  BIO *bio = ossl_reader(pem);
  bool bad = !bio;
  X509 *x = bad ? NULL : ossl_next_certificate(bio, &bad);
  bool ok = x && SSL_CTX_use_certificate(ctx, x) == 1;
  X509_free(x);
  while (ok && (x = ossl_next_certificate(bio, &bad))) {
    ok = SSL_CTX_add1_chain_cert(ctx, x) == 1;
    X509_free(x);
  }
  BIO_free(bio);
  return ok && !bad;
}

bool tls_client_show(struct tls_client *c, struct slice certificate, struct slice key,
                     struct buf *err) {
  SSL_CTX *ctx = tls_client_ctx(c);
  bool ok = use_chain(ctx, certificate);
  if (!ok)
    buf_printf(err, "the client certificate can't be used: %s", ossl_reason("there is none"));
  else if (!(ok = use_key(ctx, key)))
    buf_printf(err, "the client certificate's key can't be used: %s", ossl_reason("there is none"));
  ERR_clear_error();
  return ok;
}
