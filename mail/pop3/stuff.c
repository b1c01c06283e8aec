/* SPDX-License-Identifier: ISC */
/* A message written as a multi-line response: dot-stuffed, completed, and checked against its
 * announced size.
 * Invariants: the octets sent before stuffing are exactly those announced, or POP3_STUFF_WRONG
 * is returned and the final "." is not written; a dot is stuffed only at the start of a line;
 * the work is one pass. */
#include "mail/pop3/stuff.h"

void pop3_stuff_open(struct pop3_stuffer *st, uint64_t announced) {
  *st = (struct pop3_stuffer){ .announced = announced, .at = MAIL_AT_START, .in_header = true };
}

void pop3_stuff_open_top(struct pop3_stuffer *st, uint64_t announced, uint64_t lines) {
  pop3_stuff_open(st, announced);
  st->top = true;
  st->lines_left = lines;
}

/* Called for each header or body line. True when TOP's lines have been sent. */
static bool line_done(struct pop3_stuffer *st, bool empty) {
  if (st->in_header)
    st->in_header = !empty;
  else if (st->lines_left > 0)
    st->lines_left--;
  return st->top && !st->in_header && st->lines_left == 0;
}

/* NUL is the one octet that clients written in C cannot handle. */
static void put_clean(struct buf *out, struct slice s) {
  if (s.n == 0) return;
  uint8_t *to = buf_reserve(out, s.n);
  if (!to) return;
  memcpy(to, s.p, s.n);
  for (uint8_t *nul = to; (nul = memchr(nul, 0, s.n - (size_t)(nul - to)));) *nul = 0x80;
  buf_added(out, s.n);
}

/* In the body of RETR only dots after CRLF matter, and most bodies have few dots: the number of
 * octets from `at` on before the next such dot. at > 0, and the octet before it ends a line. */
static size_t plain_body(struct slice piece, size_t at) {
  const uint8_t *end = piece.p + piece.n, *dot = piece.p + at;
  while (++dot < end && (dot = memchr(dot, '.', (size_t)(end - dot))))
    if (dot[-1] == '\n' && dot[-2] == '\r') return (size_t)(dot - piece.p) - at;
  return piece.n - at;
}

/* The same for the position in the line. */
static enum mail_at after_body(enum mail_at at, struct slice run) {
  int last = slice_at(run, run.n - 1);
  if (last == '\n' && run.n > 1 && slice_at(run, run.n - 2) == '\r') return MAIL_AT_START;
  return last == '\n' ? MAIL_AT_INSIDE : mail_at_after(at, run);
}

enum pop3_stuff pop3_stuff_put(struct pop3_stuffer *st, struct slice piece, struct buf *out) {
  if (piece.n > st->announced - st->taken || !buf_reserve(out, piece.n)) return POP3_STUFF_WRONG;
  size_t sent = 0, i = 0; /* octets put into `out`; octets examined */
  bool cut = false;
  while (i < piece.n && !cut) {
    struct slice rest = slice_from(piece, i);
    if (st->at == MAIL_AT_START && slice_at(rest, 0) == '.') {
      put_clean(out, slice_first(slice_from(piece, sent), i - sent));
      buf_put_u8(out, '.');
      sent = i;
    }
    if (i && !st->in_header && !st->top) {
      rest = slice_first(rest, plain_body(piece, i));
      st->at = after_body(st->at, rest);
      i += rest.n;
      continue;
    }
    ptrdiff_t lf = slice_find(rest, '\n');
    bool empty = false;
    size_t n = lf < 0 ? rest.n : (size_t)lf + 1;
    st->at = lf < 0 ? mail_at_after(st->at, rest)
                    : mail_at_line_end(st->at, slice_first(rest, n), &empty);
    if (st->at == MAIL_AT_START) cut = line_done(st, empty);
    i += n;
  }
  put_clean(out, slice_first(slice_from(piece, sent), i - sent));
  st->taken += i;
  if (cut) buf_put(out, SLICE(".\r\n"));
  if (out->failed) return POP3_STUFF_WRONG;
  return cut ? POP3_STUFF_DONE : POP3_STUFF_MORE;
}

enum pop3_stuff pop3_stuff_end(struct pop3_stuffer *st, struct buf *out) {
  uint64_t missing = st->announced - st->taken;
  uint64_t line_end = st->at == MAIL_AT_START ? 0 : 2;
  uint64_t empty_line = st->in_header ? 2 : 0;
  if (missing != line_end && missing != line_end + empty_line) return POP3_STUFF_WRONG;
  if (line_end) buf_put(out, SLICE("\r\n"));
  /* TOP announces no size, and promises the empty line. */
  if (empty_line && (st->top || missing == line_end + empty_line)) buf_put(out, SLICE("\r\n"));
  buf_put(out, SLICE(".\r\n"));
  return out->failed ? POP3_STUFF_WRONG : POP3_STUFF_DONE;
}
