/* SPDX-License-Identifier: ISC */
/* An account is a mailbox (in store) and a login (in auth), linked by store's number for it. */
#ifndef QASID_CLI_ACCOUNT_H
#define QASID_CLI_ACCOUNT_H

#include "src/cli/base/cli.h"

struct account_wish {
  struct slice address, password;
  const char *quota; /* NULL: that of the option */
  bool legacy;       /* also store the password recoverably */
  const char *scram; /* "--scram", "--no-scram", or NULL: as the option says */
  bool is_hash;      /* `password` is a hash from another server's database */
};

/* Creates both; if the login cannot be created, the mailbox is removed again. An existing mailbox
 * without a login gets one. Returns the exit code; errors were printed. */
int account_make(struct cli *c, const struct account_wish *w);
/* Prints a warning for each line of `routes` that is for that account. */
void account_warn_of_routes(struct cli *c, struct slice address, const char *what);
/* Deletes both; the login first, so that nobody logs in while the mail is deleted. Prints aliases
 * that lost a target. */
int account_delete(struct cli *c, struct slice address);

/* cmd_bulk.c: account passwd and delete with --from FILE. */
int account_passwd_from(struct cli *c, const char *file);
int account_delete_from(struct cli *c, const char *file);

#endif
