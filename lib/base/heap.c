/* SPDX-License-Identifier: ISC */
/* A binary heap in an array. Invariants: nodes[i] has at == i + 1; no node has a smaller key than
 * its parent, nodes[at / 2 - 1]. So a node can be moved and removed wherever it is. */
#include "lib/base/array.h"
#include "lib/base/heap.h"

#include <stdlib.h>

void heap_free(struct heap *h) {
  free(h->nodes);
  *h = (struct heap){ 0 };
}

bool heap_reserve(struct heap *h, size_t count) {
  return array_reserve(&h->nodes, &h->cap, count, sizeof(struct heap_node *));
}

static void place(struct heap *h, size_t at, struct heap_node *n) {
  h->nodes[at - 1] = n;
  n->at = at;
}

static void sift_up(struct heap *h, struct heap_node *n) {
  size_t at = n->at;
  for (; at > 1 && n->key < h->nodes[at / 2 - 1]->key; at /= 2) place(h, at, h->nodes[at / 2 - 1]);
  place(h, at, n);
}

static void sift_down(struct heap *h, struct heap_node *n) {
  size_t at = n->at;
  for (;;) {
    size_t child = at * 2;
    if (child > h->count) break;
    if (child < h->count && h->nodes[child]->key < h->nodes[child - 1]->key) child++;
    if (h->nodes[child - 1]->key >= n->key) break;
    place(h, at, h->nodes[child - 1]);
    at = child;
  }
  place(h, at, n);
}

bool heap_put(struct heap *h, struct heap_node *n, uint64_t key) {
  if (!n->at) {
    if (!heap_reserve(h, h->count + 1)) return false;
    place(h, ++h->count, n);
  }
  n->key = key;
  sift_up(h, n);
  sift_down(h, n);
  return true;
}

void heap_remove(struct heap *h, struct heap_node *n) {
  if (!n->at) return;
  struct heap_node *last = h->nodes[h->count - 1];
  size_t at = n->at;
  h->count--;
  n->at = 0;
  if (last == n) return;
  place(h, at, last);
  sift_up(h, last);
  sift_down(h, last);
}

struct heap_node *heap_first(const struct heap *h) {
  return h->count ? h->nodes[0] : NULL;
}
