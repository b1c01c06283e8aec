/* SPDX-License-Identifier: ISC */
/* A disk that remembers only what it was told to remember: `struct disk` in memory.
 *
 * Each file has two images: what a reader sees now, and what is durable. A write changes the first
 * and waits in the file's list; a sync moves the list into the second. Names are kept likewise:
 * create, rename, remove and make_dir wait in one list until sync_dir of their folder, or sync_all.
 *
 * What a power loss leaves (disk_sim_power_loss), modelled on a journalling file system at its
 * worst:
 *  - of each file's waiting writes any subset, in units of 512 octets (a sector is whole, a write
 * is not), so writes come torn and out of order; of two waiting writes to one sector the older, the
 *    newer or neither;
 *  - the size of a file that was growing is that of what survived, or any that it had on the way,
 *    with zeros where nothing survived; a waiting truncate happened or did not;
 *  - of the waiting name operations a prefix, in order, as one journal has it; or, when no rename
 *    went from one folder to another, a prefix for each folder on its own;
 *  - syncing a file does not make its name durable. (ext4 does that; POSIX does not promise it.)
 *
 * When a sync fails with EIO the kernel's semantics hold: some of the file's waiting writes reached
 * the disk, all of them count as clean, the next sync says yes, and readers may see the lost octets
 * until the cache lets go of them, at the latest when the file is next opened anew. (Through the
 * descriptor that failed nothing more goes, as lib/disk/disk.h says; through others it does.)
 *
 * Operations that change something (and syncs) are counted; the plan names the one at which the
 * disk dies or fails. From its death on every call fails with -EIO and changes nothing, until
 * disk_sim_power_loss() or disk_sim_restart(). One thread only. */
#ifndef QASID_WORLD_DISK_SIM_H
#define QASID_WORLD_DISK_SIM_H

#include "lib/disk/disk.h"

struct disk_sim;

/* Counted from 1 at the moment the plan is given; 0: never. */
struct disk_plan {
  uint64_t die_at;        /* the operation in the middle of which the disk dies */
  uint64_t fail_sync_at;  /* the sync (of any kind) that answers EIO */
  uint64_t fail_write_at; /* the write that answers EIO */
  uint64_t full_at;       /* the operation from which nothing may grow, until disk_sim_space() */
};

struct disk_sim *disk_sim_new(uint64_t seed);
void disk_sim_free(struct disk_sim **s);
/* Another disk with the same files, all of it durable. No file may be open. */
struct disk_sim *disk_sim_clone(const struct disk_sim *s, uint64_t seed);
struct disk *disk_sim_disk(struct disk_sim *s);

void disk_sim_plan(struct disk_sim *s, const struct disk_plan *plan);
/* The disk holds `octets` in all. UINT64_MAX at first. Also ends what full_at began. */
void disk_sim_space(struct disk_sim *s, uint64_t octets);
/* Octets of all files now. */
uint64_t disk_sim_used(const struct disk_sim *s);

bool disk_sim_dead(const struct disk_sim *s);
/* Operations since the plan was given, and those of them that were syncs. */
uint64_t disk_sim_ops(const struct disk_sim *s);
uint64_t disk_sim_syncs(const struct disk_sim *s);
/* Files that are open: 0 once everything above was closed. */
size_t disk_sim_handles(const struct disk_sim *s);

/* From now on it is dead as at the planned operation: whoever still has files open can but close
 * them. */
void disk_sim_halt(struct disk_sim *s);
/* Takes disk_sim_halt() back; nothing was lost. */
void disk_sim_wake(struct disk_sim *s);
/* The power went: see above for what is left. No file may be open. */
void disk_sim_power_loss(struct disk_sim *s);
/* Only the process died: the kernel still has all writes, none of them is durable yet. */
void disk_sim_restart(struct disk_sim *s);

/* Damage for tests: turns over one bit of the durable and the visible octet. False: no such octet.
 */
bool disk_sim_flip(struct disk_sim *s, const char *name, uint64_t at);
/* Calls fn with one line for each operation, when fn is not NULL. */
void disk_sim_trace(struct disk_sim *s, void (*fn)(void *arg, const char *line), void *arg);

#endif
