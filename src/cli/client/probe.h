/* SPDX-License-Identifier: ISC */
/* Tests whether a server would accept mail, without sending any. */
#ifndef QASID_CLI_PROBE_H
#define QASID_CLI_PROBE_H

#include "lib/dns/dns.h"
#include "src/cli/base/cli.h"

struct probe {
  const char *hello;     /* our name */
  const char *from, *to; /* as between the angle brackets; without control characters */
  const char *host;
  struct dns_address address, source; /* source.n 0: from any of ours */
  uint16_t port;
  const char *tls; /* "none", "opportunistic", "required", "verified", "implicit" */
  bool lmtp;
  /* Called for each reply: its command, its code (0: there was none), its text, lines separated by
   * " / ". */
  void (*say)(void *arg, const char *command, unsigned code, struct slice text);
  void *arg;
};
/* True: it replied to RCPT. */
bool probe_run(struct cli *c, const struct probe *p);

#endif
