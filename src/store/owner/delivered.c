/* SPDX-License-Identifier: ISC */
/* The outcomes for local recipients, for the report to the message's sender: the list in a delivery
 * job. Invariant: the report is part of the message's transaction, so neither exists without the
 * other. */
#include <stdlib.h>

#include "lib/base/array.h"
#include "mail/address.h"
#include "src/store/owner/report.h"

static struct slice copy(struct deliver_job *d, struct slice s) {
  return s.n ? arena_copy(&d->kept, s) : SLICE_NONE;
}

static bool add(struct deliver_job *d, const struct envelope_rcpt *rcpt, struct report_rcpt r) {
  struct buf wire;
  struct deliver_dsn *x = d->dsn ? d->dsn : (d->dsn = calloc(1, sizeof *d->dsn));
  if (!x || !array_reserve(&x->rcpts, &x->cap, x->count + 1, sizeof *x->rcpts)) return false;
  buf_init(&wire, 2 * ENVELOPE_PATH_MAX);
  address_put_quoted(&wire, rcpt->address);
  r.tried_s = d->job.now_s;
  r.address = copy(d, buf_slice(&wire));
  r.orcpt = copy(d, rcpt->orcpt);
  buf_free(&wire);
  if (!r.address.p || d->kept.failed) return false;
  x->rcpts[x->count++] = r;
  return true;
}

bool delivered_add(struct deliver_job *d, const struct envelope_rcpt *r) {
  return add(d, r, (struct report_rcpt){ .action = REPORT_DELIVERED, .enhanced = { 2, 1, 5 } });
}

/* We do not retry, so a mailbox that is full only at the moment has failed permanently, too:
 * 5.2.2. */
bool failed_add(struct deliver_job *d, const struct envelope_rcpt *r, enum rcpt_verdict verdict,
                bool others) {
  struct buf text;
  buf_init(&text, 200);
  buf_put_str(&text, smtp_outcome_row(smtp_of_verdict(verdict))->text);
  if (others) buf_put_str(&text, "; others behind this address have the message");
  struct report_rcpt x = { .action = REPORT_FAILED,
                           .enhanced = { 5, 2, 2 },
                           .text = copy(d, buf_slice(&text)) };
  buf_free(&text);
  return x.text.p && add(d, r, x);
}
