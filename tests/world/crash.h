/* SPDX-License-Identifier: ISC */
/* The long run: random clients, and a disk that dies under them again and again.
 *
 * One story is one seed: a store with four mailboxes that lives several lives. In each life clients
 * come and go, something goes wrong (power, a process, a sync, room on the disk), at any operation
 * of the disk, also in start-up and recovery; then everything is opened again on what is left, and
 * the ledger is compared with each mailbox. */
#ifndef QASID_WORLD_CRASH_H
#define QASID_WORLD_CRASH_H

#include "tests/world/clients.h"

struct crash_tally {
  unsigned long long stories, deaths, in_recovery, reopened, full;
  unsigned long long letters, accepted, refused, fetched, deleted, undeleted, moved;
};

/* The disk that all stories begin with: the accounts are made once. NULL with a sentence in `err`.
 */
struct disk_sim *crash_begin(struct buf *err);
/* Plays a story of so many lives. False with a line in `err` when an invariant broke: life and
 * operation. */
bool crash_story(const struct disk_sim *start, uint64_t seed, unsigned lives, bool verbose,
                 struct crash_tally *tally, struct buf *err);

#endif
