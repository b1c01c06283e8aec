#include "src/roles.h"

#include <string.h>

static const struct role roles[] = {
  { "parent", ROOM_PARENT, parent_main },
  { "smtpd", ROOM_SMTPD, smtpd_main },
  { "pop3d", ROOM_POP3D, pop3d_main },
  { "auth", ROOM_AUTH, auth_main },
  { "keys", ROOM_KEYS, keys_main },
  { "store", ROOM_STORE, store_main },
  { "resolver", ROOM_RESOLVER, resolver_main },
  { "collector", ROOM_COLLECTOR, collector_main },
  { "sender", ROOM_SENDER, sender_main },
  { "cli", ROOM_CLI, cli_main },
};

const struct role *role_named(const char *name) {
  for (size_t i = 0; i < sizeof roles / sizeof *roles; i++)
    if (strcmp(roles[i].name, name) == 0) return &roles[i];
  return NULL;
}
