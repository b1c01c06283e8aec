/* SPDX-License-Identifier: ISC */
/* A message in seven bits: the same however it is cut in either pass, 7-bit where that can be,
 * itself where it has no 8-bit octet and no label that says so, and no longer than promised. The
 * first octet says how it is cut. */
#include <stdlib.h>

#include "mail/seven.h"

static struct seven pass(struct slice in, size_t step, struct buf *plan, struct buf *out) {
  struct seven s;
  seven_begin(&s, plan, out != NULL);
  for (; in.n; in = slice_from(in, step)) seven_put(&s, slice_first(in, step), out);
  seven_end(&s, out);
  seven_free(&s);
  return s;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  if (size == 0 || size > 65536) return 0;
  struct slice in = slice_of(data + 1, size - 1);
  struct buf plan, again, one, two;
  buf_init(&plan, SEVEN_PLAN_MAX), buf_init(&again, SEVEN_PLAN_MAX);
  size_t most = SEVEN_GROWTH * in.n + SEVEN_FIELDS_MAX * (in.n + 1);
  buf_init(&one, most), buf_init(&two, most);
  struct seven s = pass(in, in.n + 1, &plan, NULL), cut = pass(in, 1 + data[0], &again, NULL);
  if (s.verdict != cut.verdict || s.header_high != cut.header_high || s.node != cut.node) abort();
  if (!slice_eq(buf_slice(&plan), buf_slice(&again)) || s.eight_bit != slice_has_high(in)) abort();
  if (s.verdict == SEVEN_CAN) {
    pass(in, in.n + 1, &plan, &one);
    pass(in, 1 + data[0], &plan, &two);
    if (one.failed || !slice_eq(buf_slice(&one), buf_slice(&two)) ||
        slice_has_high(buf_slice(&one)))
      abort();
    bool any = false;
    for (size_t i = 0; i < buf_len(&plan); i++) any |= buf_slice(&plan).p[i] != 0;
    if (!any && !s.eight_bit && !slice_eq(buf_slice(&one), in)) abort();
  }
  buf_free(&plan), buf_free(&again), buf_free(&one), buf_free(&two);
  return 0;
}
