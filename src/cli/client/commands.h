/* SPDX-License-Identifier: ISC */
/* The commands that are clients of other servers. */
#ifndef QASID_CLI_CLIENT_COMMANDS_H
#define QASID_CLI_CLIENT_COMMANDS_H

#include "src/cli/base/cli.h"

int cmd_fetch(struct cli *c);
int cmd_send(struct cli *c);

#endif
