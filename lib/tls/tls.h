/* SPDX-License-Identifier: ISC */
/* TLS on non-blocking descriptors: the server side of a service, connections, and a small client.
 *
 * OpenSSL 3 behind it; its types appear only in lib/tls. No file is opened here, so all of it works
 * inside a sandbox without a file system: certificates come as octets. The private key is never in
 * the process: each operation on it is asked of the `sign` callback (the keys process, in the
 * server).
 *
 * What is spoken: TLS 1.2 and 1.3 (RFC 8996 ended the older), AEAD ciphers with forward secrecy
 * only (Mozilla's "intermediate" without finite-field DHE, which costs the server too much;
 * TLS_CIPHERS_COMPATIBLE adds ECDHE with CBC for old Windows), groups X25519, P-256, P-384, in the
 * server's order. No renegotiation (RFC 9325 §3.5), no compression (§3.3), no session cache and no
 * early data: a session is resumed by a ticket only, and only by the service that gave it.
 *
 *   struct tls_conn:   handshaking → open → over
 *     handshaking → open   tls_handshake() gave TLS_DONE
 *     open        → ended  TLS_CLOSED from tls_read(): the other side sends no more (close_notify,
 * or its octets just end); what is due to it can still be written (RFC 8446 §6.1) any         →
 * over   TLS_ERROR from any call, TLS_CLOSED from any but tls_read(), or tls_shutdown() gave
 * TLS_DONE Both are final: whatever comes behind a close_notify is never read (every later read
 * gives what ended it), so no clear octet can follow an encrypted one.
 *
 * What makes OpenSSL work without giving data (KeyUpdate, 27 octets each) is bounded:
 * TLS_CALL_OCTETS a call, and a connection that brings more than TLS_IDLE_RECORDS such messages
 * that no data pays for is over. */
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
  TLS_IDLE_RECORDS = 64,       /* messages of TLS itself after the handshake … */
  TLS_RECORD_PRICE = 4096,     /* … besides one for so many octets of data */
};

enum tls_version { TLS_LEAST_1_2, TLS_LEAST_1_3 }; /* as CONF_TLS_1_2, CONF_TLS_1_3 */
/* of TLS 1.2; as the option tls_ciphers */
enum tls_ciphers { TLS_CIPHERS_MODERN, TLS_CIPHERS_COMPATIBLE };

enum tls_result {
  TLS_DONE,
  TLS_WANT_READ,  /* call the same again when the descriptor is readable */
  TLS_WANT_WRITE, /* … writable */
  TLS_CLOSED,     /* the other side sends no more, with or without close_notify */
  TLS_ERROR,      /* tls_reason() says why */
};

/* One operation with private key number `key` (the certificate's place in tls_service.chains) on
 * `in`, see enum key_use; the result is put into `out`. False: refused, the handshake fails. Called
 * from inside tls_handshake(). */
struct tls_signer {
  bool (*sign)(void *arg, unsigned key, enum key_use use, struct slice in, struct buf *out);
  void *arg;
};

/* What a service is made of. Everything is copied. */
struct tls_service {
  const char *name; /* "smtp", "pop3s", …: tickets of one are refused by all others */
  const char *alpn; /* the IANA ALPN id to speak, "smtp" or "pop3"; NULL: ALPN is ignored */
  enum tls_version least;
  enum tls_ciphers ciphers;
  const struct slice *chains; /* PEM: the certificate first, then what leads to its root */
  size_t chain_count;         /* 1 … TLS_CERTIFICATES_MAX */
  struct tls_signer signer;
  uint64_t ticket_life_s; /* how long a ticket resumes */
  bool asks_client;       /* clients are asked for a certificate; see tls_client_certificate() */
};

struct tls_server; /* shared by its connections: counted references */

/* NULL with a sentence in `err` that names the certificate (counted from 1) and what is wrong.
 * Refused are Ed25519 and Ed448 certificates, RSA below 2048 bits, and curves but P-256, P-384,
 * P-521. */
struct tls_server *tls_server_new(const struct tls_service *service, struct buf *err);
struct tls_server *tls_server_ref(struct tls_server *s);
/* Lets go of one reference and sets *s to NULL. Connections hold their own, so after a reload the
 * old certificates live as long as the last connection that was made with them. */
void tls_server_unref(struct tls_server **s);
/* TICKET_KEY_SIZE octets for each key, newest first: the first encrypts, all decrypt. Without keys
 * no tickets are given. False when the length is not right; nothing changes then. */
bool tls_server_tickets(struct tls_server *s, struct slice keys);
/* The place of the certificate that a client naming `host` gets (one that takes ECDSA, when there
 * is one for each kind of key): an exact name of its subjectAltName before a wildcard
 * ("*.example.org" stands for one label, RFC 6125 §6.4.3), else 0. A client that can't use that
 * kind of key gets the first certificate of the other: a sender that does not look at the name is
 * served, one that does is no worse off. */
unsigned tls_server_pick(const struct tls_server *s, struct slice host);

/* --- the client's side: for the command line and for tests --- */
struct tls_client;

enum tls_trust {
  TLS_TRUST_SYSTEM, /* the system's CAs */
  TLS_TRUST_GIVEN,  /* the PEM certificates in `authorities`, and nobody else */
  TLS_TRUST_ANYONE, /* no verification: for diagnosis on one's own machine */
};

struct tls_client_options {
  enum tls_trust trust;
  struct slice authorities;
  enum tls_version least;
  enum tls_ciphers ciphers;
  const char *alpn;   /* the one protocol to offer; NULL: none */
  bool keep_sessions; /* resume with the latest ticket got */
};

struct tls_client *tls_client_new(const struct tls_client_options *options, struct buf *err);
void tls_client_free(struct tls_client **c);
/* Shows this certificate (PEM, with its chain behind it) to servers that ask for one. False with a
 * sentence in `err`. */
bool tls_client_show(struct tls_client *c, struct slice certificate, struct slice key,
                     struct buf *err);

/* --- connections --- */
struct tls_conn;

/* `fd` is connected and non-blocking; it is borrowed, never closed here. NULL without memory. */
struct tls_conn *tls_accept(struct tls_server *s, int fd);
/* `host`: sent as SNI and held against the certificate's subjectAltName, never its CN (RFC 9525
 * §6.3); an IP address in text form is held against the certificate's addresses and not sent (RFC
 * 6066 §3). The client must outlive it. */
struct tls_conn *tls_connect(struct tls_client *c, int fd, const char *host);
/* Frees without a word to the other side; see tls_shutdown(). */
void tls_conn_free(struct tls_conn **c);

enum tls_result tls_handshake(struct tls_conn *c);
/* TLS_DONE: 1 … n octets are in `to`. May read ahead: when the descriptor is watched for readiness,
 * call again until it gives TLS_WANT_READ or tls_pending() says no. */
enum tls_result tls_read(struct tls_conn *c, void *to, size_t n, size_t *ret_n);
/* Octets have been read from the descriptor that tls_read() has not given yet. */
bool tls_pending(const struct tls_conn *c);
/* TLS_DONE: all of `s` is on its way. Otherwise *ret_n octets are (0 … s.n - 1), and the next
 * tls_write() must begin with the octet after them and be of no smaller length than what was left.
 */
enum tls_result tls_write(struct tls_conn *c, struct slice s, size_t *ret_n);
/* Sends close_notify, does not wait for the other side's (RFC 8446 §6.1). Also after the other
 * side's. */
enum tls_result tls_shutdown(struct tls_conn *c);

/* After TLS_ERROR or TLS_CLOSED: a few words for a log; never NULL, no octet of the peer's in it.
 */
const char *tls_reason(const struct tls_conn *c);
/* It ended because the other side would not have our certificate, and tls_reason() says why. */
bool tls_refused(const struct tls_conn *c);
/* "TLSv1.3", "TLS_AES_256_GCM_SHA384": after the handshake; static strings. */
const char *tls_version_name(const struct tls_conn *c);
const char *tls_cipher_name(const struct tls_conn *c);
bool tls_resumed(const struct tls_conn *c);
/* The protocol that ALPN chose, or an empty slice. */
struct slice tls_alpn(const struct tls_conn *c);

/* After the handshake: clients expect "tls-exporter" to be bound to. That is so with TLS 1.3 (RFC
 * 9266 §2); with 1.2 they expect "tls-unique" (RFC 5802 §6), which is not safe there (RFC 7627 §1)
 * and not spoken here.
 * */
bool tls_binds(const struct tls_conn *c);
/* Channel bindings, TLS_BINDING_MAX octets of room each; return the length, 0 when there is none.
 */
/* RFC 9266 "tls-exporter": TLS 1.3, or 1.2 with extended master secret (RFC 7627). */
size_t tls_binding_exporter(struct tls_conn *c, uint8_t *to);
/* The certificate that the client showed and proved to hold the key of, in the handshake of this
 * very connection: its SHA-256 fingerprint, TLS_FINGERPRINT octets. 0: it showed none, or it is not
 * valid at `now_s` (seconds since 1970). Who signed it is nobody's concern here: whoever takes it
 * knows the fingerprint.
 *
 * A client that showed one gets no ticket, so it shows it again the next time; and a resumed
 * connection has none, whatever its ticket says: who learned the ticket keys could write any
 * certificate into one. */
size_t tls_client_certificate(struct tls_conn *c, int64_t now_s, uint8_t to[TLS_FINGERPRINT]);
/* The fingerprint of the first certificate of a PEM text. False: there is none. */
bool tls_fingerprint(struct slice pem, uint8_t to[TLS_FINGERPRINT]);
/* RFC 5929 §4 "tls-server-end-point": the hash of the server's certificate. */
size_t tls_binding_end_point(struct tls_conn *c, uint8_t *to);

#endif
