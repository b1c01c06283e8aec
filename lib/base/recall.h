/* SPDX-License-Identifier: ISC */
/* A cache from keys to values, both octet strings, in a fixed amount of memory. For data that can
 * be read again. A new entry replaces the oldest ones that were not used since; an entry whose hash
 * bucket is crowded may be evicted earlier.
 *
 * The memory is allocated with the first entry; without memory nothing is cached, and no call
 * fails. */
#ifndef QASID_BASE_RECALL_H
#define QASID_BASE_RECALL_H

#include "lib/base/slice.h"

enum { RECALL_ENTRY_MAX = 4096 /* key and value together; larger ones are not cached */ };

struct recall {
  uint8_t *ring;
  uint32_t *slots; /* offsets in the ring, by hash; 0: free */
  size_t size;     /* of the ring */
  size_t buckets;  /* a power of two */
  size_t head;     /* where the next entry goes */
  size_t end;      /* end of the entries written in the previous round; nothing follows */
};

/* `size`: octets, at least 16 * RECALL_ENTRY_MAX and below 2 GB. */
void recall_init(struct recall *c, size_t size);
void recall_free(struct recall *c);
/* False: not cached. The value belongs to the cache and is valid until the next recall_put or
 * recall_get. */
bool recall_get(struct recall *c, struct slice key, struct slice *ret);
/* Replaces the value cached for the key. */
void recall_put(struct recall *c, struct slice key, struct slice value);
void recall_remove(struct recall *c, struct slice key);

#endif
