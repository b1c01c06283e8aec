/* SPDX-License-Identifier: ISC */
/* Why a recipient waits: exactly one named reason for each.
 *
 * What the database does not have (which rows a sender has, which destinations are dead or full) is
 * copied from the owner's memory when a command begins, for the reader that answers it: the reasons
 * are those of that moment. */
#ifndef QASID_STORE_JOBS_QUEUE_VIEW_H
#define QASID_STORE_JOBS_QUEUE_VIEW_H

#include "lib/base/arena.h"
#include "lib/base/slice.h"

enum queue_reason {
#define R(name, word, meaning, told) QUEUE_REASON_##name,
#include "src/store/jobs/queue_reasons.def"
#undef R
  QUEUE_REASONS
};
const char *queue_reason_word(enum queue_reason r);
/* The text for the sender of a delayed message. */
const char *queue_reason_text(enum queue_reason r);
/* True if the reason is that a sender has the row. */
bool queue_reason_in_hands(enum queue_reason r);
/* QUEUE_REASONS if the word is not a reason's name. */
enum queue_reason queue_reason_named(struct slice word);

struct view_row {
  uint64_t row;
  int64_t since_s;
  uint8_t where; /* enum send_place */
  uint64_t session;
};
struct view_head {
  struct slice name;
  int64_t dead_until; /* 0: not dead */
  bool full;          /* the maximum is in hands */
};
struct queue_view {
  struct view_row *rows; /* in a sender's hands, by row */
  size_t row_count;
  struct view_head *heads; /* only dead or full ones, by name */
  size_t head_count;
  bool sender, room; /* there is a sender; it has room for more */
  struct arena memory;
};
/* To be called once rows and heads are complete, before the first look-up. */
void queue_view_sort(struct queue_view *v);
void queue_view_free(struct queue_view **v);

/* The row's own state. by_limits: held because its account exceeded a limit, not by the
 * administrator. to_fail: the administrator failed it (QUEUE_TO_FAIL). */
struct queue_held {
  bool held, by_limits, to_fail;
};
struct queue_why {
  enum queue_reason reason;
  bool in_hands;            /* a sender has it, whatever the reason */
  int64_t since_s, until_s; /* 0: unknown, or none */
  uint64_t session;         /* QUEUE_REASON_SESSION: its number */
};
struct queue_why queue_view_why(const struct queue_view *v, uint64_t row, struct slice destination,
                                const struct queue_held *held, int64_t due, int64_t now_s);

#endif
