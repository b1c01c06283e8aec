/* SPDX-License-Identifier: ISC */
/* Tells the sender of a message that recipients are still waiting: KIND_WARN. */
#ifndef QASID_STORE_JOBS_WARN_H
#define QASID_STORE_JOBS_WARN_H

#include "src/store/jobs/report.h"

struct warn_job {
  struct store_job job;
  struct arena memory;
  struct taken_letter letter;
  const char **whys; /* for each recipient: why it waits */
  struct report_post report;
};

#endif
