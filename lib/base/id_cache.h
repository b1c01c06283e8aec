/* SPDX-License-Identifier: ISC */
/* Remembers a number below 2^32 for each key, without the key: 12 octets an entry, however long the
 * key is. A cache of what can be read again.
 *
 * A key is known by a hash of 128 bits under a secret, random key (SipHash-2-4): 64 of them are
 * kept, the others choose one of up to 2^17 buckets. Of a key that was never put, it is believed
 * that it was with a chance of at most ID_CACHE_WAYS / 2^64, one in 10^18 for each question, which
 * nobody can bring about on purpose. */
#ifndef QASID_BASE_ID_CACHE_H
#define QASID_BASE_ID_CACHE_H

#include "lib/base/siphash.h"

enum { ID_CACHE_WAYS = 10 };

struct id_cache {
  uint64_t *tags; /* 0: free */
  uint32_t *values;
  size_t buckets; /* a power of two; 0: no memory yet */
  size_t most;    /* buckets */
  size_t puts;    /* since it last grew */
  uint8_t key[SIPHASH_KEY];
};

/* It grows to `most` entries, about. */
void id_cache_init(struct id_cache *c, size_t most);
void id_cache_free(struct id_cache *c);
bool id_cache_get(const struct id_cache *c, struct slice key, uint32_t *ret);
/* Without memory, or when its bucket is full, something is forgotten. */
void id_cache_put(struct id_cache *c, struct slice key, uint32_t value);
void id_cache_remove(struct id_cache *c, struct slice key);

#endif
