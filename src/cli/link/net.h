/* SPDX-License-Identifier: ISC */
/* A client's blocking connection, and the one loop that drives a client session over it (a `struct
 * proto` that talks to a server: mail/smtp/client.h, mail/pop3/client.h). net.c connects and does
 * TLS; net_run.c is the loop. It knows no protocol. */
#ifndef QASID_CLI_NET_H
#define QASID_CLI_NET_H

#include "lib/tls/tls.h"
#include "runtime/proto/proto.h"
#include "src/cli/base/cli.h"
#include "src/cli/base/url.h"

enum {
  NET_IN_MAX = 256 * 1024,
  NET_SECURE_MS = 5 * 60 * 1000, /* for a TLS handshake as a whole, however slow */
  NET_CONNECT_MS = 60 * 1000,
  NET_CLOSE_MS = 5000,      /* for the remaining output when a session has ended */
  KEY_FILE_MAX = 64 * 1024, /* a certificate with its chain, or a key */
};

struct dns_address;
struct net {
  int fd;
  bool verbose, over;
  bool strict;   /* --starttls */
  bool plain;    /* --no-starttls */
  bool insecure; /* --insecure: the server is not verified */
  struct url url;
  struct buf authorities;
  struct tls_client *client;
  struct tls_conn *tls;
  struct buf in; /* read, not yet taken by the session */
  int secure_ms, connect_ms;
  const struct dns_address *from; /* NULL: any of our addresses */
  uint64_t end_ms;                /* of a handshake, a connect, or the last flush */
  bool closing;                   /* the session has ended; remaining output is sent until end_ms */
  short read_wants, write_wants;  /* what the last read and the last write wait for */
  char error[512];                /* why it is over */
};

/* Connects according to the URL and the command's options (ca, client-cert, client-key, insecure,
 * verbose, starttls, no-starttls), with TLS if the URL says so. Returns the exit code; errors were
 * printed. net_close() is to be called either way. */
int net_open(struct net *n, const struct cli *c, const struct url *url, const char *alpn);
/* The same, to these addresses of the URL's host instead of a look-up. */
struct dns_host;
int net_open_at(struct net *n, const struct cli *c, const struct url *url, const char *alpn,
                const struct dns_host *at);
/* The same without printing: the reason for a failure is in n->error. connect_ms applies to each
 * address; from: the local address (NULL: any). */
int net_try_at(struct net *n, const struct cli *c, const struct url *url, const char *alpn,
               const struct dns_host *at, int connect_ms, const struct dns_address *from);
void net_close(struct net *n);
/* Ends the connection for this reason; the first reason is kept. Returns false. */
__attribute__((format(printf, 2, 3))) bool net_fail(struct net *n, const char *fmt, ...);
/* Starts TLS. False, with n->error. */
bool net_start_tls(struct net *n);
/* Waits for one of the events, or until `until_ms` of the monotonic clock. False: that time has
 * come. */
bool net_poll(struct net *n, short events, uint64_t until_ms);

/* For a new session: its lines are shown if requested, its bindings are this connection's. */
void net_equip(struct net *n, struct proto_trace *ret_trace, struct proto_channel *ret_channel);
/* Shows the first lines of a message, stuffed as on the wire, if requested. who: "C" or "S". */
void net_show_text(const struct net *n, const char *who, struct slice text);

/* --- net_run.c --- */
enum net_idle {
  NET_WAIT, /* for the server */
  NET_GO,   /* the session has more to do now */
  NET_STOP, /* net_run() returns, and may be called again */
};
struct net_driven {
  const struct proto_ops *ops;
  struct proto *session;
  /* Called when the session can do nothing before the server sends something. NULL: it waits. */
  enum net_idle (*idle)(void *arg);
  void *arg;
};
/* Runs the session until it has ended (want is PROTO_CLOSE, and its output has left), or until
 * idle() stops it. Why the connection failed, if it did, is in n->error. */
void net_run(struct net *n, const struct net_driven *d);

#endif
