/* SPDX-License-Identifier: ISC */
/* A UTF-8 decoder by table (RFC 3629 §4).
 * Invariant: only the shortest form of each code point up to U+10FFFF is accepted, and no
 * surrogate. */
#include "lib/base/utf8.h"

/* By first octet: how many follow, and the bounds of the one behind it, which exclude the rest. */
static const struct lead {
  uint8_t from, to, follow, least, most;
} leads[] = {
  { 0x00, 0x7f, 0, 0, 0 },       { 0xc2, 0xdf, 1, 0x80, 0xbf }, { 0xe0, 0xe0, 2, 0xa0, 0xbf },
  { 0xe1, 0xec, 2, 0x80, 0xbf }, { 0xed, 0xed, 2, 0x80, 0x9f }, { 0xee, 0xef, 2, 0x80, 0xbf },
  { 0xf0, 0xf0, 3, 0x90, 0xbf }, { 0xf1, 0xf3, 3, 0x80, 0xbf }, { 0xf4, 0xf4, 3, 0x80, 0x8f },
};

static const struct lead *lead_of(int c) {
  for (size_t i = 0; i < sizeof leads / sizeof *leads; i++)
    if (c >= leads[i].from && c <= leads[i].to) return &leads[i];
  return NULL;
}

size_t utf8_first(struct slice s, uint32_t *ret) {
  static const uint8_t masks[] = { 0x7f, 0x1f, 0x0f, 0x07 };
  const struct lead *l = lead_of(slice_at(s, 0));
  if (!l || s.n <= l->follow) return 0;
  uint32_t point = s.p[0] & masks[l->follow];
  for (size_t i = 1; i <= l->follow; i++) {
    uint8_t least = i == 1 ? l->least : 0x80, most = i == 1 ? l->most : 0xbf;
    if (s.p[i] < least || s.p[i] > most) return 0;
    point = point << 6 | (s.p[i] & 0x3f);
  }
  *ret = point;
  return l->follow + 1u;
}

bool utf8_is_valid(struct slice s) {
  uint32_t point;
  size_t n = 1;
  for (; s.n && n; s = slice_from(s, n)) n = utf8_first(s, &point);
  return n > 0;
}
