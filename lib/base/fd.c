/* SPDX-License-Identifier: ISC */
/* Calls on descriptors (fd.h). A file of its own, so that a process that makes no such call does
 * not link them. */
#include "lib/base/fd.h"

#include <errno.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

int fd_stat(int fd, struct stat *ret) {
#if __WORDSIZE == 64 && defined(SYS_fstat)
  return (int)syscall(SYS_fstat, fd, ret);
#else
  return fstat(fd, ret);
#endif
}

bool fd_write_all(int fd, struct slice s) {
  while (s.n) {
    ssize_t n = write(fd, s.p, s.n);
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return false;
    s = slice_from(s, (size_t)n);
  }
  return true;
}
