/* SPDX-License-Identifier: ISC */
/* An SMTP or LMTP client session (mail/smtp/client.h) on the command line: opened, given one
 * message after another, closed. What goes wrong is printed.
 *
 *   smtp_shell_open → (net.strict, net.plain may be changed) → smtp_shell_start
 *                   → smtp_shell_send, smtp_shell_report, … → smtp_shell_close */
#ifndef QASID_CLI_SMTP_SHELL_H
#define QASID_CLI_SMTP_SHELL_H

#include "mail/clean.h"
#include "mail/smtp/client.h"
#include "src/cli/link/net.h"

struct smtp_shell {
  struct net net;
  struct smtp_client *session; /* NULL: it was not started */
  bool lmtp, had_tls;          /* had_tls: the server had TLS before */
  char server[256];            /* its name, as its reply to EHLO begins */
  struct smtp_letter *next;    /* the session has not taken it */
  struct slice message, rest;  /* of the message under way; what was not read of it */
  struct mail_clean clean;
  struct mail_changes changed; /* in the message before it was given, and then while it was sent */
};

/* Connects. smtp_shell_close() is to be called either way. */
int smtp_shell_open(struct smtp_shell *s, const struct cli *c, const struct url *url, bool lmtp);

struct smtp_shell_start {
  struct slice password;
  const char *mechanism; /* NULL: the best that is offered */
  bool all_or_none;      /* see smtp_client_policy */
  bool tls_is_gone;      /* --tls-is-gone */
};
/* Greeting, EHLO, STARTTLS, and a login when the URL names a user. A server that had TLS before,
 * and has it no longer, is another one, or an attacker is in between: it is refused, unless the
 * user says that it is well. */
int smtp_shell_start(struct smtp_shell *s, const struct smtp_shell_start *how);

/* Sends the message in wire form, made clean (mail/clean.h); what is changed in it is printed. The
 * letter's size is set; each recipient has its verdict then. */
void smtp_shell_send(struct smtp_shell *s, struct smtp_letter *l, struct slice message);

struct smtp_shell_result {
  int whole;    /* exit code of what concerns all recipients */
  int refused;  /* of recipients that were refused: CLI_EXIT_NOT_FOUND, CLI_EXIT_TEMPORARY if one
                   may be taken later */
  size_t taken; /* recipients that have it */
  size_t left;  /* recipients that the server takes in another transaction ("too many") */
};
/* Prints what was refused, and why. */
struct smtp_shell_result smtp_shell_report(struct smtp_shell *s, const struct smtp_letter *l);

/* Nothing more can be sent by it. */
bool smtp_shell_is_over(const struct smtp_shell *s);
/* Sends QUIT where it can, and frees. */
void smtp_shell_close(struct smtp_shell *s);

/* Octets of the message need 8BITMIME (RFC 6152). */
bool smtp_shell_has_eight_bit(struct slice message);

#endif
