/* SPDX-License-Identifier: ISC */
/* An outgoing connection on the loop: connects to one of several addresses, does TLS, and drives a
 * pure client session (a `struct proto` that talks to a server, such as mail/pop3/client.h). It
 * knows no protocol.
 *
 *   CONNECTING → (SECURING) → TALKING ⇄ SECURING → CLOSING → over()
 *      | next address
 *      +--- none left → over()
 *
 * A certificate is always verified against `host`; this cannot be turned off. No name is looked up
 * and no file is opened here. The owner of the connection frees it, never from inside a function of
 * dial_ops. */
#ifndef QASID_DIAL_H
#define QASID_DIAL_H

#include "lib/ev/loop.h"
#include "runtime/proto/proto.h"
#include "lib/tls/tls.h"

enum {
  DIAL_CONNECT_MS = 15000, /* for each address, unless the target says otherwise */
  DIAL_SECURE_MS = 30000,  /* a TLS handshake */
  DIAL_CLOSE_MS = 5000,    /* for the remaining output at the end */
  DIAL_IN = 64 * 1024,     /* most unread octets that are kept; more than any session leaves
                            * unread */
  DIAL_ADDRESSES_MAX = 64,
  DIAL_WHY_MAX = 240,
};

struct dial_address {
  uint8_t n; /* 4 or 16 */
  uint8_t octets[16];
  uint16_t port;
};

/* How a connection ended. */
enum dial_end {
  DIAL_SESSION_ENDED, /* the session closed it */
  DIAL_NO_ANSWER,     /* no address accepted the connection; no session was made */
  DIAL_NOT_SECURE,    /* the TLS handshake before the session failed; no session was made */
  DIAL_NO_SESSION,    /* ready() had none, or memory ran out */
};

/* The owner of the connection, and its session. */
struct dial_ops {
  /* Connected, and TLS established if tls_first: creates the session. NULL: the connection ends. */
  struct proto *(*ready)(void *arg);
  /* The last call; the connection is closed, and is to be freed later. why: a short text, or "". */
  void (*over)(void *arg, enum dial_end end, const char *why);
  void *arg;
  /* The operations of the session. gone() gets one of CLOSE_PEER_GONE, CLOSE_TLS_FAILED,
   * CLOSE_TLS_INJECTION, CLOSE_NO_MEMORY. */
  const struct proto_ops *session;
};

struct dial_target {
  const struct dial_address *addresses; /* tried in this order; copied */
  size_t count;
  const char *host;       /* the name that the certificate must cover; copied */
  bool tls_first;         /* TLS handshake before the session's first octet */
  struct tls_client *tls; /* must outlive the connection */
  /* the local address to connect from, at any port; copied. NULL: the system's choice */
  const struct dial_address *source;
  uint64_t connect_ms; /* for each address; 0: DIAL_CONNECT_MS */
};

struct dial;
/* Begins to connect; over() is never called from inside. NULL without memory, or without an
 * address. */
struct dial *dial_new(struct loop *loop, const struct dial_target *target,
                      const struct dial_ops *ops);
/* Closes the connection; over() is not called any more. */
void dial_free(struct dial **d);
/* The session has new input from another source: continues at the end of this turn of the loop. */
void dial_wake(struct dial *d);
/* The address that was connected to; n is 0 before. */
struct dial_address dial_peer(const struct dial *d);
/* The errno of the last failed attempt to connect (ETIMEDOUT: no answer in time); 0: none
 * failed. */
int dial_failure(const struct dial *d);
/* The TLS channel bindings, for proto_channel. */
void dial_bindings(struct dial *d, struct proto_bindings *ret);
/* "TLSv1.3", or "" without TLS; kept when the connection has ended. */
const char *dial_tls_version(const struct dial *d);

/* --- trust.c --- */
/* Reads the file of certificate authorities into `to`, before the process is confined. Returns 0 or
 * an errno; octets read before an error remain in `to`. */
int dial_trust_read(const char *path, struct buf *to);

/* --- where.c --- */
/* An IPv4 or IPv6 address in text, without brackets. */
bool dial_address_parse(const char *text, uint16_t port, struct dial_address *ret);
/* False for addresses that only this machine or its network should reach: loopback, private, link-
 * local, multicast, reserved ranges, and IPv6 forms that map to such (RFC 6890, RFC 4291, RFC
 * 6052). */
bool dial_address_is_public(const struct dial_address *a);
/* "192.0.2.1", "2001:db8::1". */
void dial_address_put(const struct dial_address *a, struct buf *out);

#endif
