/* SPDX-License-Identifier: ISC */
/* A writer of header fields: text with octets outside ASCII as encoded-words (RFC 2047), in lines
 * that stay within 76 columns where the text permits.
 *
 * Text is UTF-8: octets in any other encoding could not be labelled. A control character becomes
 * "?", because the decoded text must not end a line. */
#ifndef QASID_MAIL_WORDS_H
#define QASID_MAIL_WORDS_H

#include "lib/base/buf.h"

enum { MAIL_COLUMNS = 76 /* of a line with an encoded-word in it: RFC 2047 §2 */ };

struct field_writer {
  struct buf *out;
  size_t column; /* the column of the next octet */
};

static inline struct field_writer field_writer(struct buf *out) {
  return (struct field_writer){ out, 0 };
}

/* Unchanged: ASCII, with its own folding. */
void field_put(struct field_writer *w, struct slice ascii);
/* White space before something that needs `next` columns: on a new line if it does not fit. */
void field_put_space(struct field_writer *w, struct slice space, size_t next);
/* `text` in encoded-words, as many as it takes; safe wherever RFC 2047 §5 allows them. One that is
 * only ASCII is encoded too. Puts nothing for empty text. */
void field_put_words(struct field_writer *w, struct slice text);

/* How many columns the first encoded-word of a text needs, at least. */
enum { WORDS_WANT = 32 };

#endif
