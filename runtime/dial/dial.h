/* SPDX-License-Identifier: ISC */
/* An outgoing connection on the loop: connects to one of several addresses, speaks TLS, and drives
 * a pure client session (a `struct proto` that talks to a server, as mail/pop3/client.h has it). It
 * knows no protocol.
 *
 *   CONNECTING → (SECURING) → TALKING ⇄ SECURING → CLOSING → over()
 *      | next address
 *      +--- none left → over()
 *
 * A certificate is always held against `host`; there is no way to leave that out. No name is looked
 * up and no file is opened here. Whoever made the connection frees it, never from inside a function
 * of dial_ops. */
#ifndef QASID_DIAL_H
#define QASID_DIAL_H

#include "lib/ev/loop.h"
#include "runtime/proto/proto.h"
#include "lib/tls/tls.h"

enum {
  DIAL_CONNECT_MS = 15000, /* for each address */
  DIAL_SECURE_MS = 30000,  /* a TLS handshake */
  DIAL_CLOSE_MS = 5000,    /* what is left to be sent at the end */
  DIAL_IN = 64 * 1024,     /* unread octets that are kept at most */
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
  DIAL_SESSION_ENDED, /* the session wanted it so */
  DIAL_NO_ANSWER,     /* no address took the connection; no session was made */
  DIAL_NOT_SECURE,    /* TLS before the session did not come to be; none was made */
  DIAL_NO_SESSION,    /* ready() had none, or memory ran out */
};

/* What a session is told of a connection that ends under it. */
enum dial_gone { DIAL_GONE_LOST, DIAL_GONE_INJECTION, DIAL_GONE_TLS };

struct dial_ops {
  /* Connected, and secure when that comes first: makes the session. NULL: the connection ends. */
  struct proto *(*ready)(void *arg);
  void (*input)(void *arg, struct slice *in);
  /* The session has `more` to say, and all that it said is sent. NULL: its kind never has. */
  void (*produce)(void *arg);
  void (*secured)(void *arg);
  void (*tick)(void *arg);
  void (*gone)(void *arg, enum dial_gone why);
  /* The session takes nothing until dial_wake(). */
  bool (*holds)(void *arg);
  /* The last call; the connection is closed, and is to be freed later. why: a few words, or "". */
  void (*over)(void *arg, enum dial_end end, const char *why);
  void *arg;
};

struct dial_target {
  const struct dial_address *addresses; /* tried in this order; copied */
  size_t count;
  const char *host;       /* whose certificate it must be; copied */
  bool tls_first;         /* before the session's first octet */
  struct tls_client *tls; /* must outlive the connection */
  /* from which of our addresses, at any port; copied. NULL: the system's choice */
  const struct dial_address *source;
};

struct dial;
/* Begins to connect; over() is never called from inside. NULL without memory, or without an
 * address. */
struct dial *dial_new(struct loop *loop, const struct dial_target *target,
                      const struct dial_ops *ops);
/* Closes what is open; over() is not called any more. */
void dial_free(struct dial **d);
/* Something was said to the session from elsewhere: goes on, at the end of this turn of the loop.
 */
void dial_wake(struct dial *d);
/* Whose address it became; n is 0 before. */
struct dial_address dial_peer(const struct dial *d);
/* The errno with which the last connection to an address failed (ETIMEDOUT: no answer in time); 0:
 * none did. */
int dial_failure(const struct dial *d);
/* What binds the TLS channel, for proto_channel. */
void dial_bindings(struct dial *d, struct proto_bindings *ret);
/* "TLSv1.3", or "" without TLS. */
const char *dial_tls_version(const struct dial *d);

/* --- trust.c --- */
/* The file of certificate authorities, before the process is confined. Returns 0 or an errno; what
 * there is, is in `to`. */
int dial_trust_read(const char *path, struct buf *to);

/* --- where.c --- */
/* An IPv4 or IPv6 address in text, without brackets. */
bool dial_address_parse(const char *text, uint16_t port, struct dial_address *ret);
/* False for what only this machine or its network should reach: loopback, private, link-local,
 * multicast, reserved ranges, and IPv6 forms that lead to such (RFC 6890, RFC 4291, RFC 6052). */
bool dial_address_is_public(const struct dial_address *a);
/* "192.0.2.1", "2001:db8::1". */
void dial_address_put(const struct dial_address *a, struct buf *out);

#endif
