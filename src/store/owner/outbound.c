/* SPDX-License-Identifier: ISC */
/* Letters in hands: what is due is taken from the queue and handed to the sender, and comes back
 * with its result (outbound_results.c), with the loss of the sender, or by housekeeping. outbound.h
 * has the states of a letter.
 *
 *  1. A letter is handed over only to the sender that its take was made for.
 *  2. `by_tag` has exactly the letters in hands, settling or overdue; their rows are in `hands`
 *     until
 *     their result is durable.
 *  3. Credit is spent when a take begins; when it ends, the unused part is returned, unless another
 *     sender has taken over by then. */
#include <stdlib.h>

#include "src/store/jobs/queue_view.h"
#include "src/store/owner/finish.h"
#include "src/store/owner/outbound_inside.h"
#include "src/store/owner/owner.h"
#include "src/store/owner/postmaster.h"
#include "src/store/owner/routes.h"
#include "src/store/owner/signer.h"
#include "src/store/sql/owner_reads.h"
#include "src/store/sql/queue.h"

/* --- life --- */

void outbound_init(struct store *s) {
  struct outbound *o = &s->outbound;
  sched_init(&o->schedule, (uint32_t)s->conf->destination_window);
  map_init(&o->by_tag);
  hands_init(&o->hands);
  late_walk_init(&o->late);
  map_init(&o->reports_to);
  o->notice_wake = SCHED_NEVER;
}

static bool load_destination(void *arg, struct slice destination, int64_t due) {
  return sched_due(&((struct store *)arg)->outbound.schedule, destination, due);
}

enum db_result outbound_load(struct store *s, struct db *db) {
  enum db_result r = read_secret(db, s->outbound.secret, SRS_SECRET);
  if (r == DB_OK) r = tls_failures_load(s, db);
  return r == DB_OK ? queue_destinations(db, load_destination, s) : r;
}

void outbound_sending_free(struct store *s, struct sending *x) {
  if (x->sender && x->sender == s->outbound.sender) s->outbound.given--;
  hands_free(&s->outbound.hands, &x->letter, x->tag);
  map_remove(&s->outbound.by_tag, x->tag);
  arena_reset(&x->memory);
  free(x);
}

void outbound_free(struct store *s) {
  struct outbound *o = &s->outbound;
  uint64_t key, value;
  for (size_t i = 0; map_each(&o->by_tag, &i, &key, &value);) {
    struct sending *x = (struct sending *)(uintptr_t)value;
    arena_reset(&x->memory);
    free(x);
  }
  while (o->parked) {
    struct result_job *r = o->parked;
    o->parked = (struct result_job *)r->job.next;
    job_free(r);
  }
  map_free(&o->by_tag);
  hands_done(&o->hands);
  tls_failures_free(&s->tls_failures);
  late_walk_free(&o->late);
  map_free(&o->reports_to);
  sched_free(&o->schedule);
}

/* --- the take --- */

static struct take_job *new_take(struct store *s, struct sched_head *h, int64_t now_s) {
  struct outbound *o = &s->outbound;
  struct take_job *t = job_new(KIND_TAKE, sizeof *t + h->name.n, NULL, now_s);
  if (!t) return NULL;
  memcpy(t + 1, h->name.p, h->name.n);
  t->destination = slice_of(t + 1, h->name.n);
  t->secret = slice_of(o->secret, SRS_SECRET);
  t->cursor = h->cursor;
  t->sender = o->sender;
  hands_take_begins(&o->hands, t);
  t->most = sched_take(&o->schedule, h);
  if (t->most > o->credit) t->most = (uint32_t)o->credit;
  o->credit -= t->most;
  return t;
}

void outbound_run(struct store *s, int64_t now_s) {
  struct outbound *o = &s->outbound;
  struct sched_head *h;
  o->now_s = now_s;
  while (!s->stopping && o->sender && o->credit && (h = sched_ready(&o->schedule, now_s)) != NULL) {
    struct take_job *t = new_take(s, h, now_s);
    if (!t) break; /* no memory: housekeeping tries again */
    s->jobs_out++;
    s->shell.enqueue(s->shell.arg, &t->job, false);
  }
  int64_t wake = o->sender && o->credit ? sched_wake(&o->schedule) : SCHED_NEVER;
  if (wake == o->notice_wake || !s->shell.wake_at) return;
  o->notice_wake = wake;
  s->shell.wake_at(s->shell.arg, wake);
}

void store_due(struct store *s, int64_t now_s) {
  s->outbound.notice_wake = SCHED_NEVER;
  outbound_run(s, now_s);
}

static bool copy(struct arena *a, struct slice *s) {
  bool had = s->n > 0;
  if (had) *s = arena_copy(a, *s);
  return !had || s->p;
}

static bool copy_rcpts(struct arena *a, struct taken_letter *l) {
  struct taken_rcpt *rcpts = arena_alloc(a, l->count * sizeof *rcpts);
  if (!rcpts) return false;
  memcpy(rcpts, l->rcpts, l->count * sizeof *rcpts);
  l->rcpts = rcpts;
  bool fine = true;
  for (size_t i = 0; fine && i < l->count; i++)
    fine = copy(a, &rcpts[i].address) && copy(a, &rcpts[i].orcpt);
  return fine;
}

bool outbound_copy_letter(struct arena *a, const struct taken_letter *from,
                          struct taken_letter *to) {
  *to = *from;
  to->octets = to->wire_path = SLICE_NONE;
  to->next = NULL;
  return copy(a, &to->name) && copy(a, &to->forwarder) && copy(a, &to->letter.return_path) &&
         copy(a, &to->letter.envid) && copy_rcpts(a, to);
}

/* Gives the letter a tag. NULL without memory. */
static struct sending *hand_over(struct store *s, struct sched_head *h,
                                 const struct taken_letter *l, int64_t now_s) {
  struct outbound *o = &s->outbound;
  struct sending *x = calloc(1, sizeof *x);
  if (!x) return NULL;
  *x = (struct sending){ .tag = ++o->next_tag, .sender = o->sender, .head = h, .since_s = now_s };
  o->given++;
  arena_init(&x->memory, SENDING_MEMORY);
  if (outbound_copy_letter(&x->memory, l, &x->letter) && map_put_ptr(&o->by_tag, x->tag, x) &&
      hands_take(&o->hands, &x->letter, x->tag))
    return x;
  outbound_sending_free(s, x);
  return NULL;
}

/* A forwarder with a non-ASCII address is in a field prepended to the message (queue_take.c). */
static uint8_t send_flags_of(const struct taken_letter *l) {
  uint8_t flags = l->letter.flags & (uint8_t)~QUEUE_FLAGS;
  return slice_has_high(l->forwarder)
             ? flags | ENVELOPE_UTF8 | ENVELOPE_UTF8_HEADER | ENVELOPE_EIGHT_BIT
             : flags;
}

static uint8_t most_doubts(const struct taken_letter *l) {
  uint32_t most = 0;
  for (size_t i = 0; i < l->count; i++)
    if (l->rcpts[i].doubts > most) most = l->rcpts[i].doubts;
  return most < UINT8_MAX ? (uint8_t)most : UINT8_MAX;
}

static void send_letter_to(struct store *s, uint64_t tag, const struct sched_head *h,
                           const struct taken_letter *l) {
  struct buf list, signer;
  struct routes_whose whose;
  routes_whose(s, &l->letter, l->forwarder, &whose);
  buf_init(&list, ENVELOPE_RCPTS_MAX);
  buf_init(&signer, SEND_DESTINATION_MAX);
  signer_of(s, l, &signer);
  for (size_t i = 0; i < l->count; i++)
    envelope_rcpt_put(&list, &(struct envelope_rcpt){ l->rcpts[i].row, l->rcpts[i].notify,
                                                      l->rcpts[i].address, l->rcpts[i].orcpt });
  struct send_letter m = {
    .id = l->name,
    .destination = routes_domain(h->name),
    .account = buf_slice(&whose.account),
    .sender = buf_slice(&whose.sender),
    .envelope = { .return_path = l->wire_path,
                  .envid = l->letter.envid,
                  .ret = l->letter.ret,
                  .flags = send_flags_of(l),
                  .size = l->size,
                  .rcpts = buf_slice(&list) },
    .doubts = most_doubts(l),
    .signer = buf_slice(&signer),
    .octets = l->octets,
  };
  send_letter_put(&s->out, &m);
  struct slice payload = list.failed || s->out.failed ? SLICE_NONE : buf_slice(&s->out);
  s->shell.send(s->shell.arg, ROLE_SENDER, s->outbound.sender, send_letter_type, tag, payload, -1);
  buf_reset(&s->out);
  buf_free(&list);
  buf_free(&signer);
  routes_whose_free(&whose);
}

enum given { GIVEN_NOT, GIVEN_SENT, GIVEN_ENDED };

/* Hands it to the sender; or it gets a tag and ends here. GIVEN_NOT: no memory. */
static enum given give(struct store *s, struct sched_head *h, const struct taken_letter *l,
                       int64_t now_s) {
  const struct send_outcome loops = {
    .fate = SEND_PERMANENT,
    .enhanced = { 5, 4, 6 },
    .text = SLICE("it was forwarded by the same address before, and came back"),
  };
  struct sending *x = hand_over(s, h, l, now_s);
  if (!x) return GIVEN_NOT;
  if (!l->over && !l->loops) {
    send_letter_to(s, x->tag, h, l);
  } else {
    x->settling = true;
    if (!outbound_settle_here(s, x->tag, &x->letter, l->over ? &outbound_over : &loops, now_s)) {
      outbound_sending_free(s, x);
      return GIVEN_NOT;
    }
  }
  s->outbound.in_hands++;
  return l->over || l->loops ? GIVEN_ENDED : GIVEN_SENT;
}

void take_finish(struct store *s, struct store_job *j) {
  struct take_job *t = (struct take_job *)j;
  struct outbound *o = &s->outbound;
  struct sched_head *h = sched_find(&o->schedule, t->destination);
  uint32_t given = 0, sent = 0;
  bool same = o->sender == t->sender; /* the take was made for another sender process */
  bool fine = j->result == JOB_DONE && same && !s->stopping && !hands_doubts(&o->hands, t);
  for (struct taken_letter *l = t->letters; fine && h && l; l = l->next) {
    if (!hands_leave_out(&o->hands, t, l)) continue;
    enum given way = give(s, h, l, j->now_s);
    fine = way != GIVEN_NOT;
    given += fine;
    sent += way == GIVEN_SENT;
  }
  hands_take_ends(&o->hands, t);
  if (same && t->most > sent) o->credit += t->most - sent;
  if (!h) return;
  if (fine)
    sched_taken(&o->schedule, h, given, t->cursor, t->next_due);
  else /* some are left: they are taken a little later, when those in hands have come back */
    sched_taken(&o->schedule, h, given, given ? t->cursor : h->cursor,
                same ? j->now_s + 5 : j->now_s);
  outbound_run(s, j->now_s);
}

void outbound_fresh(struct store *s, const struct queue_rcpt *rcpts, size_t count, int64_t now_s) {
  for (size_t i = 0; i < count; i++) /* no memory: at the next start */
    if (!rcpts[i].held) sched_due(&s->outbound.schedule, rcpts[i].destination, now_s);
  outbound_run(s, now_s);
}

bool outbound_due(struct store *s, struct slice destination) {
  struct outbound *o = &s->outbound;
  if (!sched_due(&o->schedule, destination, o->now_s)) return false;
  struct sched_head *h = sched_find(&o->schedule, destination);
  if (h) sched_revive(&o->schedule, h);
  return true;
}

/* --- what the sender says --- */

struct sending *outbound_sending_of(struct store *s, uint64_t tag) {
  return map_ptr(&s->outbound.by_tag, tag);
}

struct sending *outbound_sending_by(struct store *s, uint32_t sender, uint64_t tag) {
  struct sending *x = outbound_sending_of(s, tag);
  return x && x->sender == sender ? x : NULL;
}

static bool ready(struct store *s, struct peer *p, const struct ipc_msg *m, int64_t now_s) {
  struct outbound *o = &s->outbound;
  struct send_ready q;
  if (m->tag || !send_ready_get(m->payload, &q)) return false;
  if (p->number < o->newest) return true; /* a newer one has replaced it */
  if (o->sender != p->number) {
    o->credit = o->given = 0;
    tls_failures_send(s, p, now_s);
  }
  o->sender = o->newest = p->number;
  o->credit += q.letters;
  if (o->credit + o->given > 2 * (uint64_t)SEND_CREDIT_MAX) return false;
  outbound_run(s, now_s);
  return true;
}

static void answer_octets(struct store *s, uint32_t sender, uint64_t tag, struct slice octets) {
  send_octets_put(&s->out, &(struct send_octets){ octets });
  s->shell.send(s->shell.arg, ROLE_SENDER, sender, send_octets_type, tag, buf_slice(&s->out), -1);
  buf_reset(&s->out);
}

static bool read_more(struct store *s, struct peer *p, const struct ipc_msg *m, int64_t now_s) {
  struct send_read q;
  struct sending *x = outbound_sending_by(s, p->number, m->tag);
  if (!send_read_get(m->payload, &q) || !x || q.offset > x->letter.size ||
      q.offset < x->letter.before)
    return false;
  struct octets_job *o = job_new(KIND_OCTETS, sizeof *o, NULL, now_s);
  if (!o) {
    answer_octets(s, p->number, m->tag, SLICE_NONE);
    return true;
  }
  o->tag = m->tag;
  o->body = x->letter.body;
  o->offset = x->letter.skip + q.offset - x->letter.before;
  o->sender = p->number;
  s->jobs_out++;
  s->shell.enqueue(s->shell.arg, &o->job, false);
  return true;
}

void octets_finish(struct store *s, struct store_job *j) {
  struct octets_job *o = (struct octets_job *)j;
  if (outbound_sending_by(s, o->sender, o->tag))
    answer_octets(s, o->sender, o->tag, j->result == JOB_DONE ? buf_slice(&o->octets) : SLICE_NONE);
}

static bool take_where(struct store *s, struct peer *p, const struct ipc_msg *m) {
  struct send_where w;
  struct sending *x = outbound_sending_by(s, p->number, m->tag);
  if (!send_where_get(m->payload, &w) || w.where >= SEND_WHERES || !x) return false;
  x->where = w.where;
  x->session = w.session;
  return true;
}

bool outbound_message(struct store *s, struct peer *p, const struct ipc_msg *m, int64_t now_s) {
  switch (m->type) {
  case send_ready_type: return ready(s, p, m, now_s);
  case send_read_type: return read_more(s, p, m, now_s);
  case send_result_type: return outbound_result(s, p, m, now_s);
  case send_where_type: return take_where(s, p, m);
  case send_no_tls_type: return tls_failures_take(s, m, now_s);
  case send_login_refused_type: return postmaster_login_refused(s, m, now_s);
  default: return false;
  }
}

/* --- out of hands --- */

static bool has_returned(const struct result_job *r) {
  for (size_t i = 0; i < r->count; i++)
    if (r->results[i].move >= QUEUE_CUT) return true;
  return false;
}

/* The letter is out of hands; its rows that wait again are due then. `due` 0: as each result
 * says. */
void outbound_back_to_schedule(struct store *s, struct sending *x, const struct result_job *r,
                               enum sched_news news, int64_t due) {
  struct outbound *o = &s->outbound;
  int64_t first = due ? due : SCHED_NEVER;
  for (size_t i = 0; r && i < r->count; i++) {
    const struct queue_result *q = &r->results[i];
    if (q->destination.n)
      sched_due(&o->schedule, q->destination, q->due);
    else if (queue_stays(q->move) && q->due < first)
      first = q->due;
  }
  if (first != SCHED_NEVER) sched_due(&o->schedule, x->head->name, first);
  o->in_hands--;
  if (!r || has_returned(r)) sched_rewind(&o->schedule, x->head);
  sched_back(&o->schedule, x->head, news, r ? r->dead_until : 0);
}

/* --- the sender is gone --- */

/* The letter of a lost sender: back at once, or once the history has recorded an interrupted
 * attempt. */
static void lose(struct store *s, struct sending *x, int64_t now_s) {
  x->sender = 0;
  if (!x->overdue && outbound_settle_cut(s, x, now_s)) return;
  if (!x->overdue) outbound_back_to_schedule(s, x, NULL, SCHED_LOST, now_s);
  outbound_sending_free(s, x);
}

void outbound_sender_lost(struct store *s, uint32_t number, int64_t now_s) {
  struct outbound *o = &s->outbound;
  if (o->sender == number) o->sender = 0, o->credit = o->given = 0;
  struct id_list lost = { 0 };
  uint64_t key, value;
  for (size_t i = 0; map_each(&o->by_tag, &i, &key, &value);) {
    struct sending *x = (struct sending *)(uintptr_t)value;
    if (x->sender != number) continue;
    if (!x->settling)
      id_list_add(&lost, key);
    else
      x->overdue = false, x->sender = 0; /* it ends with its result job */
  }
  for (size_t i = 0; i < lost.count; i++) lose(s, outbound_sending_of(s, lost.ids[i]), now_s);
  id_list_free(&lost);
  if (o->expire.away) outbound_expire(s, now_s);
  outbound_run(s, now_s);
}

size_t outbound_rows(const struct outbound *o, struct view_row *rows, size_t most) {
  uint64_t key, value;
  size_t count = 0;
  for (size_t i = 0; map_each(&o->by_tag, &i, &key, &value);) {
    const struct sending *x = (const struct sending *)(uintptr_t)value;
    for (size_t n = 0; !x->overdue && n < x->letter.count; n++, count++)
      if (count < most)
        rows[count] = (struct view_row){ x->letter.rcpts[n].row, x->since_s, x->where, x->session };
  }
  return count;
}

bool outbound_has_row(const struct store *s, uint64_t row) {
  return hands_has(&s->outbound.hands, row);
}

/* --- housekeeping --- */

/* The schedule is updated when that is durable: until then its rows count as in hands. */
static void take_back(struct store *s, struct sending *x, int64_t now_s) {
  s->shell.send(s->shell.arg, ROLE_SENDER, x->sender, send_recall_type, x->tag, SLICE_NONE, -1);
  x->settling = x->overdue = true;
  const struct send_outcome too_long = { .fate = SEND_TEMPORARY,
                                         .enhanced = { 4, 4, 7 },
                                         .text = SLICE("the sender had it too long") };
  if (!outbound_settle_here(s, x->tag, &x->letter, &too_long, now_s))
    x->settling = x->overdue = false;
}

static void take_back_overdue(struct store *s, int64_t now_s) {
  struct id_list late = { 0 };
  uint64_t key, value;
  for (size_t i = 0; map_each(&s->outbound.by_tag, &i, &key, &value);) {
    const struct sending *x = (const struct sending *)(uintptr_t)value;
    if (!x->settling && !x->overdue && now_s - x->since_s >= SEND_PATIENCE_S)
      id_list_add(&late, key);
  }
  for (size_t i = 0; i < late.count; i++) take_back(s, outbound_sending_of(s, late.ids[i]), now_s);
  id_list_free(&late);
}

static void retry_parked(struct store *s) {
  while (s->outbound.parked) {
    struct result_job *r = s->outbound.parked;
    s->outbound.parked = (struct result_job *)r->job.next;
    r->job.next = NULL;
    s->jobs_out++;
    s->shell.enqueue(s->shell.arg, &r->job, true);
  }
}

static void trim_history(struct store *s, int64_t now_s) {
  struct attempts_job *h = job_new(KIND_ATTEMPTS, sizeof *h, NULL, now_s);
  if (!h) return;
  h->before_s = now_s - (int64_t)s->conf->queue_history;
  s->jobs_out++;
  s->shell.enqueue(s->shell.arg, &h->job, true);
}

void outbound_housekeeping(struct store *s, int64_t now_s) {
  if (s->stopping) return;
  retry_parked(s);
  take_back_overdue(s, now_s);
  outbound_expire(s, now_s);
  late_due(s, now_s);
  history_flush(s, now_s);
  if (now_s % 3600 < STORE_TIDY_EVERY_S) trim_history(s, now_s);
  outbound_run(s, now_s);
}
