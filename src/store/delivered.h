/* SPDX-License-Identifier: ISC */
/* Recipients here whose sender requested a report of delivery (NOTIFY=SUCCESS, RFC 3461 §4.1). The
 * report is written in the message's own transaction. If some mailbox had no room, the client sends
 * the message again, and it is reported then. */
#ifndef QASID_STORE_DELIVERED_H
#define QASID_STORE_DELIVERED_H

#include "src/store/report.h"

struct deliver_dsn {
  struct report_post post;
  struct report_rcpt *rcpts; /* owned; texts in the job's `kept` */
  size_t count;
};

/* Adds a recipient. `plain`: as front-ends write it. False without memory. */
bool delivered_add(struct deliver_job *d, struct slice plain, struct slice orcpt);
/* For deliver.c, when the message is written. */
enum db_result delivered_write(struct store_engine *e, struct deliver_job *d);
void delivered_free(struct deliver_job *d);

#endif
