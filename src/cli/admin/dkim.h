/* SPDX-License-Identifier: ISC */
/* DKIM keys, for commands that create or examine a domain. */
#ifndef QASID_CLI_DKIM_H
#define QASID_CLI_DKIM_H

#include "mail/dkim.h"
#include "src/cli/link/ask.h"

/* Makes a first pair for a domain, or its next; `t` (initialized here) receives rows as in `dkim
 * list`. The exit code; failures were printed. */
int dkim_make(struct cli *c, const char *domain, struct table *t);
/* The keys of a domain, which may have none, or (NULL) of all. Likewise. */
int dkim_rows(struct cli *c, const char *domain, struct table *t);
/* A line of a zone file for each row in that state (NULL: in any), indented by `indent`. */
void dkim_print_records(const struct table *t, const char *state, const char *indent);
/* True if a TXT record that was found has the same key as the wanted one (the tag p=). */
bool dkim_same_key(struct slice found, struct slice wanted);
/* Removes the keys of a deleted domain. Failures were printed. */
int dkim_forget(struct cli *c, const char *domain);

#endif
