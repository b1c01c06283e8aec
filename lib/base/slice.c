/* SPDX-License-Identifier: ISC */
/* Operations on borrowed octet strings.
 * Invariants: no function reads outside [p, p + n), none modifies the octets; an empty slice may
 * have p = NULL and is never dereferenced. */
#include "lib/base/slice.h"

/* FNV-1a. */
#define HASH_START UINT64_C(14695981039346656037)
#define HASH_PRIME UINT64_C(1099511628211)

uint64_t slice_hash(struct slice s) {
  uint64_t h = HASH_START;
  for (size_t i = 0; i < s.n; i++) h = (h ^ s.p[i]) * HASH_PRIME;
  return h;
}

uint64_t slice_hash_lower(struct slice s) {
  uint64_t h = HASH_START;
  for (size_t i = 0; i < s.n; i++) h = (h ^ ascii_lower(s.p[i])) * HASH_PRIME;
  return h;
}

/* Eight octets at a time: every octet of every message is examined here. */
bool slice_has_high(struct slice s) {
  size_t i = 0;
  for (; i + 8 <= s.n; i += 8) {
    uint64_t word;
    memcpy(&word, s.p + i, 8);
    if (word & 0x8080808080808080u) return true;
  }
  for (; i < s.n; i++)
    if (s.p[i] & 0x80) return true;
  return false;
}

bool slice_has_control(struct slice s) {
  for (size_t i = 0; i < s.n; i++)
    if (ascii_is_control(s.p[i])) return true;
  return false;
}

bool slice_is_graph(struct slice s) {
  for (size_t i = 0; i < s.n; i++)
    if (!ascii_is_graph(s.p[i])) return false;
  return true;
}

bool slice_eq(struct slice a, struct slice b) {
  return a.n == b.n && (a.n == 0 || memcmp(a.p, b.p, a.n) == 0);
}

bool slice_caseeq(struct slice a, struct slice b) { return a.n == b.n && slice_case_starts(a, b); }

bool slice_secret_eq(struct slice a, struct slice b) {
  if (a.n != b.n) return false;
  volatile uint8_t diff = 0;
  for (size_t i = 0; i < a.n; i++) diff |= a.p[i] ^ b.p[i];
  return diff == 0;
}

bool slice_starts(struct slice s, struct slice prefix) {
  return s.n >= prefix.n && slice_eq(slice_first(s, prefix.n), prefix);
}

bool slice_case_starts(struct slice s, struct slice prefix) {
  if (s.n < prefix.n) return false;
  for (size_t i = 0; i < prefix.n; i++)
    if (ascii_lower(s.p[i]) != ascii_lower(prefix.p[i])) return false;
  return true;
}

ptrdiff_t slice_find(struct slice s, uint8_t c) {
  const uint8_t *hit = s.n ? memchr(s.p, c, s.n) : NULL;
  return hit ? hit - s.p : -1;
}

ptrdiff_t slice_rfind(struct slice s, uint8_t c) {
  const uint8_t *hit = s.n ? memrchr(s.p, c, s.n) : NULL;
  return hit ? hit - s.p : -1;
}

ptrdiff_t slice_search(struct slice s, struct slice needle) {
  if (needle.n == 0) return 0;
  const uint8_t *hit = s.n ? memmem(s.p, s.n, needle.p, needle.n) : NULL;
  return hit ? hit - s.p : -1;
}

struct slice slice_split(struct slice *s, uint8_t sep) {
  ptrdiff_t at = slice_find(*s, sep);
  struct slice head = at < 0 ? *s : slice_first(*s, (size_t)at);
  *s = at < 0 ? SLICE_NONE : slice_from(*s, (size_t)at + 1);
  return head;
}

struct slice slice_trim(struct slice s) {
  while (s.n && (s.p[0] == ' ' || s.p[0] == '\t')) s = slice_from(s, 1);
  while (s.n && (s.p[s.n - 1] == ' ' || s.p[s.n - 1] == '\t')) s.n--;
  return s;
}

int slice_cmp(struct slice a, struct slice b) {
  size_t n = a.n < b.n ? a.n : b.n;
  int order = n ? memcmp(a.p, b.p, n) : 0;
  if (order) return order;
  return (a.n > b.n) - (a.n < b.n);
}
