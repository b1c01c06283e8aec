/* SPDX-License-Identifier: ISC */
/* The text of a delivery report, and its place in mailboxes or in the queue, in the transaction of
 * the result that it reports (report.h). */
#include <stdlib.h>

#include "lib/base/codec.h"
#include "mail/header.h"
#include "mail/smtp/dsn.h"
#include "src/store/sql/attempt.h"
#include "src/store/sql/queue.h"
#include "src/store/sql/report.h"
#include "src/store/sql/work.h"

enum { REPORT_MAX = 1024 * 1024 };

/* The original's header, or all of a small message (`full`) if RET=FULL requested it; a report
 * without a failure has the header only (RFC 3461 §4.3). Unreadable parts are left out: the report
 * matters more. */
static bool read_original(struct store_engine *e, const struct report_about *x, bool full,
                          struct buf *out) {
  bool whole = full && x->size <= REPORT_WHOLE_MAX;
  size_t n = x->size < REPORT_WHOLE_MAX ? (size_t)x->size : REPORT_WHOLE_MAX;
  if (queue_octets(e, x->body, x->skip, n, out) == DB_OK && !out->failed) return whole;
  buf_reset(out);
  return false;
}

static void put_id(const struct report_post *p, struct buf *id) {
  buf_put_str(id, "report");
  hex_put(id, slice_of(p->nonce, sizeof p->nonce));
}

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
    .utf8 = (x->letter->flags & ENVELOPE_UTF8_HEADER) != 0,
    .smtputf8 = (x->letter->flags & ENVELOPE_UTF8) != 0,
  };
  bool full = x->letter->ret == SMTP_RET_FULL || p->to.n; /* to the postmaster: of a report, all */
  r.whole = read_original(e, x, failed && full, &original);
  r.header = slice_from(buf_slice(&original), x->skip ? 0 : queue_own_line(buf_slice(&original)));
  report_put(text, &r);
  bool fine = !text->failed && !id.failed;
  buf_free(&original);
  buf_free(&id);
  return fine ? DB_OK : DB_NOMEM;
}

static struct deliver_job *new_delivery(const struct report_post *p, const struct buf *text,
                                        int64_t now_s) {
  struct buf id;
  buf_init(&id, 64);
  put_id(p, &id);
  const struct deliver_parts parts = { .name = buf_slice(&id),
                                       .enveloped = true,
                                       .tail = buf_slice(text) };
  struct deliver_job *d =
      id.failed ? NULL : deliver_new(KIND_DELIVER, sizeof *d, NULL, &parts, now_s);
  if (d) d->expires_s = p->expires_s;
  buf_free(&id);
  return d;
}

/* Puts it into local mailboxes, and into the queue with the empty reverse-path. */
static bool address_it(struct report_post *p, const struct report_about *about) {
  struct deliver_job *d = p->job;
  d->elsewhere = p->back_count ? calloc(p->back_count, sizeof *d->elsewhere) : NULL;
  if (p->back_count && !d->elsewhere) return false;
  if (p->back_count) memcpy(d->elsewhere, p->back, p->back_count * sizeof *d->elsewhere);
  d->elsewhere_count = p->back_count;
  d->letter.flags = ENVELOPE_OURS | QUEUE_REPORT |
                    (slice_has_high(d->tail) ? ENVELOPE_EIGHT_BIT : 0) |
                    (about->letter->flags & ENVELOPE_UTF8_HEADER);
  /* its To: */
  if (slice_has_high(slice_first(d->tail, header_end(d->tail))))
    d->letter.flags |= ENVELOPE_UTF8 | ENVELOPE_UTF8_HEADER;
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
    if (!p->job || !address_it(p, about)) r = DB_NOMEM;
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

/* --- of recipients here --- */

enum db_result delivered_write(struct store_engine *e, struct deliver_job *d) {
  if (!d->dsn || !d->dsn->post.due || !d->dsn->count) return DB_OK;
  uint32_t skip = queue_own_line(d->head);
  struct report_about about = {
    .name = d->name,
    .letter = &d->letter,
    .body = d->body,
    .skip = skip,
    .size = d->size - skip,
    .came_s = d->job.now_s,
  };
  return report_write(e, &d->dsn->post, &about, d->dsn->rcpts, d->dsn->count, d->job.now_s);
}
