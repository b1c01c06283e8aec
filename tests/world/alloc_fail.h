/* SPDX-License-Identifier: ISC */
/* Memory that runs out on purpose: the linker's --wrap puts these in the place of malloc, calloc
 * and realloc, and the Nth call made by code under test gets nothing.
 *
 * Only calls made between alloc_enter() and alloc_leave() count: the world brackets each call into
 * a session, the store or auth. Their callbacks step out again with alloc_out(). */
#ifndef QASID_WORLD_ALLOC_FAIL_H
#define QASID_WORLD_ALLOC_FAIL_H

#include <stdbool.h>
#include <stdint.h>

struct alloc_fail {
  bool armed;       /* count at all */
  unsigned inside;  /* depth of code under test */
  uint64_t count;   /* allocations so far */
  uint64_t fail_at; /* the one that fails; 0: none */
};

/* One for the process, because malloc has no argument for it. */
extern struct alloc_fail alloc_fail;

/* The one failure has happened. */
static inline bool alloc_failed(void) {
  return alloc_fail.armed && alloc_fail.fail_at && alloc_fail.count >= alloc_fail.fail_at;
}
static inline void alloc_enter(void) { alloc_fail.inside++; }
static inline void alloc_leave(void) { alloc_fail.inside--; }
static inline unsigned alloc_out(void) {
  unsigned was = alloc_fail.inside;
  alloc_fail.inside = 0;
  return was;
}
static inline void alloc_back(unsigned was) { alloc_fail.inside = was; }

#endif
