/* SPDX-License-Identifier: ISC */
/* Hashes made by others: mkpasswd(1), openssl passwd, doveadm pw, Openwall's vector. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "lib/password/password.h"

static const struct known {
  const char *who, *password, *field;
} known[] = {
  { "mkpasswd", "tanstaaftanstaaf",
    "$y$j9T$cKyzZR0QQ1l4FZgnhvhvP.$malqnZrWb/cMim2QgMkbZr.9sJ6DnNw4EvSQQfvQGw3" },
  { "mkpasswd", "tanstaaftanstaaf",
    "$2a$05$e817mfGnFMCBq5u/KGCsXudH660TCzLShjG.hEfwWD/H2Al1wjWpy" },
  { "mkpasswd", "tanstaaftanstaaf",
    "$2b$05$d6o9qbScOhQQGyMRySrbuOnFbkhriAqaZS4atSALw9v9oRoQVjPeG" },
  { "Openwall crypt_blowfish", "U*U",
    "$2a$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW" },
  { "openssl passwd -5", "Hello world!",
    "$5$saltstring$5B8vYYiY.CVt1RlTTf8KbXBH3hsxY/GNooZaBBGWEc5" },
  { "openssl passwd -6", "Hello world!",
    "$6$saltstring$svn8UoSVapNtMuq1ukKS4tPQd8iKwSMHWjl/"
    "O817G3uBnIFNjnQJuesI68u4OTLiBFdcbYEdFCoEOfaS35inz1" },
  { "openssl passwd -6", "tanstaaftanstaaf",
    "$6$1wB6Fl8Gth4nUbZw$MYaiu.N6YNl64mvyBmuWI14.3u1rjgq4eSUUeFzjFt4naU8/"
    "XmtxOrFTFqGfRB6gFDerRCRrEE7/"
    ".wVMKUBLF1" },
  { "openssl passwd -5", "tanstaaftanstaaf",
    "$5$hLUCCFuUwe9MsDwf$mxaKWDz1OJojRdmKbmtLn6mmPwNHvTAvyVoJXJNVNF/" },
  { "openssl passwd -1", "tanstaaftanstaaf", "$1$.M0lhmhv$gI8oCFTt6AgX6YzZpeGC6." },
  { "doveadm pw", "Qış gecəsi 7",
    "{BLF-CRYPT}$2y$05$bjQbBWylGXn1lZTKbm/FLuTnR1HCVVxGDr4cW66z7n.YoE8jl2ft2" },
  { "doveadm pw", "Qış gecəsi 7",
    "{SHA512-CRYPT}$6$Hu4KxE/ZAkzjrp/"
    "w$IiTL.xuFTqWJSJregcaqv9xvMu3WSzKM2sRKkHeVZx7W4ZQ5llClC2HFn2tu7ptCe0kkcDwBDOi6JCbSHC.Vb." },
  { "doveadm pw", "Qış gecəsi 7",
    "{SHA256-CRYPT}$5$McOkrfDQI1g2.hxK$7SNJKSj11/KdJ9zocADjr6wlROQn0HvRgK5sfBXXtD2" },
  { "doveadm pw", "Qış gecəsi 7", "{MD5-CRYPT}$1$dNpZdVHh$1OqvetQJcjYJAz43XLqbJ." },
  { "doveadm pw", "Qış gecəsi 7",
    "{CRYPT}$2y$05$9vO10QEggrTWXKaAX5tlq.ejvwRAwAbuaYnsNtCF1d.OzbARP.mUy" },
};

static void test_known_hashes(void **state) {
  for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
    struct slice hash;
    assert_int_equal(password_import(slice_str(known[i].field), &hash), IMPORT_HASH);
    assert_true(password_is_whole(hash));
    assert_false(password_is_whole(slice_first(hash, hash.n - 1)));
    if (password_verify(slice_str(known[i].password), hash) != PASSWORD_OK)
      fail_msg("%s: %s", known[i].who, known[i].field);
    assert_int_equal(password_verify(SLICE("tanstaaftanstaaF"), hash), PASSWORD_WRONG);
  }
}

static void test_import_refuses(void **state) {
  static const char *const fields[] = {
    "",
    "{",
    "{}",
    "{CRYPT}",
    "{SHA512-CRYPT}",
    "x",
    "*",
    "!",
    "!!",
    "*0",
    "ab8P4xkqrZ2lU",
    "{CRYPT}ab8P4xkqrZ2lU",
    "{SSHA}b2xkc2Nob29s",
    "{SHA512-CRYPT}$5$saltstring$5B8vYYiY.CVt1RlTTf8KbXBH3hsxY/GNooZaBBGWEc5",
    "{BLF-CRYPT}$y$j9T$cKyzZR0QQ1l4FZgnhvhvP.$malqnZrWb/cMim2QgMkbZr.9sJ6DnNw4EvSQQfvQGw3",
    "$2x$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW",
    "$2a$31$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW", /* a login would take days */
    "$6$rounds=999999999$saltstring$x",
    "$5$rounds=-1$saltstring$x",
    "$y$jzT$cKyzZR0QQ1l4FZgnhvhvP.$x",
    "$1$a b$gI8oCFTt6AgX6YzZpeGC6.",
    "$1$a\n$gI8oCFTt6AgX6YzZpeGC6.",
  };
  for (size_t i = 0; i < sizeof fields / sizeof *fields; i++) {
    struct slice ret;
    if (password_import(slice_str(fields[i]), &ret) != IMPORT_UNKNOWN)
      fail_msg("taken: %s", fields[i]);
  }
}

static void test_import_clear(void **state) {
  struct slice ret;
  assert_int_equal(password_import(SLICE("{PLAIN}$1$x"), &ret), IMPORT_CLEAR);
  assert_true(slice_eq(ret, SLICE("$1$x")));
  assert_int_equal(password_import(SLICE("{cleartext}a b"), &ret), IMPORT_CLEAR);
  assert_int_equal(password_import(SLICE("a b"), &ret), IMPORT_UNKNOWN);
}

static void test_hash_and_verify(void **state) {
  uint8_t random[PASSWORD_RANDOM];
  for (size_t i = 0; i < sizeof random; i++) random[i] = (uint8_t)(i * 37);
  struct buf hash;
  buf_init(&hash, PASSWORD_HASH_MAX);
  assert_int_equal(password_hash(SLICE("Qış gecəsi 7"), random, &hash), PASSWORD_OK);
  assert_true(slice_starts(buf_slice(&hash), SLICE("$y$j9T$")));
  assert_int_equal(password_verify(SLICE("Qış gecəsi 7"), buf_slice(&hash)), PASSWORD_OK);
  assert_int_equal(password_verify(SLICE("Qış gecəsi "), buf_slice(&hash)), PASSWORD_WRONG);
  buf_reset(&hash);
  assert_int_equal(password_nobody(random, &hash), PASSWORD_OK);
  struct slice ret;
  assert_int_equal(password_import(buf_slice(&hash), &ret), IMPORT_HASH);
  assert_int_equal(password_verify(SLICE("x"), buf_slice(&hash)), PASSWORD_WRONG);
  buf_free(&hash);
}

/* RFC 8265 §4.2: one password however it is spelled. Hashes of octets that were not prepared go on.
 */
static void test_prepared(void **state) {
  static const uint8_t random[PASSWORD_RANDOM] = { 1, 2, 3 };
  struct slice nfc = SLICE("gr\xc3\xbc\xc3\x9f"
                           "e"),
               nfd = SLICE("gru\xcc\x88\xc3\x9f"
                           "e");
  struct slice odd = SLICE("tab\there"), latin = SLICE("gr\xfc\xdf"
                                                       "e");
  /* of the NFD octets, made by `openssl passwd -1 -salt abcdefgh` */
  struct slice raw = SLICE("$1$abcdefgh$u/Dk.TNbRiynAQnTZW/Ka.");
  struct buf hash;
  buf_init(&hash, PASSWORD_HASH_MAX);
  assert_int_equal(password_hash(nfd, random, &hash), PASSWORD_OK);
  assert_int_equal(password_verify(nfd, buf_slice(&hash)), PASSWORD_OK);
  assert_int_equal(password_verify(nfc, buf_slice(&hash)), PASSWORD_OK);
  assert_int_equal(password_verify(SLICE("gru\xc3\x9f"
                                         "e"),
                                   buf_slice(&hash)),
                   PASSWORD_WRONG);
  assert_int_equal(password_verify(nfd, raw), PASSWORD_OK);
  assert_int_equal(password_verify(nfc, raw), PASSWORD_WRONG);
  buf_reset(&hash);
  /* no OpaqueString: its octets count */
  assert_int_equal(password_hash(odd, random, &hash), PASSWORD_OK);
  assert_int_equal(password_verify(odd, buf_slice(&hash)), PASSWORD_OK);
  buf_reset(&hash);
  assert_int_equal(password_hash(latin, random, &hash), PASSWORD_OK);
  assert_int_equal(password_verify(latin, buf_slice(&hash)), PASSWORD_OK);
  buf_free(&hash);
}

/* What crypt(3) would cut short or choke on is never handed to it. */
static void test_hostile_passwords(void **state) {
  static uint8_t many[65536];
  memset(many, 'a', sizeof many);
  uint8_t random[PASSWORD_RANDOM] = { 0 };
  struct slice md5 = SLICE("$1$.M0lhmhv$gI8oCFTt6AgX6YzZpeGC6.");
  struct buf hash;
  buf_init(&hash, PASSWORD_HASH_MAX);
  assert_int_equal(password_verify(SLICE("tanstaaftanstaaf\0x"), md5), PASSWORD_REFUSED);
  assert_int_equal(password_verify(SLICE("\0"), md5), PASSWORD_REFUSED);
  assert_int_equal(password_verify(SLICE_NONE, md5), PASSWORD_REFUSED);
  assert_int_equal(password_verify(slice_of(many, PASSWORD_MAX + 1), md5), PASSWORD_REFUSED);
  assert_int_equal(password_verify(slice_of(many, sizeof many), md5), PASSWORD_REFUSED);
  assert_int_equal(password_verify(slice_of(many, PASSWORD_MAX), md5), PASSWORD_WRONG);
  assert_int_equal(password_verify(SLICE("x"), SLICE_NONE), PASSWORD_TROUBLE);
  assert_int_equal(password_verify(SLICE("x"), SLICE("*0")), PASSWORD_TROUBLE);
  assert_int_equal(password_verify(SLICE("x"), slice_of(many, 1000)), PASSWORD_TROUBLE);
  assert_int_equal(password_hash(slice_of(many, PASSWORD_MAX + 1), random, &hash),
                   PASSWORD_REFUSED);
  assert_int_equal(password_hash(SLICE_NONE, random, &hash), PASSWORD_REFUSED);
  assert_int_equal(password_hash(slice_of(many, PASSWORD_MAX), random, &hash), PASSWORD_OK);
  assert_int_equal(password_verify(slice_of(many, PASSWORD_MAX), buf_slice(&hash)), PASSWORD_OK);
  buf_free(&hash);
}

static void test_generate(void **state) {
  uint8_t random[PASSWORD_RANDOM];
  memset(random, 0, sizeof random);
  random[0] = 255;
  struct buf p;
  buf_init(&p, 64);
  password_generate(random, &p);
  assert_string_equal(buf_cstr(&p), "9aaa-aaaa-aaaa-aaaa-aaaa");
  buf_free(&p);
}

int main(void) {
  const struct CMUnitTest tests[] = {
    cmocka_unit_test(test_known_hashes), cmocka_unit_test(test_import_refuses),
    cmocka_unit_test(test_import_clear), cmocka_unit_test(test_hash_and_verify),
    cmocka_unit_test(test_prepared),     cmocka_unit_test(test_hostile_passwords),
    cmocka_unit_test(test_generate),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
