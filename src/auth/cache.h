/* SPDX-License-Identifier: ISC */
/* Passwords that were verified a short while ago.
 *
 * An entry is an HMAC-SHA256, under a key that only this process has, over the account's name, its
 * stamp and the password; never the password. The entries are of no use for guessing passwords
 * without that key. A changed account has a new stamp, so its old entries match nothing; they are
 * also removed at once. The oldest unused entry is evicted (CLOCK). */
#ifndef QASID_AUTH_CACHE_H
#define QASID_AUTH_CACHE_H

#include "lib/base/map.h"
#include "lib/tls/digest.h"

enum { CACHE_KEY = DIGEST_SHA256_SIZE };

struct cache_entry {
  uint8_t key[CACHE_KEY];
  uint64_t account; /* id */
  uint64_t until_ms;
  bool used, again; /* `again`: hit since the hand last passed */
};

struct cache {
  struct cache_entry *entries;
  size_t size, hand;
  size_t reached;    /* no entry from here on was ever used: that memory was never touched */
  struct map places; /* first 8 octets of the key → place */
  uint8_t secret[32];
};

void cache_init(struct cache *c, const uint8_t secret[32]);
void cache_free(struct cache *c);
/* Resizes it to `size` entries, empty. 0, or no memory: it caches nothing. */
void cache_resize(struct cache *c, size_t size);
/* Identifies (account, stamp, password) in this process. False if OpenSSL fails. */
bool cache_key(const struct cache *c, struct slice folded_name, uint64_t stamp,
               struct slice password, uint8_t ret[CACHE_KEY]);
/* The valid entry, or NULL. */
struct cache_entry *cache_find(struct cache *c, const uint8_t key[CACHE_KEY], uint64_t now_ms);
void cache_put(struct cache *c, const uint8_t key[CACHE_KEY], uint64_t account, uint64_t until_ms);
/* Removes all entries of one account. */
void cache_drop(struct cache *c, uint64_t account);

#endif
