/* SPDX-License-Identifier: ISC */
/* A message being received, as it grows in the spool, and the jobs that write and remove it: chunks
 * are appended by KIND_SPOOL and similar jobs, KIND_UNSPOOL removes what is no longer wanted. */
#ifndef QASID_STORE_JOBS_SPOOL_H
#define QASID_STORE_JOBS_SPOOL_H

#include "mail/measure.h"
#include "src/store/jobs/job.h"

struct spool {
  uint64_t number;
  bool made;                   /* the file exists */
  uint64_t size;               /* octets so far */
  uint32_t sum;                /* of them, CRC-32C */
  struct mail_measure measure; /* of them */
};

/* What a message still lacks after its last octets, `tail` being those that were not spooled: the
 * end of its last line, and the empty line after its header. Completed in this way, every message
 * is stored exactly as RETR sends it (mail/pop3/stuff.h), and its size is that of its octets.
 * Points to a constant. */
struct slice body_lacks(const struct spool *s, struct slice tail);

struct spool_job {
  struct store_job job;
  struct spool *spool; /* the session's */
  struct slice chunk;
  /* chunks that came while another was written, in order: part of this job, and owned */
  struct spool_job *behind;
};

struct unspool_job {
  struct store_job job;
  struct spool spool;
};

#endif
