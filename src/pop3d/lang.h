/* SPDX-License-Identifier: ISC */
/* The languages of replies (RFC 6856 §3). Number 0 is English, which every session begins with. */
#ifndef QASID_POP3D_LANG_H
#define QASID_POP3D_LANG_H

#include "lib/base/slice.h"

enum { LANGUAGES = 7 };

struct language {
  const char *tag;  /* RFC 5646 */
  const char *name; /* in the language itself, UTF-8 */
  /* Which of three forms a number takes: 0, 1 or 2. */
  unsigned (*form)(uint64_t n);
  const char *message[3], *octet[3];
};

extern const struct language pop3d_languages[LANGUAGES];

/* The language for a basic language range (RFC 4647 §3.4, Lookup: "de-CH" finds "de"; "*" finds
 * English). False if there is none. */
bool language_find(struct slice range, unsigned *ret);
/* The translation of `english`; itself if there is none. */
const char *pop3d_translated(unsigned language, const char *english) __attribute__((format_arg(2)));

#endif
