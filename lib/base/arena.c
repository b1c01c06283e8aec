/* SPDX-License-Identifier: ISC */
/* Arenas as a list of blocks, newest first. An allocation comes from the newest block, or from a
 * new one when it does not fit there; space left in older blocks is not used again.
 * Invariants: the octets handed out never pass `max`; once `failed`, nothing is handed out until
 * arena_reset(). */
#include "lib/base/arena.h"

#include <stdalign.h>
#include <stdlib.h>

enum { ARENA_BLOCK = 496 }; /* with its header just under malloc's 512-octet class */

struct arena_block {
  struct arena_block *older;
  size_t used, cap;
  alignas(max_align_t) uint8_t mem[];
};

void arena_init(struct arena *a, size_t max) { *a = (struct arena){ .max = max }; }

void arena_reset(struct arena *a) {
  for (struct arena_block *b = a->blocks, *older; b; b = older) {
    older = b->older;
    free(b);
  }
  arena_init(a, a->max);
}

static struct arena_block *block_with_room(struct arena *a, size_t n) {
  struct arena_block *b = a->blocks;
  if (b && b->cap - b->used >= n) return b;
  size_t cap = n > ARENA_BLOCK ? n : ARENA_BLOCK;
  b = malloc(sizeof *b + cap);
  if (!b) return NULL;
  *b = (struct arena_block){ .older = a->blocks, .cap = cap };
  a->blocks = b;
  return b;
}

void *arena_alloc(struct arena *a, size_t n) {
  const size_t align = alignof(max_align_t);
  if (a->failed || n > a->max - a->used || n > SIZE_MAX - align) goto fail;
  size_t padded = (n + align - 1) & ~(align - 1);
  struct arena_block *b = block_with_room(a, padded);
  if (!b) goto fail;
  void *out = b->mem + b->used;
  b->used += padded;
  a->used += n;
  return memset(out, 0, n);
fail:
  a->failed = true;
  return NULL;
}

struct slice arena_copy(struct arena *a, struct slice s) {
  uint8_t *to = arena_alloc(a, s.n);
  if (!to) return SLICE_NONE;
  if (s.n) memcpy(to, s.p, s.n);
  return slice_of(to, s.n);
}

const char *arena_cstr(struct arena *a, struct slice s) {
  char *to = s.n == SIZE_MAX ? NULL : arena_alloc(a, s.n + 1);
  if (to && s.n) memcpy(to, s.p, s.n);
  return to;
}
