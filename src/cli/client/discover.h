/* SPDX-License-Identifier: ISC */
/* Finds where an address's mail is fetched: RFC 6186, with the checks of its §6 against forged
 * DNS. */
#ifndef QASID_CLI_DISCOVER_H
#define QASID_CLI_DISCOVER_H

#include "src/cli/base/dns.h"

struct discovered {
  bool tls;                 /* _pop3s: from the first octet; else _pop3, and STLS is a must */
  struct dns_answer answer; /* at least one host, in the order to try them */
};

/* Asks for _pop3s._tcp of the address's domain, then _pop3._tcp. A host outside of the domain is
 * used when DNSSEC proves the answer, when --server names it, or when the person at the terminal
 * says yes; others are left out. The exit code; the reason was printed if there is no host. */
int discover_pop3(struct cli *c, const char *address, struct discovered *ret);

#endif
