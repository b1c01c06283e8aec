/* SPDX-License-Identifier: ISC */
/* Small helpers around OpenSSL: initialisation without openssl.cnf, error texts, memory BIOs,
 * PEM certificates.
 * For a broken certificate ossl_next_certificate() leaves the reason in OpenSSL's error queue,
 * for ossl_reason(); otherwise it leaves the queue empty. */
#include "lib/tls/ossl.h"

#include <limits.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>

void ossl_start(void) {
  OPENSSL_init_ssl(OPENSSL_INIT_NO_LOAD_CONFIG, NULL);
  ERR_clear_error();
}

const char *ossl_reason(const char *otherwise) {
  unsigned long code = ERR_get_error();
  const char *reason = code && !ERR_SYSTEM_ERROR(code) ? ERR_reason_error_string(code) : NULL;
  ERR_clear_error();
  return reason ? reason : otherwise;
}

BIO *ossl_reader(struct slice s) {
  return s.n <= INT_MAX ? BIO_new_mem_buf(s.n ? (const void *)s.p : "", (int)s.n) : NULL;
}

bool ossl_take(BIO *from, struct buf *to) {
  char *p = NULL;
  long n = BIO_get_mem_data(from, &p);
  if (n < 0) return false;
  buf_put(to, slice_of(p, (size_t)n));
  return !to->failed;
}

int ossl_no_password(char *to, int size, int writing, void *arg) {
  (void)to, (void)size, (void)writing, (void)arg;
  return -1;
}

X509 *ossl_next_certificate(BIO *pem, bool *ret_bad) {
  ERR_clear_error();
  X509 *x = PEM_read_bio_X509(pem, NULL, ossl_no_password, NULL);
  *ret_bad = !x && ERR_GET_REASON(ERR_peek_last_error()) != PEM_R_NO_START_LINE;
  if (!*ret_bad) ERR_clear_error();
  return x;
}
