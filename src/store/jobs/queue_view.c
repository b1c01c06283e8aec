/* SPDX-License-Identifier: ISC */
/* Finds the one reason why a row waits, in a copy of the owner's state. Invariants: rows and heads
 * are sorted, since a reader looks them up by binary search; the copy never changes once made, so a
 * reader needs no lock. */
#include "src/store/jobs/queue_view.h"

#include <stdlib.h>

#include "ipc/sender_store.h"

const char *queue_reason_word(enum queue_reason r) {
  static const char *const words[QUEUE_REASONS] = {
#define R(name, word, meaning, told) [QUEUE_REASON_##name] = word,
#include "src/store/jobs/queue_reasons.def"
#undef R
  };
  return words[r];
}

const char *queue_reason_text(enum queue_reason r) {
  static const char *const texts[QUEUE_REASONS] = {
#define R(name, word, meaning, told) [QUEUE_REASON_##name] = told,
#include "src/store/jobs/queue_reasons.def"
#undef R
  };
  return texts[r];
}

bool queue_reason_in_hands(enum queue_reason r) {
  return r == QUEUE_REASON_SENDING || r == QUEUE_REASON_DNS || r == QUEUE_REASON_CONNECTING ||
         r == QUEUE_REASON_SESSION;
}

enum queue_reason queue_reason_named(struct slice word) {
  int r = 0;
  while (r < QUEUE_REASONS && !slice_eq(word, slice_str(queue_reason_word((enum queue_reason)r))))
    r++;
  return (enum queue_reason)r;
}

/* --- life --- */

static int by_row(const void *a, const void *b) {
  uint64_t x = ((const struct view_row *)a)->row, y = ((const struct view_row *)b)->row;
  return x < y ? -1 : x > y;
}

static int compare_names(struct slice a, struct slice b) {
  int c = memcmp(a.p, b.p, a.n < b.n ? a.n : b.n);
  return c ? c : a.n < b.n ? -1 : a.n > b.n;
}

static int by_name(const void *a, const void *b) {
  return compare_names(((const struct view_head *)a)->name, ((const struct view_head *)b)->name);
}

void queue_view_sort(struct queue_view *v) {
  qsort(v->rows, v->row_count, sizeof *v->rows, by_row);
  qsort(v->heads, v->head_count, sizeof *v->heads, by_name);
}

void queue_view_free(struct queue_view **v) {
  if (!*v) return;
  free((*v)->rows);
  free((*v)->heads);
  arena_reset(&(*v)->memory);
  free(*v);
  *v = NULL;
}

/* --- looking up --- */

static const struct view_head *find_head(const struct queue_view *v, struct slice name) {
  struct view_head key = { .name = name };
  return v->head_count ? bsearch(&key, v->heads, v->head_count, sizeof key, by_name) : NULL;
}

static struct queue_why why_in_hands(const struct view_row *r) {
  static const enum queue_reason reasons[SEND_WHERES] = { [SEND_HANDED_OVER] = QUEUE_REASON_SENDING,
                                                          [SEND_WAITS_FOR_DNS] = QUEUE_REASON_DNS,
                                                          [SEND_WAITS_FOR_CONNECTION] =
                                                              QUEUE_REASON_CONNECTING,
                                                          [SEND_IN_SESSION] = QUEUE_REASON_SESSION,
                                                          [SEND_AT_END_OF_DATA] =
                                                              QUEUE_REASON_SESSION };
  return (struct queue_why){
    .reason = reasons[r->where], .in_hands = true, .since_s = r->since_s, .session = r->session
  };
}

struct queue_why queue_view_why(const struct queue_view *v, uint64_t row, struct slice destination,
                                const struct queue_held *held, int64_t due, int64_t now_s) {
  struct view_row key = { .row = row };
  const struct view_row *hands =
      v->row_count ? bsearch(&key, v->rows, v->row_count, sizeof key, by_row) : NULL;
  const struct view_head *head = find_head(v, destination);
  if (held->to_fail)
    return (struct queue_why){ .reason = QUEUE_REASON_TO_FAIL, .in_hands = hands != NULL };
  if (hands) return why_in_hands(hands);
  if (held->held)
    return (struct queue_why){ .reason =
                                   held->by_limits ? QUEUE_REASON_LIMITS : QUEUE_REASON_HELD };
  if (head && head->dead_until > due && head->dead_until > now_s)
    return (struct queue_why){ .reason = QUEUE_REASON_DEAD, .until_s = head->dead_until };
  if (due > now_s) return (struct queue_why){ .reason = QUEUE_REASON_BACK_OFF, .until_s = due };
  if (!v->sender) return (struct queue_why){ .reason = QUEUE_REASON_NO_SENDER };
  if (head && head->full) return (struct queue_why){ .reason = QUEUE_REASON_LIMIT };
  return (struct queue_why){ .reason = v->room ? QUEUE_REASON_DUE : QUEUE_REASON_NO_ROOM };
}
