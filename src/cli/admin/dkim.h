/* SPDX-License-Identifier: ISC */
/* The keys that mail is signed with, for commands that make a domain or look at one. */
#ifndef QASID_CLI_DKIM_H
#define QASID_CLI_DKIM_H

#include "mail/dkim.h"
#include "src/cli/link/ask.h"

/* A first pair for a domain, or its next; rows as `dkim list` has them are then in `t` (initialized
 * here). The exit code; what failed was said. */
int dkim_make(struct cli *c, const char *domain, struct table *t);
/* The keys of a domain, which may have none, or (NULL) of all. The same. */
int dkim_rows(struct cli *c, const char *domain, struct table *t);
/* A line of a zone file for each row in that state (NULL: in any), with `indent` in front. */
void dkim_print_records(const struct table *t, const char *state, const char *indent);
/* A TXT record that was found has the key of one that is wanted (the tag p=). */
bool dkim_same_key(struct slice found, struct slice wanted);
/* The pair of a domain that is deleted goes. What failed was said. */
int dkim_forget(struct cli *c, const char *domain);

#endif
