/* SPDX-License-Identifier: ISC */
/* Base64, base64url and hexadecimal.
 * Invariant: the decoders accept exactly one spelling of each octet string (no white space, no
 * missing or extra padding, unused bits zero). */
#include "lib/base/codec.h"

static const char base64_digits[] =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

void base64_put(struct buf *out, struct slice s) {
  for (; s.n; s = slice_from(s, 3)) {
    uint32_t v =
        (uint32_t)s.p[0] << 16 | (s.n > 1 ? (uint32_t)s.p[1] << 8 : 0) | (s.n > 2 ? s.p[2] : 0);
    uint8_t four[4] = { base64_digits[v >> 18], base64_digits[v >> 12 & 63], '=', '=' };
    if (s.n > 1) four[2] = base64_digits[v >> 6 & 63];
    if (s.n > 2) four[3] = base64_digits[v & 63];
    buf_put(out, slice_of(four, 4));
  }
}

static int base64_value(uint8_t c) {
  if (c >= 'A' && c <= 'Z') return c - 'A';
  if (c >= 'a' && c <= 'z') return c - 'a' + 26;
  if (c >= '0' && c <= '9') return c - '0' + 52;
  return c == '+' ? 62 : c == '/' ? 63 : -1;
}

static int base64url_value(uint8_t c) {
  if (c == '+' || c == '/') return -1;
  return base64_value(c == '-' ? '+' : c == '_' ? '/' : c);
}

/* One group of `digits` (2, 3 or 4) significant characters into digits - 1 octets. */
static bool decode_group(struct buf *out, const uint8_t *p, size_t digits,
                         int (*value)(uint8_t c)) {
  uint32_t v = 0;
  for (size_t i = 0; i < 4; i++) {
    int d = i < digits ? value(p[i]) : 0;
    if (d < 0) return false;
    v = v << 6 | (uint32_t)d;
  }
  uint8_t octets[3] = { (uint8_t)(v >> 16), (uint8_t)(v >> 8), (uint8_t)v };
  for (size_t i = digits - 1; i < 3; i++)
    if (octets[i]) return false;
  buf_put(out, slice_of(octets, digits - 1));
  return true;
}

bool base64_decode(struct buf *out, struct slice s) {
  if (s.n % 4) return false;
  for (; s.n; s = slice_from(s, 4)) {
    size_t digits = 4;
    if (s.n == 4 && s.p[3] == '=') digits = s.p[2] == '=' ? 2 : 3;
    if (!decode_group(out, s.p, digits, base64_value)) return false;
  }
  return !out->failed;
}

bool base64url_decode(struct buf *out, struct slice s) {
  if (s.n % 4 == 1) return false;
  for (; s.n; s = slice_from(s, 4))
    if (!decode_group(out, s.p, s.n < 4 ? s.n : 4, base64url_value)) return false;
  return !out->failed;
}

static const char hex_digits[] = "0123456789abcdef";

void hex_put(struct buf *out, struct slice s) {
  for (size_t i = 0; i < s.n; i++) {
    buf_put_u8(out, (uint8_t)hex_digits[s.p[i] >> 4]);
    buf_put_u8(out, (uint8_t)hex_digits[s.p[i] & 15]);
  }
}

void hex_text(char *to, struct slice s) {
  for (size_t i = 0; i < s.n; i++) {
    *to++ = hex_digits[s.p[i] >> 4];
    *to++ = hex_digits[s.p[i] & 15];
  }
  *to = 0;
}

void hex_put_upper(struct buf *out, uint8_t octet) {
  static const char digits[] = "0123456789ABCDEF";
  buf_put_u8(out, (uint8_t)digits[octet >> 4]);
  buf_put_u8(out, (uint8_t)digits[octet & 15]);
}

int hex_digit(int c) {
  if (ascii_is_digit(c)) return c - '0';
  return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}
