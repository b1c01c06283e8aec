/* SPDX-License-Identifier: ISC */
/* The end of a message is where a plain search finds it, cuts do not matter, and what is put out
 * has passed the door. The first octet says how the stream is cut. */
#include <stdlib.h>

#include "mail/smtp/data.h"

static size_t take(struct slice in, size_t step, struct buf *out, bool *end) {
  struct smtp_data d;
  struct slice rest = in;
  smtp_data_start(&d);
  for (*end = false; rest.n && !*end;) {
    struct slice piece = slice_first(rest, step);
    size_t n = piece.n;
    *end = smtp_data_take(&d, &piece, out);
    rest = slice_from(rest, n - piece.n);
  }
  return in.n - rest.n;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  if (size == 0 || size > 65536) return 0;
  struct slice in = slice_of(data + 1, size - 1);
  ptrdiff_t at = slice_search(in, SLICE("\r\n.\r\n"));
  size_t want = slice_starts(in, SLICE(".\r\n")) ? 3 : at < 0 ? in.n : (size_t)at + 5;
  struct buf one, two;
  bool end_one, end_two;
  buf_init(&one, 4 * size + 64);
  buf_init(&two, 4 * size + 64);
  size_t n_one = take(in, in.n + 1, &one, &end_one);
  size_t n_two = take(in, 1 + (data[0] >> 1), &two, &end_two);
  if (n_one != want || n_two != want || end_one != end_two) abort();
  if (!slice_eq(buf_slice(&one), buf_slice(&two))) abort();
  uint64_t clean_size;
  if (end_one && !mail_is_clean(buf_slice(&one), &clean_size)) abort();
  buf_free(&one);
  buf_free(&two);
  return 0;
}
