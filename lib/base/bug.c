/* SPDX-License-Identifier: ISC */
/* The end of a process that has a bug: one line, written at once, then SIGABRT. Allocates nothing
 * and uses no stream, as memory may be what is broken. */
#include "lib/base/bug.h"

#include "lib/base/slice.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { BUG_LINE_MAX = 1024 };

/* Octets outside printable ASCII could break the line. */
static void make_printable(char *text) {
  for (; *text; text++)
    if (!ascii_is_print(*text)) *text = '?';
}

void bug_abort(const char *file, int line, const char *condition, const char *fmt, ...) {
  char text[BUG_LINE_MAX], words[BUG_LINE_MAX / 2];
  va_list ap;
  va_start(ap, fmt);
  vsnprintf(words, sizeof words, fmt, ap);
  va_end(ap);
  int n = snprintf(text, sizeof text - 1, "bug: %s:%d: %s: %s", file, line, condition, words);
  if (n >= (int)sizeof text - 1) n = (int)sizeof text - 2;
  if (n > 0) {
    make_printable(text);
    text[n++] = '\n';
    if (write(STDERR_FILENO, text, (size_t)n) < 0) abort();
  }
  abort();
}
