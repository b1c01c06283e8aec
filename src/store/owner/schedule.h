/* SPDX-License-Identifier: ISC */
/* Which destination is sent to next: pure, in memory, one head for each destination that has rows
 * waiting or in hands. docs/design/queue.md has the reasons.
 *
 *   (none) --sched_due--> WAITING --sched_ready--> TAKING --sched_taken--> IN HANDS ⇄ WAITING
 *   WAITING --nothing left--> (none)
 *
 * Invariants:
 *  1. A head is in the heap exactly when it will need attention at some time: it has a due time,
 *     its
 *     window has room, and no take is in progress.
 *  2. The cursor is the last row that was read. It is at the beginning whenever nothing is in hands
 *     and no take is in progress, and when a row before it came back untried: then a take reads
 *     rows
 *     in hands, which it leaves out (hands.h), and continues after them.
 *  3. A head that has neither rows waiting nor letters in hands, and is not dead, is freed. Times
 *     are seconds since 1970. */
#ifndef QASID_STORE_OWNER_SCHEDULE_H
#define QASID_STORE_OWNER_SCHEDULE_H

#include "lib/base/heap.h"
#include "lib/base/map.h"
#include "lib/base/slice.h"
#include "src/store/jobs/queue.h"

enum { SCHED_WINDOW_FIRST = 5, SCHED_WINDOW_LEAST = 1 };

struct sched_head {
  struct sched_head *same_hash;
  struct slice name;  /* owned */
  int64_t due;        /* of the earliest row after the cursor; SCHED_NEVER: there is none */
  int64_t dead_until; /* end of the period without a reachable server; 0: it is not dead */
  uint32_t in_hands;  /* letters */
  uint32_t window;    /* how many may be */
  bool taking;
  bool rewinds; /* the cursor returns to the beginning when the take ends */
  struct sched_cursor cursor;
  struct heap_node ready; /* in schedule.ready, by the time when it needs attention */
};

struct schedule {
  struct map by_hash;
  struct heap ready;
  size_t heads;
  uint32_t window_most;
};

void sched_init(struct schedule *s, uint32_t window_most);
void sched_free(struct schedule *s);
/* The head of that destination (a folded name), or NULL. */
struct sched_head *sched_find(struct schedule *s, struct slice destination);
/* One of its rows is due then. False without memory. */
bool sched_due(struct schedule *s, struct slice destination, int64_t due);
/* Every head, in no order; the schedule must not change meanwhile. */
struct sched_walk {
  size_t at;
  const struct sched_head *last;
};
const struct sched_head *sched_next(const struct schedule *s, struct sched_walk *w);
/* A head that can be taken from now, or NULL. */
struct sched_head *sched_ready(struct schedule *s, int64_t now_s);
/* When sched_ready() will have one; SCHED_NEVER: only after another event. */
int64_t sched_wake(const struct schedule *s);
/* A take begins; returns the maximum number of letters. */
uint32_t sched_take(struct schedule *s, struct sched_head *h);
/* It ended: this many letters are in hands now, `next_due` is that of the first row after the
 * cursor. What sched_due() added meanwhile stays: the take may have read before it was there. */
void sched_taken(struct schedule *s, struct sched_head *h, uint32_t letters,
                 struct sched_cursor cursor, int64_t next_due);
enum sched_news { SCHED_DELIVERED, SCHED_REFUSED, SCHED_DEFERRED, SCHED_UNREACHABLE, SCHED_LOST };
/* A letter is out of hands. `until`: with SCHED_UNREACHABLE, when to try the destination again. Its
 * rows that wait again are added with sched_due(), before this. The head may be freed. */
void sched_back(struct schedule *s, struct sched_head *h, enum sched_news news, int64_t until);
/* A row that was taken is due as it was before. Called before sched_back(). */
void sched_rewind(struct schedule *s, struct sched_head *h);
/* The administrator ends the destination's dead period. */
void sched_revive(struct schedule *s, struct sched_head *h);

/* The delay before the next try, in seconds: 1.7 times the last, at least `first`, at most `most`,
 * with up to a fifth more or less; `chance` is random. */
uint32_t sched_delay(uint32_t last, uint32_t first, uint32_t most, uint32_t chance);

#endif
