/* SPDX-License-Identifier: ISC */
/* spec: RFC 4616 §4, draft-murchison-sasl-login-00 §2.3, RFC 2195 §2, RFC 5802 §5, RFC 7677 §3 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "lib/base/codec.h"
#include "mail/sasl/sasl.h"

#include <stdio.h>

static struct sasl_server server;
static struct sasl_client client;
static struct buf out;

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

static void start(const char *mech, const char *nonce) {
  sasl_server_end(&server);
  sasl_server_start(&server, sasl_find(slice_str(mech)), slice_str(nonce),
                    SLICE("postoffice.reston.mci.net"), 697170952);
}

static void start_client(const char *mech, const char *nonce, const char *name,
                         const char *password) {
  sasl_client_end(&client);
  sasl_client_start(&client, sasl_find(slice_str(mech)), slice_str(name), slice_str(password),
                    SLICE_NONE, slice_str(nonce));
}

static enum sasl_verdict step(struct slice response) {
  buf_reset(&out);
  return sasl_server_step(&server, true, response, &out);
}

static enum sasl_advice advise(const char *challenge) {
  buf_reset(&out);
  return sasl_client_step(&client, challenge != NULL, slice_str(challenge), &out);
}

#define assert_octets(b, lit) assert_true(slice_eq(buf_slice(b), SLICE(lit)))

/* --- PLAIN --- */

static void test_plain_examples(void **state) {
  start("PLAIN", "n");
  assert_int_equal(step(SLICE("\0tim\0tanstaaftanstaaf")), SASL_PASSWORD);
  assert_octets(&server.name, "tim");
  assert_octets(&server.password, "tanstaaftanstaaf");
  assert_int_equal(buf_len(&server.authzid), 0);
  start("PLAIN", "n");
  assert_int_equal(sasl_server_step(&server, false, SLICE_NONE, &out), SASL_CHALLENGE);
  assert_int_equal(buf_len(&out), 0);
  assert_int_equal(step(SLICE("Ursel\0Kurt\0xipj3plmq")), SASL_PASSWORD);
  assert_octets(&server.authzid, "Ursel");
  assert_octets(&server.name, "Kurt");
}

static void test_plain_hostile(void **state) {
  static const struct slice bad[] = {
    { (const uint8_t *)"", 0 },
    { (const uint8_t *)"\0", 1 },
    { (const uint8_t *)"\0\0", 2 },
    { (const uint8_t *)"\0a", 2 },
    { (const uint8_t *)"\0a\0", 3 },
    { (const uint8_t *)"\0\0b", 3 },
    { (const uint8_t *)"\0a\0b\0", 5 },
    { (const uint8_t *)"\0a\0b\0c", 6 },
    { (const uint8_t *)"abc", 3 },
    { (const uint8_t *)"\0a\0\xc0\xaf", 5 },         /* overlong */
    { (const uint8_t *)"\0\xed\xa0\x80\0b", 6 },     /* surrogate */
    { (const uint8_t *)"\0\xf4\x90\x80\x80\0b", 7 }, /* beyond U+10FFFF */
    { (const uint8_t *)"\0a\0\xe2\x82", 5 },         /* cut short */
    { (const uint8_t *)"\xff\0a\0b", 5 },
  };
  for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
    start("PLAIN", "n");
    if (step(bad[i]) != SASL_MALFORMED) fail_msg("taken: number %zu", i);
  }
  start("PLAIN", "n");
  assert_int_equal(step(SLICE("\0a\0b")), SASL_PASSWORD);
}

/* AU-5: a name is octets; nothing in it means anything here. */
static void test_plain_odd_names(void **state) {
  start("PLAIN", "n");
  assert_int_equal(step(SLICE("\0%{a}$'\")(*\\,\r\n\0b")), SASL_PASSWORD);
  assert_octets(&server.name, "%{a}$'\")(*\\,\r\n");
  start("PLAIN", "n");
  assert_int_equal(
      step(SLICE("\0q\xc9\x99sid@\xd0\xbf\xd0\xbe\xd1\x87\xd1\x82\xd0\xb0\0\xf0\x9f\x93\xac")),
      SASL_PASSWORD);
}

/* RFC 4616 §2: "Servers MUST be capable of accepting … up to and including 255 octets"; AU-3, AU-5:
 * sizes */
static void test_plain_sizes(void **state) {
  static uint8_t message[1024 * 1024];
  memset(message, 'a', sizeof message);
  message[255] = 0;
  message[255 + 1 + 255] = 0;
  start("PLAIN", "n");
  assert_int_equal(step(slice_of(message, 255 * 3 + 2)), SASL_PASSWORD);
  assert_int_equal(buf_len(&server.authzid), 255);
  assert_int_equal(buf_len(&server.name), 255);
  assert_int_equal(buf_len(&server.password), 255);
  start("PLAIN", "n");
  assert_int_equal(step(slice_of(message, SASL_MESSAGE_MAX)), SASL_MALFORMED);
  start("PLAIN", "n");
  assert_int_equal(step(slice_of(message, SASL_MESSAGE_MAX + 1)), SASL_MALFORMED);
  start("PLAIN", "n");
  assert_int_equal(step(slice_of(message, sizeof message)), SASL_MALFORMED);
}

static void test_plain_client(void **state) {
  start_client("PLAIN", "n", "tim", "tanstaaftanstaaf");
  assert_int_equal(advise(NULL), SASL_SEND);
  assert_octets(&out, "\0tim\0tanstaaftanstaaf");
  assert_true(sasl_client_believes(&client));
  assert_int_equal(advise(""), SASL_GIVE_UP);
  start_client("PLAIN", "n", "tim", "");
  assert_int_equal(advise(NULL), SASL_GIVE_UP);
}

/* --- LOGIN --- */

static void test_login(void **state) {
  start("LOGIN", "n");
  assert_int_equal(sasl_server_step(&server, false, SLICE_NONE, &out), SASL_CHALLENGE);
  assert_octets(&out, "Username:");
  assert_int_equal(step(SLICE("tim")), SASL_CHALLENGE);
  assert_octets(&out, "Password:");
  assert_int_equal(step(SLICE("tanstaaftanstaaf")), SASL_PASSWORD);
  assert_octets(&server.name, "tim");
  assert_octets(&server.password, "tanstaaftanstaaf");
  assert_int_equal(step(SLICE("x")), SASL_MALFORMED);
  start("LOGIN", "n"); /* the name as an initial response */
  assert_int_equal(step(SLICE("tim")), SASL_CHALLENGE);
  assert_int_equal(step(SLICE("pass\xffword")), SASL_PASSWORD);
}

static void test_login_hostile(void **state) {
  static uint8_t many[SASL_MESSAGE_MAX];
  memset(many, 'a', sizeof many);
  start("LOGIN", "n");
  assert_int_equal(step(SLICE("")), SASL_MALFORMED);
  start("LOGIN", "n");
  assert_int_equal(step(SLICE("ti\0m")), SASL_MALFORMED);
  start("LOGIN", "n");
  assert_int_equal(step(slice_of(many, sizeof many)), SASL_MALFORMED);
  static const struct slice bad[] = { { (const uint8_t *)"", 0 },
                                      { (const uint8_t *)"a\0b", 3 },
                                      { (const uint8_t *)"a\r\nb", 4 },
                                      { many, sizeof many } };
  for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
    start("LOGIN", "n");
    assert_int_equal(step(SLICE("tim")), SASL_CHALLENGE);
    assert_int_equal(step(bad[i]), SASL_MALFORMED);
  }
}

static void test_login_client(void **state) {
  start_client("LOGIN", "n", "tim", "tanstaaftanstaaf");
  assert_int_equal(advise("User Name"), SASL_SEND);
  assert_octets(&out, "tim");
  assert_int_equal(advise("whatever"), SASL_SEND);
  assert_octets(&out, "tanstaaftanstaaf");
  assert_int_equal(advise("more?"), SASL_GIVE_UP);
}

/* --- CRAM-MD5 --- */

#define CRAM_RESPONSE "tim b913a602c7eda7a495b4e6e7334d3890"

static enum sasl_verdict cram(struct slice response, struct slice secret, bool account) {
  struct sasl_secret s = { .known = account, .secret = secret };
  start("CRAM-MD5", "1896");
  assert_int_equal(sasl_server_step(&server, false, SLICE_NONE, &out), SASL_CHALLENGE);
  assert_octets(&server.challenge, "<1896.697170952@postoffice.reston.mci.net>");
  enum sasl_verdict v = step(response);
  return v == SASL_SECRET ? sasl_server_secret(&server, &s, &out) : v;
}

static void test_cram(void **state) {
  assert_int_equal(cram(SLICE(CRAM_RESPONSE), SLICE("tanstaaftanstaaf"), true), SASL_OK);
  assert_octets(&server.name, "tim");
  assert_int_equal(cram(SLICE(CRAM_RESPONSE), SLICE("tanstaaftanstaaF"), true), SASL_WRONG);
  assert_int_equal(cram(SLICE(CRAM_RESPONSE), SLICE("tanstaaftanstaaf"), false), SASL_WRONG);
  assert_int_equal(
      cram(SLICE("a b b913a602c7eda7a495b4e6e7334d3890"), SLICE("tanstaaftanstaaf"), true),
      SASL_OK);
  assert_octets(&server.name, "a b");
  start_client("CRAM-MD5", "n", "tim", "tanstaaftanstaaf");
  assert_int_equal(advise("<1896.697170952@postoffice.reston.mci.net>"), SASL_SEND);
  assert_octets(&out, CRAM_RESPONSE);
}

static void test_cram_hostile(void **state) {
  static const char *const bad[] = {
    "",
    " ",
    "tim",
    "tim ",
    " b913a602c7eda7a495b4e6e7334d3890",
    "tim b913a602c7eda7a495b4e6e7334d389",
    "tim b913a602c7eda7a495b4e6e7334d38900",
    "tim B913A602C7EDA7A495B4E6E7334D3890",
    "timb913a602c7eda7a495b4e6e7334d3890",
    "\xff b913a602c7eda7a495b4e6e7334d3890",
  };
  for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
    assert_int_equal(cram(slice_str(bad[i]), SLICE("tanstaaftanstaaf"), true), SASL_MALFORMED);
  assert_int_equal(cram(SLICE("ti\0m b913a602c7eda7a495b4e6e7334d3890"), SLICE("x"), true),
                   SASL_MALFORMED);
  start("CRAM-MD5", "1896"); /* RFC 4954 §4: no initial response where the server speaks first */
  assert_int_equal(step(SLICE(CRAM_RESPONSE)), SASL_MALFORMED);
}

/* --- SCRAM --- */

static const struct scram_example {
  const char *mech, *client_nonce, *server_nonce, *salt; /* salt in base64 */
  const char *c1, *s1, *c2, *s2;
} examples[] = {
  { "SCRAM-SHA-1", "fyko+d2lbbFgONRv9qkxdawL", "3rfcNHYJY1ZVvWVs7j", "QSXCR+Q6sek8bf92",
    "n,,n=user,r=fyko+d2lbbFgONRv9qkxdawL",
    "r=fyko+d2lbbFgONRv9qkxdawL3rfcNHYJY1ZVvWVs7j,s=QSXCR+Q6sek8bf92,i=4096",
    "c=biws,r=fyko+d2lbbFgONRv9qkxdawL3rfcNHYJY1ZVvWVs7j,p=v0X8v3Bz2T0CJGbJQyF0X+HI4Ts=",
    "v=rmF9pqV8S7suAoZWja4dJRkFsKQ=" },
  { "SCRAM-SHA-256", "rOprNGfwEbeRWgbNEkqO", "%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0",
    "W22ZaJ0SNY7soEsUEjb6gQ==", "n,,n=user,r=rOprNGfwEbeRWgbNEkqO",
    "r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096",
    "c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,p=dHzbZapWIk4jUhN+"
    "Ute9ytag9zjfMHgsqmmiz7AndVQ=",
    "v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=" },
};
enum { EXAMPLES = sizeof examples / sizeof *examples };

/* Runs the server through the example with `password` on file; returns the verdict on the proof. */
static enum sasl_verdict scram(const struct scram_example *e, const char *c1, const char *c2,
                               const char *password, bool account) {
  struct buf salt;
  struct scram_keys keys;
  buf_init(&salt, 64);
  assert_true(base64_decode(&salt, slice_str(e->salt)));
  start(e->mech, e->server_nonce);
  enum sasl_verdict v = step(slice_str(c1));
  if (v == SASL_SALT) {
    assert_int_equal(sasl_server_salt(&server, buf_slice(&salt), 4096, &out), SASL_CHALLENGE);
    v = step(slice_str(c2));
  }
  if (v == SASL_SECRET) {
    assert_true(
        scram_keys_derive(server.mech->digest, slice_str(password), buf_slice(&salt), 4096, &keys));
    struct sasl_secret s = { .known = account, .keys = &keys };
    v = sasl_server_secret(&server, &s, &out);
  }
  buf_free(&salt);
  return v;
}

static void test_scram_examples(void **state) {
  for (size_t i = 0; i < EXAMPLES; i++) {
    const struct scram_example *e = &examples[i];
    assert_int_equal(scram(e, e->c1, e->c2, "pencil", true), SASL_CHALLENGE);
    assert_true(slice_eq(buf_slice(&out), slice_str(e->s2)));
    assert_octets(&server.name, "user");
    assert_int_equal(step(SLICE_NONE), SASL_OK);
    assert_int_equal(step(SLICE_NONE), SASL_MALFORMED);
    assert_int_equal(scram(e, e->c1, e->c2, "pencil ", true), SASL_WRONG);
    assert_int_equal(scram(e, e->c1, e->c2, "pencil", false), SASL_WRONG);
    assert_int_equal(buf_len(&out), 0); /* nothing of the keys leaves the server */
  }
}

static void test_scram_client(void **state) {
  for (size_t i = 0; i < EXAMPLES; i++) {
    const struct scram_example *e = &examples[i];
    start_client(e->mech, e->client_nonce, "user", "pencil");
    assert_int_equal(advise(NULL), SASL_SEND);
    assert_string_equal(buf_cstr(&out), e->c1);
    assert_int_equal(advise(e->s1), SASL_SEND);
    assert_string_equal(buf_cstr(&out), e->c2);
    assert_false(sasl_client_believes(&client)); /* a bare success is not believed */
    assert_int_equal(advise(e->s2), SASL_SEND);
    assert_int_equal(buf_len(&out), 0);
    assert_true(sasl_client_believes(&client));
  }
}

/* AU-7, the server's side: what the client's messages may not be. */
static void test_scram_server_hostile(void **state) {
  static const struct {
    const char *c1, *c2;
    enum sasl_verdict want;
  } rows[] = {
    { "p=tls-unique,,n=user,r=abc", "",
      SASL_MALFORMED }, /* RFC 5802 §6: a binding we don't support must fail */
    { "x,,n=user,r=abc", "", SASL_MALFORMED },
    { "", "", SASL_MALFORMED },
    { "n", "", SASL_MALFORMED },
    { "n,", "", SASL_MALFORMED },
    { "n,,", "", SASL_MALFORMED },
    { "n,,n=user", "", SASL_MALFORMED },
    { "n,,r=abc,n=user", "", SASL_MALFORMED },
    { "n,,n=,r=abc", "", SASL_MALFORMED },
    { "n,,n=user,r=", "", SASL_MALFORMED },
    { "n,,n=user,r=a b", "", SASL_MALFORMED },
    { "n,,m=x,n=user,r=abc", "", SASL_MALFORMED }, /* §5.1: "m" must fail */
    { "n,,n=user,r=abc,m=x", "", SASL_MALFORMED },
    { "n,,n=us=er,r=abc", "", SASL_MALFORMED }, /* §5.1: "=" without 2C or 3D */
    { "n,,n=us=2c,r=abc", "", SASL_MALFORMED },
    { "n,b=x,n=user,r=abc", "", SASL_MALFORMED },
    { "n,,n=\xff,r=abc", "", SASL_MALFORMED },
    { "n,,n=user,r=abc", "", SASL_MALFORMED },
    { "n,,n=user,r=abc", "c=biws,r=abcNONCE", SASL_MALFORMED },
    { "n,,n=user,r=abc", "c=biws,r=abcNONCE,p=", SASL_MALFORMED },
    { "n,,n=user,r=abc", "c=biws,r=abcNONCE,p=v0X8", SASL_MALFORMED },
    { "n,,n=user,r=abc", "c=biws,r=abcNONCE,p=v0X8v3Bz2T0CJGbJQyF0X+HI4Ts=,x=y", SASL_MALFORMED },
    /* nonce cut */
    { "n,,n=user,r=abc", "c=biws,r=abc,p=v0X8v3Bz2T0CJGbJQyF0X+HI4Ts=", SASL_WRONG },
    { "n,,n=user,r=abc",
      "c=biws,r=abcNONCF,p=v0X8v3Bz2T0CJGbJQyF0X+HI4Ts=", SASL_WRONG }, /* nonce of another time */
    { "n,,n=user,r=abc",
      "c=eSws,r=abcNONCE,p=v0X8v3Bz2T0CJGbJQyF0X+HI4Ts=", SASL_WRONG }, /* "y,,": header changed */
    { "n,,n=user,r=abc", "c=biwsAA==,r=abcNONCE,p=v0X8v3Bz2T0CJGbJQyF0X+HI4Ts=", SASL_WRONG },
    { "n,,n=user,r=abc", "c=biws,r=abcNONCE,p=v0X8v3Bz2T0CJGbJQyF0X+HI4Ts=", SASL_WRONG },
    { "y,,n=user,r=abc", "c=eSws,r=abcNONCE,p=v0X8v3Bz2T0CJGbJQyF0X+HI4Ts=", SASL_WRONG },
  };
  struct scram_example e = examples[0];
  e.server_nonce = "NONCE";
  for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
    if (scram(&e, rows[i].c1, rows[i].c2, "pencil", true) != rows[i].want) fail_msg("row %zu", i);
  start("SCRAM-SHA-256", "n");
  assert_int_equal(step(SLICE("n,a=tim=2Cx,n=a=3Db=2Cc,r=abc,z=later")), SASL_SALT);
  assert_octets(&server.authzid, "tim,x");
  assert_octets(&server.name, "a=b,c");
}

/* A proof that is right for what it says, by somebody who has the password: what it says is looked
 * at too. `bound` is what the client claims to have sent as its header, `nonce` as the nonce. */
static enum sasl_verdict scram_says(const char *bound, const char *nonce) {
  static const char first[] = "n=user,r=abc,r=abcNONCE,s=QSXCR+Q6sek8bf92,i=4096,";
  uint8_t salted[DIGEST_MAX], key[DIGEST_MAX], stored[DIGEST_MAX], signature[DIGEST_MAX];
  char without[128];
  struct scram_example e = examples[0];
  struct buf salt, c2;
  buf_init(&salt, 64);
  buf_init(&c2, 512);
  snprintf(without, sizeof without, "c=%s,r=%s", bound, nonce);
  struct slice message[] = { slice_str(first), slice_str(without) };
  assert_true(base64_decode(&salt, slice_str(e.salt)));
  assert_true(digest_pbkdf2(DIGEST_SHA1, SLICE("pencil"), buf_slice(&salt), 4096, salted));
  assert_true(digest_hmac(DIGEST_SHA1, slice_of(salted, 20), SLICE("Client Key"), key));
  assert_true(digest_of(DIGEST_SHA1, slice_of(key, 20), stored));
  assert_true(digest_hmac_parts(DIGEST_SHA1, slice_of(stored, 20), message, 2, signature));
  for (int i = 0; i < 20; i++) key[i] ^= signature[i];
  buf_printf(&c2, "%s,p=", without);
  base64_put(&c2, slice_of(key, 20));
  e.server_nonce = "NONCE";
  enum sasl_verdict v = scram(&e, "n,,n=user,r=abc", buf_cstr(&c2), "pencil", true);
  buf_free(&salt);
  buf_free(&c2);
  return v;
}

static void test_scram_binding_and_nonce(void **state) {
  assert_int_equal(scram_says("biws", "abcNONCE"), SASL_CHALLENGE);
  /* "y,,": the header was changed on the way */
  assert_int_equal(scram_says("eSws", "abcNONCE"), SASL_WRONG);
  /* binding data where none belongs */
  assert_int_equal(scram_says("biwsAA==", "abcNONCE"), SASL_WRONG);
  /* a nonce of another exchange */
  assert_int_equal(scram_says("biws", "abcNONC"), SASL_WRONG);
  assert_int_equal(scram_says("biws", "abc"), SASL_WRONG);
}

static const uint8_t exporter[32] = { 1, 2, 3 }, end_point[64] = { 4, 5, 6 },
                     other[32] = { 1, 2, 4 };

/* Our client against our server, the client bound to `data`, through `mech`; the verdict on the
 * proof. */
static enum sasl_verdict bound(const char *mech, const char *type, struct slice data,
                               bool announced) {
  struct scram_keys keys;
  struct sasl_secret secret = { .known = true, .keys = &keys };
  struct buf said;
  buf_init(&said, 2048);
  start(mech, "SERVER");
  sasl_server_bind(&server, slice_of(exporter, sizeof exporter),
                   slice_of(end_point, sizeof end_point), announced);
  start_client(mech, "CLIENT", "user", "pencil");
  if (type) sasl_client_bind(&client, type, data);
  assert_int_equal(advise(NULL), SASL_SEND);
  buf_put(&said, buf_slice(&out));
  enum sasl_verdict v = step(buf_slice(&said));
  if (v == SASL_SALT) {
    v = sasl_server_salt(&server, SLICE("saltsalt"), 4096, &out);
    buf_reset(&said);
    assert_int_equal(sasl_client_step(&client, true, buf_slice(&out), &said), SASL_SEND);
    v = step(buf_slice(&said));
  }
  if (v == SASL_SECRET) {
    assert_true(
        scram_keys_derive(server.mech->digest, SLICE("pencil"), SLICE("saltsalt"), 4096, &keys));
    v = sasl_server_secret(&server, &secret, &out);
  }
  buf_free(&said);
  return v;
}

/* RFC 5802 §6. Who stands between two TLS connections has two exporters, and can't pass a proof on.
 */
static void test_scram_channel_binding(void **state) {
  static const char *const plus[] = { "SCRAM-SHA-256-PLUS", "SCRAM-SHA-1-PLUS" };
  static const char *const bare[] = { "SCRAM-SHA-256", "SCRAM-SHA-1" };
  struct slice data = slice_of(exporter, sizeof exporter),
               cert = slice_of(end_point, sizeof end_point);
  for (int i = 0; i < 2; i++) {
    assert_int_equal(bound(plus[i], "tls-exporter", data, true), SASL_CHALLENGE);
    assert_true(sasl_client_step(&client, true, buf_slice(&out), &out) == SASL_SEND);
    assert_true(sasl_client_believes(&client));
    assert_int_equal(bound(plus[i], "tls-server-end-point", cert, true), SASL_CHALLENGE);
    /* taken, unasked */
    assert_int_equal(bound(plus[i], "tls-exporter", data, false), SASL_CHALLENGE);
    assert_int_equal(bound(plus[i], "tls-exporter", slice_of(other, sizeof other), true),
                     SASL_WRONG);
    assert_int_equal(bound(plus[i], "tls-exporter", cert, true), SASL_WRONG);
    assert_int_equal(bound(plus[i], "tls-exporter", slice_first(data, 31), true), SASL_WRONG);
    assert_int_equal(bound(plus[i], "tls-unique", data, true), SASL_MALFORMED);
    assert_int_equal(bound(bare[i], NULL, SLICE_NONE, true), SASL_CHALLENGE);
    /* "y", and it is true */
    assert_int_equal(bound(bare[i], "tls-exporter", data, false), SASL_CHALLENGE);
    /* "y": the offer was changed */
    assert_int_equal(bound(bare[i], "tls-exporter", data, true), SASL_WRONG);
  }
}

static void test_scram_binding_hostile(void **state) {
  static const char *const bad[] = {
    "n,,n=user,r=abc",
    "y,,n=user,r=abc",
    "p,,n=user,r=abc",
    "p=,,n=user,r=abc",
    "p=tls-unique,,n=user,r=abc",
    "p=TLS-EXPORTER,,n=user,r=abc",
    "p=tls-exporter",
    "p=tls-exporter,",
    "p=tls-exporter,n=user,r=abc",
    "p=tls-exporter ,,n=user,r=abc",
    "P=tls-exporter,,n=user,r=abc",
    "p=tls-exporter,x,n=user,r=abc",
    "",
  };
  for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
    start("SCRAM-SHA-256-PLUS", "NONCE");
    sasl_server_bind(&server, slice_of(exporter, 32), slice_of(end_point, 64), true);
    if (step(slice_str(bad[i])) != SASL_MALFORMED) fail_msg("taken: %s", bad[i]);
  }
  start("SCRAM-SHA-256-PLUS", "NONCE"); /* nothing to bind to */
  sasl_server_bind(&server, slice_of(exporter, 32), SLICE_NONE, true);
  assert_int_equal(step(SLICE("p=tls-server-end-point,,n=user,r=abc")), SASL_MALFORMED);
  start("SCRAM-SHA-256-PLUS", "NONCE");
  assert_int_equal(step(SLICE("p=tls-exporter,,n=user,r=abc")), SASL_MALFORMED);
  start("SCRAM-SHA-256", "NONCE"); /* "p" belongs to -PLUS */
  sasl_server_bind(&server, slice_of(exporter, 32), slice_of(end_point, 64), true);
  assert_int_equal(step(SLICE("p=tls-exporter,,n=user,r=abc")), SASL_MALFORMED);
  /* a client with nothing to bind to */
  start_client("SCRAM-SHA-256-PLUS", "NONCE", "user", "pencil");
  assert_int_equal(advise(NULL), SASL_GIVE_UP);
}

/* AU-7, the client's side: a server may not weaken, repeat, exhaust or skip its own proof. */
static void test_scram_client_hostile(void **state) {
  static const char *const firsts[] = {
    "",
    "r=abc",
    "e=other-error",
    "r=abc,s=QSXCR+Q6sek8bf92,i=4096",          /* only our nonce */
    "r=xyzabc,s=QSXCR+Q6sek8bf92,i=4096",       /* not ours */
    "r=abcdef,s=QSXCR+Q6sek8bf92,i=2147483648", /* a day of work */
    "r=abcdef,s=QSXCR+Q6sek8bf92,i=200001",
    "r=abcdef,s=QSXCR+Q6sek8bf92,i=1", /* RFC 7677 §4: at least 4096 */
    "r=abcdef,s=QSXCR+Q6sek8bf92,i=0",
    "r=abcdef,s=QSXCR+Q6sek8bf92,i=-4096",
    "r=abcdef,s=QSXCR+Q6sek8bf92,i=04096",
    "r=abcdef,s=QSXCR+Q6sek8bf92,i=99999999999999999999999",
    "r=abcdef,s=,i=4096",
    "r=abcdef,s=Q,i=4096",
    "m=x,r=abcdef,s=QSXCR+Q6sek8bf92,i=4096",
    "r=abcdef,s=QSXCR+Q6sek8bf92,i=4096,m=x",
  };
  for (size_t i = 0; i < sizeof firsts / sizeof *firsts; i++) {
    start_client("SCRAM-SHA-1", "abc", "user", "pencil");
    assert_int_equal(advise(NULL), SASL_SEND);
    if (advise(firsts[i]) != SASL_GIVE_UP) fail_msg("believed: %s", firsts[i]);
  }
  static const char *const finals[] = { "", "v=", "v=rmF9pqV8S7suAoZWja4dJRkFsKR=",
                                        "v=AAAAAAAAAAAAAAAAAAAAAAAAAAA=", "e=other-error" };
  for (size_t i = 0; i < sizeof finals / sizeof *finals; i++) {
    start_client("SCRAM-SHA-1", examples[0].client_nonce, "user", "pencil");
    assert_int_equal(advise(NULL), SASL_SEND);
    assert_int_equal(advise(examples[0].s1), SASL_SEND);
    assert_int_equal(advise(finals[i]), SASL_GIVE_UP);
    assert_false(sasl_client_believes(&client));
  }
  start_client("SCRAM-SHA-1", "abc", "user", "p\x07ncil"); /* RFC 5802 §2.2: SASLprep */
  assert_int_equal(advise(NULL), SASL_GIVE_UP);
  start_client("SCRAM-SHA-1", "abc", "us\x07r", "pencil");
  assert_int_equal(advise(NULL), SASL_GIVE_UP);
  start_client("SCRAM-SHA-1", "abc", "user", "p\xe9ncil"); /* no UTF-8 */
  assert_int_equal(advise(NULL), SASL_GIVE_UP);
}

/* A client with `typed`, a server that keeps the keys of `kept`; the whole exchange. */
static bool scram_agrees(const char *mech, const char *typed, const char *kept) {
  struct slice salt = SLICE("saltsaltsaltsalt");
  struct scram_keys keys;
  struct buf said;
  buf_init(&said, SASL_MESSAGE_MAX);
  start(mech, "server");
  start_client(mech, "client", "ju\xcc\x88rgen", typed);
  assert_int_equal(advise(NULL), SASL_SEND);
  buf_put(&said, buf_slice(&out));
  assert_int_equal(step(buf_slice(&said)), SASL_SALT);
  assert_octets(&server.name, "j\xc3\xbcrgen");
  assert_int_equal(sasl_server_salt(&server, salt, 4096, &out), SASL_CHALLENGE);
  buf_reset(&said);
  buf_put(&said, buf_slice(&out));
  assert_int_equal(advise(buf_cstr(&said)), SASL_SEND);
  buf_reset(&said);
  buf_put(&said, buf_slice(&out));
  assert_int_equal(step(buf_slice(&said)), SASL_SECRET);
  assert_true(scram_keys_derive(server.mech->digest, slice_str(kept), salt, 4096, &keys));
  struct sasl_secret s = { .known = true, .keys = &keys };
  bool ok = sasl_server_secret(&server, &s, &out) == SASL_CHALLENGE;
  buf_reset(&said);
  buf_put(&said, buf_slice(&out));
  ok = ok && advise(buf_cstr(&said)) == SASL_SEND && sasl_client_believes(&client);
  buf_free(&said);
  return ok;
}

/* RFC 5802 §2.2, RFC 4013: one password, however it is spelled; and no other. */
static void test_scram_prepares(void **state) {
  static const char nfc[] = "gr\xc3\xbc\xc3\x9f"
                            "e",
                    nfd[] = "gru\xcc\x88\xc3\x9f"
                            "e",
                    wrong[] = "gru\xc3\x9f"
                              "e";
  static const char *const mechs[] = { "SCRAM-SHA-1", "SCRAM-SHA-256" };
  for (size_t i = 0; i < 2; i++) {
    assert_true(scram_agrees(mechs[i], nfd, nfc));
    assert_true(scram_agrees(mechs[i], nfc, nfd));
    assert_true(scram_agrees(mechs[i], "\xe2\x85\xa8", "I\xc2\xadX"));
    assert_false(scram_agrees(mechs[i], wrong, nfc));
  }
  struct scram_keys keys;
  assert_false(scram_keys_derive(DIGEST_SHA1, SLICE("a\tb"), SLICE("saltsalt"), 4096, &keys));
}

static void assert_names(sasl_set set, const char *want) {
  buf_reset(&out);
  sasl_put_names(&out, set, "", ";");
  assert_true(slice_eq(buf_slice(&out), slice_str(want)));
}

/* What is announced: the named ones, without those that show the password where it may not be
 * shown. */
static void test_offer(void **state) {
  static const char *const all[] = { "CRAM-MD5",    "LOGIN",         "PLAIN",
                                     "scram-sha-1", "SCRAM-SHA-256", "PLAIN" };
  static const char *const odd[] = { "", "PLAI", "PLAINS", "GSSAPI" };
  static const char *const plus[] = { "SCRAM-SHA-1-PLUS", "PLAIN" };
  const struct sasl_channel clear = { false, false }, tls = { true, false },
                            tls_1_3 = { true, true };
  assert_names(sasl_announced(sasl_set_of(all, 6), tls),
               "SCRAM-SHA-256;SCRAM-SHA-1;PLAIN;LOGIN;CRAM-MD5;");
  assert_names(sasl_announced(sasl_set_of(all, 6), clear), "SCRAM-SHA-256;SCRAM-SHA-1;CRAM-MD5;");
  assert_names(sasl_announced(sasl_set_of(all, 3), clear), "CRAM-MD5;");
  assert_names(sasl_announced(sasl_set_of(plus, 2), tls), "PLAIN;");
  assert_names(sasl_announced(sasl_set_of(plus, 2), tls_1_3), "SCRAM-SHA-1-PLUS;PLAIN;");
  assert_true(sasl_has_binding(sasl_set_of(plus, 2)));
  assert_false(sasl_has_binding(sasl_set_of(all, 6)));
  assert_int_equal(sasl_set_of(odd, 4), 0);
  assert_int_equal(sasl_announced(0, tls_1_3), 0);
  const struct sasl_channel tokens = { .tokens = true }, shown = { .certificate = true };
  assert_names(sasl_announced(sasl_set_of(plus, 2), tokens), "OAUTHBEARER;XOAUTH2;");
  assert_names(sasl_announced(sasl_set_of(plus, 2), shown), "EXTERNAL;");
  for (const struct sasl_mechanism *m = sasl_mechanisms; m->name; m++) {
    bool set_up = m->by == SASL_BY_TOKEN || m->by == SASL_BY_CERTIFICATE;
    assert_int_equal(sasl_usable(m, tls_1_3), !set_up);
    assert_int_equal(sasl_usable(m, tls), !set_up && !m->binds);
    assert_int_equal(sasl_usable(m, clear), !set_up && !m->plaintext && !m->binds);
    assert_int_equal(sasl_usable(m, tokens),
                     m->by == SASL_BY_TOKEN || (!set_up && !m->plaintext && !m->binds));
  }
}

static void test_table(void **state) {
  assert_null(sasl_find(SLICE("SCRAM-SHA-256-PLU")));
  assert_null(sasl_find(SLICE("")));
  assert_null(sasl_find(SLICE("PLAIN\0")));
  assert_string_equal(sasl_find(SLICE("plain"))->name, "PLAIN");
  for (const struct sasl_mechanism *m = sasl_mechanisms; m->name; m++)
    if (m->plaintext) assert_int_not_equal(m->by, SASL_BY_SECRET);
}

int main(void) {
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
  const struct CMUnitTest tests[] = {
    T(test_plain_examples),
    T(test_plain_hostile),
    T(test_plain_odd_names),
    T(test_plain_sizes),
    T(test_plain_client),
    T(test_login),
    T(test_login_hostile),
    T(test_login_client),
    T(test_cram),
    T(test_cram_hostile),
    T(test_scram_examples),
    T(test_scram_client),
    T(test_scram_server_hostile),
    T(test_scram_binding_and_nonce),
    T(test_scram_client_hostile),
    T(test_scram_prepares),
    T(test_scram_channel_binding),
    T(test_scram_binding_hostile),
    T(test_offer),
    T(test_table),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
