#include "src/cli/mbox.h"

#include <time.h>

/* --- reading --- */

static struct slice take_line(struct slice *s) {
  ptrdiff_t at = slice_find(*s, '\n');
  struct slice line = slice_first(*s, at < 0 ? s->n : (size_t)at + 1);
  *s = slice_from(*s, line.n);
  return line;
}

static bool is_empty_line(struct slice line) {
  return slice_eq(line, SLICE("\n")) || slice_eq(line, SLICE("\r\n"));
}

/* The date in asctime's form at the end of a From line, taken as UTC. */
static int64_t from_date(struct slice line) {
  char text[25];
  struct tm tm = { 0 };
  while (line.n && (line.p[line.n - 1] == '\n' || line.p[line.n - 1] == '\r')) line.n--;
  if (line.n < sizeof text - 1) return 0;
  memcpy(text, line.p + line.n - (sizeof text - 1), sizeof text - 1);
  text[sizeof text - 1] = 0;
  const char *end = strptime(text, "%a %b %d %H:%M:%S %Y", &tm);
  int64_t date = end && !*end ? (int64_t)timegm(&tm) : 0;
  return date > 0 ? date : 0;
}

bool mbox_next(struct slice *rest, struct mbox_message *ret) {
  struct slice s = *rest;
  while (s.n && (s.p[0] == '\n' || s.p[0] == '\r')) s = slice_from(s, 1);
  if (!slice_starts(s, SLICE("From "))) {
    if (s.n == 0) *rest = s;
    return false;
  }
  struct slice from = take_line(&s), start = s;
  size_t n = s.n, last_empty = 0;
  bool after_empty = true; /* a message without a single line is followed by the next one */
  while (s.n) {
    if (after_empty && slice_starts(s, SLICE("From "))) {
      n = start.n - s.n;
      break;
    }
    struct slice line = take_line(&s);
    after_empty = is_empty_line(line);
    last_empty = after_empty ? line.n : 0;
  }
  *rest = slice_from(start, n);
  *ret = (struct mbox_message){ slice_first(start, n - last_empty), from_date(from) };
  return true;
}

/* --- into wire form --- */

struct to_wire to_wire_open(struct slice raw, bool unquote) {
  return (struct to_wire){ .rest = raw, .unquote = unquote };
}

/* The next line without its end. */
static struct slice wire_line(struct slice *s) {
  size_t n = 0;
  while (n < s->n && s->p[n] != '\n' && s->p[n] != '\r') n++;
  struct slice line = slice_first(*s, n);
  *s = slice_from(*s, slice_starts(slice_from(*s, n), SLICE("\r\n")) ? n + 2 : n + 1);
  return line;
}

static struct slice unquoted(struct slice line) {
  size_t n = 0;
  while (n < line.n && line.p[n] == '>') n++;
  return n && slice_starts(slice_from(line, n), SLICE("From ")) ? slice_from(line, 1) : line;
}

bool to_wire_next(struct to_wire *w, struct buf *out, size_t least) {
  size_t before = buf_len(out);
  if (w->rest.n == 0) return false;
  while (w->rest.n && buf_len(out) - before < least) {
    struct slice line = wire_line(&w->rest);
    buf_put(out, w->unquote ? unquoted(line) : line);
    buf_put(out, SLICE("\r\n"));
  }
  return true;
}

uint64_t to_wire_size(struct slice raw, bool unquote) {
  uint64_t n = 0;
  while (raw.n) {
    struct slice line = wire_line(&raw);
    n += (unquote ? unquoted(line).n : line.n) + 2;
  }
  return n;
}

/* --- from wire form --- */

static const struct slice from_word = SLICE("From ");

struct from_wire from_wire_open(bool quote) {
  return (struct from_wire){ .quote = quote };
}

/* One octet that is text, not part of a line's end. */
static void put_text(struct from_wire *w, uint8_t c, struct buf *out) {
  if (w->quote && w->matched != FROM_WIRE_INSIDE) {
    if (c == '>' && w->matched == 0) {
      buf_put_u8(out, c); /* one ">" more or less in front of others is the same */
      return;
    }
    if (c == from_word.p[w->matched]) {
      if (++w->matched < from_word.n) return;
      buf_put_u8(out, '>');
    }
    buf_put(out, slice_first(from_word, w->matched));
    bool whole = w->matched == from_word.n;
    w->matched = FROM_WIRE_INSIDE;
    if (whole) return;
  }
  buf_put_u8(out, c);
}

void from_wire_put(struct from_wire *w, struct slice piece, struct buf *out) {
  for (size_t i = 0; i < piece.n; i++) {
    uint8_t c = piece.p[i];
    if (w->cr && c != '\n') put_text(w, '\r', out);
    w->cr = c == '\r';
    if (c == '\r') continue;
    if (c != '\n') {
      put_text(w, c, out);
      continue;
    }
    from_wire_end(w, out);
    buf_put_u8(out, '\n');
    w->matched = 0;
  }
}

void from_wire_end(struct from_wire *w, struct buf *out) {
  if (w->cr) put_text(w, '\r', out);
  w->cr = false;
  if (w->quote && w->matched != FROM_WIRE_INSIDE) buf_put(out, slice_first(from_word, w->matched));
  w->matched = FROM_WIRE_INSIDE;
}

void mbox_put_from(struct buf *out, struct slice message, int64_t date) {
  struct slice sender = SLICE("MAILER-DAEMON"), path = SLICE("Return-Path: <");
  if (slice_case_starts(message, path)) {
    message = slice_from(message, path.n);
    ptrdiff_t end = slice_find(message, '>');
    struct slice given = end > 0 && end < 320 ? slice_first(message, (size_t)end) : SLICE_NONE;
    bool good = given.n > 0;
    for (size_t i = 0; i < given.n; i++) good = good && given.p[i] > ' ' && given.p[i] < 0x7f;
    if (good) sender = given;
  }
  char text[32];
  time_t t = (time_t)date;
  struct tm tm;
  if (!gmtime_r(&t, &tm) || strftime(text, sizeof text, "%a %b %e %H:%M:%S %Y", &tm) == 0) text[0] = 0;
  buf_put_str(out, "From ");
  buf_put(out, sender);
  buf_printf(out, " %s\n", text);
}
