/* SPDX-License-Identifier: ISC */
/* Delayed answers as a binary heap of logins by due time. Invariant: a login's slot has its place
 * in the array, from 1, or 0 when it is not in the heap; so it can be removed from the middle. */
#include "src/auth/delay.h"

#include "src/auth/core.h"

#include <stdlib.h>

void delay_free(struct delay *h) {
  free(h->heap);
  *h = (struct delay){ 0 };
}

static void place(struct delay *h, size_t at, struct login *l) {
  h->heap[at - 1] = l;
  l->delay.at = at;
}

static bool earlier(const struct login *a, const struct login *b) {
  return a->delay.due_ms < b->delay.due_ms;
}

static void sift_up(struct delay *h, struct login *l) {
  size_t at = l->delay.at;
  for (; at > 1 && earlier(l, h->heap[at / 2 - 1]); at /= 2) place(h, at, h->heap[at / 2 - 1]);
  place(h, at, l);
}

static void sift_down(struct delay *h, struct login *l) {
  size_t at = l->delay.at;
  for (;;) {
    size_t child = at * 2;
    if (child > h->count) break;
    if (child < h->count && earlier(h->heap[child], h->heap[child - 1])) child++;
    if (!earlier(h->heap[child - 1], l)) break;
    place(h, at, h->heap[child - 1]);
    at = child;
  }
  place(h, at, l);
}

static bool grow(struct delay *h) {
  if (h->count < h->cap) return true;
  size_t cap = h->cap ? h->cap * 2 : 64;
  struct login **heap = realloc(h->heap, cap * sizeof(struct login *));
  if (!heap) return false;
  h->heap = heap;
  h->cap = cap;
  return true;
}

bool delay_put(struct delay *h, struct login *l, uint64_t due_ms) {
  if (!grow(h)) return false;
  l->delay.due_ms = due_ms;
  place(h, ++h->count, l);
  sift_up(h, l);
  return true;
}

void delay_remove(struct delay *h, struct login *l) {
  if (!l->delay.at) return;
  struct login *last = h->heap[h->count - 1];
  size_t at = l->delay.at;
  h->count--;
  l->delay.at = 0;
  if (last == l) return;
  place(h, at, last);
  sift_up(h, last);
  sift_down(h, last);
}

struct login *delay_first(const struct delay *h) {
  return h->count ? h->heap[0] : NULL;
}
