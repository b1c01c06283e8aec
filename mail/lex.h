/* SPDX-License-Identifier: ISC */
/* Splits a structured field (RFC 5322 §3.2) into tokens. There are no errors: an unclosed token
 * extends to the end, so any input is cut into tokens whose concatenation is the text. */
#ifndef QASID_MAIL_LEX_H
#define QASID_MAIL_LEX_H

#include "lib/base/buf.h"

enum mail_token {
  MAIL_END,
  MAIL_SPACE,   /* spaces, tabs, CR, LF */
  MAIL_WORD,    /* an atom with the dots and literals adjacent to it */
  MAIL_QUOTED,  /* "…" with its quotes */
  MAIL_COMMENT, /* (…) with everything nested in it */
  MAIL_SPECIAL, /* one of < > @ , ; : */
};

/* Takes the next token off `*rest`. */
enum mail_token mail_lex(struct slice *rest, struct slice *ret);
/* The same for unstructured text, which has only spaces and words. */
enum mail_token mail_lex_plain(struct slice *rest, struct slice *ret);
/* Without spaces and comments at both ends. */
struct slice mail_strip(struct slice s);
/* Without spaces, tabs, CR and LF at both ends. */
struct slice mail_trim(struct slice s);
/* The inside of a quoted string. */
struct slice mail_unquoted(struct slice quoted);
/* Puts text without its folding, and with `quoted_pairs` without the backslashes of quoted
 * pairs. */
void mail_unfold(struct buf *out, struct slice s, bool quoted_pairs);
/* True if a word has the form of an encoded-word. */
bool mail_is_encoded_word(struct slice word);

#endif
