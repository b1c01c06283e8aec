/* SPDX-License-Identifier: ISC */
/* Rate limiting for log lines: an event that may happen a million times a minute is logged at most
 * once a minute for each cause, with the number of times it happened since the last such line.
 *
 * A cause is a number that the owner chooses. At most SELDOM_CAUSES are distinguished within a
 * minute; all others share one line. A count is reported by the next line of its cause; if none
 * follows, the slot is reused once it has been quiet for a minute. */
#ifndef QASID_BASE_SELDOM_H
#define QASID_BASE_SELDOM_H

#include <stdbool.h>
#include <stdint.h>

enum { SELDOM_CAUSES = 64, SELDOM_EVERY_MS = 60000 };

struct seldom {
  struct seldom_cause {
    uint64_t cause, due_ms;    /* due_ms 0: the slot is free */
    uint64_t count;            /* not reported yet */
  } causes[SELDOM_CAUSES + 1]; /* the last slot is shared by all causes that found none */
};

/* Counts an event. True: a line is due, reporting that it happened `*ret_count` times. */
bool seldom_due(struct seldom *s, uint64_t cause, uint64_t now_ms, uint64_t *ret_count);

#endif
