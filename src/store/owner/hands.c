/* SPDX-License-Identifier: ISC */
/* The set of queue rows that a take must leave out (hands.h): rows in hands by their letter's tag,
 * and recently freed rows, in two generations, by the number of the last take begun by then.
 * Invariant: a row that was freed is not given to a take that may have read it before it was freed;
 * if memory runs out for that record, all takes begun so far are discarded. */
#include "src/store/owner/hands.h"

void hands_init(struct hands *h) {
  *h = (struct hands){ 0 };
  map_init(&h->by_row);
  map_init(&h->ended[0]);
  map_init(&h->ended[1]);
}

void hands_done(struct hands *h) {
  map_free(&h->by_row);
  map_free(&h->ended[0]);
  map_free(&h->ended[1]);
}

bool hands_take(struct hands *h, const struct taken_letter *l, uint64_t tag) {
  bool fine = true;
  for (size_t i = 0; fine && i < l->count; i++) fine = map_put(&h->by_row, l->rcpts[i].row, tag);
  return fine;
}

static void note_end(struct hands *h, uint64_t row) {
  if (!h->out[0] && !h->out[1]) return;
  if (!map_put(&h->ended[h->generation], row, h->begun)) h->doubted = h->begun;
}

void hands_free(struct hands *h, const struct taken_letter *l, uint64_t tag) {
  for (size_t i = 0; i < l->count; i++) {
    uint64_t row = l->rcpts[i].row, owner;
    if (!map_get(&h->by_row, row, &owner) || owner != tag) continue;
    map_remove(&h->by_row, row);
    note_end(h, row);
  }
}

bool hands_has(const struct hands *h, uint64_t row) { return map_get(&h->by_row, row, NULL); }

void hands_take_begins(struct hands *h, struct take_job *t) {
  t->number = ++h->begun;
  t->generation = (uint8_t)h->generation;
  h->out[h->generation]++;
}

static bool had_ended(const struct hands *h, const struct take_job *t, uint64_t row) {
  uint64_t last;
  for (int i = 0; i < 2; i++)
    if (map_get(&h->ended[i], row, &last) && t->number <= last) return true;
  return false;
}

bool hands_leave_out(const struct hands *h, const struct take_job *t, struct taken_letter *l) {
  size_t kept = 0;
  for (size_t i = 0; i < l->count; i++) {
    uint64_t row = l->rcpts[i].row;
    if (!hands_has(h, row) && !had_ended(h, t, row)) l->rcpts[kept++] = l->rcpts[i];
  }
  l->count = kept;
  return kept > 0;
}

bool hands_doubts(const struct hands *h, const struct take_job *t) {
  return t->number <= h->doubted;
}

static void forget(struct map *m) {
  if (!m->count) return;
  map_free(m);
  map_init(m);
}

void hands_take_ends(struct hands *h, const struct take_job *t) {
  unsigned other = !h->generation;
  h->out[t->generation]--;
  if (h->out[other]) return;
  forget(&h->ended[other]);
  if (!h->out[h->generation]) forget(&h->ended[h->generation]);
  h->generation = other;
}
