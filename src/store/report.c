/* SPDX-License-Identifier: ISC */
/* Delivery reports as messages: whom they go to (owner), their text and their place in mailboxes or
 * in the queue (writer, in the transaction of the result), the counters afterwards (owner).
 * Invariants: no report for the empty reverse-path or for an address of ours that does not exist;
 * no report leaves while sending is off; at most reports_per_destination a day leave for one
 * destination. */
#include "src/store/report.h"

#include <stdlib.h>

#include "lib/base/codec.h"
#include "mail/header.h"
#include "mail/smtp/dsn.h"
#include "src/store/attempt.h"
#include "src/store/relay.h"

enum { REPORT_MAX = 1024 * 1024 };
static const char own_line[] = "Return-Path: <>\r\n";

/* --- the owner: recipients of the report --- */

static bool to_mailboxes(struct store *s, struct report_post *p) {
  p->places = calloc(s->found.count ? s->found.count : 1, sizeof *p->places);
  if (!p->places) return false;
  struct dir_account a;
  for (size_t i = 0; i < s->found.count; i++) {
    if (dir_account(&s->dir, s->found.accounts[i], &a) != DIR_FOUND) return false;
    p->places[p->place_count++] = (struct deliver_place){ a.id, a.inbox, 0 };
  }
  return true;
}

/* One more address elsewhere; `path` as on the wire. */
static bool to_elsewhere(struct slice path, struct slice forwarder, struct arena *a,
                         struct report_post *p) {
  struct queue_rcpt *to = &p->back[p->back_count];
  struct buf domain;
  buf_init(&domain, DIR_ADDRESS_MAX);
  dir_fold_domain(&domain, path);
  *to = (struct queue_rcpt){
    .address = arena_copy(a, path),
    .destination = arena_copy(a, buf_slice(&domain)),
    .forwarder = forwarder.n ? arena_copy(a, forwarder) : SLICE_NONE,
    .notify = SMTP_NOTIFY_NEVER,
  };
  buf_free(&domain);
  bool fine = to->address.n && to->destination.n && (!forwarder.n || to->forwarder.n);
  p->back_count += fine;
  return fine;
}

enum {
  DESTINATIONS_MAX = 100000 /* destinations of one day that are counted separately */,
  DAY_S = 86400
};

void report_dropped(struct store *s, struct slice to) {
  struct log_line l;
  uint64_t times;
  s->outbound.dropped_reports++;
  if (!seldom_due(&s->notices, NOTICE_REPORTS, (uint64_t)s->outbound.now_s * 1000, &times)) return;
  log_open(&l, s->shell.log, LOG_E_REPORT_DROPPED);
  log_str(&l, LOG_F_TO, to);
  log_num(&l, LOG_F_COUNT, times);
  log_end(&l);
}

/* Counts one more report to that destination today. Reports to strangers are backscatter
 * (attacks.md), and too many of them damage this server's reputation there. The count is in memory:
 * a restart resets it. */
static bool within_budget(struct store *s, struct slice destination, int64_t now_s) {
  struct outbound *o = &s->outbound;
  uint64_t most = s->conf->reports_per_destination, had = 0, key = slice_hash(destination);
  if (!most) return true;
  if (o->reports_day != now_s / DAY_S || o->reports_to.count >= DESTINATIONS_MAX) {
    map_free(&o->reports_to);
    map_init(&o->reports_to);
    o->reports_day = now_s / DAY_S;
  }
  map_get(&o->reports_to, key, &had);
  return had < most && map_put(&o->reports_to, key, had + 1);
}

/* Recipients beyond the budget get no report. */
static void keep_budget(struct store *s, struct report_post *p, int64_t now_s) {
  size_t kept = 0;
  for (size_t i = 0; i < p->back_count; i++) {
    if (within_budget(s, p->back[i].destination, now_s))
      p->back[kept++] = p->back[i];
    else
      report_dropped(s, p->back[i].address);
  }
  p->back_count = kept;
}

static bool begin(struct store *s, struct arena *a, int64_t now_s, struct report_post *p) {
  *p = (struct report_post){ .expires_s = now_s + (int64_t)s->conf->report_lifetime };
  p->reporter = arena_copy(a, slice_str(s->conf->hostname));
  s->shell.random(s->shell.arg, p->nonce, sizeof p->nonce);
  return p->reporter.p != NULL;
}

bool report_to_postmaster(struct store *s, struct arena *a, int64_t now_s, struct report_post *p) {
  if (!begin(s, a, now_s, p)) return false;
  struct buf to;
  buf_init(&to, DIR_ADDRESS_MAX);
  buf_printf(&to, "postmaster@%s", s->conf->hostname);
  p->to = arena_copy(a, buf_slice(&to));
  buf_free(&to);
  if (!p->to.p) return false;
  dir_begin(&s->found);
  enum dir_result r =
      dir_resolve(&s->dir, SLICE("postmaster"), s->conf->recipient_delimiter, &s->found);
  if (r != DIR_FOUND) return r != DIR_TROUBLE;
  bool fine = to_mailboxes(s, p);
  p->due = p->place_count > 0;
  return fine;
}

/* The recipients behind the address: those that relay_find() has put into s->found, or the address
 * itself. */
static bool gather(struct store *s, enum rcpt_verdict way, struct slice path, struct arena *a,
                   struct report_post *p) {
  size_t count = way == RCPT_LEAVES ? 1 : s->found.elsewhere_count;
  p->back = arena_alloc(a, (count ? count : 1) * sizeof *p->back);
  if (!p->back) return false;
  if (way == RCPT_LEAVES) return to_elsewhere(path, SLICE_NONE, a, p);
  bool fine = to_mailboxes(s, p);
  for (size_t i = 0; fine && i < count; i++)
    fine = to_elsewhere(s->found.elsewhere[i].target, s->found.elsewhere[i].forwarder, a, p);
  return fine;
}

/* There is no report to the empty reverse-path, and none to an address of ours that does not exist.
 */
bool report_address(struct store *s, struct slice path, struct arena *a, int64_t now_s,
                    struct report_post *p) {
  struct relay_asked asked = { .trusted = true, .now_s = now_s };
  struct buf memory;
  if (!begin(s, a, now_s, p)) return false;
  if (!path.n) return true;
  buf_init(&memory, DIR_ADDRESS_MAX);
  dir_begin(&s->found);
  enum rcpt_verdict way = relay_find(s, &asked, path, &path, &memory);
  bool leads = way == RCPT_OURS || way == RCPT_LEAVES, off = way == RCPT_TROUBLE && !s->conf->send;
  bool fine = leads ? gather(s, way, path, a, p) : way != RCPT_TROUBLE || off;
  if (off) report_dropped(s, path); /* it would have to leave, and sending is switched off */
  if (fine) keep_budget(s, p, now_s);
  p->due = fine && p->place_count + p->back_count > 0;
  buf_free(&memory);
  return fine;
}

/* --- the writer: the text --- */

/* The original's header, or all of a small message if RET=FULL asked for it; a report without a
 * failure has the header only (RFC 3461 §4.3). What cannot be read is left out: the report matters
 * more. */
static bool read_original(struct store_engine *e, const struct report_about *x, bool failed,
                          struct buf *out) {
  bool whole = failed && x->letter->ret == SMTP_RET_FULL && x->size <= REPORT_WHOLE_MAX;
  size_t n = x->size < REPORT_WHOLE_MAX ? (size_t)x->size : REPORT_WHOLE_MAX;
  if (queue_octets(e, x->body, x->skip, n, out) == DB_OK && !out->failed) return whole;
  buf_reset(out);
  return false;
}

static void put_id(const struct report_post *p, struct buf *id) {
  buf_put_str(id, "report");
  hex_put(id, slice_of(p->nonce, sizeof p->nonce));
}

/* `text` is the report as it is stored: behind a Return-Path: line. */
static enum db_result compose(struct store_engine *e, const struct report_post *p,
                              const struct report_about *x, const struct report_rcpt *rcpts,
                              size_t count, int64_t now_s, struct buf *text) {
  struct buf original, id;
  bool failed = false;
  buf_init(&original, REPORT_WHOLE_MAX);
  buf_init(&id, 64);
  put_id(p, &id);
  for (size_t i = 0; i < count; i++) failed |= rcpts[i].action == REPORT_FAILED;
  struct report r = {
    .reporter = p->reporter,
    .to = p->to.n ? p->to : x->letter->return_path,
    .envid = x->letter->envid,
    .id = buf_slice(&id),
    .came_s = x->came_s,
    .now_s = now_s,
    .rcpts = rcpts,
    .count = count,
    .utf8 = (x->letter->flags & SEND_UTF8_HEADER) != 0,
    .smtputf8 = (x->letter->flags & SEND_UTF8) != 0,
  };
  r.whole = read_original(e, x, failed, &original);
  r.header = slice_from(buf_slice(&original), x->skip ? 0 : queue_own_line(buf_slice(&original)));
  buf_put_str(text, own_line);
  report_put(text, &r);
  bool fine = !text->failed && !id.failed;
  buf_free(&original);
  buf_free(&id);
  return fine ? DB_OK : DB_NOMEM;
}

/* One block: the job, then the report's octets, then its id. */
static struct deliver_job *new_delivery(const struct report_post *p, const struct buf *text,
                                        int64_t now_s) {
  size_t n = buf_len(text), head = sizeof own_line - 1;
  struct buf id;
  buf_init(&id, 64);
  put_id(p, &id);
  struct deliver_job *d =
      id.failed ? NULL : job_new(&deliver_kind, sizeof *d + n + buf_len(&id), NULL, now_s);
  if (d) {
    uint8_t *at = (uint8_t *)(d + 1);
    memcpy(at, buf_slice(text).p, n);
    memcpy(at + n, buf_slice(&id).p, buf_len(&id));
    d->head = slice_of(at, head);
    d->tail = slice_of(at + head, n - head);
    d->name = slice_of(at + n, buf_len(&id));
    d->size = n;
    d->expires_s = p->expires_s;
  }
  buf_free(&id);
  return d;
}

/* Puts it into mailboxes here, and into the queue with the empty reverse-path. */
static bool address_it(struct report_post *p) {
  struct deliver_job *d = p->job;
  d->elsewhere = p->back_count ? calloc(p->back_count, sizeof *d->elsewhere) : NULL;
  if (p->back_count && !d->elsewhere) return false;
  if (p->back_count) memcpy(d->elsewhere, p->back, p->back_count * sizeof *d->elsewhere);
  d->elsewhere_count = p->back_count;
  d->letter.flags = SEND_OURS | QUEUE_REPORT | (slice_has_high(d->tail) ? SEND_EIGHT_BIT : 0);
  /* its To: */
  if (slice_has_high(slice_first(d->tail, header_end(d->tail))))
    d->letter.flags |= SEND_UTF8 | SEND_UTF8_HEADER;
  d->places = p->places;
  d->count = p->place_count;
  p->places = NULL;
  return true;
}

static enum db_result put_history(struct store_engine *e, const struct report_post *p,
                                  const struct report_about *about, const struct report_rcpt *rcpts,
                                  size_t count, int64_t now_s) {
  struct buf text;
  buf_init(&text, 1024);
  buf_printf(&text, "a report (%s", report_word(rcpts, count));
  if (count > 1) buf_printf(&text, ", %zu recipients", count);
  buf_printf(&text, "), %s: its id is %.*s", p->job->count ? "put into a mailbox" : "queued",
             SLICE_ARG(p->job->name));
  struct attempt a = { .at_s = now_s,
                       .name = about->name,
                       .return_path = about->letter->return_path,
                       .address = p->to.n ? p->to : about->letter->return_path,
                       .what = ATTEMPT_REPORTED,
                       .stage = ATTEMPT_NO_STAGE,
                       .reply = buf_slice(&text) };
  enum db_result r = attempt_put(e, &a);
  buf_free(&text);
  return r;
}

enum db_result report_write(struct store_engine *e, struct report_post *p,
                            const struct report_about *about, const struct report_rcpt *rcpts,
                            size_t count, int64_t now_s) {
  struct buf text;
  buf_init(&text, REPORT_MAX);
  enum db_result r = p->job ? DB_OK : compose(e, p, about, rcpts, count, now_s, &text);
  if (r == DB_OK && !p->job) {
    p->job = new_delivery(p, &text, now_s);
    if (!p->job || !address_it(p)) r = DB_NOMEM;
  }
  buf_free(&text);
  if (r != DB_OK) return r;
  p->job->job.result = JOB_DONE;
  r = deliver_run(e, &p->job->job);
  return r == DB_OK ? put_history(e, p, about, rcpts, count, now_s) : r;
}

void report_undo(struct store_engine *e, struct report_post *p) {
  if (p->job) deliver_undo(e, &p->job->job);
}

void report_settle(struct store_engine *e, struct report_post *p) {
  if (p->job) deliver_settle(e, &p->job->job);
}

/* --- the owner: it is written --- */

void report_finish(struct store *s, struct report_post *p, int64_t now_s) {
  if (!p->job) return;
  for (size_t i = 0; i < p->job->count; i++)
    folders_changed(&s->folders, p->job->places[i].account);
  s->messages_in++;
  history_delivered(s, p->job, NULL);
  outbound_fresh(s, p->job->elsewhere, p->job->elsewhere_count, now_s);
}

void report_free(struct report_post *p) {
  struct store_job *j = p->job ? &p->job->job : NULL;
  job_free(&j);
  free(p->places);
  *p = (struct report_post){ 0 };
}
