/* SPDX-License-Identifier: ISC */
/* Text of a header field converted to ASCII: words, phrases, comments (RFC 6857 §3.1.1 to §3.1.3,
 * §3.1.5). */
#include "mail/surrogate_inside.h"

bool surrogate_wants(struct slice s) {
  uint64_t any = 0;
  size_t i = 0;
  for (; i + 8 <= s.n; i += 8) {
    uint64_t eight;
    memcpy(&eight, s.p + i, 8);
    any |= eight;
  }
  for (; i < s.n; i++) any |= s.p[i];
  return any & 0x8080808080808080u;
}

/* --- text --- */

static void gather_phrase(struct buf *text, struct slice s) {
  struct slice piece;
  for (enum mail_token kind; (kind = mail_lex(&s, &piece)) != MAIL_END;) {
    bool quoted = kind == MAIL_QUOTED;
    mail_unfold(text, quoted ? mail_unquoted(piece) : piece, quoted);
  }
}

void put_text(struct field_writer *w, struct buf *text) {
  field_put_words(w, buf_slice(text));
  w->out->failed |= text->failed;
  buf_free(text);
}

void put_words_of(struct field_writer *w, struct slice s, bool quoted_pairs) {
  struct buf text;
  buf_init(&text, TEXT_MAX);
  mail_unfold(&text, s, quoted_pairs);
  put_text(w, &text);
}

/* --- comments --- */

/* Up to the next parenthesis outside quotes. */
static size_t until_paren(struct slice s) {
  size_t n = 0;
  while (n < s.n && s.p[n] != '(' && s.p[n] != ')') n += s.p[n] == '\\' && n + 1 < s.n ? 2 : 1;
  return n;
}

static void put_comment_text(struct field_writer *w, struct slice s) {
  struct slice core = mail_trim(s);
  size_t before = core.n ? slice_offset(s, core) : 0;
  if (!surrogate_wants(s)) {
    field_put(w, s);
    return;
  }
  field_put_space(w, slice_first(s, before), WORDS_WANT);
  put_words_of(w, core, true);
  field_put(w, slice_from(s, before + core.n));
}

void put_comment(struct field_writer *w, struct slice comment) {
  while (comment.n) {
    size_t n = until_paren(comment);
    put_comment_text(w, slice_first(comment, n));
    field_put(w, slice_first(slice_from(comment, n), 1));
    comment = slice_from(comment, n + 1);
  }
}

/* --- runs of words --- */

/* How text is divided into runs, and how much of a run is encoded along with the words that need
 * it. */
struct style {
  enum mail_token (*lex)(struct slice *rest, struct slice *ret);
  bool phrase; /* all of the run; its quoted strings lose their quotes */
};
static const struct style plain = { mail_lex_plain, false };
static const struct style phrase = { mail_lex, true };

/* A run ends at a comment, a comma, or an existing encoded-word. */
static bool ends_run(enum mail_token kind, struct slice piece) {
  return kind == MAIL_COMMENT || (kind == MAIL_SPECIAL && piece.p[0] == ',') ||
         (kind == MAIL_WORD && mail_is_encoded_word(piece));
}

/* The octets of the run at the front of `s`; *ret_next: an encoded-word follows it. */
static size_t run_length(struct slice s, const struct style *style, bool *ret_next) {
  struct slice rest = s, piece;
  size_t n = 0;
  for (enum mail_token kind; (kind = style->lex(&rest, &piece)) != MAIL_END;) {
    *ret_next = kind == MAIL_WORD && mail_is_encoded_word(piece);
    if (ends_run(kind, piece)) return n;
    if (kind != MAIL_SPACE) n = s.n - rest.n;
  }
  *ret_next = false;
  return n;
}

/* The words of `run` from the first that needs it to the last. */
static struct slice wanted_words(struct slice run, size_t *ret_before) {
  struct slice rest = run, word;
  size_t from = run.n, to = 0;
  for (enum mail_token kind; (kind = mail_lex_plain(&rest, &word)) != MAIL_END;) {
    if (kind != MAIL_WORD || !surrogate_wants(word)) continue;
    if (to == 0) from = run.n - rest.n - word.n;
    to = run.n - rest.n;
  }
  *ret_before = from;
  return slice_first(slice_from(run, from), to - from);
}

/* ASCII, word by word, so that long lines can be broken. */
static void put_ascii(struct field_writer *w, struct slice space, struct slice s,
                      const struct style *style) {
  struct slice piece;
  for (enum mail_token kind; (kind = style->lex(&s, &piece)) != MAIL_END;) {
    if (kind == MAIL_SPACE) {
      space = piece;
      continue;
    }
    field_put_space(w, space, piece.n);
    field_put(w, piece);
    space = SLICE_NONE;
  }
  field_put(w, space);
}

/* White space between two encoded-words is ignored (RFC 2047 §6.2): where it is significant, it is
 * moved into the new one. */
static void put_run(struct field_writer *w, struct slice run, const struct style *style,
                    struct slice before, struct slice after) {
  struct buf text;
  buf_init(&text, TEXT_MAX);
  mail_unfold(&text, before, false);
  if (style->phrase)
    gather_phrase(&text, run);
  else
    mail_unfold(&text, run, false);
  mail_unfold(&text, after, false);
  put_text(w, &text);
}

/* The position of put_runs. */
struct runs {
  struct slice rest, space; /* still to be examined; white space taken and not yet put */
  bool after_word;          /* the last thing put was an encoded-word */
};

/* The token that ends a run is put as it is. */
static void put_between(struct field_writer *w, struct runs *r, enum mail_token kind,
                        struct slice piece) {
  field_put_space(w, r->space, piece.n);
  if (kind == MAIL_COMMENT)
    put_comment(w, piece);
  else if (surrogate_wants(piece))
    put_words_of(w, piece, false);
  else
    field_put(w, piece);
  r->after_word = kind == MAIL_WORD;
  r->space = SLICE_NONE;
}

/* A run with something in it that must be encoded: ASCII words, the encoded part, ASCII words. */
static void put_wanted_run(struct field_writer *w, struct runs *r, struct slice run,
                           bool before_word, const struct style *style) {
  size_t lead = 0;
  struct slice core = style->phrase ? run : wanted_words(run, &lead),
               tail = slice_from(run, lead + core.n);
  struct slice inside = SLICE_NONE, behind = SLICE_NONE;
  if (lead) {
    struct slice head = mail_trim(slice_first(run, lead));
    put_ascii(w, r->space, head, style);
    r->space = slice_from(slice_first(run, lead), head.n);
  } else if (r->after_word && r->space.n) {
    inside = r->space;
    r->space = SLICE(" ");
  }
  if (!tail.n && before_word && style->lex(&r->rest, &behind) != MAIL_SPACE) behind = SLICE_NONE;
  field_put_space(w, r->space, WORDS_WANT);
  put_run(w, core, style, inside, behind);
  put_ascii(w, SLICE_NONE, tail, style);
  r->space = behind.n ? SLICE(" ") : SLICE_NONE;
  r->after_word = !tail.n;
}

static void put_runs(struct field_writer *w, struct slice s, const struct style *style) {
  struct runs r = { .rest = s };
  struct slice piece;
  while (r.rest.n) {
    struct slice rest = r.rest;
    enum mail_token kind = style->lex(&rest, &piece);
    if (kind == MAIL_SPACE || ends_run(kind, piece)) {
      r.rest = rest;
      if (kind == MAIL_SPACE)
        r.space = piece;
      else
        put_between(w, &r, kind, piece);
      continue;
    }
    bool before_word = false;
    struct slice run = slice_first(r.rest, run_length(r.rest, style, &before_word));
    r.rest = slice_from(r.rest, run.n);
    if (surrogate_wants(run)) {
      put_wanted_run(w, &r, run, before_word, style);
    } else {
      put_ascii(w, r.space, run, style);
      r.space = SLICE_NONE;
      r.after_word = false;
    }
  }
  field_put(w, r.space);
}

void put_plain(struct field_writer *w, struct slice body) { put_runs(w, body, &plain); }
void put_phrases(struct field_writer *w, struct slice body) { put_runs(w, body, &phrase); }
void put_ascii_phrase(struct field_writer *w, struct slice s) {
  put_ascii(w, SLICE_NONE, s, &phrase);
}

bool only_comments_want(struct slice body) {
  struct slice piece;
  for (enum mail_token kind; (kind = mail_lex(&body, &piece)) != MAIL_END;)
    if (kind != MAIL_COMMENT && surrogate_wants(piece)) return false;
  return true;
}

/* RFC 6857 §3.2.2: only the comments of these fields may have such octets; otherwise the field is
 * text. */
void put_comments(struct field_writer *w, struct slice body) {
  if (only_comments_want(body))
    put_phrases(w, body); /* every run of words is ASCII */
  else
    put_plain(w, body);
}
