/* Archives as tar reads them: the ustar format of POSIX.1-1988. A size that its eleven octal digits
 * don't hold is written in base 256, as GNU tar and libarchive do. */
#ifndef QASID_STORE_USTAR_H
#define QASID_STORE_USTAR_H

#include "lib/base/buf.h"

enum { USTAR_BLOCK = 512, USTAR_NAME_MAX = 99 };

/* The block in front of a file's octets. */
void ustar_head(uint8_t block[USTAR_BLOCK], const char *name, uint64_t size, int64_t mtime);
/* How many zero octets follow a file of that size. */
static inline size_t ustar_padding(uint64_t size) {
  return (USTAR_BLOCK - size % USTAR_BLOCK) % USTAR_BLOCK;
}

#endif
