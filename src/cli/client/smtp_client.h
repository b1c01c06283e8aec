/* SPDX-License-Identifier: ISC */
/* An SMTP or LMTP client, one command after another. Each step prints on standard error what was
 * refused and returns an exit code: CLI_EXIT_TEMPORARY for 4xx, CLI_EXIT_UNAVAILABLE for 5xx and
 * when the connection is over (net.over). */
#ifndef QASID_CLI_SMTP_CLIENT_H
#define QASID_CLI_SMTP_CLIENT_H

#include "mail/clean.h"
#include "mail/smtp/reply.h"
#include "src/cli/client/net.h"

struct smtp_run {
  struct net net; /* first: see receive_sasl() */
  struct smtp_reply reply;
  bool lmtp, starttls, eight_bit, has_size;
  bool tls_is_gone;    /* --tls-is-gone */
  uint64_t size_limit; /* 0: it announces none */
  char mechanisms[512];
  struct mail_changes changed; /* in the message, before smtp_client_data() reports them */
};

/* Connects, reads the greeting, sends EHLO (LHLO). smtp_client_close() is to be called either
 * way. */
int smtp_client_open(struct smtp_run *s, const struct cli *c, const struct url *url, bool lmtp);
/* STARTTLS where it is offered, as --starttls and --no-starttls have it. A server that had TLS
 * before, and has it no longer, is another one, or an attacker is in between: it is refused, unless
 * --tls-is-gone says that it is well. */
int smtp_client_secure(struct smtp_run *s);
int smtp_client_login(struct smtp_run *s, const char *named, struct slice password);
int smtp_client_mail(struct smtp_run *s, const char *from, uint64_t octets, bool eight_bit);
/* CLI_EXIT_NOT_FOUND: not this recipient. */
int smtp_client_rcpt(struct smtp_run *s, const char *to);
/* The message in wire form; what is changed in it is printed; the last reply is in `reply`. */
int smtp_client_data(struct smtp_run *s, struct slice message);
/* One line and its reply, or (NULL) a reply alone, neither judged nor printed. False: the
 * connection is over, see net.error. */
bool smtp_client_exchange(struct smtp_run *s, const char *line);
/* After a reply of 2yz to EHLO: what it offers. */
void smtp_client_take_ehlo(struct smtp_run *s);
/* A command and a reply of that class (2 or 3). CLI_EXIT_USAGE, and nothing sent: `line` has a CR
 * or LF. */
int smtp_client_ask(struct smtp_run *s, const char *line, unsigned class);
/* Sends QUIT where it can, and frees. */
void smtp_client_close(struct smtp_run *s);

#endif
