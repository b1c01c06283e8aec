#include "src/auth/addresses.h"

#include <stdlib.h>

enum { PENALTY_FIRST_S = 2, PENALTY_STEPS = 10 };

static uint64_t octets(const uint8_t *p, size_t n) {
  uint64_t v = 0;
  for (size_t i = 0; i < n; i++)
    v = v << 8 | p[i];
  return v;
}

uint64_t network_of(struct slice peer) {
  static const uint8_t mapped[12] = { [10] = 0xff, [11] = 0xff };
  if (peer.n == 16 && memcmp(peer.p, mapped, sizeof mapped) == 0) peer = slice_from(peer, sizeof mapped);
  if (peer.n == 4) return (uint64_t)4 << 56 | octets(peer.p, 4);
  return peer.n == 16 ? (uint64_t)6 << 56 | octets(peer.p, 6) : 0;
}

/* --- the table --- */

void addresses_init(struct addresses *t) {
  *t = (struct addresses){ 0 };
  map_init(&t->by_network);
}

static void unlink_address(struct addresses *t, struct address *a) {
  *(a->older ? &a->older->newer : &t->oldest) = a->newer;
  *(a->newer ? &a->newer->older : &t->newest) = a->older;
}

static void link_newest(struct addresses *t, struct address *a) {
  a->older = t->newest;
  a->newer = NULL;
  *(t->newest ? &t->newest->newer : &t->oldest) = a;
  t->newest = a;
}

static void forget(struct addresses *t, struct address *a) {
  unlink_address(t, a);
  map_remove(&t->by_network, a->network);
  free(a);
}

void addresses_free(struct addresses *t) {
  while (t->oldest)
    forget(t, t->oldest);
  map_free(&t->by_network);
}

void addresses_touch(struct addresses *t, struct address *a) {
  unlink_address(t, a);
  link_newest(t, a);
}

/* Those with logins pending are touched when these end, so they gather at the new end. */
static bool make_room(struct addresses *t) {
  if (t->by_network.count < AUTH_ADDRESSES) return true;
  struct address *a = t->oldest;
  for (int i = 0; a && a->pending && i < 64; i++)
    a = a->newer;
  if (!a || a->pending) return false;
  forget(t, a);
  return true;
}

struct address *addresses_get(struct addresses *t, uint64_t network) {
  struct address *a = map_ptr(&t->by_network, network);
  if (a) return a;
  a = make_room(t) ? calloc(1, sizeof *a) : NULL;
  if (!a) return NULL;
  a->network = network;
  if (!map_put_ptr(&t->by_network, network, a)) {
    free(a);
    return NULL;
  }
  link_newest(t, a);
  return a;
}

/* --- penalties --- */

static uint64_t penalty_ms(unsigned failures, uint64_t most_s) {
  if (failures > PENALTY_STEPS) failures = PENALTY_STEPS;
  uint64_t s = failures ? (uint64_t)PENALTY_FIRST_S << (failures - 1) : 0;
  return (s < most_s ? s : most_s) * 1000;
}

/* Until when failures are remembered: the sum of the growing penalties. */
static uint64_t memory_ms(uint64_t most_s) {
  uint64_t sum = 0;
  unsigned n = 0;
  do
    sum += penalty_ms(++n, most_s);
  while (n < PENALTY_STEPS && penalty_ms(n, most_s) < most_s * 1000);
  return sum;
}

static void forget_old_failures(struct address *a, uint64_t most_s, uint64_t now_ms) {
  if (a->failures && now_ms - a->failed_ms >= memory_ms(most_s)) a->failures = 0;
}

bool address_has_room(struct address *a, uint64_t most_s, uint64_t now_ms) {
  forget_old_failures(a, most_s, now_ms);
  return a->pending < (a->failures ? AUTH_PENDING_FAILING : AUTH_PENDING);
}

bool address_knows_wrong(const struct address *a, struct slice key) {
  bool known = false;
  for (size_t i = 0; i < ADDRESS_WRONG; i++)
    known |= slice_secret_eq(slice_of(a->wrong[i], ADDRESS_WRONG_KEY), slice_first(key, ADDRESS_WRONG_KEY));
  return known;
}

uint64_t address_failed(struct address *a, struct slice key, uint64_t most_s, uint64_t now_ms) {
  forget_old_failures(a, most_s, now_ms);
  bool again = key.n && address_knows_wrong(a, key);
  if (key.n && !again) memcpy(a->wrong[a->wrong_next++ % ADDRESS_WRONG], key.p, ADDRESS_WRONG_KEY);
  if (again) return penalty_ms(a->failures ? a->failures : 1, most_s);
  if (a->failures < PENALTY_STEPS) a->failures++;
  a->failed_ms = now_ms;
  return penalty_ms(a->failures, most_s);
}

uint64_t address_succeeded(struct address *a, uint64_t most_s, uint64_t now_ms) {
  forget_old_failures(a, most_s, now_ms);
  a->good_ms = now_ms ? now_ms : 1;
  return penalty_ms(a->failures, most_s);
}

uint8_t address_class(const struct address *a, uint64_t now_ms) {
  bool good = a->good_ms && now_ms - a->good_ms < ADDRESS_GOOD_MS;
  bool bad = a->failed_ms && now_ms - a->failed_ms < ADDRESS_BAD_MS;
  return good ? bad : bad ? 2 : 1;
}
