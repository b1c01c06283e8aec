/* SPDX-License-Identifier: ISC */
/* A map from 64-bit numbers to 64-bit values or pointers. Open addressing; the hash is seeded, so
 * that an attacker who chooses the keys cannot choose collisions. */
#ifndef QASID_BASE_MAP_H
#define QASID_BASE_MAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct map_slot {
  uint64_t key, value;
  bool used;
};

struct map {
  struct map_slot *slots;
  size_t cap, count; /* cap is 0 or a power of two */
  uint64_t seed;
};

void map_init(struct map *m);
void map_free(struct map *m);
/* False without memory; the map is then unchanged. */
bool map_put(struct map *m, uint64_t key, uint64_t value);
/* False when the key is not there. `ret` may be NULL. */
bool map_get(const struct map *m, uint64_t key, uint64_t *ret);
void map_remove(struct map *m, uint64_t key);

/* The same with pointers; NULL is "not there". */
static inline bool map_put_ptr(struct map *m, uint64_t key, void *p) {
  return map_put(m, key, (uint64_t)(uintptr_t)p);
}
static inline void *map_ptr(const struct map *m, uint64_t key) {
  uint64_t v = 0;
  return map_get(m, key, &v) ? (void *)(uintptr_t)v : NULL;
}
/* All entries: for (size_t i = 0; map_each(m, &i, &key, &value);) — the map must not change during
 * the loop. */
bool map_each(const struct map *m, size_t *at, uint64_t *ret_key, uint64_t *ret_value);

#endif
