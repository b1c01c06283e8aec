/* SPDX-License-Identifier: ISC */
/* Connections that wait: for a deadline, or for their turn.
 *
 * One timer serves all deadlines: it is set to the first in a heap. When a deadline is postponed,
 * the heap is updated only when the old one comes.
 *
 * Invariants:
 *   1. A connection that is not being processed is in the heap, no later than at its deadline; if
 *      its node comes up before the deadline it is put back.
 *   2. Memory for the heap is reserved with the connection, so that waiting cannot fail.
 *   3. A connection that yields continues in the loop's next turn, after those that yielded
 *      before. */
#include "runtime/front/private.h"

/* --- deadlines --- */

static void set_timer(struct front *f) {
  const struct heap_node *first = heap_first(&f->due);
  uint64_t at = first ? first->key : UINT64_MAX;
  if (at == f->timer_at) return;
  f->timer_at = at;
  if (first)
    loop_timer_set(f->timer, at);
  else
    loop_timer_cancel(f->timer);
}

bool conn_wait_reserve(struct front *f) { return heap_reserve(&f->due, f->count + 1); }

void conn_wait(struct conn *c) {
  uint64_t at = conn_deadline(c);
  if (c->due.at && at >= c->due.key) return;
  heap_put(&c->front->due, &c->due, at);
  set_timer(c->front);
}

static void on_timer(void *arg) {
  struct front *f = arg;
  struct heap_node *first;
  uint64_t now = loop_now(f->process->loop);
  f->timer_at = UINT64_MAX;
  for (size_t most = f->due.count; most-- && (first = heap_first(&f->due)) && first->key <= now;) {
    struct conn *c = HEAP_OWNER(first, struct conn, due);
    heap_put(&f->due, first, UINT64_MAX); /* until it reports its next deadline */
    conn_tick(c);
  }
  set_timer(f);
}

/* --- turns --- */

void conn_pause(struct conn *c) {
  struct front *f = c->front;
  if (c->paused) return;
  c->paused = true;
  c->paused_before = f->paused_last;
  c->paused_after = NULL;
  *(f->paused_last ? &f->paused_last->paused_after : &f->paused_first) = c;
  f->paused_last = c;
  loop_timer_set(f->turn, 0);
}

static void unpause(struct conn *c) {
  struct front *f = c->front;
  if (!c->paused) return;
  c->paused = false;
  *(c->paused_before ? &c->paused_before->paused_after : &f->paused_first) = c->paused_after;
  *(c->paused_after ? &c->paused_after->paused_before : &f->paused_last) = c->paused_before;
}

static void on_turn(void *arg) {
  struct front *f = arg;
  const struct conn *last = f->paused_last;
  for (struct conn *c; (c = f->paused_first);) {
    bool was_last = c == last;
    unpause(c);
    conn_go(c);
    if (was_last) return;
  }
}

/* --- both --- */

void conn_wait_no_more(struct conn *c) {
  unpause(c);
  heap_remove(&c->front->due, &c->due);
  set_timer(c->front);
}

bool front_waiting_init(struct front *f) {
  f->timer = loop_timer_new(f->process->loop, on_timer, f);
  f->turn = loop_timer_new(f->process->loop, on_turn, f);
  f->timer_at = UINT64_MAX;
  return f->timer && f->turn;
}
