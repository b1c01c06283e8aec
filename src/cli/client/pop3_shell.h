/* SPDX-License-Identifier: ISC */
/* A POP3 client session (mail/pop3/client.h) over a connection that waits: the shell of the command
 * line. */
#ifndef QASID_CLI_POP3_SHELL_H
#define QASID_CLI_POP3_SHELL_H

#include "mail/pop3/client.h"
#include "src/cli/link/net.h"

/* Fills in what the connection and the options --auth, --starttls, --no-starttls and --insecure
 * determine about a session: host, TLS, mechanism, nonce, trace (--verbose), channel. The rest is
 * the caller's. `n` must outlive the session. */
void pop3_shell_start(struct net *n, const struct cli *c, struct pop3_client_start *ret);
/* Runs it to its end. `settle` is called when the session waits only for the sink to settle; it
 * settles everything, one way or the other. NULL for a sink that settles at once. */
void pop3_shell_run(struct net *n, struct pop3_client *p, void (*settle)(void *arg), void *arg);
/* Prints why it ended, unless that is DONE; the exit code. */
int pop3_shell_report(const struct net *n, const struct pop3_client *p);

#endif
