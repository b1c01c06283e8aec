/* SPDX-License-Identifier: ISC */
/* The roles, from roles.def, and the process graph: one row for each two roles that may have a
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
#include "ipc/pickup_smtpd.h"
#include "ipc/pop3d_store.h"
#include "ipc/sender_keys.h"
#include "ipc/sender_store.h"
#include "ipc/smtpd_store.h"

const struct role_row role_rows[ROLE_COUNT] = {
#define ROLE(id, name_, class_, ...) \
  [ROLE_##id] = { .name = #name_, .class = ROLE_CLASS_##class_, __VA_ARGS__ },
#include "ipc/roles.def"
#undef ROLE
};

const char *role_name(enum role kind) {
  return kind < ROLE_COUNT ? role_rows[kind].name : "unknown";
}

bool role_has_processes(enum role kind) { return role_rows[kind].start > 0; }

void role_put_sysusers(struct buf *out) {
  buf_put_str(out,
              "# A user for each role, from ipc/roles.def by `qasid config sysusers`. A system "
              "without them gives the roles numbers of their own.\n"
              "# The third field is a GECOS: no colon may be in it.\n"
              "#Type Name ID GECOS Home\n"
              "u qasid - \"Qasid mail server\" /var/lib/qasid\n");
  for (enum role r = 0; r < ROLE_COUNT; r++)
    if (role_has_processes(r))
      buf_printf(out, "u qasid-%s - \"Qasid %s\" /\n", role_rows[r].name, role_rows[r].user);
}

static void put_given(struct buf *out, unsigned given) {
  static const struct {
    unsigned bit;
    const char *text;
  } words[] = {
    { ROLE_GIVEN_LISTENERS, "listening sockets" },
    { ROLE_GIVEN_CERTIFICATES, "certificates" },
    { ROLE_GIVEN_PRIVATE_KEYS, "private keys" },
    { ROLE_GIVEN_TICKETS, "keys of TLS tickets" },
    { ROLE_GIVEN_TOKEN_KEYS, "the public keys of `oauth_keys`" },
    { ROLE_GIVEN_NOTES, "a page of notes for the parent" },
  };
  const char *between = "";
  for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
    if (!(given & words[i].bit)) continue;
    buf_printf(out, "%s%s", between, words[i].text);
    between = ", ";
  }
}

void role_put_table(struct buf *out) {
  buf_put_str(out, "| role | processes | folder | may connect to | is given | options |\n"
                   "|---|---|---|---|---|---|\n");
  for (enum role r = 0; r < ROLE_COUNT; r++) {
    const struct role_row *row = &role_rows[r];
    if (!role_has_processes(r)) continue;
    buf_printf(out, "| %s | %s%s%s | %s%s | %s | ", row->name, row->several ? "`" : "one",
               row->several ? row->name : "", row->several ? "_processes`" : "",
               row->folder ? "data_dir/" : "", row->folder ? row->name : "",
               row->dials ? row->dials : "");
    put_given(out, row->given);
    /* the options of every role are listed above the table */
    const char *own = row->options + sizeof ROLE_OPTIONS_ALL - 1;
    buf_printf(out, " | %s |\n", own + (*own == ' '));
  }
}

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
  { ROLE_PICKUP, ROLE_SMTPD, &ipc_pickup_smtpd, false },
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
