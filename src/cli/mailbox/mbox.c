/* SPDX-License-Identifier: ISC */
/* Converts messages between wire form and the form in mailbox files (mbox.h), in pieces of any
 * size. Pure. Invariant: what is held back between two pieces is bounded (a CR, and up to
 * QUOTES_MAX octets of a line's begin), so the result does not depend on where the pieces were cut.
 */
#include "src/cli/mailbox/mbox.h"

#include <time.h>

/* --- into wire form --- */

enum { QUOTES_MAX = 4096 /* a line with more ">"s than this is not unquoted */ };

static const struct slice from_word = SLICE("From ");

struct to_wire to_wire_open(enum mbox_quoting quoting) {
  return (struct to_wire){ .quoting = quoting, .at_start = true };
}

/* Puts what was held back at the line's beginning; `whole`: it is ">"s and "From ". */
static void put_held(struct to_wire *w, bool whole, struct buf *out) {
  size_t quotes = w->quotes;
  if (whole && quotes && (w->quoting == MBOX_QUOTES_ALL || quotes == 1)) quotes--;
  for (size_t i = 0; i < quotes; i++) buf_put_u8(out, '>');
  buf_put(out, slice_first(from_word, w->matched));
  w->quotes = w->matched = 0;
  w->at_start = false;
}

static void end_line(struct to_wire *w, struct buf *out) {
  if (w->at_start) put_held(w, false, out);
  buf_put(out, SLICE("\r\n"));
  w->at_start = true;
}

/* An octet while the line may still be a quoted one. False: it is not, and the octet remains to be
 * put. */
static bool hold(struct to_wire *w, uint8_t c, struct buf *out) {
  if (w->quoting != MBOX_QUOTES_NONE && c == '>' && !w->matched && w->quotes < QUOTES_MAX) {
    w->quotes++;
    return true;
  }
  if (w->quotes && c == from_word.p[w->matched]) {
    if (++w->matched == from_word.n) put_held(w, true, out);
    return true;
  }
  put_held(w, false, out);
  return false;
}

void to_wire_put(struct to_wire *w, struct slice piece, struct buf *out) {
  while (piece.n) {
    uint8_t c = piece.p[0];
    if (w->cr) end_line(w, out);
    if (w->cr && c == '\n') {
      w->cr = false;
      piece = slice_from(piece, 1);
      continue;
    }
    w->crs += w->cr;
    w->cr = c == '\r';
    if (c == '\n') end_line(w, out);
    if (c == '\n' || c == '\r' || (w->at_start && hold(w, c, out))) {
      piece = slice_from(piece, 1);
      continue;
    }
    size_t n = 0;
    while (n < piece.n && piece.p[n] != '\n' && piece.p[n] != '\r') n++;
    buf_put(out, slice_first(piece, n));
    piece = slice_from(piece, n);
  }
}

void to_wire_end(struct to_wire *w, struct buf *out) {
  if (w->cr || !w->at_start || w->quotes || w->matched) end_line(w, out);
  w->crs += w->cr;
  w->cr = false;
}

/* --- from wire form --- */

struct from_wire from_wire_open(bool quote) {
  return (struct from_wire){ .quote = quote };
}

/* One octet that is text, not part of a line's end. */
static void put_text(struct from_wire *w, uint8_t c, struct buf *out) {
  if (w->quote && w->matched != FROM_WIRE_INSIDE) {
    if (c == '>' && w->matched == 0) {
      buf_put_u8(out, c); /* one ">" more or less before others is the same */
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
    good = good && slice_is_graph(given);
    if (good) sender = given;
  }
  char text[32];
  time_t t = (time_t)date;
  struct tm tm;
  if (!gmtime_r(&t, &tm) || strftime(text, sizeof text, "%a %b %e %H:%M:%S %Y", &tm) == 0)
    text[0] = 0;
  buf_put_str(out, "From ");
  buf_put(out, sender);
  buf_printf(out, " %s\n", text);
}
