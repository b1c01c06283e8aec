/* SPDX-License-Identifier: ISC */
/* The names of the roles, and the process graph: one row for each two roles that may have a
 * channel.
 * Invariant: two roles have at most one row. Roles without a row have no way to send each other
 * anything. */
#include "ipc/roles.h"

#include "ipc/auth_store.h"
#include "ipc/cli_process.h"
#include "ipc/collector_auth.h"
#include "ipc/collector_store.h"
#include "ipc/dialer_resolver.h"
#include "ipc/front_auth.h"
#include "ipc/front_keys.h"
#include "ipc/pop3d_store.h"
#include "ipc/sender_keys.h"
#include "ipc/sender_store.h"
#include "ipc/smtpd_store.h"

static const char *const names[ROLE_COUNT] = { "parent", "smtpd",    "pop3d",     "auth",   "keys",
                                               "store",  "resolver", "collector", "sender", "cli" };

const char *role_name(enum role kind) { return kind < ROLE_COUNT ? names[kind] : "unknown"; }

/* The process graph. Roles that share no row have no channel. */
const struct ipc_wire ipc_wires[] = {
  { ROLE_SMTPD, ROLE_AUTH, &ipc_front_auth, false },
  { ROLE_SMTPD, ROLE_STORE, &ipc_smtpd_store, false },
  { ROLE_SMTPD, ROLE_KEYS, &ipc_front_keys, true },
  { ROLE_POP3D, ROLE_AUTH, &ipc_front_auth, false },
  { ROLE_POP3D, ROLE_STORE, &ipc_pop3d_store, false },
  { ROLE_POP3D, ROLE_KEYS, &ipc_front_keys, true },
  { ROLE_AUTH, ROLE_STORE, &ipc_auth_store, false },
  { ROLE_COLLECTOR, ROLE_AUTH, &ipc_collector_auth, false },
  { ROLE_COLLECTOR, ROLE_STORE, &ipc_collector_store, false },
  { ROLE_COLLECTOR, ROLE_RESOLVER, &ipc_dialer_resolver, false },
  { ROLE_SENDER, ROLE_STORE, &ipc_sender_store, false },
  { ROLE_SENDER, ROLE_KEYS, &ipc_sender_keys, false },
  { ROLE_SENDER, ROLE_RESOLVER, &ipc_dialer_resolver, false },
  { ROLE_CLI, ROLE_PARENT, &ipc_cli_process, false },
  { ROLE_CLI, ROLE_SMTPD, &ipc_cli_process, false },
  { ROLE_CLI, ROLE_POP3D, &ipc_cli_process, false },
  { ROLE_CLI, ROLE_AUTH, &ipc_cli_process, false },
  { ROLE_CLI, ROLE_KEYS, &ipc_cli_process, false },
  { ROLE_CLI, ROLE_STORE, &ipc_cli_process, false },
  { ROLE_CLI, ROLE_RESOLVER, &ipc_cli_process, false },
  { ROLE_CLI, ROLE_SENDER, &ipc_cli_process, false },
};
const size_t ipc_wire_count = sizeof ipc_wires / sizeof *ipc_wires;

const struct ipc_wire *ipc_wire_between(enum role a, enum role b) {
  for (size_t i = 0; i < ipc_wire_count; i++) {
    const struct ipc_wire *w = &ipc_wires[i];
    if ((w->left == a && w->right == b) || (w->left == b && w->right == a)) return w;
  }
  return NULL;
}
