/* SPDX-License-Identifier: ISC */
/* The table of addresses whose TLS failed. */
#ifndef QASID_STORE_SQL_TLS_FAILURES_H
#define QASID_STORE_SQL_TLS_FAILURES_H

#include "src/store/jobs/tls_failures.h"

typedef void tls_failure_fn(void *arg, const struct send_no_tls *row, int64_t until_s);
enum db_result tls_failures_each(struct db *db, tls_failure_fn *fn, void *arg);

#endif
