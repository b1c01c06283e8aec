/* SPDX-License-Identifier: ISC */
/* Any octets as a database and its log: every row that is found can be found again, and its octets
 * read, without harm. The first two octets say how much of the input is the log. */
#include <stdlib.h>

#include "src/cli/salvage/salvage.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool put(void *arg, struct slice piece) {
  uint64_t *sum = arg;
  for (size_t i = 0; i < piece.n; i++) *sum += piece.p[i];
  return true;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  struct slice in = slice_of(data, size);
  struct salvage s = { .no_memory = false };
  uint64_t sum = 0;
  if (size < 2) return 0;
  size_t log = (size_t)(data[0] << 8 | data[1]);
  in = slice_from(in, 2);
  if (!pages_take(&s.pages, slice_from(in, log), slice_first(in, log))) return 0;
  salvage_read(&s);
  for (size_t i = 0; i < s.body_count; i++) {
    salvage_head(&s, &s.bodies[i], put, &sum);
    salvage_octets(&s, &s.bodies[i], put, &sum);
  }
  for (size_t i = 0; i < s.entry_count; i++)
    if (!s.entries[i].uid) abort();
  salvage_free(&s);
  pages_close(&s.pages);
  return 0;
}
