/* SPDX-License-Identifier: ISC */
/* docs/man/qasid-log.5, from the tables of log events and fields. */
#ifndef QASID_CLI_LOG_MANUAL_H
#define QASID_CLI_LOG_MANUAL_H

#include "lib/base/buf.h"

void cli_log_manual(struct buf *out);

#endif
