/* SPDX-License-Identifier: ISC */
/* The roles that this binary can run as: name, number (ipc/roles.h) and main function. A constant
 * table with one row for each role; a name that is in no row is no role. */
#include "src/roles.h"

#include <string.h>

static const struct role_row roles[] = {
  { "parent", ROLE_PARENT, parent_main },
  { "smtpd", ROLE_SMTPD, smtpd_main },
  { "pop3d", ROLE_POP3D, pop3d_main },
  { "auth", ROLE_AUTH, auth_main },
  { "keys", ROLE_KEYS, keys_main },
  { "store", ROLE_STORE, store_main },
  { "resolver", ROLE_RESOLVER, resolver_main },
  { "collector", ROLE_COLLECTOR, collector_main },
  { "sender", ROLE_SENDER, sender_main },
  { "cli", ROLE_CLI, cli_main },
};

const struct role_row *role_row_named(const char *name) {
  for (size_t i = 0; i < sizeof roles / sizeof *roles; i++)
    if (strcmp(roles[i].name, name) == 0) return &roles[i];
  return NULL;
}
