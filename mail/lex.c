/* SPDX-License-Identifier: ISC */
/* A tokeniser for structured header fields (RFC 5322 §3.2).
 * Invariants: each call takes at least one octet unless the text is at its end, and the tokens
 * put together are the text; comments nest without recursion. */
#include "mail/lex.h"

static bool is_space(int c) { return c == ' ' || c == '\t' || c == '\r' || c == '\n'; }
static bool is_special(int c) {
  return c == '<' || c == '>' || c == '@' || c == ',' || c == ';' || c == ':';
}
static bool ends_word(int c) {
  return c < 0 || is_space(c) || is_special(c) || c == '"' || c == '(';
}

static size_t spaces(struct slice s) {
  size_t n = 0;
  while (is_space(slice_at(s, n))) n++;
  return n;
}

/* From an opening mark to the one that closes it. */
static size_t closed(struct slice s, int open, int close) {
  size_t depth = 0, n = 0;
  while (n < s.n) {
    int c = s.p[n++];
    if (c == '\\')
      n += n < s.n;
    else if (c == close && (open != close || depth)) {
      if (--depth == 0) return n;
    } else if (c == open)
      depth++;
  }
  return s.n;
}

static size_t word(struct slice s) {
  size_t n = 0;
  while (!ends_word(slice_at(s, n))) {
    if (s.p[n] == '[')
      n += closed(slice_from(s, n), '[', ']');
    else
      n += s.p[n] == '\\' && n + 1 < s.n ? 2 : 1;
  }
  return n;
}

static enum mail_token take(struct slice *rest, struct slice *ret, size_t n, enum mail_token kind) {
  *ret = slice_first(*rest, n);
  *rest = slice_from(*rest, n);
  return kind;
}

enum mail_token mail_lex(struct slice *rest, struct slice *ret) {
  int c = slice_at(*rest, 0);
  if (c < 0) return take(rest, ret, 0, MAIL_END);
  if (is_space(c)) return take(rest, ret, spaces(*rest), MAIL_SPACE);
  if (c == '"') return take(rest, ret, closed(*rest, '"', '"'), MAIL_QUOTED);
  if (c == '(') return take(rest, ret, closed(*rest, '(', ')'), MAIL_COMMENT);
  if (is_special(c)) return take(rest, ret, 1, MAIL_SPECIAL);
  return take(rest, ret, word(*rest), MAIL_WORD);
}

enum mail_token mail_lex_plain(struct slice *rest, struct slice *ret) {
  int c = slice_at(*rest, 0);
  if (c < 0) return take(rest, ret, 0, MAIL_END);
  if (is_space(c)) return take(rest, ret, spaces(*rest), MAIL_SPACE);
  size_t n = 0;
  while (n < rest->n && !is_space(rest->p[n])) n++;
  return take(rest, ret, n, MAIL_WORD);
}

struct slice mail_strip(struct slice s) {
  struct slice rest = s, piece;
  size_t from = s.n, to = 0;
  for (enum mail_token kind; (kind = mail_lex(&rest, &piece)) != MAIL_END;) {
    if (kind == MAIL_SPACE || kind == MAIL_COMMENT) continue;
    if (to == 0) from = s.n - rest.n - piece.n;
    to = s.n - rest.n;
  }
  return to ? slice_first(slice_from(s, from), to - from) : SLICE_NONE;
}

struct slice mail_trim(struct slice s) {
  while (s.n && is_space(s.p[0])) s = slice_from(s, 1);
  while (s.n && is_space(s.p[s.n - 1])) s.n--;
  return s;
}

struct slice mail_unquoted(struct slice quoted) {
  struct slice s = slice_from(quoted, 1);
  if (s.n && s.p[s.n - 1] == '"') s.n--;
  return s;
}

void mail_unfold(struct buf *out, struct slice s, bool quoted_pairs) {
  for (size_t i = 0; i < s.n; i++) {
    if (s.p[i] == '\r' && slice_at(s, i + 1) == '\n')
      i++;
    else if (quoted_pairs && s.p[i] == '\\' && i + 1 < s.n)
      buf_put_u8(out, s.p[++i]);
    else
      buf_put_u8(out, s.p[i]);
  }
}

bool mail_is_encoded_word(struct slice word) {
  return word.n > 6 && slice_starts(word, SLICE("=?")) &&
         slice_eq(slice_from(word, word.n - 2), SLICE("?="));
}
