/* SPDX-License-Identifier: ISC */
/* Messages at which a session ended, to be skipped by the next one (stepped.h): a list of at most
 * STEPPED_MAX, compared by number, size and a digest of the UIDL. */
#include "src/cli/client/stepped.h"

#include <poll.h>

enum { PAUSE_MS = 500 };

bool stepped_has(const struct stepped *s, uint64_t number, uint64_t size, struct slice uidl) {
  uint8_t digest[DIGEST_SHA256_SIZE];
  for (size_t i = 0; i < s->count; i++) {
    const struct stepped_message *m = &s->messages[i];
    if (m->number == number && m->size == size && digest_of(DIGEST_SHA256, uidl, digest) &&
        memcmp(digest, m->uidl, sizeof digest) == 0)
      return true;
  }
  return false;
}

bool stepped_over(struct stepped *s, uint64_t number, uint64_t size, struct slice uidl) {
  if (s->count == STEPPED_MAX || !digest_of(DIGEST_SHA256, uidl, s->messages[s->count].uidl))
    return false;
  s->messages[s->count].number = number;
  s->messages[s->count++].size = size;
  poll(NULL, 0, PAUSE_MS);
  return true;
}
