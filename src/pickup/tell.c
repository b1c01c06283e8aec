/* SPDX-License-Identifier: ISC */
/* Delivery reports (mail/report.h) about recipients refused by smtpd, for messages whose sendmail
 * has already exited with 0. A report is submitted like the message, as the file's owner, with the
 * empty reverse-path, and with an identity of its own, so that a kill between it and the removal of
 * the file causes no second one.
 *
 *   tell_go() ──▶ refused ──▶ expired ──▶ submit_end()
 *                   each: to the reverse-path ──5yz──▶ to the postmaster ──5yz──▶ submit_end() */
#include <stdio.h>
#include <stdlib.h>

#include "lib/base/codec.h"
#include "lib/base/siphash.h"
#include "lib/base/sys.h"
#include "mail/report.h"
#include "src/pickup/submission.h"

enum { REPORT_MAX = 4 * 1024 * 1024 };

static const uint8_t no_key[SIPHASH_KEY];
_Static_assert((int)SIPHASH_SIZE == (int)DROP_ID, "a fingerprint is an identity");

/* --- whom it is about --- */

/* An extension that smtpd lacks, or its size limit, will not be different the next time. */
static bool is_refused(const struct smtp_letter_rcpt *r) {
  return r->verdict.fate == SMTP_PERMANENT ||
         (r->verdict.fate == SMTP_UNTRIED && r->verdict.obstacle);
}

static bool is_of_step(const struct drop_submission *s, const struct smtp_letter_rcpt *r) {
  if (r->verdict.fate == SMTP_DELIVERED) return false;
  return is_refused(r) == (s->tell.step == TELL_REFUSED);
}

/* RFC 3461 §4.1. */
static bool is_wanted(const struct smtp_letter_rcpt *r) {
  return !r->notify || (r->notify & SMTP_NOTIFY_FAILURE);
}

static bool is_old(const struct drop_submission *s) {
  return s->found.changed_s + PICKUP_OLD_S < sys_wall_s();
}

/* The number of recipients that the step is about; the text of the first. */
static size_t count_step(struct drop_submission *s, size_t *ret_wanted) {
  size_t n = 0;
  *ret_wanted = 0;
  for (size_t i = 0; i < s->letter.count; i++) {
    const struct smtp_letter_rcpt *r = &s->letter.rcpts[i];
    if (!is_of_step(s, r)) continue;
    *ret_wanted += is_wanted(r);
    if (n++) continue;
    struct slice text = buf_slice(&r->verdict.text);
    text = slice_split(&text, '\n');
    snprintf(s->words, sizeof s->words, "from <%.*s> to %.*s: %u %.*s",
             SLICE_ARG(slice_first(s->letter.return_path, 100)),
             SLICE_ARG(slice_first(r->address, 100)), r->verdict.code,
             SLICE_ARG(slice_first(text, 100)));
  }
  size_t used = strlen(s->words);
  if (n > 1) snprintf(s->words + used, sizeof s->words - used, " (and %zu more recipients)", n - 1);
  return n;
}

/* --- the text --- */

/* The header, or the whole of a small message with RET=FULL. Unreadable octets are left out. */
static void read_original(const struct drop_submission *s, struct buf *out) {
  uint64_t size = s->end - s->begin;
  size_t n = size < REPORT_HEADER_MAX ? (size_t)size : REPORT_HEADER_MAX;
  uint8_t *to = n ? buf_reserve(out, n) : NULL;
  if (to && submit_read(s->found.fd, to, n, s->begin)) buf_added(out, n);
}

static bool put_report(struct drop_submission *s, struct report_rcpt *rcpts, struct slice id,
                       struct slice original) {
  int64_t now_s = sys_wall_s();
  bool expired = s->tell.step == TELL_EXPIRED;
  struct report r = { .reporter = slice_str(s->pickup->process->conf->hostname),
                      .to = buf_slice(&s->tell.mail.to),
                      .envid = s->letter.envid,
                      .id = id,
                      .came_s = s->found.changed_s,
                      .now_s = now_s,
                      .header = original,
                      .whole = s->letter.ret == SMTP_RET_FULL && original.n == s->end - s->begin,
                      .rcpts = rcpts };
  for (size_t i = 0; i < s->letter.count; i++) {
    const struct smtp_letter_rcpt *x = &s->letter.rcpts[i];
    if (!is_of_step(s, x) || !is_wanted(x)) continue;
    struct report_rcpt *to = &rcpts[r.count++];
    *to = (struct report_rcpt){ .action = REPORT_FAILED,
                                .address = x->address,
                                .orcpt = x->orcpt,
                                .code = x->verdict.code,
                                .text = buf_slice(&x->verdict.text),
                                .tried_s = now_s,
                                .over_s = expired ? now_s - s->found.changed_s : 0 };
    memcpy(to->enhanced, x->verdict.enhanced, sizeof to->enhanced);
  }
  report_put(&s->tell.mail.text, &r);
  return !s->tell.mail.text.failed;
}

static bool compose(struct drop_submission *s) {
  struct report_rcpt *rcpts = calloc(s->letter.count, sizeof *rcpts);
  struct buf original, id;
  uint8_t nonce[16];
  buf_init(&original, REPORT_HEADER_MAX), buf_init(&id, 64);
  sys_random(nonce, sizeof nonce);
  buf_put_str(&id, "report");
  hex_put(&id, slice_of(nonce, sizeof nonce));
  read_original(s, &original);
  bool fine = rcpts && !id.failed && put_report(s, rcpts, buf_slice(&id), buf_slice(&original));
  buf_free(&original), buf_free(&id);
  free(rcpts);
  return fine;
}

/* --- the session --- */

/* The same report on the same recipients to the same address has the same identity. */
static void put_identity(const struct drop_submission *s, uint8_t ret[DROP_ID]) {
  struct siphash h;
  siphash_start(&h, no_key);
  siphash_put(&h, SLICE("report"));
  siphash_put(&h, slice_of(s->found.id, sizeof s->found.id));
  siphash_put(&h, buf_slice(&s->tell.mail.to));
  for (size_t i = 0; i < s->letter.count; i++) {
    const struct smtp_letter_rcpt *r = &s->letter.rcpts[i];
    if (!is_of_step(s, r) || !is_wanted(r)) continue;
    siphash_put(&h, r->address);
    siphash_put(&h, SLICE("\n"));
  }
  siphash_end(&h, ret);
}

static void on_over(void *arg);

/* False: no memory, or no socket. */
static bool begin(struct drop_submission *s) {
  struct telling *t = &s->tell;
  struct talk_about about = { .uid = s->found.uid, .over = on_over, .arg = s };
  own_mail_open(&t->mail, REPORT_MAX);
  t->to_postmaster |= !s->letter.return_path.n;
  if (t->to_postmaster)
    buf_printf(&t->mail.to, "postmaster@%s", s->pickup->process->conf->hostname);
  else
    buf_put(&t->mail.to, s->letter.return_path);
  put_identity(s, about.id);
  return compose(s) && own_mail_send(&t->mail, s->pickup, &about, SMTP_NOTIFY_NEVER);
}

/* --- the steps --- */

static void next_step(struct drop_submission *s) {
  s->tell.step++;
  s->tell.to_postmaster = false;
}

static void note_told(struct drop_submission *s, const char *what, struct slice to) {
  look_note(s->pickup, "%s of uid %u, %s; %s%.*s", s->found.name, (unsigned)s->found.uid, s->words,
            what, SLICE_ARG(to));
}

/* True if the step has a report to send. */
static bool is_due(struct drop_submission *s) {
  size_t wanted, n = count_step(s, &wanted);
  if (n && s->tell.step == TELL_EXPIRED && !is_old(s)) {
    s->later = true;
    return false;
  }
  if (n && !wanted) note_told(s, "its sender wants no report ", SLICE("(NOTIFY)"));
  return wanted > 0;
}

void tell_go(struct drop_submission *s) {
  while (s->tell.step < TELL_STEPS && !is_due(s)) next_step(s);
  if (s->tell.step == TELL_STEPS)
    submit_end(s, s->later ? OUTCOME_LATER : OUTCOME_SETTLED);
  else if (!begin(s))
    submit_end(s, OUTCOME_LATER);
}

/* A report that was not accepted before its message became too old is not tried again. */
static void on_over(void *arg) {
  struct drop_submission *s = arg;
  bool final = is_refused(&s->tell.mail.rcpt) || is_old(s);
  if (s->tell.mail.rcpt.verdict.fate == SMTP_DELIVERED) {
    note_told(s, "reported to ", buf_slice(&s->tell.mail.to));
    next_step(s);
    tell_go(s);
  } else if (final && !s->tell.to_postmaster) {
    s->tell.to_postmaster = true;
    tell_go(s);
  } else {
    submit_end(s, final ? OUTCOME_REFUSED : OUTCOME_LATER);
  }
}
