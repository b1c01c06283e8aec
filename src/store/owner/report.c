/* SPDX-License-Identifier: ISC */
/* Delivery reports as messages: their recipients (owner), their text and their place in mailboxes
 * or in the queue (writer, in the transaction of the result), the counters afterwards (owner).
 * Invariants: no report to the empty reverse-path or to a nonexistent local address; no report is
 * sent while sending is off; at most reports_per_destination a day are sent to one destination. */
#include "src/store/owner/report.h"

#include <stdlib.h>

#include "lib/base/codec.h"
#include "mail/header.h"
#include "mail/smtp/dsn.h"
#include "src/store/jobs/attempt.h"
#include "src/store/owner/relay.h"

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

/* One more remote address; `path` as on the wire. */
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

/* There is no report to the empty reverse-path, and none to a nonexistent local address. */
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
  if (off) report_dropped(s, path); /* it would have to be relayed, and sending is off */
  if (fine) keep_budget(s, p, now_s);
  p->due = fine && p->place_count + p->back_count > 0;
  buf_free(&memory);
  return fine;
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
