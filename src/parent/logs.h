/* SPDX-License-Identifier: ISC */
/* Logging by the processes: each writes records into a pipe of its own, which is its standard
 * error. The parent reads them, adds the process's name, and passes them on. A process can log
 * false statements about its own work, never in another's name; output that is not a record is
 * logged as plain text.
 *
 * Above log_lines_per_second, a process's lines are counted instead of written. */
#ifndef QASID_PARENT_LOGS_H
#define QASID_PARENT_LOGS_H

#include "src/parent/log_out.h"

enum {
  LOGS_PIPE = 1024 * 1024, /* octets that wait for the parent, if the system allows that many */
  LOGS_BURST_S = 10,       /* a process may log this many seconds' worth of lines at once */
};

struct logs;

struct logs *logs_new(struct loop *loop);
/* Passes on what the processes have written so far, then ends. */
void logs_free(struct logs **l);
/* At the start and at each reload. False: the destination stays as it was. */
bool logs_configure(struct logs *l, const struct conf *conf, struct buf *err);
/* The parent's own log. */
void logs_own(struct logs *l, struct log *log);
/* The descriptor that a new process named `process` writes to; -1 on failure. It is the caller's to
 * close. */
int logs_source(struct logs *l, const char *process);

#endif
