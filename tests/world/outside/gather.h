/* SPDX-License-Identifier: ISC */
/* Stories of mail that is collected: maildrops elsewhere whose servers do what the seed says
 * (drops.h), the collector as it is linked, and deaths of the disk, of processes and of all, at any
 * operation. After each death the ledger is held against the mailboxes; at the end of some stories
 * all servers are well, and then nothing may be left behind. */
#ifndef QASID_WORLD_OUTSIDE_GATHER_H
#define QASID_WORLD_OUTSIDE_GATHER_H

#include "lib/base/buf.h"
#include "tests/world/disk_sim.h"

struct gather_tally {
  unsigned long long stories, ended, deaths, in_recovery, kills;
  unsigned long long mails, came, deles, deleted, again, connections, cuts, short_ones, lies;
};

/* The disk that all stories begin with. NULL with a sentence in `err`. */
struct disk_sim *gather_begin(struct buf *err);
/* Plays a story of so many lives. False with a line in `err` when an invariant broke. */
bool gather_story(const struct disk_sim *start, uint64_t seed, unsigned lives, bool verbose,
                  struct gather_tally *tally, struct buf *err);

#endif
