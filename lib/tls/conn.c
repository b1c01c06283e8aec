/* SPDX-License-Identifier: ISC */
/* One TLS connection: see the states in tls.h. Every result of OpenSSL passes through outcome(). */
#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>

#include "lib/tls/internal.h"
#include "lib/tls/ossl.h"

/* --- input that gives OpenSSL work without data --- */

static bool floods(const struct tls_conn *c) { return c->idle_records > TLS_IDLE_RECORDS; }

/* For the words at the end. */
static void note_message(struct tls_conn *c, bool sent, int type, const uint8_t *p, size_t n) {
  if (sent && type == SSL3_RT_HANDSHAKE && n && p[0] == SSL3_MT_CERTIFICATE) c->shown = true;
  if (!sent && type == SSL3_RT_ALERT && n == 2) c->alert = p[1];
}

/* OpenSSL's message callback: KeyUpdate, NewSessionTicket, a TLS 1.2 client that wants to begin
 * anew, alerts. */
static void on_message(int sent, int version, int type, const void *p, size_t n, SSL *ssl,
                       void *arg) {
  (void)version, (void)ssl;
  struct tls_conn *c = arg;
  note_message(c, sent, type, p, n);
  if (sent || !c->open) return;
  if (type == SSL3_RT_HANDSHAKE || type == SSL3_RT_ALERT || type == SSL3_RT_CHANGE_CIPHER_SPEC)
    c->idle_records++;
}

static void data_came(struct tls_conn *c, size_t n) {
  c->paid += n;
  size_t pays = c->paid / TLS_RECORD_PRICE;
  c->paid %= TLS_RECORD_PRICE;
  c->idle_records -= pays < c->idle_records ? (unsigned)pays : c->idle_records;
}

/* --- OpenSSL's view of the descriptor --- */

static int io_write(BIO *bio, const char *p, int n) {
  struct tls_conn *c = BIO_get_data(bio);
  BIO_clear_retry_flags(bio);
  ssize_t done = send(c->fd, p, (size_t)n, MSG_NOSIGNAL | MSG_DONTWAIT);
  if (done >= 0) return (int)done;
  if (errno == EAGAIN || errno == EINTR)
    BIO_set_retry_write(bio);
  else
    c->io_errno = errno;
  return -1;
}

static int io_read(BIO *bio, char *p, int n) {
  struct tls_conn *c = BIO_get_data(bio);
  BIO_clear_retry_flags(bio);
  size_t most = (size_t)n < c->allowance ? (size_t)n : c->allowance;
  ssize_t got = most && !floods(c) ? recv(c->fd, p, most, MSG_DONTWAIT) : -1;
  if (got > 0) {
    c->heard = true;
    c->allowance -= (size_t)got;
    return (int)got;
  }
  /* End of stream is not reported to OpenSSL as an error, because it would then refuse to write.
   * outcome() handles it. */
  if (got == 0) c->eof = true;
  if (got == 0 || most == 0 || floods(c) || errno == EAGAIN || errno == EINTR)
    BIO_set_retry_read(bio);
  else
    c->io_errno = errno;
  return -1;
}

static long io_ctrl(BIO *bio, int cmd, long num, void *ptr) {
  (void)num, (void)ptr;
  const struct tls_conn *c = BIO_get_data(bio);
  if (cmd == BIO_CTRL_EOF) return c && c->eof;
  return cmd == BIO_CTRL_FLUSH;
}

BIO_METHOD *tls_io_method(void) {
  BIO_METHOD *m = BIO_meth_new(BIO_TYPE_SOURCE_SINK | BIO_TYPE_DESCRIPTOR, "connection");
  if (m && BIO_meth_set_write(m, io_write) && BIO_meth_set_read(m, io_read) &&
      BIO_meth_set_ctrl(m, io_ctrl))
    return m;
  BIO_meth_free(m);
  return NULL;
}

struct tls_conn *tls_conn_new(SSL_CTX *ctx, const BIO_METHOD *io, int fd) {
  struct tls_conn *c = calloc(1, sizeof *c);
  if (!c) return NULL;
  c->fd = fd;
  c->ssl = SSL_new(ctx);
  BIO *bio = c->ssl ? BIO_new(io) : NULL;
  if (!bio) {
    SSL_free(c->ssl);
    free(c);
    ERR_clear_error();
    return NULL;
  }
  BIO_set_data(bio, c);
  BIO_set_init(bio, 1);
  SSL_set_bio(c->ssl, bio, bio);
  SSL_set_msg_callback(c->ssl, on_message);
  SSL_set_msg_callback_arg(c->ssl, c);
  return c;
}

void tls_conn_free(struct tls_conn **c) {
  if (!*c) return;
  SSL_free((*c)->ssl);
  tls_server_unref(&(*c)->server);
  free(*c);
  *c = NULL;
}

/* --- the result of a call --- */

static enum tls_result over(struct tls_conn *c, enum tls_result end, const char *reason) {
  c->over = true;
  c->end = end;
  c->reason = reason;
  ERR_clear_error();
  return end;
}

/* The peer sends no more; pending output can still be sent. */
static enum tls_result ended(struct tls_conn *c, const char *reason) {
  if (!c->open) return over(c, TLS_CLOSED, reason);
  c->ended = true;
  c->end = TLS_CLOSED;
  c->reason = reason;
  ERR_clear_error();
  return TLS_CLOSED;
}

/* Alerts by which a certificate is refused (RFC 8446 §6.2), in words for both sides. */
static const struct {
  uint8_t alert;
  const char *by_client, *by_server;
} refusals[] = {
#define R(alert, words)                                  \
  {                                                      \
    alert, "the client refused our certificate: " words, \
        "the server refused our certificate: " words     \
  }
  R(41, "no_certificate"),
  R(42, "bad_certificate (damaged, or its name or signature is not what is wanted)"),
  R(43, "unsupported_certificate"),
  R(44, "certificate_revoked"),
  R(45, "certificate_expired (or not valid yet; one of the clocks may be wrong)"),
  R(46, "certificate_unknown (another reason; its user may have been asked)"),
  R(48, "unknown_ca (who signed it is not known there, or the chain is not whole)"),
  R(113, "bad_certificate_status_response"),
  R(116, "certificate_required"),
#undef R
};

static const char *refusal(const struct tls_conn *c) {
  for (size_t i = 0; i < sizeof refusals / sizeof *refusals; i++)
    if (refusals[i].alert == c->alert)
      return c->server ? refusals[i].by_client : refusals[i].by_server;
  return NULL;
}

bool tls_refused(const struct tls_conn *c) { return c->over && c->end == TLS_ERROR && refusal(c); }

/* The stream ended during the handshake: a port scan sends nothing at all, a client that rejects
 * the certificate may close without an alert. */
static const char *cut_words(const struct tls_conn *c) {
  if (c->open || !c->server) return "cut off without close_notify";
  if (!c->heard) return "the client sent nothing: TLS never began";
  return c->shown ? "the client left when it had seen our certificate, without a word"
                  : "cut off in the handshake";
}

static const char *failure(struct tls_conn *c) {
  if (refusal(c)) return refusal(c);
  long verify = SSL_get_verify_result(c->ssl);
  bool about_peer = ERR_GET_REASON(ERR_peek_error()) == SSL_R_CERTIFICATE_VERIFY_FAILED;
  if (about_peer && verify != X509_V_OK) return X509_verify_cert_error_string(verify);
  return ossl_reason("a failure without a reason");
}

static enum tls_result outcome(struct tls_conn *c, int rc) {
  int what = SSL_get_error(c->ssl, rc);
  if (floods(c)) return over(c, TLS_ERROR, "records without data");
  if (what == SSL_ERROR_WANT_READ) return c->eof ? ended(c, cut_words(c)) : TLS_WANT_READ;
  if (what == SSL_ERROR_WANT_WRITE) return TLS_WANT_WRITE;
  if (what == SSL_ERROR_ZERO_RETURN) return ended(c, "close_notify");
  if (c->io_errno == ECONNRESET || c->io_errno == EPIPE)
    return over(c, TLS_CLOSED, c->open || !c->server ? "connection reset" : cut_words(c));
  if (c->io_errno == ETIMEDOUT) return over(c, TLS_CLOSED, "connection timed out");
  if (c->io_errno) return over(c, TLS_ERROR, "the socket failed");
  return over(c, TLS_ERROR, failure(c));
}

enum tls_result tls_handshake(struct tls_conn *c) {
  if (c->over) return c->end;
  ERR_clear_error();
  c->allowance = TLS_CALL_OCTETS;
  int rc = SSL_do_handshake(c->ssl);
  if (rc != 1) return outcome(c, rc);
  c->open = true;
  return TLS_DONE;
}

/* Takes whole records while more of them have already been read. */
enum tls_result tls_read(struct tls_conn *c, void *to, size_t n, size_t *ret_n) {
  *ret_n = 0;
  if (c->over || c->ended) return c->end;
  ERR_clear_error();
  int rc = 1;
  size_t got = 0;
  c->allowance = TLS_CALL_OCTETS;
  do {
    rc = SSL_read_ex(c->ssl, (uint8_t *)to + *ret_n, n - *ret_n, &got);
    if (rc == 1) {
      *ret_n += got;
      data_came(c, got);
    }
  } while (rc == 1 && *ret_n < n && SSL_has_pending(c->ssl));
  if (rc == 1) return TLS_DONE;
  enum tls_result result = outcome(c, rc);
  /* an end that followed octets is reported by the next call */
  return *ret_n > 0 ? TLS_DONE : result;
}

bool tls_pending(const struct tls_conn *c) {
  return c->over || c->ended || SSL_has_pending(c->ssl);
}

enum tls_result tls_write(struct tls_conn *c, struct slice s, size_t *ret_n) {
  *ret_n = 0;
  if (c->over) return c->end;
  ERR_clear_error();
  c->allowance = TLS_CALL_OCTETS;
  while (*ret_n < s.n) {
    size_t done = 0;
    int rc = SSL_write_ex(c->ssl, s.p + *ret_n, s.n - *ret_n, &done);
    if (rc != 1) return outcome(c, rc);
    *ret_n += done;
  }
  return TLS_DONE;
}

enum tls_result tls_shutdown(struct tls_conn *c) {
  if (c->over) return c->end == TLS_CLOSED ? TLS_DONE : c->end;
  ERR_clear_error();
  c->allowance = 0; /* output only: read nothing */
  int rc = SSL_in_init(c->ssl) ? 0 : SSL_shutdown(c->ssl);
  if (rc < 0) {
    enum tls_result result = outcome(c, rc);
    if (result == TLS_WANT_READ || result == TLS_WANT_WRITE) return result;
  }
  over(c, TLS_CLOSED, "closed by us");
  return TLS_DONE;
}

/* --- what it is --- */

const char *tls_reason(const struct tls_conn *c) { return c->reason ? c->reason : "open"; }
const char *tls_version_name(const struct tls_conn *c) { return SSL_get_version(c->ssl); }
const char *tls_cipher_name(const struct tls_conn *c) { return SSL_get_cipher_name(c->ssl); }
bool tls_resumed(const struct tls_conn *c) { return SSL_session_reused(c->ssl); }

struct slice tls_alpn(const struct tls_conn *c) {
  const unsigned char *p = NULL;
  unsigned n = 0;
  SSL_get0_alpn_selected(c->ssl, &p, &n);
  return slice_of(p, n);
}

/* RFC 9266 §2: label "EXPORTER-Channel-Binding", an empty context, 32 octets; §4.2 forbids it for
 * TLS 1.2 without extended master secret. */
bool tls_binds(const struct tls_conn *c) {
  return SSL_is_init_finished(c->ssl) && SSL_version(c->ssl) >= TLS1_3_VERSION;
}

size_t tls_binding_exporter(struct tls_conn *c, uint8_t *to) {
  static const char label[] = "EXPORTER-Channel-Binding";
  enum { LENGTH = 32 };
  if (!SSL_is_init_finished(c->ssl)) return 0;
  if (SSL_version(c->ssl) < TLS1_3_VERSION && SSL_get_extms_support(c->ssl) != 1) return 0;
  bool ok = SSL_export_keying_material(c->ssl, to, LENGTH, label, sizeof label - 1,
                                       (const uint8_t *)"", 0, 1) == 1;
  ERR_clear_error();
  return ok ? LENGTH : 0;
}

/* RFC 5929 §4.1: the hash of the certificate's own signature; MD5 and SHA-1 become SHA-256;
 * signatures without a hash (Ed25519) have no such binding. A server that resumes no longer knows
 * which of its certificates the first handshake showed, and says so. */
size_t tls_binding_end_point(struct tls_conn *c, uint8_t *to) {
  if (!SSL_is_init_finished(c->ssl) || (SSL_is_server(c->ssl) && SSL_session_reused(c->ssl)))
    return 0;
  X509 *x = SSL_is_server(c->ssl) ? SSL_get_certificate(c->ssl) : SSL_get0_peer_certificate(c->ssl);
  int hash = NID_undef;
  if (!x || !X509_get_signature_info(x, &hash, NULL, NULL, NULL) || hash == NID_undef) return 0;
  if (hash == NID_md5 || hash == NID_sha1) hash = NID_sha256;
  const EVP_MD *md = EVP_get_digestbynid(hash);
  unsigned n = 0;
  bool ok = md && EVP_MD_get_size(md) <= TLS_BINDING_MAX && X509_digest(x, md, to, &n) == 1;
  ERR_clear_error();
  return ok ? n : 0;
}

static size_t fingerprint(X509 *x, uint8_t to[TLS_FINGERPRINT]) {
  unsigned n = 0;
  bool ok = x && X509_digest(x, EVP_sha256(), to, &n) == 1 && n == TLS_FINGERPRINT;
  ERR_clear_error();
  return ok ? n : 0;
}

size_t tls_client_certificate(struct tls_conn *c, int64_t now_s, uint8_t to[TLS_FINGERPRINT]) {
  time_t now = (time_t)now_s;
  if (!SSL_is_init_finished(c->ssl) || !SSL_is_server(c->ssl) || SSL_session_reused(c->ssl))
    return 0;
  X509 *x = SSL_get0_peer_certificate(c->ssl);
  if (!x || X509_cmp_time(X509_get0_notBefore(x), &now) != -1 ||
      X509_cmp_time(X509_get0_notAfter(x), &now) != 1) {
    ERR_clear_error();
    return 0;
  }
  return fingerprint(x, to);
}

bool tls_fingerprint(struct slice pem, uint8_t to[TLS_FINGERPRINT]) {
  bool bad = false;
  ossl_start();
  BIO *bio = ossl_reader(pem);
  X509 *x = bio ? ossl_next_certificate(bio, &bad) : NULL;
  bool ok = fingerprint(x, to) > 0;
  X509_free(x);
  BIO_free(bio);
  ERR_clear_error();
  return ok;
}
