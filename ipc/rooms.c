#include "ipc/rooms.h"

#include "ipc/auth_store.h"
#include "ipc/cli_room.h"
#include "ipc/collector_auth.h"
#include "ipc/collector_store.h"
#include "ipc/dialer_resolver.h"
#include "ipc/front_auth.h"
#include "ipc/front_keys.h"
#include "ipc/pop3d_store.h"
#include "ipc/sender_keys.h"
#include "ipc/sender_store.h"
#include "ipc/smtpd_store.h"

static const char *const names[ROOM_KINDS] = { "parent", "smtpd", "pop3d", "auth", "keys", "store",
                                               "resolver", "collector", "sender", "cli" };

const char *room_name(enum room_kind kind) {
  return kind < ROOM_KINDS ? names[kind] : "unknown";
}

/* The process graph. Who is not in a row together can't talk. */
const struct ipc_wire ipc_wires[] = {
  { ROOM_SMTPD, ROOM_AUTH,   &ipc_front_auth,  false },
  { ROOM_SMTPD, ROOM_STORE,  &ipc_smtpd_store, false },
  { ROOM_SMTPD, ROOM_KEYS,   &ipc_front_keys,  true },
  { ROOM_POP3D, ROOM_AUTH,   &ipc_front_auth,  false },
  { ROOM_POP3D, ROOM_STORE,  &ipc_pop3d_store, false },
  { ROOM_POP3D, ROOM_KEYS,   &ipc_front_keys,  true },
  { ROOM_AUTH,  ROOM_STORE,  &ipc_auth_store,  false },
  { ROOM_COLLECTOR, ROOM_AUTH, &ipc_collector_auth, false },
  { ROOM_COLLECTOR, ROOM_STORE, &ipc_collector_store, false },
  { ROOM_COLLECTOR, ROOM_RESOLVER, &ipc_dialer_resolver, false },
  { ROOM_SENDER, ROOM_STORE, &ipc_sender_store, false },
  { ROOM_SENDER, ROOM_KEYS, &ipc_sender_keys, false },
  { ROOM_SENDER, ROOM_RESOLVER, &ipc_dialer_resolver, false },
  { ROOM_CLI,   ROOM_PARENT, &ipc_cli_room,    false },
  { ROOM_CLI,   ROOM_SMTPD,  &ipc_cli_room,    false },
  { ROOM_CLI,   ROOM_POP3D,  &ipc_cli_room,    false },
  { ROOM_CLI,   ROOM_AUTH,   &ipc_cli_room,    false },
  { ROOM_CLI,   ROOM_KEYS,   &ipc_cli_room,    false },
  { ROOM_CLI,   ROOM_STORE,  &ipc_cli_room,    false },
  { ROOM_CLI,   ROOM_RESOLVER, &ipc_cli_room,  false },
  { ROOM_CLI,   ROOM_SENDER, &ipc_cli_room,    false },
};
const size_t ipc_wire_count = sizeof ipc_wires / sizeof *ipc_wires;

const struct ipc_wire *ipc_wire_between(enum room_kind a, enum room_kind b) {
  for (size_t i = 0; i < ipc_wire_count; i++) {
    const struct ipc_wire *w = &ipc_wires[i];
    if ((w->left == a && w->right == b) || (w->left == b && w->right == a)) return w;
  }
  return NULL;
}
