/* SPDX-License-Identifier: ISC */
/* What is remembered about other servers' TLS (tls_failures.h): in the owner's memory, and in a
 * table that is written as a whole, since it is small and rarely changes. Invariant: an address and
 * port occurs once. */
#include "lib/base/array.h"
#include "src/store/owner/tls_failures.h"

#include <stdlib.h>

#include "src/store/owner/finish.h"
#include "src/store/owner/owner.h"
#include "src/store/sql/tls_failures.h"

/* --- memory --- */

static struct tls_failure *find(struct tls_failures *t, struct slice address, uint16_t port) {
  for (size_t i = 0; i < t->count; i++) {
    struct tls_failure *f = &t->rows[i];
    if (f->port == port && slice_eq(slice_of(f->address, f->n), address)) return f;
  }
  return NULL;
}

static struct tls_failure *first_to_end(struct tls_failures *t) {
  struct tls_failure *first = t->rows;
  for (size_t i = 1; i < t->count; i++)
    if (t->rows[i].until_s < first->until_s) first = &t->rows[i];
  return first;
}

/* A place for one more; NULL without memory. */
static struct tls_failure *place_for(struct tls_failures *t) {
  if (t->count == SEND_NO_TLS_MAX) return first_to_end(t);
  if (!array_reserve(&t->rows, &t->cap, t->count + 1, sizeof *t->rows)) return NULL;
  return &t->rows[t->count++];
}

static bool keep(struct tls_failures *t, const struct send_no_tls *q, int64_t until_s) {
  struct tls_failure *f = find(t, q->address, q->port);
  if (!f) f = place_for(t);
  if (!f) return false;
  *f = (struct tls_failure){ .n = (uint8_t)q->address.n,
                             .port = q->port,
                             .until_s = until_s,
                             .destination_n = (uint16_t)q->destination.n,
                             .why_n = (uint16_t)q->why.n };
  memcpy(f->address, q->address.p, q->address.n);
  if (q->destination.n) memcpy(f->destination, q->destination.p, q->destination.n);
  if (q->why.n) memcpy(f->why, q->why.p, q->why.n);
  return true;
}

static void forget_old(struct tls_failures *t, int64_t now_s) {
  size_t kept = 0;
  for (size_t i = 0; i < t->count; i++)
    if (t->rows[i].until_s > now_s) t->rows[kept++] = t->rows[i];
  t->count = kept;
}

/* --- the table --- */

static void write_all(struct store *s, int64_t now_s);

void tls_failures_finish(struct store *s, struct store_job *j) {
  s->tls_failures.out = false;
  if (s->tls_failures.changed && !s->stopping) write_all(s, j->now_s);
}

static void write_all(struct store *s, int64_t now_s) {
  struct tls_failures *t = &s->tls_failures;
  t->changed = true;
  if (t->out) return;
  struct tls_failures_job *j =
      job_new(KIND_TLS_FAILURES, sizeof *j + t->count * sizeof *j->rows, NULL, now_s);
  if (!j) return; /* with the next */
  j->count = t->count;
  memcpy(j->rows, t->rows, t->count * sizeof *j->rows);
  t->changed = false;
  t->out = true;
  s->jobs_out++;
  s->shell.enqueue(s->shell.arg, &j->job, true);
}

void tls_failures_free(struct tls_failures *t) {
  free(t->rows);
  *t = (struct tls_failures){ 0 };
}

static void keep_loaded(void *arg, const struct send_no_tls *row, int64_t until_s) {
  keep(arg, row, until_s);
}

enum db_result tls_failures_load(struct store *s, struct db *db) {
  return tls_failures_each(db, keep_loaded, &s->tls_failures);
}

/* --- the senders --- */

bool tls_failures_take(struct store *s, const struct ipc_msg *m, int64_t now_s) {
  struct send_no_tls q;
  if (m->tag || !send_no_tls_get(m->payload, &q) || (q.address.n != 4 && q.address.n != 16) ||
      q.seconds > SEND_NO_TLS_S)
    return false;
  forget_old(&s->tls_failures, now_s);
  if (keep(&s->tls_failures, &q, now_s + q.seconds)) write_all(s, now_s);
  return true;
}

void tls_failures_send(struct store *s, const struct peer *p, int64_t now_s) {
  forget_old(&s->tls_failures, now_s);
  for (size_t i = 0; i < s->tls_failures.count; i++) {
    const struct tls_failure *f = &s->tls_failures.rows[i];
    int64_t left = f->until_s - now_s; /* the clock may have been set back */
    send_known_no_tls_put(&s->out, &(struct send_known_no_tls){
                                       slice_of(f->address, f->n), f->port,
                                       slice_of(f->destination, f->destination_n),
                                       slice_of(f->why, f->why_n),
                                       (uint32_t)(left < SEND_NO_TLS_S ? left : SEND_NO_TLS_S) });
    store_send_to(s, p, send_known_no_tls_type, 0, -1);
  }
}
