/* SPDX-License-Identifier: ISC */
/* What was collected: a row for each message of each collection, so that none is collected twice.
 *
 * A UIDL alone does not identify a message (RFC 1939 §7): a row has the size that the other server
 * lists and a digest of the octets received. A message is known, and not fetched, if UIDL and size
 * are those of a row; it is the same as that row's only if it has been fetched again and has the
 * same digest.
 *
 *   (none) --collected_job--> remembered --listed no longer--> missing --COLLECTED_KEEP_S--> (none)
 *                                 ^                               |
 *                                 +--------- listed again --------+
 *
 * A row outlives its UIDL on the other server for a while: a listing that was wrongly empty for a
 * day must not cause everything to be collected again. A message that is listed again is fetched
 * again, and compared with the digest. A row is removed at once when the other server has confirmed
 * that it deleted the message. Rows of an earlier version of this table have neither size nor
 * digest: they show that a UIDL is known, and never that a message is the same. */
#ifndef QASID_STORE_JOBS_COLLECTED_H
#define QASID_STORE_JOBS_COLLECTED_H

#include "ipc/collector_store.h"
#include "src/store/jobs/deliver.h"

enum {
  COLLECTED_KEEP_S = 30 * 24 * 3600,
  TIDIED_MAX = 1000,    /* rows changed at one run's end; the next run does the others */
  FORGOTTEN_MAX = 1000, /* rows deleted in one slice when a collection is removed */
  /* rows of one UIDL: more than a listing may have (POP3_CLIENT_TWINS); the oldest are dropped
   * first */
  UIDL_ROWS_MAX = 1024,
  SIZES_MAX = 8, /* sizes remembered for one message */
  /* a message that came short is fetched in this many runs; then once in SHORT_REST_S */
  SHORT_TRIES = 8,
  SHORT_REST_S = 24 * 3600
};

struct seen_job {
  struct store_job job;
  uint64_t account, source;
  struct slice uidls; /* a list */
  struct slice sizes; /* ipc/collector_store.h */
  /* results */
  struct buf dates; /* u64 each in network order; 0: new */
  struct buf ids;   /* u64 each in memory order: the rows of those that are not new */
};

struct collected_job {
  struct deliver_job d;
  uint64_t source;
  struct slice uidl; /* at the other server; not the one that our POP3 shows */
  uint64_t size, octets;
  uint8_t digest[32];
  uint32_t copy;
  uint64_t row; /* result */
};

/* After a listing: `ids` are the rows whose UIDLs were in it, including this run's messages, in
 * order. */
struct listed_job {
  struct store_job job;
  uint64_t account, source;
  uint64_t *ids;
  size_t count;
};

/* Deleted at the other server. */
struct deleted_job {
  struct store_job job;
  uint64_t account, source;
  struct slice rows; /* u64 each in network order */
};

/* A collection was deleted. */
struct forget_job {
  struct store_job job;
  uint64_t account, source;
};

#endif
