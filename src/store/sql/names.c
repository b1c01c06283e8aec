/* SPDX-License-Identifier: ISC */
/* Checks domains and addresses that an administrator typed (names.h). Pure functions; nothing is
 * changed or copied, the slices returned point into the text given. */
#include "src/store/sql/names.h"

#include "lib/base/num.h"

static bool is_label(struct slice s) {
  if (s.n < 1 || s.n > 63 || s.p[0] == '-' || s.p[s.n - 1] == '-') return false;
  for (size_t i = 0; i < s.n; i++)
    if (!ascii_is_digit(s.p[i]) && s.p[i] != '-' && !(s.p[i] >= 'a' && s.p[i] <= 'z')) return false;
  return true;
}

bool name_is_domain(struct slice s) {
  if (s.n > NAME_DOMAIN_MAX) return false;
  do {
    if (!is_label(slice_split(&s, '.'))) return false;
  } while (s.p);
  return true;
}

bool name_is_dotless(struct slice s) { return slice_find(s, '.') < 0; }

static bool is_atext(uint8_t c) {
  return c >= 0x80 || ascii_is_alnum(c) || (c && memchr("!#$%&'*+-/=?^_`{|}~", c, 19));
}

/* A dot-string (RFC 5321 §4.1.2) with dots wherever they are, or one with UTF-8 in it (RFC 6531
 * §3.3). */
static bool name_is_local(struct slice s) {
  for (size_t i = 0; i < s.n; i++)
    if (s.p[i] != '.' && !is_atext(s.p[i])) return false;
  return s.n >= 1 && s.n <= NAME_LOCAL_MAX;
}

bool name_split(struct slice address, struct slice *ret_local, struct slice *ret_domain) {
  ptrdiff_t at = slice_rfind(address, '@');
  if (at < 0) return false;
  struct slice local = slice_first(address, (size_t)at),
               domain = slice_from(address, (size_t)at + 1);
  if (!name_is_local(local) || !name_is_domain(domain)) return false;
  *ret_local = local;
  *ret_domain = domain;
  return true;
}

bool name_catches_all(struct slice address, struct slice *ret_domain) {
  *ret_domain = slice_from(address, 1);
  return slice_at(address, 0) == '@' && name_is_domain(*ret_domain);
}
