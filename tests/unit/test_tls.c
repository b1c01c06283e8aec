/* SPDX-License-Identifier: ISC */
/* TLS as a service speaks it, with every private key behind a callback. attacks.md TL-13 … TL-15.
 */
#include "tests/unit/tls_kit.h"

#include <malloc.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

static const struct tls_client_options anyone = { .trust = TLS_TRUST_ANYONE };

static struct slice certificate_hash(struct kit *kit, unsigned i, uint8_t hash[32]) {
  BIO *bio = BIO_new_mem_buf(kit->chains[i].p, (int)kit->chains[i].n);
  X509 *x = PEM_read_bio_X509(bio, NULL, NULL, NULL);
  unsigned n = 0;
  X509_digest(x, EVP_sha256(), hash, &n);
  X509_free(x);
  BIO_free(bio);
  return slice_of(hash, n);
}

/* Which certificate of the kit did the client see? */
static int certificate_seen(struct kit *kit, struct tls_conn *client) {
  uint8_t seen[TLS_BINDING_MAX], hash[32];
  size_t n = tls_binding_end_point(client, seen);
  for (unsigned i = 0; i < kit->count; i++)
    if (slice_eq(slice_of(seen, n), certificate_hash(kit, i, hash))) return (int)i;
  return -1;
}

/* --- every kind of key, both versions --- */

static void one_handshake(EVP_PKEY *key, enum key_use use, int version) {
  struct kit kit = { 0 };
  kit_add(&kit, key, "DNS:mail.example.org");
  struct tls_service service = kit_service(&kit, "smtp");
  struct tls_server *s = kit_server(&service);
  /* OpenSSL's own client: it can cap the version, and it does not share code with ours. */
  SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());
  SSL_CTX_set_max_proto_version(ctx, version);
  SSL *client = SSL_new(ctx);
  int fds[2];
  kit_sockets(fds);
  SSL_set_fd(client, fds[1]);
  struct tls_conn *c = tls_accept(s, fds[0]);
  int rc = 0;
  enum tls_result result = TLS_WANT_READ;
  for (int i = 0; i < 50 && (rc != 1 || result != TLS_DONE); i++) {
    if (rc != 1) rc = SSL_connect(client);
    if (result != TLS_DONE) result = tls_handshake(c);
  }
  assert_int_equal(rc, 1);
  assert_int_equal(result, TLS_DONE);
  assert_int_equal(SSL_version(client), version);
  assert_int_equal(kit.asked[use], 1);
  assert_string_equal(tls_version_name(c), version == TLS1_3_VERSION ? "TLSv1.3" : "TLSv1.2");
  assert_string_equal(tls_cipher_name(c), SSL_get_cipher_name(client));
  int type = 0;
  SSL_get_peer_signature_type_nid(client, &type);
  if (use == KEY_RSA_RAW) assert_int_equal(type, EVP_PKEY_RSA_PSS);
  SSL_free(client);
  SSL_CTX_free(ctx);
  tls_conn_free(&c);
  tls_server_unref(&s);
  close(fds[0]);
  close(fds[1]);
  kit_free(&kit);
}

static void every_key(void **state) {
  (void)state;
  static const int versions[] = { TLS1_2_VERSION, TLS1_3_VERSION };
  for (size_t i = 0; i < 2; i++) {
    one_handshake(EVP_EC_gen("P-256"), KEY_ECDSA, versions[i]);
    one_handshake(EVP_EC_gen("P-384"), KEY_ECDSA, versions[i]);
    one_handshake(EVP_EC_gen("P-521"), KEY_ECDSA, versions[i]);
    one_handshake(EVP_RSA_gen(2048), KEY_RSA_RAW, versions[i]);
  }
}

/* A TLS 1.2 client that knows no PSS gets PKCS#1 v1.5 (RFC 5246 §7.4.1.4.1). */
static void rsa_pkcs1(void **state) {
  (void)state;
  struct kit kit = { 0 };
  kit_add(&kit, EVP_RSA_gen(2048), "DNS:mail.example.org");
  struct tls_service service = kit_service(&kit, "smtp");
  struct tls_server *s = kit_server(&service);
  SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());
  SSL_CTX_set_max_proto_version(ctx, TLS1_2_VERSION);
  static const char *const lists[] = { "RSA+SHA256", "RSA+SHA384", "RSA+SHA512" };
  for (size_t l = 0; l < 3; l++) {
    SSL *client = SSL_new(ctx);
    assert_int_equal(SSL_set1_sigalgs_list(client, lists[l]), 1);
    int fds[2], rc = 0;
    kit_sockets(fds);
    SSL_set_fd(client, fds[1]);
    struct tls_conn *c = tls_accept(s, fds[0]);
    for (int i = 0; i < 50 && rc != 1; i++) {
      rc = SSL_connect(client);
      if (rc != 1) tls_handshake(c);
    }
    assert_int_equal(rc, 1);
    int type = 0;
    SSL_get_peer_signature_type_nid(client, &type);
    assert_int_equal(type, EVP_PKEY_RSA);
    SSL_free(client);
    tls_conn_free(&c);
    close(fds[0]);
    close(fds[1]);
  }
  SSL_CTX_free(ctx);
  tls_server_unref(&s);
  kit_free(&kit);
}

static void refused_certificates(void **state) {
  (void)state;
  static const struct {
    const char *kind, *word;
  } rows[] = {
    { "ED25519", "Ed25519" },     { "RSA1024", "2048" },     { "secp256k1", "P-256" },
    { "junk", "no certificate" }, { "half", "certificate" },
  };
  for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
    struct kit kit = { 0 };
    EVP_PKEY *key = !strcmp(rows[i].kind, "ED25519")     ? EVP_PKEY_Q_keygen(NULL, NULL, "ED25519")
                    : !strcmp(rows[i].kind, "RSA1024")   ? EVP_RSA_gen(1024)
                    : !strcmp(rows[i].kind, "secp256k1") ? EVP_EC_gen("secp256k1")
                                                         : EVP_EC_gen("P-256");
    kit_add(&kit, EVP_EC_gen("P-256"), "DNS:a.example");
    kit_add(&kit, key, "DNS:b.example");
    if (!strcmp(rows[i].kind, "junk")) kit.chains[1] = SLICE("hello\n");
    if (!strcmp(rows[i].kind, "half")) kit.chains[1] = slice_first(kit.chains[1], 200);
    struct tls_service service = kit_service(&kit, "smtp");
    struct buf err;
    buf_init(&err, 1024);
    assert_null(tls_server_new(&service, &err));
    buf_put_u8(&err, 0);
    assert_non_null(strstr((const char *)buf_slice(&err).p, "certificate 2 "));
    if (i < 4) assert_non_null(strstr((const char *)buf_slice(&err).p, rows[i].word));
    buf_free(&err);
    kit_free(&kit);
  }
}

/* The keys process refuses, or is not running: only the handshake fails. */
static void refused_signature(void **state) {
  (void)state;
  struct kit kit = { 0 };
  kit_add(&kit, EVP_EC_gen("P-256"), "DNS:a.example");
  kit.refuse = true;
  struct tls_service service = kit_service(&kit, "smtp");
  struct tls_server *s = kit_server(&service);
  struct tls_client *client = kit_client(&anyone);
  struct pair p = pair_open(s, client, "a.example");
  assert_int_equal(p.server_result, TLS_ERROR);
  assert_int_equal(p.client_result, TLS_ERROR);
  pair_close(&p);
  tls_client_free(&client);
  tls_server_unref(&s);
  kit_free(&kit);
}

/* --- octets --- */

static void talking(void **state) {
  (void)state;
  struct kit kit = { 0 };
  kit_add(&kit, EVP_EC_gen("P-256"), "DNS:a.example");
  struct tls_service service = kit_service(&kit, "smtp");
  struct tls_server *s = kit_server(&service);
  struct tls_client *client = kit_client(&anyone);
  struct pair p = pair_open(s, client, "a.example");
  assert_int_equal(p.server_result, TLS_DONE);
  pair_say(p.server, p.client, "220 hello\r\n");
  pair_say(p.client, p.server, "EHLO me\r\n");
  /* A megabyte through a full socket: partial writes, moving buffer, every octet in place. */
  enum { MUCH = 1 << 20 };
  uint8_t *much = malloc(MUCH), *got = malloc(MUCH);
  for (size_t i = 0; i < MUCH; i++) much[i] = (uint8_t)(i * 31 + (i >> 8));
  size_t sent = 0, read = 0, n = 0;
  bool waited = false;
  for (int i = 0; i < 100000 && read < MUCH; i++) {
    if (sent < MUCH) {
      enum tls_result r = tls_write(p.server, slice_of(much + sent, MUCH - sent), &n);
      assert_true(r == TLS_DONE || r == TLS_WANT_WRITE);
      waited |= r == TLS_WANT_WRITE;
      sent += n;
    }
    enum tls_result r = tls_read(p.client, got + read, MUCH - read, &n);
    assert_true(r == TLS_DONE || r == TLS_WANT_READ);
    read += n;
  }
  assert_true(waited);
  assert_int_equal(read, MUCH);
  assert_memory_equal(much, got, MUCH);
  assert_false(tls_pending(p.client));
  free(much);
  free(got);
  pair_close(&p);
  tls_client_free(&client);
  tls_server_unref(&s);
  kit_free(&kit);
}

/* TL-14: close_notify is the end, whatever follows it on the socket. */
static void close_notify_is_final(void **state) {
  (void)state;
  struct kit kit = { 0 };
  kit_add(&kit, EVP_EC_gen("P-256"), "DNS:a.example");
  struct tls_service service = kit_service(&kit, "smtp");
  struct tls_server *s = kit_server(&service);
  struct tls_client *client = kit_client(&anyone);
  struct pair p = pair_open(s, client, "a.example");
  char got[64];
  size_t n = 0;
  assert_int_equal(tls_write(p.client, SLICE("BDAT 10\r\nabc"), &n), TLS_DONE);
  assert_int_equal(tls_shutdown(p.client), TLS_DONE);
  assert_int_equal(send(p.fds[1], "X\r\n", 3, MSG_NOSIGNAL), 3);
  assert_int_equal(tls_read(p.server, got, sizeof got, &n), TLS_DONE);
  assert_int_equal(n, 12);
  for (int i = 0; i < 3; i++) {
    assert_int_equal(tls_read(p.server, got, sizeof got, &n), TLS_CLOSED);
    assert_int_equal(n, 0);
    assert_string_equal(tls_reason(p.server), "close_notify");
  }
  assert_int_equal(tls_shutdown(p.server), TLS_DONE);
  assert_int_equal(tls_write(p.server, SLICE("250 ok\r\n"), &n), TLS_CLOSED);
  pair_close(&p);
  /* Cut off, with and without a reset: closed, and tls_reason() tells which. */
  p = pair_open(s, client, "a.example");
  shutdown(p.fds[1], SHUT_WR);
  assert_int_equal(tls_read(p.server, got, sizeof got, &n), TLS_CLOSED);
  assert_string_equal(tls_reason(p.server), "cut off without close_notify");
  /* … and the server still sends its pending data and its close_notify. */
  assert_true(tls_pending(p.server));
  assert_int_equal(tls_write(p.server, SLICE("250 ok\r\n"), &n), TLS_DONE);
  assert_int_equal(tls_shutdown(p.server), TLS_DONE);
  assert_int_equal(tls_read(p.client, got, sizeof got, &n), TLS_DONE);
  assert_int_equal(n, 8);
  assert_int_equal(tls_read(p.client, got, sizeof got, &n), TLS_CLOSED);
  assert_string_equal(tls_reason(p.client), "close_notify");
  pair_close(&p);
  /* Clear octets in the middle: an error, not data. */
  p = pair_open(s, client, "a.example");
  assert_int_equal(send(p.fds[1], "QUIT\r\nQUIT\r\n", 12, MSG_NOSIGNAL), 12);
  assert_int_equal(tls_read(p.server, got, sizeof got, &n), TLS_ERROR);
  assert_int_equal(n, 0);
  pair_close(&p);
  tls_client_free(&client);
  tls_server_unref(&s);
  kit_free(&kit);
}

/* OpenSSL's own client over a socket pair with our server: it can do what our client never does. */
struct peer {
  SSL_CTX *ctx;
  SSL *ssl;
  int fds[2];
  struct tls_conn *server;
};

static struct peer peer_open(struct tls_server *s, SSL_CTX *ctx, const char *host) {
  struct peer p = { .ctx = ctx, .ssl = SSL_new(ctx) };
  if (host) SSL_set_tlsext_host_name(p.ssl, host);
  kit_sockets(p.fds);
  SSL_set_fd(p.ssl, p.fds[1]);
  p.server = tls_accept(s, p.fds[0]);
  int rc = 0;
  enum tls_result r = TLS_WANT_READ;
  for (int i = 0; i < 50 && (rc != 1 || r == TLS_WANT_READ); i++) {
    if (rc != 1) rc = SSL_connect(p.ssl);
    if (r == TLS_WANT_READ) r = tls_handshake(p.server);
  }
  return p;
}

static void peer_close(struct peer *p) {
  SSL_free(p->ssl);
  SSL_CTX_free(p->ctx);
  tls_conn_free(&p->server);
  close(p->fds[0]);
  close(p->fds[1]);
}

/* RFC 8446 §6.1: after close_notify in one direction the other goes on, by TLS 1.2 too, and with
 * both ends ours. */
static void due_replies_are_sent(void **state) {
  (void)state;
  struct kit kit = { 0 };
  kit_add(&kit, EVP_EC_gen("P-256"), "DNS:a.example");
  struct tls_service service = kit_service(&kit, "smtp");
  struct tls_server *s = kit_server(&service);
  static const int versions[] = { TLS1_2_VERSION, TLS1_3_VERSION };
  for (size_t i = 0; i < 2; i++) {
    SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());
    SSL_CTX_set_max_proto_version(ctx, versions[i]);
    struct peer p = peer_open(s, ctx, "a.example");
    char got[64];
    size_t n = 0;
    assert_int_equal(SSL_write(p.ssl, "QUIT\r\n", 6), 6);
    assert_int_equal(SSL_shutdown(p.ssl), 0);
    assert_int_equal(tls_read(p.server, got, sizeof got, &n), TLS_DONE);
    assert_int_equal(n, 6);
    assert_int_equal(tls_write(p.server, SLICE("221 bye\r\n"), &n), TLS_DONE);
    assert_int_equal(tls_read(p.server, got, sizeof got, &n), TLS_CLOSED);
    assert_int_equal(tls_write(p.server, SLICE("and more\r\n"), &n), TLS_DONE);
    assert_int_equal(tls_shutdown(p.server), TLS_DONE);
    assert_int_equal(SSL_read(p.ssl, got, sizeof got), 9);
    assert_int_equal(SSL_read(p.ssl, got, sizeof got), 10);
    assert_int_equal(SSL_read(p.ssl, got, sizeof got), 0);
    assert_int_equal(SSL_get_error(p.ssl, 0), SSL_ERROR_ZERO_RETURN);
    peer_close(&p);
  }
  tls_server_unref(&s);
  kit_free(&kit);
}

/* Queues one KeyUpdate (RFC 8446 §4.6.3). */
static void key_update(SSL *ssl, bool asks) {
  assert_int_equal(
      SSL_key_update(ssl, asks ? SSL_KEY_UPDATE_REQUESTED : SSL_KEY_UPDATE_NOT_REQUESTED), 1);
  assert_int_equal(SSL_do_handshake(ssl), 1);
}

/* A few KeyUpdates without data are accepted; many end the connection, long before a megabyte of
 * them. */
static void key_updates_end(void **state) {
  (void)state;
  struct kit kit = { 0 };
  kit_add(&kit, EVP_EC_gen("P-256"), "DNS:a.example");
  struct tls_service service = kit_service(&kit, "smtp");
  struct tls_server *s = kit_server(&service);
  for (int asks = 0; asks < 2; asks++) {
    struct peer p = peer_open(s, SSL_CTX_new(TLS_client_method()), "a.example");
    char got[8192] = "";
    size_t n = 0;
    for (int i = 0; i < TLS_IDLE_RECORDS / 2; i++) key_update(p.ssl, asks);
    assert_int_equal(tls_read(p.server, got, sizeof got, &n), TLS_WANT_READ);
    assert_int_equal(SSL_write(p.ssl, "NOOP\r\n", 6), 6);
    assert_int_equal(tls_read(p.server, got, sizeof got, &n), TLS_DONE);
    assert_int_equal(n, 6);
    /* Each TLS_RECORD_PRICE octets of data allow another KeyUpdate. */
    for (int i = 0; i < 2 * TLS_IDLE_RECORDS; i++) {
      assert_int_equal(SSL_write(p.ssl, got, TLS_RECORD_PRICE), TLS_RECORD_PRICE);
      key_update(p.ssl, asks);
      assert_int_equal(tls_read(p.server, got, sizeof got, &n), TLS_DONE);
      if (asks) assert_int_equal(SSL_read(p.ssl, got, sizeof got), -1); /* takes the answers */
    }
    for (int i = 0; i < TLS_IDLE_RECORDS + 1; i++) key_update(p.ssl, asks);
    assert_int_equal(tls_read(p.server, got, sizeof got, &n), TLS_ERROR);
    assert_string_equal(tls_reason(p.server), "records without data");
    assert_int_equal(tls_write(p.server, SLICE("x"), &n), TLS_ERROR);
    peer_close(&p);
  }
  tls_server_unref(&s);
  kit_free(&kit);
}

/* The same against our client: a server's tickets and KeyUpdates end too. */
static void server_floods_client(void **state) {
  (void)state;
  struct kit kit = { 0 };
  kit_add(&kit, EVP_EC_gen("P-256"), "DNS:a.example");
  SSL_CTX *ctx = SSL_CTX_new(TLS_server_method());
  BIO *bio = BIO_new_mem_buf(kit.chains[0].p, (int)kit.chains[0].n);
  X509 *x = PEM_read_bio_X509(bio, NULL, NULL, NULL);
  BIO_free(bio);
  struct slice pem = buf_slice(&kit.key_pems[0]);
  bio = BIO_new_mem_buf(pem.p, (int)pem.n);
  EVP_PKEY *key = PEM_read_bio_PrivateKey(bio, NULL, NULL, NULL);
  BIO_free(bio);
  assert_int_equal(SSL_CTX_use_certificate(ctx, x), 1);
  assert_int_equal(SSL_CTX_use_PrivateKey(ctx, key), 1);
  X509_free(x);
  EVP_PKEY_free(key);
  struct tls_client *client = kit_client(&anyone);
  for (int tickets = 0; tickets < 2; tickets++) {
    int fds[2], rc = 0;
    kit_sockets(fds);
    SSL *ssl = SSL_new(ctx);
    SSL_set_fd(ssl, fds[0]);
    struct tls_conn *c = tls_connect(client, fds[1], "a.example");
    enum tls_result r = TLS_WANT_READ;
    for (int i = 0; i < 50 && (rc != 1 || r == TLS_WANT_READ); i++) {
      if (r == TLS_WANT_READ) r = tls_handshake(c);
      if (rc != 1) rc = SSL_accept(ssl);
    }
    assert_int_equal(r, TLS_DONE);
    char got[64];
    size_t n = 0;
    assert_int_equal(tls_read(c, got, sizeof got, &n), TLS_WANT_READ);
    for (int i = 0; i < TLS_IDLE_RECORDS + 1; i++) {
      if (tickets) assert_int_equal(SSL_new_session_ticket(ssl), 1);
      if (tickets)
        assert_int_equal(SSL_do_handshake(ssl), 1);
      else
        key_update(ssl, false);
    }
    assert_int_equal(tls_read(c, got, sizeof got, &n), TLS_ERROR);
    assert_string_equal(tls_reason(c), "records without data");
    SSL_free(ssl);
    tls_conn_free(&c);
    close(fds[0]);
    close(fds[1]);
  }
  SSL_CTX_free(ctx);
  tls_client_free(&client);
  kit_free(&kit);
}

/* One call takes at most TLS_CALL_OCTETS from the descriptor, and the rest comes with the next
 * ones. */
static void a_call_is_bounded(void **state) {
  (void)state;
  struct kit kit = { 0 };
  kit_add(&kit, EVP_EC_gen("P-256"), "DNS:a.example");
  struct tls_service service = kit_service(&kit, "smtp");
  struct tls_server *s = kit_server(&service);
  struct peer p = peer_open(s, SSL_CTX_new(TLS_client_method()), "a.example");
  enum { MUCH = 1 << 20, PIECE = 1000 };
  int size = MUCH;
  setsockopt(p.fds[1], SOL_SOCKET, SO_SNDBUF, &size, sizeof size);
  char *out = calloc(1, PIECE), *in = malloc(MUCH);
  size_t sent = 0, got = 0, n = 0, calls = 0;
  while (sent < 100 * PIECE && SSL_write(p.ssl, out, PIECE) == PIECE) sent += PIECE;
  assert_int_equal(sent, 100 * PIECE);
  while (got < sent && calls < 100) {
    enum tls_result r = tls_read(p.server, in, MUCH, &n);
    assert_true(r == TLS_DONE || r == TLS_WANT_READ);
    assert_true(n <= TLS_CALL_OCTETS);
    got += n;
    calls++;
  }
  assert_int_equal(got, sent);
  assert_true(calls > 1);
  free(out);
  free(in);
  peer_close(&p);
  tls_server_unref(&s);
  kit_free(&kit);
}

/* --- names --- */

/* RFC 9525 §6.3: a certificate that has the name in its CN only is not that host's. */
static void common_name_counts_nothing(void **state) {
  (void)state;
  static const struct {
    const char *san, *host;
    bool good;
  } rows[] = {
    /* clang-format off */
    { NULL, "test", false },          { "DNS:a.example", "test", false },
    { "DNS:a.example", "a.example", true }, { "email:x@a.example", "test", false },
    { "DNS:*.a.example", "b.a.example", true }, { "DNS:b*.a.example", "bc.a.example", false },
    { "IP:192.0.2.1", "192.0.2.1", true },
    /* clang-format on */
  };
  for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
    struct kit kit = { 0 };
    kit_add(&kit, EVP_EC_gen("P-256"), rows[i].san); /* its CN is "test" */
    struct tls_service service = kit_service(&kit, "smtp");
    struct tls_server *s = kit_server(&service);
    struct tls_client *client = kit_client(
        &(struct tls_client_options){ .trust = TLS_TRUST_GIVEN, .authorities = kit.chains[0] });
    struct pair p = pair_open(s, client, rows[i].host);
    assert_int_equal(p.client_result, rows[i].good ? TLS_DONE : TLS_ERROR);
    if (!rows[i].good) assert_non_null(strstr(tls_reason(p.client), "hostname mismatch"));
    pair_close(&p);
    tls_client_free(&client);
    tls_server_unref(&s);
    kit_free(&kit);
  }
}

static void sni(void **state) {
  (void)state;
  struct kit kit = { 0 };
  kit_add(&kit, EVP_EC_gen("P-256"), "DNS:mail.example.org,DNS:*.wild.example");
  kit_add(&kit, EVP_EC_gen("P-256"), "DNS:Mail.Example.NET");
  kit_add(&kit, EVP_RSA_gen(2048), "DNS:mail.example.net,DNS:*.example.com");
  kit_add(&kit, EVP_EC_gen("P-256"), "DNS:exact.wild.example");
  static const struct {
    const char *host;
    unsigned pick;
  } rows[] = {
    { "mail.example.org", 0 },
    { "MAIL.example.ORG", 0 },
    { "mail.example.net", 1 },
    { "mail.example.net.", 1 },
    { "a.example.com", 2 },
    { "example.com", 0 },
    { "a.b.example.com", 0 },
    { "x.wild.example", 0 },
    { "exact.wild.example", 3 },
    { "nobody.example", 0 },
    { "*.example.com", 2 },
    { "192.0.2.1", 0 },
    { "x", 0 },
  };
  struct tls_service service = kit_service(&kit, "smtp");
  struct tls_server *s = kit_server(&service);
  struct tls_client *client = kit_client(&anyone);
  for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
    if (rows[i].host[0] == '*') continue;
    assert_int_equal(tls_server_pick(s, slice_str(rows[i].host)), rows[i].pick);
    struct pair p = pair_open(s, client, rows[i].host);
    assert_int_equal(p.server_result, TLS_DONE);
    assert_int_equal(certificate_seen(&kit, p.client), (int)rows[i].pick);
    pair_close(&p);
  }
  /* A server_name that can't be a host name is rejected without a lookup. */
  static const char *const bad[] = { "a\\", "*.example.com", "a b", "a/b", "\xff", "a\r\nb" };
  for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
    assert_int_equal(tls_server_pick(s, slice_str(bad[i])), 0);
    struct pair p = pair_open(s, client, bad[i]);
    assert_int_equal(p.server_result, TLS_ERROR);
    assert_int_equal(p.client_result, TLS_ERROR);
    assert_non_null(strstr(tls_reason(p.client), "unrecognized name"));
    pair_close(&p);
  }
  tls_client_free(&client);
  tls_server_unref(&s);
  kit_free(&kit);
}

/* One host with a key of each kind: the client's signature algorithms decide. */
static void two_kinds_for_one_host(void **state) {
  (void)state;
  struct kit kit = { 0 };
  kit_add(&kit, EVP_RSA_gen(2048), "DNS:a.example");
  kit_add(&kit, EVP_EC_gen("P-256"), "DNS:a.example");
  kit_add(&kit, EVP_RSA_gen(2048), "DNS:b.example");
  kit_add(&kit, EVP_EC_gen("P-256"), "DNS:b.example");
  struct tls_service service = kit_service(&kit, "smtp");
  struct tls_server *s = kit_server(&service);
  static const struct {
    const char *host, *sigalgs;
    enum key_use use;
  } rows[] = {
    { "a.example", "ECDSA+SHA256:rsa_pss_rsae_sha256", KEY_ECDSA },
    { "a.example", "rsa_pss_rsae_sha256", KEY_RSA_RAW },
    { "b.example", "ECDSA+SHA256:rsa_pss_rsae_sha256", KEY_ECDSA },
    { "b.example", "rsa_pss_rsae_sha256", KEY_RSA_RAW },
    { "none.example", "rsa_pss_rsae_sha256", KEY_RSA_RAW },
    { "none.example", "ECDSA+SHA256", KEY_ECDSA },
  };
  for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
    SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());
    assert_int_equal(SSL_CTX_set1_sigalgs_list(ctx, rows[i].sigalgs), 1);
    SSL *client = SSL_new(ctx);
    SSL_set_tlsext_host_name(client, rows[i].host);
    int fds[2], rc = 0;
    kit_sockets(fds);
    SSL_set_fd(client, fds[1]);
    struct tls_conn *c = tls_accept(s, fds[0]);
    unsigned before = kit.asked[rows[i].use];
    for (int round = 0; round < 50 && rc != 1; round++) {
      rc = SSL_connect(client);
      if (rc != 1) tls_handshake(c);
    }
    assert_int_equal(rc, 1);
    assert_int_equal(kit.asked[rows[i].use], before + 1);
    SSL_free(client);
    SSL_CTX_free(ctx);
    tls_conn_free(&c);
    close(fds[0]);
    close(fds[1]);
  }
  tls_server_unref(&s);
  kit_free(&kit);
}

/* Which certificate does OpenSSL's client get, with these signature algorithms? -1: none. */
static int certificate_got(struct kit *kit, struct tls_server *s, const char *host,
                           const char *sigalgs, const char *ciphers_1_2) {
  SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());
  assert_int_equal(SSL_CTX_set1_sigalgs_list(ctx, sigalgs), 1);
  if (ciphers_1_2) {
    SSL_CTX_set_max_proto_version(ctx, TLS1_2_VERSION);
    assert_int_equal(SSL_CTX_set_cipher_list(ctx, ciphers_1_2), 1);
  }
  struct peer p = peer_open(s, ctx, host);
  X509 *x = SSL_get0_peer_certificate(p.ssl);
  uint8_t seen[32], hash[32];
  unsigned n = 0;
  int which = -1;
  if (x) X509_digest(x, EVP_sha256(), seen, &n);
  for (unsigned i = 0; x && i < kit->count; i++)
    if (slice_eq(slice_of(seen, n), certificate_hash(kit, i, hash))) which = (int)i;
  peer_close(&p);
  return which;
}

/* Without SNI, or with an unknown name, the server uses the first certificate, or one with the
 * other kind of key that shares a name with it; a client that can use neither gets one that it can
 * use. */
static void which_one_it_can_use(void **state) {
  (void)state;
  struct kit kit = { 0 };
  kit_add(&kit, EVP_EC_gen("P-256"), "DNS:a.example,DNS:mail.example,DNS:z.example");
  kit_add(&kit, EVP_EC_gen("P-256"), "DNS:ec-only.example");
  kit_add(&kit, EVP_RSA_gen(2048), "DNS:other.example");
  kit_add(&kit, EVP_RSA_gen(2048), "DNS:mail.example"); /* not the first name of the first one */
  static const char both[] = "ECDSA+SHA256:rsa_pss_rsae_sha256", ec[] = "ECDSA+SHA256",
                    rsa[] = "rsa_pss_rsae_sha256:RSA+SHA256";
  static const struct {
    const char *host, *sigalgs, *ciphers;
    int which;
  } rows[] = {
    { NULL, both, NULL, 0 },
    { NULL, ec, NULL, 0 },
    { NULL, rsa, NULL, 3 },
    { "nobody.example", rsa, NULL, 3 },
    { "nobody.example", both, NULL, 0 },
    { "mail.example", rsa, NULL, 3 },
    { "a.example", rsa, NULL, 2 },
    { "ec-only.example", rsa, NULL, 2 },
    { "ec-only.example", both, NULL, 1 },
    { "other.example", both, NULL, 2 },
    { "other.example", ec, NULL, 0 },
    /* A TLS 1.2 client chooses the kind of key by its cipher list too. */
    { NULL, both, "ECDHE-RSA-AES128-GCM-SHA256", 3 },
    { "a.example", both, "ECDHE-RSA-AES128-GCM-SHA256", 2 },
    { "other.example", both, "ECDHE-ECDSA-AES128-GCM-SHA256", 0 },
    { "other.example", both, "ECDHE-RSA-AES128-GCM-SHA256", 2 },
  };
  struct tls_service service = kit_service(&kit, "smtp");
  struct tls_server *s = kit_server(&service);
  for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
    int got = certificate_got(&kit, s, rows[i].host, rows[i].sigalgs, rows[i].ciphers);
    if (got != rows[i].which) fail_msg("row %zu: %d, not %d", i, got, rows[i].which);
  }
  tls_server_unref(&s);
  kit_free(&kit);
  /* Two certificates share no name: a client that can use either gets the first, any other client
   * the one that it can use. */
  kit_add(&kit, EVP_RSA_gen(2048), "DNS:a.example");
  kit_add(&kit, EVP_EC_gen("P-256"), "DNS:b.example");
  service = kit_service(&kit, "smtp");
  s = kit_server(&service);
  assert_int_equal(certificate_got(&kit, s, NULL, both, NULL), 0);
  assert_int_equal(certificate_got(&kit, s, NULL, ec, NULL), 1);
  assert_int_equal(certificate_got(&kit, s, NULL, rsa, NULL), 0);
  tls_server_unref(&s);
  kit_free(&kit);
}

/* The option tls_ciphers: what Schannel of Windows 7, 8.1 and 2012 R2 has for an RSA certificate.
 */
static void ciphers_for_old_windows(void **state) {
  (void)state;
  struct kit kit = { 0 };
  kit_add(&kit, EVP_RSA_gen(2048), "DNS:a.example");
  static const char windows[] =
      "ECDHE-RSA-AES256-SHA384:ECDHE-RSA-AES128-SHA256:ECDHE-RSA-AES256-SHA:"
      "ECDHE-RSA-AES128-SHA:AES256-GCM-SHA384:AES128-SHA:DES-CBC3-SHA";
  static const struct {
    const char *ciphers;
    bool modern, compatible;
  } rows[] = {
    { windows, false, true },
    { "ECDHE-RSA-AES128-SHA", false, true },
    { "ECDHE-RSA-AES256-SHA", false, true },
    { "ECDHE-RSA-AES128-GCM-SHA256", true, true },
    { "AES128-SHA:AES256-GCM-SHA384", false, false }, /* no forward secrecy: never */
  };
  for (int c = TLS_CIPHERS_MODERN; c <= TLS_CIPHERS_COMPATIBLE; c++) {
    struct tls_service service = kit_service(&kit, "smtp");
    service.ciphers = (enum tls_ciphers)c;
    struct tls_server *s = kit_server(&service);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
      bool takes = certificate_got(&kit, s, NULL, "RSA+SHA256:RSA+SHA1", rows[i].ciphers) == 0;
      assert_int_equal(takes, c == TLS_CIPHERS_MODERN ? rows[i].modern : rows[i].compatible);
    }
    /* A client that offers an AEAD cipher too gets that one. */
    SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());
    SSL_CTX_set_max_proto_version(ctx, TLS1_2_VERSION);
    SSL_CTX_set_cipher_list(ctx, "ECDHE-RSA-AES128-SHA:ECDHE-RSA-AES128-GCM-SHA256");
    struct peer p = peer_open(s, ctx, NULL);
    assert_string_equal(SSL_get_cipher_name(p.ssl), "ECDHE-RSA-AES128-GCM-SHA256");
    peer_close(&p);
    tls_server_unref(&s);
  }
  kit_free(&kit);
}

/* --- tickets --- */

static void fill_keys(uint8_t *keys, size_t count, uint8_t first) {
  for (size_t i = 0; i < count; i++)
    memset(keys + i * TICKET_KEY_SIZE, first + (int)i, TICKET_KEY_SIZE);
}

/* A connection that reads, so that TLS 1.3's ticket arrives. */
static bool resumes(struct tls_server *s, struct tls_client *client) {
  struct pair p = pair_open(s, client, "a.example");
  assert_int_equal(p.server_result, TLS_DONE);
  assert_int_equal(p.client_result, TLS_DONE);
  pair_say(p.server, p.client, "220 hello\r\n");
  bool resumed = tls_resumed(p.server);
  assert_int_equal(resumed, tls_resumed(p.client));
  uint8_t ours[TLS_BINDING_MAX], theirs[TLS_BINDING_MAX];
  assert_int_equal(tls_binding_exporter(p.server, ours), 32);
  assert_int_equal(tls_binding_exporter(p.client, theirs), 32);
  assert_memory_equal(ours, theirs, 32);
  assert_int_equal(tls_binding_end_point(p.client, theirs), 32);
  assert_int_equal(tls_binding_end_point(p.server, ours), resumed ? 0 : 32);
  if (!resumed) assert_memory_equal(ours, theirs, 32);
  pair_close(&p);
  return resumed;
}

static void tickets_of(int version) {
  struct kit kit = { 0 };
  kit_add(&kit, EVP_EC_gen("P-256"), "DNS:a.example");
  struct tls_service smtp = kit_service(&kit, "smtp"), pop3 = kit_service(&kit, "pop3");
  struct tls_server *a = kit_server(&smtp), *b = kit_server(&smtp), *other = kit_server(&pop3);
  struct tls_client_options options = anyone;
  options.keep_sessions = true;
  if (version == TLS1_3_VERSION) options.least = TLS_LEAST_1_3;
  struct tls_client *client = kit_client(&options);
  uint8_t keys[4 * TICKET_KEY_SIZE];
  fill_keys(keys, 4, 10);
  assert_false(resumes(a, client)); /* no keys, no tickets */
  assert_false(resumes(a, client));
  assert_false(tls_server_tickets(a, SLICE_NONE));
  assert_false(tls_server_tickets(a, slice_of(keys, 79)));
  assert_false(tls_server_tickets(a, slice_of(keys, sizeof keys)));
  assert_true(tls_server_tickets(a, slice_of(keys, TICKET_KEY_SIZE)));
  assert_true(tls_server_tickets(b, slice_of(keys, TICKET_KEY_SIZE)));
  assert_true(tls_server_tickets(other, slice_of(keys, TICKET_KEY_SIZE)));
  assert_false(resumes(a, client));
  assert_true(resumes(a, client));
  assert_true(resumes(b, client)); /* another process of the service */
  kit.asked[KEY_ECDSA] = 0;
  assert_true(resumes(a, client));
  assert_int_equal(kit.asked[KEY_ECDSA], 0); /* resuming costs no signature */
  /* TL-15: the same keys, but another service. */
  assert_false(resumes(other, client));
  assert_true(resumes(other, client));
  assert_false(resumes(a, client));
  /* The keys rotate: a ticket of the old key is still accepted, and replaced by one of the new
   * key. */
  uint8_t turned[2 * TICKET_KEY_SIZE];
  fill_keys(turned, 1, 50);
  memcpy(turned + TICKET_KEY_SIZE, keys, TICKET_KEY_SIZE);
  assert_true(tls_server_tickets(a, slice_of(turned, sizeof turned)));
  assert_true(resumes(a, client));
  assert_true(tls_server_tickets(a, slice_of(turned, TICKET_KEY_SIZE)));
  assert_true(resumes(a, client)); /* with the ticket that replaced it */
  fill_keys(turned, 1, 60);
  assert_true(tls_server_tickets(a, slice_of(turned, TICKET_KEY_SIZE)));
  assert_false(resumes(a, client)); /* no key decrypts it any more */
  tls_client_free(&client);
  tls_server_unref(&a);
  tls_server_unref(&b);
  tls_server_unref(&other);
  kit_free(&kit);
}

static void tickets(void **state) {
  (void)state;
  tickets_of(TLS1_3_VERSION);
}

/* TLS 1.2 tickets, with OpenSSL's client: the same rules. */
static bool resumes_1_2(struct tls_server *s, SSL_CTX *ctx, SSL_SESSION **session) {
  SSL *client = SSL_new(ctx);
  if (*session) SSL_set_session(client, *session);
  int fds[2], rc = 0;
  kit_sockets(fds);
  SSL_set_fd(client, fds[1]);
  struct tls_conn *c = tls_accept(s, fds[0]);
  enum tls_result result = TLS_WANT_READ;
  for (int i = 0; i < 50 && (rc != 1 || result != TLS_DONE); i++) {
    if (rc != 1) rc = SSL_connect(client);
    if (result != TLS_DONE) result = tls_handshake(c);
  }
  assert_int_equal(rc, 1);
  assert_int_equal(SSL_version(client), TLS1_2_VERSION);
  bool resumed = SSL_session_reused(client);
  uint8_t binding[TLS_BINDING_MAX];
  assert_int_equal(tls_binding_exporter(c, binding), 32);
  SSL_SESSION_free(*session);
  *session = SSL_get1_session(client);
  SSL_shutdown(client);
  SSL_free(client);
  tls_conn_free(&c);
  close(fds[0]);
  close(fds[1]);
  return resumed;
}

static void tickets_1_2(void **state) {
  (void)state;
  struct kit kit = { 0 };
  kit_add(&kit, EVP_EC_gen("P-256"), "DNS:a.example");
  struct tls_service smtp = kit_service(&kit, "smtp"), pop3 = kit_service(&kit, "pop3");
  struct tls_server *a = kit_server(&smtp), *other = kit_server(&pop3);
  uint8_t keys[2 * TICKET_KEY_SIZE];
  fill_keys(keys, 2, 1);
  SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());
  SSL_CTX_set_max_proto_version(ctx, TLS1_2_VERSION);
  SSL_SESSION *session = NULL;
  assert_false(resumes_1_2(a, ctx, &session));
  assert_false(resumes_1_2(a, ctx, &session));
  tls_server_tickets(a, slice_of(keys, TICKET_KEY_SIZE));
  tls_server_tickets(other, slice_of(keys, TICKET_KEY_SIZE));
  assert_false(resumes_1_2(a, ctx, &session));
  assert_true(resumes_1_2(a, ctx, &session));
  assert_false(resumes_1_2(other, ctx, &session));
  assert_true(resumes_1_2(other, ctx, &session));
  assert_false(resumes_1_2(a, ctx, &session));
  tls_server_tickets(a, slice_of(keys + TICKET_KEY_SIZE, TICKET_KEY_SIZE));
  assert_false(resumes_1_2(a, ctx, &session));
  SSL_SESSION_free(session);
  SSL_CTX_free(ctx);
  tls_server_unref(&a);
  tls_server_unref(&other);
  kit_free(&kit);
}

/* --- versions, ALPN, junk --- */

/* A client made by OpenSSL that must not get in. Returns the reason the server gives. */
static const char *turned_away(struct tls_server *s, void (*prepare)(SSL_CTX *)) {
  static char why[128];
  SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());
  prepare(ctx);
  SSL *client = SSL_new(ctx);
  int fds[2];
  kit_sockets(fds);
  SSL_set_fd(client, fds[1]);
  struct tls_conn *c = tls_accept(s, fds[0]);
  enum tls_result result = TLS_WANT_READ;
  for (int i = 0; i < 20 && result == TLS_WANT_READ; i++) {
    assert_int_not_equal(SSL_connect(client), 1);
    result = tls_handshake(c);
  }
  assert_int_equal(result, TLS_ERROR);
  snprintf(why, sizeof why, "%s", tls_reason(c));
  SSL_free(client);
  SSL_CTX_free(ctx);
  tls_conn_free(&c);
  close(fds[0]);
  close(fds[1]);
  return why;
}

static void only_1_1(SSL_CTX *ctx) {
  SSL_CTX_set_security_level(ctx, 0);
  SSL_CTX_set_min_proto_version(ctx, TLS1_VERSION);
  SSL_CTX_set_max_proto_version(ctx, TLS1_1_VERSION);
}
static void only_1_2(SSL_CTX *ctx) { SSL_CTX_set_max_proto_version(ctx, TLS1_2_VERSION); }
static void weak_ciphers(SSL_CTX *ctx) {
  SSL_CTX_set_max_proto_version(ctx, TLS1_2_VERSION);
  SSL_CTX_set_security_level(ctx, 0);
  SSL_CTX_set_cipher_list(
      ctx, "eNULL:AES128-SHA:ECDHE-ECDSA-AES128-SHA:aNULL:DHE-RSA-AES128-GCM-SHA256");
}
static void browser_alpn(SSL_CTX *ctx) {
  SSL_CTX_set_alpn_protos(ctx, (const uint8_t *)"\2h2\10http/1.1", 12);
}

static void versions_and_ciphers(void **state) {
  (void)state;
  struct kit kit = { 0 };
  kit_add(&kit, EVP_EC_gen("P-256"), "DNS:a.example");
  struct tls_service service = kit_service(&kit, "smtp");
  struct tls_server *s = kit_server(&service);
  assert_string_equal(turned_away(s, only_1_1), "unsupported protocol");
  assert_string_equal(turned_away(s, weak_ciphers), "no shared cipher");
  tls_server_unref(&s);
  service.least = TLS_LEAST_1_3;
  s = kit_server(&service);
  assert_string_equal(turned_away(s, only_1_2), "unsupported protocol");
  tls_server_unref(&s);
  service.alpn = "smtp";
  s = kit_server(&service);
  assert_string_equal(turned_away(s, browser_alpn), "no application protocol");
  tls_server_unref(&s);
  kit_free(&kit);
}

static void alpn(void **state) {
  (void)state;
  struct kit kit = { 0 };
  kit_add(&kit, EVP_EC_gen("P-256"), "DNS:a.example");
  struct tls_service service = kit_service(&kit, "pop3s");
  struct tls_client_options options = anyone;
  options.alpn = "pop3";
  struct tls_client *offers = kit_client(&options), *silent = kit_client(&anyone);
  struct tls_server *ignores = kit_server(&service);
  service.alpn = "pop3";
  struct tls_server *speaks = kit_server(&service);
  struct {
    struct tls_server *s;
    struct tls_client *c;
    const char *want;
  } rows[] = {
    { speaks, offers, "pop3" },
    { speaks, silent, "" },
    { ignores, offers, "" },
  };
  for (size_t i = 0; i < 3; i++) {
    struct pair p = pair_open(rows[i].s, rows[i].c, "a.example");
    assert_int_equal(p.server_result, TLS_DONE);
    assert_true(slice_eq(tls_alpn(p.server), slice_str(rows[i].want)));
    assert_true(slice_eq(tls_alpn(p.client), slice_str(rows[i].want)));
    pair_close(&p);
  }
  tls_client_free(&offers);
  tls_client_free(&silent);
  tls_server_unref(&ignores);
  tls_server_unref(&speaks);
  kit_free(&kit);
}

/* Sends the octets to a fresh server connection; returns the result of its handshake. */
static enum tls_result feed(struct tls_server *s, struct slice octets, bool end) {
  int fds[2];
  kit_sockets(fds);
  struct tls_conn *c = tls_accept(s, fds[0]);
  enum tls_result result = TLS_WANT_READ;
  while (octets.n > 0 && result == TLS_WANT_READ) {
    ssize_t n = send(fds[1], octets.p, octets.n, MSG_NOSIGNAL);
    assert_true(n > 0);
    octets = slice_from(octets, (size_t)n);
    result = tls_handshake(c);
  }
  if (end && result == TLS_WANT_READ) {
    shutdown(fds[1], SHUT_WR);
    result = tls_handshake(c);
  }
  tls_conn_free(&c);
  close(fds[0]);
  close(fds[1]);
  return result;
}

/* A ClientHello whose server_name has `n` octets. */
static struct slice big_sni(uint8_t *to, size_t n) {
  struct buf b, hello;
  buf_init(&b, 1 << 20);
  buf_init(&hello, 1 << 20);
  static const uint8_t front[] = {
    3, 3, [34] = 0, 0, 2, 0x13, 1, 1, 0
  }; /* version, random, no id, cipher, no compression */
  size_t ext = n + 9;
  buf_put(&hello, slice_of(front, sizeof front));
  wire_put_u16(&hello, (uint16_t)ext);
  wire_put_u16(&hello, 0);
  wire_put_u16(&hello, (uint16_t)(n + 5));
  wire_put_u16(&hello, (uint16_t)(n + 3));
  buf_put_u8(&hello, 0);
  wire_put_u16(&hello, (uint16_t)n);
  for (size_t i = 0; i < n; i++) buf_put_u8(&hello, 'a');
  buf_put_u8(&b, 1); /* client_hello */
  buf_put_u8(&b, (uint8_t)(buf_len(&hello) >> 16));
  wire_put_u16(&b, (uint16_t)buf_len(&hello));
  buf_put(&b, buf_slice(&hello));
  struct buf records;
  buf_init(&records, 1 << 20);
  for (struct slice left = buf_slice(&b); left.n > 0; left = slice_from(left, 16384)) {
    struct slice part = slice_first(left, 16384);
    buf_put(&records, SLICE("\x16\x03\x01"));
    wire_put_u16(&records, (uint16_t)part.n);
    buf_put(&records, part);
  }
  size_t all = buf_len(&records);
  memcpy(to, buf_slice(&records).p, all);
  buf_free(&b);
  buf_free(&hello);
  buf_free(&records);
  return slice_of(to, all);
}

static void junk(void **state) {
  (void)state;
  struct kit kit = { 0 };
  kit_add(&kit, EVP_EC_gen("P-256"), "DNS:a.example");
  struct tls_service service = kit_service(&kit, "smtp");
  struct tls_server *s = kit_server(&service);
  static uint8_t big[128 * 1024];
  assert_int_equal(feed(s, SLICE("EHLO plain.example\r\n"), false), TLS_ERROR);
  assert_int_equal(feed(s, SLICE("GET / HTTP/1.1\r\n\r\n"), false), TLS_ERROR);
  assert_int_equal(feed(s, SLICE("\x16\x03\x01\x00\x04\x01\x00\x00\x00"), false), TLS_ERROR);
  assert_int_equal(feed(s, SLICE("\x16\x03\x01\xff\xff\x01"), false), TLS_ERROR);
  assert_int_equal(feed(s, big_sni(big, 65000), false), TLS_ERROR);
  assert_int_equal(feed(s, big_sni(big, 256), false), TLS_ERROR);
  /* SSL 2 hello (RFC 6176). */
  static const uint8_t ssl2[48] = { 0x80, 46, 1, 0, 2, 0, 21, 0, 0, 0, 16, 1, 0, 0x80, 2, 0, 0x80 };
  assert_int_equal(feed(s, slice_of(ssl2, sizeof ssl2), false), TLS_ERROR);
  /* TL-13: the server waits for the rest of a partial hello; end of file is a close. */
  struct slice hello = big_sni(big, 20);
  assert_int_equal(feed(s, slice_first(hello, 1), false), TLS_WANT_READ);
  assert_int_equal(feed(s, slice_first(hello, 30), false), TLS_WANT_READ);
  assert_int_equal(feed(s, slice_first(hello, 30), true), TLS_CLOSED);
  assert_int_equal(feed(s, SLICE_NONE, true), TLS_CLOSED);
  uint32_t seed = 12345;
  for (int round = 0; round < 300; round++) {
    size_t n = hello.n;
    static uint8_t bent[4096];
    memcpy(bent, hello.p, n);
    for (int i = 0; i < 4; i++) {
      seed = seed * 1664525 + 1013904223;
      bent[(seed >> 8) % n] ^= (uint8_t)(seed >> 24);
    }
    assert_int_not_equal(feed(s, slice_of(bent, n), true), TLS_DONE);
  }
  tls_server_unref(&s);
  kit_free(&kit);
}

/* RFC 9325 §3.5: a client that asks for renegotiation is refused. */
static void no_renegotiation(void **state) {
  (void)state;
  struct kit kit = { 0 };
  kit_add(&kit, EVP_EC_gen("P-256"), "DNS:a.example");
  struct tls_service service = kit_service(&kit, "smtp");
  struct tls_server *s = kit_server(&service);
  SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());
  SSL_CTX_set_max_proto_version(ctx, TLS1_2_VERSION);
  SSL *client = SSL_new(ctx);
  int fds[2], rc = 0;
  kit_sockets(fds);
  SSL_set_fd(client, fds[1]);
  struct tls_conn *c = tls_accept(s, fds[0]);
  for (int i = 0; i < 50 && rc != 1; i++) {
    rc = SSL_connect(client);
    if (rc != 1) tls_handshake(c);
  }
  assert_int_equal(rc, 1);
  assert_int_equal(SSL_renegotiate(client), 1);
  SSL_do_handshake(client);
  char got[16];
  size_t n;
  assert_int_not_equal(tls_read(c, got, sizeof got, &n), TLS_DONE);
  assert_int_equal(kit.asked[KEY_ECDSA], 1);
  SSL_do_handshake(client);
  assert_int_equal(kit.asked[KEY_ECDSA], 1);
  SSL_free(client);
  SSL_CTX_free(ctx);
  tls_conn_free(&c);
  tls_server_unref(&s);
  close(fds[0]);
  close(fds[1]);
  kit_free(&kit);
}

/* --- reload, client's trust --- */

static void reload(void **state) {
  (void)state;
  struct kit old = { 0 }, new = { 0 };
  kit_add(&old, EVP_EC_gen("P-256"), "DNS:a.example");
  kit_add(&new, EVP_EC_gen("P-256"), "DNS:a.example");
  struct tls_service service = kit_service(&old, "smtp");
  struct tls_server *s = kit_server(&service);
  struct tls_client *client = kit_client(&anyone);
  struct pair before = pair_open(s, client, "a.example");
  struct pair half = { 0 }; /* accepted before the reload, its handshake comes after */
  kit_sockets(half.fds);
  half.server = tls_accept(s, half.fds[0]);
  half.client = tls_connect(client, half.fds[1], "a.example");
  struct tls_service again = kit_service(&new, "smtp");
  struct tls_server *next = kit_server(&again);
  tls_server_unref(&s);
  assert_null(s);
  struct pair after = pair_open(next, client, "a.example");
  pair_say(before.server, before.client, "still here\r\n");
  assert_int_equal(certificate_seen(&new, after.client), 0);
  pair_shake(&half);
  assert_int_equal(half.server_result, TLS_DONE);
  assert_int_equal(certificate_seen(&old, half.client), 0);
  pair_close(&before);
  pair_close(&half);
  pair_close(&after);
  tls_server_unref(&next);
  tls_client_free(&client);
  kit_free(&old);
  kit_free(&new);
}

static void client_trust(void **state) {
  (void)state;
  struct kit kit = { 0 }, stranger = { 0 };
  kit_add(&kit, EVP_EC_gen("P-256"), "DNS:mail.example.org,IP:127.0.0.1");
  kit_add(&stranger, EVP_EC_gen("P-256"), "DNS:mail.example.org");
  struct tls_service service = kit_service(&kit, "smtp");
  struct tls_server *s = kit_server(&service);
  struct tls_client_options options = { .trust = TLS_TRUST_GIVEN, .authorities = kit.chains[0] };
  struct tls_client *knows = kit_client(&options);
  options.authorities = stranger.chains[0];
  struct tls_client *other = kit_client(&options);
  options = (struct tls_client_options){ .trust = TLS_TRUST_SYSTEM };
  struct tls_client *system = kit_client(&options);
  struct {
    struct tls_client *c;
    const char *host;
    bool good;
    const char *why;
  } rows[] = {
    { knows, "mail.example.org", true, "" },
    { knows, "127.0.0.1", true, "" },
    { knows, "127.0.0.2", false, "IP address mismatch" },
    { knows, "evil.example", false, "hostname mismatch" },
    { other, "mail.example.org", false, "self-signed certificate" },
    { system, "mail.example.org", false, "self-signed certificate" },
  };
  for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
    struct pair p = pair_open(s, rows[i].c, rows[i].host);
    assert_int_equal(p.client_result, rows[i].good ? TLS_DONE : TLS_ERROR);
    if (!rows[i].good) assert_string_equal(tls_reason(p.client), rows[i].why);
    pair_close(&p);
  }
  struct buf err;
  buf_init(&err, 512);
  options =
      (struct tls_client_options){ .trust = TLS_TRUST_GIVEN, .authorities = SLICE("nothing") };
  assert_null(tls_client_new(&options, &err));
  buf_free(&err);
  tls_client_free(&knows);
  tls_client_free(&other);
  tls_client_free(&system);
  tls_server_unref(&s);
  kit_free(&kit);
  kit_free(&stranger);
}

/* --- a foreign client --- */

/* Accepts one connection and sends a greeting; returns the result of the handshake. */
static enum tls_result serve_one(struct tls_server *s, int listener) {
  struct pollfd p = { .fd = listener, .events = POLLIN };
  if (poll(&p, 1, 10000) != 1) return TLS_ERROR;
  p.fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
  struct tls_conn *c = tls_accept(s, p.fd);
  enum tls_result result = TLS_WANT_READ;
  for (int i = 0; i < 100 && (result == TLS_WANT_READ || result == TLS_WANT_WRITE); i++) {
    result = tls_handshake(c);
    p.events = result == TLS_WANT_WRITE ? POLLOUT : POLLIN;
    if (result != TLS_DONE && poll(&p, 1, 5000) != 1) break;
  }
  size_t n;
  if (result == TLS_DONE) tls_write(c, SLICE("220 greetings\r\n"), &n);
  tls_shutdown(c);
  tls_conn_free(&c);
  shutdown(p.fd, SHUT_WR);
  char rest[512];
  while (poll(&p, 1, 5000) == 1 && recv(p.fd, rest, sizeof rest, 0) > 0) {
  }
  close(p.fd);
  return result;
}

static void s_client(void **state) {
  (void)state;
  if (system("openssl version >/dev/null 2>&1") != 0) skip();
  static const struct {
    const char *options, *expect;
    enum tls_result result;
  } rows[] = {
    { "-tls1_3", "TLSv1.3", TLS_DONE },
    { "-tls1_2", "TLSv1.2", TLS_DONE },
    { "-tls1_2 -sigalgs RSA+SHA256", "TLSv1.2", TLS_DONE },
    { "-tls1_3 -groups P-384", "384 bits", TLS_DONE },
    { "-tls1_1 -cipher DEFAULT@SECLEVEL=0", "alert protocol version", TLS_ERROR },
    { "-tls1_2 -cipher AES128-SHA", "alert handshake failure", TLS_ERROR },
    { "-servername second.example", "second.example", TLS_DONE },
    { "-alpn h2", "no application protocol", TLS_ERROR },
  };
  struct kit kit = { 0 };
  kit_add(&kit, EVP_EC_gen("P-256"), "DNS:first.example");
  kit_add(&kit, EVP_RSA_gen(2048), "DNS:first.example");
  kit_add(&kit, EVP_EC_gen("P-384"), "DNS:second.example");
  struct tls_service service = kit_service(&kit, "smtp");
  service.alpn = "smtp";
  struct tls_server *s = kit_server(&service);
  struct sockaddr_in at = { .sin_family = AF_INET, .sin_addr = { htonl(INADDR_LOOPBACK) } };
  socklen_t n = sizeof at;
  int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  assert_int_equal(bind(listener, (struct sockaddr *)&at, sizeof at), 0);
  assert_int_equal(listen(listener, 8), 0);
  assert_int_equal(getsockname(listener, (struct sockaddr *)&at, &n), 0);
  for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
    char command[512], said[16384];
    const char *sni = strstr(rows[i].options, "-servername") ? "" : "-servername first.example";
    snprintf(command, sizeof command,
             "{ openssl s_client -connect 127.0.0.1:%u %s %s </dev/null | tee /dev/stderr |"
             " openssl x509 -noout -ext subjectAltName; } 2>&1",
             ntohs(at.sin_port), sni, rows[i].options);
    FILE *f = popen(command, "r");
    assert_int_equal(serve_one(s, listener), rows[i].result);
    size_t got = fread(said, 1, sizeof said - 1, f);
    said[got] = 0;
    pclose(f);
    if (!strstr(said, rows[i].expect)) fail_msg("%s: %s", rows[i].options, said);
  }
  close(listener);
  tls_server_unref(&s);
  kit_free(&kit);
}

/* --- what it costs; printed, and checked against a ceiling that holds under sanitizers too --- */

static double cpu_seconds(void) {
  struct timespec t;
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
  return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static SSL *quick_client(SSL_CTX *ctx, int fd) {
  SSL *ssl = SSL_new(ctx);
  SSL_set_fd(ssl, fd);
  return ssl;
}

static void memory_of_idle_connections(void **state) {
  (void)state;
  enum { MANY = 200 };
  struct kit kit = { 0 };
  kit_add(&kit, EVP_EC_gen("P-256"), "DNS:a.example");
  struct tls_service service = kit_service(&kit, "smtp");
  struct tls_server *s = kit_server(&service);
  uint8_t keys[TICKET_KEY_SIZE];
  fill_keys(keys, 1, 3);
  tls_server_tickets(s, slice_of(keys, sizeof keys));
  static struct tls_conn *servers[MANY];
  static int fds[MANY][2];
  SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());
  size_t before = 0, used = 0;
  double cpu = 0;
  for (size_t i = 0; i < MANY; i++) {
    /* the first half warms OpenSSL's own tables */
    if (i == MANY / 2) before = mallinfo2().uordblks;
    kit_sockets(fds[i]);
    SSL *client = quick_client(ctx, fds[i][1]);
    servers[i] = tls_accept(s, fds[i][0]);
    SSL_connect(client);
    double at = cpu_seconds();
    tls_handshake(servers[i]);
    cpu += cpu_seconds() - at;
    assert_int_equal(SSL_connect(client), 1);
    at = cpu_seconds();
    assert_int_equal(tls_handshake(servers[i]), TLS_DONE);
    cpu += cpu_seconds() - at;
    SSL_free(client);
    char got[64];
    size_t n;
    tls_read(servers[i], got, 0, &n);
  }
  used = mallinfo2().uordblks - before;
  print_message(
      "memory of an idle TLS connection: %zu octets of heap; %.0f full handshakes a CPU second "
      "(P-256 signature included)\n",
      used / (MANY / 2), MANY / cpu);
#ifndef __SANITIZE_ADDRESS__
  assert_in_range(used / (MANY / 2), 1024, 24 * 1024);
#endif
  for (size_t i = 0; i < MANY; i++) {
    tls_conn_free(&servers[i]);
    close(fds[i][0]);
    close(fds[i][1]);
  }
  SSL_CTX_free(ctx);
  tls_server_unref(&s);
  kit_free(&kit);
}

int main(void) {
  const struct CMUnitTest tests[] = {
    cmocka_unit_test(every_key),
    cmocka_unit_test(rsa_pkcs1),
    cmocka_unit_test(refused_certificates),
    cmocka_unit_test(refused_signature),
    cmocka_unit_test(talking),
    cmocka_unit_test(close_notify_is_final),
    cmocka_unit_test(due_replies_are_sent),
    cmocka_unit_test(key_updates_end),
    cmocka_unit_test(server_floods_client),
    cmocka_unit_test(a_call_is_bounded),
    cmocka_unit_test(common_name_counts_nothing),
    cmocka_unit_test(which_one_it_can_use),
    cmocka_unit_test(ciphers_for_old_windows),
    cmocka_unit_test(sni),
    cmocka_unit_test(two_kinds_for_one_host),
    cmocka_unit_test(tickets),
    cmocka_unit_test(tickets_1_2),
    cmocka_unit_test(versions_and_ciphers),
    cmocka_unit_test(alpn),
    cmocka_unit_test(junk),
    cmocka_unit_test(no_renegotiation),
    cmocka_unit_test(reload),
    cmocka_unit_test(client_trust),
    cmocka_unit_test(s_client),
    cmocka_unit_test(memory_of_idle_connections),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
