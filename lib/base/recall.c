/* SPDX-License-Identifier: ISC */
/* A ring of entries and a hash table of their offsets (recall.h).
 *
 *   ring   head | key | value, one after the other, wrapping round at the end: the oldest entry is
 *          overwritten when the ring comes round to it. An entry that is used while in the older
 *          half is written again at the front
 *   slots  buckets of WAYS offsets each: an entry is in the bucket of its hash. A full bucket loses
 *          its oldest entry
 *
 * Invariants:
 *  1. Each offset in a slot is that of a whole entry, whose hash belongs to that bucket.
 *  2. An entry that is overwritten, removed or replaced has no slot.
 *  3. From `head` to `end` are the entries of the previous round, before `head` those of this one;
 *     a scan by their lengths from 0, or from `head`, visits each. */
#include "lib/base/recall.h"

#include <stdlib.h>
#include <string.h>

enum { WAYS = 8, ALIGN = 8, OCTETS_A_SLOT = 32 };

struct entry {
  uint32_t hash;
  uint16_t key_n, value_n;
};

static size_t size_of(size_t octets) {
  return (sizeof(struct entry) + octets + ALIGN - 1) / ALIGN * ALIGN;
}

static struct entry *entry_at(const struct recall *c, size_t at) {
  return (struct entry *)(void *)(c->ring + at);
}

static size_t entry_size(const struct entry *x) { return size_of((size_t)x->key_n + x->value_n); }

static struct slice key_of(const struct entry *x) {
  return slice_of((const uint8_t *)(x + 1), x->key_n);
}

static struct slice value_of(const struct entry *x) {
  return slice_of((const uint8_t *)(x + 1) + x->key_n, x->value_n);
}

void recall_init(struct recall *c, size_t size) {
  *c = (struct recall){ .size = size / ALIGN * ALIGN, .buckets = 1 };
  while (c->buckets * WAYS * OCTETS_A_SLOT < size) c->buckets *= 2;
}

void recall_free(struct recall *c) {
  free(c->ring);
  free(c->slots);
  recall_init(c, c->size);
}

/* Anonymous pages, which take no memory until written: little use needs little memory. */
static bool ready(struct recall *c) {
  if (c->ring) return true;
  c->ring = calloc(1, c->size);
  c->slots = calloc(c->buckets * WAYS, sizeof *c->slots);
  if (c->ring && c->slots) return true;
  recall_free(c);
  return false;
}

static uint32_t *bucket_of(const struct recall *c, uint32_t hash) {
  return c->slots + (hash & (c->buckets - 1)) * WAYS;
}

/* A slot holds the offset in units of ALIGN, plus 1. */
static uint32_t slot_of(size_t at) { return (uint32_t)(at / ALIGN + 1); }

static size_t place_of(uint32_t slot) { return ((size_t)slot - 1) * ALIGN; }

static void forget_place(struct recall *c, size_t at) {
  uint32_t *bucket = bucket_of(c, entry_at(c, at)->hash), slot = slot_of(at);
  for (int i = 0; i < WAYS; i++)
    if (bucket[i] == slot) bucket[i] = 0;
}

static uint32_t *find(const struct recall *c, struct slice key, uint32_t hash) {
  if (!c->ring) return NULL;
  uint32_t *bucket = bucket_of(c, hash);
  for (int i = 0; i < WAYS; i++) {
    const struct entry *x = bucket[i] ? entry_at(c, place_of(bucket[i])) : NULL;
    if (x && x->hash == hash && slice_eq(key_of(x), key)) return &bucket[i];
  }
  return NULL;
}

/* True if the ring reaches the offset within half a round. */
static bool is_old(const struct recall *c, size_t at) {
  size_t ahead = at >= c->head ? at - c->head : at + c->size - c->head;
  return ahead < c->size / 2;
}

/* The age of a slot's entry; a higher value is older. */
static size_t age_of(const struct recall *c, uint32_t slot) {
  size_t at = place_of(slot);
  return c->head > at ? c->head - at : c->head + c->size - at;
}

static uint32_t *slot_for(struct recall *c, uint32_t hash) {
  uint32_t *bucket = bucket_of(c, hash), *oldest = bucket;
  for (int i = 0; i < WAYS; i++) {
    if (!bucket[i]) return &bucket[i];
    if (age_of(c, bucket[i]) > age_of(c, *oldest)) oldest = &bucket[i];
  }
  return oldest;
}

/* Makes `n` octets free at the head. */
static void make_room(struct recall *c, size_t n) {
  if (c->head + n > c->size) { /* the rest of this round stays empty */
    for (size_t at = c->head; at < c->end; at += entry_size(entry_at(c, at))) forget_place(c, at);
    c->end = c->head;
    c->head = 0;
  }
  size_t at = c->head;
  while (at < c->head + n && at < c->end) {
    size_t size = entry_size(entry_at(c, at));
    forget_place(c, at);
    at += size;
  }
  /* the rest of a partly overwritten entry becomes an entry without a key, so that scans can
   * continue after it */
  size_t gap = at > c->head + n ? at - c->head - n : 0;
  if (gap >= ALIGN) {
    struct entry *filler = entry_at(c, c->head + n);
    *filler = (struct entry){ .value_n = (uint16_t)(gap - sizeof *filler) };
  }
  if (c->end < c->head + n) c->end = c->head + n;
}

static void append(struct recall *c, uint32_t hash, struct slice key, struct slice value) {
  size_t n = size_of(key.n + value.n);
  make_room(c, n);
  struct entry *x = entry_at(c, c->head);
  *x = (struct entry){ hash, (uint16_t)key.n, (uint16_t)value.n };
  memcpy(x + 1, key.p, key.n);
  if (value.n) memcpy((uint8_t *)(x + 1) + key.n, value.p, value.n);
  *slot_for(c, hash) = slot_of(c->head);
  c->head += n;
}

bool recall_get(struct recall *c, struct slice key, struct slice *ret) {
  uint32_t hash = (uint32_t)slice_hash(key), *slot = find(c, key, hash);
  if (!slot) return false;
  struct entry *x = entry_at(c, place_of(*slot));
  if (is_old(c, place_of(*slot))) {
    uint8_t copy[RECALL_ENTRY_MAX];
    struct slice value = value_of(x);
    memcpy(copy, value.p, value.n);
    *slot = 0;
    append(c, hash, key, slice_of(copy, value.n));
    x = entry_at(c, place_of(*find(c, key, hash)));
  }
  *ret = value_of(x);
  return true;
}

void recall_put(struct recall *c, struct slice key, struct slice value) {
  recall_remove(c, key);
  if (!key.n || key.n + value.n > RECALL_ENTRY_MAX || !ready(c)) return;
  append(c, (uint32_t)slice_hash(key), key, value);
}

void recall_remove(struct recall *c, struct slice key) {
  uint32_t *slot = find(c, key, (uint32_t)slice_hash(key));
  if (slot) *slot = 0;
}
