/* SPDX-License-Identifier: ISC */
/* Detects a network that drops connections to the mail port (blocked.h). Pure.
 *
 *   no evidence --an address did not answer--> counting
 *   counting    --BLOCKED_HOSTS of them, over BLOCKED_MS--> blocked
 *   any         --one connection, or BLOCKED_FORGET_MS without a failure--> no evidence
 *
 * Invariant: an address counts once, and a refused connection (RST) not at all. */
#include "src/sender/blocked.h"

#include <errno.h>
#include <string.h>

void blocked_connected(struct blocked *b) { *b = (struct blocked){ .told = false }; }

static bool is_no_answer(int why) {
  return why == ETIMEDOUT || why == EHOSTUNREACH || why == ENETUNREACH || why == EACCES ||
         why == EPERM;
}

static bool is_known(const struct blocked *b, const struct dial_address *to) {
  for (size_t i = 0; i < b->count; i++)
    if (b->hosts[i].n == to->n && memcmp(b->hosts[i].octets, to->octets, to->n) == 0) return true;
  return false;
}

void blocked_failed(struct blocked *b, const struct dial_address *to, int why, uint64_t now_ms) {
  if (!is_no_answer(why)) return;
  if (b->count && now_ms - b->last_ms >= BLOCKED_FORGET_MS) blocked_connected(b);
  if (!b->count) b->first_ms = now_ms;
  b->last_ms = now_ms;
  if (b->count < BLOCKED_HOSTS && !is_known(b, to)) b->hosts[b->count++] = *to;
}

bool blocked_is(const struct blocked *b, uint64_t now_ms) {
  return b->count == BLOCKED_HOSTS && b->last_ms - b->first_ms >= BLOCKED_MS &&
         now_ms - b->last_ms < BLOCKED_FORGET_MS;
}
