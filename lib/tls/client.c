/* SPDX-License-Identifier: ISC */
/* The client's side of TLS: which authorities it trusts, and which name it expects. */
#include <arpa/inet.h>
#include <openssl/x509v3.h>
#include <stdlib.h>

#include "lib/tls/internal.h"
#include "lib/tls/ossl.h"

struct tls_client {
  SSL_CTX *ctx;
  BIO_METHOD *io;
  bool verify;
  SSL_SESSION *session; /* the latest ticket, with keep_sessions */
};

static bool trust_given(SSL_CTX *ctx, struct slice pem) {
  BIO *bio = ossl_reader(pem);
  X509_STORE *store = SSL_CTX_get_cert_store(ctx);
  bool bad = !bio;
  size_t n = 0;
  X509 *x;
  while (!bad && (x = ossl_next_certificate(bio, &bad)) != NULL) {
    bad = X509_STORE_add_cert(store, x) != 1;
    X509_free(x);
    n++;
  }
  BIO_free(bio);
  /* A server's own certificate may be the one that is trusted. */
  return !bad && n > 0 && X509_STORE_set_flags(store, X509_V_FLAG_PARTIAL_CHAIN) == 1;
}

static bool set_trust(SSL_CTX *ctx, const struct tls_client_options *o, struct buf *err) {
  bool ok = true;
  if (o->trust == TLS_TRUST_GIVEN) ok = trust_given(ctx, o->authorities);
  if (o->trust == TLS_TRUST_SYSTEM) ok = SSL_CTX_set_default_verify_paths(ctx) == 1;
  SSL_CTX_set_verify(ctx, o->trust == TLS_TRUST_ANYONE ? SSL_VERIFY_NONE : SSL_VERIFY_PEER, NULL);
  if (!ok)
    buf_printf(err, "the trusted certificates can't be read: %s", ossl_reason("none in the file"));
  return ok;
}

static bool set_alpn(SSL_CTX *ctx, const char *alpn) {
  uint8_t wire[256];
  struct slice name = slice_str(alpn);
  if (name.n == 0) return true;
  if (name.n > 255) return false;
  wire[0] = (uint8_t)name.n;
  memcpy(wire + 1, name.p, name.n);
  return SSL_CTX_set_alpn_protos(ctx, wire, (unsigned)name.n + 1) == 0; /* 0 is success here */
}

/* A copy: OpenSSL spoils the original when its connection ends without close_notify. */
static int on_session(SSL *ssl, SSL_SESSION *session) {
  struct tls_client *c = SSL_CTX_get_app_data(SSL_get_SSL_CTX(ssl));
  SSL_SESSION_free(c->session);
  c->session = SSL_SESSION_dup(session);
  return 0; /* the reference stays OpenSSL's */
}

struct tls_client *tls_client_new(const struct tls_client_options *o, struct buf *err) {
  ossl_start();
  struct tls_client *c = calloc(1, sizeof *c);
  if (c) c->ctx = SSL_CTX_new(TLS_client_method());
  if (c) c->io = tls_io_method();
  if (!c || !c->ctx || !c->io || !tls_common_setup(c->ctx, o->least, o->ciphers) ||
      !set_alpn(c->ctx, o->alpn)) {
    buf_printf(err, "TLS can't be set up: %s", ossl_reason("no memory"));
    tls_client_free(&c);
    return NULL;
  }
  c->verify = o->trust != TLS_TRUST_ANYONE;
  SSL_CTX_set_app_data(c->ctx, c);
  if (o->keep_sessions) {
    SSL_CTX_set_session_cache_mode(c->ctx, SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
    SSL_CTX_sess_set_new_cb(c->ctx, on_session);
  }
  if (!set_trust(c->ctx, o, err)) tls_client_free(&c);
  return c;
}

void tls_client_free(struct tls_client **pc) {
  struct tls_client *c = *pc;
  *pc = NULL;
  if (!c) return;
  SSL_SESSION_free(c->session);
  SSL_CTX_free(c->ctx);
  BIO_meth_free(c->io);
  free(c);
}

SSL_CTX *tls_client_ctx(struct tls_client *c) { return c->ctx; }

static bool set_host(SSL *ssl, const char *host, bool verify) {
  uint8_t octets[16];
  bool address = inet_pton(AF_INET, host, octets) == 1 || inet_pton(AF_INET6, host, octets) == 1;
  if (!address && SSL_set_tlsext_host_name(ssl, host) != 1) return false;
  if (!verify) return true;
  SSL_set_hostflags(ssl,
                    X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS | X509_CHECK_FLAG_NEVER_CHECK_SUBJECT);
  if (address) return X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(ssl), host) == 1;
  return SSL_set1_host(ssl, host) == 1;
}

struct tls_conn *tls_connect(struct tls_client *c, int fd, const char *host) {
  struct tls_conn *conn = tls_conn_new(c->ctx, c->io, fd);
  if (!conn) return NULL;
  SSL_set_connect_state(conn->ssl);
  if (!set_host(conn->ssl, host, c->verify) ||
      (c->session && SSL_set_session(conn->ssl, c->session) != 1))
    tls_conn_free(&conn);
  ERR_clear_error();
  return conn;
}
