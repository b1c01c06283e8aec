/* SPDX-License-Identifier: ISC */
/* Calls on descriptors that are the same for whoever makes them. */
#ifndef QASID_BASE_FD_H
#define QASID_BASE_FD_H

#include "lib/base/slice.h"

struct stat;

/* fstat(2) itself, which sandboxes allow: glibc's fstat() makes newfstatat(2) of it. */
int fd_stat(int fd, struct stat *ret);
/* All of it, however many calls that takes. False: errno says why. */
bool fd_write_all(int fd, struct slice s);

#endif
