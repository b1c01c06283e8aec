/* SPDX-License-Identifier: ISC */
/* The commands that bring mail in and out in bulk. */
#ifndef QASID_CLI_MIGRATE_COMMANDS_H
#define QASID_CLI_MIGRATE_COMMANDS_H

#include "src/cli/base/cli.h"

int cmd_export(struct cli *c);
int cmd_import(struct cli *c);
int cmd_migrate(struct cli *c);

#endif
