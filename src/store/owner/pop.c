/* SPDX-License-Identifier: ISC */
/* Answers pop3d's questions, and accepts auth's grants, without which pop3d may ask nothing. */
#include <stdlib.h>
#include <unistd.h>

#include "ipc/auth_store.h"
#include "ipc/pop3d_store.h"
#include "lib/base/bug.h"
#include "src/store/jobs/maildrop.h"
#include "src/store/owner/finish.h"
#include "src/store/owner/owner.h"

/* --- auth: this session is that account --- */

static bool is_pop3d(const struct peer *front) {
  return front->kind == ROLE_POP3D || front->kind == ROLE_COUNT;
}

/* The session ended before its grant arrived. Its process may be gone too: then nothing is kept for
 * it. */
static bool take_back(struct store *s, const struct ipc_msg *m) {
  struct auth_revoke q;
  if (!auth_revoke_get(m->payload, &q)) return false;
  if (collect_ungrant(s, &q)) return true;
  struct peer *front = peer_get(s, ROLE_COUNT, q.front);
  struct session *sender =
      front && front->kind == ROLE_SMTPD ? session_find(front, q.session) : NULL;
  if (sender) {
    sender->account = 0;
    session_release_if_unused(sender);
  }
  struct session *session = front && is_pop3d(front) ? session_find(front, q.session) : NULL;
  if (session && !session->open) {
    s->shell.set_state(s->shell.arg, ROLE_POP3D, q.front, q.session, POP_STRANGER);
    session_end(s, session);
  }
  if (front && front->kind == ROLE_COUNT && !front->sessions)
    store_process_lost(s, ROLE_COUNT, q.front);
  return true;
}

static bool answer_grant(struct store *s, struct peer *auth, uint64_t tag, bool known,
                         uint32_t wait_s) {
  auth_granted_put(&s->out, &(struct auth_granted){ .known = known, .wait_s = wait_s });
  store_send_to(s, auth, auth_granted_type, tag, -1);
  return true;
}

/* The session may send as that account. */
static bool submit_grant(struct store *s, const struct auth_grant *q) {
  struct peer *front = peer_get(s, ROLE_SMTPD, q->front);
  struct session *session = front ? session_get(front, q->session) : NULL;
  if (session) session->account = q->account;
  return session != NULL;
}

/* The session may open the account's maildrop. The role of its process may not be known yet: the
 * grant can precede the front-end's first message. An smtpd never opens a maildrop, so nothing
 * needs to be recorded for it. */
static bool maildrop_grant(struct store *s, const struct auth_grant *q) {
  struct peer *front = peer_get(s, ROLE_COUNT, q->front);
  if (!front || !is_pop3d(front)) return front != NULL;
  struct session *session = session_get(front, q->session);
  if (!session || session->open || session->pending) return false;
  session->account = q->account;
  s->shell.set_state(s->shell.arg, ROLE_POP3D, q->front, q->session, POP_GRANTED);
  return true;
}

static bool take_grant(struct store *s, struct peer *auth, const struct ipc_msg *m, int64_t now_s) {
  struct auth_grant q;
  struct dir_account account;
  if (!auth_grant_get(m->payload, &q) || q.service >= GRANT_SERVICES ||
      (q.service == GRANT_COLLECTION) != (q.source != 0))
    return false;
  bool known = q.account && dir_account(&s->dir, q.account, &account) == DIR_FOUND;
  /* the account's last login was too recent (LOGIN-DELAY) */
  uint32_t wait_s = known && q.service == GRANT_MAILDROP ? rules_wait(s, &account, now_s) : 0;
  if (!known || wait_s) return answer_grant(s, auth, m->tag, known, wait_s);
  switch ((enum grant_service)q.service) {
  case GRANT_MAILDROP: known = maildrop_grant(s, &q); break;
  case GRANT_SUBMISSION: known = submit_grant(s, &q); break;
  case GRANT_COLLECTION: known = collect_grant(s, &q); break;
  case GRANT_SERVICES: return false;
  }
  return answer_grant(s, auth, m->tag, known, 0);
}

bool grant_message(struct store *s, struct peer *auth, const struct ipc_msg *m, int64_t now_s) {
  switch (m->type) {
  case auth_grant_type: return take_grant(s, auth, m, now_s);
  case auth_revoke_type: return take_back(s, m);
  case auth_uncollect_type: return collect_forget(s, m, now_s);
  default: return false;
  }
}

/* --- open --- */

static void answer_opened(struct store *s, struct session *session, const struct pop_opened *a) {
  pop_opened_put(&s->out, a);
  store_send(s, session, pop_opened_type);
}

/* The grant is used up: the session has to log in again. */
static void refuse_open(struct store *s, struct session *session, enum pop_outcome why) {
  answer_opened(s, session, &(struct pop_opened){ .outcome = why });
  s->shell.set_state(s->shell.arg, ROLE_POP3D, session->peer->number, session->tag, POP_STRANGER);
  session_end(s, session);
}

static void begin_open(struct store *s, struct session *session, struct maildrop_lock *lock) {
  struct dir_account a;
  enum dir_result found = dir_account(&s->dir, session->account, &a);
  struct open_job *j =
      found == DIR_FOUND ? job_new(KIND_OPEN, sizeof *j, session, session->asked_s) : NULL;
  if (!j) {
    refuse_open(s, session, found == DIR_UNKNOWN ? POP_DAMAGED : POP_TROUBLE);
    return;
  }
  BUG_IF(lock->locked_by && lock->locked_by != session,
         "account %ju is locked by session %ju and taken by %ju, %zu wait",
         (uintmax_t)session->account, (uintmax_t)lock->locked_by->tag, (uintmax_t)session->tag,
         (size_t)lock->waiters);
  lock->locked_by = session;
  session->open = true;
  session->inbox = j->folder = a.inbox;
  if (!housekeeping_parks(s, a.id, session, &j->job)) session_ask(s, session, &j->job);
}

/* Asks the session that has the maildrop whether it is idle: only its front-end knows whether its
 * client is active. */
static void ask_for_it(struct store *s, struct maildrop_lock *lock) {
  struct session *has = lock->locked_by;
  if (!s->conf->pop3_steal_after || lock->asked || lock->gone || has->gone) return;
  lock->asked = true;
  store_send(s, has, pop_wanted_type);
}

/* The lock is usually released in a moment: the other session belongs to the same user's other
 * device, or to the connection that this one replaces. False: this login cannot wait. */
static bool wait_for_it(struct store *s, struct session *session, struct maildrop_lock *lock) {
  bool any = s->conf->pop3_steal_after || s->conf->pop3_lock_wait;
  if (!any || lock->waiters >= POP_WAITERS_MAX || s->stopping) return false;
  struct session **end = &s->waiters;
  while (*end) end = &(*end)->next_waiter;
  *end = session;
  lock->waiters++;
  session->waiting = session->pending = true;
  session->wait_s = (uint32_t)s->conf->pop3_lock_wait;
  ask_for_it(s, lock);
  return true;
}

static void waited_in_vain(struct store *s, struct session *session) {
  session_wait_over(s, session);
  refuse_open(s, session, POP_IN_USE);
}

bool store_waits(const struct store *s) { return s->waiters && !s->stopping; }

/* Refuses the logins that have waited long enough; the others ask again, as the other session may
 * be idle by now. */
void store_tick(struct store *s) {
  for (struct session *session = s->waiters, *next; session; session = next) {
    next = session->next_waiter;
    if (session->wait_s) session->wait_s--;
    struct maildrop_lock *lock = lock_find(&s->locks, session->account);
    if (!session->wait_s && !(lock && lock->asked && !lock->gone))
      waited_in_vain(s, session);
    else if (lock && lock->locked_by)
      ask_for_it(s, lock);
  }
}

static bool open_maildrop(struct store *s, struct session *session, const struct ipc_msg *m,
                          int64_t now_s) {
  struct pop_open q;
  if (!pop_open_get(m->payload, &q) || session->open || !session->account) return false;
  struct maildrop_lock *lock = lock_get(&s->locks, session->account);
  session->asked_s = now_s;
  if (lock && !lock->locked_by)
    begin_open(s, session, lock);
  else if (!lock || !wait_for_it(s, session, lock))
    refuse_open(s, session, lock ? POP_IN_USE : POP_TROUBLE);
  return true;
}

void pop_open_now(struct store *s, struct session *session) {
  struct maildrop_lock *lock = lock_find(&s->locks, session->account);
  if (s->stopping || !lock) return; /* it ends with everything else */
  session_wait_over(s, session);
  begin_open(s, session, lock);
}

/* The lock of this session's maildrop, if it was asked to release it. */
static struct maildrop_lock *wanted_of(struct store *s, const struct session *session) {
  struct maildrop_lock *lock =
      session && session->open ? lock_find(&s->locks, session->account) : NULL;
  return lock && lock->locked_by == session && lock->asked ? lock : NULL;
}

static bool keep_maildrop(struct store *s, struct peer *p, const struct ipc_msg *m) {
  struct pop_keep q;
  if (!pop_keep_get(m->payload, &q)) return false;
  struct maildrop_lock *lock = wanted_of(s, session_find(p, m->tag));
  if (!lock) return true; /* it was not asked */
  lock->asked = false;
  for (struct session *session = s->waiters, *next; session; session = next) {
    next = session->next_waiter;
    if (session->account == lock->account && !session->wait_s) waited_in_vain(s, session);
  }
  return true;
}

/* As many whole rows as fit one part. */
static size_t part_of(struct slice rows) {
  size_t n = 0;
  while (n < rows.n) {
    int last = slice_at(rows, n + 12);
    size_t row = 13u + (size_t)(last & POP_ROW_UIDL) + (last & POP_ROW_SURROGATE ? 8 : 0);
    if (n + row > IPC_CHUNK) break;
    n += row;
  }
  return n;
}

static void send_listing(struct store *s, struct session *session, struct slice rows) {
  do {
    size_t n = part_of(rows);
    struct pop_listing part = { .last = n == rows.n, .rows = slice_first(rows, n) };
    rows = slice_from(rows, n);
    pop_listing_put(&s->out, &part);
    store_send(s, session, pop_listing_type);
  } while (rows.n);
}

static enum pop_outcome pop_outcome_of(enum job_result r) {
  switch (r) {
  case JOB_DONE: return POP_DONE;
  case JOB_DAMAGED:
  case JOB_MISSING: return POP_DAMAGED;
  default: return POP_TROUBLE;
  }
}

void open_finish(struct store *s, struct store_job *j) {
  struct open_job *o = (struct open_job *)j;
  struct session *session = session_answered(s, j);
  if (!session) return;
  if (j->result != JOB_DONE) {
    refuse_open(s, session, pop_outcome_of(j->result));
    return;
  }
  session->uid_end = o->uid_end;
  session->count = o->count;
  buf_init(&session->deletes, 4 * (size_t)o->count);
  struct dir_account a = { .limits = DIR_LIMITS_DEFAULT };
  struct maildrop_lock *lock = lock_find(&s->locks, session->account);
  if (lock) lock->login_s = j->now_s;
  bool known = dir_account(&s->dir, session->account, &a) == DIR_FOUND,
       any_delay = rules_of_all(s)->login_delay != POP_NO_DELAY;
  answer_opened(
      s, session,
      &(struct pop_opened){ POP_DONE, o->count, o->octets, o->uidvalidity,
                            known && any_delay ? rules_login_delay(s, &a.limits) : POP_NO_DELAY,
                            known ? rules_expire(s, &a.limits) : POP_NEVER, session->taken });
  send_listing(s, session, buf_slice(&o->rows));
}

/* --- read --- */

static void answer_chunk(struct store *s, struct session *session, const struct pop_chunk *a) {
  pop_chunk_put(&s->out, a);
  store_send(s, session, pop_chunk_type);
}

/* Records that a POP3 session has read the beginning of the message, by RETR or TOP. */
static void note_read(struct store *s, const struct session *session, uint32_t uid, int64_t now_s) {
  history_note(s, &(struct history_event){ .kind = HISTORY_READ,
                                           .at_s = now_s,
                                           .account = session->account,
                                           .folder = session->inbox,
                                           .uid = uid });
}

/* False: not uids of this maildrop. */
static bool note_begun(struct store *s, const struct session *session, struct slice uids,
                       int64_t now_s) {
  struct wire w = wire_open(uids);
  while (w.rest.n) {
    uint32_t uid = wire_get_u32(&w);
    if (w.bad || uid >= session->uid_end) return false;
    note_read(s, session, uid, now_s);
  }
  return true;
}

/* False: they are malformed, not ascending, or not in this maildrop. */
static bool take_ahead(const struct session *session, struct slice uids, uint32_t *ret) {
  struct wire w = wire_open(uids);
  for (size_t i = 0; w.rest.n; i++) {
    ret[i] = wire_get_u32(&w);
    if (w.bad || ret[i] >= session->uid_end || (i && ret[i] <= ret[i - 1])) return false;
  }
  return true;
}

static bool read_message(struct store *s, struct session *session, const struct ipc_msg *m,
                         int64_t now_s) {
  struct pop_read q;
  uint32_t ahead[POP_AHEAD_MAX];
  if (!pop_read_get(m->payload, &q) || q.uid >= session->uid_end ||
      !take_ahead(session, q.ahead, ahead) || !note_begun(s, session, q.begun, now_s))
    return false;
  struct read_job *j = job_new(KIND_READ, sizeof *j, session, now_s);
  if (!j) {
    answer_chunk(s, session, &(struct pop_chunk){ .outcome = POP_TROUBLE });
    return true;
  }
  j->folder = session->inbox;
  j->uid = q.uid;
  j->offset = q.offset;
  j->most = q.most < IPC_CHUNK ? q.most : IPC_CHUNK;
  memcpy(j->ahead, ahead, q.ahead.n);
  j->ahead_count = q.ahead.n / 4;
  j->file.fd = -1;
  session_ask(s, session, &j->job);
  return true;
}

/* The descriptor goes to pop3d with its message; without `ss` nobody waits for it and it is
 * closed. */
static void send_file(struct store *s, struct session *session, struct read_file *f) {
  if (session) {
    pop_file_put(&s->out,
                 &(struct pop_file){ f->uid, f->start, f->size, f->summed, f->sum, f->head });
    store_send_to(s, session->peer, pop_file_type, session->tag, f->fd);
  } else if (f->fd >= 0) {
    close(f->fd);
  }
  f->fd = -1;
}

void read_finish(struct store *s, struct store_job *j) {
  struct read_job *r = (struct read_job *)j;
  struct session *session = session_answered(s, j), *to = j->result == JOB_DONE ? session : NULL;
  if (to && !r->offset) note_read(s, to, r->uid, j->now_s);
  bool in_file = to && r->file.fd >= 0;
  for (size_t i = 0; i < r->next_count; i++) send_file(s, to, &r->next[i]);
  if (in_file || !to) send_file(s, to, &r->file);
  if (in_file || !session) return;
  bool fine = j->result == JOB_DONE;
  answer_chunk(s, session,
               &(struct pop_chunk){ pop_outcome_of(j->result), fine && r->file.summed,
                                    fine ? r->file.sum : 0,
                                    fine ? buf_slice(&r->data) : SLICE_NONE });
}

/* --- delete and quit --- */

static bool note_deletes(struct session *session, const struct ipc_msg *m) {
  struct pop_delete q;
  if (!pop_delete_get(m->payload, &q) || q.uids.n % 4) return false;
  struct wire w = wire_open(q.uids);
  while (w.rest.n)
    if (wire_get_u32(&w) >= session->uid_end) return false;
  if (q.uids.n > buf_room(&session->deletes)) return false; /* more than there are messages */
  buf_put(&session->deletes, q.uids);
  return !session->deletes.failed;
}

static void answer_done(struct store *s, struct session *session, enum pop_outcome outcome,
                        uint32_t deleted) {
  pop_done_put(&s->out, &(struct pop_done){ outcome, deleted });
  store_send(s, session, pop_done_type);
  session_end(s, session);
}

static int by_uid(const void *a, const void *b) {
  uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
  return x < y ? -1 : x > y;
}

static struct quit_job *new_quit_job(struct session *session, bool keep, int64_t now_s) {
  size_t n = buf_len(&session->deletes) / 4;
  struct quit_job *j = job_new(KIND_QUIT, sizeof *j, session, now_s);
  if (!j) return NULL;
  j->uids = calloc(n, sizeof *j->uids);
  if (!j->uids) {
    job_free(j);
    return NULL;
  }
  struct wire w = wire_open(buf_slice(&session->deletes));
  for (size_t i = 0; i < n; i++) j->uids[i] = wire_get_u32(&w);
  qsort(j->uids, n, sizeof *j->uids, by_uid);
  j->count = n;
  j->keep = keep;
  j->account = session->account;
  j->folder = session->inbox;
  return j;
}

static bool quit(struct store *s, struct session *session, const struct ipc_msg *m, int64_t now_s) {
  struct pop_quit q;
  if (!pop_quit_get(m->payload, &q) || !note_begun(s, session, q.begun, now_s)) return false;
  if (!buf_len(&session->deletes)) {
    answer_done(s, session, POP_DONE, 0);
    return true;
  }
  struct quit_job *j = new_quit_job(session, s->conf->undelete_time > 0, now_s);
  if (j) j->job.number = folders_job(&s->folders);
  if (j)
    session_ask(s, session, &j->job);
  else
    answer_done(s, session, POP_TROUBLE, 0);
  return true;
}

void quit_finish(struct store *s, struct store_job *j) {
  struct quit_job *q = (struct quit_job *)j;
  bool fine = j->result == JOB_DONE;
  if (fine) folders_removed(&s->folders, j->number, q->account, q->octets);
  if (fine) s->deleted += q->deleted;
  for (size_t i = 0; fine && i < q->count; i++)
    history_note(s, &(struct history_event){ .kind = HISTORY_DELETED,
                                             .at_s = j->now_s,
                                             .account = q->account,
                                             .folder = q->folder,
                                             .uid = q->uids[i] });
  struct session *session = session_answered(s, j);
  if (session) answer_done(s, session, pop_outcome_of(j->result), fine ? q->deleted : 0);
}

/* --- the pair --- */

static bool close_session(struct store *s, struct peer *p, const struct ipc_msg *m, int64_t now_s) {
  struct pop_close q;
  if (!pop_close_get(m->payload, &q)) return false;
  struct session *session = session_find(p, m->tag);
  if (session && session->open && !note_begun(s, session, q.begun, now_s)) return false;
  struct maildrop_lock *lock = wanted_of(s, session);
  struct session *next = lock ? session_waiter(s, lock->account) : NULL;
  if (next) next->taken = true;
  if (session) session_end(s, session);
  return true;
}

static bool send_rules(struct store *s, struct peer *p, const struct ipc_msg *m) {
  struct pop_rules q;
  if (!pop_rules_get(m->payload, &q)) return false;
  p->knows_rules = true;
  pop_rules_are_put(&s->out, rules_of_all(s));
  store_send_to(s, p, pop_rules_are_type, m->tag, -1);
  return true;
}

bool pop_message(struct store *s, struct peer *p, const struct ipc_msg *m, int64_t now_s) {
  if (m->type == pop_rules_type) return send_rules(s, p, m);
  if (m->type == pop_keep_type) return keep_maildrop(s, p, m);
  if (m->type == pop_close_type) return close_session(s, p, m, now_s);
  struct session *session = session_find(p, m->tag);
  if (!session || session->pending) return false;
  if (m->type == pop_open_type) return open_maildrop(s, session, m, now_s);
  if (!session->open) return false;
  switch (m->type) {
  case pop_read_type: return read_message(s, session, m, now_s);
  case pop_delete_type: return note_deletes(session, m);
  case pop_quit_type: return quit(s, session, m, now_s);
  default: return false;
  }
}
