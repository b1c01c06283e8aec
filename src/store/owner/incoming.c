/* SPDX-License-Identifier: ISC */
/* The common path of messages into the store (incoming.h): spooling, the size limit, the job of a
 * complete message, and discarding. */
#include "src/store/owner/incoming.h"

#include <stdlib.h>

#include "src/store/owner/owner.h"
#include "src/store/sql/bodies.h"

enum { SIZE_SLACK = 64 * 1024 };

uint64_t incoming_most(const struct store *s) { return s->conf->message_size_limit + SIZE_SLACK; }

static enum job_result spoil(struct incoming *in, enum job_result why) {
  if (in->spoiled == JOB_DONE) in->spoiled = why;
  return in->spoiled;
}

/* Its first octets identify the message. */
static void note_arrival(struct incoming *in, struct slice octets) {
  free(in->arrival);
  in->arrival = history_arrival_of(octets);
}

static struct spool_job *new_spool_job(struct store *s, enum job_kind kind, struct session *session,
                                       struct slice chunk, int64_t now_s) {
  struct spool_job *j = job_new(kind, sizeof *j + chunk.n, session, now_s);
  if (!j) return NULL;
  memcpy(j + 1, chunk.p, chunk.n);
  j->chunk = slice_of(j + 1, chunk.n);
  j->job.free_least = s->conf->store_free_space;
  if (!session->in.spool.number) session->in.spool.number = ++s->spools;
  j->spool = &session->in.spool;
  return j;
}

enum job_result incoming_chunk(struct store *s, const struct incoming_road *road,
                               struct session *session, struct slice chunk, int64_t now_s,
                               struct spool_job **ret) {
  struct incoming *in = &session->in;
  if (in->spoiled != JOB_DONE) return in->spoiled;
  if (road->limited && in->octets + chunk.n > incoming_most(s)) return spoil(in, JOB_TOO_BIG);
  if (road->history && !in->spool.number) note_arrival(in, chunk);
  *ret = new_spool_job(s, road->chunk, session, chunk, now_s);
  if (!*ret) return spoil(in, JOB_TROUBLE);
  in->octets += chunk.n;
  return JOB_DONE;
}

enum job_result incoming_chunk_done(struct store *s, struct incoming *in,
                                    const struct store_job *j) {
  if (j->low_space) s->low_space_s = j->now_s;
  return spoil(in, j->result);
}

enum job_result incoming_end(struct store *s, const struct incoming_road *road,
                             struct session *session, struct deliver_parts *parts, int64_t now_s,
                             struct deliver_job **ret) {
  struct incoming *in = &session->in;
  if (in->spoiled != JOB_DONE) return in->spoiled;
  if (road->limited && in->octets + parts->tail.n > incoming_most(s)) return JOB_TOO_BIG;
  if (road->history && !in->spool.number) note_arrival(in, parts->tail);
  parts->spool = &in->spool;
  *ret = deliver_new(road->message, road->size, session, parts, now_s);
  return *ret ? JOB_DONE : JOB_TROUBLE;
}

void incoming_deliver(struct store *s, struct session *session, struct deliver_job *d) {
  d->job.free_least = s->conf->store_free_space;
  d->arrival = session->in.arrival;
  if (d->arrival) history_arrival_head(d->arrival, d->head);
  session->in = (struct incoming){ .octets = 0 };
  session_ask(s, session, &d->job);
}

static void drop_spool(struct store *s, struct spool *spool) {
  if (!spool->made) return;
  struct unspool_job *j = job_new(KIND_UNSPOOL, sizeof *j, NULL, 0);
  if (!j) { /* no memory for a job to remove it */
    spool_drop(s->disk, spool);
    return;
  }
  j->spool = *spool;
  s->jobs_out++;
  s->shell.enqueue(s->shell.arg, &j->job, false);
}

void incoming_drop(struct store *s, struct incoming *in) {
  drop_spool(s, &in->spool);
  free(in->arrival);
  *in = (struct incoming){ .octets = 0 };
}
