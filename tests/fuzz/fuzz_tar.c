/* SPDX-License-Identifier: ISC */
/* Any block as the header of a backup's archive: what is taken leads nowhere else, and written
 * again it reads the same. */
#include <stdlib.h>
#include <string.h>

#include "lib/tar/tar.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must_stay_inside(const char *path) {
  struct slice rest = slice_str(path), part;
  if (!rest.n) abort();
  while (rest.p) {
    part = slice_split(&rest, '/');
    if (!part.n || slice_eq(part, SLICE(".")) || slice_eq(part, SLICE(".."))) abort();
  }
}

/* The sum that the header needs: without it the fuzzer would find nothing but wrong sums. */
static void set_sum(uint8_t block[TAR_BLOCK]) {
  unsigned sum = 0;
  memset(block + 148, ' ', 8);
  for (size_t i = 0; i < TAR_BLOCK; i++) sum += block[i];
  for (size_t i = 0; i < 6; i++) block[148 + i] = (uint8_t)('0' + (sum >> (3 * (5 - i)) & 7));
  block[154] = 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  for (size_t at = 0; at + TAR_BLOCK <= size; at += TAR_BLOCK) {
    uint8_t block[TAR_BLOCK];
    struct tar_entry e, again;
    struct buf b;
    memcpy(block, data + at, sizeof block);
    tar_read_header(block, &e);
    set_sum(block);
    if (tar_read_header(block, &e) != TAR_ENTRY) continue;
    must_stay_inside(e.path);
    buf_init(&b, 4 * TAR_BLOCK);
    if (tar_put_header(&b, &e)) {
      if (buf_len(&b) != TAR_BLOCK || tar_read_header(buf_slice(&b).p, &again) != TAR_ENTRY)
        abort();
      if (strcmp(e.path, again.path) != 0 || e.folder != again.folder || e.size != again.size)
        abort();
    }
    buf_free(&b);
  }
  return 0;
}
