/* SPDX-License-Identifier: ISC */
/* spec: RFC 1321 A.5, RFC 2104, RFC 2202, RFC 4231, RFC 6070, RFC 7677, NIST GCM test case 14/16 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib/base/codec.h"
#include "lib/tls/digest.h"

static void assert_hex(const uint8_t *p, size_t n, const char *want) {
  struct buf hex;
  buf_init(&hex, 4096);
  hex_put(&hex, slice_of(p, n));
  assert_string_equal(buf_cstr(&hex), want);
  buf_free(&hex);
}

/* Each is the first thing that a process does with OpenSSL: none reads the machine's openssl.cnf,
 * which here is a FIFO that nobody writes, and which a confined process can't open at all. */
static void first_of_a_life(int which) {
  uint8_t d[DIGEST_MAX], key[SEAL_KEY] = { 0 }, nonce[SEAL_NONCE] = { 0 }, mem[64];
  struct buf b = { .mem = mem, .cap = sizeof mem, .max = sizeof mem };
  struct digest_run *run;
  bool ok = false;
  alarm(20);
  if (which == 0) ok = digest_of(DIGEST_MD5, SLICE("abc"), d);
  if (which == 1) ok = digest_hmac(DIGEST_MD5, SLICE("k"), SLICE("abc"), d);
  if (which == 2) ok = digest_pbkdf2(DIGEST_SHA1, SLICE("k"), SLICE("abc"), 1, d);
  if (which == 3) ok = seal_put(key, nonce, SLICE_NONE, SLICE("abc"), &b);
  if (which == 4) ok = (run = digest_begin(DIGEST_SHA256)) && digest_end(&run, d);
  _exit(ok ? 0 : 1);
}

static void test_first_of_a_life(void **state) {
  char fifo[] = "/tmp/qasid-openssl-XXXXXX";
  assert_non_null(mkdtemp(fifo));
  char path[64];
  snprintf(path, sizeof path, "%s/openssl.cnf", fifo);
  assert_int_equal(mkfifo(path, 0600), 0);
  setenv("OPENSSL_CONF", path, 1);
  for (int which = 0; which < 5; which++) {
    int status = 0;
    pid_t pid = fork();
    if (pid == 0) first_of_a_life(which);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
  }
  unsetenv("OPENSSL_CONF");
  unlink(path);
  rmdir(fifo);
}

static void test_digests(void **state) {
  uint8_t d[DIGEST_MAX];
  assert_true(digest_of(DIGEST_MD5, SLICE("abc"), d));
  assert_hex(d, DIGEST_MD5_SIZE, "900150983cd24fb0d6963f7d28e17f72");
  assert_true(digest_of(DIGEST_SHA1, SLICE("abc"), d));
  assert_hex(d, DIGEST_SHA1_SIZE, "a9993e364706816aba3e25717850c26c9cd0d89d");
  struct slice parts[] = { SLICE("a"), SLICE_NONE, SLICE("bc") };
  assert_true(digest_parts(DIGEST_SHA256, parts, 3, d));
  assert_hex(d, DIGEST_SHA256_SIZE,
             "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
}

static void test_hmac(void **state) {
  uint8_t d[DIGEST_MAX], key[131];
  memset(key, 0xaa, sizeof key);
  assert_true(digest_hmac(DIGEST_MD5, SLICE("Jefe"), SLICE("what do ya want for nothing?"), d));
  assert_hex(d, DIGEST_MD5_SIZE, "750c783e6ab0b503eaa86e310a5db738");
  assert_true(digest_hmac(DIGEST_SHA1, SLICE("Jefe"), SLICE("what do ya want for nothing?"), d));
  assert_hex(d, DIGEST_SHA1_SIZE, "effcdf6ae5eb2fa2d27416d5f184df9c259a7c79");
  /* RFC 4231 §4.7: a key longer than a block */
  struct slice parts[] = { SLICE("Test Using Larger Than Block-Size Key"),
                           SLICE(" - Hash Key First") };
  assert_true(digest_hmac_parts(DIGEST_SHA256, slice_of(key, sizeof key), parts, 2, d));
  assert_hex(d, DIGEST_SHA256_SIZE,
             "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54");
  assert_true(digest_hmac(DIGEST_SHA256, SLICE_NONE, SLICE_NONE, d));
  assert_hex(d, DIGEST_SHA256_SIZE,
             "b613679a0814d9ec772f95d778c35fc5ff1697c493715653c6c712144292c5ad");
}

static void test_pbkdf2(void **state) {
  uint8_t d[DIGEST_MAX];
  assert_true(digest_pbkdf2(DIGEST_SHA1, SLICE("password"), SLICE("salt"), 4096, d));
  assert_hex(d, DIGEST_SHA1_SIZE, "4b007901b765489abead49d926f721d065a429c1");
  assert_true(digest_pbkdf2(DIGEST_SHA256, SLICE("password"), SLICE("salt"), 4096, d));
  assert_hex(d, DIGEST_SHA256_SIZE,
             "c5e478d59288c841aa530db6845c4c8d962893a001ce4e11a4963873aa98134a");
  assert_false(digest_pbkdf2(DIGEST_SHA256, SLICE("password"), SLICE("salt"), 0, d));
}

static void test_seal(void **state) {
  uint8_t key[SEAL_KEY] = { 0 }, nonce[SEAL_NONCE] = { 0 };
  struct buf sealed, plain;
  buf_init(&sealed, 256);
  buf_init(&plain, 256);
  /* NIST GCM specification, test case 14: 16 zero octets under a zero key */
  static const uint8_t zeros[16];
  assert_true(seal_put(key, nonce, SLICE_NONE, slice_of(zeros, 16), &sealed));
  assert_hex(sealed.mem, buf_len(&sealed),
             "cea7403d4d606b6e074ec5d3baf39d18d0d1c8a799996bf0265b98b5d48ab919");
  buf_reset(&sealed);
  assert_true(seal_put(key, nonce, SLICE("tim@example.org"), SLICE("tanstaaftanstaaf"), &sealed));
  assert_true(seal_open(key, nonce, SLICE("tim@example.org"), buf_slice(&sealed), &plain));
  assert_true(slice_eq(buf_slice(&plain), SLICE("tanstaaftanstaaf")));
  buf_reset(&plain);
  assert_false(seal_open(key, nonce, SLICE("eve@example.org"), buf_slice(&sealed), &plain));
  for (size_t i = 0; i < buf_len(&sealed); i++) {
    sealed.mem[i] ^= 1;
    assert_false(seal_open(key, nonce, SLICE("tim@example.org"), buf_slice(&sealed), &plain));
    sealed.mem[i] ^= 1;
    assert_false(seal_open(key, nonce, SLICE("tim@example.org"), slice_first(buf_slice(&sealed), i),
                           &plain));
  }
  assert_int_equal(buf_len(&plain), 0);
  buf_free(&sealed);
  buf_free(&plain);
}

int main(void) {
  const struct CMUnitTest tests[] = {
    cmocka_unit_test(test_first_of_a_life), /* before any other */
    cmocka_unit_test(test_digests),         cmocka_unit_test(test_hmac),
    cmocka_unit_test(test_pbkdf2),          cmocka_unit_test(test_seal),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
