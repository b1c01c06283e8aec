/* SPDX-License-Identifier: ISC */
/* Sizes and times with a unit letter, read and written.
 * Invariant: what units_put_*() writes, units_*() reads back to the same number; a product
 * beyond 2^64 - 1 is refused. */
#include "lib/base/units.h"

#include "lib/base/num.h"

struct unit {
  uint8_t letter;
  uint64_t factor;
};
/* Largest first: a value is written with the largest unit that divides it. */
static const struct unit size_units[] = {
  { 'T', 1ull << 40 },
  { 'G', 1ull << 30 },
  { 'M', 1ull << 20 },
  { 'K', 1ull << 10 },
};
static const struct unit time_units[] = {
  { 'd', 86400 },
  { 'h', 3600 },
  { 'm', 60 },
  { 's', 1 },
};
#define UNITS(table) (table), sizeof(table) / sizeof *(table)

static bool parse_units(struct slice text, const struct unit *units, size_t count, bool any_case,
                        uint64_t *ret) {
  uint64_t factor = 1, n;
  int last = text.n ? text.p[text.n - 1] : -1;
  for (size_t i = 0; i < count; i++)
    if (last == units[i].letter || (any_case && last == ascii_lower(units[i].letter)))
      factor = units[i].factor;
  if (last >= 0 && !ascii_is_digit(last)) {
    text.n--;
    if (factor == 1 && last != 's') return false;
  }
  if (!num_parse(text, UINT64_MAX, &n) || __builtin_mul_overflow(n, factor, &n)) return false;
  *ret = n;
  return true;
}

static void put_units(struct buf *out, const struct unit *units, size_t count, uint64_t n) {
  for (size_t i = 0; i < count; i++) {
    if (n == 0 || n % units[i].factor) continue;
    buf_put_dec(out, n / units[i].factor);
    buf_put_u8(out, units[i].letter);
    return;
  }
  buf_put_dec(out, n);
}

bool units_size(struct slice text, uint64_t *ret) {
  if (slice_at(text, text.n - 1) == 's') return false;
  return parse_units(text, UNITS(size_units), true, ret);
}

bool units_time(struct slice text, uint64_t *ret) {
  return parse_units(text, UNITS(time_units), false, ret);
}

bool units_days(struct slice text, uint64_t *ret) {
  if (text.n > 1 && text.p[text.n - 1] == 'd') text.n--;
  return num_parse(text, UINT64_MAX, ret);
}

void units_put_size(struct buf *out, uint64_t n) { put_units(out, UNITS(size_units), n); }
void units_put_time(struct buf *out, uint64_t n) { put_units(out, UNITS(time_units), n); }
