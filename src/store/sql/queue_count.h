/* SPDX-License-Identifier: ISC */
/* How many recipients and messages the queue has, by kind: so that `status` scans no queue.
 *
 *   letter.waiting, held, limited, failing   the letter's recipients of each kind
 *   queue_count                              the sums of all letters, by kind and account
 *
 * Invariant: both change in the transaction that changes the recipients; `check` compares them. */
#ifndef QASID_STORE_QUEUE_COUNT_H
#define QASID_STORE_QUEUE_COUNT_H

#include "src/store/sql/queue.h"

enum queue_kind {
  QUEUE_KIND_WAITING, /* counted for account 0, whoever submitted it */
  QUEUE_KIND_HELD,    /* by the administrator */
  QUEUE_KIND_LIMITED, /* for its account's limits */
  QUEUE_KIND_FAILING, /* to be failed: QUEUE_TO_FAIL */
  QUEUE_KINDS
};
enum queue_kind queue_kind_of(int64_t state, int64_t held_by, int64_t expires);

/* Recipients of one letter to be added or subtracted. */
struct queue_tally {
  int64_t n[QUEUE_KINDS];
};
/* A new letter, whose row contains the tally. */
enum db_result queue_count_new(struct store_engine *e, uint64_t account,
                               const struct queue_tally *t);
/* To be called before queue_end_letter(). */
enum db_result queue_count_change(struct store_engine *e, uint64_t body,
                                  const struct queue_tally *t);

#endif
