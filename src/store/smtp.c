/* What smtpd asks: are these addresses ours; keep this message. */
#include "ipc/smtpd_store.h"

#include <stdlib.h>

#include "src/store/owner.h"

enum {
  VERDICTS_MAX = 1024,
  /* smtpd's limit is on the message as the client sent it; trace headers come on top. */
  SIZE_SLACK = 64 * 1024,
};

/* --- RCPT --- */

static uint64_t quota_of(const struct store *s, const struct dir_account *a) {
  return a->limits.quota == DIR_QUOTA_DEFAULT ? s->conf->quota : a->limits.quota;
}

bool store_has_room(const struct store *s, const struct dir_account *a, uint64_t size) {
  uint64_t quota = quota_of(s, a), held = a->octets + a->coming;
  return !quota || (held < quota && size <= quota - held);
}

/* Whether `size` more octets go into each of the mailboxes. With size 0, not known: any octet. */
static bool have_room(const struct store *s, const struct dir_found *f, uint64_t size) {
  for (size_t i = 0; i < f->count; i++)
    if (!store_has_room(s, f->accounts[i], size)) return false;
  return true;
}

static enum rcpt_verdict verdict_on(struct store *s, struct slice address, uint64_t size) {
  dir_begin(&s->dir, &s->found);
  switch (dir_resolve(&s->dir, address, s->conf->recipient_delimiter, &s->found)) {
  case DIR_FOUND: return have_room(s, &s->found, size) ? RCPT_OURS : RCPT_FULL;
  case DIR_UNKNOWN: return RCPT_UNKNOWN;
  case DIR_ELSEWHERE: return RCPT_ELSEWHERE;
  case DIR_TROUBLE: break;
  }
  return RCPT_TROUBLE;
}

/* Seen by a commit within this second; then the next commit looks anew. */
static bool low_space(const struct store *s, int64_t now_s) {
  return s->low_space_s && now_s - s->low_space_s <= 1 && now_s >= s->low_space_s;
}

static bool rcpt(struct store *s, struct peer *p, const struct ipc_msg *m, int64_t now_s) {
  struct smtp_rcpt q;
  if (!smtp_rcpt_get(m->payload, &q)) return false;
  uint8_t verdicts[VERDICTS_MAX];
  size_t n = 0;
  struct slice address;
  while (ipc_list_next(&q.addresses, &address)) {
    if (n == VERDICTS_MAX) return false;
    enum rcpt_verdict v = verdict_on(s, address, q.size);
    verdicts[n++] = v == RCPT_OURS && low_space(s, now_s) ? RCPT_NO_SPACE : v;
  }
  if (q.addresses.n || !n) return false;
  smtp_verdicts_put(&s->out, &(struct smtp_verdicts){ .verdicts = slice_of(verdicts, n) });
  store_send_to(s, p, smtp_verdicts_type, m->tag, -1);
  return true;
}

/* --- spooling --- */

static void answer_spooled(struct store *s, struct session *ss, enum commit_outcome outcome) {
  if (outcome != COMMIT_DONE) {
    ss->spoiled = true;
    ss->spoiled_by = outcome;
  }
  smtp_spooled_put(&s->out, &(struct smtp_spooled){ .outcome = outcome });
  store_send(s, ss, smtp_spooled_type);
}

static enum commit_outcome outcome_of(enum job_result r) {
  return r == JOB_DONE ? COMMIT_DONE : r == JOB_NO_SPACE ? COMMIT_NO_SPACE : COMMIT_TROUBLE;
}

struct spool_job *store_spool_job(struct store *s, const struct job_kind *kind, struct session *ss,
                                  struct slice chunk, int64_t now_s) {
  struct spool_job *j = job_new(kind, sizeof *j + chunk.n, ss, now_s);
  if (!j) return NULL;
  memcpy(j + 1, chunk.p, chunk.n);
  j->chunk = slice_of(j + 1, chunk.n);
  j->job.free_least = s->conf->store_free_space;
  if (!ss->spool.number) ss->spool.number = ++s->spools;
  j->spool = &ss->spool;
  return j;
}

static bool spool(struct store *s, struct peer *p, const struct ipc_msg *m, int64_t now_s) {
  struct smtp_spool q;
  if (!smtp_spool_get(m->payload, &q)) return false;
  struct session *ss = session_get(p, m->tag);
  if (!ss || ss->pending || !q.chunk.n) return false;
  if (ss->spoiled)
    answer_spooled(s, ss, ss->spoiled_by);
  else if (ss->spool.size + q.chunk.n > s->conf->message_size_limit + SIZE_SLACK)
    answer_spooled(s, ss, COMMIT_TOO_BIG);
  else {
    struct spool_job *j = store_spool_job(s, &spool_kind, ss, q.chunk, now_s);
    if (j)
      session_ask(s, ss, &j->job);
    else
      answer_spooled(s, ss, COMMIT_TROUBLE);
  }
  return true;
}

void spool_finish(struct store *s, struct store_job *j) {
  if (j->low_space) s->low_space_s = j->now_s;
  struct session *ss = session_answered(s, j);
  if (ss) answer_spooled(s, ss, outcome_of(j->result));
}

/* --- the commit --- */

static void answer_committed(struct store *s, struct session *ss, enum commit_outcome outcome) {
  smtp_committed_put(&s->out, &(struct smtp_committed){ .outcome = outcome });
  store_send(s, ss, smtp_committed_type);
}

/* The reverse-path goes into a header line: nothing may end that line. */
static bool path_is_clean(struct slice path) {
  for (size_t i = 0; i < path.n; i++)
    if (path.p[i] < 0x20 || path.p[i] == 0x7f) return false;
  return true;
}

/* One block: the job, the queue id, then the head and the tail with nothing between them. */
static struct deliver_job *new_deliver_job(struct session *ss, const struct smtp_commit *q, int64_t now_s) {
  static const char label[] = "Return-Path: <";
  size_t head = sizeof label - 1 + q->return_path.n + 3;
  struct slice lacks = body_lacks(&ss->spool, q->tail);
  struct deliver_job *d = job_new(&deliver_kind, sizeof *d + q->id.n + head + q->tail.n + lacks.n, ss, now_s);
  if (!d) return NULL;
  uint8_t *at = (uint8_t *)(d + 1);
  memcpy(at, q->id.p, q->id.n);
  d->name = slice_of(at, q->id.n);
  at += q->id.n;
  struct slice parts[] = { slice_str(label), q->return_path, SLICE(">\r\n"), q->tail, lacks };
  d->head = slice_of(at, head);
  d->tail = slice_of(at + head, q->tail.n + lacks.n);
  for (size_t i = 0; i < sizeof parts / sizeof *parts; at += parts[i].n, i++)
    if (parts[i].n) memcpy(at, parts[i].p, parts[i].n);
  d->dots = q->dots;
  d->spool = ss->spool;
  d->size = head + ss->spool.size + d->tail.n;
  d->surrogate = deliver_surrogate(d, q->surrogate, ss->spool.size + q->tail.n);
  return d;
}

static enum commit_outcome find_places(struct store *s, struct deliver_job *d, struct slice addresses) {
  struct slice address;
  dir_begin(&s->dir, &s->found);
  while (ipc_list_next(&addresses, &address))
    if (dir_resolve(&s->dir, address, s->conf->recipient_delimiter, &s->found) != DIR_FOUND)
      return COMMIT_TROUBLE;
  if (!s->found.count) return COMMIT_TROUBLE;
  /* RCPT said there was room; a mailbox may be filled beyond its quota by one message, not by two. */
  if (!have_room(s, &s->found, 0)) return COMMIT_NO_SPACE;
  d->places = calloc(s->found.count, sizeof *d->places);
  if (!d->places) return COMMIT_TROUBLE;
  d->count = s->found.count;
  for (size_t i = 0; i < d->count; i++) {
    d->places[i] = (struct deliver_place){ s->found.accounts[i]->id, s->found.accounts[i]->inbox, 0 };
    s->found.accounts[i]->coming += d->size;
  }
  return COMMIT_DONE;
}

/* Addresses are well-formed and there is at least one. */
static bool check_list(struct slice addresses) {
  struct slice address;
  size_t n = 0;
  while (ipc_list_next(&addresses, &address)) n++;
  return n && !addresses.n;
}

static void refuse(struct store *s, struct peer *p, uint64_t tag, enum commit_outcome outcome) {
  struct session *ss = session_find(p, tag);
  if (ss) session_end(s, ss);
  smtp_committed_put(&s->out, &(struct smtp_committed){ .outcome = outcome });
  store_send_to(s, p, smtp_committed_type, tag, -1);
}

static bool commit(struct store *s, struct peer *p, const struct ipc_msg *m, int64_t now_s) {
  struct smtp_commit q;
  if (!smtp_commit_get(m->payload, &q) || !check_list(q.addresses) || !path_is_clean(q.return_path))
    return false;
  struct session *ss = session_get(p, m->tag);
  if (!ss) {
    refuse(s, p, m->tag, COMMIT_TROUBLE); /* no memory; and so nothing was spooled before */
    return true;
  }
  if (ss->pending) return false;
  enum commit_outcome outcome = ss->spoiled ? ss->spoiled_by : COMMIT_DONE;
  struct deliver_job *d = NULL;
  if (outcome == COMMIT_DONE) {
    d = new_deliver_job(ss, &q, now_s);
    outcome = d ? find_places(s, d, q.addresses) : COMMIT_TROUBLE;
  }
  if (outcome != COMMIT_DONE) {
    struct store_job *j = d ? &d->job : NULL;
    job_free(&j);
    refuse(s, p, m->tag, outcome);
    return true;
  }
  d->job.free_least = s->conf->store_free_space;
  ss->spool = (struct spool){ 0 };
  session_ask(s, ss, &d->job);
  return true;
}

void deliver_count(struct store *s, const struct deliver_job *d) {
  bool added = d->job.result == JOB_DONE && d->uidl_found == UIDL_NEW;
  for (size_t i = 0; i < d->count; i++) {
    struct dir_account *a = dir_account(&s->dir, d->places[i].account);
    if (!a) continue;
    a->coming -= d->size;
    if (added) a->octets += d->size;
    if (added) a->messages++;
  }
  s->messages_in += added;
  if (d->job.low_space) s->low_space_s = d->job.now_s;
}

void deliver_finish(struct store *s, struct store_job *j) {
  struct deliver_job *d = (struct deliver_job *)j;
  deliver_count(s, d);
  struct session *ss = session_answered(s, j);
  if (!ss) return;
  answer_committed(s, ss, outcome_of(j->result));
  session_relax(ss);
}

/* --- the pair --- */

static bool drop(struct store *s, struct peer *p, const struct ipc_msg *m) {
  struct smtp_drop q;
  if (!smtp_drop_get(m->payload, &q)) return false;
  struct session *ss = session_find(p, m->tag);
  if (ss) session_end(s, ss);
  return true;
}

bool smtp_message(struct store *s, struct peer *p, const struct ipc_msg *m, int64_t now_s) {
  switch (m->type) {
  case smtp_rcpt_type: return rcpt(s, p, m, now_s);
  case smtp_spool_type: return spool(s, p, m, now_s);
  case smtp_commit_type: return commit(s, p, m, now_s);
  case smtp_drop_type: return drop(s, p, m);
  default: return false;
  }
}
