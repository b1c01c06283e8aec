/* SPDX-License-Identifier: ISC */
/* ustar archives (POSIX.1-1988, "IEEE Std 1003.1"): blocks of 512 octets, a header before each
 * file, two blocks of zeros at the end. Regular files and folders only. */
#ifndef QASID_TAR_H
#define QASID_TAR_H

#include "lib/base/buf.h"

enum { TAR_BLOCK = 512, TAR_PATH_MAX = 256 };
#define TAR_SIZE_MAX \
  077777777777ull /* 8 GiB - 1: eleven octal digits; larger sizes are written in base 256 */

struct tar_entry {
  char path[TAR_PATH_MAX + 1];
  bool folder;
  unsigned mode;
  uint64_t size;
  int64_t mtime;
};

/* The padding after a file of that size. */
static inline size_t tar_padding(uint64_t size) {
  return (size_t)((TAR_BLOCK - size % TAR_BLOCK) % TAR_BLOCK);
}

/* Puts the header block. False: the path does not fit. */
bool tar_put_header(struct buf *out, const struct tar_entry *e);
/* Puts the end of an archive. */
void tar_put_end(struct buf *out);

enum tar_read { TAR_ENTRY, TAR_END, TAR_BAD };
/* Reads one header block. BAD: not a header, a wrong checksum, an entry that is neither file nor
 * folder, or a path that could lead out of the folder it is unpacked in (absolute, or with an
 * empty, "." or ".." part; a folder's one trailing "/" is removed). */
enum tar_read tar_read_header(const uint8_t block[TAR_BLOCK], struct tar_entry *ret);

#endif
