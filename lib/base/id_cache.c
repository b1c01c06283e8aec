/* SPDX-License-Identifier: ISC */
/* A table of buckets (id_cache.h). It starts small and grows in two steps, losing its entries, once
 * as many entries were put as it has room for: a cache may forget, and little use needs little
 * memory. Invariant: a key has at most one entry, in its bucket. */
#include "lib/base/id_cache.h"

#include <stdlib.h>
#include <string.h>

#include "lib/base/sys.h"

enum { FIRST_BUCKETS = 64, GROWTH = 64 };

struct place {
  uint64_t tag;
  size_t first; /* of its bucket's entries */
};

void id_cache_init(struct id_cache *c, size_t most) {
  *c = (struct id_cache){ .most = FIRST_BUCKETS };
  while (c->most * ID_CACHE_WAYS < most) c->most *= 2;
  sys_random(c->key, sizeof c->key);
}

static void drop_table(struct id_cache *c) {
  free(c->tags);
  free(c->values);
  c->tags = NULL;
  c->values = NULL;
  c->buckets = c->puts = 0;
}

void id_cache_free(struct id_cache *c) { drop_table(c); }

static bool make_table(struct id_cache *c, size_t buckets) {
  drop_table(c);
  c->tags = calloc(buckets * ID_CACHE_WAYS, sizeof *c->tags);
  c->values = calloc(buckets * ID_CACHE_WAYS, sizeof *c->values);
  if (c->tags && c->values)
    c->buckets = buckets;
  else
    drop_table(c);
  return c->buckets > 0;
}

static bool has_room(struct id_cache *c) {
  if (!c->buckets) return make_table(c, FIRST_BUCKETS);
  if (c->puts < c->buckets * ID_CACHE_WAYS || c->buckets == c->most) return true;
  size_t more = c->buckets * GROWTH;
  return make_table(c, more < c->most ? more : c->most);
}

static struct place place_of(const struct id_cache *c, struct slice key) {
  struct siphash h;
  uint8_t hash[SIPHASH_SIZE];
  uint64_t bucket;
  struct place p;
  siphash_start(&h, c->key);
  siphash_put(&h, key);
  siphash_end(&h, hash);
  memcpy(&p.tag, hash, sizeof p.tag);
  memcpy(&bucket, hash + sizeof p.tag, sizeof bucket);
  p.tag += !p.tag;
  p.first = c->buckets ? (bucket & (c->buckets - 1)) * ID_CACHE_WAYS : 0;
  return p;
}

/* The entry with that tag; the table's size if there is none. */
static size_t find(const struct id_cache *c, const struct place *p) {
  size_t end = c->buckets * ID_CACHE_WAYS;
  for (size_t i = p->first; i < p->first + ID_CACHE_WAYS && i < end; i++)
    if (c->tags[i] == p->tag) return i;
  return end;
}

bool id_cache_get(const struct id_cache *c, struct slice key, uint32_t *ret) {
  struct place p = place_of(c, key);
  size_t at = find(c, &p);
  if (at == c->buckets * ID_CACHE_WAYS) return false;
  *ret = c->values[at];
  return true;
}

/* The key's own entry, a free one, or an arbitrary one to evict. */
static size_t entry_for(const struct id_cache *c, const struct place *p) {
  size_t at = find(c, p);
  if (at < c->buckets * ID_CACHE_WAYS) return at;
  for (at = p->first; at < p->first + ID_CACHE_WAYS; at++)
    if (!c->tags[at]) return at;
  return p->first + c->puts % ID_CACHE_WAYS;
}

void id_cache_put(struct id_cache *c, struct slice key, uint32_t value) {
  if (!has_room(c)) return;
  struct place p = place_of(c, key);
  size_t at = entry_for(c, &p);
  c->tags[at] = p.tag;
  c->values[at] = value;
  c->puts++;
}

void id_cache_remove(struct id_cache *c, struct slice key) {
  struct place p = place_of(c, key);
  size_t at = find(c, &p);
  if (at < c->buckets * ID_CACHE_WAYS) c->tags[at] = 0;
}
