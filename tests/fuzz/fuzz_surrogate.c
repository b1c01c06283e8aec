/* A message's surrogate: the same in any cut and as it was measured, its own surrogate, with nothing but ASCII
 * in the header; and the message itself when that had nothing else. The first octet says how it is cut. */
#include <stdlib.h>

#include "lib/mail/surrogate.h"

static bool make(struct slice in, size_t step, struct buf *out, uint64_t *ret_size) {
  struct surrogate s;
  surrogate_open(&s);
  for (; in.n; in = slice_from(in, step)) surrogate_put(&s, slice_first(in, step), out);
  surrogate_end(&s, out);
  if (s.failed || (out && (out->failed || buf_len(out) != s.put))) abort();
  *ret_size = s.put;
  return s.changed;
}

/* The message's own header, without a line that has no end. */
static struct slice header(struct slice s) {
  ptrdiff_t end = slice_starts(s, SLICE("\r\n")) ? 0 : slice_search(s, SLICE("\r\n\r\n"));
  return end < 0 ? s : slice_first(s, (size_t)end);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  if (size == 0 || size > 65536) return 0;
  struct slice in = slice_of(data + 1, size - 1);
  struct buf one, two;
  uint64_t n, measured;
  buf_init(&one, (size_t)SURROGATE_GROWTH * (size + 64));
  buf_init(&two, (size_t)SURROGATE_GROWTH * (size + 64));
  bool changed = make(in, in.n + 1, &one, &n);
  if (make(in, 1u + data[0], NULL, &measured) != changed || measured != n) abort();
  if (!changed && !slice_eq(buf_slice(&one), in)) abort();
  if (surrogate_wants(header(buf_slice(&one)))) abort();
  if (make(buf_slice(&one), 1u + data[0], &two, &n) || !slice_eq(buf_slice(&one), buf_slice(&two))) abort();
  buf_free(&one);
  buf_free(&two);
  return 0;
}
