/* SPDX-License-Identifier: ISC */
/* Rate limiting of log lines: one line per cause and minute, with the count since the last.
 * Invariant: memory is fixed (SELDOM_CAUSES causes and one shared by all others); a clock that
 * was set back cannot suppress a cause for more than SELDOM_EVERY_MS. */
#include "lib/base/seldom.h"

/* The cause's own place, else a free one or one that was quiet for a minute, else the shared
 * one. */
static struct seldom_cause *place_of(struct seldom *s, uint64_t cause, uint64_t now_ms) {
  struct seldom_cause *quiet = &s->causes[SELDOM_CAUSES];
  for (int i = 0; i < SELDOM_CAUSES; i++) {
    struct seldom_cause *c = &s->causes[i];
    if (c->due_ms && c->cause == cause) return c;
    if (quiet == &s->causes[SELDOM_CAUSES] && now_ms >= c->due_ms) quiet = c;
  }
  if (quiet != &s->causes[SELDOM_CAUSES]) *quiet = (struct seldom_cause){ .cause = cause };
  return quiet;
}

bool seldom_due(struct seldom *s, uint64_t cause, uint64_t now_ms, uint64_t *ret_count) {
  struct seldom_cause *c = place_of(s, cause, now_ms);
  c->count++;
  /* otherwise the clock was set back */
  if (now_ms < c->due_ms && c->due_ms - now_ms <= SELDOM_EVERY_MS) return false;
  c->due_ms = now_ms + SELDOM_EVERY_MS;
  *ret_count = c->count;
  c->count = 0;
  return true;
}
