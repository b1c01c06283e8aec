/* SPDX-License-Identifier: ISC */
/* Results: the new state of each recipient of a letter after the sender's report, or after a
 * decision made here, and what follows once that is durable. outbound.c hands the letters over.
 *
 *  1. A result job has each recipient of its letter once, and each has exactly one outcome.
 *  2. A failure is not final without its report: without memory for that, the row waits on.
 *  3. A result that could not be written is kept and tried again: what the other server has
 *     accepted
 *     must not be sent twice. */
#include <stdlib.h>

#include "mail/smtp/client.h"
#include "src/store/owner/finish.h"
#include "src/store/owner/outbound_inside.h"
#include "src/store/owner/owner.h"
#include "src/store/owner/report.h"
#include "src/store/owner/routes.h"

enum {
  REPORT_AGAIN_S = 60,
  /* how often a message is sent although the server may already have taken it: each may be one more
   * copy */
  DOUBTS_MAX = 3,
  /* the minimum delay between the second and the third, in first delays: two hours by default */
  DOUBT_DELAYS = 24,
};

/* --- what a result leads to --- */

static bool wants(uint8_t notify, uint8_t bit, bool by_default) {
  return notify ? (notify & bit) && !(notify & SMTP_NOTIFY_NEVER) : by_default;
}

/* the number of short delays; after that greylisting is treated like any temporary failure */
enum { GREYLISTED_TRIES = 20 };

/* The class of the outcome determines how soon another try makes sense. */
static uint32_t delay_after(const struct store *s, const struct queue_result *q) {
  const struct conf *c = s->conf;
  struct smtp_class_delay d = smtp_class_delay(q->class);
  uint64_t first = c->retry_first * d.first,
           most = d.most ? c->retry_first * d.most : c->retry_most;
  uint32_t chance = 0;
  if (q->class == SMTP_CLASS_GREYLISTED && q->rcpt.tries >= GREYLISTED_TRIES) most = c->retry_most;
  if (most > c->retry_most) most = c->retry_most;
  if (q->doubtful && q->rcpt.doubts && first < c->retry_first * DOUBT_DELAYS)
    first = c->retry_first * DOUBT_DELAYS;
  if (first > most) first = most;
  s->shell.random(s->shell.arg, &chance, sizeof chance);
  return sched_delay(q->rcpt.delay, (uint32_t)first, (uint32_t)most, chance);
}

static enum smtp_class class_of(const struct store *s, const struct send_outcome *o) {
  const struct smtp_class_rules own = { s->conf->reply_classes.items,
                                        s->conf->reply_classes.count };
  return o->fate == SEND_DELIVERED ? SMTP_CLASS_UNKNOWN
                                   : smtp_class_of(&own, o->code, o->enhanced, o->text);
}

enum { LAST_TRY_BEFORE_S = 300, LAST_TRY_PART = 20 };

/* After the deadline nothing is tried, so the last try is a little before it. */
static int64_t last_try(const struct taken_letter *l, int64_t expires) {
  int64_t before = (expires - l->came_s) / LAST_TRY_PART;
  if (before > LAST_TRY_BEFORE_S) before = LAST_TRY_BEFORE_S;
  return expires - (before > 1 ? before : 1);
}

/* After a temporary result: the next try, or the end. */
static void put_off(const struct store *s, const struct taken_letter *l, struct queue_result *q,
                    int64_t now_s) {
  int64_t last = last_try(l, q->rcpt.expires);
  if (now_s >= last) {
    q->move = QUEUE_FAILED;
    q->over = true;
    q->report = wants(q->rcpt.notify, SMTP_NOTIFY_FAILURE, true);
    return;
  }
  q->move = QUEUE_LATER;
  q->delay = delay_after(s, q);
  q->due = now_s + q->delay < last ? now_s + q->delay : last;
}

/* No attempt is counted: it is due at once. */
static void put_back(struct queue_result *q, enum queue_move move, int64_t now_s) {
  q->move = move;
  q->due = now_s;
}

/* 4.4.2: the connection was lost, or no reply came in time. */
static bool is_lost(const struct send_outcome *o) {
  return o->enhanced[0] == 4 && o->enhanced[1] == 4 && o->enhanced[2] == 2;
}

/* No reply decided it, though all of the message was sent. */
static bool is_doubtful(const struct queue_result *q) {
  return q->outcome.fate == SEND_TEMPORARY && q->outcome.stage == SMTP_STAGE_END &&
         !q->outcome.code && (q->class == SMTP_CLASS_PROTOCOL || is_lost(&q->outcome));
}

static void decide(const struct store *s, const struct taken_letter *l, struct queue_result *q,
                   int64_t now_s) {
  q->class = class_of(s, &q->outcome);
  q->doubtful = is_doubtful(q);
  if (q->doubtful && q->rcpt.doubts + 1 >= DOUBTS_MAX) {
    q->move = QUEUE_FAILED;
    q->outcome.enhanced[0] = 5;
    q->report = wants(q->rcpt.notify, SMTP_NOTIFY_FAILURE, true);
    return;
  }
  switch (q->outcome.fate) {
  case SEND_DELIVERED:
    q->move = QUEUE_DELIVERED;
    q->report = wants(q->rcpt.notify, SMTP_NOTIFY_SUCCESS, false) && !q->outcome.dsn;
    break;
  case SEND_PERMANENT:
    q->move = QUEUE_FAILED;
    q->report = wants(q->rcpt.notify, SMTP_NOTIFY_FAILURE, true);
    break;
  case SEND_UNTRIED: put_back(q, QUEUE_UNTOUCHED, now_s); break;
  case SEND_CUT: put_back(q, QUEUE_CUT, now_s); break;
  default: put_off(s, l, q, now_s);
  }
}

static struct result_job *new_result(struct store *s, const struct taken_letter *l, int64_t now_s) {
  struct result_job *r = job_new(KIND_RESULT, sizeof *r, NULL, now_s);
  if (!r) return NULL;
  arena_init(&r->memory, SENDING_MEMORY);
  r->letter = arena_alloc(&r->memory, sizeof *r->letter);
  r->results = calloc(l->count, sizeof *r->results);
  r->count = l->count;
  if (r->letter && r->results && outbound_copy_letter(&r->memory, l, r->letter)) {
    for (size_t i = 0; i < l->count; i++) r->results[i].rcpt = r->letter->rcpts[i];
    return r;
  }
  job_free(r);
  return NULL;
}

/* Each outcome must belong to a recipient of the letter, and each recipient must have one. */
static bool take_outcomes(struct result_job *r, struct slice list) {
  struct send_outcome o;
  size_t n = 0;
  while (send_outcome_next(&list, &o)) {
    struct queue_result *q = NULL;
    for (size_t i = 0; i < r->count && !q; i++)
      if (r->results[i].rcpt.row == o.row && !r->results[i].outcome.row) q = &r->results[i];
    if (!q) return false;
    q->outcome = o;
    q->outcome.text = o.text.n ? arena_copy(&r->memory, o.text) : SLICE_NONE;
    n++;
  }
  return !list.n && n == r->count;
}

/* There was no memory for the report. No row ends without it: failures are tried again. Only a
 * report of success is lost: what is delivered stays delivered. */
static void report_later(struct store *s, struct result_job *r, int64_t now_s) {
  report_free(&r->report);
  for (size_t i = 0; i < r->count; i++) {
    struct queue_result *q = &r->results[i];
    if (q->report && q->move == QUEUE_DELIVERED) report_dropped(s, r->letter->letter.return_path);
    if (q->report && q->move == QUEUE_FAILED) {
      q->move = QUEUE_LATER;
      q->over = false;
      q->due = now_s + REPORT_AGAIN_S;
    }
    q->report = false;
  }
}

static struct slice keep(struct result_job *r, struct slice s) {
  return s.n ? arena_copy(&r->memory, s) : SLICE_NONE;
}

/* The routes may have changed since the rows were written: waiting rows move to their current
 * destination, and the result does not affect the former one. */
static void set_destinations(struct store *s, struct result_job *r) {
  const struct sending *x = r->tag ? outbound_sending_of(s, r->tag) : NULL;
  if (!x || !x->head || (!s->conf->routes.count && slice_find(x->head->name, ' ') < 0)) return;
  struct routes_whose whose;
  struct buf b;
  buf_init(&b, QUEUE_DESTINATION_MAX);
  routes_whose(s, &r->letter->letter, r->letter->forwarder, &whose);
  routes_put_destination(s, routes_domain(x->head->name), &whose, &b);
  r->moved = !b.failed && !slice_eq(buf_slice(&b), x->head->name);
  struct slice now = r->moved ? keep(r, buf_slice(&b)) : SLICE_NONE;
  for (size_t i = 0; i < r->count; i++)
    if (r->results[i].move == QUEUE_LATER) r->results[i].destination = now;
  routes_whose_free(&whose);
  buf_free(&b);
}

/* A report, or other mail with the empty reverse-path, to a user at this server's own name. If that
 * is not a local domain, and DNS leads nowhere or back here, the report about a local program's
 * mail (cron's, from and to root) would be lost unnoticed. */
static bool is_for_own_host(const struct store *s, const struct result_job *r) {
  if (r->letter->letter.return_path.n || !r->count) return false;
  struct slice address = r->results[0].rcpt.address;
  ptrdiff_t at = slice_rfind(address, '@');
  return at >= 0 && slice_caseeq(slice_from(address, (size_t)at + 1), slice_str(s->conf->hostname));
}

/* Mail of a local program without a reverse-path: only the postmaster can learn of its failure (RFC
 * 3461 §5.2), as with what pickup could not submit (src/pickup/tell.c). */
static bool is_orphan(const struct queue_letter *l) {
  return !l->return_path.n && (l->flags & QUEUE_LOCAL);
}

static void settle(struct store *s, struct result_job *r, int64_t now_s) {
  bool any = false, reported = (r->letter->letter.flags & QUEUE_REPORT) && s->conf->double_bounces,
       double_bounce = reported || is_for_own_host(s, r),
       to_postmaster = double_bounce || is_orphan(&r->letter->letter);
  r->dead_until = 0;
  for (size_t i = 0; i < r->count; i++) {
    struct queue_result *q = &r->results[i];
    decide(s, r->letter, q, now_s);
    q->report |= double_bounce && q->move == QUEUE_FAILED;
    any |= q->report;
    if (q->move == QUEUE_LATER && (!r->dead_until || q->due < r->dead_until))
      r->dead_until = q->due;
  }
  struct slice path = r->letter->letter.return_path;
  bool fine = !any || (to_postmaster ? report_to_postmaster(s, &r->memory, now_s, &r->report)
                                     : report_address(s, path, &r->memory, now_s, &r->report));
  if (!fine) report_later(s, r, now_s);
  set_destinations(s, r);
  s->jobs_out++;
  s->shell.enqueue(s->shell.arg, &r->job, true);
}

bool outbound_settle_cut(struct store *s, struct sending *x, int64_t now_s) {
  static const struct {
    enum smtp_stage stage;
    struct slice text; /* empty: no attempt was in progress */
  } cuts[SEND_WHERES] = {
    [SEND_HANDED_OVER] = { SMTP_STAGE_CONNECT, SLICE("the sender ended while it had the message") },
    [SEND_IN_SESSION] = { SMTP_STAGE_MAIL, SLICE("the sender ended while it sent the message") },
    [SEND_AT_END_OF_DATA] = { SMTP_STAGE_END,
                              SLICE("the sender ended while it awaited the reply to the end of "
                                    "data: the server may have taken the message") },
  };
  const struct send_outcome o = { .fate = SEND_CUT,
                                  .stage = (uint8_t)cuts[x->where].stage,
                                  .text = cuts[x->where].text };
  if (!o.text.n || s->stopping || !outbound_settle_here(s, x->tag, &x->letter, &o, now_s))
    return false;
  x->settling = true;
  return true;
}

/* Without an attempt: the recipients end, or wait on, with this outcome. */
bool outbound_settle_here(struct store *s, uint64_t tag, const struct taken_letter *l,
                          const struct send_outcome *o, int64_t now_s) {
  const struct send_outcome by_hand = { .fate = SEND_PERMANENT,
                                        .enhanced = { 5, 7, 0 },
                                        .text = SLICE(
                                            "the administrator ended the attempts to deliver it") };
  struct result_job *r = new_result(s, l, now_s);
  if (!r) return false;
  r->tag = tag;
  r->here = true;
  r->job.patient = !tag;
  if (!tag && !hands_take(&s->outbound.hands, l, 0)) {
    hands_free(&s->outbound.hands, l, 0);
    job_free(r);
    return false;
  }
  for (size_t i = 0; i < r->count; i++) {
    r->results[i].outcome = !tag && r->results[i].rcpt.expires == QUEUE_TO_FAIL ? by_hand : *o;
    r->results[i].outcome.row = r->results[i].rcpt.row;
  }
  s->outbound.expire.writing += !tag;
  settle(s, r, now_s);
  return true;
}

/* It was taken back meanwhile: the sender's report changes nothing. The sender no longer has it. */
static bool sent_late(struct store *s, struct sending *x) {
  x->overdue = false;
  if (!x->settling) outbound_sending_free(s, x);
  return true;
}

bool outbound_result(struct store *s, struct peer *p, const struct ipc_msg *m, int64_t now_s) {
  struct send_result q;
  struct sending *x = outbound_sending_by(s, p->number, m->tag);
  if (!send_result_get(m->payload, &q) || !x || (x->settling && !x->overdue)) return false;
  if (x->overdue) return sent_late(s, x);
  struct result_job *r = new_result(s, &x->letter, now_s);
  if (!r) return true; /* no memory: in hands until its time is over */
  if (!take_outcomes(r, q.results)) {
    job_free(r);
    return false;
  }
  r->tag = x->tag;
  r->host = keep(r, q.host);
  r->address = keep(r, q.address);
  r->tls = keep(r, q.tls);
  r->unreachable = q.unreachable;
  x->settling = true;
  settle(s, r, now_s);
  return true;
}

/* --- a result is durable --- */

static void count_results(struct store *s, const struct result_job *r) {
  for (size_t i = 0; i < r->count; i++) {
    s->outbound.delivered += r->results[i].move == QUEUE_DELIVERED;
    s->outbound.failed += r->results[i].move == QUEUE_FAILED;
    s->outbound.deferred += r->results[i].move == QUEUE_LATER;
  }
  s->outbound.reports += r->report.job != NULL;
}

/* The sender logs its attempts; an end decided here is logged here. */
static void log_end_of(struct store *s, const struct result_job *r, const struct queue_result *q) {
  struct log_line l;
  log_open(&l, s->shell.log, q->over ? LOG_E_EXPIRED : LOG_E_UNDELIVERABLE);
  log_str(&l, LOG_F_ID, r->letter->name);
  struct slice path = r->letter->letter.return_path;
  log_str(&l, LOG_F_FROM, path.n ? path : SLICE("<>"));
  log_str(&l, LOG_F_TO, q->rcpt.address);
  if (q->over) {
    struct buf age;
    buf_init(&age, 40);
    report_put_age(&age, r->job.now_s - r->letter->came_s);
    log_str(&l, LOG_F_TRIED, buf_slice(&age));
    buf_free(&age);
  }
  if (q->last.code) log_num(&l, LOG_F_CODE, q->last.code);
  log_str(&l, LOG_F_REASON, q->last.reply);
  if (q->last.host.n) log_str(&l, LOG_F_HOST, q->last.host);
  log_end(&l);
}

static void log_ends(struct store *s, const struct result_job *r) {
  for (size_t i = 0; i < r->count; i++) {
    const struct queue_result *q = &r->results[i];
    if (q->there && q->move == QUEUE_FAILED && (q->over || q->doubtful || r->here))
      log_end_of(s, r, q);
  }
}

/* True if it concerns one mailbox or one message: the destination itself works. */
static bool concerns_one_recipient(enum smtp_class c) {
  return c == SMTP_CLASS_FULL || c == SMTP_CLASS_NO_USER || c == SMTP_CLASS_INACTIVE ||
         c == SMTP_CLASS_GREYLISTED || c == SMTP_CLASS_CONTENT || c == SMTP_CLASS_SENDER ||
         c == SMTP_CLASS_TOO_BIG;
}

static enum sched_news news_of(const struct result_job *r) {
  enum sched_news news = SCHED_LOST;
  if (r->moved) return SCHED_LOST;
  if (r->unreachable) return SCHED_UNREACHABLE;
  for (size_t i = 0; i < r->count; i++) {
    if (r->here && r->results[i].move == QUEUE_FAILED) return SCHED_LOST; /* it says nothing */
    if (r->results[i].move == QUEUE_DELIVERED) return SCHED_DELIVERED;
    if (r->results[i].move >= QUEUE_CUT) continue;
    if (news == SCHED_LOST) news = SCHED_DEFERRED;
    if (r->results[i].outcome.fate == SEND_PERMANENT || concerns_one_recipient(r->results[i].class))
      news = SCHED_REFUSED;
  }
  return news;
}

/* It could not be written: keeps it, to be tried again. What the other server has accepted must not
 * be sent twice. */
static void park(struct store *s, struct result_job *r) {
  struct result_job *kept = malloc(sizeof *kept);
  if (!kept) return; /* the rows still exist: they are sent again after the next start */
  *kept = *r;
  kept->job.next = s->outbound.parked ? &s->outbound.parked->job : NULL;
  s->outbound.parked = kept;
  r->results = NULL;
  r->report = (struct report_post){ 0 };
  arena_init(&r->memory, 0);
}

void result_finish(struct store *s, struct store_job *j) {
  struct result_job *r = (struct result_job *)j;
  struct sending *x = r->tag ? outbound_sending_of(s, r->tag) : NULL;
  if (j->result != JOB_DONE && !s->stopping) {
    park(s, r);
    return;
  }
  count_results(s, r);
  if (j->result == JOB_DONE) log_ends(s, r);
  if (!r->tag) hands_free(&s->outbound.hands, r->letter, 0);
  if (!r->tag) outbound_expired(s, j->now_s);
  if (x) {
    hands_free(&s->outbound.hands, &x->letter, x->tag);
    outbound_back_to_schedule(s, x, r, news_of(r), 0);
    x->settling = false;
    if (!x->overdue) outbound_sending_free(s, x); /* otherwise the sender still has it */
    if (s->outbound.expire.away) outbound_expire(s, j->now_s);
  }
  report_finish(s, &r->report, j->now_s);
  outbound_run(s, j->now_s);
}
