/* SPDX-License-Identifier: ISC */
/* Remembered passwords (cache.h): a fixed array of entries, a map from the first octets of an
 * entry's id to its place, and a CLOCK hand. Invariants: ids are compared in full and in constant
 * time; the HMAC key is random, made for each start, and never leaves this process; without memory
 * nothing is remembered. */
#include "src/auth/cache.h"

#include "lib/base/buf.h"
#include "lib/base/wire.h"

#include <stdlib.h>

void cache_init(struct cache *c, const uint8_t secret[32]) {
  *c = (struct cache){ 0 };
  memcpy(c->secret, secret, sizeof c->secret);
  map_init(&c->places);
}

void cache_free(struct cache *c) {
  cache_resize(c, 0);
  map_free(&c->places);
  explicit_bzero(c->secret, sizeof c->secret);
}

void cache_resize(struct cache *c, size_t size) {
  if (c->entries) explicit_bzero(c->entries, c->reached * sizeof *c->entries);
  free(c->entries);
  map_free(&c->places);
  c->entries = size ? calloc(size, sizeof *c->entries) : NULL;
  c->size = c->entries ? size : 0;
  c->hand = c->reached = 0;
}

bool cache_key(const struct cache *c, struct slice folded_name, uint64_t stamp,
               struct slice password, uint8_t ret[CACHE_KEY]) {
  uint8_t head[12];
  struct buf b = { .mem = head, .cap = sizeof head, .max = sizeof head };
  wire_put_u32(&b, (uint32_t)folded_name.n);
  wire_put_u64(&b, stamp);
  struct slice parts[] = { slice_of(head, sizeof head), folded_name, password };
  return digest_hmac_parts(DIGEST_SHA256, slice_of(c->secret, sizeof c->secret), parts, 3, ret);
}

static uint64_t place_key(const uint8_t key[CACHE_KEY]) {
  uint64_t k;
  memcpy(&k, key, sizeof k);
  return k;
}

static void entry_clear(struct cache *c, struct cache_entry *e) {
  uint64_t at = 0;
  if (map_get(&c->places, place_key(e->key), &at) && &c->entries[at] == e)
    map_remove(&c->places, place_key(e->key));
  explicit_bzero(e, sizeof *e);
}

struct cache_entry *cache_find(struct cache *c, const uint8_t key[CACHE_KEY], uint64_t now_ms) {
  uint64_t at = 0;
  if (!c->size || !map_get(&c->places, place_key(key), &at)) return NULL;
  struct cache_entry *e = &c->entries[at];
  if (!slice_secret_eq(slice_of(e->key, CACHE_KEY), slice_of(key, CACHE_KEY))) return NULL;
  if (e->until_ms <= now_ms) {
    entry_clear(c, e);
    return NULL;
  }
  e->again = true;
  return e;
}

/* At most two rounds: the first clears every `again`. */
static struct cache_entry *entry_free(struct cache *c) {
  for (;;) {
    struct cache_entry *e = &c->entries[c->hand];
    if (c->reached == c->hand) c->reached++;
    c->hand = (c->hand + 1) % c->size;
    if (!e->used) return e;
    if (!e->again) {
      entry_clear(c, e);
      return e;
    }
    e->again = false;
  }
}

void cache_put(struct cache *c, const uint8_t key[CACHE_KEY], uint64_t account, uint64_t until_ms) {
  uint64_t at = 0;
  if (!c->size) return;
  if (map_get(&c->places, place_key(key), &at)) entry_clear(c, &c->entries[at]);
  struct cache_entry *e = entry_free(c);
  if (!map_put(&c->places, place_key(key), (uint64_t)(e - c->entries))) return;
  *e = (struct cache_entry){ .account = account, .until_ms = until_ms, .used = true };
  memcpy(e->key, key, CACHE_KEY);
}

void cache_drop(struct cache *c, uint64_t account) {
  for (size_t i = 0; i < c->reached; i++)
    if (c->entries[i].used && c->entries[i].account == account) entry_clear(c, &c->entries[i]);
}
