/* SPDX-License-Identifier: ISC */
/* The queue of logins that wait for a hash (queue.h): a ring of networks for each class, a list of
 * logins for each network. Invariant: a network is in the ring of one class exactly while logins of
 * it wait; a login is in one queue at most, so it can be taken out of the middle at any time. */
#include "src/auth/queue.h"

#include "src/auth/core.h"

static void ring_push(struct auth_queue *q, struct auth_address *a) {
  a->ring_next = NULL;
  if (q->rings[a->class].last)
    q->rings[a->class].last->ring_next = a;
  else
    q->rings[a->class].first = a;
  q->rings[a->class].last = a;
}

static struct auth_address *ring_pop(struct auth_queue *q, unsigned class) {
  struct auth_address *a = q->rings[class].first;
  q->rings[class].first = a->ring_next;
  if (!a->ring_next) q->rings[class].last = NULL;
  return a;
}

static void ring_remove(struct auth_queue *q, struct auth_address *a) {
  struct auth_address *before = NULL, *at = q->rings[a->class].first;
  for (; at != a; at = at->ring_next) before = at;
  *(before ? &before->ring_next : &q->rings[a->class].first) = a->ring_next;
  if (!a->ring_next) q->rings[a->class].last = before;
}

static void line_push(struct auth_address *a, struct login *l) {
  l->line_next = NULL;
  l->line_before = a->last;
  *(a->last ? &a->last->line_next : &a->first) = l;
  a->last = l;
}

static void line_remove(struct auth_address *a, struct login *l) {
  *(l->line_before ? &l->line_before->line_next : &a->first) = l->line_next;
  *(l->line_next ? &l->line_next->line_before : &a->last) = l->line_before;
  l->line_next = l->line_before = NULL;
}

void queue_remove(struct auth_queue *q, struct login *l) {
  line_remove(l->address, l);
  if (!l->address->first) ring_remove(q, l->address);
  q->count--;
}

/* The last one in of the network that joined the worst class last; NULL when none is worse than
 * `class`. */
static struct login *worst(const struct auth_queue *q, uint8_t class) {
  for (unsigned c = ADDRESS_CLASSES; c-- > (unsigned)class + 1;)
    if (q->rings[c].last) return q->rings[c].last->last;
  return NULL;
}

struct login *queue_put(struct auth_queue *q, struct login *l, uint64_t now_ms) {
  struct login *out = NULL;
  struct auth_address *a = l->address;
  if (!a->first) a->class = address_class(a, now_ms);
  if (q->count >= AUTH_WAITING) {
    out = worst(q, a->class);
    if (!out) return l;
    queue_remove(q, out);
  }
  if (!a->first) ring_push(q, a);
  line_push(a, l);
  q->count++;
  return out;
}

struct login *queue_take(struct auth_queue *q) {
  if (!q->count) return NULL;
  bool backwards = ++q->turn % 4 == 0;
  unsigned c = backwards ? ADDRESS_CLASSES - 1 : 0;
  while (!q->rings[c].first) c += backwards ? -1u : 1u;
  struct auth_address *a = ring_pop(q, c);
  struct login *l = a->first;
  line_remove(a, l);
  if (a->first) ring_push(q, a);
  q->count--;
  return l;
}
