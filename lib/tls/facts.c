/* SPDX-License-Identifier: ISC */
/* The validity period and the host names of a certificate, for monitoring.
 * Invariant: only certificates of our own configuration are read here. */
#include "lib/tls/facts.h"

#include <openssl/x509v3.h>
#include <time.h>

#include "lib/tls/ossl.h"

static bool seconds_of(const ASN1_TIME *t, int64_t *ret) {
  struct tm tm;
  if (ASN1_TIME_to_tm(t, &tm) != 1) return false;
  *ret = (int64_t)timegm(&tm);
  return true;
}

static void put_names(const X509 *x, struct buf *out) {
  GENERAL_NAMES *all = X509_get_ext_d2i(x, NID_subject_alt_name, NULL, NULL);
  for (int i = 0; all && i < sk_GENERAL_NAME_num(all); i++) {
    const GENERAL_NAME *name = sk_GENERAL_NAME_value(all, i);
    if (name->type != GEN_DNS) continue;
    if (buf_len(out)) buf_put_str(out, ", ");
    buf_put(out, slice_of(ASN1_STRING_get0_data(name->d.dNSName),
                          (size_t)ASN1_STRING_length(name->d.dNSName)));
  }
  GENERAL_NAMES_free(all);
}

bool tls_facts(struct slice pem, const char *host, struct tls_facts *ret, struct buf *names) {
  bool bad = false;
  ossl_start();
  BIO *bio = ossl_reader(pem);
  X509 *x = bio ? ossl_next_certificate(bio, &bad) : NULL;
  bool ok = x && seconds_of(X509_get0_notBefore(x), &ret->begins_s) &&
            seconds_of(X509_get0_notAfter(x), &ret->ends_s);
  if (ok) ret->fits = X509_check_host(x, host, 0, X509_CHECK_FLAG_NEVER_CHECK_SUBJECT, NULL) == 1;
  if (ok && names) put_names(x, names);
  X509_free(x);
  BIO_free(bio);
  ERR_clear_error();
  return ok;
}
