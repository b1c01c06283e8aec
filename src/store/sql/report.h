/* SPDX-License-Identifier: ISC */
/* Writes a report (jobs/report.h) inside the run of the job that ends or delays recipients. */
#ifndef QASID_STORE_SQL_REPORT_H
#define QASID_STORE_SQL_REPORT_H

#include "src/store/jobs/report.h"
#include "src/store/sql/engine.h"

enum db_result report_write(struct store_engine *e, struct report_post *p,
                            const struct report_about *about, const struct report_rcpt *rcpts,
                            size_t count, int64_t now_s);
void report_undo(struct store_engine *e, struct report_post *p);
void report_settle(struct store_engine *e, struct report_post *p);
/* The same for a message whose sender requested a report of its delivery; nothing if none did. */
enum db_result delivered_write(struct store_engine *e, struct deliver_job *d);

#endif
