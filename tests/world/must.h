/* SPDX-License-Identifier: ISC */
/* Memory for the simulator itself. It is never the memory whose lack is being tested: alloc_fail.c
 * stands in for malloc, calloc and realloc, and these use none of them. Without memory, abort. */
#ifndef QASID_WORLD_MUST_H
#define QASID_WORLD_MUST_H

#include <stdlib.h>
#include <string.h>

/* `n` zeroed octets, to be given to free(). */
static inline void *must_alloc(size_t n) {
  void *p = aligned_alloc(16, n ? (n + 15) / 16 * 16 : 16);
  if (!p) abort();
  return memset(p, 0, n);
}

/* The same octets in a larger place; what is new is zero. */
static inline void *must_grow(void *p, size_t before, size_t after) {
  void *q = must_alloc(after);
  if (before) memcpy(q, p, before);
  free(p);
  return q;
}

/* Room for one more item in an array of *process. */
static inline void *must_fit(void *p, size_t count, size_t *room, size_t item) {
  if (count < *room) return p;
  size_t before = *room;
  *room = before ? before * 2 : 16;
  return must_grow(p, before * item, *room * item);
}

static inline char *must_copy(const char *s) {
  size_t n = strlen(s) + 1;
  return memcpy(must_alloc(n), s, n);
}

#endif
