/* SPDX-License-Identifier: ISC */
/* Which recipients of a commit already have the message: had.h. */
#include "src/store/owner/had.h"

#include "ipc/smtpd_store.h"
#include "mail/address.h"

uint64_t had_key(struct slice plain) {
  struct buf wire;
  buf_init(&wire, 2 * ENVELOPE_PATH_MAX);
  address_put_quoted(&wire, plain);
  uint64_t key = partly_key(buf_slice(&wire));
  buf_free(&wire);
  return key;
}

bool had_has(const struct store *s, const struct deliver_job *d, uint64_t who) {
  return d->print.n && partly_has(d->once ? &s->dropped : &s->partly, d->print, who);
}

void had_forget(struct store *s, const struct deliver_job *d, struct slice rcpts) {
  struct envelope_rcpt r;
  if (!d->print.n || d->once) return;
  for (size_t i = 0; i < s->found.count; i++)
    partly_forget(&s->partly, d->print, s->found.accounts[i]);
  for (size_t i = 0; i < s->found.elsewhere_count; i++)
    partly_forget(&s->partly, d->print, had_key(s->found.elsewhere[i].target));
  while (envelope_rcpt_next(&rcpts, &r)) partly_forget(&s->partly, d->print, had_key(r.address));
}

/* The number of recipients settled by this job: the places, the remote ones, and those reported. */
static size_t settled(const struct deliver_job *d) {
  return d->count + d->elsewhere_count + d->told_count;
}

/* The key of one of them, as in partly.h. */
static uint64_t recipient_key(const struct deliver_job *d, size_t i) {
  if (i < d->count) return d->places[i].account;
  i -= d->count;
  return i < d->elsewhere_count ? partly_key(d->elsewhere[i].address)
                                : d->told[i - d->elsewhere_count];
}

bool had_set_who(struct deliver_job *d) {
  size_t all = settled(d);
  d->who_count = all;
  d->who = arena_alloc(&d->kept, all * sizeof *d->who);
  for (size_t i = 0; d->who && i < all; i++) d->who[i] = recipient_key(d, i);
  return d->who != NULL;
}

void had_remember(struct store *s, const struct deliver_job *d) {
  if (d->job.result != JOB_DONE || (d->outcome == COMMIT_DONE && !d->once)) return;
  struct partly *to = d->once ? &s->dropped : &s->partly;
  for (size_t i = 0; i < settled(d); i++) partly_keep(to, d->print, recipient_key(d, i));
}
