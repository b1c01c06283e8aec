/* SPDX-License-Identifier: ISC */
/* The drop folder, seen from the command line (docs/design/pickup.md). */
#ifndef QASID_CLI_DROPS_H
#define QASID_CLI_DROPS_H

#include "conf/conf.h"
#include "lib/base/buf.h"
#include "mail/smtp/client.h"

struct drops {
  size_t waiting, aside;
};

/* Counts the messages there. False: there is no such folder, or this user may not list it. */
bool drops_count(const struct conf *conf, struct drops *ret);
/* Leaves a message there. `domain`: for addresses without one; a letter that could not be read
 * again is refused here. It is durable when this returns CLI_EXIT_OK; otherwise the reason is
 * printed, and nothing of it remains. */
int drops_leave(const char *data_dir, const struct smtp_letter *l, struct slice domain,
                struct slice message);

#endif
