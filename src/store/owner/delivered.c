/* SPDX-License-Identifier: ISC */
/* Reports of successful delivery to mailboxes here: the list of such recipients that a delivery job
 * carries, and the report written from it. Invariant: the report is part of the message's
 * transaction, so neither exists without the other. */
#include <stdlib.h>

#include "lib/base/array.h"
#include "mail/address.h"
#include "src/store/owner/report.h"

static bool make_room(struct deliver_dsn *x) {
  return array_reserve(&x->rcpts, &x->cap, x->count + 1, sizeof *x->rcpts);
}

bool delivered_add(struct deliver_job *d, struct slice plain, struct slice orcpt) {
  struct buf wire;
  if (!d->dsn) d->dsn = calloc(1, sizeof *d->dsn);
  if (!d->dsn || !make_room(d->dsn)) return false;
  buf_init(&wire, 2 * ENVELOPE_PATH_MAX);
  address_put_quoted(&wire, plain);
  struct report_rcpt r = { .action = REPORT_DELIVERED,
                           .enhanced = { 2, 1, 5 },
                           .tried_s = d->job.now_s };
  r.address = arena_copy(&d->kept, buf_slice(&wire));
  r.orcpt = orcpt.n ? arena_copy(&d->kept, orcpt) : SLICE_NONE;
  buf_free(&wire);
  if (!r.address.p || (orcpt.n && !r.orcpt.p)) return false;
  d->dsn->rcpts[d->dsn->count++] = r;
  return true;
}
