/* SPDX-License-Identifier: ISC */
/* Reads a certificate with its chain, and its key, as keys and the front-ends would.
 * Invariant: only files of our own configuration are read here. */
#include "lib/tls/pair.h"

#include <time.h>

#include "lib/tls/facts.h"
#include "lib/tls/key.h"
#include "lib/tls/ossl.h"

bool tls_pair_certificate(const struct tls_file *certificate, struct buf *err) {
  bool bad = false;
  unsigned n = 0;
  ossl_start();
  BIO *bio = ossl_reader(certificate->pem);
  for (X509 *x; bio && (x = ossl_next_certificate(bio, &bad)) != NULL; n++) X509_free(x);
  BIO_free(bio);
  if (bad)
    buf_printf(err, "\"%s\": its certificate number %u can't be read: %s", certificate->path, n + 1,
               ossl_reason("it is damaged"));
  else if (!n)
    buf_printf(err, "\"%s\" has no certificate (a PEM block \"BEGIN CERTIFICATE\")",
               certificate->path);
  ERR_clear_error();
  return n && !bad;
}

bool tls_pair_key(const struct tls_file *certificate, const struct tls_file *key, struct buf *err) {
  struct buf why;
  buf_init(&why, 512);
  bool there = slice_search(key->pem, SLICE("PRIVATE KEY-----")) >= 0;
  struct tls_key *k = there ? tls_key_load(key->pem, &why) : NULL;
  bool fits = k && tls_key_fits(k, certificate->pem);
  if (!there)
    buf_printf(err, "\"%s\" has no private key (a PEM block \"BEGIN PRIVATE KEY\")", key->path);
  else if (!k)
    buf_printf(err, "\"%s\": %.*s", key->path, SLICE_ARG(buf_slice(&why)));
  else if (!fits)
    buf_printf(err, "\"%s\" is not the key of \"%s\"", key->path, certificate->path);
  tls_key_free(&k);
  buf_free(&why);
  return fits;
}

bool tls_pair_expired(const struct tls_file *certificate, int64_t now_s, struct buf *err) {
  struct tls_facts facts;
  struct tm tm;
  char date[32];
  if (!tls_facts(certificate->pem, "", &facts, NULL) || facts.ends_s > now_s) return false;
  time_t end = (time_t)facts.ends_s;
  if (!gmtime_r(&end, &tm) || !strftime(date, sizeof date, "%Y-%m-%d", &tm)) date[0] = 0;
  buf_printf(err, "\"%s\" expired on %s; clients refuse it", certificate->path, date);
  return true;
}
