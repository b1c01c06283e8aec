/* SPDX-License-Identifier: ISC */
/* The roles of the one binary. The parent starts each process by executing itself as
 * `qasid --role NAME` with an empty environment and one descriptor, PROCESS_PARENT_FD. */
#ifndef QASID_ROLES_H
#define QASID_ROLES_H

#include "ipc/roles.h"

struct role_row {
  const char *name;
  enum role kind;
  int (*main)(int argc, char **argv);
};

int parent_main(int argc, char **argv);
int smtpd_main(int argc, char **argv);
int pop3d_main(int argc, char **argv);
int auth_main(int argc, char **argv);
int keys_main(int argc, char **argv);
int store_main(int argc, char **argv);
int resolver_main(int argc, char **argv);
int collector_main(int argc, char **argv);
int sender_main(int argc, char **argv);
int cli_main(int argc, char **argv);

/* NULL when there is no such role. */
const struct role_row *role_row_named(const char *name);

#endif
