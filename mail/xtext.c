/* SPDX-License-Identifier: ISC */
/* xtext (RFC 3461 §4) and the 7-bit form of UTF-8 addresses (RFC 6533 §3).
 * Invariant: malformed xtext puts nothing into the output. */
#include "mail/xtext.h"

#include "lib/base/utf8.h"

static int hex_value(int c) {
  if (ascii_is_digit(c)) return c - '0';
  return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1; /* upper case only: RFC 3461 §4 */
}

/* Takes one octet's encoding off the front. -1: malformed. */
static int take(struct slice *s) {
  int c = slice_at(*s, 0);
  size_t n = 1;
  if (!ascii_is_graph(c) || c == '=') return -1;
  if (c == '+') {
    int high = hex_value(slice_at(*s, 1)), low = hex_value(slice_at(*s, 2));
    if (high < 0 || low < 0) return -1;
    c = high << 4 | low;
    n = 3;
  }
  *s = slice_from(*s, n);
  return c;
}

bool xtext_decode(struct buf *out, struct slice xtext) {
  size_t before = buf_len(out);
  while (xtext.n) {
    int c = take(&xtext);
    if (c < 0) {
      buf_truncate(out, before);
      return false;
    }
    buf_put_u8(out, (uint8_t)c);
  }
  return true;
}

bool xtext_is_printable(struct slice xtext, size_t most) {
  size_t n = 0;
  for (; xtext.n; n++) {
    int c = take(&xtext);
    if (!ascii_is_print(c)) return false;
  }
  return n > 0 && n <= most;
}

bool xtext_is_valid(struct slice xtext) {
  while (xtext.n)
    if (take(&xtext) < 0) return false;
  return true;
}

/* QCHAR: printable ASCII but "+", "=" and the backslash. */
static bool is_qchar(uint32_t c) {
  return ascii_is_graph((int)c) && c != '\\' && c != '+' && c != '=';
}

void xtext_put_utf8_address(struct buf *out, struct slice address) {
  uint32_t c;
  for (size_t n; address.n; address = slice_from(address, n)) {
    if (!(n = utf8_first(address, &c))) {
      buf_put_u8(out, '?');
      n = 1;
    } else if (is_qchar(c)) {
      buf_put_u8(out, (uint8_t)c);
    } else {
      buf_printf(out, "\\x{%02X}", (unsigned)c);
    }
  }
}

static int any_hex_value(int c) { return hex_value(c >= 'a' && c <= 'f' ? c - 'a' + 'A' : c); }

/* EmbeddedUnicodeChar: "\x{", 2 to 6 digits, "}". */
static size_t take_embedded(struct slice s, uint32_t *ret) {
  size_t n = 3;
  if (!slice_starts(s, SLICE("\\x{"))) return 0;
  for (*ret = 0; n < 9 && any_hex_value(slice_at(s, n)) >= 0; n++)
    *ret = *ret << 4 | (uint32_t)any_hex_value(slice_at(s, n));
  return n >= 5 && slice_at(s, n) == '}' && *ret <= 0x10ffff ? n + 1 : 0;
}

/* QUCHAR */
static size_t take_unencoded(struct slice s, uint32_t *ret) {
  size_t n = utf8_first(s, ret);
  return n > 1 || (n && is_qchar(*ret)) ? n : 0;
}

static void put_point(struct buf *out, uint32_t c) {
  unsigned follow = c < 0x80 ? 0 : c < 0x800 ? 1 : c < 0x10000 ? 2 : 3;
  static const uint8_t leads[] = { 0, 0xc0, 0xe0, 0xf0 };
  buf_put_u8(out, (uint8_t)(leads[follow] | c >> 6 * follow));
  while (follow--) buf_put_u8(out, (uint8_t)(0x80 | (c >> 6 * follow & 0x3f)));
}

bool xtext_decode_utf8_address(struct buf *out, struct slice text) {
  size_t before = buf_len(out), n = 1;
  uint32_t c;
  for (; text.n && n; text = slice_from(text, n)) {
    n = take_embedded(text, &c);
    if (!n) n = take_unencoded(text, &c);
    if (n && !utf8_is_shown(c)) n = 0;
    if (n) put_point(out, c);
  }
  if (!n) buf_truncate(out, before);
  return n > 0;
}
