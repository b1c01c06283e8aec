/* SPDX-License-Identifier: ISC */
/* The self-signed certificate: what it says, and that its key is its own. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include "lib/tls/selfsigned.h"

static X509 *certificate(struct buf *pem) {
  BIO *bio = BIO_new_mem_buf(buf_slice(pem).p, (int)buf_len(pem));
  X509 *x = PEM_read_bio_X509(bio, NULL, NULL, NULL);
  BIO_free(bio);
  return x;
}

static EVP_PKEY *private_key(struct buf *pem) {
  BIO *bio = BIO_new_mem_buf(buf_slice(pem).p, (int)buf_len(pem));
  EVP_PKEY *k = PEM_read_bio_PrivateKey(bio, NULL, NULL, NULL);
  BIO_free(bio);
  return k;
}

static void names_and_times(void **state) {
  (void)state;
  const char *names[] = { "mail.example.org", "*.example.net", "192.0.2.7", "2001:db8::1" };
  struct buf cert, key;
  buf_init(&cert, 8192);
  buf_init(&key, 8192);
  assert_true(tls_make_self_signed(names, 4, &cert, &key));
  X509 *x = certificate(&cert);
  EVP_PKEY *k = private_key(&key);
  assert_non_null(x);
  assert_int_equal(X509_check_private_key(x, k), 1);
  assert_int_equal(X509_verify(x, k), 1);
  assert_int_equal(X509_check_host(x, "mail.example.org", 0, 0, NULL), 1);
  assert_int_equal(X509_check_host(x, "a.example.net", 0, 0, NULL), 1);
  assert_int_equal(X509_check_host(x, "a.b.example.net", 0, 0, NULL), 0);
  assert_int_equal(X509_check_host(x, "example.org", 0, 0, NULL), 0);
  assert_int_equal(X509_check_ip_asc(x, "192.0.2.7", 0), 1);
  assert_int_equal(X509_check_ip_asc(x, "2001:db8::1", 0), 1);
  assert_int_equal(X509_check_ip_asc(x, "192.0.2.8", 0), 0);
  assert_int_equal(X509_cmp_current_time(X509_get0_notBefore(x)), -1);
  time_t in_ten = time(NULL) + (time_t)3651 * 86400, later = in_ten + 2 * 86400;
  assert_int_equal(X509_cmp_time(X509_get0_notAfter(x), &in_ten), 1);
  assert_int_equal(X509_cmp_time(X509_get0_notAfter(x), &later), -1);
  assert_int_equal(X509_check_ca(x), 0);
  X509_free(x);
  EVP_PKEY_free(k);
  buf_free(&cert);
  buf_wipe(&key);
}

static void refusals(void **state) {
  (void)state;
  static const char *const bad[] = { "",     "a b",  "a..b", ".a",
                                     "a\nb", "a*.b", "*.",   "\xc3\xa9.example" };
  struct buf cert, key;
  buf_init(&cert, 8192);
  buf_init(&key, 8192);
  for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
    assert_false(tls_make_self_signed(&bad[i], 1, &cert, &key));
  assert_false(tls_make_self_signed(bad, 0, &cert, &key));
  struct buf small;
  buf_init(&small, 100);
  const char *good = "a.example";
  assert_false(tls_make_self_signed(&good, 1, &small, &key));
  buf_free(&small);
  buf_free(&cert);
  buf_wipe(&key);
}

int main(void) {
  const struct CMUnitTest tests[] = { cmocka_unit_test(names_and_times),
                                      cmocka_unit_test(refusals) };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
