/* SPDX-License-Identifier: ISC */
/* SASL (RFC 4422): both sides of each mechanism, as pure state machines over octets already decoded
 * from base64. Shared by SMTP (RFC 4954) and POP3 (RFC 5034), by the server and by the client.
 *
 * The server's side knows no accounts. It parses, and stops with a verdict that says what it needs:
 *
 *   step → CHALLENGE     send `out`, continue with the client's response
 *        → PASSWORD      verify `name` and `password`; the exchange has ended
 *        → SALT          look up the salt of `name`'s password; then sasl_server_salt()
 *        → SECRET        look up `name`'s secret or key; then sasl_server_secret()
 *        → TOKEN         verify `token`; then sasl_server_token()
 *        → CERTIFICATE   find the account of the channel's certificate; the exchange has ended
 *        → OK | WRONG | MALFORMED   the end
 *
 * For an account that does not exist, or has no secret, the caller supplies random octets (known =
 * false): the exchange takes the same course and ends in WRONG. Proofs are compared in constant
 * time. */
#ifndef QASID_SASL_H
#define QASID_SASL_H

#include "lib/base/buf.h"
#include "lib/tls/digest.h"

enum {
  SASL_NAME_MAX = 320,      /* RFC 4616 §2: at least 255 octets must be accepted */
  SASL_PASSWORD_MAX = 1024, /* likewise */
  SASL_MESSAGE_MAX = 12288, /* RFC 4954 §4 */
  SASL_NONCE_MAX = 64,      /* characters */
  SASL_BINDING_MAX = 64,    /* octets of a channel binding */
  SASL_GS2_MAX = 3 * SASL_NAME_MAX + 64 + SASL_BINDING_MAX,
};

struct sasl_server;
struct sasl_client;

enum sasl_verdict {
  SASL_CHALLENGE,
  SASL_PASSWORD,
  SASL_SALT,
  SASL_SECRET,
  SASL_TOKEN,
  SASL_CERTIFICATE,
  SASL_OK,
  SASL_WRONG,
  SASL_MALFORMED,
};
enum sasl_advice {
  SASL_SEND,    /* `out` is the response */
  SASL_GIVE_UP, /* the server broke the mechanism, or failed to prove itself: cancel with "*" */
};

enum sasl_credential { SASL_BY_PASSWORD, SASL_BY_SECRET, SASL_BY_TOKEN, SASL_BY_CERTIFICATE };

/* A row of mechanisms.def, which explains the columns. */
struct sasl_mechanism {
  const char *name;
  bool plaintext;
  enum sasl_credential by;
  bool binds, client_first, server_last;
  enum digest_kind digest;
  const char *spec;
  enum sasl_verdict (*server)(struct sasl_server *s, bool has, struct slice response,
                              struct buf *out);
  enum sasl_advice (*client)(struct sasl_client *c, bool has, struct slice challenge,
                             struct buf *out);
};

/* In the order of preference; ends with a row whose name is NULL. */
extern const struct sasl_mechanism sasl_mechanisms[];
/* By name, in any case. NULL: not known. */
const struct sasl_mechanism *sasl_find(struct slice name);

/* An AUTH command as a trace may show it: the command, the mechanism if it is known (a password may
 * be in its place), "***" for the rest. */
void sasl_put_shown(struct buf *out, struct slice line);

/* --- what a server offers --- */
/* Bit i: row i of the table. */
typedef uint32_t sasl_set;
/* The mechanisms of these names (the option auth_mechanisms); unknown names are left out. */
sasl_set sasl_set_of(const char *const *names, size_t count);
/* The properties of the channel to the client. */
struct sasl_channel {
  /* a password may be sent: the channel is encrypted, or the option plaintext_auth allows it */
  bool may_show;
  bool binds;       /* it has a channel binding */
  bool tokens;      /* it is encrypted, and tokens are configured */
  bool certificate; /* the client has presented a certificate */
};
/* Whether the mechanism may be used here. A server accepts those that it announces, no others. */
bool sasl_usable(const struct sasl_mechanism *m, struct sasl_channel ch);
/* The mechanisms announced here: those that are named, and may be used. Those that need
 * configuration of their own (tokens, certificates) are enabled by that. */
sasl_set sasl_announced(sasl_set named, struct sasl_channel ch);
bool sasl_has(sasl_set set, const struct sasl_mechanism *m);
/* Whether the set contains a mechanism that binds to the channel. */
bool sasl_has_binding(sasl_set set);
/* The names of a set in the order of the table, each between `before` and `after`. */
void sasl_put_names(struct buf *out, sasl_set set, const char *before, const char *after);

/* --- the server's side --- */
struct sasl_server {
  const struct sasl_mechanism *mech;
  uint8_t at;         /* the mechanism's own state */
  struct buf name;    /* authentication identity, as the client sent it */
  struct buf authzid; /* empty: none was given */
  struct buf password;
  struct buf token; /* empty: none was given, which is refused */
  struct buf nonce;
  struct buf challenge;           /* CRAM-MD5: our challenge; SCRAM: the whole nonce */
  struct buf text;                /* SCRAM: AuthMessage (RFC 5802 §3) as far as it is known */
  struct buf proof;               /* what the client sent to prove it knows the secret */
  struct buf gs2;                 /* SCRAM: header and binding, which the last message repeats */
  struct buf exporter, end_point; /* the channel's bindings */
  bool bound_announced; /* a mechanism with channel binding was announced to this client */
};

/* nonce: fresh randomness as text, e.g. 18 octets in base64 (printable, no comma; RFC 5802 §7).
 * host: the server's name, wall_s: the time, for CRAM-MD5's challenge. */
void sasl_server_start(struct sasl_server *s, const struct sasl_mechanism *mech, struct slice nonce,
                       struct slice host, int64_t wall_s);
/* The channel bindings: "tls-exporter" (RFC 9266) and "tls-server-end-point" (RFC 5929 §4), empty
 * if there is none. announced: a mechanism with channel binding was announced; a client that says
 * it could bind but was offered none is then refused, because an attacker has changed the offer
 * (RFC 5802 §6). */
void sasl_server_bind(struct sasl_server *s, struct slice exporter, struct slice end_point,
                      bool announced);
/* Frees and wipes everything the exchange holds. */
void sasl_server_end(struct sasl_server *s);
/* Processes the client's next message. At the first step `has` tells whether it sent an initial
 * response. What is to be sent is put into `out`. */
enum sasl_verdict sasl_server_step(struct sasl_server *s, bool has, struct slice response,
                                   struct buf *out);
/* Answers SASL_SALT. For an unknown name: an invented salt that is the same every time. */
enum sasl_verdict sasl_server_salt(struct sasl_server *s, struct slice salt, uint32_t iterations,
                                   struct buf *out);

/* The keys stored for an account for SCRAM (RFC 5802 §3). */
struct scram_keys {
  uint8_t stored[DIGEST_MAX], server[DIGEST_MAX];
};
/* Derives them from the password, prepared by SASLprep (RFC 5802 §2.2; lib/unicode/prepare.h).
 * Costs `iterations` HMACs. False: OpenSSL failed, or the password has a character that SASLprep
 * prohibits. */
bool scram_keys_derive(enum digest_kind kind, struct slice password, struct slice salt,
                       uint32_t iterations, struct scram_keys *ret);

/* Answers SASL_SECRET: CRAM-MD5 looks at `secret`, SCRAM at `keys`. */
struct sasl_secret {
  bool known;
  struct slice secret;
  const struct scram_keys *keys;
};
enum sasl_verdict sasl_server_secret(struct sasl_server *s, const struct sasl_secret *secret,
                                     struct buf *out);

/* Answers SASL_TOKEN. A refusal goes to the client as a challenge first; its response gets
 * WRONG. */
enum sasl_verdict sasl_server_token(struct sasl_server *s, bool right, struct buf *out);

/* --- the client's side --- */
struct sasl_client {
  const struct sasl_mechanism *mech;
  uint8_t at;
  bool proven; /* the server has proved itself as far as the mechanism requires */
  struct slice name, password, authzid, nonce; /* borrowed until sasl_client_end() */
  const char *binding_type;                    /* NULL: the client does not bind */
  struct slice binding;                        /* borrowed likewise */
  struct slice host;                           /* likewise; empty: not known */
  uint16_t port;
  struct buf text;
  uint8_t expected[DIGEST_MAX]; /* SCRAM: the ServerSignature */
};

/* OAUTHBEARER and XOAUTH2 send the access token that is given as `password`; EXTERNAL needs none.
 */
void sasl_client_start(struct sasl_client *c, const struct sasl_mechanism *mech, struct slice name,
                       struct slice password, struct slice authzid, struct slice nonce);
/* The client can bind to its channel, by this type ("tls-exporter") and these octets. Without -PLUS
 * in the mechanism's name it informs the server that it would have bound, had the server offered it
 * (RFC 5802 §6, "y"). */
void sasl_client_bind(struct sasl_client *c, const char *type, struct slice data);
/* The host and port that the client is connected to, which OAUTHBEARER sends to the server (RFC
 * 7628 §3.1). Optional. */
void sasl_client_at(struct sasl_client *c, struct slice host, uint16_t port);
/* Like sasl_client_bind() with the channel's exporter (empty: there is none), for a server that
 * offers these mechanisms, names separated by spaces. A client that could bind, was offered it and
 * uses another mechanism sends "n" (§6). */
void sasl_client_bind_exporter(struct sasl_client *c, struct slice exporter, struct slice offered);
/* Whether the name is in the list, in any case. */
bool sasl_offers(struct slice offered, const char *name);
/* Puts "AUTH mechanism", with the initial response in base64 ("=" for an empty one) if the
 * mechanism has one and the line with its CRLF stays within line_max. True: the line contains the
 * response. */
bool sasl_put_auth(struct buf *line, const struct sasl_mechanism *m, struct slice response,
                   size_t line_max);
void sasl_client_end(struct sasl_client *c);
/* Makes the client's next message and appends it to `out`. At the first step of a client-first
 * mechanism `has` is false and `out` becomes the initial response. */
enum sasl_advice sasl_client_step(struct sasl_client *c, bool has, struct slice challenge,
                                  struct buf *out);
/* The protocol reported success (235, +OK): whether the client may trust it. */
bool sasl_client_believes(const struct sasl_client *c);

/* Well-formed UTF-8 without NUL (RFC 4616 §2, SAFE). */
bool sasl_safe_utf8(struct slice s);

#endif
