#include <stdlib.h>

#include "src/store/owner.h"

/* --- peers --- */

/* What auth granted to a room that turns out to be no pop3d is of no use to it. */
static void became_known(struct store *s, struct peer *p, enum room_kind kind) {
  p->kind = kind;
  while (kind != ROOM_POP3D && kind != ROOM_KINDS && p->sessions) session_end(s, p->sessions);
}

struct peer *peer_get(struct store *s, enum room_kind kind, uint32_t number) {
  for (struct peer *p = s->peers; p; p = p->next)
    if (p->number == number && (p->kind == kind || p->kind == ROOM_KINDS || kind == ROOM_KINDS)) {
      if (p->kind == ROOM_KINDS) became_known(s, p, kind);
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
  struct session *ss = session_find(p, tag);
  if (ss) return ss;
  if (p->by_tag.count >= SESSIONS_MAX) return NULL;
  ss = calloc(1, sizeof *ss);
  if (!ss || !map_put_ptr(&p->by_tag, tag, ss)) {
    free(ss);
    return NULL;
  }
  ss->peer = p;
  ss->tag = tag;
  ss->next = p->sessions;
  if (ss->next) ss->next->prev = ss;
  p->sessions = ss;
  return ss;
}

static void unlink_session(struct session *ss) {
  struct peer *p = ss->peer;
  if (!p) return;
  map_remove(&p->by_tag, ss->tag);
  if (ss->prev)
    ss->prev->next = ss->next;
  else
    p->sessions = ss->next;
  if (ss->next) ss->next->prev = ss->prev;
  ss->peer = NULL;
}

static void free_session(struct session *ss) {
  unlink_session(ss);
  buf_free(&ss->deletes);
  buf_free(&ss->listed);
  buf_free(&ss->bulk);
  import_free(&ss->import);
  free(ss->arrival);
  free(ss);
}

void session_relax(struct session *ss) {
  if (!ss->pending && !ss->spool.number && !ss->spoiled && !ss->account && !ss->import && !buf_len(&ss->bulk)) free_session(ss);
}

struct session *session_waiter(struct store *s, const struct dir_account *a) {
  if (!a->waiters) return NULL;
  for (struct session *ss = s->waiters; ss; ss = ss->next_waiter)
    if (ss->account == a->id) return ss;
  return NULL;
}

void session_wait_over(struct store *s, struct session *ss) {
  struct dir_account *a = dir_account(&s->dir, ss->account);
  struct session **at = &s->waiters;
  while (*at && *at != ss) at = &(*at)->next_waiter;
  if (*at) *at = ss->next_waiter;
  if (a && a->waiters) a->waiters--;
  ss->next_waiter = NULL;
  ss->waiting = ss->pending = false;
}

void session_unlock(struct store *s, struct session *ss) {
  struct dir_account *a = ss->account ? dir_account(&s->dir, ss->account) : NULL;
  struct session *next = a && a->locked_by == ss ? session_waiter(s, a) : NULL;
  if (a && a->locked_by == ss) {
    a->locked_by = NULL;
    a->asked = false;
  }
  ss->open = false;
  ss->account = 0;
  buf_free(&ss->deletes);
  if (next) pop_open_now(s, next);
}


void session_drop_spool(struct store *s, struct session *ss) {
  if (!ss->spool.made) return;
  struct drop_job *j = job_new(&drop_kind, sizeof *j, NULL, 0);
  if (!j) { /* no memory to have it done elsewhere */
    spool_drop(s->disk, &ss->spool);
    return;
  }
  j->spool = ss->spool;
  ss->spool = (struct spool){ 0 };
  s->jobs_out++;
  s->shell.enqueue(s->shell.arg, &j->job, false);
}

/* While a job is out its spool and its maildrop stay as they are: the job works on them. */
void session_end(struct store *s, struct session *ss) {
  if (ss->waiting) session_wait_over(s, ss);
  session_no_ahead(s, ss);
  unlink_session(ss);
  if (ss->pending) {
    ss->gone = true;
    return;
  }
  session_drop_spool(s, ss);
  session_unlock(s, ss);
  free_session(ss);
}

void session_ask(struct store *s, struct session *ss, struct store_job *j) {
  ss->pending = true;
  s->jobs_out++;
  s->shell.enqueue(s->shell.arg, j, j->kind->is_write);
}

struct session *session_answered(struct store *s, struct store_job *j) {
  struct session *ss = j->session;
  if (!ss) return NULL;
  ss->pending = false;
  if (!ss->gone) return ss;
  session_end(s, ss);
  return NULL;
}

/* --- answers --- */

void store_send_to(struct store *s, const struct peer *p, uint16_t type, uint64_t tag, int fd) {
  s->shell.send(s->shell.arg, p->kind, p->number, type, tag, buf_slice(&s->out), fd);
  buf_reset(&s->out);
}

void store_send(struct store *s, struct session *ss, uint16_t type) {
  store_send_to(s, ss->peer, type, ss->tag, -1);
}

/* --- a room is gone --- */

void store_room_lost(struct store *s, enum room_kind kind, uint32_t number) {
  if (kind == ROOM_SENDER) outbound_sender_lost(s, number, s->outbound.now_s);
  for (struct peer *p = s->peers, *next; p; p = next) {
    next = p->next;
    if (p->number != number || (p->kind != kind && p->kind != ROOM_KINDS)) continue;
    while (p->sessions) session_end(s, p->sessions);
    peer_free(s, p);
  }
}
