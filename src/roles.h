/* SPDX-License-Identifier: ISC */
/* The roles of the one binary. The parent starts each process by executing itself as
 * `qasid --role NAME` with an empty environment and one descriptor, PROCESS_PARENT_FD. */
#ifndef QASID_ROLES_H
#define QASID_ROLES_H

#include "ipc/roles.h"

typedef int role_main_fn(int argc, char **argv);

/* parent_main(), smtpd_main(), … */
#define ROLE(id, name, ...) int name##_main(int argc, char **argv);
#include "ipc/roles.def"
#undef ROLE

/* NULL when there is no such role. */
role_main_fn *role_main_named(const char *name);

#endif
