/* SPDX-License-Identifier: ISC */
/* Impossible states. A process that finds itself in one can trust nothing in its memory: it ends at
 * once and is restarted (src/parent/procs.c). */
#ifndef QASID_BASE_BUG_H
#define QASID_BASE_BUG_H

/* If the condition holds, writes "bug: FILE:LINE: CONDITION: WORDS" to standard error, which the
 * parent logs under the name of the process, and aborts. The words (printf) describe the object:
 * its name, state and counters; never a secret or mail. */
#define BUG_IF(condition, ...)                                \
  do {                                                        \
    if (__builtin_expect(!!(condition), 0))                   \
      bug_abort(__FILE__, __LINE__, #condition, __VA_ARGS__); \
  } while (0)

void bug_abort(const char *file, int line, const char *condition, const char *fmt, ...)
    __attribute__((noreturn, cold, format(printf, 4, 5)));

#endif
