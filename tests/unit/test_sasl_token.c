/* SPDX-License-Identifier: ISC */
/* spec: RFC 7628 §3, §4; Google's description of XOAUTH2; RFC 4422 Appendix A */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "lib/base/codec.h"
#include "mail/sasl/sasl.h"

static struct sasl_server server;
static struct sasl_client client;
static struct buf out;

#define TOKEN "vF9dft4qmTc2Nvb3RlckBhbHRhdmlzdGEuY29tCg=="
#define assert_octets(b, lit) assert_true(slice_eq(buf_slice(b), SLICE(lit)))

static int setup(void **state) {
  buf_init(&out, 2 * SASL_MESSAGE_MAX);
  return 0;
}

static int teardown(void **state) {
  buf_free(&out);
  sasl_server_end(&server);
  sasl_client_end(&client);
  return 0;
}

static void start(const char *mech) {
  sasl_server_end(&server);
  sasl_server_start(&server, sasl_find(slice_str(mech)), SLICE("nonce"), SLICE("mx.example.org"),
                    1);
}

static enum sasl_verdict step(struct slice response) {
  buf_reset(&out);
  return sasl_server_step(&server, true, response, &out);
}

static enum sasl_verdict judged(bool right) {
  buf_reset(&out);
  return sasl_server_token(&server, right, &out);
}

static void start_client(const char *mech, const char *name, const char *token) {
  sasl_client_end(&client);
  sasl_client_start(&client, sasl_find(slice_str(mech)), slice_str(name), slice_str(token),
                    SLICE_NONE, SLICE("nonce"));
}

static enum sasl_advice advise(const char *challenge) {
  buf_reset(&out);
  return sasl_client_step(&client, challenge != NULL, slice_str(challenge), &out);
}

static void take_base64(const char *text) {
  struct buf plain;
  buf_init(&plain, SASL_MESSAGE_MAX);
  assert_true(base64_decode(&plain, slice_str(text)));
  assert_int_equal(step(buf_slice(&plain)), SASL_TOKEN);
  buf_free(&plain);
}

/* RFC 7628 §4.1: the example's own octets, from either side. */
static void test_bearer_example(void **state) {
  static const char imap[] =
      "bixhPXVzZXJAZXhhbXBsZS5jb20sAWhvc3Q9c2VydmVyLmV4YW1wbGUuY29tAXBvcnQ9MTQzAWF1dGg9QmVhcmVyI"
      "HZGOWRmdDRxbVRjMk52YjNSbGNrQmhiSFJoZG1semRHRXVZMjl0Q2c9PQEB";
  start("OAUTHBEARER");
  take_base64(imap);
  assert_octets(&server.authzid, "user@example.com");
  assert_octets(&server.token, TOKEN);
  assert_int_equal(judged(true), SASL_OK);
  assert_int_equal(buf_len(&out), 0);
  start("OAUTHBEARER");
  take_base64("bixhPXVzZXJAZXhhbXBsZS5jb20sAWhvc3Q9c2VydmVyLmV4YW1wbGUuY29tAXBvcnQ9NTg3AWF1dGg9QmVh"
              "cmVyIHZGOWRmd"
              "DRxbVRjMk52YjNSbGNrQmhiSFJoZG1semRHRXVZMjl0Q2c9PQEB");
  assert_octets(&server.token, TOKEN);

  struct buf b;
  buf_init(&b, SASL_MESSAGE_MAX);
  start_client("OAUTHBEARER", "user@example.com", TOKEN);
  sasl_client_at(&client, SLICE("server.example.com"), 143);
  assert_int_equal(advise(NULL), SASL_SEND);
  base64_put(&b, buf_slice(&out));
  assert_true(slice_eq(buf_slice(&b), slice_str(imap)));
  buf_free(&b);
  assert_true(sasl_client_believes(&client));
}

/* RFC 7628 §4.3: an empty authorization asks what is wanted. The last message of the client
 * finishes it. */
static void test_bearer_refused(void **state) {
  start("OAUTHBEARER");
  take_base64(
      "bixhPXVzZXJAZXhhbXBsZS5jb20sAWhvc3Q9c2VydmVyLmV4YW1wbGUuY29tAXBvcnQ9MTQzAWF1dGg9AQE=");
  assert_int_equal(buf_len(&server.token), 0);
  assert_int_equal(judged(false), SASL_CHALLENGE);
  assert_octets(&out, "{\"status\":\"invalid_token\"}");
  assert_int_equal(step(SLICE("\x01")), SASL_WRONG);
  assert_int_equal(step(SLICE("\x01")), SASL_MALFORMED);
  assert_int_equal(judged(true), SASL_WRONG);

  start_client("OAUTHBEARER", "user@example.com", "t");
  assert_int_equal(advise(NULL), SASL_SEND);
  assert_int_equal(advise("{\"status\":\"invalid_token\"}"), SASL_SEND);
  assert_octets(&out, "\x01");
  assert_false(sasl_client_believes(&client));
  assert_int_equal(advise(""), SASL_GIVE_UP);
}

static void test_bearer_forms(void **state) {
  static const struct {
    struct slice message, token, authzid;
  } good[] = {
#define GOOD(m, t, z) { SLICE_LIT(m), SLICE_LIT(t), SLICE_LIT(z) }
#define SLICE_LIT(s) \
  { (const uint8_t *)("" s), sizeof(s) - 1 }
    GOOD("n,,\x01"
         "auth=Bearer abc\x01\x01",
         "abc", ""),
    GOOD("y,,\x01"
         "auth=bEARER   a.b-c_d~+/==\x01\x01",
         "a.b-c_d~+/==", ""),
    GOOD("n,a=q=2Cs=3D@x,\x01"
         "auth=Bearer t\x01unknown=\x01Port=x\x01port=1\x01\x01",
         "t", "q,s=@x"),
    GOOD("n,,\x01"
         "auth=Basic abc\x01\x01",
         "", ""),
    GOOD("n,,\x01"
         "auth=Bearer a b\x01\x01",
         "", ""),
    GOOD("n,,\x01\x01", "", ""),
#undef GOOD
  };
  for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
    start("OAUTHBEARER");
    if (step(good[i].message) != SASL_TOKEN) fail_msg("refused: %zu", i);
    if (!slice_eq(buf_slice(&server.token), good[i].token)) fail_msg("another token: %zu", i);
    if (!slice_eq(buf_slice(&server.authzid), good[i].authzid)) fail_msg("another name: %zu", i);
  }
}

static void test_bearer_hostile(void **state) {
  static const struct slice bad[] = {
    SLICE_LIT(""),
    SLICE_LIT("\x01"),
    SLICE_LIT("n,,"),
    SLICE_LIT("n,,\x01"),
    SLICE_LIT("n,\x01"
              "auth=Bearer t\x01\x01"),
    SLICE_LIT("p=tls-exporter,,\x01"
              "auth=Bearer t\x01\x01"),
    SLICE_LIT("n,user@x,\x01"
              "auth=Bearer t\x01\x01"),
    SLICE_LIT("n,a=,\x01"
              "auth=Bearer t\x01\x01"),
    SLICE_LIT("n,a=x=2,\x01"
              "auth=Bearer t\x01\x01"),
    SLICE_LIT("n,a=\xc0\xaf,\x01"
              "auth=Bearer t\x01\x01"),
    SLICE_LIT("n,,\x01"
              "auth=Bearer t\x01"),
    SLICE_LIT("n,,\x01"
              "auth=Bearer t\x01\x01\x01"),
    SLICE_LIT("n,,\x01"
              "auth=Bearer t\x01\x01x"),
    SLICE_LIT("n,,\x01"
              "auth=Bearer t\x01"
              "auth=Bearer u\x01\x01"),
    SLICE_LIT("n,,\x01=x\x01\x01"),
    SLICE_LIT("n,,\x01"
              "a b=x\x01\x01"),
    SLICE_LIT("n,,\x01"
              "auth\x01\x01"),
    SLICE_LIT("n,,\x01"
              "auth=Bearer \0\x01\x01"),
    SLICE_LIT("n,,\x01port=0143\x01\x01"),
    SLICE_LIT("n,,\x01port=65536\x01\x01"),
    SLICE_LIT("n,,\x01port=\x01\x01"),
    SLICE_LIT("n,,\x01port=1\x01port=1\x01\x01"),
    SLICE_LIT("n,,auth=Bearer t\x01\x01"),
  };
  for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
    start("OAUTHBEARER");
    if (step(bad[i]) != SASL_MALFORMED) fail_msg("taken: %zu", i);
    if (step(SLICE("n,,\x01"
                   "auth=Bearer t\x01\x01")) != SASL_MALFORMED)
      fail_msg("goes on after: %zu", i);
  }
  start("OAUTHBEARER");
  assert_int_equal(judged(true), SASL_WRONG); /* nothing was said yet */
}

static void test_bearer_empty_first(void **state) {
  start("OAUTHBEARER");
  assert_int_equal(sasl_server_step(&server, false, SLICE_NONE, &out), SASL_CHALLENGE);
  assert_int_equal(buf_len(&out), 0);
  assert_int_equal(step(SLICE("n,,\x01"
                              "auth=Bearer t\x01\x01")),
                   SASL_TOKEN);
  assert_int_equal(step(SLICE("n,,\x01"
                              "auth=Bearer t\x01\x01")),
                   SASL_MALFORMED);
}

static void test_xoauth2(void **state) {
  start("XOAUTH2");
  take_base64("dXNlcj1zb21ldXNlckBleGFtcGxlLmNvbQFhdXRoPUJlYXJlciB5YTI5LnZGOWRmdDRxbVRjMk52YjNSbGNr"
              "QmhkSFJoZG1semRHRX"
              "VZMjl0Q2cBAQ==");
  assert_octets(&server.authzid, "someuser@example.com");
  assert_octets(&server.token, "ya29.vF9dft4qmTc2Nvb3RlckBhdHRhdmlzdGEuY29tCg");
  assert_int_equal(judged(false), SASL_CHALLENGE);
  assert_octets(&out, "{\"status\":\"401\",\"schemes\":\"bearer\"}");
  assert_int_equal(step(SLICE_NONE), SASL_WRONG);
  static const struct slice bad[] = {
    SLICE_LIT(""),
    SLICE_LIT("user=\x01"
              "auth=Bearer t\x01\x01"),
    SLICE_LIT("user=a@b"),
    SLICE_LIT("user=a@b\x01"),
    SLICE_LIT("auth=Bearer t\x01user=a@b\x01\x01"),
    SLICE_LIT("user=a@b\x01"
              "auth=Bearer t\x01"),
    SLICE_LIT("user=a\xff\x01"
              "auth=Bearer t\x01\x01"),
  };
  for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
    start("XOAUTH2");
    if (step(bad[i]) != SASL_MALFORMED) fail_msg("taken: %zu", i);
  }
  start_client("XOAUTH2", "someuser@example.com", "ya29.vF9");
  assert_int_equal(advise(NULL), SASL_SEND);
  assert_octets(&out, "user=someuser@example.com\x01"
                      "auth=Bearer ya29.vF9\x01\x01");
  assert_int_equal(advise("{\"status\":\"400\"}"), SASL_SEND);
  assert_int_equal(buf_len(&out), 0);
  assert_false(sasl_client_believes(&client));
}

/* A token or a name that would be something else to the server is not sent. */
static void test_client_hostile(void **state) {
  start_client("OAUTHBEARER", "a@b", "");
  assert_int_equal(advise(NULL), SASL_GIVE_UP);
  start_client("OAUTHBEARER", "a@b",
               "t\x01"
               "auth=Bearer u");
  assert_int_equal(advise(NULL), SASL_GIVE_UP);
  start_client("XOAUTH2",
               "a\x01"
               "b",
               "t");
  assert_int_equal(advise(NULL), SASL_GIVE_UP);
  start_client("XOAUTH2", "", "t");
  assert_int_equal(advise(NULL), SASL_GIVE_UP);
  start_client("OAUTHBEARER", "", "t");
  assert_int_equal(advise(NULL), SASL_SEND);
  assert_octets(&out, "n,,\x01"
                      "auth=Bearer t\x01\x01");
  start_client("OAUTHBEARER", "a,b=c", "t");
  assert_int_equal(advise(NULL), SASL_SEND);
  assert_octets(&out, "n,a=a=2Cb=3Dc,\x01"
                      "auth=Bearer t\x01\x01");
}

static void test_external(void **state) {
  start("EXTERNAL");
  assert_int_equal(step(SLICE("fred@example.net")), SASL_CERTIFICATE);
  assert_octets(&server.authzid, "fred@example.net");
  assert_int_equal(step(SLICE("fred@example.net")), SASL_MALFORMED);
  start("EXTERNAL");
  assert_int_equal(sasl_server_step(&server, false, SLICE_NONE, &out), SASL_CHALLENGE);
  assert_int_equal(step(SLICE_NONE), SASL_CERTIFICATE);
  assert_int_equal(buf_len(&server.authzid), 0);
  start("EXTERNAL");
  assert_int_equal(step(SLICE("a\0b")), SASL_MALFORMED);
  start("EXTERNAL");
  assert_int_equal(step(SLICE("\xff")), SASL_MALFORMED);
  start("EXTERNAL");
  assert_int_equal(judged(true), SASL_WRONG);
  start_client("EXTERNAL", "fred@example.net", "");
  assert_int_equal(advise(NULL), SASL_SEND);
  assert_octets(&out, "fred@example.net");
  assert_int_equal(advise(""), SASL_GIVE_UP);
  start_client("EXTERNAL", "", "");
  assert_int_equal(advise(""), SASL_SEND);
  assert_int_equal(buf_len(&out), 0);
}

int main(void) {
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
  const struct CMUnitTest tests[] = {
    T(test_bearer_example), T(test_bearer_refused),     T(test_bearer_forms),
    T(test_bearer_hostile), T(test_bearer_empty_first), T(test_xoauth2),
    T(test_client_hostile), T(test_external),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
