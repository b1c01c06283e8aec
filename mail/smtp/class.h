/* SPDX-License-Identifier: ISC */
/* The class of the failure that a reply reports, from its code, enhanced code and text
 * (classes.def). Pure.
 *
 * The class controls the back-off, and is shown to those who ask why mail waits. It never makes a
 * temporary reply permanent, nor the reverse: only the code's first digit decides that. */
#ifndef QASID_SMTP_CLASS_H
#define QASID_SMTP_CLASS_H

#include "lib/base/slice.h"

enum smtp_class {
#define C(name, word, first, most, meaning) SMTP_CLASS_##name,
#include "mail/smtp/classes.def"
#undef C
  SMTP_CLASSES
};

enum { SMTP_CLASS_TEXT_MAX = 512 /* octets of the text that are examined */ };

const char *smtp_class_word(enum smtp_class c);
const char *smtp_class_meaning(enum smtp_class c);
/* SMTP_CLASSES: not a class. */
enum smtp_class smtp_class_named(struct slice word);

/* The delay after a temporary reply of the class: at least `first` and at most `most`, in multiples
 * of the usual first delay; most 0: the usual maximum. */
struct smtp_class_delay {
  unsigned first, most;
};
struct smtp_class_delay smtp_class_delay(enum smtp_class c);

/* The administrator's rules, which take precedence over the built-in ones: lines "CLASS CODE
 * ENHANCED TEXT", CODE and ENHANCED as in classes.def or "*" for any. */
struct smtp_class_rules {
  const char *const *lines;
  size_t count;
};
bool smtp_class_rule_is_good(struct slice line);

/* code 0: no reply decided, `text` is ours. enhanced[0] 0: none was given; the text is then
 * searched for one. */
enum smtp_class smtp_class_of(const struct smtp_class_rules *own, uint16_t code,
                              const uint8_t enhanced[static 3], struct slice text);
/* Splits a reply as received, "550 5.1.1 …" or "550-5.1.1 …". False: it does not begin with a code.
 * `enhanced` gets zeros if there is none. */
bool smtp_class_split(struct slice line, uint16_t *ret_code, uint8_t ret_enhanced[static 3],
                      struct slice *ret_text);

#endif
