/* SPDX-License-Identifier: ISC */
/* Answers smtpd's questions: whether these addresses are ours; store this message. */
#include <stdlib.h>

#include "ipc/smtpd_store.h"
#include "mail/address.h"
#include "mail/smtp/dsn.h"
#include "src/store/owner/brake.h"
#include "src/store/owner/finish.h"
#include "src/store/owner/had.h"
#include "src/store/owner/relay.h"
#include "src/store/owner/routes.h"
#include "src/store/owner/report.h"

enum {
  VERDICTS_MAX = 1024,
  /* smtpd's limit is on the message as the client sent it; what it is completed by comes on top. */
  SIZE_SLACK = 64 * 1024,
  KEPT_MAX = 4 * 1024 * 1024, /* addresses and the like of one message */
};

/* --- RCPT --- */

/* Whether `size` octets (0: not known) fit into at least one of the mailboxes: full ones do not
 * stop the delivery to the others (owner/partly.h). If they fit into none, they may later, or
 * never. A mailbox that has the message already, by another address, is no reason to refuse this
 * one. */
static enum rcpt_verdict room_in(struct store *s, const struct dir_found *f, uint64_t size,
                                 int64_t now_s) {
  struct dir_account a;
  bool ever = false;
  if (!s->conf->quota && !dir_has_quotas(&s->dir)) return RCPT_OURS;
  for (size_t i = 0; i < f->count; i++) {
    enum room room = dir_account(&s->dir, f->accounts[i], &a) == DIR_FOUND ? store_room(s, &a, size)
                                                                           : ROOM_UNKNOWN;
    if (room == ROOM_ENOUGH) return RCPT_OURS;
    if (room == ROOM_UNKNOWN) return RCPT_TROUBLE;
    ever |= room == ROOM_FULL;
  }
  for (size_t i = 0; i < f->count; i++) notice_mailbox_full(s, f->accounts[i], now_s);
  return !f->count ? RCPT_OURS : ever ? RCPT_FULL : RCPT_TOO_BIG;
}

static enum rcpt_verdict verdict_on(struct store *s, const struct relay_asked *asked,
                                    struct slice address, uint64_t size) {
  struct buf memory;
  struct slice to;
  buf_init(&memory, DIR_ADDRESS_MAX);
  dir_begin(&s->found);
  enum rcpt_verdict v = relay_find(s, asked, address, &to, &memory);
  buf_free(&memory);
  return v == RCPT_OURS && !s->found.elsewhere_count ? room_in(s, &s->found, size, asked->now_s)
                                                     : v;
}

/* A commit within this second uses this value; the next one reads it anew. */
static bool low_space(const struct store *s, int64_t now_s) {
  return s->low_space_s && now_s - s->low_space_s <= 1 && now_s >= s->low_space_s;
}

static const char *const refusals[RCPT_VERDICTS] = {
  [RCPT_UNKNOWN] = "550 5.1.1 no such address here",
  [RCPT_ELSEWHERE] = "550 5.7.1 not our domain, and the session may not send elsewhere",
  [RCPT_NOT_YOURS] = "553 5.7.1 the login may not use this sender address",
  [RCPT_FULL] = "452 4.2.2 the mailbox is full",
  [RCPT_TOO_BIG] = "552 5.2.2 larger than the whole quota",
  [RCPT_NO_SPACE] = "452 4.3.1 the disk is nearly full",
  [RCPT_TROUBLE] = "451 4.3.0 the address could not be looked up",
};

static bool rcpt(struct store *s, struct peer *p, const struct ipc_msg *m, int64_t now_s) {
  struct smtp_rcpt q;
  if (!smtp_rcpt_get(m->payload, &q)) return false;
  uint8_t verdicts[VERDICTS_MAX];
  size_t n = 0;
  struct slice rcpts = q.envelope.rcpts, path = q.envelope.return_path;
  struct envelope_rcpt r;
  const struct session *session = session_find(p, m->tag);
  const struct relay_asked asked = { session, q.trusted, path, now_s };
  bool yours = relay_sender_ok(s, session, path);
  while (envelope_rcpt_next(&rcpts, &r)) {
    if (n == VERDICTS_MAX) return false;
    enum rcpt_verdict v =
        yours ? verdict_on(s, &asked, r.address, q.envelope.size) : RCPT_NOT_YOURS;
    if ((v == RCPT_OURS || v == RCPT_LEAVES) && low_space(s, now_s)) v = RCPT_NO_SPACE;
    if (v == RCPT_NO_SPACE) notice_disk_full(s, now_s);
    if (v != RCPT_OURS && v != RCPT_LEAVES) history_refused(s, path, r.address, refusals[v], now_s);
    verdicts[n++] = v;
  }
  struct buf may;
  buf_init(&may, SMTP_YOURS_MAX);
  if (!yours) relay_put_yours(s, session, &may);
  smtp_verdicts_put(&s->out, &(struct smtp_verdicts){ .verdicts = slice_of(verdicts, n),
                                                      .yours = buf_slice(&may) });
  buf_free(&may);
  store_send_to(s, p, smtp_verdicts_type, m->tag, -1);
  return true;
}

/* --- spooling --- */

static void spoil(struct session *session, enum commit_outcome outcome) {
  if (outcome == COMMIT_DONE || session->spoiled) return;
  session->spoiled = true;
  session->spoiled_by = outcome;
}

/* A question about each chunk would be a job, and a wake-up of three threads, for each; so a
 * session may send some ahead, and they are written with the question's. What waits here is
 * bounded: by AHEAD_SESSIONS such sessions, of SMTP_AHEAD_MAX chunks and a commit each. */
enum { AHEAD_SESSIONS = 64 };

static uint8_t give_ahead(struct store *s, struct session *session) {
  if (!session->ahead && s->aheads < AHEAD_SESSIONS) {
    session->ahead = calloc(1, sizeof *session->ahead);
    s->aheads += session->ahead != NULL;
    if (session->ahead) buf_init(&session->ahead->commit, IPC_PAYLOAD_MAX);
  }
  if (!session->ahead) return 0;
  return session->ahead->left = SMTP_AHEAD_MAX;
}

static void drop_chunks(struct ahead *a) {
  struct store_job *j = a->chunks ? &a->chunks->job : NULL;
  job_free(&j);
  a->chunks = a->last = NULL;
}

void session_no_ahead(struct store *s, struct session *session) {
  if (!session->ahead) return;
  drop_chunks(session->ahead);
  buf_free(&session->ahead->commit);
  free(session->ahead);
  session->ahead = NULL;
  s->aheads--;
}

static void answer_spooled(struct store *s, struct session *session, enum commit_outcome outcome) {
  spoil(session, outcome);
  uint8_t ahead = session->spoiled ? 0 : give_ahead(s, session);
  smtp_spooled_put(&s->out, &(struct smtp_spooled){ .outcome = outcome, .ahead = ahead });
  store_send(s, session, smtp_spooled_type);
}

static enum commit_outcome outcome_of(enum job_result r) {
  return r == JOB_DONE ? COMMIT_DONE : r == JOB_NO_SPACE ? COMMIT_NO_SPACE : COMMIT_TROUBLE;
}

struct spool_job *store_spool_job(struct store *s, enum job_kind kind, struct session *session,
                                  struct slice chunk, int64_t now_s) {
  struct spool_job *j = job_new(kind, sizeof *j + chunk.n, session, now_s);
  if (!j) return NULL;
  memcpy(j + 1, chunk.p, chunk.n);
  j->chunk = slice_of(j + 1, chunk.n);
  j->job.free_least = s->conf->store_free_space;
  if (!session->spool.number) session->spool.number = ++s->spools;
  j->spool = &session->spool;
  return j;
}

/* The message begins: discards what is left of an earlier one. */
static void note_arrival(struct session *session, struct slice octets) {
  free(session->arrival);
  session->arrival = history_arrival_of(octets);
}

/* The next octets as a job. COMMIT_DONE: *ret is it. */
static enum commit_outcome take_chunk(struct store *s, struct session *session, struct slice chunk,
                                      int64_t now_s, struct spool_job **ret) {
  if (session->spoiled) return session->spoiled_by;
  if (session->spooled + chunk.n > s->conf->message_size_limit + SIZE_SLACK) return COMMIT_TOO_BIG;
  if (!session->spool.number) note_arrival(session, chunk);
  *ret = store_spool_job(s, KIND_SPOOL, session, chunk, now_s);
  if (!*ret) return COMMIT_TROUBLE;
  session->spooled += chunk.n;
  return COMMIT_DONE;
}

static void put_chunk(struct ahead *a, struct spool_job *j) {
  *(a->last ? &a->last->behind : &a->chunks) = j;
  a->last = j;
}

static void write_chunks(struct store *s, struct session *session) {
  struct spool_job *j = session->ahead->chunks;
  session->ahead->chunks = session->ahead->last = NULL;
  session_ask(s, session, &j->job);
}

static bool spool(struct store *s, struct peer *p, const struct ipc_msg *m, int64_t now_s) {
  struct smtp_spool q;
  struct spool_job *j;
  if (!smtp_spool_get(m->payload, &q)) return false;
  struct session *session = session_get(p, m->tag);
  if (!session || session->pending || !q.chunk.n) return false;
  enum commit_outcome outcome = take_chunk(s, session, q.chunk, now_s, &j);
  if (outcome != COMMIT_DONE) {
    answer_spooled(s, session, outcome);
  } else if (session->ahead) {
    put_chunk(session->ahead, j);
    write_chunks(s, session);
  } else {
    session_ask(s, session, &j->job);
  }
  return true;
}

/* An error here is reported in the next answer. */
static bool more(struct store *s, struct peer *p, const struct ipc_msg *m, int64_t now_s) {
  struct smtp_more q;
  struct spool_job *j;
  struct session *session = session_find(p, m->tag);
  if (!smtp_more_get(m->payload, &q) || !q.chunk.n || !session || session->pending ||
      !session->ahead || !session->ahead->left)
    return false;
  session->ahead->left--;
  enum commit_outcome outcome = take_chunk(s, session, q.chunk, now_s, &j);
  if (outcome == COMMIT_DONE)
    put_chunk(session->ahead, j);
  else
    spoil(session, outcome);
  return true;
}

static void commit_parked(struct store *s, struct session *session, int64_t now_s);

void spool_finish(struct store *s, struct store_job *j) {
  if (j->low_space) s->low_space_s = j->now_s;
  struct session *session = session_answered(s, j);
  if (!session) return;
  enum commit_outcome outcome = outcome_of(j->result);
  spoil(session, outcome);
  if (session->ahead && buf_len(&session->ahead->commit))
    commit_parked(s, session, j->now_s);
  else
    answer_spooled(s, session, outcome);
}

/* --- the commit --- */

static void answer_committed(struct store *s, struct session *session,
                             enum commit_outcome outcome) {
  smtp_committed_put(&s->out, &(struct smtp_committed){ .outcome = outcome });
  store_send(s, session, smtp_committed_type);
}

static const char path_label[] = "Return-Path: <", path_end[] = ">\r\n";
_Static_assert(MESSAGE_FIELDS_MAX + sizeof path_label + ENVELOPE_PATH_MAX + sizeof path_end <=
                   MESSAGE_HEAD_MAX,
               "a front-end's fields and the longest Return-Path: are a head");

/* One block: the job, the queue id, the fingerprint, the head, the tail. */
static struct deliver_job *new_deliver_job(struct session *session, const struct smtp_commit *q,
                                           int64_t now_s) {
  const struct message_end *end = &q->end;
  struct slice path = q->envelope.return_path, lacks = body_lacks(&session->spool, end->tail);
  size_t head = sizeof path_label - 1 + path.n + sizeof path_end - 1 + end->head.n;
  size_t names = end->id.n + q->print.n;
  struct deliver_job *d =
      job_new(KIND_DELIVER, sizeof *d + names + head + end->tail.n + lacks.n, session, now_s);
  if (!d) return NULL;
  uint8_t *at = (uint8_t *)(d + 1);
  memcpy(at, end->id.p, end->id.n);
  memcpy(at + end->id.n, q->print.p, q->print.n);
  d->name = slice_of(at, end->id.n);
  d->print = slice_of(at + end->id.n, q->print.n);
  at += names;
  struct slice parts[] = {
    slice_str(path_label), path, slice_str(path_end), end->head, end->tail, lacks
  };
  d->head = slice_of(at, head);
  d->tail = slice_of(at + head, end->tail.n + lacks.n);
  for (size_t i = 0; i < sizeof parts / sizeof *parts; at += parts[i].n, i++)
    if (parts[i].n) memcpy(at, parts[i].p, parts[i].n);
  arena_init(&d->kept, KEPT_MAX);
  d->dots = end->dots;
  d->once = q->once && q->print.n == PARTLY_NAME;
  d->spool = session->spool;
  d->size = head + session->spool.size + d->tail.n;
  d->surrogate = deliver_surrogate(d, end->surrogate, session->spool.size + end->tail.n);
  return d;
}

/* A recipient elsewhere, as which `r` is sent on, unless it has the message already. */
static bool add_elsewhere(struct store *s, struct deliver_job *d, struct slice to,
                          const struct envelope_rcpt *r, struct slice forwarder) {
  bool has = had_has(s, d, had_key(to));
  d->had |= has;
  return has || relay_add(d, to, r->notify, r->orcpt, forwarder);
}

/* One recipient of the envelope: its mailboxes gather in s->found. */
static bool find_recipient(struct store *s, const struct relay_asked *asked, struct deliver_job *d,
                           const struct envelope_rcpt *r) {
  struct slice to;
  struct buf memory;
  buf_init(&memory, DIR_ADDRESS_MAX);
  size_t before = s->found.elsewhere_count, boxes = s->found.count;
  enum rcpt_verdict v = relay_find(s, asked, r->address, &to, &memory);
  bool fine = v == RCPT_OURS || (v == RCPT_LEAVES && add_elsewhere(s, d, to, r, SLICE_NONE));
  for (size_t i = before; fine && i < s->found.elsewhere_count; i++)
    fine = add_elsewhere(s, d, s->found.elsewhere[i].target, r, s->found.elsewhere[i].forwarder);
  buf_free(&memory);
  /* If it leads elsewhere only, those recipients inherit its NOTIFY and ORCPT. */
  bool here = s->found.count > boxes || s->found.elsewhere_count == before;
  if (fine && v == RCPT_OURS && here && (r->notify & SMTP_NOTIFY_SUCCESS))
    fine = delivered_add(d, r->address, r->orcpt);
  return fine;
}

/* Each recipient's mailboxes, or its place in the queue. Decided anew, whatever the answer to RCPT
 * was. */
static enum commit_outcome find_recipients(struct store *s, const struct session *session,
                                           struct deliver_job *d, const struct smtp_commit *q) {
  struct slice rcpts = q->envelope.rcpts, path = q->envelope.return_path;
  const struct relay_asked asked = { session, q->trusted, path, d->job.now_s };
  struct envelope_rcpt r;
  if (!relay_sender_ok(s, session, path)) return COMMIT_TROUBLE;
  if (!relay_authors_ok(s, session, q->authors)) return COMMIT_NOT_YOURS;
  dir_begin(&s->found);
  while (envelope_rcpt_next(&rcpts, &r))
    if (!find_recipient(s, &asked, d, &r)) return COMMIT_TROUBLE;
  return COMMIT_DONE;
}

static bool path_is_ours(struct store *s, struct slice path) {
  struct buf domain;
  buf_init(&domain, DIR_ADDRESS_MAX);
  dir_fold_domain(&domain, path);
  bool ours = dir_is_ours(&s->dir, buf_slice(&domain));
  buf_free(&domain);
  return ours;
}

static bool set_letter(struct store *s, const struct session *session, struct deliver_job *d,
                       const struct smtp_commit *q) {
  const struct envelope *e = &q->envelope;
  uint8_t flags = e->flags | (path_is_ours(s, e->return_path) ? QUEUE_PATH_OURS : 0);
  if (session->account || q->trusted) flags |= ENVELOPE_OURS;
  d->letter = (struct queue_letter){ .ret = e->ret, .flags = flags, .account = session->account };
  d->letter.return_path = e->return_path.n ? arena_copy(&d->kept, e->return_path) : SLICE_NONE;
  d->letter.envid = e->envid.n ? arena_copy(&d->kept, e->envid) : SLICE_NONE;
  d->expires_s = d->job.now_s + (int64_t)s->conf->queue_lifetime;
  return !d->kept.failed;
}

/* Why it is not in all mailboxes. Full ones come first: to be sent again is of use for them. An
 * envelope without a deliverable recipient is never answered 250. */
static enum commit_outcome not_everywhere(const struct deliver_job *d) {
  bool some = d->had || d->count || d->elsewhere_count;
  if (d->full) return some ? COMMIT_SOME_FULL : COMMIT_FULL;
  if (d->never) return some ? COMMIT_SOME_NEVER : COMMIT_NEVER;
  return some ? COMMIT_DONE : COMMIT_TROUBLE;
}

/* The mailboxes that get it. RCPT has answered that there was room for `size`; a mailbox may exceed
 * its quota by one message of unknown size, not by two. */
static enum commit_outcome choose_places(struct store *s, struct deliver_job *d, uint64_t size) {
  d->places = s->found.count ? calloc(s->found.count, sizeof *d->places) : NULL;
  if (s->found.count && !d->places) return COMMIT_TROUBLE;
  for (size_t i = 0; i < s->found.count; i++) {
    struct dir_account a;
    if (dir_account(&s->dir, s->found.accounts[i], &a) != DIR_FOUND) return COMMIT_TROUBLE;
    bool has = had_has(s, d, a.id);
    enum room room = has ? ROOM_ENOUGH : store_room_for(s, &a, d->size, size);
    if (room == ROOM_UNKNOWN) return COMMIT_TROUBLE;
    d->had |= has;
    d->full |= room == ROOM_FULL;
    d->never |= room == ROOM_NEVER;
    if (room != ROOM_ENOUGH)
      notice_mailbox_full(s, a.id, d->job.now_s);
    else if (!has)
      d->places[d->count++] = (struct deliver_place){ a.id, a.inbox, 0 };
  }
  return d->count || d->elsewhere_count ? COMMIT_DONE : not_everywhere(d);
}

static enum commit_outcome find_places(struct store *s, const struct session *session,
                                       struct deliver_job *d, const struct smtp_commit *q) {
  enum commit_outcome outcome = find_recipients(s, session, d, q);
  if (outcome != COMMIT_DONE) return outcome;
  if ((d->elsewhere_count || d->dsn) && !set_letter(s, session, d, q)) return COMMIT_TROUBLE;
  if (!routes_set_destinations(s, d)) return COMMIT_TROUBLE;
  outcome = choose_places(s, d, q->envelope.size);
  if (outcome != COMMIT_DONE) return outcome;
  if (!d->full && !d->never) had_forget(s, d, q->envelope.rcpts);
  if (d->dsn && !report_address(s, d->letter.return_path, &d->kept, d->job.now_s, &d->dsn->post))
    return COMMIT_TROUBLE;
  if (d->once && d->count + d->elsewhere_count && !had_set_who(d)) return COMMIT_TROUBLE;
  if (!deliver_coming(s, d)) return COMMIT_TROUBLE;
  brake_set(s, session, d);
  return COMMIT_DONE;
}

/* The message is over and all of it is discarded; the login stays. */
static void forget_message(struct store *s, struct session *session) {
  if (session->pending) {
    session_end(s, session);
    return;
  }
  session_no_ahead(s, session);
  session_drop_spool(s, session);
  session->spooled = 0;
  session->spoiled = false;
  session_release_if_unused(session);
}

/* Answers without a job: nothing is written for this commit. */
static void answer_now(struct store *s, struct peer *p, uint64_t tag, enum commit_outcome outcome) {
  struct session *session = session_find(p, tag);
  struct buf may;
  buf_init(&may, SMTP_YOURS_MAX);
  if (outcome == COMMIT_NOT_YOURS) relay_put_yours(s, session, &may);
  if (session) forget_message(s, session);
  smtp_committed_put(&s->out,
                     &(struct smtp_committed){ .outcome = outcome, .yours = buf_slice(&may) });
  buf_free(&may);
  store_send_to(s, p, smtp_committed_type, tag, -1);
}

static const char *refused_message(enum commit_outcome outcome) {
  switch (outcome) {
  case COMMIT_NO_SPACE: return "452 4.3.1 the disk is full: nothing of the message was kept";
  case COMMIT_TOO_BIG: return "552 5.3.4 the message is too large";
  case COMMIT_FULL:
  case COMMIT_SOME_FULL: return "452 4.2.2 a mailbox is full";
  case COMMIT_NEVER:
  case COMMIT_SOME_NEVER: return "552 5.2.2 larger than a mailbox's whole quota";
  default: return "451 4.3.0 the message could not be kept now";
  }
}

static struct slice first_of(struct slice rcpts) {
  struct envelope_rcpt first;
  return envelope_rcpt_next(&rcpts, &first) ? first.address : SLICE_NONE;
}

static bool commit(struct store *s, struct peer *p, const struct ipc_msg *m, int64_t now_s) {
  struct smtp_commit q;
  if (!smtp_commit_get(m->payload, &q) || (q.envelope.flags & ENVELOPE_OURS)) return false;
  struct session *session = session_get(p, m->tag);
  if (!session) {
    answer_now(s, p, m->tag, COMMIT_TROUBLE); /* no memory; and so nothing was spooled before */
    return true;
  }
  if (session->pending) return false;
  if (session->ahead && session->ahead->chunks && !session->spoiled) {
    buf_put(&session->ahead->commit, m->payload);
    if (session->ahead->commit.failed)
      answer_now(s, p, m->tag, COMMIT_TROUBLE);
    else
      write_chunks(s, session);
    return true;
  }
  enum commit_outcome outcome = session->spoiled ? session->spoiled_by : COMMIT_DONE;
  struct deliver_job *d = NULL;
  if (outcome == COMMIT_DONE) {
    d = new_deliver_job(session, &q, now_s);
    outcome = d ? find_places(s, session, d, &q) : COMMIT_TROUBLE;
  }
  if (outcome != COMMIT_DONE || !(d->count || d->elsewhere_count)) { /* or all of them have it */
    struct store_job *j = d ? &d->job : NULL;
    job_free(&j);
    if (outcome != COMMIT_DONE)
      history_refused(s, q.envelope.return_path, first_of(q.envelope.rcpts),
                      refused_message(outcome), now_s);
    answer_now(s, p, m->tag, outcome);
    return true;
  }
  d->job.free_least = s->conf->store_free_space;
  if (!session->spool.number) note_arrival(session, q.end.tail);
  if (session->arrival) history_arrival_head(session->arrival, q.end.head);
  d->arrival = session->arrival;
  d->login = session->account;
  session->arrival = NULL;
  session->spool = (struct spool){ 0 };
  session->spooled = 0;
  session_no_ahead(s, session);
  session_ask(s, session, &d->job);
  return true;
}

/* The chunks before it are written, or failed. */
static void commit_parked(struct store *s, struct session *session, int64_t now_s) {
  struct buf payload = session->ahead->commit;
  buf_init(&session->ahead->commit, IPC_PAYLOAD_MAX);
  const struct ipc_msg m = {
    .type = smtp_commit_type, .tag = session->tag, .payload = buf_slice(&payload), .fd = -1
  };
  commit(s, session->peer, &m, now_s);
  buf_free(&payload);
}

void deliver_finish(struct store *s, struct store_job *j) {
  struct deliver_job *d = (struct deliver_job *)j;
  deliver_count(s, d);
  if (j->result == JOB_DONE && d->elsewhere_count)
    outbound_fresh(s, d->elsewhere, d->elsewhere_count, j->now_s);
  if (j->result == JOB_DONE && d->brake.why) brake_notify(s, d, j->now_s);
  if (j->result == JOB_DONE && d->dsn) report_finish(s, &d->dsn->post, j->now_s);
  had_remember(s, d);
  if (j->result == JOB_DONE) history_delivered(s, d, d->arrival);
  struct session *session = session_answered(s, j);
  if (!session) return;
  bool done = j->result == JOB_DONE;
  answer_committed(s, session, done ? not_everywhere(d) : outcome_of(j->result));
  session_release_if_unused(session);
}

/* --- the pair --- */

static bool drop(struct store *s, struct peer *p, const struct ipc_msg *m) {
  struct smtp_discard q;
  if (!smtp_discard_get(m->payload, &q)) return false;
  struct session *session = session_find(p, m->tag);
  if (session) forget_message(s, session);
  return true;
}

static bool end(struct store *s, struct peer *p, const struct ipc_msg *m) {
  struct smtp_bye q;
  struct session *session = session_find(p, m->tag);
  if (!smtp_bye_get(m->payload, &q)) return false;
  if (session) {
    session->account = 0;
    session_end(s, session);
  }
  return true;
}

bool smtp_message(struct store *s, struct peer *p, const struct ipc_msg *m, int64_t now_s) {
  switch (m->type) {
  case smtp_rcpt_type: return rcpt(s, p, m, now_s);
  case smtp_spool_type: return spool(s, p, m, now_s);
  case smtp_more_type: return more(s, p, m, now_s);
  case smtp_commit_type: return commit(s, p, m, now_s);
  case smtp_discard_type: return drop(s, p, m);
  case smtp_bye_type: return end(s, p, m);
  default: return false;
  }
}
