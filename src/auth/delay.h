/* SPDX-License-Identifier: ISC */
/* Answers that are delayed: a binary heap by due time. */
#ifndef QASID_AUTH_DELAY_H
#define QASID_AUTH_DELAY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct login;

/* In each login: its place in the heap, counted from 1; 0: not there. */
struct delay_slot {
  size_t at;
  uint64_t due_ms;
};

struct delay {
  struct login **heap;
  size_t count, cap;
};

void delay_free(struct delay *h);
/* False without memory. */
bool delay_put(struct delay *h, struct login *l, uint64_t due_ms);
void delay_remove(struct delay *h, struct login *l);
/* The one due first, or NULL. */
struct login *delay_first(const struct delay *h);

#endif
