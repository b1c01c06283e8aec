/* SPDX-License-Identifier: ISC */
/* A message's surrogate: the same in any cut and as it was measured, its own surrogate, by either
 * way; and the message itself when nothing changed. The first octet says how it is cut. */
#include <stdlib.h>

#include "mail/surrogate.h"

static bool make(struct slice in, size_t step, enum surrogate_way way, struct buf *out,
                 uint64_t *ret_size) {
  struct surrogate s;
  surrogate_open(&s, way);
  for (; in.n; in = slice_from(in, step)) surrogate_put(&s, slice_first(in, step), out);
  surrogate_end(&s, out);
  if (s.failed || (out && (out->failed || buf_len(out) != s.put))) abort();
  *ret_size = s.put;
  return s.changed;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  if (size == 0 || size > 65536) return 0;
  struct slice in = slice_of(data + 1, size - 1);
  struct buf one, two;
  uint64_t n, measured;
  buf_init(&one, (size_t)SURROGATE_GROWTH * (size + 64));
  buf_init(&two, (size_t)SURROGATE_GROWTH * (size + 64));
  enum surrogate_way way = data[0] & 1 ? SURROGATE_6858 : SURROGATE_6857;
  bool changed = make(in, in.n + 1, way, &one, &n);
  if (make(in, 1u + data[0], way, NULL, &measured) != changed || measured != n) abort();
  if (!changed && !slice_eq(buf_slice(&one), in)) abort();
  if (make(buf_slice(&one), 1u + data[0], way, &two, &n) ||
      !slice_eq(buf_slice(&one), buf_slice(&two)))
    abort();
  buf_free(&one);
  buf_free(&two);
  return 0;
}
