/* SPDX-License-Identifier: ISC */
/* Logins by a client's certificate: RFC 4422 Appendix A; how it is registered. */
#include "tests/unit/auth_kit.h"

#define ONE "0101010101010101010101010101010101010101010101010101010101010101"
#define TWO                                                                                       \
  "02:02:02:02:02:02:02:02:02:02:02:02:02:02:02:02:02:02:02:02:02:02:02:02:02:02:02:02:02:02:02:" \
  "02"

/* Each octet of the fingerprint is `mark`; n octets of it. */
static uint64_t external_n(unsigned from, const char *authzid, uint8_t mark, size_t n,
                           bool secure) {
  uint8_t fingerprint[ACCOUNT_FINGERPRINT];
  struct buf b;
  buf_init(&b, 16384);
  memset(fingerprint, mark, sizeof fingerprint);
  auth_start_put(&b, &(struct auth_start){ .mechanism = SLICE("EXTERNAL"),
                                           .has_response = true,
                                           .response = slice_str(authzid),
                                           .peer = peer_of(from),
                                           .secure = secure,
                                           .certificate = slice_of(fingerprint, n),
                                           .service = SLICE("pop3") });
  assert_true(tell(ROLE_POP3D, FRONT, auth_start_type, ++tags, &b));
  buf_free(&b);
  run();
  return tags;
}
static uint64_t external(unsigned from, const char *authzid, uint8_t mark) {
  return external_n(from, authzid, mark, ACCOUNT_FINGERPRINT, true);
}

static int setup_external(void **state) {
  int r = setup(state);
  conf->client_certificates = true;
  add_tim();
  assert_int_equal(admin("account", "import", "tom@example.org", "43", MD5_SECRET), CLI_OK);
  assert_int_equal(admin("account", "certificate", "add", "Tim@example.org", ONE), CLI_OK);
  return r;
}

static void test_right(void **state) {
  assert_int_equal(answer(external(1, "", 1)), YES);
  assert_int_equal(answer(external(1, "TIM@example.org", 1)), YES);
  auth_free(&auth);
  open_auth();
  assert_int_equal(answer(external(1, "", 1)), YES);
}

static void test_wrong(void **state) {
  const struct trace unknown = trace(external(1, "tim@example.org", 3));
  const struct trace other = trace(external(2, "tom@example.org", 1));
  const struct trace nobody = trace(external(3, "nobody@example.org", 1));
  assert_int_equal(admin("account", "disable", "tim@example.org"), CLI_OK);
  const struct trace off = trace(external(4, "", 1));
  assert_int_equal(admin("account", "enable", "tim@example.org"), CLI_OK);
  assert_int_equal(unknown.said, AUTH_WRONG);
  assert_int_equal(unknown.after_ms, 2000);
  assert_memory_equal(&unknown, &other, sizeof unknown);
  assert_memory_equal(&unknown, &nobody, sizeof unknown);
  assert_memory_equal(&unknown, &off, sizeof unknown);
}

static void test_unavailable(void **state) {
  assert_int_equal(answer(external_n(1, "", 1, 0, true)), AUTH_UNAVAILABLE); /* none was shown */
  assert_int_equal(answer(external_n(1, "", 1, 31, true)), AUTH_UNAVAILABLE);
  /* without TLS there is none */
  assert_int_equal(answer(external_n(1, "", 1, 32, false)), AUTH_UNAVAILABLE);
  assert_int_equal(answer(external(1, "\xff", 1)), AUTH_MALFORMED);
  conf->client_certificates = false;
  assert_int_equal(answer(external(1, "", 1)), AUTH_UNAVAILABLE);
}

static void test_registering(void **state) {
  assert_int_equal(admin("account", "certificate", "add", "tim@example.org", ONE), CLI_EXISTS);
  assert_int_equal(admin("account", "certificate", "add", "tom@example.org", ONE), CLI_EXISTS);
  assert_int_equal(admin("account", "certificate", "add", "tim@example.org", TWO), CLI_OK);
  assert_int_equal(admin("account", "certificate", "add", "nobody@example.org", TWO),
                   CLI_NOT_FOUND);
  static const char *const bad[] = {
    "", "00", ONE "0", ONE "00", ":", "zz", "/etc/passwd", TWO ":"
  };
  for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
    if (strcmp(bad[i], TWO ":") != 0)
      assert_int_equal(admin("account", "certificate", "add", "tom@example.org", bad[i]),
                       CLI_USAGE);
  assert_int_equal(admin("account", "certificate", "put", "tom@example.org", ONE), CLI_USAGE);
  assert_int_equal(admin("account", "certificate", "add", "tom@example.org"), CLI_USAGE);
  size_t from = said_n;
  assert_int_equal(admin("account", "certificate", "list"), CLI_OK);
  assert_int_equal(said_n - from, 4); /* columns, two rows, done */
  from = said_n;
  assert_int_equal(admin("account", "certificate", "list", "tom@example.org"), CLI_OK);
  assert_int_equal(said_n - from, 2);
  assert_int_equal(answer(external(1, "", 2)), YES);
  assert_int_equal(admin("account", "certificate", "delete", "tom@example.org", ONE),
                   CLI_NOT_FOUND);
  assert_int_equal(admin("account", "certificate", "delete", "tim@example.org", ONE), CLI_OK);
  assert_int_equal(trace(external(1, "", 1)).said, AUTH_WRONG);
  assert_int_equal(answer(external(1, "", 2)), YES);
}

/* An account that is made anew does not have the certificates of the one before. */
static void test_gone_with_the_account(void **state) {
  assert_int_equal(admin("account", "delete", "tim@example.org"), CLI_OK);
  add_tim();
  assert_int_equal(trace(external(1, "", 1)).said, AUTH_WRONG);
  assert_int_equal(admin("account", "certificate", "add", "tim@example.org", ONE), CLI_OK);
  assert_int_equal(answer(external(1, "", 1)), YES);
}

/* Failed logins do not delay a valid certificate; a deleted one fails, and is delayed, like any
 * wrong one. */
static void test_taken_back_meanwhile(void **state) {
  fail_once(1, "x");
  assert_int_equal(answer(external(1, "", 1)), YES);
  assert_int_equal(admin("account", "certificate", "delete", "tim@example.org", ONE), CLI_OK);
  uint64_t t = external(1, "", 1);
  assert_int_equal(answer(t), NOTHING);
  at(now + 4000);
  assert_int_equal(answer(t), AUTH_WRONG);
}

static void test_many(void **state) {
  char text[80];
  for (int i = 1; i < ACCOUNT_CERTIFICATES_MAX; i++) {
    snprintf(text, sizeof text, "%064x", i);
    assert_int_equal(admin("account", "certificate", "add", "tim@example.org", text), CLI_OK);
  }
  assert_int_equal(admin("account", "certificate", "add", "tim@example.org", TWO), CLI_USAGE);
  assert_int_equal(admin("account", "certificate", "add", "tom@example.org", TWO), CLI_OK);
}

int main(void) {
#define TE(f) cmocka_unit_test_setup_teardown(f, setup_external, teardown)
  const struct CMUnitTest tests[] = {
    TE(test_right),
    TE(test_wrong),
    TE(test_unavailable),
    TE(test_registering),
    TE(test_gone_with_the_account),
    TE(test_taken_back_meanwhile),
    TE(test_many),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
