/* SPDX-License-Identifier: ISC */
/* An address of another server whose TLS failed, and the job that stores all of them:
 * KIND_TLS_FAILURES. */
#ifndef QASID_STORE_JOBS_TLS_FAILURES_H
#define QASID_STORE_JOBS_TLS_FAILURES_H

#include "ipc/sender_store.h"
#include "src/store/jobs/job.h"

struct tls_failure {
  uint8_t address[16], n; /* n: 4 or 16 */
  uint16_t port;
  int64_t until_s;
  uint16_t destination_n, why_n;
  uint8_t destination[SEND_DESTINATION_MAX], why[SEND_NO_TLS_WHY_MAX];
};

struct tls_failures_job {
  struct store_job job;
  size_t count;
  struct tls_failure rows[];
};

#endif
