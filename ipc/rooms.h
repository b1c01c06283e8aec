/* The rooms by name, and which of them are joined by a channel. */
#ifndef QASID_IPC_ROOMS_H
#define QASID_IPC_ROOMS_H

#include "ipc/ipc.h"

enum room_kind {
  ROOM_PARENT,
  ROOM_SMTPD,
  ROOM_POP3D,
  ROOM_AUTH,
  ROOM_KEYS,
  ROOM_STORE,
  ROOM_RESOLVER,
  ROOM_COLLECTOR,
  ROOM_SENDER,
  ROOM_CLI,
  ROOM_KINDS
};

const char *room_name(enum room_kind kind);

/* One row of the process graph. */
struct ipc_wire {
  enum room_kind left, right;
  const struct ipc_pair *pair;
  bool blocking; /* the left room asks synchronously, on the bare descriptor */
};
extern const struct ipc_wire ipc_wires[];
extern const size_t ipc_wire_count;
/* The row that joins the two, either way round, or NULL. */
const struct ipc_wire *ipc_wire_between(enum room_kind a, enum room_kind b);

#endif
