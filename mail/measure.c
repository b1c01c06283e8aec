/* SPDX-License-Identifier: ISC */
/* The size a message has once it is complete: ended by CRLF, its header ended by an empty line.
 * Invariant: the state is the position in the line and whether the header has ended; the result
 * does not depend on how the octets were cut. */
#include "mail/measure.h"

enum mail_at mail_at_after(enum mail_at at, struct slice rest) {
  if (rest.n == 0) return at;
  if (slice_at(rest, rest.n - 1) != '\r') return MAIL_AT_INSIDE;
  return at == MAIL_AT_START && rest.n == 1 ? MAIL_AT_START_CR : MAIL_AT_CR;
}

enum mail_at mail_at_line_end(enum mail_at at, struct slice line, bool *ret_empty) {
  enum mail_at before = mail_at_after(at, slice_first(line, line.n - 1));
  *ret_empty = before == MAIL_AT_START_CR;
  return before == MAIL_AT_START_CR || before == MAIL_AT_CR ? MAIL_AT_START : MAIL_AT_INSIDE;
}

void mail_measure_open(struct mail_measure *m) {
  *m = (struct mail_measure){ .at = MAIL_AT_START, .in_header = true };
}

void mail_measure_put(struct mail_measure *m, struct slice piece) {
  m->octets += piece.n;
  while (m->in_header && piece.n > 0) {
    ptrdiff_t lf = slice_find(piece, '\n');
    bool empty = false;
    size_t n = lf < 0 ? piece.n : (size_t)lf + 1;
    m->at = lf < 0 ? mail_at_after(m->at, piece)
                   : mail_at_line_end(m->at, slice_first(piece, n), &empty);
    m->in_header = !empty;
    piece = slice_from(piece, n);
  }
  if (piece.n == 0) return;
  /* In the body only the end matters. */
  bool after_cr = piece.n > 1 ? slice_at(piece, piece.n - 2) == '\r' : m->at == MAIL_AT_CR;
  bool ends = after_cr && slice_at(piece, piece.n - 1) == '\n';
  m->at = ends ? MAIL_AT_START : slice_at(piece, piece.n - 1) == '\r' ? MAIL_AT_CR : MAIL_AT_INSIDE;
}

uint64_t mail_measure_end(const struct mail_measure *m) {
  return m->octets + (m->at == MAIL_AT_START ? 0 : 2) + (m->in_header ? 2 : 0);
}
