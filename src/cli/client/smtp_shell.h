/* SPDX-License-Identifier: ISC */
/* An SMTP or LMTP client session (mail/smtp/client.h) on the command line: opened, given one
 * message after another, closed. Failures are printed.
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
  char server[256];            /* its name, from the beginning of its reply to EHLO */
  struct smtp_letter *next;    /* the session has not taken it */
  struct slice message, rest;  /* of the current message; rest: not yet read */
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
/* Greeting, EHLO, STARTTLS, and a login if the URL has a user. A server that had TLS before, and no
 * longer has it, is another one, or an attacker is in between: it is refused, unless the user
 * allows it. */
int smtp_shell_start(struct smtp_shell *s, const struct smtp_shell_start *how);

/* Sends the message in wire form, normalized (mail/clean.h); changes to it are printed. Sets the
 * letter's size; afterwards each recipient has its verdict. */
void smtp_shell_send(struct smtp_shell *s, struct smtp_letter *l, struct slice message);

struct smtp_shell_result {
  int whole;    /* exit code of a failure that concerns all recipients */
  int refused;  /* for refused recipients: CLI_EXIT_NOT_FOUND, or CLI_EXIT_TEMPORARY if one may be
                 * accepted later */
  size_t taken; /* recipients that have it */
  size_t left;  /* recipients to be sent in another transaction ("too many") */
};
/* Prints which recipients were refused, and why. */
struct smtp_shell_result smtp_shell_report(struct smtp_shell *s, const struct smtp_letter *l);

/* It cannot send any more. */
bool smtp_shell_is_over(const struct smtp_shell *s);
/* Sends QUIT if possible, and frees. */
void smtp_shell_close(struct smtp_shell *s);

/* Octets of the message need 8BITMIME (RFC 6152). */
bool smtp_shell_has_eight_bit(struct slice message);

#endif
