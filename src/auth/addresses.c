/* SPDX-License-Identifier: ISC */
/* The table of networks that logins come from (addresses.h has the rules): a map by network, and a
 * list in the order of use, whose oldest entry is evicted. Invariants: a network with pending
 * logins is never evicted; there are at most AUTH_ADDRESSES entries; a /48 has one only once one of
 * its /64s has failed. */
#include "src/auth/addresses.h"

#include <stdlib.h>

enum { PENALTY_FIRST_S = 2, PENALTY_STEPS = 10 };

/* No client has an IPv6 address that begins with ff (multicast). */
#define MARK_IPV4 ((uint64_t)0xff04 << 48)
#define MARK_ZERO ((uint64_t)0xff06 << 48)
#define MARK_WIDE ((uint64_t)0xff << 56 | (uint64_t)1 << 48)

static uint64_t octets(const uint8_t *p, size_t n) {
  uint64_t v = 0;
  for (size_t i = 0; i < n; i++) v = v << 8 | p[i];
  return v;
}

uint64_t network_of(struct slice peer) {
  static const uint8_t mapped[12] = { [10] = 0xff, [11] = 0xff };
  if (peer.n == 16 && memcmp(peer.p, mapped, sizeof mapped) == 0)
    peer = slice_from(peer, sizeof mapped);
  if (peer.n == 4) return MARK_IPV4 | octets(peer.p, 4);
  uint64_t net = peer.n == 16 ? octets(peer.p, 8) : 0;
  return peer.n == 16 && net == 0 ? MARK_ZERO : net; /* ::/64 contains ::1 */
}

uint64_t network_wide(uint64_t network) {
  return network >> 56 == 0xff ? 0 : MARK_WIDE | network >> 16;
}

/* --- the table --- */

void addresses_init(struct addresses *t) {
  *t = (struct addresses){ 0 };
  map_init(&t->by_network);
}

static void unlink_address(struct addresses *t, struct auth_address *a) {
  *(a->older ? &a->older->newer : &t->oldest) = a->newer;
  *(a->newer ? &a->newer->older : &t->newest) = a->older;
}

static void link_newest(struct addresses *t, struct auth_address *a) {
  a->older = t->newest;
  a->newer = NULL;
  *(t->newest ? &t->newest->newer : &t->oldest) = a;
  t->newest = a;
}

static void forget(struct addresses *t, struct auth_address *a) {
  unlink_address(t, a);
  map_remove(&t->by_network, a->network);
  free(a);
}

void addresses_free(struct addresses *t) {
  while (t->oldest) forget(t, t->oldest);
  map_free(&t->by_network);
}

void addresses_touch(struct addresses *t, struct auth_address *a) {
  unlink_address(t, a);
  link_newest(t, a);
}

/* Networks with pending logins are touched when these end, so they gather at the new end. */
static bool make_room(struct addresses *t) {
  if (t->by_network.count < AUTH_ADDRESSES) return true;
  struct auth_address *a = t->oldest;
  for (int i = 0; a && a->pending && i < 64; i++) a = a->newer;
  if (!a || a->pending) return false;
  forget(t, a);
  return true;
}

/* Finds or creates the entry. NULL: no memory, or every one of AUTH_ADDRESSES has logins
 * pending. */
static struct auth_address *addresses_get(struct addresses *t, uint64_t network) {
  struct auth_address *a = map_ptr(&t->by_network, network);
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

static void forget_old_parts(struct auth_address *wide, uint64_t now_ms) {
  if (wide->parts && now_ms - wide->failed_ms >= ADDRESS_BAD_MS) wide->parts = 0;
}

struct auth_address *addresses_counting(struct addresses *t, uint64_t network, uint64_t now_ms) {
  struct auth_address *wide = map_ptr(&t->by_network, network_wide(network));
  if (wide) forget_old_parts(wide, now_ms);
  return wide && wide->parts >= AUTH_WIDE_BAD ? wide : addresses_get(t, network);
}

/* Without memory for the /48, its /64s are counted each alone. */
void addresses_note_failing(struct addresses *t, const struct auth_address *a, uint64_t now_ms) {
  uint64_t of = network_wide(a->network);
  bool did = a->failed_ms && now_ms - a->failed_ms < ADDRESS_BAD_MS;
  struct auth_address *wide = of && !did ? addresses_get(t, of) : NULL;
  if (!wide) return;
  forget_old_parts(wide, now_ms);
  wide->parts++;
  wide->failed_ms = now_ms;
  addresses_touch(t, wide);
}

/* --- penalties --- */

static uint64_t penalty_ms(unsigned failures, uint64_t most_s) {
  if (failures > PENALTY_STEPS) failures = PENALTY_STEPS;
  uint64_t s = failures ? (uint64_t)PENALTY_FIRST_S << (failures - 1) : 0;
  return (s < most_s ? s : most_s) * 1000;
}

/* How long failures are remembered: the sum of the growing penalties. */
static uint64_t memory_ms(uint64_t most_s) {
  uint64_t sum = 0;
  unsigned n = 0;
  do sum += penalty_ms(++n, most_s);
  while (n < PENALTY_STEPS && penalty_ms(n, most_s) < most_s * 1000);
  return sum;
}

static void forget_old_failures(struct auth_address *a, uint64_t most_s, uint64_t now_ms) {
  if (a->failures && now_ms - a->failed_ms >= memory_ms(most_s)) a->failures = 0;
}

bool address_has_room(struct auth_address *a, uint64_t most_s, uint64_t now_ms) {
  forget_old_failures(a, most_s, now_ms);
  return a->places < (a->failures ? AUTH_PENDING_FAILING : AUTH_PENDING);
}

bool address_knows_wrong(const struct auth_address *a, struct slice key, uint64_t now_ms) {
  bool known = false;
  for (size_t i = 0; i < ADDRESS_WRONG; i++)
    known |=
        a->wrong_until_ms[i] > now_ms && slice_secret_eq(slice_of(a->wrong[i], ADDRESS_WRONG_KEY),
                                                         slice_first(key, ADDRESS_WRONG_KEY));
  return known;
}

static void keep_wrong(struct auth_address *a, struct slice key, uint64_t now_ms) {
  unsigned at = a->wrong_next++ % ADDRESS_WRONG;
  memcpy(a->wrong[at], key.p, ADDRESS_WRONG_KEY);
  a->wrong_until_ms[at] = now_ms + ADDRESS_WRONG_MS;
}

uint64_t address_failed(struct auth_address *a, struct slice key, uint64_t most_s,
                        uint64_t now_ms) {
  forget_old_failures(a, most_s, now_ms);
  bool again = key.n && address_knows_wrong(a, key, now_ms);
  if (key.n && !again) keep_wrong(a, key, now_ms);
  if (again) return penalty_ms(a->failures ? a->failures : 1, most_s);
  if (a->failures < PENALTY_STEPS) a->failures++;
  a->failed_ms = now_ms;
  return penalty_ms(a->failures, most_s);
}

uint64_t address_succeeded(struct auth_address *a, uint64_t most_s, uint64_t now_ms) {
  forget_old_failures(a, most_s, now_ms);
  a->good_ms = now_ms ? now_ms : 1;
  return penalty_ms(a->failures, most_s);
}

uint64_t address_refused(struct auth_address *a, uint64_t most_s, uint64_t now_ms) {
  forget_old_failures(a, most_s, now_ms);
  return penalty_ms(a->failures ? a->failures : 1, most_s);
}

uint8_t address_class(const struct auth_address *a, uint64_t now_ms) {
  bool good = a->good_ms && now_ms - a->good_ms < ADDRESS_GOOD_MS;
  bool bad = a->failed_ms && now_ms - a->failed_ms < ADDRESS_BAD_MS;
  return good ? bad : bad ? 2 : 1;
}
