/* Answers that wait for their time: a binary heap by due time. */
#ifndef QASID_AUTH_HOLD_H
#define QASID_AUTH_HOLD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct login;

/* In each login: its place in the heap, counted from 1; 0: not there. */
struct hold_slot {
  size_t at;
  uint64_t due_ms;
};

struct hold {
  struct login **heap;
  size_t count, cap;
};

void hold_free(struct hold *h);
/* False without memory. */
bool hold_put(struct hold *h, struct login *l, uint64_t due_ms);
void hold_remove(struct hold *h, struct login *l);
/* The one due first, or NULL. */
struct login *hold_first(const struct hold *h);

#endif
