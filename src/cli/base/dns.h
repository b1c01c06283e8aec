/* SPDX-License-Identifier: ISC */
/* The command line's own DNS look-ups. */
#ifndef QASID_CLI_DNS_H
#define QASID_CLI_DNS_H

#include "lib/dns/dns.h"
#include "src/cli/base/cli.h"

/* From the configuration if there is one, else the defaults: fetching mail needs no local server.
 * Valid as long as `c`. False: the configuration is invalid, which was printed. */
bool cli_dns_settings(struct cli *c, struct dns_settings *ret);
/* The exit code for an answer. */
int cli_dns_code(const struct dns_answer *a);
/* Queries DNS from this process, bypassing the running server's cache. The exit code of the query;
 * a failure was printed. */
int cli_dns_ask(const struct dns_settings *settings, const char *name, enum dns_kind kind,
                struct dns_answer *ret);

#endif
