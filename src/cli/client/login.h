/* SPDX-License-Identifier: ISC */
/* A SASL login by either protocol: "AUTH mechanism [initial response]" and the challenges after it
 * are alike in RFC 4954 (SMTP) and RFC 5034 (POP3); what a server's answer looks like is not. */
#ifndef QASID_CLI_LOGIN_H
#define QASID_CLI_LOGIN_H

#include "mail/sasl/login.h"
#include "src/cli/client/net.h"

enum login_answer {
  LOGIN_CHALLENGE, /* its base64 is in the buffer */
  LOGIN_ACCEPTED,
  LOGIN_REFUSED, /* the server's words are in the buffer */
  LOGIN_UNABLE,  /* nothing was sent: the name or the password does not fit into it */
  /* the server broke the mechanism, or could not prove itself; why is in the buffer */
  LOGIN_BROKEN,
  LOGIN_OVER, /* the connection is over, see n->error */
};

/* Reads one answer. The buffer is empty when it is called. */
typedef enum login_answer login_receive(struct net *n, struct buf *ret);

/* offered: the server's mechanisms. line_max: the longest AUTH line with its CRLF. Unless it was
 * accepted, `why` has the reason. */
enum login_answer login_sasl(struct net *n, const struct sasl_mechanism *mech, struct slice user,
                             struct slice offered, struct slice password, size_t line_max,
                             login_receive *receive, struct buf *why);

/* False: the mechanism proves itself by a certificate, no password is to be asked for. `named` may
 * be NULL. */
bool login_needs_secret(const char *named);

#endif
