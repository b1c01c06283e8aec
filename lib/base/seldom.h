/* SPDX-License-Identifier: ISC */
/* What may happen a million times a minute is logged at most once a minute for each cause, with how
 * often it happened since the last such line.
 *
 * A cause is a number of its owner's choice. At most SELDOM_CAUSES are told apart within
 * a minute; what is beyond them shares one line. A count is told by the next line of its cause;
 * where none comes, the place is given away once it has been quiet for a minute. */
#ifndef QASID_BASE_SELDOM_H
#define QASID_BASE_SELDOM_H

#include <stdbool.h>
#include <stdint.h>

enum { SELDOM_CAUSES = 64, SELDOM_EVERY_MS = 60000 };

struct seldom {
  struct seldom_cause {
    uint64_t cause, due_ms;    /* due_ms 0: the place is free */
    uint64_t count;            /* not told yet */
  } causes[SELDOM_CAUSES + 1]; /* the last one is everybody's who found no place */
};

/* It happened now. True: a line is due, and says that it happened `*ret_count` times. */
bool seldom_due(struct seldom *s, uint64_t cause, uint64_t now_ms, uint64_t *ret_count);

#endif
