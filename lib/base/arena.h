/* SPDX-License-Identifier: ISC */
/* Memory by lifetime: everything allocated from an arena is freed at once.
 *
 * One arena per session, per transaction, per question. No single object is ever freed, so there is
 * no use-after-free inside one lifetime. An arena has a maximum; past it, or without memory, it
 * returns NULL and stays failed until reset. */
#ifndef QASID_BASE_ARENA_H
#define QASID_BASE_ARENA_H

#include "lib/base/slice.h"

struct arena_block;
struct arena {
  struct arena_block *blocks; /* newest first */
  size_t used, max;           /* octets handed out, and their maximum */
  bool failed;
};

void arena_init(struct arena *a, size_t max);
/* Frees all memory; the arena can be used again with the same maximum. */
void arena_reset(struct arena *a);
/* `n` zeroed octets, aligned for any object. NULL when they do not fit. */
void *arena_alloc(struct arena *a, size_t n);
/* A copy of `s` that lives as long as the arena; p = NULL when it does not fit. */
struct slice arena_copy(struct arena *a, struct slice s);
/* As arena_copy, with a NUL behind it that is not counted. NULL when it does not fit. */
const char *arena_cstr(struct arena *a, struct slice s);

#endif
