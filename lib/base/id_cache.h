/* SPDX-License-Identifier: ISC */
/* A cache from keys to numbers below 2^32 that does not store the keys: 12 octets an entry, however
 * long the key is. For data that can be read again.
 *
 * A key is identified by a 128-bit hash under a secret, random key (SipHash-2-4): 64 bits are kept,
 * others choose one of up to 2^17 buckets. The chance that a key that was never put is taken for
 * one that was is at most ID_CACHE_WAYS / 2^64, one in 10^18 for each look-up, and nobody can
 * provoke it deliberately. */
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

/* It grows to about `most` entries. */
void id_cache_init(struct id_cache *c, size_t most);
void id_cache_free(struct id_cache *c);
bool id_cache_get(const struct id_cache *c, struct slice key, uint32_t *ret);
/* Evicts an entry if the bucket is full; does nothing without memory. */
void id_cache_put(struct id_cache *c, struct slice key, uint32_t value);
void id_cache_remove(struct id_cache *c, struct slice key);

#endif
