/* SPDX-License-Identifier: ISC */
/* Which recipients of an envelope get the message: recipients.h has the rule.
 *
 *   find     each recipient's mailboxes and remote addresses, whatever RCPT was answered
 *   rooms    each mailbox: it gets the message, has it already, is full, or is too small
 *   decide   each recipient's verdict, and from these the answer and the report
 *
 * Invariants: a mailbox gets the message once, however many recipients lead to it; a recipient is
 * reported as failed only if one of its mailboxes gets nothing; after an answer of 250 every
 * recipient has either the message or a report, unless none is wanted. */
#include "src/store/owner/recipients.h"

#include <stdlib.h>

#include "mail/smtp/dsn.h"
#include "src/store/owner/send_limits.h"
#include "src/store/owner/had.h"
#include "src/store/owner/relay.h"
#include "src/store/owner/report.h"
#include "src/store/owner/routes.h"

/* A recipient: its mailboxes are those of s->found, from `from` to `to`, that no earlier recipient
 * leads to. */
struct reached {
  size_t from, to;
  bool here; /* it has local mailboxes */
};

struct finding {
  struct store *s;
  const struct session *session;
  struct deliver_job *d;
  const struct smtp_commit *q;
  struct reached *reached; /* for each recipient, in order */
  enum room *rooms;        /* for each mailbox of s->found; one that has the message: enough */
  bool full, never;        /* a recipient's mailbox is */
  bool untellable;         /* the sender of a full one does not want a report */
};

/* --- find --- */

/* A remote recipient to which `r` is forwarded, unless it has the message already. */
static bool add_elsewhere(struct finding *f, struct slice to, const struct envelope_rcpt *r,
                          struct slice forwarder) {
  bool has = had_has(f->s, f->d, had_key(to));
  f->d->had |= has;
  return has || relay_add(f->d, to, r->notify, r->orcpt, forwarder);
}

/* One address of the sender's leads to one report of success (RFC 3464 §3, RFC 3461 §5.2.7.3):
 * where there are several behind it, one of them answers for all, a mailbox here before one
 * elsewhere. */
static uint8_t without_success(uint8_t notify) {
  uint8_t others = notify & (uint8_t)~SMTP_NOTIFY_SUCCESS;
  return notify && !others ? SMTP_NOTIFY_NEVER : others;
}

static enum rcpt_verdict find_one(struct finding *f, const struct relay_asked *asked,
                                  const struct envelope_rcpt *r, struct reached *ret) {
  struct dir_found *found = &f->s->found;
  struct slice to;
  struct buf memory;
  buf_init(&memory, DIR_ADDRESS_MAX);
  size_t before = found->elsewhere_count;
  ret->from = found->count;
  enum rcpt_verdict v = relay_find(f->s, asked, r->address, &to, &memory);
  bool fine = v == RCPT_OURS || (v == RCPT_LEAVES && add_elsewhere(f, to, r, SLICE_NONE));
  struct envelope_rcpt sent = *r;
  for (size_t i = before; fine && i < found->elsewhere_count; i++) {
    if (i > before || found->count > ret->from) sent.notify = without_success(r->notify);
    fine = add_elsewhere(f, found->elsewhere[i].target, &sent, found->elsewhere[i].forwarder);
  }
  buf_free(&memory);
  ret->to = found->count;
  /* If it has no local mailbox, the first remote one inherits its NOTIFY=SUCCESS. */
  ret->here = v == RCPT_OURS && (ret->to > ret->from || found->elsewhere_count == before);
  return fine ? v : RCPT_TROUBLE;
}

static enum commit_outcome find_all(struct finding *f) {
  struct deliver_job *d = f->d;
  struct slice rcpts = f->q->envelope.rcpts, path = f->q->envelope.return_path;
  const struct relay_asked asked = { f->session, f->q->trusted, path, d->job.now_s };
  struct envelope_rcpt r;
  if (!relay_login_known(f->session, f->q->login)) return COMMIT_TROUBLE;
  if (!relay_sender_ok(f->s, f->session, path)) return COMMIT_TROUBLE;
  if (!relay_authors_ok(f->s, f->session, f->q->authors)) return COMMIT_NOT_YOURS;
  d->rcpt_count = f->q->envelope.count;
  d->verdicts = arena_alloc(&d->kept, d->rcpt_count);
  f->reached = arena_alloc(&d->kept, d->rcpt_count * sizeof *f->reached);
  if (!d->verdicts || !f->reached) return COMMIT_TROUBLE;
  dir_begin(&f->s->found);
  for (size_t i = 0; envelope_rcpt_next(&rcpts, &r); i++) {
    d->verdicts[i] = (uint8_t)find_one(f, &asked, &r, &f->reached[i]);
    if (d->verdicts[i] != RCPT_OURS && d->verdicts[i] != RCPT_LEAVES) return COMMIT_TROUBLE;
  }
  return COMMIT_DONE;
}

/* --- rooms --- */

/* RCPT has answered that there was room for the announced size; a mailbox may exceed its quota by
 * one message of unknown size, not by two. */
static bool look_at(struct finding *f, uint64_t account, enum room *ret) {
  struct store *s = f->s;
  struct deliver_job *d = f->d;
  struct dir_account a;
  if (dir_account(&s->dir, account, &a) != DIR_FOUND) return false;
  bool has = had_has(s, d, a.id);
  *ret = has ? ROOM_ENOUGH : store_room_for(s, &a, d->size, f->q->envelope.size);
  d->had |= has;
  if (*ret == ROOM_ENOUGH && !has)
    d->places[d->count++] = (struct deliver_place){ a.id, a.inbox, 0 };
  else if (*ret != ROOM_ENOUGH)
    notice_mailbox_full(s, a.id, d->job.now_s);
  return *ret != ROOM_UNKNOWN;
}

static bool look_at_rooms(struct finding *f) {
  size_t count = f->s->found.count;
  f->d->places = calloc(count ? count : 1, sizeof *f->d->places);
  f->rooms = arena_alloc(&f->d->kept, (count ? count : 1) * sizeof *f->rooms);
  if (!f->d->places || !f->rooms) return false;
  for (size_t i = 0; i < count; i++)
    if (!look_at(f, f->s->found.accounts[i], &f->rooms[i])) return false;
  return true;
}

/* --- decide --- */

/* Full takes precedence: sending again may help. */
static enum rcpt_verdict verdict_of(const struct finding *f, size_t i) {
  const struct reached *x = &f->reached[i];
  bool full = false, never = false;
  for (size_t at = x->from; at < x->to; at++) {
    full |= f->rooms[at] == ROOM_FULL;
    never |= f->rooms[at] == ROOM_NEVER;
  }
  return full ? RCPT_FULL : never ? RCPT_TOO_BIG : (enum rcpt_verdict)f->d->verdicts[i];
}

static bool wants_failure(const struct envelope_rcpt *r) {
  return !r->notify || (r->notify & SMTP_NOTIFY_FAILURE);
}

static void set_verdicts(struct finding *f) {
  struct slice rcpts = f->q->envelope.rcpts;
  struct envelope_rcpt r;
  for (size_t i = 0; envelope_rcpt_next(&rcpts, &r); i++) {
    enum rcpt_verdict v = verdict_of(f, i);
    f->d->verdicts[i] = (uint8_t)v;
    f->full |= v == RCPT_FULL;
    f->never |= v == RCPT_TOO_BIG;
    f->untellable |= v == RCPT_FULL && !wants_failure(&r);
    if (v == RCPT_FULL || v == RCPT_TOO_BIG)
      history_refused(f->s, f->q->envelope.return_path, r.address, smtp_of_verdict(v),
                      f->d->job.now_s);
  }
}

/* Nothing is to be written: nobody has room, or all who do have it already. */
static enum commit_outcome nothing_new(const struct finding *f) {
  bool some = f->d->had;
  if (f->full) return some ? COMMIT_SOME_FULL : COMMIT_FULL;
  if (f->never) return some ? COMMIT_SOME_NEVER : COMMIT_NEVER;
  return some ? COMMIT_DONE : COMMIT_TROUBLE;
}

/* Its mailboxes without room are recorded as reported. */
static bool add_failed(struct finding *f, const struct envelope_rcpt *r, size_t i) {
  struct deliver_job *d = f->d;
  const struct reached *x = &f->reached[i];
  size_t without = 0;
  for (size_t at = x->from; at < x->to; at++) {
    if (f->rooms[at] == ROOM_ENOUGH) continue;
    d->told[d->told_count++] = f->s->found.accounts[at];
    without++;
  }
  return failed_add(d, r, (enum rcpt_verdict)d->verdicts[i], without < x->to - x->from);
}

/* Puts the failed recipients into the report. `retry`: full ones, and those who have it, will be
 * sent again. */
static bool gather_report(struct finding *f, bool retry, bool *ret_failed) {
  struct deliver_job *d = f->d;
  struct slice rcpts = f->q->envelope.rcpts;
  struct envelope_rcpt r;
  bool fine = true;
  size_t boxes = f->s->found.count;
  d->told = arena_alloc(&d->kept, (boxes ? boxes : 1) * sizeof *d->told);
  if (!d->told) return false;
  for (size_t i = 0; fine && envelope_rcpt_next(&rcpts, &r); i++) {
    enum rcpt_verdict v = (enum rcpt_verdict)d->verdicts[i];
    bool failed = v == RCPT_TOO_BIG || (v == RCPT_FULL && !retry);
    if (failed && wants_failure(&r)) {
      *ret_failed = true;
      fine = add_failed(f, &r, i);
    } else if (v == RCPT_OURS && f->reached[i].here && !retry && (r.notify & SMTP_NOTIFY_SUCCESS)) {
      fine = delivered_add(d, &r);
    }
  }
  return fine;
}

static bool path_is_ours(struct store *s, struct slice path) {
  struct buf domain;
  buf_init(&domain, DIR_ADDRESS_MAX);
  dir_fold_domain(&domain, path);
  bool ours = dir_is_ours(&s->dir, buf_slice(&domain));
  buf_free(&domain);
  return ours;
}

static bool set_letter(struct finding *f) {
  const struct envelope *e = &f->q->envelope;
  struct deliver_job *d = f->d;
  uint64_t account = f->session->account;
  uint8_t flags = e->flags | (path_is_ours(f->s, e->return_path) ? QUEUE_PATH_OURS : 0);
  if (account || f->q->trusted) flags |= ENVELOPE_OURS;
  if (f->q->local) flags |= QUEUE_LOCAL;
  d->letter = (struct queue_letter){ .ret = e->ret, .flags = flags, .account = account };
  d->letter.return_path = e->return_path.n ? arena_copy(&d->kept, e->return_path) : SLICE_NONE;
  d->letter.envid = e->envid.n ? arena_copy(&d->kept, e->envid) : SLICE_NONE;
  d->expires_s = d->job.now_s + (int64_t)f->s->conf->queue_lifetime;
  return !d->kept.failed;
}

/* Finds the recipients of the report, beside those of the message in s->found. */
static bool address_report(struct finding *f) {
  struct store *s = f->s;
  struct deliver_job *d = f->d;
  struct dir_found message = s->found;
  if (!d->dsn) return true;
  dir_found_init(&s->found);
  bool fine = report_address(s, d->letter.return_path, &d->kept, d->job.now_s, &d->dsn->post);
  dir_found_free(&s->found);
  s->found = message;
  return fine;
}

static bool decide(struct finding *f) {
  struct deliver_job *d = f->d;
  bool recognised = d->print.n && !f->session->account, failed = false;
  bool retry = f->full && (recognised || f->untellable);
  if (!gather_report(f, retry, &failed)) return false;
  if ((d->elsewhere_count || d->dsn) && !set_letter(f)) return false;
  if (!routes_set_destinations(f->s, d)) return false;
  if (!address_report(f)) return false;
  bool untold = failed && !d->dsn->post.due;
  if (untold) d->told_count = 0;
  d->outcome = retry || (untold && f->full) ? COMMIT_SOME_FULL
               : untold                     ? COMMIT_SOME_NEVER
                                            : COMMIT_DONE;
  return true;
}

enum commit_outcome recipients_find(struct store *s, const struct session *session,
                                    struct deliver_job *d, const struct smtp_commit *q) {
  struct finding f = { .s = s, .session = session, .d = d, .q = q };
  enum commit_outcome outcome = find_all(&f);
  if (outcome != COMMIT_DONE) return outcome;
  if (!look_at_rooms(&f)) return COMMIT_TROUBLE;
  set_verdicts(&f);
  if (!d->count && !d->elsewhere_count) {
    outcome = nothing_new(&f);
    if (outcome == COMMIT_DONE) had_forget(s, d, q->envelope.rcpts);
    return outcome;
  }
  if (!decide(&f)) return COMMIT_TROUBLE;
  if (d->outcome == COMMIT_DONE) had_forget(s, d, q->envelope.rcpts);
  if (d->once && !had_set_who(d)) return COMMIT_TROUBLE;
  if (!deliver_coming(s, d)) return COMMIT_TROUBLE;
  send_limits_set(s, session, d);
  return COMMIT_DONE;
}
