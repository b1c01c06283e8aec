/* SPDX-License-Identifier: ISC */
/* Shared by the parts of surrogate_field.c; only they include this. */
#ifndef QASID_MAIL_SURROGATE_INSIDE_H
#define QASID_MAIL_SURROGATE_INSIDE_H

#include "mail/lex.h"
#include "mail/surrogate_field.h"
#include "mail/words.h"

enum { TEXT_MAX = 64 * 1024 /* for text encoded in one go: SURROGATE_FIELD_MAX, and more */ };

static inline bool is_wanted(uint8_t c) { return c >= 0x80; }

/* --- surrogate_text.c --- */

/* Puts the collected text as encoded-words, and frees it. */
void put_text(struct field_writer *w, struct buf *text);
void put_words_of(struct field_writer *w, struct slice s, bool quoted_pairs);
void put_comment(struct field_writer *w, struct slice comment);
/* ASCII with words and comments in it, whose lines may be folded differently. */
void put_ascii_phrase(struct field_writer *w, struct slice s);

/* --- the kinds of fields: a body each --- */
void put_plain(struct field_writer *w, struct slice body); /* unstructured text */
/* words, with comments and commas between */
void put_phrases(struct field_writer *w, struct slice body);
void put_comments(struct field_writer *w, struct slice body);  /* only its comments may need
                                                                * conversion */
void put_addresses(struct field_writer *w, struct slice body); /* surrogate_address.c */
void put_addresses_simply(struct field_writer *w, struct slice body);
void put_recipient(struct field_writer *w, struct slice body);  /* surrogate_address.c */
void put_received(struct field_writer *w, struct slice body);   /* surrogate_address.c */
void put_parameters(struct field_writer *w, struct slice body); /* surrogate_mime.c */
void put_parameters_simply(struct field_writer *w, struct slice body);

/* True if only its comments have octets above 127. */
bool only_comments_want(struct slice body);
/* True if put_recipient() can convert it: the type is "utf-8". */
bool recipient_is_utf8(struct slice body);

#endif
