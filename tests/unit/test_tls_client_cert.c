/* SPDX-License-Identifier: ISC */
/* Certificates of clients: RFC 8446 §4.4.2, RFC 5246 §7.4.6; what no ticket may bring. */
#include "tests/unit/tls_kit.h"

#include <openssl/core_names.h>
#include <time.h>

static uint8_t ticket_key[TICKET_KEY_SIZE];

/* A client's own certificate, valid from `from` to `until` seconds from now. Takes nothing. */
static X509 *self_signed(EVP_PKEY *key, long from, long until) {
  X509 *x = X509_new();
  X509_NAME_add_entry_by_txt(X509_get_subject_name(x), "CN", MBSTRING_ASC, (const uint8_t *)"tim",
                             -1, -1, 0);
  X509_set_issuer_name(x, X509_get_subject_name(x));
  X509_gmtime_adj(X509_getm_notBefore(x), from);
  X509_gmtime_adj(X509_getm_notAfter(x), until);
  X509_set_pubkey(x, key);
  assert_true(X509_sign(x, key, EVP_PKEY_is_a(key, "ED25519") ? NULL : EVP_sha256()) > 0);
  return x;
}

/* OpenSSL's own client; `x` NULL: without a certificate. */
static SSL_CTX *client_of(int version, X509 *x, EVP_PKEY *key) {
  SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());
  SSL_CTX_set_max_proto_version(ctx, version);
  SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
  if (x) assert_int_equal(SSL_CTX_use_cert_and_key(ctx, x, key, NULL, 1), 1);
  return ctx;
}

struct seen {
  bool resumed, shown, ticket;
  uint8_t fingerprint[TLS_FINGERPRINT];
};

static SSL_SESSION *latest;
static int keep(SSL *ssl, SSL_SESSION *session) {
  SSL_SESSION_free(latest);
  latest = SSL_SESSION_dup(session);
  return 0;
}

/* One connection, with the session of the one before when there is one. */
static struct seen connect_once(struct tls_server *s, SSL_CTX *ctx, SSL_SESSION *with) {
  struct seen seen = { 0 };
  int fds[2], rc = 0;
  char octets[16];
  size_t n;
  kit_sockets(fds);
  SSL_CTX_sess_set_new_cb(ctx, keep);
  SSL_SESSION_free(latest);
  latest = NULL;
  SSL *client = SSL_new(ctx);
  if (with) SSL_set_session(client, with);
  SSL_set_fd(client, fds[1]);
  struct tls_conn *c = tls_accept(s, fds[0]);
  enum tls_result result = TLS_WANT_READ;
  for (int i = 0; i < 50 && (rc != 1 || result != TLS_DONE); i++) {
    if (rc != 1) rc = SSL_connect(client);
    if (result != TLS_DONE) result = tls_handshake(c);
  }
  assert_int_equal(rc, 1);
  assert_int_equal(result, TLS_DONE);
  assert_int_equal(tls_write(c, SLICE("220 hi\r\n"), &n), TLS_DONE);
  assert_int_equal(SSL_read(client, octets, sizeof octets), 8); /* 1.3: a ticket comes before it */
  seen.resumed = tls_resumed(c);
  seen.ticket = latest != NULL;
  seen.shown = tls_client_certificate(c, time(NULL), seen.fingerprint) == TLS_FINGERPRINT;
  SSL_set_quiet_shutdown(client, 1);
  SSL_shutdown(client);
  SSL_free(client);
  tls_conn_free(&c);
  close(fds[0]);
  close(fds[1]);
  return seen;
}

static struct tls_server *server_of(struct kit *kit, bool asks) {
  kit_add(kit, EVP_EC_gen("P-256"), "DNS:a.example");
  struct tls_service service = kit_service(kit, "smtp");
  service.asks_client = asks;
  struct tls_server *s = kit_server(&service);
  memset(ticket_key, 7, sizeof ticket_key);
  assert_true(tls_server_tickets(s, slice_of(ticket_key, sizeof ticket_key)));
  return s;
}

static const int versions[] = { TLS1_2_VERSION, TLS1_3_VERSION };

static void shown(void **state) {
  struct kit kit = { 0 };
  struct tls_server *s = server_of(&kit, true);
  EVP_PKEY *keys[] = { EVP_EC_gen("P-256"), EVP_RSA_gen(2048),
                       EVP_PKEY_Q_keygen(NULL, NULL, "ED25519") };
  for (int v = 0; v < 2; v++) {
    for (int k = 0; k < 3; k++) {
      X509 *x = self_signed(keys[k], -60, 3600);
      SSL_CTX *ctx = client_of(versions[v], x, keys[k]);
      uint8_t want[TLS_FINGERPRINT];
      X509_digest(x, EVP_sha256(), want, NULL);
      const struct seen seen = connect_once(s, ctx, NULL);
      assert_true(seen.shown);
      assert_memory_equal(seen.fingerprint, want, sizeof want);
      assert_false(seen.ticket); /* so it shows it again */
      SSL_CTX_free(ctx);
      X509_free(x);
    }
    SSL_CTX *none = client_of(versions[v], NULL, NULL);
    const struct seen seen = connect_once(s, none, NULL);
    assert_false(seen.shown);
    assert_true(seen.ticket); /* who shows none is served as ever */
    SSL_SESSION *ticket = SSL_SESSION_dup(latest);
    assert_true(connect_once(s, none, ticket).resumed);
    SSL_SESSION_free(ticket);
    SSL_CTX_free(none);
  }
  for (int k = 0; k < 3; k++) EVP_PKEY_free(keys[k]);
  tls_server_unref(&s);
  kit_free(&kit);
}

static void not_valid_now(void **state) {
  struct kit kit = { 0 };
  struct tls_server *s = server_of(&kit, true);
  EVP_PKEY *key = EVP_EC_gen("P-256");
  static const long spans[][2] = { { -7200, -60 }, { 3600, 7200 } };
  for (int i = 0; i < 2; i++) {
    X509 *x = self_signed(key, spans[i][0], spans[i][1]);
    SSL_CTX *ctx = client_of(TLS1_3_VERSION, x, key);
    assert_false(connect_once(s, ctx, NULL).shown);
    SSL_CTX_free(ctx);
    X509_free(x);
  }
  EVP_PKEY_free(key);
  tls_server_unref(&s);
  kit_free(&kit);
}

static void not_asked(void **state) {
  struct kit kit = { 0 };
  struct tls_server *s = server_of(&kit, false);
  EVP_PKEY *key = EVP_EC_gen("P-256");
  X509 *x = self_signed(key, -60, 3600);
  SSL_CTX *ctx = client_of(TLS1_3_VERSION, x, key);
  assert_false(connect_once(s, ctx, NULL).shown);
  SSL_CTX_free(ctx);
  X509_free(x);
  EVP_PKEY_free(key);
  tls_server_unref(&s);
  kit_free(&kit);
}

/* --- a ticket with a certificate in it, from somebody who has the service's ticket key --- */

static int forge(SSL *ssl, unsigned char *name, unsigned char *iv, EVP_CIPHER_CTX *cipher,
                 EVP_MAC_CTX *mac, int sealing) {
  OSSL_PARAM params[] = {
    OSSL_PARAM_construct_octet_string(OSSL_MAC_PARAM_KEY, ticket_key + 48, 32),
    OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, (char *)"SHA256", 0),
    OSSL_PARAM_construct_end(),
  };
  if (!sealing) return 0;
  memset(iv, 1, 16);
  memcpy(name, ticket_key, 16);
  return EVP_EncryptInit_ex(cipher, EVP_aes_256_cbc(), NULL, ticket_key + 16, iv) == 1 &&
         EVP_MAC_CTX_set_params(mac, params) == 1;
}

static int take_any(X509_STORE_CTX *ctx, void *arg) {
  X509_STORE_CTX_set_error(ctx, X509_V_OK);
  return 1;
}

static SSL_SESSION *forged_session(struct kit *kit, SSL_CTX *client_ctx) {
  SSL_CTX *ctx = SSL_CTX_new(TLS_server_method());
  BIO *certificate = BIO_new_mem_buf(kit->chains[0].p, (int)kit->chains[0].n);
  struct slice pem = buf_slice(&kit->key_pems[0]);
  BIO *key = BIO_new_mem_buf(pem.p, (int)pem.n);
  X509 *x = PEM_read_bio_X509(certificate, NULL, NULL, NULL);
  EVP_PKEY *pkey = PEM_read_bio_PrivateKey(key, NULL, NULL, NULL);
  assert_int_equal(SSL_CTX_use_cert_and_key(ctx, x, pkey, NULL, 1), 1);
  SSL_CTX_set_session_id_context(ctx, (const uint8_t *)"smtp", 4);
  SSL_CTX_set_tlsext_ticket_key_evp_cb(ctx, forge);
  /* whose hash the server's own choice has */
  SSL_CTX_set_ciphersuites(ctx, "TLS_AES_128_GCM_SHA256");
  SSL_CTX_set_verify(ctx, SSL_VERIFY_PEER, NULL);
  SSL_CTX_set_cert_verify_callback(ctx, take_any, NULL);
  int fds[2], c = 0, accepted = 0;
  char octets[16];
  kit_sockets(fds);
  SSL_CTX_sess_set_new_cb(client_ctx, keep);
  SSL *server = SSL_new(ctx), *client = SSL_new(client_ctx);
  SSL_set_fd(server, fds[0]), SSL_set_fd(client, fds[1]);
  for (int i = 0; i < 50 && (c != 1 || accepted != 1); i++) {
    if (c != 1) c = SSL_connect(client);
    if (accepted != 1) accepted = SSL_accept(server);
  }
  assert_int_equal(accepted, 1);
  assert_non_null(SSL_get0_peer_certificate(server));
  SSL_write(server, "hi", 2);
  SSL_read(client, octets, sizeof octets);
  assert_non_null(latest);
  SSL_SESSION *got = SSL_SESSION_dup(latest);
  SSL_set_quiet_shutdown(client, 1), SSL_shutdown(client);
  SSL_free(server), SSL_free(client);
  SSL_CTX_free(ctx);
  X509_free(x), EVP_PKEY_free(pkey);
  BIO_free(certificate), BIO_free(key);
  close(fds[0]), close(fds[1]);
  return got;
}

static void no_ticket_brings_one(void **state) {
  struct kit kit = { 0 };
  struct tls_server *s = server_of(&kit, true);
  EVP_PKEY *key = EVP_EC_gen("P-256");
  X509 *x = self_signed(key, -60, 3600);
  for (int v = 0; v < 2; v++) {
    SSL_CTX *ctx = client_of(versions[v], x, key);
    SSL_SESSION *session = forged_session(&kit, ctx);
    const struct seen seen = connect_once(s, ctx, session);
    assert_true(seen.resumed); /* the forgery is as good as that */
    assert_false(seen.shown);
    SSL_SESSION_free(session);
    SSL_CTX_free(ctx);
  }
  X509_free(x);
  EVP_PKEY_free(key);
  tls_server_unref(&s);
  kit_free(&kit);
}

/* Our own client shows one too, and says so when it can't. */
static void our_client(void **state) {
  static const struct tls_client_options anyone = { .trust = TLS_TRUST_ANYONE };
  struct kit kit = { 0 }, own = { 0 };
  struct tls_server *s = server_of(&kit, true);
  kit_add(&own, EVP_EC_gen("P-256"), "DNS:tim");
  kit_add(&own, EVP_EC_gen("P-256"), "DNS:tom");
  struct tls_client *client = kit_client(&anyone);
  struct buf err;
  buf_init(&err, 512);
  assert_false(tls_client_show(client, own.chains[0], buf_slice(&own.key_pems[1]), &err));
  assert_false(tls_client_show(client, SLICE("x"), buf_slice(&own.key_pems[0]), &err));
  assert_true(tls_client_show(client, own.chains[0], buf_slice(&own.key_pems[0]), &err));
  struct pair p = pair_open(s, client, "a.example");
  uint8_t seen[TLS_FINGERPRINT], want[TLS_FINGERPRINT];
  assert_int_equal(tls_client_certificate(p.server, time(NULL), seen), TLS_FINGERPRINT);
  assert_true(tls_fingerprint(own.chains[0], want));
  assert_memory_equal(seen, want, sizeof want);
  /* that is the server's */
  assert_int_equal(tls_client_certificate(p.client, time(NULL), seen), 0);
  assert_false(tls_fingerprint(SLICE("-----BEGIN"), want));
  pair_close(&p);
  tls_client_free(&client);
  tls_server_unref(&s);
  kit_free(&kit), kit_free(&own);
  buf_free(&err);
}

static int end(void **state) {
  SSL_SESSION_free(latest);
  return 0;
}

int main(void) {
  const struct CMUnitTest tests[] = {
    cmocka_unit_test(shown),      cmocka_unit_test(not_valid_now),
    cmocka_unit_test(not_asked),  cmocka_unit_test(no_ticket_brings_one),
    cmocka_unit_test(our_client),
  };
  return cmocka_run_group_tests(tests, NULL, end);
}
