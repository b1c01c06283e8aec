/* SPDX-License-Identifier: ISC */
/* A client's connection: lines out and in, TLS from the start or later, every line shown when
 * asked. */
#ifndef QASID_CLI_NET_H
#define QASID_CLI_NET_H

#include "lib/tls/tls.h"
#include "src/cli/base/cli.h"
#include "src/cli/base/url.h"

enum {
  NET_IN_MAX = 256 * 1024,
  NET_TIMEOUT_MS = 5 * 60 * 1000 /* RFC 5321 §4.5.3.2 */,
  NET_CONNECT_MS = 60 * 1000,
  NET_LEAST_RATE = 1024,
  KEY_FILE_MAX = 64 * 1024, /* a certificate with its chain, or a key */
};

struct dns_address;
struct net {
  int fd;
  bool verbose, over;
  bool strict;   /* --starttls */
  bool plain;    /* --no-starttls */
  bool insecure; /* --insecure: anyone can be the server */
  struct url url;
  struct buf authorities;
  struct tls_client *client;
  struct tls_conn *tls;
  struct buf in; /* read, not yet taken: net_taken() */
  /* for a handshake, for the next octets, and (smtp_client.h) for a reply: each in all, however it
   * trickles */
  int timeout_ms;
  unsigned least_rate; /* octets a second that the other side takes, besides that time */
  uint64_t end_ms;     /* of what is being done */
  int connect_ms;
  const struct dns_address *from; /* NULL: any of our addresses */
  bool late;                      /* it is over because nothing came in that time */
  char error[512];                /* why it is over */
};

/* Connects as the URL and the command's options (ca, client-cert, client-key, insecure, verbose,
 * starttls, no-starttls) say, with TLS when the URL wants it. Returns the exit code; what was wrong
 * was said. net_close() is to be called either way. */
int net_open(struct net *n, const struct cli *c, const struct url *url, const char *alpn);
/* The same, to these addresses of the URL's host rather than to those that the system knows. */
struct dns_host;
int net_open_at(struct net *n, const struct cli *c, const struct url *url, const char *alpn,
                const struct dns_host *at);
/* The same without printing: the reason for a failure is in n->error. So many milliseconds for each
 * address; from that one of ours (NULL: any). */
int net_try_at(struct net *n, const struct cli *c, const struct url *url, const char *alpn,
               const struct dns_host *at, int connect_ms, const struct dns_address *from);
void net_close(struct net *n);
/* TLS from here on. False, with n->error: also when the other side had already sent something that
 * would be taken for a part of the secured conversation (CVE-2011-0411). */
bool net_start_tls(struct net *n);
/* Sends it all. */
bool net_write(struct net *n, struct slice s);
/* Waits for more octets in n->in. */
bool net_fill(struct net *n);
/* Shows a line of the conversation on standard error, when asked to. */
void net_show(const struct net *n, const char *who, struct slice line);
/* The first lines of a message, stuffed as on the wire. */
void net_show_text(const struct net *n, const char *who, struct slice text);
/* Sends a line with its CRLF; shows `shown` in its place when that is not NULL. */
bool net_line(struct net *n, struct slice line, const char *shown);

#endif
