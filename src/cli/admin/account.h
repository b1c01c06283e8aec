/* SPDX-License-Identifier: ISC */
/* An account is a mailbox (store's) and a login (auth's), joined by store's number for it. */
#ifndef QASID_CLI_ACCOUNT_H
#define QASID_CLI_ACCOUNT_H

#include "src/cli/base/cli.h"

struct account_wish {
  struct slice address, password;
  const char *quota; /* NULL: the option's */
  bool legacy;       /* keep the password recoverable too */
  const char *scram; /* "--scram", "--no-scram", or NULL: the option's */
  bool is_hash;      /* `password` is a hash out of another server's database */
};

/* Makes both; when the login cannot be made, the mailbox is removed again. A mailbox that is there
 * without a login gets one. Returns the exit code; errors were printed. */
int account_make(struct cli *c, const struct account_wish *w);
/* Deletes both; the login first, so that nobody logs in while the mail is deleted. Aliases that
 * lost a target are printed. */
int account_delete(struct cli *c, struct slice address);

/* cmd_bulk.c: account passwd and delete with --from FILE. */
int account_passwd_from(struct cli *c, const char *file);
int account_delete_from(struct cli *c, const char *file);

#endif
