/* SPDX-License-Identifier: ISC */
/* The one rule of what a valid name is, for questions, answers and the hosts file. */
#include "lib/dns/dns.h"

#include "lib/base/num.h"

enum { LABEL_MAX = 63 };

/* Letters, digits, hyphens inside (RFC 1123 §2.1), and underscores, which services begin with (RFC
 * 8552). */
static bool is_label(struct slice label) {
  if (label.n == 0 || label.n > LABEL_MAX) return false;
  if (label.p[0] == '-' || label.p[label.n - 1] == '-') return false;
  for (size_t i = 0; i < label.n; i++)
    if (!ascii_is_alnum(label.p[i]) && label.p[i] != '-' && label.p[i] != '_') return false;
  return true;
}

static bool is_number(struct slice label) {
  for (size_t i = 0; i < label.n; i++)
    if (!ascii_is_digit(label.p[i])) return false;
  return true;
}

bool dns_name_check(struct slice text, char to[static DNS_NAME_MAX + 1]) {
  if (text.n && text.p[text.n - 1] == '.') text.n--;
  if (text.n == 0 || text.n > DNS_NAME_MAX) return false;
  struct slice rest = text, label = SLICE_NONE;
  while (rest.p) {
    label = slice_split(&rest, '.');
    if (!is_label(label)) return false;
  }
  if (is_number(label)) return false;
  for (size_t i = 0; i < text.n; i++) to[i] = (char)ascii_lower(text.p[i]);
  to[text.n] = 0;
  return true;
}
