/* SPDX-License-Identifier: ISC */
/* Reads a regular file whole. O_NONBLOCK, because opening a FIFO would wait for a writer. */
#include "lib/base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* NULL, or why the file cannot be read. */
static const char *read_it(int fd, struct buf *to) {
  struct stat st;
  ssize_t n = -1;
  if (fd < 0 || fstat(fd, &st) != 0) return strerror(errno);
  if (S_ISDIR(st.st_mode)) return "it is a folder";
  if (!S_ISREG(st.st_mode)) return "it is not a regular file";
  do {
    uint8_t *at = buf_reserve(to, 4096);
    if (!at) return "it is larger than such a file may be";
    n = read(fd, at, 4096);
    if (n > 0) buf_added(to, (size_t)n);
  } while (n > 0);
  return n == 0 ? NULL : strerror(errno);
}

bool file_read(const char *path, struct buf *to, struct buf *err) {
  int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
  const char *why = read_it(fd, to);
  if (why) buf_printf(err, "\"%s\": %s", path, why);
  if (fd >= 0) close(fd);
  return !why;
}
