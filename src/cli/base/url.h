/* SPDX-License-Identifier: ISC */
/* Parses "pop3s://you@example.org@mail.example.org:995": the server and the user of a client
 * command. */
#ifndef QASID_CLI_URL_H
#define QASID_CLI_URL_H

#include "lib/base/buf.h"

struct url {
  char scheme[8]; /* "pop3", "pop3s", "smtp", "smtps" */
  bool tls;       /* from the first octet */
  char user[321]; /* "": none */
  char host[256]; /* without brackets; or the path of a Unix socket */
  uint16_t port;  /* what the URL says, else the scheme's */
};

/* The schemes are `plain` and `plain` with an "s". The host is what follows the last "@"; in the
 * user, %40 stands for "@" and any octet may be escaped (RFC 3986 §2.1). A password in a URL is
 * refused: the process list would show it. False with a sentence in `err`. */
bool url_parse(const char *text, const char *plain, uint16_t port, uint16_t tls_port,
               struct url *ret, struct buf *err);

/* "localhost" and every name below it: this machine, without a DNS look-up (RFC 6761 §6.3). */
bool url_is_localhost(const char *host);
/* The same, or a loopback address: nobody can listen in between. A name like "127.example.org" is
 * neither. */
bool url_is_loopback(const char *host);

#endif
