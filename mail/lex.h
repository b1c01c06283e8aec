/* SPDX-License-Identifier: ISC */
/* The tokens of a structured field (RFC 5322 §3.2), cut off one after another. There are no errors:
 * an unclosed token extends to the end, so any input is cut into tokens whose concatenation is the
 * text. */
#ifndef QASID_MAIL_LEX_H
#define QASID_MAIL_LEX_H

#include "lib/base/buf.h"

enum mail_token {
  MAIL_END,
  MAIL_SPACE,   /* spaces, tabs, CR, LF */
  MAIL_WORD,    /* an atom with whatever dots and literals touch it */
  MAIL_QUOTED,  /* "…" with its quotes */
  MAIL_COMMENT, /* (…) with all that is nested in it */
  MAIL_SPECIAL, /* one of < > @ , ; : */
};

/* Takes the next piece off `*rest`. */
enum mail_token mail_lex(struct slice *rest, struct slice *ret);
/* The same for unstructured text, which has only spaces and words. */
enum mail_token mail_lex_plain(struct slice *rest, struct slice *ret);
/* Without spaces and comments at both ends. */
struct slice mail_strip(struct slice s);
/* Without spaces, tabs, CR and LF at both ends. */
struct slice mail_trim(struct slice s);
/* The inside of a quoted string. */
struct slice mail_unquoted(struct slice quoted);
/* Puts text without its folding, and if `quoted_pairs` without the backslashes of those. */
void mail_unfold(struct buf *out, struct slice s, bool quoted_pairs);
/* Whether a word has the look of an encoded-word. */
bool mail_is_encoded_word(struct slice word);

#endif
