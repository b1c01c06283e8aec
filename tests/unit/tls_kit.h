/* SPDX-License-Identifier: ISC */
/* What the TLS tests share: certificates of any kind made on the spot, keys that sign beside them,
 * and a pair of connections over a socket pair. */
#ifndef QASID_TEST_TLS_KIT_H
#define QASID_TEST_TLS_KIT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <fcntl.h>
#include <openssl/ec.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <sys/socket.h>
#include <unistd.h>

#include "lib/base/wire.h"
#include "lib/tls/key.h"
#include "lib/tls/tls.h"

enum { KIT_KEYS = 8, KIT_ROUNDS = 400 };

/* Certificates and their keys; a tls_signer's arg. */
struct kit {
  struct slice chains[KIT_KEYS];
  struct buf certificates[KIT_KEYS], key_pems[KIT_KEYS];
  struct tls_key *keys[KIT_KEYS];
  size_t count;
  unsigned asked[KEY_USES];
  bool refuse;
};

static inline bool kit_sign(void *arg, unsigned key, enum key_use use, struct slice in,
                            struct buf *out) {
  struct kit *kit = arg;
  kit->asked[use]++;
  return !kit->refuse && key < kit->count && tls_key_sign(kit->keys[key], use, in, out);
}

static inline void kit_put_pem(struct buf *to, X509 *x, EVP_PKEY *key) {
  BIO *bio = BIO_new(BIO_s_mem());
  if (x)
    assert_true(PEM_write_bio_X509(bio, x));
  else
    assert_true(PEM_write_bio_PKCS8PrivateKey(bio, key, NULL, NULL, 0, NULL, NULL));
  char *p;
  long n = BIO_get_mem_data(bio, &p);
  buf_put(to, slice_of(p, (size_t)n));
  BIO_free(bio);
}

/* Takes `pkey`. names: "DNS:a.example,DNS:b.example". Returns its place. */
static inline unsigned kit_add(struct kit *kit, EVP_PKEY *pkey, const char *names) {
  size_t i = kit->count;
  assert_true(i < KIT_KEYS && pkey);
  X509 *x = X509_new();
  X509_set_version(x, X509_VERSION_3);
  ASN1_INTEGER_set(X509_get_serialNumber(x), (long)i + 1);
  X509_NAME_add_entry_by_txt(X509_get_subject_name(x), "CN", MBSTRING_ASC, (const uint8_t *)"test",
                             -1, -1, 0);
  X509_set_issuer_name(x, X509_get_subject_name(x));
  X509_gmtime_adj(X509_getm_notBefore(x), -3600);
  X509_gmtime_adj(X509_getm_notAfter(x), 86400);
  X509_set_pubkey(x, pkey);
  X509_EXTENSION *e = names ? X509V3_EXT_conf_nid(NULL, NULL, NID_subject_alt_name, names) : NULL;
  if (e) X509_add_ext(x, e, -1);
  X509_EXTENSION_free(e);
  assert_true(X509_sign(x, pkey, EVP_PKEY_is_a(pkey, "ED25519") ? NULL : EVP_sha256()) > 0);
  buf_init(&kit->certificates[i], 16384);
  buf_init(&kit->key_pems[i], 16384);
  kit_put_pem(&kit->certificates[i], x, NULL);
  kit_put_pem(&kit->key_pems[i], NULL, pkey);
  kit->chains[i] = buf_slice(&kit->certificates[i]);
  struct buf err;
  buf_init(&err, 1024);
  kit->keys[i] = tls_key_load(buf_slice(&kit->key_pems[i]), &err);
  buf_free(&err);
  X509_free(x);
  EVP_PKEY_free(pkey);
  return (unsigned)kit->count++;
}

static inline void kit_free(struct kit *kit) {
  for (size_t i = 0; i < kit->count; i++) {
    buf_free(&kit->certificates[i]);
    buf_wipe(&kit->key_pems[i]);
    tls_key_free(&kit->keys[i]);
  }
  *kit = (struct kit){ 0 };
}

static inline struct tls_service kit_service(struct kit *kit, const char *name) {
  return (struct tls_service){ .name = name,
                               .chains = kit->chains,
                               .chain_count = kit->count,
                               .signer = { kit_sign, kit },
                               .ticket_life_s = 3600 };
}

static inline struct tls_server *kit_server(const struct tls_service *service) {
  struct buf err;
  buf_init(&err, 1024);
  struct tls_server *s = tls_server_new(service, &err);
  if (!s) fail_msg("%.*s", SLICE_ARG(buf_slice(&err)));
  buf_free(&err);
  return s;
}

static inline struct tls_client *kit_client(const struct tls_client_options *options) {
  struct buf err;
  buf_init(&err, 1024);
  struct tls_client *c = tls_client_new(options, &err);
  if (!c) fail_msg("%.*s", SLICE_ARG(buf_slice(&err)));
  buf_free(&err);
  return c;
}

static inline void kit_sockets(int fds[2]) {
  assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds), 0);
}

/* Both ends of one connection. */
struct pair {
  int fds[2];
  struct tls_conn *server, *client;
  enum tls_result server_result, client_result;
};

static inline void pair_shake(struct pair *p) {
  p->server_result = p->client_result = TLS_WANT_READ;
  for (int i = 0; i < KIT_ROUNDS; i++) {
    if (p->client_result != TLS_DONE) p->client_result = tls_handshake(p->client);
    if (p->server_result != TLS_DONE) p->server_result = tls_handshake(p->server);
    bool waiting = p->client_result == TLS_WANT_READ || p->client_result == TLS_WANT_WRITE ||
                   p->server_result == TLS_WANT_READ || p->server_result == TLS_WANT_WRITE;
    if (!waiting) return;
  }
}

static inline struct pair pair_open(struct tls_server *s, struct tls_client *c, const char *host) {
  struct pair p = { 0 };
  kit_sockets(p.fds);
  p.server = tls_accept(s, p.fds[0]);
  p.client = tls_connect(c, p.fds[1], host);
  assert_non_null(p.server);
  assert_non_null(p.client);
  pair_shake(&p);
  return p;
}

static inline void pair_close(struct pair *p) {
  tls_conn_free(&p->server);
  tls_conn_free(&p->client);
  close(p->fds[0]);
  close(p->fds[1]);
}

/* Sends text one way and reads it on the other side. */
static inline void pair_say(struct tls_conn *from, struct tls_conn *to, const char *text) {
  char got[256];
  size_t n = 0;
  assert_int_equal(tls_write(from, slice_str(text), &n), TLS_DONE);
  assert_int_equal(n, strlen(text));
  assert_int_equal(tls_read(to, got, sizeof got, &n), TLS_DONE);
  assert_int_equal(n, strlen(text));
  assert_memory_equal(got, text, n);
}

#endif
