/* SPDX-License-Identifier: ISC */
/* Header text written as encoded-words of RFC 2047, in Q or B, whichever suits the text, and
 * folded at 76 columns.
 * Invariants: an encoded-word is at most 75 characters and holds whole UTF-8 characters; control
 * characters become "?", so no text can end a line. */
#include "mail/words.h"

#include "lib/base/codec.h"
#include "lib/base/utf8.h"

enum {
  WORD_MAX = 75 /* RFC 2047 §2 */,
  WORD_ENDS = 7 /* =? ? ? ?= and the encoding */,
  PIECE_MAX = 64
};

void field_put(struct field_writer *w, struct slice ascii) {
  ptrdiff_t lf = slice_rfind(ascii, '\n');
  buf_put(w->out, ascii);
  w->column = lf < 0 ? w->column + ascii.n : ascii.n - (size_t)lf - 1;
}

void field_put_space(struct field_writer *w, struct slice space, size_t next) {
  bool folded = slice_find(space, '\n') >= 0;
  /* a bare CR would not */
  bool continues = slice_at(space, 0) == ' ' || slice_at(space, 0) == '\t';
  if (!folded && continues && w->column + space.n + next > MAIL_COLUMNS)
    field_put(w, SLICE("\r\n"));
  field_put(w, space);
}

/* RFC 2047 §5 (3): characters that need no encoding in a phrase, which is the strictest place. */
static bool is_plain(uint8_t c) { return ascii_is_alnum(c) || (c && strchr("!*+-/", c)); }

static uint8_t shown(uint8_t c) { return ascii_is_control(c) ? '?' : c; }

static size_t q_cost(struct slice s) {
  size_t cost = 0;
  for (size_t i = 0; i < s.n; i++)
    cost += is_plain(s.p[i]) || s.p[i] == ' ' || s.p[i] == '\t' ? 1 : 3;
  return cost;
}

static size_t b_cost(size_t n) { return (n + 2) / 3 * 4; }

static void put_q(struct buf *out, struct slice s) {
  for (size_t i = 0; i < s.n; i++) {
    uint8_t c = s.p[i] == '\t' ? ' ' : shown(s.p[i]);
    if (c == ' ' || is_plain(c)) {
      buf_put_u8(out, c == ' ' ? '_' : c);
      continue;
    }
    buf_put_u8(out, '=');
    hex_put_upper(out, c);
  }
}

static void put_b(struct buf *out, struct slice s) {
  uint8_t clean[PIECE_MAX];
  for (size_t i = 0; i < s.n; i++) clean[i] = s.p[i] == '\t' ? ' ' : shown(s.p[i]);
  base64_put(out, slice_of(clean, s.n));
}

/* The length of the prefix of `text`, in whole characters, that fits into `room` columns; at least
 * one character. RFC 2047 §5: "each encoded-word MUST represent an integral number of
 * characters". */
static size_t fitting(struct slice text, bool q, size_t room) {
  size_t n = 0, cost = 0;
  while (n < text.n) {
    uint32_t point;
    size_t step = utf8_first(slice_from(text, n), &point);
    if (!step) step = 1;
    cost += q_cost(slice_first(slice_from(text, n), step));
    if (n && ((q ? cost : b_cost(n + step)) > room || n + step > PIECE_MAX)) break;
    n += step;
  }
  return n;
}

/* Q is legible, so it may be half as long again. */
static bool prefers_q(struct slice text) { return 2 * q_cost(text) <= 3 * b_cost(text.n); }

void field_put_words(struct field_writer *w, struct slice text) {
  struct slice charset = SLICE("UTF-8");
  bool q = prefers_q(text);
  while (text.n) {
    size_t left = w->column < MAIL_COLUMNS ? MAIL_COLUMNS - w->column : 0;
    size_t most = left < WORDS_WANT ? WORDS_WANT : left < WORD_MAX ? left : WORD_MAX;
    size_t n = fitting(text, q, most - charset.n - WORD_ENDS), before = buf_len(w->out);
    buf_put(w->out, SLICE("=?"));
    buf_put(w->out, charset);
    buf_put_str(w->out, q ? "?Q?" : "?B?");
    (q ? put_q : put_b)(w->out, slice_first(text, n));
    buf_put(w->out, SLICE("?="));
    w->column += buf_len(w->out) - before;
    text = slice_from(text, n);
    if (text.n) field_put(w, SLICE("\r\n "));
    if (w->out->failed) return;
  }
}
