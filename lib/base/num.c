/* SPDX-License-Identifier: ISC */
/* Decimal numbers, parsed strictly: digits only, overflow and values above the caller's maximum
 * refused. */
#include "lib/base/num.h"

bool num_parse(struct slice s, uint64_t max, uint64_t *ret) {
  uint64_t v = 0;
  if (s.n == 0) return false;
  for (size_t i = 0; i < s.n; i++) {
    if (!ascii_is_digit(s.p[i])) return false;
    if (__builtin_mul_overflow(v, 10u, &v) || __builtin_add_overflow(v, s.p[i] - '0', &v))
      return false;
    if (v > max) return false;
  }
  *ret = v;
  return true;
}
