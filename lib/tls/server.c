/* SPDX-License-Identifier: ISC */
/* The server side of a service: its certificates, which client gets which, and its tickets.
 *
 * One SSL_CTX holds the certificates for clients that name no host, or one we have no certificate
 * for. For any other the certificate callback puts the right ones into the connection: for each
 * kind of key (ECDSA, RSA) one, so that OpenSSL can choose by what the client verifies.
 *
 * Tickets (RFC 5077 and RFC 8446 §4.6.1) are sealed with AES-256-CBC and HMAC-SHA256 by keys that
 * come from outside, so that all processes of a service share them and they turn without a restart.
 * OpenSSL writes the service's name (the session-id context) into the sealed session and refuses it
 * elsewhere. */
#include <openssl/core_names.h>
#include <openssl/rand.h>
#include <openssl/x509v3.h>
#include <stdlib.h>

#include "lib/tls/internal.h"
#include "lib/tls/names.h"
#include "lib/tls/ossl.h"

enum { CHAIN_MAX = 16, TICKET_NAME = 16, TICKET_CIPHER_KEY = 32, TICKET_MAC_KEY = 32 };
enum { CLIENT_CHAIN_OCTETS = 16 * 1024 }; /* only its first certificate is examined */

struct certificate {
  X509 *x;
  STACK_OF(X509) * chain;
  EVP_PKEY *key;
  enum tls_key_kind kind;
  struct tls_remote remote;
};

struct tls_server {
  unsigned refs;
  SSL_CTX *ctx;
  BIO_METHOD *io;
  struct tls_methods *methods;
  struct certificate *certificates;
  size_t count;
  struct tls_names names;
  int by_default[TLS_KEY_KINDS]; /* certificates for clients that name no known host, or -1 */
  int any[TLS_KEY_KINDS];        /* the first of each kind, or -1 */
  EVP_CIPHER *ticket_cipher;
  uint8_t ticket_keys[TICKET_KEYS_MAX][TICKET_KEY_SIZE];
  size_t ticket_count;
  uint8_t alpn[32]; /* length, name: as in the extension (RFC 7301 §3.1); alpn[0] is 0 when none */
};

/* --- certificates --- */

static bool add_san_names(struct tls_server *s, unsigned i) {
  const struct certificate *c = &s->certificates[i];
  GENERAL_NAMES *names = X509_get_ext_d2i(c->x, NID_subject_alt_name, NULL, NULL);
  bool ok = true;
  for (int n = 0; ok && n < sk_GENERAL_NAME_num(names); n++) {
    int type = 0;
    const ASN1_STRING *value = GENERAL_NAME_get0_value(sk_GENERAL_NAME_value(names, n), &type);
    if (type != GEN_DNS) continue;
    struct slice name = slice_of(ASN1_STRING_get0_data(value), (size_t)ASN1_STRING_length(value));
    ok = tls_names_add(&s->names, name, c->kind, i);
  }
  GENERAL_NAMES_free(names);
  return ok;
}

/* Reads the certificate and its chain. NULL, or what is wrong. */
static const char *read_chain(struct certificate *c, struct slice pem) {
  BIO *bio = ossl_reader(pem);
  bool bad = false;
  c->x = bio ? ossl_next_certificate(bio, &bad) : NULL;
  c->chain = sk_X509_new_null();
  X509 *next = NULL;
  while (c->x && c->chain && (next = ossl_next_certificate(bio, &bad)) != NULL) {
    if (sk_X509_num(c->chain) < CHAIN_MAX && sk_X509_push(c->chain, next) > 0) continue;
    X509_free(next);
    bad = true;
    break;
  }
  BIO_free(bio);
  if (bad) return ossl_reason("its chain has more than 16 certificates");
  if (!c->x) return "there is no certificate in it (a PEM block \"BEGIN CERTIFICATE\")";
  return c->chain ? NULL : "no memory";
}

static const char *load_certificate(struct tls_server *s, const struct tls_service *service,
                                    unsigned i) {
  struct certificate *c = &s->certificates[i];
  const char *why = read_chain(c, service->chains[i]);
  if (why) return why;
  c->remote = (struct tls_remote){ service->signer, i };
  c->key = tls_remote_pkey(s->methods, c->x, &c->remote, &why);
  if (!c->key) return why;
  c->kind = EVP_PKEY_is_a(c->key, "RSA") ? TLS_KEY_RSA : TLS_KEY_EC;
  return add_san_names(s, i) ? NULL : "it has too many names, or there is no memory";
}

static bool load_certificates(struct tls_server *s, const struct tls_service *service,
                              struct buf *err) {
  if (service->chain_count == 0 || service->chain_count > TLS_CERTIFICATES_MAX) {
    buf_put_str(err, "TLS needs between 1 and 256 certificates");
    return false;
  }
  s->certificates = calloc(service->chain_count, sizeof *s->certificates);
  if (!s->certificates) {
    buf_put_str(err, "no memory for certificates");
    return false;
  }
  for (s->count = 0; s->count < service->chain_count;) {
    unsigned i = (unsigned)s->count++;
    const char *why = load_certificate(s, service, i);
    ERR_clear_error();
    if (!why) continue;
    buf_printf(err, "certificate %u can't be served: %s", i + 1, why);
    return false;
  }
  tls_names_sort(&s->names);
  return true;
}

static void keep_lowest(int *at, int certificate) {
  if (certificate >= 0 && (*at < 0 || certificate < *at)) *at = certificate;
}

/* The first certificate, and beside it the first of the other kind of key that shares a name with
 * it; and the first of each kind, for clients that can use no other. */
static void choose_defaults(struct tls_server *s) {
  int found[TLS_KEY_KINDS];
  for (size_t kind = 0; kind < TLS_KEY_KINDS; kind++) s->by_default[kind] = s->any[kind] = -1;
  for (size_t i = 0; i < s->names.count; i++) {
    if (s->names.items[i].certificate != 0) continue;
    tls_names_find(&s->names, s->names.items[i].name, found);
    for (size_t kind = 0; kind < TLS_KEY_KINDS; kind++)
      keep_lowest(&s->by_default[kind], found[kind]);
  }
  for (size_t i = 0; i < s->count; i++) keep_lowest(&s->any[s->certificates[i].kind], (int)i);
  s->by_default[s->certificates[0].kind] = 0;
}

static bool set_defaults(struct tls_server *s) {
  for (size_t kind = 0; kind < TLS_KEY_KINDS; kind++) {
    if (s->by_default[kind] < 0) continue;
    const struct certificate *c = &s->certificates[s->by_default[kind]];
    if (SSL_CTX_use_cert_and_key(s->ctx, c->x, c->key, c->chain, 1) != 1) return false;
  }
  return true;
}

/* --- the handshake's callbacks --- */

static struct slice server_name(const SSL *ssl) {
  return slice_str(SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name));
}

/* An invalid host name ("a\\") ends the handshake: it was made to break something. An unknown name
 * does not: mail servers connect under names that only DNS knows. */
static int on_server_name(SSL *ssl, int *alert, void *arg) {
  (void)arg;
  struct slice name = server_name(ssl);
  if (!name.p) return SSL_TLSEXT_ERR_NOACK;
  *alert = SSL_AD_UNRECOGNIZED_NAME;
  return tls_name_is_sane(name) ? SSL_TLSEXT_ERR_OK : SSL_TLSEXT_ERR_ALERT_FATAL;
}

/* TLS 1.2 names the kind of key in the cipher too. */
static bool has_cipher_for(SSL *ssl, enum tls_key_kind kind) {
  STACK_OF(SSL_CIPHER) *ciphers = SSL_get1_supported_ciphers(ssl),
                       *theirs = SSL_get_client_ciphers(ssl);
  bool has = SSL_version(ssl) >= TLS1_3_VERSION;
  for (int i = 0; !has && i < sk_SSL_CIPHER_num(theirs); i++) {
    const SSL_CIPHER *c = sk_SSL_CIPHER_value(theirs, i);
    has = SSL_CIPHER_get_auth_nid(c) == (kind == TLS_KEY_RSA ? NID_auth_rsa : NID_auth_ecdsa) &&
          sk_SSL_CIPHER_find(ciphers, (SSL_CIPHER *)c) >= 0;
  }
  sk_SSL_CIPHER_free(ciphers);
  return has;
}

/* Does the client verify signatures of this kind of key? */
static bool can_use(SSL *ssl, enum tls_key_kind kind) {
  bool verifies = false;
  int count = SSL_get_shared_sigalgs(ssl, 0, NULL, NULL, NULL, NULL, NULL);
  for (int i = 0; !verifies && i < count; i++) {
    int sign = NID_undef;
    SSL_get_shared_sigalgs(ssl, i, &sign, NULL, NULL, NULL, NULL);
    verifies = (sign == EVP_PKEY_EC) == (kind == TLS_KEY_EC) &&
               (sign == EVP_PKEY_EC || sign == EVP_PKEY_RSA || sign == EVP_PKEY_RSA_PSS);
  }
  return verifies && has_cipher_for(ssl, kind);
}

/* If the client can use none of the certificates found, adds one that it can, if there is one. */
static void add_usable(const struct tls_server *s, SSL *ssl, int found[TLS_KEY_KINDS]) {
  for (size_t kind = 0; kind < TLS_KEY_KINDS; kind++)
    if (found[kind] >= 0 && can_use(ssl, (enum tls_key_kind)kind)) return;
  for (size_t kind = 0; kind < TLS_KEY_KINDS; kind++)
    if (found[kind] < 0) found[kind] = s->any[kind];
}

static int on_certificate(SSL *ssl, void *arg) {
  struct tls_server *s = arg;
  int found[TLS_KEY_KINDS];
  struct slice name = server_name(ssl);
  if (!name.p || !tls_names_find(&s->names, name, found))
    memcpy(found, s->by_default, sizeof found);
  add_usable(s, ssl, found);
  if (memcmp(found, s->by_default, sizeof found) == 0) return 1;
  SSL_certs_clear(ssl);
  for (size_t kind = 0; kind < TLS_KEY_KINDS; kind++) {
    if (found[kind] < 0) continue;
    const struct certificate *c = &s->certificates[found[kind]];
    if (SSL_use_cert_and_key(ssl, c->x, c->key, c->chain, 1) != 1) return 0;
  }
  return 1;
}

/* RFC 7301 §3.2: a server that knows none of the protocols offered SHALL refuse with
 * no_application_protocol. So a browser's "h2" or "http/1.1" never reaches a mail session (ALPACA).
 */
static int on_alpn(SSL *ssl, const unsigned char **out, unsigned char *out_n,
                   const unsigned char *in, unsigned in_n, void *arg) {
  (void)ssl;
  struct tls_server *s = arg;
  struct slice offered = slice_of(in, in_n), ours = slice_of(s->alpn + 1, s->alpn[0]);
  while (offered.n > 0) {
    struct slice one = slice_first(slice_from(offered, 1), (size_t)slice_at(offered, 0));
    offered = slice_from(offered, 1 + one.n);
    if (!slice_eq(one, ours)) continue;
    *out = ours.p;
    *out_n = (unsigned char)ours.n;
    return SSL_TLSEXT_ERR_OK;
  }
  return SSL_TLSEXT_ERR_ALERT_FATAL;
}

/* auth finds the certificate's owner by its fingerprint; OpenSSL verifies that the client has its
 * key. TLS 1.3 tickets are sent after this. */
static int on_client_certificate(X509_STORE_CTX *ctx, void *arg) {
  (void)arg;
  SSL *ssl = X509_STORE_CTX_get_ex_data(ctx, SSL_get_ex_data_X509_STORE_CTX_idx());
  X509_STORE_CTX_set_error(ctx, X509_V_OK);
  return ssl && SSL_set_num_tickets(ssl, 0) == 1;
}

static void ask_client(SSL_CTX *ctx) {
  SSL_CTX_set_verify(ctx, SSL_VERIFY_PEER, NULL);
  SSL_CTX_set_cert_verify_callback(ctx, on_client_certificate, NULL);
  SSL_CTX_set_max_cert_list(ctx, CLIENT_CHAIN_OCTETS);
}

static bool ticket_mac(EVP_MAC_CTX *mac, const uint8_t *key) {
  OSSL_PARAM params[] = {
    OSSL_PARAM_construct_octet_string(OSSL_MAC_PARAM_KEY, (void *)key, TICKET_MAC_KEY),
    OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, (char *)"SHA256", 0),
    OSSL_PARAM_construct_end(),
  };
  return EVP_MAC_CTX_set_params(mac, params) == 1;
}

static const uint8_t *ticket_key(const struct tls_server *s, const uint8_t *name) {
  for (size_t i = 0; i < s->ticket_count; i++)
    if (memcmp(s->ticket_keys[i], name, TICKET_NAME) == 0) return s->ticket_keys[i];
  return NULL;
}

/* Results as SSL_CTX_set_tlsext_ticket_key_evp_cb(3) wants them: 0 no such key, 1 good, 2 good but
 * send a new one: when the key is not the newest, and in TLS 1.3 always, where a client uses a
 * ticket once (RFC 8446 §C.4). */
static int on_ticket(SSL *ssl, unsigned char *name, unsigned char *iv, EVP_CIPHER_CTX *cipher,
                     EVP_MAC_CTX *mac, int sealing) {
  const struct tls_server *s = SSL_CTX_get_app_data(SSL_get_SSL_CTX(ssl));
  const uint8_t *key = sealing ? s->ticket_keys[0] : ticket_key(s, name);
  if (sealing &&
      (s->ticket_count == 0 || RAND_bytes(iv, EVP_CIPHER_get_iv_length(s->ticket_cipher)) != 1))
    return -1;
  /* A client that showed a certificate: in TLS 1.2 an empty ticket (RFC 5077 §3.3). */
  if (!key || (sealing && SSL_get0_peer_certificate(ssl))) return 0;
  if (sealing) memcpy(name, key, TICKET_NAME);
  if (EVP_CipherInit_ex2(cipher, s->ticket_cipher, key + TICKET_NAME, iv, sealing, NULL) != 1 ||
      !ticket_mac(mac, key + TICKET_NAME + TICKET_CIPHER_KEY))
    return -1;
  return sealing || (key == s->ticket_keys[0] && SSL_version(ssl) < TLS1_3_VERSION) ? 1 : 2;
}

bool tls_server_tickets(struct tls_server *s, struct slice keys) {
  if (keys.n == 0 || keys.n % TICKET_KEY_SIZE != 0 || keys.n > sizeof s->ticket_keys) return false;
  explicit_bzero(s->ticket_keys, sizeof s->ticket_keys);
  memcpy(s->ticket_keys, keys.p, keys.n);
  s->ticket_count = keys.n / TICKET_KEY_SIZE;
  SSL_CTX_clear_options(s->ctx, SSL_OP_NO_TICKET);
  /* One is enough: a mail client makes few connections, and each ticket costs a flight's octets. */
  SSL_CTX_set_num_tickets(s->ctx, 1);
  return true;
}

/* --- making and letting go --- */

static bool set_alpn(struct tls_server *s, const char *alpn) {
  struct slice name = slice_str(alpn);
  if (name.n == 0) return true;
  if (name.n >= sizeof s->alpn) return false;
  s->alpn[0] = (uint8_t)name.n;
  memcpy(s->alpn + 1, name.p, name.n);
  SSL_CTX_set_alpn_select_cb(s->ctx, on_alpn, s);
  return true;
}

/* A session-id context has at most 32 octets; the service's name is shorter. */
static bool set_up(struct tls_server *s, const struct tls_service *service) {
  struct slice name = slice_str(service->name);
  s->ctx = SSL_CTX_new(TLS_server_method());
  s->io = tls_io_method();
  s->methods = tls_methods_new();
  s->ticket_cipher = EVP_CIPHER_fetch(NULL, "AES-256-CBC", NULL);
  if (!s->ctx || !s->io || !s->methods || !s->ticket_cipher ||
      !tls_common_setup(s->ctx, service->least, service->ciphers))
    return false;
  SSL_CTX_set_app_data(s->ctx, s);
  SSL_CTX_set_options(s->ctx, SSL_OP_NO_TICKET);
  SSL_CTX_set_num_tickets(s->ctx, 0);
  SSL_CTX_set_timeout(s->ctx, (long)service->ticket_life_s);
  SSL_CTX_set_tlsext_servername_callback(s->ctx, on_server_name);
  SSL_CTX_set_cert_cb(s->ctx, on_certificate, s);
  if (service->asks_client) ask_client(s->ctx);
  return SSL_CTX_set_tlsext_ticket_key_evp_cb(s->ctx, on_ticket) == 1 &&
         set_alpn(s, service->alpn) &&
         SSL_CTX_set_session_id_context(s->ctx, name.p, (unsigned)name.n) == 1;
}

struct tls_server *tls_server_new(const struct tls_service *service, struct buf *err) {
  ossl_start();
  struct tls_server *s = calloc(1, sizeof *s);
  if (!s) {
    buf_put_str(err, "no memory for TLS");
    return NULL;
  }
  s->refs = 1;
  tls_names_init(&s->names);
  if (!set_up(s, service)) {
    buf_printf(err, "TLS can't be set up: %s", ossl_reason("no memory"));
    tls_server_unref(&s);
    return NULL;
  }
  if (!load_certificates(s, service, err)) {
    tls_server_unref(&s);
    return NULL;
  }
  choose_defaults(s);
  if (!set_defaults(s)) {
    buf_printf(err, "certificate 1 can't be served: %s", ossl_reason("no memory"));
    tls_server_unref(&s);
  }
  return s;
}

static struct tls_server *tls_server_ref(struct tls_server *s) {
  s->refs++;
  return s;
}

void tls_server_unref(struct tls_server **ps) {
  struct tls_server *s = *ps;
  *ps = NULL;
  if (!s || --s->refs > 0) return;
  SSL_CTX_free(s->ctx);
  for (size_t i = 0; i < s->count; i++) {
    X509_free(s->certificates[i].x);
    sk_X509_pop_free(s->certificates[i].chain, X509_free);
    EVP_PKEY_free(s->certificates[i].key);
  }
  free(s->certificates);
  tls_names_done(&s->names);
  tls_methods_free(&s->methods);
  BIO_meth_free(s->io);
  EVP_CIPHER_free(s->ticket_cipher);
  explicit_bzero(s->ticket_keys, sizeof s->ticket_keys);
  free(s);
}

unsigned tls_server_pick(const struct tls_server *s, struct slice host) {
  int found[TLS_KEY_KINDS];
  if (!tls_names_find(&s->names, host, found)) return 0;
  return (unsigned)(found[TLS_KEY_EC] >= 0 ? found[TLS_KEY_EC] : found[TLS_KEY_RSA]);
}

struct tls_conn *tls_accept(struct tls_server *s, int fd) {
  struct tls_conn *c = tls_conn_new(s->ctx, s->io, fd);
  if (!c) return NULL;
  c->server = tls_server_ref(s);
  SSL_set_accept_state(c->ssl);
  return c;
}
