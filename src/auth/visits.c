/* SPDX-License-Identifier: ISC */
/* Which users logged in from which networks (visits.h): a fixed array of pairs, a map from a pair's
 * key to its place, and a CLOCK hand.
 * Invariants: a pair with pending logins is never evicted; two pairs with one key share a place, so
 * a pair that is found is compared in full; without memory nobody is known, which is the safe side.
 */
#include "src/auth/visits.h"

#include <stdlib.h>

void visits_init(struct visits *v) {
  *v = (struct visits){ .entries = calloc(VISITS, sizeof(struct visit)) };
  map_init(&v->places);
}

void visits_free(struct visits *v) {
  free(v->entries);
  map_free(&v->places);
  *v = (struct visits){ 0 };
}

/* Two pairs with the same key share a place: the later one has it. */
static uint64_t pair_key(uint64_t account, uint64_t network) {
  uint64_t x = account * 0x9e3779b97f4a7c15u ^ network;
  x = (x ^ x >> 32) * 0xd6e8feb86659fd93u;
  return x ^ x >> 32;
}

static void entry_clear(struct visits *v, struct visit *e) {
  map_remove(&v->places, pair_key(e->account, e->network));
  *e = (struct visit){ 0 };
}

static struct visit *entry_at(struct visits *v, uint64_t account, uint64_t network) {
  uint64_t at = 0;
  return v->entries && map_get(&v->places, pair_key(account, network), &at) ? &v->entries[at]
                                                                            : NULL;
}

struct visit *visits_find(struct visits *v, uint64_t account, uint64_t network, uint64_t now_ms) {
  struct visit *e = entry_at(v, account, network);
  if (!e || e->account != account || e->network != network || e->until_ms <= now_ms) return NULL;
  e->again = true;
  return e;
}

/* Two rounds at most: the first clears every `again`. NULL: all have pending logins. */
static struct visit *entry_free(struct visits *v) {
  for (size_t i = 0; i < 2 * VISITS; i++) {
    struct visit *e = &v->entries[v->hand];
    v->hand = (v->hand + 1) % VISITS;
    if (!e->used) return e;
    if (!e->again && !e->pending) {
      entry_clear(v, e);
      return e;
    }
    e->again = false;
  }
  return NULL;
}

void visits_put(struct visits *v, uint64_t account, uint64_t network, uint64_t now_ms) {
  if (!v->entries || !network) return;
  struct visit *e = entry_at(v, account, network);
  bool another = e && (e->account != account || e->network != network);
  if (another && e->pending) return;
  if (another) entry_clear(v, e);
  if (!e || another) {
    e = entry_free(v);
    if (!e || !map_put(&v->places, pair_key(account, network), (uint64_t)(e - v->entries))) return;
    *e = (struct visit){ .account = account,
                         .network = network,
                         .looks = VISIT_LOOKS,
                         .looked_ms = now_ms,
                         .used = true };
  }
  e->until_ms = now_ms + VISIT_MS;
}

bool visit_may_look(struct visit *v, uint64_t now_ms) {
  uint64_t more = (now_ms - v->looked_ms) / VISIT_LOOKS_MS;
  if (more) {
    v->looks = more < VISIT_LOOKS - v->looks ? v->looks + (unsigned)more : VISIT_LOOKS;
    v->looked_ms = now_ms;
  }
  if (!v->looks) return false;
  v->looks--;
  return true;
}
