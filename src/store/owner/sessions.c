/* SPDX-License-Identifier: ISC */
/* Processes, their sessions, and what a session holds (owner.h has a session's states). Invariants:
 * a session is freed only when no job is outstanding for it; when its process is lost, its locks,
 * grants and spools are released, at once or when its job has come back; at most SESSIONS_MAX for
 * one process. */
#include <stdlib.h>

#include "lib/base/bug.h"
#include "src/store/owner/owner.h"

/* --- peers --- */

/* Frees what auth granted to a process that turns out not to be a pop3d. */
static void became_known(struct store *s, struct peer *p, enum role kind) {
  p->kind = kind;
  while (kind != ROLE_POP3D && kind != ROLE_COUNT && p->sessions) session_end(s, p->sessions);
}

struct peer *peer_get(struct store *s, enum role kind, uint32_t number) {
  for (struct peer *p = s->peers; p; p = p->next)
    if (p->number == number && (p->kind == kind || p->kind == ROLE_COUNT || kind == ROLE_COUNT)) {
      if (p->kind == ROLE_COUNT) became_known(s, p, kind);
      return p;
    }
  struct peer *p = calloc(1, sizeof *p);
  if (!p) return NULL;
  p->kind = kind;
  p->number = number;
  map_init(&p->by_tag);
  p->next = s->peers;
  s->peers = p;
  return p;
}

static void peer_free(struct store *s, struct peer *p) {
  for (struct peer **at = &s->peers; *at; at = &(*at)->next)
    if (*at == p) {
      *at = p->next;
      break;
    }
  map_free(&p->by_tag);
  free(p);
}

/* --- sessions --- */

struct session *session_find(struct peer *p, uint64_t tag) {
  return map_ptr(&p->by_tag, tag);
}

struct session *session_get(struct peer *p, uint64_t tag) {
  struct session *session = session_find(p, tag);
  if (session) return session;
  if (p->by_tag.count >= SESSIONS_MAX) return NULL;
  session = calloc(1, sizeof *session);
  if (!session || !map_put_ptr(&p->by_tag, tag, session)) {
    free(session);
    return NULL;
  }
  session->peer = p;
  session->tag = tag;
  session->next = p->sessions;
  if (session->next) session->next->prev = session;
  p->sessions = session;
  return session;
}

static void unlink_session(struct session *session) {
  struct peer *p = session->peer;
  if (!p) return;
  map_remove(&p->by_tag, session->tag);
  if (session->prev)
    session->prev->next = session->next;
  else
    p->sessions = session->next;
  if (session->next) session->next->prev = session->prev;
  session->peer = NULL;
}

static void free_session(struct session *session) {
  BUG_IF(session->open || session->waiting,
         "session %ju of account %ju is freed: open %d, waiting %d", (uintmax_t)session->tag,
         (uintmax_t)session->account, session->open, session->waiting);
  unlink_session(session);
  buf_free(&session->deletes);
  buf_free(&session->listed);
  buf_free(&session->bulk);
  import_free(&session->import);
  free(session->in.arrival);
  free(session);
}

void session_release_if_unused(struct session *session) {
  if (!session->pending && !session->in.spool.number && session->in.spoiled == JOB_DONE &&
      !session->account && !session->import && !buf_len(&session->bulk))
    free_session(session);
}

struct session *session_waiter(struct store *s, uint64_t account) {
  const struct maildrop_lock *lock = lock_find(&s->locks, account);
  if (!lock || !lock->waiters) return NULL;
  for (struct session *session = s->waiters; session; session = session->next_waiter)
    if (session->account == account) return session;
  return NULL;
}

void session_wait_over(struct store *s, struct session *session) {
  struct maildrop_lock *lock = lock_find(&s->locks, session->account);
  struct session **at = &s->waiters;
  while (*at && *at != session) at = &(*at)->next_waiter;
  if (*at) *at = session->next_waiter;
  BUG_IF(lock && !lock->waiters, "session %ju waits for account %ju, for which none is counted",
         (uintmax_t)session->tag, (uintmax_t)session->account);
  if (lock) lock->waiters--;
  session->next_waiter = NULL;
  session->waiting = session->pending = false;
}

static void session_unlock(struct store *s, struct session *session) {
  struct maildrop_lock *lock = lock_find(&s->locks, session->account);
  bool has = lock && lock->locked_by == session;
  struct session *next = has ? session_waiter(s, session->account) : NULL;
  if (has) {
    lock->locked_by = NULL;
    lock->asked = false;
  }
  session->open = false;
  session->account = 0;
  buf_free(&session->deletes);
  if (next) pop_open_now(s, next);
}

/* While a job is outstanding its spool and its maildrop stay: the job uses them. */
void session_end(struct store *s, struct session *session) {
  if (session->waiting) session_wait_over(s, session);
  session_no_ahead(s, session);
  unlink_session(session);
  if (session->pending) {
    session->gone = true;
    return;
  }
  incoming_drop(s, &session->in);
  session_unlock(s, session);
  free_session(session);
}

void session_ask(struct store *s, struct session *session, struct store_job *j) {
  session->pending = true;
  s->jobs_out++;
  s->shell.enqueue(s->shell.arg, j, job_kind_writes(j->kind));
}

struct session *session_answered(struct store *s, struct store_job *j) {
  struct session *session = j->session;
  if (!session) return NULL;
  session->pending = false;
  if (!session->gone) return session;
  session_end(s, session);
  return NULL;
}

/* --- answers --- */

void store_send_to(struct store *s, const struct peer *p, uint16_t type, uint64_t tag, int fd) {
  s->shell.send(s->shell.arg, p->kind, p->number, type, tag, buf_slice(&s->out), fd);
  buf_reset(&s->out);
}

void store_send(struct store *s, struct session *session, uint16_t type) {
  store_send_to(s, session->peer, type, session->tag, -1);
}

/* --- a process is gone --- */

void store_process_lost(struct store *s, enum role kind, uint32_t number) {
  if (kind == ROLE_SENDER) outbound_sender_lost(s, number, s->outbound.now_s);
  for (struct peer *p = s->peers, *next; p; p = next) {
    next = p->next;
    if (p->number != number || (p->kind != kind && p->kind != ROLE_COUNT)) continue;
    while (p->sessions) session_end(s, p->sessions);
    peer_free(s, p);
  }
}
