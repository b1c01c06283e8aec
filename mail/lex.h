/* SPDX-License-Identifier: ISC */
/* The pieces that a structured field is made of (RFC 5322 §3.2), cut off one after another. Nothing
 * is ever wrong: what is not closed goes to the end, so whatever a stranger writes falls into
 * pieces whose sum is the text. */
#ifndef QASID_MAIL_LEX_H
#define QASID_MAIL_LEX_H

#include "lib/base/slice.h"

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
/* Whether a word has the look of an encoded-word. */
bool mail_is_encoded_word(struct slice word);

#endif
