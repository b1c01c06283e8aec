/* SPDX-License-Identifier: ISC */
/* Dates of RFC 5322 §3.3 computed from Unix time, without the C library's time zone.
 * Invariant: the year written always has four digits (1970 to 9999). */
#include "mail/date.h"

enum { DAY_S = 86400, OFFSET_MAX = 24 * 60 - 1 };
static const int64_t LATEST_S = 253402300799; /* 9999-12-31 23:59:59 UTC */

struct civil {
  int year, month, day; /* month 1..12, day 1..31 */
};

/* The proleptic Gregorian date of a day counted from 1970-01-01; the year begins in March here, so
 * that a leap day is its last. */
static struct civil civil_of(int64_t days) {
  int64_t z = days + 719468; /* from 0000-03-01 */
  int64_t generation = z / 146097;
  int64_t doe = z - generation * 146097;
  int64_t yoe = (doe - doe / 1460 + doe / 36524 - doe / 146096) / 365;
  int64_t doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
  int64_t mp = (5 * doy + 2) / 153;
  int month = (int)(mp < 10 ? mp + 3 : mp - 9);
  return (struct civil){ (int)(yoe + generation * 400 + (month <= 2)), month,
                         (int)(doy - (153 * mp + 2) / 5 + 1) };
}

static int64_t clamp(int64_t v, int64_t least, int64_t most) {
  return v < least ? least : v > most ? most : v;
}

void date_put(struct buf *out, int64_t unix_s, int offset_min) {
  static const char days[7][4] = { "Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed" };
  static const char months[12][4] = { "Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                      "Jul", "Aug", "Sep", "Oct", "Nov", "Dec" };
  int offset = (int)clamp(offset_min, -OFFSET_MAX, OFFSET_MAX);
  int64_t local = clamp(clamp(unix_s, 0, LATEST_S) + offset * 60, 0, LATEST_S);
  struct civil d = civil_of(local / DAY_S);
  int second = (int)(local % DAY_S), east = offset < 0 ? -offset : offset;
  buf_printf(out, "%s, %02d %s %04d %02d:%02d:%02d %c%02d%02d", days[local / DAY_S % 7], d.day,
             months[d.month - 1], d.year, second / 3600, second / 60 % 60, second % 60,
             offset < 0 ? '-' : '+', east / 60, east % 60);
}

void date_put_day(struct buf *out, int64_t unix_s) {
  struct civil d = civil_of(clamp(unix_s, 0, LATEST_S) / DAY_S);
  buf_printf(out, "%04d%02d%02d", d.year, d.month, d.day);
}
