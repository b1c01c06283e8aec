/* SPDX-License-Identifier: ISC */
/* Finds the POP3 servers for an address: RFC 6186, with the checks of its §6 against forged DNS. */
#ifndef QASID_CLI_DISCOVER_H
#define QASID_CLI_DISCOVER_H

#include "src/cli/base/dns.h"

struct discovered {
  bool tls;                 /* _pop3s: from the first octet; else _pop3, where STLS is required */
  struct dns_answer answer; /* at least one host, in the order to try them */
};

/* Looks up _pop3s._tcp of the address's domain, then _pop3._tcp. A host outside the domain is used
 * if DNSSEC proves the answer, if --server names it, or if the user at the terminal agrees; others
 * are left out. The exit code; if there is no host the reason was printed. */
int discover_pop3(struct cli *c, const char *address, struct discovered *ret);

#endif
