/* SPDX-License-Identifier: ISC */
/* Header fields cut off a message by slices, Received fields counted in a stream, and the
 * decision whether a message begins with a header.
 * Invariants: every octet of a header belongs to exactly one field's `raw`; malformed lines are
 * returned as fields without a name; header_hops() gives the same count however the octets were
 * cut. Its states are the LINE_ values below. */
#include "mail/header.h"

/* The line at the front of `s` with its CRLF; all of `s` if there is no CRLF. */
static struct slice first_line(struct slice s) {
  ptrdiff_t at = slice_search(s, SLICE("\r\n"));
  return at < 0 ? s : slice_first(s, (size_t)at + 2);
}

static bool is_blank(int c) { return c == ' ' || c == '\t'; }

size_t header_end(struct slice message) {
  if (slice_starts(message, SLICE("\r\n"))) return 2;
  ptrdiff_t at = slice_search(message, SLICE("\r\n\r\n"));
  return at < 0 ? message.n : (size_t)at + 4;
}

/* field-name = 1*ftext: %d33-126 without ":" (RFC 5322 §3.6.8). Blanks before the colon are
 * obsolete (§4.5.1) and still accepted. */
static struct slice field_name(struct slice line, size_t colon) {
  struct slice name = slice_trim(slice_first(line, colon));
  if (is_blank(slice_at(line, 0))) return SLICE_NONE;
  for (size_t i = 0; i < name.n; i++)
    if (name.p[i] < 33 || name.p[i] > 126) return SLICE_NONE;
  return name;
}

bool header_next(struct slice *rest, struct header_field *ret) {
  if (rest->n == 0 || slice_starts(*rest, SLICE("\r\n"))) return false;
  size_t n = first_line(*rest).n;
  while (is_blank(slice_at(*rest, n))) n += first_line(slice_from(*rest, n)).n;
  struct header_field f = { .raw = slice_first(*rest, n) };
  f.body = f.raw;
  if (f.body.n >= 2 && slice_eq(slice_from(f.body, f.body.n - 2), SLICE("\r\n"))) f.body.n -= 2;
  ptrdiff_t colon = slice_find(f.body, ':');
  f.name = colon > 0 ? field_name(f.body, (size_t)colon) : SLICE_NONE;
  if (f.name.n) f.body = slice_from(f.body, (size_t)colon + 1);
  *rest = slice_from(*rest, n);
  *ret = f;
  return true;
}

bool header_find(struct slice message, struct slice name, struct header_field *ret) {
  struct header_field f;
  while (header_next(&message, &f)) {
    if (!slice_caseeq(f.name, name)) continue;
    *ret = f;
    return true;
  }
  return false;
}

bool header_is_fields(struct slice s) {
  struct header_field f;
  while (header_next(&s, &f))
    if (!f.name.n || f.raw.n < 2 || !slice_eq(slice_from(f.raw, f.raw.n - 2), SLICE("\r\n")))
      return false;
  return s.n == 0;
}

size_t header_count(struct slice message, struct slice name) {
  struct header_field f;
  size_t count = 0;
  while (header_next(&message, &f)) count += slice_caseeq(f.name, name);
  return count;
}

void header_unfold(struct buf *out, struct slice body) {
  body = slice_trim(body);
  while (body.n) {
    struct slice line = first_line(body);
    body = slice_from(body, line.n);
    if (line.n >= 2 && slice_eq(slice_from(line, line.n - 2), SLICE("\r\n"))) line.n -= 2;
    buf_put(out, line);
  }
}

/* --- counting hops --- */

enum { LINE_FIRST, LINE_NAME, LINE_REST, LINE_FIRST_CR, LINE_REST_CR };
static const struct slice received = { (const uint8_t *)"received", 8 };

/* One octet of a field's name, while it can still match "received" blanks ":". */
static void hops_name(struct header_hops *h, uint8_t c) {
  if (h->matched < received.n && ascii_lower(c) == received.p[h->matched]) {
    h->matched++;
  } else if (h->matched == received.n && c == ':') {
    h->count++;
    h->line = LINE_REST;
  } else if (h->matched != received.n || !is_blank(c)) {
    h->line = c == '\r' ? LINE_REST_CR : LINE_REST;
  }
}

static void hops_octet(struct header_hops *h, uint8_t c) {
  switch (h->line) {
  case LINE_FIRST:
    h->matched = 0;
    h->line = c == '\r' ? LINE_FIRST_CR : LINE_NAME;
    if (h->line == LINE_NAME) hops_name(h, c);
    break;
  case LINE_NAME: hops_name(h, c); break;
  case LINE_REST: h->line = c == '\r' ? LINE_REST_CR : LINE_REST; break;
  case LINE_FIRST_CR: /* "\r\n" at a line's start is the empty line */
    h->over = c == '\n';
    h->line = c == '\r' ? LINE_REST_CR : LINE_REST;
    break;
  case LINE_REST_CR: h->line = c == '\n' ? LINE_FIRST : c == '\r' ? LINE_REST_CR : LINE_REST; break;
  }
}

void header_hops(struct header_hops *h, struct slice piece) {
  while (piece.n && !h->over) {
    if (h->line == LINE_REST) { /* most octets: skip to the next CR */
      ptrdiff_t cr = slice_find(piece, '\r');
      piece = slice_from(piece, cr < 0 ? piece.n : (size_t)cr);
      if (piece.n == 0) return;
    }
    hops_octet(h, piece.p[0]);
    piece = slice_from(piece, 1);
  }
}

/* --- the beginning of a message --- */

enum { FIRST_NAME_MAX = 998 /* RFC 5322 §2.1.1 */ };

enum first { FIRST_MORE, FIRST_FIELD, FIRST_MBOX, FIRST_TEXT };

static bool is_name_octet(uint8_t c) { return ascii_is_graph(c) && c != ':'; }

/* field-name, then (RFC 5322 §4.5.8) perhaps space, then ":". */
static enum first first_of(struct slice s) {
  size_t name = 0;
  while (name < s.n && name <= FIRST_NAME_MAX && is_name_octet(s.p[name])) name++;
  size_t n = name;
  while (n < s.n && n <= FIRST_NAME_MAX && (s.p[n] == ' ' || s.p[n] == '\t')) n++;
  if (slice_starts(s, SLICE("\r\n"))) return FIRST_FIELD; /* no header at all */
  if (n == s.n && n <= FIRST_NAME_MAX) return FIRST_MORE;
  if (name && slice_at(s, n) == ':') return FIRST_FIELD;
  if (n == 0 && s.p[0] == '\r' && s.n == 1) return FIRST_MORE;
  while (slice_starts(s, SLICE(">"))) s = slice_from(s, 1);
  return slice_starts(s, SLICE("From ")) ? FIRST_MBOX : FIRST_TEXT;
}

bool header_settle(struct buf *b, size_t at, bool whole) {
  struct slice s = slice_from(buf_slice(b), at);
  enum first first = s.n ? first_of(s) : FIRST_MORE;
  if (first == FIRST_MORE && !whole) return false;
  if (first == FIRST_MBOX)
    buf_insert(b, at, SLICE("X-Mailbox-Line: "));
  else if (first != FIRST_FIELD && s.n)
    buf_insert(b, at, SLICE("\r\n"));
  return true;
}
