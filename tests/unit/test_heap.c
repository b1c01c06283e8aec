/* SPDX-License-Identifier: ISC */
/* The heap against a sorted list: nodes are put, moved and removed in random order. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>

#include "lib/base/heap.h"

enum { NODES = 300, STEPS = 20000 };

static struct heap_node nodes[NODES];

static uint64_t smallest(void) {
  uint64_t least = UINT64_MAX;
  for (int i = 0; i < NODES; i++)
    if (nodes[i].at && nodes[i].key < least) least = nodes[i].key;
  return least;
}

static void step(struct heap *h) {
  struct heap_node *n = &nodes[rand() % NODES];
  if (rand() % 3)
    assert_true(heap_put(h, n, (uint64_t)(rand() % 500)));
  else
    heap_remove(h, n);
  const struct heap_node *first = heap_first(h);
  if (first)
    assert_int_equal(first->key, smallest());
  else
    assert_int_equal(smallest(), UINT64_MAX);
}

static void the_smallest_is_first(void **state) {
  struct heap h = { 0 };
  srand(1);
  assert_null(heap_first(&h));
  for (int i = 0; i < STEPS; i++) step(&h);
  for (uint64_t last = 0; heap_first(&h);) {
    struct heap_node *n = heap_first(&h);
    assert_true(n->key >= last);
    last = n->key;
    heap_remove(&h, n);
    assert_int_equal(n->at, 0);
    heap_remove(&h, n); /* it is in no heap: nothing happens */
  }
  heap_free(&h);
}

static void reserved_memory_is_enough(void **state) {
  struct heap h = { 0 };
  assert_true(heap_reserve(&h, NODES));
  struct heap_node **memory = h.nodes;
  for (int i = 0; i < NODES; i++) assert_true(heap_put(&h, &nodes[i], (uint64_t)i));
  assert_ptr_equal(h.nodes, memory);
  heap_free(&h);
}

int main(void) {
  const struct CMUnitTest tests[] = {
    cmocka_unit_test(the_smallest_is_first),
    cmocka_unit_test(reserved_memory_is_enough),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
