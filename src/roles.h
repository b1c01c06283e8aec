/* The roles of the one binary. The parent starts each room by executing itself as
 * `qasid --room NAME` with an empty environment and one descriptor, ROOM_PARENT_FD. */
#ifndef QASID_ROLES_H
#define QASID_ROLES_H

#include "ipc/rooms.h"

struct role {
  const char *name;
  enum room_kind kind;
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
const struct role *role_named(const char *name);

#endif
