/* SPDX-License-Identifier: ISC */
/* Which rows of the queue may not be taken: those in a sender's hands, and those that end here by
 * an outstanding job.
 *
 *   (free) --hands_take--> held by a letter's tag (0: it ends here) --hands_free--> (free)
 *
 * A take reads while other jobs run: a row that it read may have ended, and be deleted, before the
 * take comes back. So takes are numbered, and a freed row is recorded with the number of the last
 * take begun by then: that take and earlier ones do not get it. Two sets of such rows are kept, by
 * the generation of the takes; a set is dropped when no take of its generation or an earlier one is
 * outstanding, so both stay small. */
#ifndef QASID_STORE_OWNER_HANDS_H
#define QASID_STORE_OWNER_HANDS_H

#include "lib/base/map.h"
#include "src/store/jobs/queue.h"

struct hands {
  struct map by_row;   /* to the tag */
  struct map ended[2]; /* row to the number of a take */
  uint64_t out[2];     /* outstanding takes of that generation */
  unsigned generation; /* generation of takes that begin now: 0 or 1 */
  uint64_t begun;      /* the number of the last take */
  uint64_t doubted;    /* memory ran out for a row: takes up to this one are discarded */
};

void hands_init(struct hands *h);
void hands_done(struct hands *h);
/* False without memory; call hands_free() then. */
bool hands_take(struct hands *h, const struct taken_letter *l, uint64_t tag);
void hands_free(struct hands *h, const struct taken_letter *l, uint64_t tag);
bool hands_has(const struct hands *h, uint64_t row);

/* A take begins. */
void hands_take_begins(struct hands *h, struct take_job *t);
/* Checks what the take has read and ends it. Forbidden rows are left out; false: none is left. */
bool hands_leave_out(const struct hands *h, const struct take_job *t, struct taken_letter *l);
bool hands_doubts(const struct hands *h, const struct take_job *t);
void hands_take_ends(struct hands *h, const struct take_job *t);

#endif
