/* SPDX-License-Identifier: ISC */
/* Where log lines go: standard error (the journal under systemd), syslog, or a file that logrotate
 * may move. Nothing here blocks: lines that the other end does not accept yet are kept up to
 * LOG_OUT_MAX octets; those beyond are lost, counted, and the count is logged once there is room.
 *
 * If the process was started by systemd with the journal as standard error, each line begins with
 * its priority (sd-daemon(3), "<3>") and has no time of its own. */
#ifndef QASID_PARENT_LOG_OUT_H
#define QASID_PARENT_LOG_OUT_H

#include "conf/conf.h"
#include "lib/base/log.h"
#include "lib/ev/loop.h"

enum { LOG_OUT_MAX = 1024 * 1024, LOG_OUT_LINGER_MS = 2000 };

struct log_out;

/* Standard error, until log_out_aim(). NULL without memory. */
struct log_out *log_out_new(struct loop *loop);
/* Writes the remaining lines, for at most LOG_OUT_LINGER_MS. */
void log_out_free(struct log_out **o);
/* Applies `log_to` and `log_format`; a file is reopened, so that one that was moved is released.
 * False if it cannot be opened: the lines go to the former destination. */
bool log_out_aim(struct log_out *o, const struct conf *conf, struct buf *err);
/* One line; the record is well formed. */
void log_out_put(struct log_out *o, const char *process, struct slice record);

#endif
