/* SPDX-License-Identifier: ISC */
/* The roles by name, and which of them are connected by a channel. */
#ifndef QASID_IPC_ROLES_H
#define QASID_IPC_ROLES_H

#include "ipc/ipc.h"

enum role {
  ROLE_PARENT,
  ROLE_SMTPD,
  ROLE_POP3D,
  ROLE_AUTH,
  ROLE_KEYS,
  ROLE_STORE,
  ROLE_RESOLVER,
  ROLE_COLLECTOR,
  ROLE_SENDER,
  ROLE_CLI,
  ROLE_COUNT
};

const char *role_name(enum role kind);

/* One row of the process graph. */
struct ipc_wire {
  enum role left, right;
  const struct ipc_pair *pair;
  bool blocking; /* the left process sends requests synchronously, on the bare descriptor */
};
extern const struct ipc_wire ipc_wires[];
extern const size_t ipc_wire_count;
/* The row of the two roles, in either order, or NULL. */
const struct ipc_wire *ipc_wire_between(enum role a, enum role b);

#endif
