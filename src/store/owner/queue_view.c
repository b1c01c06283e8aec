/* SPDX-License-Identifier: ISC */
/* Copies the owner's state of the queue, for a reader that determines reasons
 * (jobs/queue_view.h). */
#include "src/store/jobs/queue_view.h"

#include <stdlib.h>

#include "src/store/owner/owner.h"

enum { VIEW_MEMORY = 64 * 1024 * 1024 };

static bool copy_rows(struct queue_view *v, const struct outbound *o) {
  size_t n = outbound_rows(o, NULL, 0);
  v->rows = malloc((n + 1) * sizeof *v->rows);
  if (!v->rows) return false;
  v->row_count = outbound_rows(o, v->rows, n);
  return true;
}

static bool is_noted(const struct sched_head *h, int64_t now_s) {
  return h->dead_until > now_s || h->in_hands >= h->window;
}

static bool copy_heads(struct queue_view *v, const struct outbound *o) {
  size_t n = 0;
  struct sched_walk w = { 0 };
  const struct sched_head *h;
  while ((h = sched_next(&o->schedule, &w)) != NULL) n += is_noted(h, o->now_s);
  v->heads = malloc((n + 1) * sizeof *v->heads);
  if (!v->heads) return false;
  w = (struct sched_walk){ 0 };
  while ((h = sched_next(&o->schedule, &w)) != NULL) {
    if (!is_noted(h, o->now_s)) continue;
    struct slice name = arena_copy(&v->memory, h->name);
    if (!name.p) return false;
    v->heads[v->head_count++] =
        (struct view_head){ name, h->dead_until > o->now_s ? h->dead_until : 0,
                            h->in_hands >= h->window };
  }
  return true;
}

struct queue_view *queue_view_new(const struct store *s) {
  struct queue_view *v = calloc(1, sizeof *v);
  if (!v) return NULL;
  arena_init(&v->memory, VIEW_MEMORY);
  v->sender = s->outbound.sender != 0;
  v->room = s->outbound.credit > 0;
  if (!copy_rows(v, &s->outbound) || !copy_heads(v, &s->outbound))
    queue_view_free(&v);
  else
    queue_view_sort(v);
  return v;
}
