/* SPDX-License-Identifier: ISC */
/* Finds the end of a message in the octets after DATA, and removes dot-stuffing.
 *
 * Invariants:
 *   1. AT_START is entered by a CRLF and by DATA itself, and by nothing else.
 *   2. Only AT_DOT_CR can end the message, and only with LF; AT_DOT is only entered from AT_START.
 *   3. An octet goes to mail/clean.h when it is taken, except for the dot at a line's start (never)
 *      and the CR after it (when it turns out not to belong to the end mark).
 *
 *                     "."              CR               LF
 *      AT_START ───────────▶ AT_DOT ───────▶ AT_DOT_CR ─────▶ the end
 *         ▲ ╲ other             │ other           │ other
 *      LF │   ╲                 ▼                 │
 *    AT_TEXT_CR ◀──── CR ──── AT_TEXT ◀───────────┘
 *
 * After a bare CR or LF the text continues in AT_LOOSE, and after a dot there, in AT_LOOSE_DOT,
 * another dot is removed. From both, everything else is text as from AT_TEXT. */
#include "mail/smtp/data.h"

enum { AT_START, AT_DOT, AT_DOT_CR, AT_TEXT, AT_TEXT_CR, AT_LOOSE, AT_LOOSE_DOT };

void smtp_data_start(struct smtp_data *d) { *d = (struct smtp_data){ .at = AT_START }; }

static void put_octet(struct smtp_data *d, struct buf *out, uint8_t c) {
  mail_clean_put(&d->clean, slice_of(&c, 1), out);
}

/* One octet that belongs to a line's text, whether after a bare line end or not. */
static void text(struct smtp_data *d, struct buf *out, uint8_t c, bool loose) {
  put_octet(d, out, c);
  if (c == '\r')
    d->at = AT_TEXT_CR;
  else if (c == '\n')
    d->at = AT_LOOSE; /* no CR before it, or this would be AT_TEXT_CR */
  else
    d->at = loose && c == '.' ? AT_LOOSE_DOT : AT_TEXT;
}

/* One octet, every case. True: it ended the message. */
static bool step(struct smtp_data *d, struct buf *out, uint8_t c) {
  switch (d->at) {
  case AT_START:
    if (c == '.')
      d->at = AT_DOT;
    else
      text(d, out, c, false);
    return false;
  case AT_DOT:
    if (c == '\r')
      d->at = AT_DOT_CR;
    else
      text(d, out, c, false);
    return false;
  case AT_DOT_CR:
    if (c == '\n') return true;
    put_octet(d, out, '\r');
    text(d, out, c, true);
    return false;
  case AT_TEXT_CR:
    if (c == '\n') {
      put_octet(d, out, c);
      d->at = AT_START;
      return false;
    }
    text(d, out, c, true);
    return false;
  case AT_LOOSE_DOT:
    if (c == '.')
      d->at = AT_TEXT;
    else
      text(d, out, c, false);
    return false;
  }
  text(d, out, c, d->at == AT_LOOSE);
  return false;
}

/* The number of octets at the front of `in` that are plain whole lines: each ends in its only CR
 * and LF and does not begin with a dot. Called at AT_START. */
static size_t plain_lines(struct slice in) {
  size_t n = 0;
  while (slice_at(in, n) != '.') {
    struct slice rest = slice_from(in, n);
    ptrdiff_t lf = slice_find(rest, '\n');
    if (lf < 1 || slice_find(slice_first(rest, (size_t)lf), '\r') != lf - 1) break;
    n += (size_t)lf + 1;
  }
  return n;
}

/* The number of octets of an unfinished line before the next CR or LF, searching only a short way:
 * a text full of bare CRs must not be searched to its end for each. Called at AT_TEXT. */
static size_t plain_text(struct slice in) {
  struct slice window = slice_first(in, 256);
  ptrdiff_t lf = slice_find(window, '\n');
  struct slice line = lf < 0 ? window : slice_first(window, (size_t)lf);
  ptrdiff_t cr = slice_find(line, '\r');
  return cr < 0 ? line.n : (size_t)cr;
}

static size_t plain_run(const struct smtp_data *d, struct slice in) {
  if (d->at == AT_START) return plain_lines(in);
  return d->at == AT_TEXT ? plain_text(in) : 0;
}

bool smtp_data_take(struct smtp_data *d, struct slice *in, struct buf *out) {
  bool end = false;
  while (in->n && !end) {
    size_t room = out ? buf_room(out) : SIZE_MAX;
    if (room <= MAIL_CLEAN_ROOM) break;
    size_t run = plain_run(d, slice_first(*in, room - MAIL_CLEAN_ROOM));
    if (run)
      mail_clean_put_lines(&d->clean, slice_first(*in, run), out);
    else
      end = step(d, out, in->p[0]);
    *in = slice_from(*in, run ? run : 1);
  }
  return end;
}

void smtp_stuff_put(struct smtp_stuff *s, struct buf *out, struct slice body) {
  while (body.n) {
    bool start = !s->any || (s->last[0] == '\r' && s->last[1] == '\n');
    if (start && body.p[0] == '.') buf_put_u8(out, '.');
    ptrdiff_t lf = slice_find(body, '\n');
    struct slice line = lf < 0 ? body : slice_first(body, (size_t)lf + 1);
    buf_put(out, line);
    s->last[0] = line.n > 1 ? line.p[line.n - 2] : s->last[1];
    s->last[1] = line.p[line.n - 1];
    s->any = true;
    body = slice_from(body, line.n);
  }
}

void smtp_stuff_end(struct smtp_stuff *s, struct buf *out) {
  if (s->any && !(s->last[0] == '\r' && s->last[1] == '\n')) buf_put_str(out, "\r\n");
  buf_put_str(out, ".\r\n");
  *s = (struct smtp_stuff){ 0 };
}
