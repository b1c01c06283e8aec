/* SPDX-License-Identifier: ISC */
/* Stories of mail that leaves: letters for elsewhere, an outside that is written by the seed, and
 * deaths of the disk, of processes and of all, at any operation. After each death the ledger
 * (post.h) is held against the queue and the mailboxes; at the end of some stories all is well, and
 * then everything that waits has to come to its end. */
#ifndef QASID_WORLD_OUTSIDE_VOYAGE_H
#define QASID_WORLD_OUTSIDE_VOYAGE_H

#include "tests/world/disk_sim.h"
#include "tests/world/outside/post.h"

struct voyage_tally {
  unsigned long long stories, deaths, in_recovery, kills, ended;
  unsigned long long letters, accepted, delivered, again, failed, delayed, both, steered;
  unsigned long long connections, cuts, refused, deferred, lies;
};

/* The disk that all stories begin with. NULL with a sentence in `err`. */
struct disk_sim *voyage_begin(struct buf *err);
/* Plays a story of so many lives. False with a line in `err` when an invariant broke. */
bool voyage_story(const struct disk_sim *start, uint64_t seed, unsigned lives, bool verbose,
                  struct voyage_tally *tally, struct buf *err);

#endif
