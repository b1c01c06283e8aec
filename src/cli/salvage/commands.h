/* SPDX-License-Identifier: ISC */
/* `qasid salvage`, which needs no server. */
#ifndef QASID_CLI_SALVAGE_COMMANDS_H
#define QASID_CLI_SALVAGE_COMMANDS_H

#include "src/cli/base/cli.h"

int cmd_salvage(struct cli *c);

#endif
