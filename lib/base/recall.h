/* SPDX-License-Identifier: ISC */
/* Remembers values by keys, both octets, in a fixed amount of memory: a cache of what can be read
 * again. A new entry takes the place of those that are oldest and were not asked for since; one
 * that many others share a hash with may have to go before.
 *
 * The memory is taken with the first entry; without memory nothing is remembered, and no call
 * fails. */
#ifndef QASID_BASE_RECALL_H
#define QASID_BASE_RECALL_H

#include "lib/base/slice.h"

enum { RECALL_ENTRY_MAX = 4096 /* key and value together; larger ones are not remembered */ };

struct recall {
  uint8_t *ring;
  uint32_t *slots; /* places in the ring, by hash; 0: free */
  size_t size;     /* of the ring */
  size_t buckets;  /* a power of two */
  size_t head;     /* where the next entry goes */
  size_t end;      /* of the entries that the last round wrote; behind it nothing is */
};

/* `size`: octets, at least 16 * RECALL_ENTRY_MAX and below 2 GB. */
void recall_init(struct recall *c, size_t size);
void recall_free(struct recall *c);
/* False: not remembered. The value is the cache's, until the next recall_put or recall_get. */
bool recall_get(struct recall *c, struct slice key, struct slice *ret);
/* Takes the place of what was remembered for the key. */
void recall_put(struct recall *c, struct slice key, struct slice value);
void recall_remove(struct recall *c, struct slice key);

#endif
