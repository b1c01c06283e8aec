/* SPDX-License-Identifier: ISC */
/* A binary heap of nodes by key: the smallest is first. A node is embedded in its owner's struct,
 * which must stay in place while the node is in the heap. */
#ifndef QASID_BASE_HEAP_H
#define QASID_BASE_HEAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct heap_node {
  size_t at; /* its index, from 1; 0: not in a heap */
  uint64_t key;
};

/* The owner of a node: a `type` that has it as `member`. */
#define HEAP_OWNER(node, type, member) ((type *)(void *)((char *)(node)-offsetof(type, member)))

struct heap {
  struct heap_node **nodes;
  size_t count, cap;
};

void heap_free(struct heap *h);
/* Memory for `count` nodes, so that heap_put() cannot fail below that. False without memory. */
bool heap_reserve(struct heap *h, size_t count);
/* Inserts the node, or moves it to its new key. False without memory: nothing has changed. */
bool heap_put(struct heap *h, struct heap_node *n, uint64_t key);
/* Nothing happens if it is not in the heap. */
void heap_remove(struct heap *h, struct heap_node *n);
/* The one with the smallest key, or NULL. */
struct heap_node *heap_first(const struct heap *h);

#endif
