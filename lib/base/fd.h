/* SPDX-License-Identifier: ISC */
/* Helpers for descriptors, free of policy. */
#ifndef QASID_BASE_FD_H
#define QASID_BASE_FD_H

#include "lib/base/slice.h"

struct stat;

/* fstat(2) itself, which sandboxes allow: glibc's fstat() makes newfstatat(2) of it. */
int fd_stat(int fd, struct stat *ret);
/* Writes all of it, with as many calls as needed. False: errno says why. */
bool fd_write_all(int fd, struct slice s);

#endif
