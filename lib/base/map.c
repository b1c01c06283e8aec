/* SPDX-License-Identifier: ISC */
/* Hash map with open addressing and linear probing.
 * Invariants: `cap` is 0 or a power of two; at most three quarters of the slots are used, so a
 * probe always ends at a free slot; removal shifts entries back and leaves no tombstones; an
 * empty map holds no memory. */
#include "lib/base/map.h"

#include "lib/base/sys.h"

#include <stdlib.h>

enum { MAP_FIRST = 16 };

void map_init(struct map *m) {
  *m = (struct map){ 0 };
  sys_random(&m->seed, sizeof m->seed);
}

void map_free(struct map *m) {
  free(m->slots);
  *m = (struct map){ .seed = m->seed };
}

/* splitmix64's finisher over the seeded key. */
static size_t place(const struct map *m, uint64_t key) {
  uint64_t h = key ^ m->seed;
  h = (h ^ h >> 30) * 0xbf58476d1ce4e5b9u;
  h = (h ^ h >> 27) * 0x94d049bb133111ebu;
  return (size_t)(h ^ h >> 31) & (m->cap - 1);
}

/* The slot of `key`, or the free one where it would go. The map is never full. */
static size_t find(const struct map *m, uint64_t key) {
  size_t i = place(m, key);
  while (m->slots[i].used && m->slots[i].key != key) i = (i + 1) & (m->cap - 1);
  return i;
}

static bool resize(struct map *m, size_t cap) {
  struct map bigger = { calloc(cap, sizeof *m->slots), cap, m->count, m->seed };
  if (!bigger.slots) return false;
  for (size_t i = 0; i < m->cap; i++)
    if (m->slots[i].used) bigger.slots[find(&bigger, m->slots[i].key)] = m->slots[i];
  free(m->slots);
  *m = bigger;
  return true;
}

bool map_put(struct map *m, uint64_t key, uint64_t value) {
  if (m->count * 4 >= m->cap * 3 && !resize(m, m->cap ? m->cap * 2 : MAP_FIRST)) return false;
  struct map_slot *s = &m->slots[find(m, key)];
  m->count += !s->used;
  *s = (struct map_slot){ key, value, true };
  return true;
}

bool map_get(const struct map *m, uint64_t key, uint64_t *ret) {
  if (m->count == 0) return false;
  const struct map_slot *s = &m->slots[find(m, key)];
  if (s->used && ret) *ret = s->value;
  return s->used;
}

/* Backward-shift deletion: no tombstones, so a map that lives for months stays fast. */
void map_remove(struct map *m, uint64_t key) {
  if (m->count == 0) return;
  size_t hole = find(m, key);
  if (!m->slots[hole].used) return;
  for (size_t i = (hole + 1) & (m->cap - 1); m->slots[i].used; i = (i + 1) & (m->cap - 1)) {
    size_t home = place(m, m->slots[i].key);
    if (((i - home) & (m->cap - 1)) < ((i - hole) & (m->cap - 1))) continue;
    m->slots[hole] = m->slots[i];
    hole = i;
  }
  m->slots[hole].used = false;
  m->count--;
  if (m->count == 0) map_free(m);
}

bool map_each(const struct map *m, size_t *at, uint64_t *ret_key, uint64_t *ret_value) {
  for (; *at < m->cap; ++*at) {
    if (!m->slots[*at].used) continue;
    *ret_key = m->slots[*at].key;
    *ret_value = m->slots[*at].value;
    ++*at;
    return true;
  }
  return false;
}
