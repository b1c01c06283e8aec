#include "src/store/ustar.h"

#include <stdio.h>

enum { AT_NAME = 0, AT_MODE = 100, AT_UID = 108, AT_GID = 116, AT_SIZE = 124, AT_MTIME = 136, AT_SUM = 148, AT_TYPE = 156,
       AT_MAGIC = 257, AT_VERSION = 263 };

/* `digits` octal digits and a NUL. */
static void put_octal(uint8_t *to, unsigned digits, uint64_t n) {
  for (unsigned i = digits; i-- > 0; n >>= 3) to[i] = (uint8_t)('0' + (n & 7));
  to[digits] = 0;
}

static void put_size(uint8_t *to, uint64_t n) {
  if (n >> 33 == 0) {
    put_octal(to, 11, n);
    return;
  }
  memset(to, 0, 12);
  to[0] = 0x80;
  for (unsigned i = 12; i-- > 4; n >>= 8) to[i] = (uint8_t)n;
}

void ustar_head(uint8_t block[USTAR_BLOCK], const char *name, uint64_t size, int64_t mtime) {
  memset(block, 0, USTAR_BLOCK);
  snprintf((char *)block + AT_NAME, USTAR_NAME_MAX + 1, "%s", name);
  put_octal(block + AT_MODE, 7, 0600);
  put_octal(block + AT_UID, 7, 0);
  put_octal(block + AT_GID, 7, 0);
  put_size(block + AT_SIZE, size);
  put_octal(block + AT_MTIME, 11, mtime > 0 ? (uint64_t)mtime : 0);
  block[AT_TYPE] = '0';
  memcpy(block + AT_MAGIC, "ustar", 6);
  memcpy(block + AT_VERSION, "00", 2);
  unsigned sum = 8 * ' '; /* the sum's own field counts as spaces */
  for (size_t i = 0; i < USTAR_BLOCK; i++) sum += block[i];
  put_octal(block + AT_SUM, 6, sum);
  block[AT_SUM + 7] = ' ';
}
