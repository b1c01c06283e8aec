/* SPDX-License-Identifier: ISC */
/* One message at a time, kept outside the heap until it is complete: its size is known only then.
 * It is in memory that the kernel can swap; it is never in a file system. */
#ifndef QASID_CLI_SPOOLED_H
#define QASID_CLI_SPOOLED_H

#include "lib/base/slice.h"

struct spooled {
  int fd;
  uint64_t size;
  struct slice map;
};

/* False with errno. */
bool spooled_open(struct spooled *s);
void spooled_close(struct spooled *s);
bool spooled_put(struct spooled *s, struct slice octets);
/* All of it, valid until the next spooled_reset(). False with errno. */
bool spooled_get(struct spooled *s, struct slice *ret);
/* Empty again. */
bool spooled_reset(struct spooled *s);

#endif
