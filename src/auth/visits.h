/* SPDX-License-Identifier: ISC */
/* Which users logged in from which networks: pairs of an account and a network, in memory only. A
 * successful login creates a pair, which counts for VISIT_MS after the last one.
 *
 * A known user has these advantages in that network: his successful login is not delayed by other
 * clients' failures, he has places of his own (addresses.h, rule 6), and his password is compared
 * with the remembered ones even if every place is taken. The last is bounded by VISIT_LOOKS and
 * VISIT_LOOKS_MS, or a guesser at the same address could try passwords as fast as he can send them.
 *
 * The table is bounded; the pair that was not used for longest is evicted (CLOCK). */
#ifndef QASID_AUTH_VISITS_H
#define QASID_AUTH_VISITS_H

#include "lib/base/map.h"

enum {
  VISITS = 16384,
  VISIT_PENDING = 4,    /* a user's own places in one network */
  VISIT_LOOKS = 256,    /* look-ups of remembered passwords in a burst … */
  VISIT_LOOKS_MS = 500, /* … plus another one per this time */
};
#define VISIT_MS ((uint64_t)30 * 24 * 3600 * 1000)

struct visit {
  uint64_t account, network;
  uint64_t until_ms, looked_ms;
  unsigned pending, looks;
  bool used, again; /* `again`: used since the hand last passed */
};

struct visits {
  struct visit *entries; /* VISITS of them, or NULL: without memory every user counts as unknown */
  size_t hand;
  struct map places; /* key of the pair → place */
};

void visits_init(struct visits *v);
void visits_free(struct visits *v);
/* The pair, if it counts; valid until the next visits_put(), or as long as its `pending` is not
 * 0. */
struct visit *visits_find(struct visits *v, uint64_t account, uint64_t network, uint64_t now_ms);
/* Notes a successful login. */
void visits_put(struct visits *v, uint64_t account, uint64_t network, uint64_t now_ms);
/* True if the remembered passwords may be looked up once more, without a place. Counts it. */
bool visit_may_look(struct visit *v, uint64_t now_ms);

#endif
