/* SPDX-License-Identifier: ISC */
/* A maildrop as POP3 sees it: the snapshot at its opening, octets of its messages, the deletions at
 * QUIT. KIND_OPEN, KIND_READ, KIND_QUIT. */
#ifndef QASID_STORE_JOBS_MAILDROP_H
#define QASID_STORE_JOBS_MAILDROP_H

#include "ipc/pop3d_store.h"
#include "lib/base/arena.h"
#include "lib/base/buf.h"
#include "src/store/jobs/job.h"

struct open_job {
  struct store_job job;
  uint64_t folder;
  /* results */
  uint32_t count, uidvalidity, uid_end; /* every uid of the snapshot is below uid_end */
  uint64_t octets;
  struct buf rows; /* as in pop_listing */
};

/* A message that is a file: its descriptor (-1: none), its head, and the offset in the file where
 * its octets begin. */
struct read_file {
  int fd;
  uint32_t uid;
  struct slice head; /* in the job's `heads` */
  uint64_t start, size;
  bool summed; /* its CRC-32C is known */
  uint32_t sum;
};

struct read_job {
  struct store_job job;
  uint64_t folder;
  uint32_t uid;
  uint64_t offset;
  uint32_t most;
  uint32_t ahead[POP_AHEAD_MAX]; /* uids, ascending: wanted too, if they are files */
  size_t ahead_count;
  bool octets_only; /* never the file itself */
  /* results */
  struct read_file file; /* fd not -1: instead of `data` */
  struct buf data;
  struct arena heads;
  struct read_file next[POP_AHEAD_MAX];
  size_t next_count;
};

struct quit_job {
  struct store_job job;
  uint64_t account, folder;
  uint32_t *uids; /* owned */
  size_t count;
  bool keep; /* keep them, so that they can be restored */
  /* results */
  uint32_t deleted;
  uint64_t octets;
};

#endif
