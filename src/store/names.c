#include "src/store/names.h"

#include "lib/base/num.h"

static bool is_label(struct slice s) {
  if (s.n < 1 || s.n > 63 || s.p[0] == '-' || s.p[s.n - 1] == '-') return false;
  for (size_t i = 0; i < s.n; i++)
    if (!ascii_is_digit(s.p[i]) && s.p[i] != '-' && !(s.p[i] >= 'a' && s.p[i] <= 'z')) return false;
  return true;
}

bool name_is_domain(struct slice s) {
  if (s.n > NAME_DOMAIN_MAX) return false;
  size_t labels = 0;
  while (s.p) {
    if (!is_label(slice_split(&s, '.'))) return false;
    labels++;
  }
  return labels >= 2;
}

static bool is_atext(uint8_t c) {
  return c >= 0x80 || ascii_is_alnum(c) || (c && memchr("!#$%&'*+-/=?^_`{|}~", c, 19));
}

bool name_is_local(struct slice s) {
  if (s.n < 1 || s.n > NAME_LOCAL_MAX || s.p[0] == '.' || s.p[s.n - 1] == '.') return false;
  for (size_t i = 0; i < s.n; i++) {
    if (s.p[i] == '.' ? s.p[i - 1] == '.' : !is_atext(s.p[i])) return false;
  }
  return true;
}

bool name_split(struct slice address, struct slice *ret_local, struct slice *ret_domain) {
  ptrdiff_t at = slice_rfind(address, '@');
  if (at < 0) return false;
  struct slice local = slice_first(address, (size_t)at), domain = slice_from(address, (size_t)at + 1);
  if (!name_is_local(local) || !name_is_domain(domain)) return false;
  *ret_local = local;
  *ret_domain = domain;
  return true;
}

bool name_time(struct slice s, uint64_t *ret) {
  static const struct { uint8_t letter; uint64_t seconds; } units[] = {
    { 's', 1 }, { 'm', 60 }, { 'h', 3600 }, { 'd', 86400 },
  };
  uint64_t unit = 1, n;
  int last = slice_at(s, s.n - 1);
  for (size_t i = 0; s.n && i < sizeof units / sizeof *units; i++)
    if (last == units[i].letter) unit = units[i].seconds;
  if (s.n && !ascii_is_digit((uint8_t)last)) {
    if (unit == 1 && last != 's') return false;
    s.n--;
  }
  if (!num_parse(s, INT64_MAX / 86400, &n)) return false;
  *ret = n * unit;
  return true;
}

bool name_size(struct slice s, uint64_t *ret) {
  static const char units[] = "KMGT";
  unsigned shift = 0;
  const char *unit = s.n ? memchr(units, ascii_upper(s.p[s.n - 1]), 4) : NULL;
  if (unit) {
    shift = 10 * (unsigned)(unit - units + 1);
    s = slice_first(s, s.n - 1);
  }
  uint64_t n;
  if (!num_parse(s, (uint64_t)INT64_MAX >> shift, &n)) return false;
  *ret = n << shift;
  return true;
}
