/* SPDX-License-Identifier: ISC */
/* Landlock: no file but below one folder, no TCP port but those to be dialled, no signal or
 * abstract socket to the outside. */
#ifndef QASID_SANDBOX_LANDLOCK_H
#define QASID_SANDBOX_LANDLOCK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { LANDLOCK_PORTS = 4 }; /* the first version that knows TCP ports */

/* The version that the running kernel speaks: 0 for none. 2 is Linux 5.19, 4 6.7, 6 6.12. */
int landlock_version(void);
/* Confines the calling thread and those it starts. `folder_fd`: the folder that may be read and
 * written, or -1 for none. `dials`: the TCP ports that may be connected to, from version 4 on.
 * `binds`: a socket may be bound to an address, at a port that the kernel draws. False with errno
 * set. */
bool landlock_enter(int version, int folder_fd, const uint16_t *dials, size_t dial_count,
                    bool binds);

#endif
