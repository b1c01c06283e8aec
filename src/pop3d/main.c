/* SPDX-License-Identifier: ISC */
/* pop3d: the shell of runtime/front with POP3 sessions. */
#include "ipc/pop3d_store.h"
#include "src/pop3d/files.h"
#include "src/pop3d/session.h"
#include "src/roles.h"

#include <stdlib.h>

/* Assumed until auth reports it: a client that only supports APOP must not be turned away by a
 * process that has just started. */
static struct pop3d_facts facts = { .apop = true };

static void notice(unsigned role, uint16_t type, struct slice payload) {
  pop3d_facts_take(&facts, role, type, payload);
}

static void *service_new(const struct conf *conf, const char *service, bool has_certificate) {
  struct pop3d_service *shared = calloc(1, sizeof *shared);
  if (shared) pop3d_service_init(shared, conf, service, has_certificate, &facts);
  return shared;
}

static void service_free(void **service) {
  free(*service);
  *service = NULL;
}

static void busy(const void *service, struct buf *out) {
  buf_put_str(out, "-ERR [SYS/TEMP] too many connections, try again later\r\n");
}

int pop3d_main(int argc, char **argv) {
  static const struct front_role role = {
    .kind = ROLE_POP3D,
    .ops = &pop3d_session_ops,
    .files = { POP_AHEAD_MAX, pop3d_files_ask, pop3d_files_take, pop3d_files_free },
    .in_use_type = pop_keep_type,
    .alpn = "pop3",
    .service_new = service_new,
    .service_free = service_free,
    .busy = busy,
    .notice = notice,
  };
  return front_run(&role);
}
