/* Invariants:
 *  1. AT_START is entered by a CRLF and by DATA itself, and by nothing else.
 *  2. Only AT_DOT_CR can end the message, and only with LF; AT_DOT is only entered from AT_START.
 *  3. An octet is put out when it is taken, but for the dot at a line's start (never put out) and the
 *     CR behind it (put out when it turns out not to belong to the end mark).
 *
 *                   "."              CR               LF
 *    AT_START ───────────▶ AT_DOT ───────▶ AT_DOT_CR ─────▶ the end
 *       ▲ ╲ other             │ other           │ other
 *    LF │   ╲                 ▼                 │
 *  AT_TEXT_CR ◀──── CR ──── AT_TEXT ◀───────────┘
 */
#include "lib/smtp/data.h"

enum { AT_START, AT_DOT, AT_DOT_CR, AT_TEXT, AT_TEXT_CR };

void smtp_data_start(struct smtp_data *d, bool fix) {
  *d = (struct smtp_data){ .at = AT_START, .fix = fix, .line_start = true };
}

static void put(struct smtp_data *d, struct buf *out, struct slice s) {
  d->octets += s.n;
  if (out) buf_put(out, s);
}

static void put_octet(struct smtp_data *d, struct buf *out, uint8_t c) {
  if (c == '.' && d->line_start) d->dots = true;
  d->line_start = c == '\n';
  put(d, out, slice_of(&c, 1));
}

/* The CR just put out was followed by something else than LF. */
static void bare_cr(struct smtp_data *d, struct buf *out) {
  d->bare = true;
  if (d->fix) put_octet(d, out, '\n');
}

/* One octet that belongs to a line's text. */
static void text(struct smtp_data *d, struct buf *out, uint8_t c) {
  if (c == '\n') { /* no CR before it, or this would be AT_TEXT_CR */
    d->bare = true;
    if (d->fix) put_octet(d, out, '\r');
  }
  put_octet(d, out, c);
  d->at = c == '\r' ? AT_TEXT_CR : AT_TEXT;
}

/* One octet, every case. True: it ended the message. */
static bool step(struct smtp_data *d, struct buf *out, uint8_t c) {
  switch (d->at) {
  case AT_START:
    if (c == '.') d->at = AT_DOT;
    else text(d, out, c);
    return false;
  case AT_DOT:
    if (c == '\r') d->at = AT_DOT_CR;
    else text(d, out, c);
    return false;
  case AT_DOT_CR:
    if (c == '\n') return true;
    put_octet(d, out, '\r');
    bare_cr(d, out);
    text(d, out, c);
    return false;
  case AT_TEXT_CR:
    if (c == '\n') {
      put_octet(d, out, c);
      d->at = AT_START;
      return false;
    }
    bare_cr(d, out);
    break;
  }
  text(d, out, c);
  return false;
}

/* How many octets at the front of `in` are whole lines with nothing remarkable in them: each ends in
 * its only CR and LF and does not begin with a dot. Called at AT_START. */
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

/* How many octets of an unfinished line go before the next CR or LF, looking a little way: a text
 * full of bare CRs must not be searched to its end for each. Called at AT_TEXT. */
static size_t plain_text(struct slice in) {
  struct slice window = slice_first(in, 256);
  ptrdiff_t lf = slice_find(window, '\n');
  struct slice line = lf < 0 ? window : slice_first(window, (size_t)lf);
  ptrdiff_t cr = slice_find(line, '\r');
  return cr < 0 ? line.n : (size_t)cr;
}

static size_t plain_run(const struct smtp_data *d, struct slice in) {
  if (d->at == AT_START) return plain_lines(in);
  return d->at == AT_TEXT && !d->line_start ? plain_text(in) : 0;
}

/* How many octets may be taken so that what they put out fits: one each and a CR held back, or with
 * `fix` two each. */
static size_t takeable(const struct smtp_data *d, size_t room) {
  if (room == 0) return 0;
  return d->fix ? (room - 1) / 2 : room - 1;
}

bool smtp_data_take(struct smtp_data *d, struct slice *in, struct buf *out) {
  struct slice piece = out ? slice_first(*in, takeable(d, buf_room(out))) : *in;
  size_t taken = 0;
  bool end = false;
  while (taken < piece.n && !end) {
    struct slice rest = slice_from(piece, taken);
    size_t run = plain_run(d, rest);
    if (run) {
      put(d, out, slice_first(rest, run));
      taken += run;
    } else {
      end = step(d, out, rest.p[0]);
      taken++;
    }
  }
  if (slice_find(slice_first(piece, taken), 0) >= 0) d->nul = true;
  *in = slice_from(*in, taken);
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
