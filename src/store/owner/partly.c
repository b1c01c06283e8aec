/* SPDX-License-Identifier: ISC */
/* Which recipients have a message that others do not have yet (partly.h): a map from a hash of
 * fingerprint and account, and a ring of its keys in the order in which they came. Invariants: at
 * most PARTLY_MAX keys; a new key evicts the oldest; without memory nothing is recorded, which may
 * cost a duplicate. */
#include "src/store/owner/partly.h"

#include <stdlib.h>

void partly_init(struct partly *p) {
  *p = (struct partly){ 0 };
  map_init(&p->who);
}

void partly_free(struct partly *p) {
  map_free(&p->who);
  free(p->places);
  *p = (struct partly){ 0 };
}

static uint64_t half(struct slice name, size_t from) {
  uint64_t x = 0;
  for (size_t i = 0; i < 8; i++) x = x << 8 | (uint64_t)(slice_at(name, from + i) & 0xff);
  return x;
}

/* Never 0, which means no key. */
static uint64_t key_of(struct slice name, uint64_t who) {
  uint64_t key = half(name, 0) ^ who * 0x9e3779b97f4a7c15u;
  return key ? key : 1;
}

uint64_t partly_key(struct slice address) { return slice_hash(address) | (uint64_t)1 << 63; }

bool partly_has(const struct partly *p, struct slice name, uint64_t who) {
  uint64_t rest;
  return name.n == PARTLY_NAME && p->who.count && map_get(&p->who, key_of(name, who), &rest) &&
         rest == half(name, 8);
}

/* Without memory it is not recorded. */
void partly_keep(struct partly *p, struct slice name, uint64_t who) {
  uint64_t key = key_of(name, who);
  if (name.n != PARTLY_NAME) return;
  if (!p->places) p->places = calloc(PARTLY_MAX, sizeof *p->places);
  if (!p->places || map_get(&p->who, key, NULL) || !map_put(&p->who, key, half(name, 8))) return;
  if (p->places[p->next]) map_remove(&p->who, p->places[p->next]);
  p->places[p->next] = key;
  p->next = (p->next + 1) % PARTLY_MAX;
}

/* Its place in the ring stays, without meaning. */
void partly_forget(struct partly *p, struct slice name, uint64_t who) {
  if (partly_has(p, name, who)) map_remove(&p->who, key_of(name, who));
}
