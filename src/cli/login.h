/* A SASL login by either protocol: "AUTH mechanism [initial response]" and the challenges after it are
 * alike in RFC 4954 (SMTP) and RFC 5034 (POP3); what a server's answer looks like is not. */
#ifndef QASID_CLI_LOGIN_H
#define QASID_CLI_LOGIN_H

#include "lib/sasl/sasl.h"
#include "src/cli/net.h"

enum login_answer {
  LOGIN_CHALLENGE, /* its base64 is in the buffer */
  LOGIN_ACCEPTED,
  LOGIN_REFUSED, /* n->error or the server's words are in the buffer */
  LOGIN_OVER,    /* the connection is over, see n->error */
};

/* Reads one answer. The buffer is empty when it is called. */
typedef enum login_answer login_hear(struct net *n, struct buf *ret);

/* offered: the server's mechanisms. line_max: the longest AUTH line with its CRLF. On REFUSED `why` has the reason. */
enum login_answer login_sasl(struct net *n, const struct sasl_mechanism *mech, struct slice user,
                             struct slice offered, struct slice password, size_t line_max, login_hear *hear,
                             struct buf *why);

/* The mechanism to use: the one that was named (user's word in any case), or the best of `offered` (names
 * separated by spaces). Over TLS PLAIN is good enough and works with every account; without, only
 * mechanisms that do not show the password. NULL: none. */
const struct sasl_mechanism *login_choose(struct slice offered, const char *named, bool tls);
/* False: the mechanism proves itself by a certificate, no password is to be asked for. `named` may be NULL. */
bool login_needs_secret(const char *named);
/* True when the name stands in the list. */
bool login_offers(struct slice offered, const char *name);

#endif
