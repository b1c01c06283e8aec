/* SPDX-License-Identifier: ISC */
/* One message at a time in a memfd (spooled.h): it grows by writes, is mapped when it is complete,
 * and is emptied for the next. Invariant: it is not written while it is mapped. */
#include "src/cli/link/spooled.h"

#include <errno.h>
#include <sys/mman.h>
#include <unistd.h>

bool spooled_open(struct spooled *s) {
  *s = (struct spooled){ .fd = memfd_create("qasid-message", MFD_CLOEXEC) };
  return s->fd >= 0;
}

static void unmap(struct spooled *s) {
  if (s->map.n) munmap((void *)(uintptr_t)s->map.p, s->map.n);
  s->map = SLICE_NONE;
}

void spooled_close(struct spooled *s) {
  unmap(s);
  if (s->fd >= 0) close(s->fd);
  s->fd = -1;
}

bool spooled_put(struct spooled *s, struct slice octets) {
  while (octets.n) {
    ssize_t n = pwrite(s->fd, octets.p, octets.n, (off_t)s->size);
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return false;
    s->size += (uint64_t)n;
    octets = slice_from(octets, (size_t)n);
  }
  return true;
}

bool spooled_get(struct spooled *s, struct slice *ret) {
  *ret = SLICE("");
  if (!s->size) return true;
  if (!s->map.n) {
    void *p = mmap(NULL, s->size, PROT_READ, MAP_SHARED, s->fd, 0);
    if (p == MAP_FAILED) return false;
    s->map = slice_of(p, s->size);
  }
  *ret = s->map;
  return true;
}

bool spooled_reset(struct spooled *s) {
  unmap(s);
  s->size = 0;
  return ftruncate(s->fd, 0) == 0;
}
