/* SPDX-License-Identifier: ISC */
/* Splits an SMTP stream into command lines. States: in a line (all zero) → `discarding` when the
 * line is spoilt or too long, until its CRLF → in a line. Invariants: only CRLF ends a line;
 * nothing that follows a lone CR or LF before the next CRLF is taken as a command; no more than
 * limit + 1 octets are searched for a line's end; SMTP_DISCARD_MAX octets without an end close the
 * connection. */
#include "mail/smtp/line.h"

/* Where the line at the front of `in` ends, or is spoilt. */
enum find { FOUND_NOTHING, FOUND_END, FOUND_SPOIL };

/* `*ret_at`: the index of the line's CRLF, or of the octet after which the line is spoilt. */
static enum find find_end(struct slice in, size_t *ret_at) {
  ptrdiff_t lf = slice_find(in, '\n');
  struct slice line = lf < 0 ? in : slice_first(in, (size_t)lf);
  ptrdiff_t cr = slice_find(line, '\r');
  bool cr_last = cr >= 0 && (size_t)cr + 1 == line.n;
  *ret_at = (size_t)cr;
  if (lf < 0) return cr >= 0 && !cr_last ? FOUND_SPOIL : FOUND_NOTHING;
  if (cr_last) return FOUND_END;
  if (cr < 0) *ret_at = (size_t)lf;
  return FOUND_SPOIL;
}

static void discard(struct smtp_line *l, struct slice *in, size_t n) {
  l->discarding = true;
  l->discarded += (uint32_t)n;
  l->after_cr = n && slice_at(*in, n - 1) == '\r';
  *in = slice_from(*in, n);
}

/* Skips a refused line, up to and including its CRLF, or an LF alone. */
static enum smtp_line_result skip(struct smtp_line *l, struct slice *in) {
  bool ends = l->after_cr && slice_at(*in, 0) == '\n';
  ptrdiff_t at = ends ? 0 : slice_search(*in, SLICE("\r\n"));
  size_t n = ends ? 1 : at < 0 ? in->n : (size_t)at + 2;
  ptrdiff_t lf = ends ? -1 : slice_find(slice_first(*in, n), '\n');
  bool bare = lf >= 0 && (size_t)lf + 1 < n;
  if (lf >= 0 && at < 0) bare = true;
  if (bare) n = (size_t)lf + 1;
  size_t left = SMTP_DISCARD_MAX - l->discarded;
  if (n > left) return SMTP_LINE_ENDLESS;
  discard(l, in, n);
  if (bare) return SMTP_LINE_BAD;
  if (ends || at >= 0) *l = (struct smtp_line){ 0 };
  return SMTP_LINE_SKIPPED;
}

enum smtp_line_result smtp_line_take(struct smtp_line *l, struct slice *in, size_t limit,
                                     struct slice *ret) {
  size_t at;
  if (l->discarding) return skip(l, in);
  /* No search beyond the limit: an endless line costs no more than a long one. */
  struct slice window = slice_first(*in, limit + 1);
  enum find found = find_end(window, &at);
  if (found == FOUND_NOTHING) {
    if (window.n <= limit) return SMTP_LINE_MORE;
    discard(l, in, window.n);
    return SMTP_LINE_LONG;
  }
  if (found == FOUND_SPOIL) {
    discard(l, in, at + 1);
    return SMTP_LINE_BAD;
  }
  *ret = slice_first(*in, at);
  *in = slice_from(*in, at + 2);
  if (at + 2 > limit) return SMTP_LINE_LONG;
  return slice_find(*ret, 0) < 0 ? SMTP_LINE_OK : SMTP_LINE_BAD;
}

bool smtp_line_peek(const struct smtp_line *l, struct slice in, size_t limit, struct slice *ret) {
  struct smtp_line copy = *l;
  return smtp_line_take(&copy, &in, limit, ret) == SMTP_LINE_OK;
}
