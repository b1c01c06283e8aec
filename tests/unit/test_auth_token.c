/* SPDX-License-Identifier: ISC */
/* Logins with access tokens: RFC 7628 §3.2, and what a token that is no good costs. */
#include "tests/unit/auth_kit.h"
#include "tests/unit/jwt_kit.h"

#define CLAIMS         \
  "\"iss\":\"https://" \
  "id.example.org\",\"aud\":\"mail\",\"exp\":1700000300,\"email\":\"Tim@Example.org\""

static int setup_token(void **state) {
  int r = setup(state);
  conf->oauth_issuer = "https://id.example.org";
  conf->oauth_audience = "mail";
  struct buf set, err;
  buf_init(&set, 65536), buf_init(&err, 512);
  buf_put_str(&set, "{\"keys\":[");
  put_jwk(&set, PUBLIC_ED25519, "");
  buf_put_str(&set, "]}");
  assert_true(auth_token_keys(auth, buf_slice(&set), &err));
  buf_free(&set), buf_free(&err);
  add_tim();
  return r;
}

/* The client's first message; authzid NULL: none. */
static uint64_t bearer(unsigned from, const char *mech, const char *authzid, const char *claims) {
  struct buf m;
  buf_init(&m, 12288);
  if (strcmp(mech, "XOAUTH2") == 0)
    buf_printf(&m, "user=%s\x01", authzid);
  else
    buf_printf(&m, authzid ? "n,a=%s,\x01" : "n,,\x01", authzid);
  buf_put_str(&m, "auth=Bearer ");
  put_token(&m, SIGNATURE_EDDSA, "{\"alg\":\"EdDSA\"}", claims);
  buf_put_str(&m, "\x01\x01");
  uint64_t t = start_sasl(from, mech, true, buf_slice(&m), true);
  run();
  buf_free(&m);
  return t;
}

static void test_good(void **state) {
  assert_int_equal(answer(bearer(1, "OAUTHBEARER", NULL, "{" CLAIMS "}")), YES);
  assert_int_equal(answer(bearer(1, "OAUTHBEARER", "tim@example.org", "{" CLAIMS "}")), YES);
  assert_int_equal(answer(bearer(1, "XOAUTH2", "TIM@example.org", "{" CLAIMS "}")), YES);
  conf->oauth_claim = "preferred_username";
  conf->login_domain = "example.org";
  assert_int_equal(
      answer(bearer(1, "OAUTHBEARER", "tim", "{" CLAIMS ",\"preferred_username\":\"tim\"}")), YES);
  assert_int_equal(auth->count.tokens, 0);
  conf->oauth_claim = "email", conf->login_domain = "";
}

/* What a refusal shows: its words, their time, and the answer after the client's. */
struct refusal {
  int first, last;
  uint64_t after_ms;
  char words[64];
};

static struct refusal refusal(uint64_t t) {
  struct refusal r = { .first = answer(t) };
  uint64_t asked = now;
  assert_null(last_said(t));
  now = auth_tick(auth, now);
  run();
  r.after_ms = now - asked;
  struct slice words = challenge(t);
  memcpy(r.words, words.p, words.n < sizeof r.words - 1 ? words.n : sizeof r.words - 1);
  step_sasl(t, SLICE("\x01"));
  r.last = answer(t);
  clean_address();
  return r;
}

static void test_wrong(void **state) {
  const struct refusal expired =
      refusal(bearer(1, "OAUTHBEARER", NULL, "{" CLAIMS ",\"nbf\":1800000000}"));
  assert_string_equal(refused_line, "submission <> OAUTHBEARER token refused: not valid yet");
  const struct refusal unverified =
      refusal(bearer(6, "XOAUTH2", "tim@example.org", "{" CLAIMS ",\"email_verified\":false}"));
  assert_string_equal(refused_line,
                      "submission <tim@example.org> XOAUTH2 token refused: the issuer has not "
                      "verified its email (email_verified)");
  assert_int_equal(unverified.last, AUTH_WRONG);
  const struct refusal unknown = refusal(bearer(
      2, "OAUTHBEARER", NULL,
      "{\"iss\":\"https://"
      "id.example.org\",\"aud\":\"mail\",\"exp\":1700000300,\"email\":\"nobody@example.org\"}"));
  const struct refusal other = refusal(bearer(3, "OAUTHBEARER", "tom@example.org", "{" CLAIMS "}"));
  assert_string_equal(refused_line,
                      "submission <Tim@Example.org> OAUTHBEARER asked to act for another account");
  assert_int_equal(admin("account", "disable", "tim@example.org"), CLI_OK);
  const struct refusal off = refusal(bearer(4, "OAUTHBEARER", NULL, "{" CLAIMS "}"));
  assert_int_equal(admin("account", "enable", "tim@example.org"), CLI_OK);
  assert_string_equal(expired.words, "{\"status\":\"invalid_token\"}");
  assert_int_equal(expired.last, AUTH_WRONG);
  assert_int_equal(expired.after_ms, 2000);
  assert_memory_equal(&expired, &unknown, sizeof expired);
  assert_memory_equal(&expired, &other, sizeof expired);
  assert_memory_equal(&expired, &off, sizeof expired);
  const struct refusal xoauth2 = refusal(bearer(5, "XOAUTH2", "tom@example.org", "{" CLAIMS "}"));
  assert_string_equal(xoauth2.words, "{\"status\":\"401\",\"schemes\":\"bearer\"}");
  assert_int_equal(auth->count.tokens, 6);
  assert_int_equal(answer(bearer(1, "OAUTHBEARER", NULL, "{" CLAIMS "}")), YES);
}

/* A network that fails waits longer each time; its right token does not wait. */
static void test_penalties(void **state) {
  static const struct slice empty = { (const uint8_t *)"n,,\x01"
                                                       "auth=\x01\x01",
                                      11 };
  for (unsigned i = 0; i < 3; i++) {
    uint64_t asked = now, t = start_sasl(1, "OAUTHBEARER", true, empty, true);
    run();
    assert_null(last_said(t));
    now = auth_tick(auth, now);
    assert_int_equal(now - asked, 2000u << i);
    run();
    step_sasl(t, SLICE("\x01"));
    assert_int_equal(answer(t), AUTH_WRONG);
  }
  assert_int_equal(answer(bearer(1, "OAUTHBEARER", NULL, "{" CLAIMS "}")), YES);
}

static void test_unavailable(void **state) {
  static const struct slice m = { (const uint8_t *)"n,,\x01"
                                                   "auth=Bearer x\x01\x01",
                                  19 };
  struct buf err;
  buf_init(&err, 512);
  /* not without TLS */
  assert_int_equal(answer(start_sasl(1, "OAUTHBEARER", true, m, false)), AUTH_UNAVAILABLE);
  conf->plaintext_auth = true;
  /* whatever is allowed */
  assert_int_equal(answer(start_sasl(1, "OAUTHBEARER", true, m, false)), AUTH_UNAVAILABLE);
  conf->plaintext_auth = false;
  assert_int_equal(answer(start_sasl(1, "OAUTHBEARER", true, SLICE("\x01"), true)), AUTH_MALFORMED);
  assert_false(auth_token_keys(auth, SLICE("{}"), &err)); /* the ones before stay */
  assert_int_equal(answer(bearer(1, "OAUTHBEARER", NULL, "{" CLAIMS "}")), YES);
  assert_true(auth_token_keys(auth, SLICE_NONE, &err));
  assert_int_equal(answer(start_sasl(1, "OAUTHBEARER", true, m, true)), AUTH_UNAVAILABLE);
  buf_free(&err);
}

/* The client hangs up before, and instead of, its last message. */
static void test_gone(void **state) {
  uint64_t t = bearer(1, "OAUTHBEARER", "x@y", "{" CLAIMS "}");
  cancel(ROLE_SMTPD, MX, t);
  at(now + 3000);
  assert_null(last_said(t));
  t = bearer(1, "OAUTHBEARER", "x@y", "{" CLAIMS "}");
  at(now + 5000);
  assert_true(slice_starts(challenge(t), SLICE("{")));
  cancel(ROLE_SMTPD, MX, t);
}

static int end(void **state) {
  issuer_end();
  return 0;
}

int main(void) {
#define TT(f) cmocka_unit_test_setup_teardown(f, setup_token, teardown)
  const struct CMUnitTest tests[] = {
    TT(test_good), TT(test_wrong), TT(test_penalties), TT(test_unavailable), TT(test_gone),
  };
  return cmocka_run_group_tests(tests, NULL, end);
}
