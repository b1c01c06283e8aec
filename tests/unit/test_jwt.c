/* SPDX-License-Identifier: ISC */
/* spec: RFC 7515 §4.1.11, Appendix A.2, A.3; RFC 7517 §4, §5; RFC 7519 §4.1; RFC 8037 Appendix A.4;
 * RFC 8725 §3 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "lib/json/json.h"
#include "lib/jwt/jwt.h"
#include "tests/unit/jwt_kit.h"

static struct buf name;

static struct jwt_keys *keys_of(const char *text) {
  struct buf err;
  buf_init(&err, 512);
  struct jwt_keys *k = jwt_keys_read(slice_str(text), &err);
  if (!k) fail_msg("%s", buf_cstr(&err));
  buf_free(&err);
  return k;
}

static void refused(const char *text, const char *word) {
  struct buf err;
  buf_init(&err, 512);
  struct jwt_keys *k = jwt_keys_read(slice_str(text), &err);
  if (k) fail_msg("taken: %s", text);
  if (slice_search(buf_slice(&err), slice_str(word)) < 0)
    fail_msg("%s: not about %s", buf_cstr(&err), word);
  buf_free(&err);
}

static const struct jwt_rules rules = { SLICE("https://id.example.org"), SLICE("mail"),
                                        SLICE("email"), 1700000000 };

static enum jwt_result verify(const struct jwt_keys *k, const struct jwt_rules *r,
                              struct slice token) {
  buf_reset(&name);
  return jwt_verify(k, r, token, &name);
}

static struct jwt_keys *ours(void) {
  struct buf b;
  buf_init(&b, 65536);
  buf_put_str(&b, "{\"keys\":[");
  put_jwk(&b, PUBLIC_RSA, "\"kid\":\"r\",\"use\":\"sig\",");
  buf_put_u8(&b, ',');
  put_jwk(&b, PUBLIC_P256, "\"kid\":\"e\",\"alg\":\"ES256\",");
  buf_put_u8(&b, ',');
  put_jwk(&b, PUBLIC_ED25519, "\"kid\":\"o\",\"key_ops\":[\"verify\"],");
  buf_put_str(&b, "]}");
  struct jwt_keys *k = keys_of(buf_cstr(&b));
  buf_free(&b);
  return k;
}

#define CLAIMS         \
  "\"iss\":\"https://" \
  "id.example.org\",\"aud\":\"mail\",\"exp\":1700000300,\"email\":\"tim@example.org\""

/* The result for a token of these texts. */
static enum jwt_result judged(const struct jwt_keys *k, enum signature_kind kind,
                              const char *header, const char *claims) {
  struct buf t;
  buf_init(&t, 65536);
  put_token(&t, kind, header, claims);
  enum jwt_result r = verify(k, &rules, buf_slice(&t));
  buf_free(&t);
  return r;
}

/* --- the RFCs' own --- */

#define PAYLOAD \
  "eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ"

static void test_rfc7515(void **state) {
  static const char rs256[] =
      "eyJhbGciOiJSUzI1NiJ9." PAYLOAD
      ".cC4hiUPoj9Eetdgtv3hF80EGrhuB__dzERat0XF9g2VtQgr9PJbu3XOiZj5RZmh7AAuHIm4Bh-0Qc_lF5YKt_"
      "O8W2Fp5jujGbds9uJdbF9CUAr7t"
      "1dnZcAcQjbKBYNX4BAynRFdiuB--f_nZLgrnbyTyWzO75vRK5h6xBArLIARNPvkSjtQBMHlb1L07Qe7K0GarZRmB_"
      "eSN9383LcOLn6_dO--xi12j"
      "zDwusC-"
      "eOkHWEsqtFZESc6BfI7noOPqvhJ1phCnvWh6IeYI2w9QOYEUipUTI8np6LbgGY9Fs98rqVt5AXLIhWkWywlVmtVrBp0i"
      "gcN_IoypGlUPQ"
      "Ge77Rw";
  static const char es256[] =
      "eyJhbGciOiJFUzI1NiJ9." PAYLOAD
      ".DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-Kg6NU1Q";
  struct jwt_keys *k = keys_of(
      "{\"keys\":[{\"kty\":\"RSA\",\"n\":\"ofgWCuLjybRlzo0tZWJjNiuSfb4p4fAkd_"
      "wWJcyQoTbji9k0l8W26mPddxHmfHQp-Vaw-4qPCJrcS2mJPM"
      "EzP1Pt0Bm4d4QlL-yRT-SFd2lZS-pCgNMsD1W_YpRPEwOWvG6b32690r2jZ47soMZo9wGzjb_7OMg0LOL-"
      "bSf63kpaSHSXndS5z5rexMdbBYUsLA9e-K"
      "XBdQOS-UTo7WTBEMa2R2CapHg665xsmtdVMTBQY4uDZlxvb3qCo5ZwKh9kG4LT6_I5IhlJH7aGhyxXFvUK-"
      "DWNmoudF8NAco9_h9iaGNj8q2ethFkMLs"
      "91kzk2PAcDTW9gb54h4FRWyuXpoQ\",\"e\":\"AQAB\"},"
      "{\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU\","
      "\"y\":\"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0\"}]}");
  struct jwt_rules joe = { SLICE("joe"), SLICE("mail"), SLICE("email"), 1300819300 };
  /* They have no "aud": so far everything about them is right. */
  assert_int_equal(verify(k, &joe, slice_str(rs256)), JWT_AUDIENCE);
  assert_int_equal(verify(k, &joe, slice_str(es256)), JWT_AUDIENCE);
  joe.now_s = 1300819380 + JWT_LEEWAY_S;
  assert_int_equal(verify(k, &joe, slice_str(es256)), JWT_EXPIRED);
  joe.now_s--;
  assert_int_equal(verify(k, &joe, slice_str(es256)), JWT_AUDIENCE);
  /* RFC 7519 §3.1: signed with HS256 */
  assert_int_equal(verify(k, &joe,
                          SLICE("eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9." PAYLOAD
                                ".dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk")),
                   JWT_ALGORITHM);
  /* RFC 7519 §6.1: not signed */
  assert_int_equal(verify(k, &joe, SLICE("eyJhbGciOiJub25lIn0." PAYLOAD ".")), JWT_MALFORMED);
  jwt_keys_free(&k);
}

/* RFC 8037 A.4: its payload is no JSON, so its signature is held against the key alone. */
static void test_rfc8037(void **state) {
  static const char signed_text[] = "eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc";
  struct jwt_keys *k = keys_of("{\"keys\":[{\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"x\":"
                               "\"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo\"}]}");
  struct buf sig;
  buf_init(&sig, 128);
  assert_true(
      base64url_decode(&sig, SLICE("hgyY0il_MGCjP0JzlnLWG1PPOt7-"
                                   "09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt9g7sVvpAr_MuM0KAg")));
  const struct public_key *key = jwt_keys_find(k, SLICE_NONE, SIGNATURE_EDDSA);
  assert_non_null(key);
  assert_true(public_key_verify(key, SIGNATURE_EDDSA, slice_str(signed_text), buf_slice(&sig)));
  assert_false(public_key_verify(key, SIGNATURE_EDDSA, SLICE("another"), buf_slice(&sig)));
  assert_false(public_key_verify(key, SIGNATURE_ES256, slice_str(signed_text), buf_slice(&sig)));
  buf_free(&sig);
  jwt_keys_free(&k);
}

/* --- ours --- */

static void test_good(void **state) {
  static const struct {
    enum signature_kind kind;
    const char *header;
  } tokens[] = {
    { SIGNATURE_RS256, "{\"alg\":\"RS256\",\"kid\":\"r\",\"typ\":\"JWT\"}" },
    { SIGNATURE_PS256, "{\"alg\":\"PS256\",\"kid\":\"r\"}" },
    { SIGNATURE_ES256, "{\"alg\":\"ES256\",\"kid\":\"e\",\"typ\":\"at+jwt\"}" },
    { SIGNATURE_EDDSA, "{\"alg\":\"EdDSA\",\"kid\":\"o\",\"typ\":\"application/AT+JWT\"}" },
    { SIGNATURE_EDDSA, "{\"alg\":\"EdDSA\"}" }, /* there is only one key for it */
  };
  struct jwt_keys *k = ours();
  assert_int_equal(jwt_keys_count(k), 3);
  for (size_t i = 0; i < sizeof tokens / sizeof *tokens; i++) {
    assert_int_equal(judged(k, tokens[i].kind, tokens[i].header, "{" CLAIMS "}"), JWT_GOOD);
    assert_true(slice_eq(buf_slice(&name), SLICE("tim@example.org")));
  }
  jwt_keys_free(&k);
}

static void test_hostile_headers(void **state) {
  static const struct {
    const char *header;
    enum jwt_result want;
  } bad[] = {
    { "{\"alg\":\"none\"}", JWT_ALGORITHM },
    { "{\"alg\":\"None\"}", JWT_ALGORITHM },
    { "{\"alg\":\"HS256\",\"kid\":\"r\"}", JWT_ALGORITHM },
    { "{\"alg\":\"RS512\",\"kid\":\"r\"}", JWT_ALGORITHM },
    { "{\"alg\":\"rs256\",\"kid\":\"r\"}", JWT_ALGORITHM },
    { "{\"alg\":\"\"}", JWT_ALGORITHM },
    { "{\"alg\":1}", JWT_MALFORMED },
    { "{}", JWT_MALFORMED },
    { "[]", JWT_MALFORMED },
    { "\"x\"", JWT_MALFORMED },
    { "{\"alg\":\"RS256\",\"alg\":\"none\"}", JWT_MALFORMED },
    { "{\"alg\":\"RS256\",\"kid\":\"e\"}", JWT_NO_KEY }, /* another kind of key */
    { "{\"alg\":\"ES256\",\"kid\":\"r\"}", JWT_NO_KEY },
    { "{\"alg\":\"RS256\",\"kid\":\"x\"}", JWT_NO_KEY },
    { "{\"alg\":\"RS256\",\"kid\":\"../../dev/null\"}", JWT_NO_KEY },
    { "{\"alg\":\"RS256\",\"kid\":[\"r\"]}", JWT_MALFORMED },
    { "{\"alg\":\"RS256\",\"kid\":\"\"}", JWT_MALFORMED },
    { "{\"alg\":\"RS256\",\"kid\":\"r\",\"crit\":[\"exp\"]}", JWT_ALGORITHM },
    { "{\"alg\":\"RS256\",\"kid\":\"r\",\"crit\":null}", JWT_ALGORITHM },
    { "{\"alg\":\"RS256\",\"kid\":\"r\",\"b64\":false,\"crit\":[\"b64\"]}", JWT_ALGORITHM },
    { "{\"alg\":\"RS256\",\"kid\":\"r\",\"typ\":\"logout+jwt\"}", JWT_ALGORITHM },
    { "{\"alg\":\"PS256\",\"kid\":\"r\"}", JWT_SIGNATURE },
    { "{\"alg\":\"RS256\",\"kid\":\"r\",\"x\":[[[[[[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]]]]]]}",
      JWT_MALFORMED },
    { "{\"alg\":\"RS256\",\"kid\":\"r\",\"x\":\"\\u0000\"}", JWT_MALFORMED },
    { "{\"alg\":\"RS256\",\"kid\":\"r\",\"x\":99999999999999999999999999}", JWT_MALFORMED },
    { "{\"alg\":\"RS256\",\"kid\":\"r\"}x", JWT_MALFORMED },
  };
  struct jwt_keys *k = ours();
  for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
    enum jwt_result r = judged(k, SIGNATURE_RS256, bad[i].header, "{" CLAIMS "}");
    if (r != bad[i].want) fail_msg("%s: %s", bad[i].header, jwt_result_text(r));
    assert_int_equal(buf_len(&name), 0);
  }
  /* A key in the token is not looked at. */
  assert_int_equal(judged(k, SIGNATURE_ES256,
                          "{\"alg\":\"RS256\",\"kid\":\"r\",\"jwk\":{\"kty\":\"EC\"}}",
                          "{" CLAIMS "}"),
                   JWT_SIGNATURE);
  jwt_keys_free(&k);
}

static void test_hostile_claims(void **state) {
  static const struct {
    const char *claims;
    enum jwt_result want;
  } tokens[] = {
#define ISS "\"iss\":\"https://id.example.org\","
#define AUD "\"aud\":\"mail\","
#define EXP "\"exp\":1700000300,"
#define MAIL "\"email\":\"tim@example.org\""
    { "{" ISS AUD EXP MAIL "}", JWT_GOOD },
    { "{" ISS AUD "\"exp\":1700000000.9," MAIL "}", JWT_GOOD },
    { "{" ISS AUD "\"exp\":1699999941," MAIL "}", JWT_GOOD },
    { "{" ISS AUD "\"exp\":1699999940," MAIL "}", JWT_EXPIRED },
    { "{" ISS AUD "\"exp\":-1," MAIL "}", JWT_EXPIRED },
    { "{" ISS AUD "\"exp\":\"1700000300\"," MAIL "}", JWT_EXPIRED },
    { "{" ISS AUD "\"exp\":1e300," MAIL "}", JWT_EXPIRED },
    { "{" ISS AUD "\"exp\":9223372036854775807," MAIL "}", JWT_EXPIRED },
    { "{" ISS AUD MAIL "}", JWT_EXPIRED },
    { "{" ISS AUD EXP "\"nbf\":1700000060," MAIL "}", JWT_GOOD },
    { "{" ISS AUD EXP "\"nbf\":1700000061," MAIL "}", JWT_TOO_EARLY },
    { "{" ISS AUD EXP "\"nbf\":\"0\"," MAIL "}", JWT_TOO_EARLY },
    { "{" AUD EXP MAIL "}", JWT_ISSUER },
    { "{\"iss\":\"https://id.example.org/\"," AUD EXP MAIL "}", JWT_ISSUER },
    { "{\"iss\":\"\"," AUD EXP MAIL "}", JWT_ISSUER },
    { "{" ISS EXP MAIL "}", JWT_AUDIENCE },
    { "{" ISS "\"aud\":[\"web\",\"mail\"]," EXP MAIL "}", JWT_GOOD },
    { "{" ISS "\"aud\":[\"web\",1,[\"mail\"],{\"mail\":1}]," EXP MAIL "}", JWT_AUDIENCE },
    { "{" ISS "\"aud\":[]," EXP MAIL "}", JWT_AUDIENCE },
    { "{" ISS "\"aud\":\"MAIL\"," EXP MAIL "}", JWT_AUDIENCE },
    { "{" ISS AUD EXP "\"email\":[\"tim@example.org\"]}", JWT_NAME },
    { "{" ISS AUD EXP "\"email\":\"\"}", JWT_NAME },
    { "{" ISS AUD EXP "\"sub\":\"tim@example.org\"}", JWT_NAME },
    { "{" ISS AUD EXP "\"email_verified\":false," MAIL "}", JWT_UNVERIFIED },
    { "{" ISS AUD EXP "\"email_verified\":\"false\"," MAIL "}", JWT_UNVERIFIED },
    { "{" ISS AUD EXP "\"email_verified\":\"True\"," MAIL "}", JWT_UNVERIFIED },
    { "{" ISS AUD EXP "\"email_verified\":\"\"," MAIL "}", JWT_UNVERIFIED },
    { "{" ISS AUD EXP "\"email_verified\":0," MAIL "}", JWT_UNVERIFIED },
    { "{" ISS AUD EXP "\"email_verified\":1," MAIL "}", JWT_UNVERIFIED },
    { "{" ISS AUD EXP "\"email_verified\":null," MAIL "}", JWT_UNVERIFIED },
    { "{" ISS AUD EXP "\"email_verified\":[true]," MAIL "}", JWT_UNVERIFIED },
    { "{" ISS AUD EXP "\"email_verified\":{}," MAIL "}", JWT_UNVERIFIED },
    { "{" ISS AUD EXP "\"email_verified\":true," MAIL "}", JWT_GOOD },
    { "{" ISS AUD EXP "\"email_verified\":\"true\"," MAIL "}", JWT_GOOD },
    { "{" ISS AUD EXP MAIL "}", JWT_GOOD },
    { "{" ISS AUD EXP MAIL "," MAIL "}", JWT_MALFORMED },
    { "{" ISS AUD EXP "\"email\":\"tim\\u0000@example.org\"}", JWT_MALFORMED },
    { "{" ISS AUD EXP "\"email\":\"tim\xff@example.org\"}", JWT_MALFORMED },
    { "null", JWT_MALFORMED },
    { "", JWT_MALFORMED },
  };
  struct jwt_keys *k = ours();
  for (size_t i = 0; i < sizeof tokens / sizeof *tokens; i++) {
    enum jwt_result r = judged(k, SIGNATURE_EDDSA, "{\"alg\":\"EdDSA\"}", tokens[i].claims);
    if (r != tokens[i].want) fail_msg("%s: %s", tokens[i].claims, jwt_result_text(r));
  }
  jwt_keys_free(&k);
}

/* Every octet of a good token, changed, cut off, doubled: no other text is it. */
static void test_no_other_spelling(void **state) {
  struct jwt_keys *k = ours();
  struct buf t, other;
  buf_init(&t, 65536), buf_init(&other, 65536);
  put_token(&t, SIGNATURE_ES256, "{\"alg\":\"ES256\",\"kid\":\"e\"}", "{" CLAIMS "}");
  struct slice good = buf_slice(&t);
  assert_int_equal(verify(k, &rules, good), JWT_GOOD);
  for (size_t i = 0; i < good.n; i++) {
    for (int how = 0; how < 4; how++) {
      buf_reset(&other);
      buf_put(&other, slice_first(good, i));
      if (how == 0) buf_put_u8(&other, good.p[i] == 'A' ? 'B' : 'A');
      if (how == 1) buf_put_u8(&other, '=');
      if (how == 2) buf_put(&other, slice_of((uint8_t[]){ good.p[i], '\n' }, 2));
      if (how != 3) buf_put(&other, slice_from(good, i + 1));
      if (verify(k, &rules, buf_slice(&other)) == JWT_GOOD)
        fail_msg("taken: octet %zu, %d", i, how);
    }
  }
  buf_put_str(&t, ".");
  assert_int_equal(verify(k, &rules, buf_slice(&t)), JWT_MALFORMED);
  assert_int_equal(verify(k, &rules, SLICE_NONE), JWT_MALFORMED);
  assert_int_equal(verify(k, &rules, SLICE("..")), JWT_MALFORMED);
  buf_reset(&t);
  for (size_t i = 0; i < JWT_TOKEN_MAX; i++) buf_put_u8(&t, i % 4000 == 3999 ? '.' : 'A');
  assert_int_equal(verify(k, &rules, buf_slice(&t)), JWT_MALFORMED);
  buf_free(&t), buf_free(&other);
  jwt_keys_free(&k);
}

static void test_key_sets(void **state) {
  struct buf b;
  buf_init(&b, 65536);
  refused("", "JSON");
  refused("{}", "keys");
  refused("[]", "object");
  refused("{\"keys\":[]}", "keys");
  refused("{\"keys\":{}}", "keys");
  refused("{\"keys\":[{}]}", "kty");
  refused("{\"keys\":[1]}", "kty");
  refused("{\"keys\":[{\"kty\":\"oct\",\"k\":\"AAAA\"}]}", "no key for");
  refused("{\"keys\":[{\"kty\":\"RSA\",\"n\":\"AQAB\",\"e\":\"AQAB\"}]}", "2048");
  refused("{\"keys\":[{\"kty\":\"RSA\",\"n\":\"AQ==\",\"e\":\"AQAB\"}]}", "base64url");
  refused("{\"keys\":[{\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"d\":\"x\",\"x\":\"11qYAYKxCrfVS_"
          "7TyWQHOg7hcvPapiMlrwIaaPcHURo\"}]}",
          "private");
  refused("{\"keys\":[{\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"x\":\"11qYAYKxCrfVS_"
          "7TyWQHOg7hcvPapiMlrwIaaPcH\"}]}",
          "32");
  refused("{\"keys\":[{\"kty\":\"OKP\",\"crv\":\"X25519\",\"x\":\"11qYAYKxCrfVS_"
          "7TyWQHOg7hcvPapiMlrwIaaPcHURo\"}]}",
          "no key for");
  /* not on the curve */
  refused("{\"keys\":[{\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":"
          "\"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU\","
          "\"y\":\"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU\"}]}",
          "can't be used");
  buf_put_str(&b, "{\"keys\":[");
  put_jwk(&b, PUBLIC_ED25519, "\"kid\":\"a\",");
  buf_put_u8(&b, ',');
  put_jwk(&b, PUBLIC_P256, "\"kid\":\"a\",");
  buf_put_str(&b, "]}");
  refused(buf_cstr(&b), "same");
  buf_reset(&b);
  buf_put_str(&b, "{\"keys\":[");
  put_jwk(&b, PUBLIC_P256, "\"alg\":\"RS256\",");
  buf_put_str(&b, "]}");
  refused(buf_cstr(&b), "alg");
  buf_reset(&b); /* two keys that both would do, and no name: neither is taken */
  buf_put_str(&b, "{\"keys\":[");
  put_jwk(&b, PUBLIC_ED25519, "\"kid\":\"a\",");
  buf_put_u8(&b, ',');
  put_jwk(&b, PUBLIC_ED25519, "\"kid\":\"b\",");
  buf_put_u8(&b, ',');
  put_jwk(&b, PUBLIC_RSA, "\"use\":\"enc\",");
  buf_put_str(&b, "]}");
  struct jwt_keys *k = keys_of(buf_cstr(&b));
  assert_int_equal(jwt_keys_count(k), 2);
  assert_int_equal(judged(k, SIGNATURE_EDDSA, "{\"alg\":\"EdDSA\"}", "{" CLAIMS "}"), JWT_NO_KEY);
  assert_int_equal(judged(k, SIGNATURE_EDDSA, "{\"alg\":\"EdDSA\",\"kid\":\"b\"}", "{" CLAIMS "}"),
                   JWT_GOOD);
  assert_int_equal(judged(k, SIGNATURE_RS256, "{\"alg\":\"RS256\"}", "{" CLAIMS "}"), JWT_NO_KEY);
  jwt_keys_free(&k);
  buf_free(&b);
}

static void test_base64url(void **state) {
  struct buf b;
  buf_init(&b, 64);
  assert_true(base64url_decode(&b, SLICE("-_-_AA")) && buf_len(&b) == 4);
  static const char *const bad[] = { "A",    "AB",  "AAB",  "+/+/", "AA==",
                                     "AAA=", "A A", "AA\n", "AAAAA" };
  for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
    buf_reset(&b);
    if (base64url_decode(&b, slice_str(bad[i]))) fail_msg("taken: %s", bad[i]);
  }
  buf_free(&b);
}

static int setup(void **state) {
  json_start(1);
  buf_init(&name, 320);
  return 0;
}

static int teardown(void **state) {
  buf_free(&name);
  issuer_end();
  return 0;
}

int main(void) {
  const struct CMUnitTest tests[] = {
    cmocka_unit_test(test_rfc7515),        cmocka_unit_test(test_rfc8037),
    cmocka_unit_test(test_good),           cmocka_unit_test(test_hostile_headers),
    cmocka_unit_test(test_hostile_claims), cmocka_unit_test(test_no_other_spelling),
    cmocka_unit_test(test_key_sets),       cmocka_unit_test(test_base64url),
  };
  return cmocka_run_group_tests(tests, setup, teardown);
}
