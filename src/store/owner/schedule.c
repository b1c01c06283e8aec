/* SPDX-License-Identifier: ISC */
/* Which destination is sent to next (schedule.h): a map of heads by name, and a heap of those that
 * will need attention, by the time of that. Every change of a head ends in settle(), which restores
 * the invariants of schedule.h. Memory for the heap is reserved when a head is made, so that only
 * sched_due() can fail. */
#include "src/store/owner/schedule.h"

#include <stdlib.h>

#include "lib/base/bug.h"

void sched_init(struct schedule *s, uint32_t window_most) {
  *s = (struct schedule){ .window_most = window_most };
  map_init(&s->by_hash);
}

static void head_free(struct sched_head *h) {
  free((void *)h->name.p);
  free(h);
}

void sched_free(struct schedule *s) {
  uint64_t key, value;
  for (size_t i = 0; map_each(&s->by_hash, &i, &key, &value);) {
    struct sched_head *h = (struct sched_head *)(uintptr_t)value, *next;
    for (; h; h = next) {
      next = h->same_hash;
      head_free(h);
    }
  }
  map_free(&s->by_hash);
  heap_free(&s->ready);
  *s = (struct schedule){ 0 };
}

/* When it needs attention; SCHED_NEVER: not before another event. */
static int64_t key_of(const struct sched_head *h) {
  if (h->taking || h->in_hands >= h->window || h->due == SCHED_NEVER) return SCHED_NEVER;
  return h->due > h->dead_until ? h->due : h->dead_until;
}

/* --- heads --- */

struct sched_head *sched_find(struct schedule *s, struct slice destination) {
  struct sched_head *h = map_ptr(&s->by_hash, slice_hash(destination));
  while (h && !slice_eq(h->name, destination)) h = h->same_hash;
  return h;
}

static struct sched_head *head_new(struct schedule *s, struct slice destination) {
  uint64_t hash = slice_hash(destination);
  struct sched_head *h = calloc(1, sizeof *h);
  uint8_t *name = malloc(destination.n + 1);
  if (h && name && heap_reserve(&s->ready, s->heads + 1)) {
    memcpy(name, destination.p, destination.n);
    *h = (struct sched_head){ .same_hash = map_ptr(&s->by_hash, hash),
                              .name = slice_of(name, destination.n),
                              .due = SCHED_NEVER,
                              .window = SCHED_WINDOW_FIRST };
    if (map_put_ptr(&s->by_hash, hash, h)) {
      s->heads++;
      return h;
    }
  }
  free(name);
  free(h);
  return NULL;
}

static void head_remove(struct schedule *s, struct sched_head *h) {
  uint64_t hash = slice_hash(h->name);
  struct sched_head *first = map_ptr(&s->by_hash, hash);
  if (first == h && !h->same_hash)
    map_remove(&s->by_hash, hash);
  else if (first == h)
    map_put_ptr(&s->by_hash, hash, h->same_hash); /* the key exists: this cannot fail */
  else {
    while (first->same_hash != h) first = first->same_hash;
    first->same_hash = h->same_hash;
  }
  s->heads--;
  head_free(h);
}

/* Updates its place in the heap after any change; removes a head with nothing left. */
static void settle(struct schedule *s, struct sched_head *h) {
  if (!h->in_hands && !h->taking) {
    if (h->cursor.row) h->due = h->due < h->cursor.due ? h->due : h->cursor.due;
    h->cursor = (struct sched_cursor){ 0, 0 };
  }
  int64_t key = key_of(h);
  if (key == SCHED_NEVER) {
    heap_remove(&s->ready, &h->ready);
    if (h->due == SCHED_NEVER && !h->in_hands && !h->taking) head_remove(s, h);
    return;
  }
  heap_put(&s->ready, &h->ready, (uint64_t)key); /* memory was reserved with the head */
}

bool sched_due(struct schedule *s, struct slice destination, int64_t due) {
  struct sched_head *h = sched_find(s, destination);
  if (!h) h = head_new(s, destination);
  if (!h) return false;
  if (due < h->due) h->due = due;
  settle(s, h);
  return true;
}

const struct sched_head *sched_next(const struct schedule *s, struct sched_walk *w) {
  uint64_t key, value;
  if (w->last && w->last->same_hash)
    w->last = w->last->same_hash;
  else
    w->last = map_each(&s->by_hash, &w->at, &key, &value)
                  ? (const struct sched_head *)(uintptr_t)value
                  : NULL;
  return w->last;
}

struct sched_head *sched_ready(struct schedule *s, int64_t now_s) {
  struct heap_node *n = heap_first(&s->ready);
  return n && (int64_t)n->key <= now_s ? HEAP_OWNER(n, struct sched_head, ready) : NULL;
}

int64_t sched_wake(const struct schedule *s) {
  const struct heap_node *n = heap_first(&s->ready);
  return n ? (int64_t)n->key : SCHED_NEVER;
}

uint32_t sched_take(struct schedule *s, struct sched_head *h) {
  BUG_IF(h->taking || h->in_hands >= h->window,
         "%.*s is taken from: taking %d, %u in hands, window %u", SLICE_ARG(h->name), h->taking,
         h->in_hands, h->window);
  h->taking = true;
  h->due =
      SCHED_NEVER; /* the take reports what it read; it may have missed what is added meanwhile */
  settle(s, h);
  return h->window - h->in_hands;
}

void sched_taken(struct schedule *s, struct sched_head *h, uint32_t letters,
                 struct sched_cursor cursor, int64_t next_due) {
  BUG_IF(!h->taking, "%.*s was not taken from: %u in hands, window %u, %u more", SLICE_ARG(h->name),
         h->in_hands, h->window, letters);
  h->taking = false;
  h->in_hands += letters;
  if (h->rewinds)
    h->cursor = (struct sched_cursor){ 0, 0 };
  else if (h->in_hands) /* everything it read may have been in hands */
    h->cursor = cursor;
  h->rewinds = false;
  if (next_due < h->due) h->due = next_due;
  settle(s, h);
}

static void grow(struct schedule *s, struct sched_head *h) {
  if (h->window < s->window_most) h->window++;
}

void sched_rewind(struct schedule *s, struct sched_head *h) {
  if (h->taking)
    h->rewinds = true;
  else
    h->cursor = (struct sched_cursor){ 0, 0 };
}

void sched_back(struct schedule *s, struct sched_head *h, enum sched_news news, int64_t until) {
  if (h->in_hands) h->in_hands--;
  switch (news) {
  case SCHED_DELIVERED:
  case SCHED_REFUSED: /* it responds again */
    h->dead_until = 0;
    grow(s, h);
    break;
  case SCHED_DEFERRED:
    h->window = h->window / 2 > SCHED_WINDOW_LEAST ? h->window / 2 : SCHED_WINDOW_LEAST;
    break;
  case SCHED_UNREACHABLE:
    h->window = SCHED_WINDOW_LEAST;
    if (until > h->dead_until) h->dead_until = until;
    break;
  case SCHED_LOST: break;
  }
  settle(s, h);
}

void sched_revive(struct schedule *s, struct sched_head *h) {
  h->dead_until = 0;
  settle(s, h);
}

uint32_t sched_delay(uint32_t last, uint32_t first, uint32_t most, uint32_t chance) {
  uint64_t delay = (uint64_t)last * 17 / 10;
  if (delay < first) delay = first;
  if (delay > most) delay = most;
  uint64_t fifth = delay / 5;
  delay = delay - fifth + (fifth ? chance % (2 * fifth + 1) : 0);
  return (uint32_t)(delay ? delay : 1);
}
