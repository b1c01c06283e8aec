/* SPDX-License-Identifier: ISC */
/* Landlock: no file except below one folder, no TCP port except those to be dialled, no signal or
 * abstract socket to processes outside. */
#ifndef QASID_SANDBOX_LANDLOCK_H
#define QASID_SANDBOX_LANDLOCK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { LANDLOCK_PORTS = 4 }; /* the first version that knows TCP ports */

/* The Landlock version of the running kernel: 0 for none. 2 is Linux 5.19, 4 is 6.7, 6 is 6.12. */
int landlock_version(void);
/* Confines the calling thread and those it starts. `folder_fd`: the folder that may be read and
 * written, or -1 for none. `dials`: the TCP ports that may be connected to, from version 4 on.
 * `binds`: a socket may be bound to an address, at a port that the kernel chooses. False with errno
 * set. */
bool landlock_enter(int version, int folder_fd, const uint16_t *dials, size_t dial_count,
                    bool binds);

#endif
