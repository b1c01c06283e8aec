/* SPDX-License-Identifier: ISC */
/* Answers smtpd's questions: whether these addresses are local; store this message. */
#include <stdlib.h>

#include "ipc/auth_store.h"
#include "ipc/smtpd_store.h"
#include "mail/address.h"
#include "mail/smtp/dsn.h"
#include "src/store/owner/send_limits.h"
#include "src/store/owner/finish.h"
#include "src/store/owner/had.h"
#include "src/store/owner/recipients.h"
#include "src/store/owner/relay.h"
#include "src/store/owner/report.h"

static const struct incoming_road road = { .chunk = KIND_SPOOL,
                                           .message = KIND_DELIVER,
                                           .size = sizeof(struct deliver_job),
                                           .limited = true,
                                           .history = true };

/* --- RCPT --- */

/* Whether `size` octets (0: unknown) fit into at least one of the mailboxes: full ones do not stop
 * the delivery to the others (owner/partly.h). If they fit into none, they may later, or never. A
 * mailbox that has the message already, by another address, is no reason to refuse this one. */
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

/* A commit within this second uses this value; the next one reads it again. */
static bool low_space(const struct store *s, int64_t now_s) {
  return s->low_space_s && now_s - s->low_space_s <= 1 && now_s >= s->low_space_s;
}

static bool rcpt(struct store *s, struct peer *p, const struct ipc_msg *m, int64_t now_s) {
  struct smtp_rcpt q;
  if (!smtp_rcpt_get(m->payload, &q)) return false;
  uint8_t verdicts[SMTP_VERDICTS_MAX];
  size_t n = 0;
  struct slice rcpts = q.envelope.rcpts, path = q.envelope.return_path;
  struct envelope_rcpt r;
  const struct session *session = session_find(p, m->tag);
  const struct relay_asked asked = { session, q.trusted, path, now_s };
  bool known = relay_login_known(session, q.login), yours = relay_sender_ok(s, session, path);
  while (envelope_rcpt_next(&rcpts, &r)) {
    if (n == SMTP_VERDICTS_MAX) return false;
    enum rcpt_verdict v = !known  ? RCPT_TROUBLE
                          : yours ? verdict_on(s, &asked, r.address, q.envelope.size)
                                  : RCPT_NOT_YOURS;
    if ((v == RCPT_OURS || v == RCPT_LEAVES) && low_space(s, now_s)) v = RCPT_NO_SPACE;
    if (v == RCPT_NO_SPACE) notice_disk_full(s, now_s);
    if (v != RCPT_OURS && v != RCPT_LEAVES)
      history_refused(s, path, r.address, smtp_of_verdict(v), now_s);
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

/* Asking about each chunk would cost a job, and a wake-up of three threads, for each; so a session
 * may send some ahead, and they are written with the chunk that has a question. The memory is
 * bounded: AHEAD_SESSIONS such sessions, with SMTP_AHEAD_MAX chunks and a commit each. */
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
  job_free(a->chunks);
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

static enum commit_outcome outcome_of(enum job_result r) {
  switch (r) {
  case JOB_DONE: return COMMIT_DONE;
  case JOB_NO_SPACE: return COMMIT_NO_SPACE;
  case JOB_TOO_BIG: return COMMIT_TOO_BIG;
  default: return COMMIT_TROUBLE;
  }
}

static void answer_spooled(struct store *s, struct session *session) {
  enum commit_outcome outcome = outcome_of(session->in.spoiled);
  uint8_t ahead = outcome == COMMIT_DONE ? give_ahead(s, session) : 0;
  smtp_spooled_put(&s->out, &(struct smtp_spooled){ .outcome = outcome, .ahead = ahead });
  store_send(s, session, smtp_spooled_type);
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
  if (incoming_chunk(s, &road, session, q.chunk, now_s, &j) != JOB_DONE) {
    answer_spooled(s, session);
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
  if (incoming_chunk(s, &road, session, q.chunk, now_s, &j) == JOB_DONE)
    put_chunk(session->ahead, j);
  return true;
}

static void commit_parked(struct store *s, struct session *session, int64_t now_s);

void spool_finish(struct store *s, struct store_job *j) {
  incoming_chunk_done(s, &j->session->in, j);
  struct session *session = session_answered(s, j);
  if (!session) return;
  if (session->ahead && buf_len(&session->ahead->commit))
    commit_parked(s, session, j->now_s);
  else
    answer_spooled(s, session);
}

/* --- the commit --- */

static struct slice verdicts_of(const struct deliver_job *d) {
  return d && d->verdicts ? slice_of(d->verdicts, d->rcpt_count) : SLICE_NONE;
}

static enum commit_outcome new_delivery(struct store *s, struct session *session,
                                        const struct smtp_commit *q, int64_t now_s,
                                        struct deliver_job **ret) {
  struct deliver_parts parts = {
    .name = q->end.id,
    .print = q->print,
    .enveloped = true,
    .return_path = q->envelope.return_path,
    .fields = q->end.head,
    .tail = q->end.tail,
    .surrogate = q->end.surrogate,
  };
  enum job_result r = incoming_end(s, &road, session, &parts, now_s, ret);
  if (r != JOB_DONE) return outcome_of(r);
  (*ret)->once = q->once && q->print.n == PARTLY_NAME;
  (*ret)->login = session->account;
  return COMMIT_DONE;
}

/* The message is over and all of it is discarded; the login stays. */
static void forget_message(struct store *s, struct session *session) {
  if (session->pending) {
    session_end(s, session);
    return;
  }
  session_no_ahead(s, session);
  incoming_drop(s, &session->in);
  session_release_if_unused(session);
}

/* True if it follows from the recipients' verdicts: each is known, and in the history. */
static bool is_of_each(enum commit_outcome outcome) {
  return outcome == COMMIT_DONE || outcome == COMMIT_FULL || outcome == COMMIT_SOME_FULL ||
         outcome == COMMIT_NEVER || outcome == COMMIT_SOME_NEVER;
}

/* Answers without a job: nothing is written for this commit. d: its job, or NULL. */
static void answer_now(struct store *s, struct peer *p, uint64_t tag, enum commit_outcome outcome,
                       const struct deliver_job *d) {
  struct session *session = session_find(p, tag);
  struct buf may;
  buf_init(&may, SMTP_YOURS_MAX);
  if (outcome == COMMIT_NOT_YOURS) relay_put_yours(s, session, &may);
  if (session) forget_message(s, session);
  smtp_committed_put(&s->out, &(struct smtp_committed){
                                  .outcome = outcome,
                                  .verdicts = is_of_each(outcome) ? verdicts_of(d) : SLICE_NONE,
                                  .yours = buf_slice(&may) });
  buf_free(&may);
  store_send_to(s, p, smtp_committed_type, tag, -1);
}

static struct slice first_of(struct slice rcpts) {
  struct envelope_rcpt first;
  return envelope_rcpt_next(&rcpts, &first) ? first.address : SLICE_NONE;
}

static bool commit(struct store *s, struct peer *p, const struct ipc_msg *m, int64_t now_s) {
  struct smtp_commit q;
  if (!smtp_commit_get(m->payload, &q) || (q.envelope.flags & ENVELOPE_OURS) ||
      q.envelope.count > SMTP_VERDICTS_MAX)
    return false;
  struct session *session = session_get(p, m->tag);
  if (!session) {
    answer_now(s, p, m->tag, COMMIT_TROUBLE,
               NULL); /* no memory; and so nothing was spooled before */
    return true;
  }
  if (session->pending) return false;
  if (session->ahead && session->ahead->chunks && session->in.spoiled == JOB_DONE) {
    buf_put(&session->ahead->commit, m->payload);
    if (session->ahead->commit.failed)
      answer_now(s, p, m->tag, COMMIT_TROUBLE, NULL);
    else
      write_chunks(s, session);
    return true;
  }
  struct deliver_job *d = NULL;
  enum commit_outcome outcome = new_delivery(s, session, &q, now_s, &d);
  if (outcome == COMMIT_DONE) outcome = recipients_find(s, session, d, &q);
  if (outcome != COMMIT_DONE || !(d->count || d->elsewhere_count)) { /* or all of them have it */
    if (!is_of_each(outcome))
      history_refused(s, q.envelope.return_path, first_of(q.envelope.rcpts),
                      smtp_of_commit(outcome), now_s);
    answer_now(s, p, m->tag, outcome, d);
    job_free(d);
    return true;
  }
  session_no_ahead(s, session);
  incoming_deliver(s, session, d);
  return true;
}

/* The chunks before it were written, or failed. */
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
  if (j->result == JOB_DONE && d->send_limits.why) send_limits_notify(s, d, j->now_s);
  if (j->result == JOB_DONE && d->dsn) report_finish(s, &d->dsn->post, j->now_s);
  had_remember(s, d);
  if (j->result == JOB_DONE) history_delivered(s, d, d->arrival);
  struct session *session = session_answered(s, j);
  if (!session) return;
  bool done = j->result == JOB_DONE;
  smtp_committed_put(&s->out,
                     &(struct smtp_committed){ .outcome = done ? d->outcome : outcome_of(j->result),
                                               .verdicts = done ? verdicts_of(d) : SLICE_NONE });
  store_send(s, session, smtp_committed_type);
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

/* auth need not grant this session again. */
static void report_over(struct store *s, const struct session *session) {
  const struct peer *auth = s->peers;
  while (auth && auth->kind != ROLE_AUTH) auth = auth->next;
  if (!auth) return;
  auth_over_put(&s->out, &(struct auth_over){ session->peer->number, session->tag });
  store_send_to(s, auth, auth_over_type, 0, -1);
}

static bool end(struct store *s, struct peer *p, const struct ipc_msg *m) {
  struct smtp_bye q;
  struct session *session = session_find(p, m->tag);
  if (!smtp_bye_get(m->payload, &q)) return false;
  if (session) {
    if (session->account) report_over(s, session);
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
