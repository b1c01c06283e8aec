/* SPDX-License-Identifier: ISC */
/* Replies of other servers, and rules for them (the option reply_classes): lines of rules, an empty
 * line, then the reply. A rule that is not good changes nothing; a class is always one. */
#include <stdlib.h>

#include "mail/smtp/class.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { RULES = 8 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  struct slice rest = slice_of(data, size), text;
  char *lines[RULES];
  size_t count = 0;
  uint16_t code = 0;
  uint8_t enhanced[3] = { 0 };
  while (count < RULES && rest.p) {
    struct slice line = slice_split(&rest, '\n');
    if (!line.n) break;
    if (slice_find(line, 0) >= 0 || !smtp_class_rule_is_good(line)) continue;
    lines[count] = malloc(line.n + 1);
    if (!lines[count]) break;
    memcpy(lines[count], line.p, line.n);
    lines[count++][line.n] = 0;
  }
  struct smtp_class_rules rules = { (const char *const *)lines, count };
  bool split = smtp_class_split(rest, &code, enhanced, &text);
  if (split && (code < 200 || code > 599)) abort();
  enum smtp_class c = smtp_class_of(&rules, code, enhanced, split ? text : rest);
  if (c >= SMTP_CLASSES || smtp_class_named(slice_str(smtp_class_word(c))) != c) abort();
  if (!count && smtp_class_of(NULL, code, enhanced, split ? text : rest) != c) abort();
  for (size_t i = 0; i < count; i++) free(lines[i]);
  return 0;
}
