/* SPDX-License-Identifier: ISC */
/* TLS on non-blocking descriptors: the server side of a service, connections, and a small client.
 *
 * Implemented with OpenSSL 3, whose types appear only in lib/tls. No file is opened here, so all of
 * it works inside a sandbox without a file system: certificates are passed as octets. The private
 * key is never in the process: each operation on it is requested through the `sign` callback (from
 * the keys process, in the server).
 *
 * Protocol: TLS 1.2 and 1.3 (RFC 8996 deprecates the older), AEAD ciphers with forward secrecy only
 * (Mozilla's "intermediate" without finite-field DHE, which costs the server too much;
 * TLS_CIPHERS_COMPATIBLE adds ECDHE with CBC for old Windows), groups X25519, P-256, P-384, in the
 * server's order. No renegotiation (RFC 9325 §3.5), no compression (§3.3), no session cache and no
 * early data: a session is resumed by a ticket only, and only by the service that issued it.
 *
 *   struct tls_conn:   handshaking → open → ended → over
 *     handshaking → open    tls_handshake() returned TLS_DONE
 *     open        → ended   TLS_CLOSED from tls_read(): the peer sends no more (close_notify,
 *                           or the stream ends); pending output can still be sent (RFC 8446 §6.1)
 *     any         → over    TLS_ERROR from any call, TLS_CLOSED from any but tls_read(), or
 *                           tls_shutdown() returned TLS_DONE
 *
 * `ended` and `over` are final: octets after a close_notify are never read (every later read
 * returns what ended it), so no clear octet can follow an encrypted one.
 *
 * Messages that make OpenSSL work without delivering data (KeyUpdate, 27 octets each) are bounded:
 * TLS_CALL_OCTETS per call, and a connection that sends more than TLS_IDLE_RECORDS such messages
 * not offset by data is over. */
#ifndef QASID_TLS_H
#define QASID_TLS_H

#include "lib/tls/key_use.h"
#include "lib/base/buf.h"

enum {
  TICKET_KEY_SIZE = 80, /* random octets: 16 of name, 32 of cipher key, 32 of MAC key */
  TICKET_KEYS_MAX = 3,  /* newest first */
  TLS_CERTIFICATES_MAX = 256,
  TLS_BINDING_MAX = 64,        /* octets of channel binding */
  TLS_FINGERPRINT = 32,        /* SHA-256 of a certificate */
  TLS_CALL_OCTETS = 64 * 1024, /* read from the descriptor in one call at most */
  TLS_IDLE_RECORDS = 64,       /* TLS messages without data after the handshake … */
  TLS_RECORD_PRICE = 4096,     /* … plus one for each this many octets of data */
};

enum tls_version { TLS_LEAST_1_2, TLS_LEAST_1_3 }; /* as CONF_TLS_1_2, CONF_TLS_1_3 */
/* of TLS 1.2; as the option tls_ciphers */
enum tls_ciphers { TLS_CIPHERS_MODERN, TLS_CIPHERS_COMPATIBLE };

enum tls_result {
  TLS_DONE,
  TLS_WANT_READ,  /* call the same again when the descriptor is readable */
  TLS_WANT_WRITE, /* … writable */
  TLS_CLOSED,     /* the peer sends no more, with or without close_notify */
  TLS_ERROR,      /* see tls_reason() */
};

/* One operation with private key number `key` (the certificate's index in tls_service.chains) on
 * `in`, see enum key_use; the result is put into `out`. False: refused, the handshake fails. Called
 * from inside tls_handshake(). */
struct tls_signer {
  bool (*sign)(void *arg, unsigned key, enum key_use use, struct slice in, struct buf *out);
  void *arg;
};

/* The parameters of a service. Everything is copied. */
struct tls_service {
  const char *name; /* "smtp", "pop3s", …: tickets of one are refused by all others */
  const char *alpn; /* the IANA ALPN id to speak, "smtp" or "pop3"; NULL: ALPN is ignored */
  enum tls_version least;
  enum tls_ciphers ciphers;
  const struct slice *chains; /* PEM: the certificate first, then its chain to the root */
  size_t chain_count;         /* 1 … TLS_CERTIFICATES_MAX */
  struct tls_signer signer;
  uint64_t ticket_life_s; /* how long a ticket resumes */
  bool asks_client;       /* request client certificates; see tls_client_certificate() */
};

struct tls_server; /* shared by its connections: counted references */

/* NULL with a sentence in `err` that names the certificate (counted from 1) and the fault. Refused
 * are Ed25519 and Ed448 certificates, RSA below 2048 bits, and curves other than P-256, P-384,
 * P-521. */
struct tls_server *tls_server_new(const struct tls_service *service, struct buf *err);
/* Releases one reference and sets *s to NULL. Connections hold their own, so after a reload the old
 * certificates live as long as the last connection that was made with them. */
void tls_server_unref(struct tls_server **s);
/* TICKET_KEY_SIZE octets for each key, newest first: the first encrypts, all decrypt. Without keys
 * no tickets are issued. False when the length is invalid; then nothing changes. */
bool tls_server_tickets(struct tls_server *s, struct slice keys);
/* The index of the certificate that a client naming `host` gets (the ECDSA one, if there is one for
 * each kind of key): an exact name of its subjectAltName before a wildcard ("*.example.org" stands
 * for one label, RFC 6125 §6.4.3), else 0. A client that cannot use that kind of key gets the first
 * certificate of the other kind: this serves a sender that does not check the name, and costs one
 * that does nothing. */
unsigned tls_server_pick(const struct tls_server *s, struct slice host);

/* --- the client's side: for outgoing connections, the command line and tests --- */
struct tls_client;

enum tls_trust {
  TLS_TRUST_SYSTEM, /* the system's CAs */
  TLS_TRUST_GIVEN,  /* the PEM certificates in `authorities` only */
  TLS_TRUST_ANYONE, /* no verification: for diagnosis on the local machine */
};

struct tls_client_options {
  enum tls_trust trust;
  struct slice authorities;
  enum tls_version least;
  enum tls_ciphers ciphers;
  const char *alpn;   /* the one protocol to offer; NULL: none */
  bool keep_sessions; /* resume with the latest ticket received */
};

struct tls_client *tls_client_new(const struct tls_client_options *options, struct buf *err);
void tls_client_free(struct tls_client **c);
/* Presents this certificate (PEM, followed by its chain) to servers that request one. False with a
 * sentence in `err`. */
bool tls_client_show(struct tls_client *c, struct slice certificate, struct slice key,
                     struct buf *err);

/* --- connections --- */
struct tls_conn;

/* `fd` is connected and non-blocking; it is borrowed, never closed here. NULL without memory. */
struct tls_conn *tls_accept(struct tls_server *s, int fd);
/* `host`: sent as SNI and verified against the certificate's subjectAltName, never its CN (RFC 9525
 * §6.3); an IP address in text form is verified against the certificate's addresses and not sent
 * (RFC 6066 §3). The client must outlive the connection. */
struct tls_conn *tls_connect(struct tls_client *c, int fd, const char *host);
/* Frees the connection without notifying the peer; see tls_shutdown(). */
void tls_conn_free(struct tls_conn **c);

enum tls_result tls_handshake(struct tls_conn *c);
/* TLS_DONE: 1 … n octets are in `to`. May read ahead: when the descriptor is watched for readiness,
 * call again until it returns TLS_WANT_READ or tls_pending() is false. */
enum tls_result tls_read(struct tls_conn *c, void *to, size_t n, size_t *ret_n);
/* True when octets were read from the descriptor that tls_read() has not returned yet. */
bool tls_pending(const struct tls_conn *c);
/* TLS_DONE: all of `s` was accepted. Otherwise *ret_n octets were (0 … s.n - 1), and the next
 * tls_write() must begin with the octet after them and be no shorter than what was left. */
enum tls_result tls_write(struct tls_conn *c, struct slice s, size_t *ret_n);
/* Sends close_notify, does not wait for the peer's (RFC 8446 §6.1). Valid also after the peer's. */
enum tls_result tls_shutdown(struct tls_conn *c);

/* After TLS_ERROR or TLS_CLOSED: a short reason for a log; never NULL, contains no octet of the
 * peer's. */
const char *tls_reason(const struct tls_conn *c);
/* True when the connection ended because the peer rejected our certificate; tls_reason() says
 * why. */
bool tls_refused(const struct tls_conn *c);
/* "TLSv1.3", "TLS_AES_256_GCM_SHA384": after the handshake; static strings. */
const char *tls_version_name(const struct tls_conn *c);
const char *tls_cipher_name(const struct tls_conn *c);
bool tls_resumed(const struct tls_conn *c);
/* The protocol that ALPN chose, or an empty slice. */
struct slice tls_alpn(const struct tls_conn *c);

/* After the handshake: whether clients expect to bind to "tls-exporter". They do with TLS 1.3 (RFC
 * 9266 §2); with 1.2 they expect "tls-unique" (RFC 5802 §6), which is not safe there (RFC 7627 §1)
 * and not supported here. */
bool tls_binds(const struct tls_conn *c);
/* Channel bindings, into TLS_BINDING_MAX octets each; they return the length, 0 when there is
 * none. */
/* RFC 9266 "tls-exporter": TLS 1.3, or 1.2 with extended master secret (RFC 7627). */
size_t tls_binding_exporter(struct tls_conn *c, uint8_t *to);
/* The certificate that the client presented, and proved to hold the key of, in the handshake of
 * this very connection: its SHA-256 fingerprint, TLS_FINGERPRINT octets. 0: it presented none, or
 * the certificate is not valid at `now_s` (seconds since 1970). Its issuer is not checked: the
 * account that uses it is found by the fingerprint.
 *
 * A client that presented a certificate gets no ticket, so it presents it again the next time; and
 * a resumed connection has none, whatever its ticket contains: an attacker who learned the ticket
 * keys could write any certificate into a ticket. */
size_t tls_client_certificate(struct tls_conn *c, int64_t now_s, uint8_t to[TLS_FINGERPRINT]);
/* The fingerprint of the first certificate in a PEM text. False: there is none. */
bool tls_fingerprint(struct slice pem, uint8_t to[TLS_FINGERPRINT]);
/* RFC 5929 §4 "tls-server-end-point": the hash of the server's certificate. */
size_t tls_binding_end_point(struct tls_conn *c, uint8_t *to);

#endif
