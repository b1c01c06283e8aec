/* SPDX-License-Identifier: ISC */
/* Answers the collector's questions: which UIDLs are new; store this message. Also accepts auth's
 * grant, without which the collector may ask nothing: it determines the inbox and the collection
 * (ipc/collector_store.h). */
#include <stdlib.h>

#include "ipc/auth_store.h"
#include "ipc/collector_store.h"
#include "mail/uidl.h"
#include "src/store/jobs/collected.h"
#include "src/store/owner/finish.h"
#include "src/store/owner/owner.h"

static const struct incoming_road road = { .chunk = KIND_COLLECT_SPOOL,
                                           .message = KIND_COLLECT,
                                           .size = sizeof(struct collected_job),
                                           .limited = true,
                                           .history = true };

/* --- auth: this run delivers to that account --- */

bool collect_grant(struct store *s, const struct auth_grant *q) {
  struct peer *collector = peer_get(s, ROLE_COLLECTOR, q->front);
  struct session *session = collector ? session_get(collector, q->session) : NULL;
  if (!session || session->account || session->pending) return false;
  session->account = q->account;
  session->source = q->source;
  buf_init(&session->listed, 8 * (size_t)COLLECT_LIST_MAX);
  s->shell.set_state(s->shell.arg, ROLE_COLLECTOR, q->front, q->session, COLLECT_GRANTED);
  return true;
}

bool collect_ungrant(struct store *s, const struct auth_revoke *q) {
  struct peer *collector = NULL;
  for (struct peer *p = s->peers; p; p = p->next)
    if (p->kind == ROLE_COLLECTOR && p->number == q->front) collector = p;
  if (!collector) return false;
  struct session *session = session_find(collector, q->session);
  if (session) {
    s->shell.set_state(s->shell.arg, ROLE_COLLECTOR, q->front, q->session, COLLECT_STRANGER);
    session_end(s, session);
  }
  return true;
}

bool collect_forget(struct store *s, const struct ipc_msg *m, int64_t now_s) {
  struct auth_uncollect q;
  if (!auth_uncollect_get(m->payload, &q)) return false;
  struct forget_job *j = job_new(KIND_FORGET, sizeof *j, NULL, now_s);
  if (!j) return true; /* the rows stay; their collection's number is never reused */
  j->account = q.account;
  j->source = q.source;
  s->jobs_out++;
  s->shell.enqueue(s->shell.arg, &j->job, true);
  return true;
}

static enum collect_outcome outcome_of(enum job_result r) {
  switch (r) {
  case JOB_DONE: return COLLECT_DONE;
  case JOB_NO_SPACE: return COLLECT_NO_SPACE;
  case JOB_TOO_BIG: return COLLECT_TOO_BIG;
  case JOB_MISSING: return COLLECT_GONE;
  default: return COLLECT_TROUBLE;
  }
}

/* --- which are new? --- */

static void answer_dates(struct store *s, struct session *session, enum collect_outcome outcome,
                         struct slice dates) {
  collect_dates_put(&s->out, &(struct collect_dates){ outcome, dates });
  store_send(s, session, collect_dates_type);
}

static bool check_uidls(struct slice list, size_t *ret_count) {
  struct slice uidl;
  size_t n = 0;
  while (ipc_list_next(&list, &uidl)) {
    if (!uidl_is_valid(uidl)) return false;
    n++;
  }
  *ret_count = n;
  return n && n <= COLLECT_ASK_MAX && !list.n;
}

static bool ask(struct store *s, struct session *session, const struct ipc_msg *m, int64_t now_s) {
  struct collect_ask q;
  size_t count;
  if (!collect_ask_get(m->payload, &q) || !check_uidls(q.uidls, &count) || q.sizes.n != 12 * count)
    return false;
  struct seen_job *j = job_new(KIND_SEEN, sizeof *j + q.uidls.n + q.sizes.n, session, now_s);
  if (!j) {
    answer_dates(s, session, COLLECT_TROUBLE, SLICE_NONE);
    return true;
  }
  memcpy(j + 1, q.uidls.p, q.uidls.n);
  memcpy((uint8_t *)(j + 1) + q.uidls.n, q.sizes.p, q.sizes.n);
  j->uidls = slice_of(j + 1, q.uidls.n);
  j->sizes = slice_of((uint8_t *)(j + 1) + q.uidls.n, q.sizes.n);
  j->account = session->account;
  j->source = session->source;
  session_ask(s, session, &j->job);
  return true;
}

void seen_finish(struct store *s, struct store_job *j) {
  struct seen_job *seen = (struct seen_job *)j;
  struct session *session = session_answered(s, j);
  if (!session) return;
  bool fine = j->result == JOB_DONE;
  if (fine) buf_put(&session->listed, buf_slice(&seen->ids));
  answer_dates(s, session, outcome_of(j->result), fine ? buf_slice(&seen->dates) : SLICE_NONE);
}

/* --- a message --- */

static void answer_spooled(struct store *s, struct session *session) {
  enum collect_outcome outcome = outcome_of(session->in.spoiled);
  collect_spooled_put(&s->out, &(struct collect_spooled){ .outcome = outcome });
  store_send(s, session, collect_spooled_type);
}

static bool spool(struct store *s, struct session *session, const struct ipc_msg *m,
                  int64_t now_s) {
  struct collect_spool q;
  if (!collect_spool_get(m->payload, &q) || !q.chunk.n) return false;
  struct spool_job *j;
  if (incoming_chunk(s, &road, session, q.chunk, now_s, &j) == JOB_DONE)
    session_ask(s, session, &j->job);
  else
    answer_spooled(s, session);
  return true;
}

void collect_spool_finish(struct store *s, struct store_job *j) {
  incoming_chunk_done(s, &j->session->in, j);
  struct session *session = session_answered(s, j);
  if (session) answer_spooled(s, session);
}

static void answer_committed(struct store *s, struct session *session, enum collect_outcome outcome,
                             uint64_t row) {
  collect_committed_put(&s->out, &(struct collect_committed){ .outcome = outcome, .row = row });
  store_send(s, session, collect_committed_type);
}

/* The message's own header fields are unchanged: no Return-Path: is prepended, the other server's
 * final delivery has done so (RFC 5321 §4.4). */
static enum collect_outcome new_delivery(struct store *s, struct session *session,
                                         const struct collect_commit *q, int64_t now_s,
                                         struct collected_job **ret) {
  struct deliver_job *d = NULL;
  struct deliver_parts parts = {
    .name = q->end.id, .fields = q->end.head, .tail = q->end.tail, .surrogate = q->end.surrogate
  };
  enum job_result r = incoming_end(s, &road, session, &parts, now_s, &d);
  if (r != JOB_DONE) return outcome_of(r);
  struct collected_job *j = *ret = (struct collected_job *)d;
  j->uidl = arena_copy(&d->kept, q->uidl);
  j->source = session->source;
  j->size = q->size;
  j->octets = q->octets;
  j->copy = q->copy;
  memcpy(j->digest, q->digest.p, sizeof j->digest);
  return j->uidl.p ? COLLECT_DONE : COLLECT_TROUBLE;
}

/* The account's inbox, as the message's place. */
static enum collect_outcome find_place(struct store *s, struct session *session,
                                       struct deliver_job *d) {
  struct dir_account a;
  enum dir_result found = dir_account(&s->dir, session->account, &a);
  if (found != DIR_FOUND) return found == DIR_UNKNOWN ? COLLECT_GONE : COLLECT_TROUBLE;
  switch (store_room(s, &a, d->size)) {
  case ROOM_UNKNOWN: return COLLECT_TROUBLE;
  case ROOM_NEVER: return COLLECT_TOO_BIG;
  case ROOM_FULL: notice_mailbox_full(s, a.id, d->job.now_s); return COLLECT_FULL;
  default: break;
  }
  bool fine = deliver_into(d, a.id, a.inbox) && deliver_coming(s, d);
  return fine ? COLLECT_DONE : COLLECT_TROUBLE;
}

static enum collect_outcome begin_commit(struct store *s, struct session *session,
                                         const struct collect_commit *q, int64_t now_s) {
  struct collected_job *j = NULL;
  enum collect_outcome outcome = new_delivery(s, session, q, now_s, &j);
  if (outcome == COLLECT_DONE) outcome = find_place(s, session, &j->d);
  if (outcome == COLLECT_DONE)
    incoming_deliver(s, session, &j->d);
  else
    job_free(j);
  return outcome;
}

static bool commit(struct store *s, struct session *session, const struct ipc_msg *m,
                   int64_t now_s) {
  struct collect_commit q;
  if (!collect_commit_get(m->payload, &q) || !uidl_is_valid(q.uidl)) return false;
  if (q.digest.n != sizeof((struct collected_job *)0)->digest || !q.copy) return false;
  enum collect_outcome outcome = begin_commit(s, session, &q, now_s);
  if (outcome != COLLECT_DONE) {
    incoming_drop(s, &session->in);
    answer_committed(s, session, outcome, 0);
  }
  return true;
}

void collect_finish(struct store *s, struct store_job *j) {
  struct deliver_job *d = (struct deliver_job *)j;
  deliver_count(s, d);
  if (j->result == JOB_DONE && d->uidl_found == UIDL_NEW) history_delivered(s, d, d->arrival);
  struct session *session = session_answered(s, j);
  if (!session) return;
  bool there = j->result == JOB_DONE && d->uidl_found == UIDL_THERE;
  uint64_t row = ((struct collected_job *)j)->row;
  if (j->result == JOB_DONE) buf_put(&session->listed, slice_of(&row, sizeof row));
  answer_committed(s, session, there ? COLLECT_THERE : outcome_of(j->result),
                   j->result == JOB_DONE ? row : 0);
}

/* --- what was deleted there --- */

static void answer_forgotten(struct store *s, struct session *session,
                             enum collect_outcome outcome) {
  collect_forgotten_put(&s->out, &(struct collect_forgotten){ .outcome = outcome });
  store_send(s, session, collect_forgotten_type);
}

static bool deleted(struct store *s, struct session *session, const struct ipc_msg *m,
                    int64_t now_s) {
  struct collect_deleted q;
  if (!collect_deleted_get(m->payload, &q) || !q.rows.n || q.rows.n % 8) return false;
  struct deleted_job *j = job_new(KIND_DELETED, sizeof *j + q.rows.n, session, now_s);
  if (!j) {
    answer_forgotten(s, session, COLLECT_TROUBLE);
    return true;
  }
  memcpy(j + 1, q.rows.p, q.rows.n);
  j->rows = slice_of(j + 1, q.rows.n);
  j->account = session->account;
  j->source = session->source;
  session_ask(s, session, &j->job);
  return true;
}

void deleted_finish(struct store *s, struct store_job *j) {
  struct session *session = session_answered(s, j);
  if (session) answer_forgotten(s, session, outcome_of(j->result));
}

/* --- the end of a listing --- */

static int by_number(const void *a, const void *b) {
  uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
  return x < y ? -1 : x > y;
}

static struct listed_job *new_listed_job(struct session *session, int64_t now_s) {
  size_t count = buf_len(&session->listed) / 8;
  struct listed_job *j =
      session->listed.failed ? NULL : job_new(KIND_LISTED, sizeof *j + 8 * count, session, now_s);
  if (!j) return NULL;
  j->ids = (uint64_t *)(j + 1);
  j->count = count;
  if (count) memcpy(j->ids, buf_slice(&session->listed).p, 8 * count);
  qsort(j->ids, count, sizeof *j->ids, by_number);
  j->account = session->account;
  j->source = session->source;
  return j;
}

static void answer_tidied(struct store *s, struct session *session, enum collect_outcome outcome) {
  buf_free(&session->listed);
  collect_tidied_put(&s->out, &(struct collect_tidied){ .outcome = outcome });
  store_send(s, session, collect_tidied_type);
}

static bool listed(struct store *s, struct session *session, const struct ipc_msg *m,
                   int64_t now_s) {
  struct collect_listed q;
  if (!collect_listed_get(m->payload, &q)) return false;
  struct listed_job *j = new_listed_job(session, now_s);
  if (j)
    session_ask(s, session, &j->job);
  else
    answer_tidied(s, session, COLLECT_TROUBLE);
  return true;
}

void listed_finish(struct store *s, struct store_job *j) {
  struct session *session = session_answered(s, j);
  if (session) answer_tidied(s, session, outcome_of(j->result));
}

/* --- the pair --- */

static bool end(struct store *s, struct peer *p, const struct ipc_msg *m) {
  struct collect_end q;
  if (!collect_end_get(m->payload, &q)) return false;
  struct session *session = session_find(p, m->tag);
  if (session) session_end(s, session);
  return true;
}

static bool drop(struct store *s, struct session *session, const struct ipc_msg *m) {
  struct collect_discard q;
  if (!collect_discard_get(m->payload, &q)) return false;
  incoming_drop(s, &session->in);
  return true;
}

bool collect_message(struct store *s, struct peer *p, const struct ipc_msg *m, int64_t now_s) {
  if (m->type == collect_end_type) return end(s, p, m);
  struct session *session = session_find(p, m->tag);
  if (!session || session->pending || !session->source) return false;
  switch (m->type) {
  case collect_ask_type: return ask(s, session, m, now_s);
  case collect_spool_type: return spool(s, session, m, now_s);
  case collect_commit_type: return commit(s, session, m, now_s);
  case collect_discard_type: return drop(s, session, m);
  case collect_deleted_type: return deleted(s, session, m, now_s);
  case collect_listed_type: return listed(s, session, m, now_s);
  default: return false;
  }
}

/* A slice that was rolled back is not retried endlessly. */
void forget_finish(struct store *s, struct store_job *j) {
  (void)s;
  if (j->result != JOB_DONE) j->again = false;
}
