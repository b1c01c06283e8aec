/* SPDX-License-Identifier: ISC */
/* A UTF-8 decoder by table (RFC 3629 §4).
 * Invariant: only the shortest form of each code point up to U+10FFFF is accepted, and no
 * surrogate. */
#include "lib/base/utf8.h"

/* By first octet: the number of octets that follow, and the bounds of the second, which exclude all
 * other invalid forms. */
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

/* Unicode 15: Cc, Cf, Zl, Zp, Co, Cs, noncharacters, and letters that are blank. Sorted. */
static const struct hidden {
  uint32_t from, to;
} hidden[] = {
  { 0x0, 0x1f },        { 0x7f, 0x9f },       { 0xad, 0xad },       { 0x34f, 0x34f },
  { 0x600, 0x605 },     { 0x61c, 0x61c },     { 0x6dd, 0x6dd },     { 0x70f, 0x70f },
  { 0x890, 0x891 },     { 0x8e2, 0x8e2 },     { 0x115f, 0x1160 },   { 0x17b4, 0x17b5 },
  { 0x180b, 0x180f },   { 0x200b, 0x200f },   { 0x2028, 0x202e },   { 0x2060, 0x206f },
  { 0x3164, 0x3164 },   { 0xd800, 0xf8ff },   { 0xfdd0, 0xfdef },   { 0xfeff, 0xfeff },
  { 0xffa0, 0xffa0 },   { 0xfff0, 0xfffb },   { 0xfffe, 0xffff },   { 0x110bd, 0x110bd },
  { 0x110cd, 0x110cd }, { 0x13430, 0x1343f }, { 0x1bca0, 0x1bca3 }, { 0x1d173, 0x1d17a },
  { 0x1fffe, 0x1ffff }, { 0x2fffe, 0x2ffff }, { 0x3fffe, 0x3ffff }, { 0x4fffe, 0x10ffff },
};

bool utf8_is_shown(uint32_t point) {
  for (size_t i = 0; i < sizeof hidden / sizeof *hidden; i++)
    if (point <= hidden[i].to) return point < hidden[i].from;
  return false;
}

bool utf8_is_valid(struct slice s) {
  uint32_t point;
  size_t n = 1;
  for (; s.n && n; s = slice_from(s, n)) n = utf8_first(s, &point);
  return n > 0;
}
