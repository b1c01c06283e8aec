/* SPDX-License-Identifier: ISC */
/* The history of mail (history.h): events are collected in the owner's memory as octets, a write
 * job stores them in a database of its own, a reader looks them up for `qasid why`. Invariants: one
 * such job is outstanding at a time, except those of history_flush(); a failure here never fails
 * the writer's group in which the job runs; what cannot be stored is counted as lost; a damaged
 * history database is replaced by an empty one, since it holds no mail. */
#include "src/store/owner/history.h"

#include <stdlib.h>

#include "lib/base/wire.h"
#include "mail/header.h"
#include "src/store/owner/finish.h"
#include "src/store/owner/owner.h"

enum {
  HISTORY_GROUP = 64 * 1024, /* octets that are written without waiting for the second to end */
  EVENT_MAX = 8 * 1024,
};

void history_init(struct history *h) {
  *h = (struct history){ 0 };
  buf_init(&h->pending, HISTORY_PENDING);
}

void history_free(struct history *h) { buf_free(&h->pending); }

static void flush(struct store *s, int64_t now_s, bool now);

void history_finish(struct store *s, struct store_job *j) {
  s->history.lost += ((struct history_write *)j)->lost;
  s->history.out--;
  if (!s->stopping) flush(s, j->now_s, false);
}

static void flush(struct store *s, int64_t now_s, bool now) {
  struct history *h = &s->history;
  struct slice events = buf_slice(&h->pending);
  bool due = now || h->flushed_s != now_s || events.n > HISTORY_GROUP;
  if ((h->out && !now) || !events.n || !due) return;
  struct history_write *j = job_new(KIND_HISTORY, sizeof *j + events.n, NULL, now_s);
  if (!j) return; /* with the next */
  memcpy(j + 1, events.p, events.n);
  j->events = slice_of(j + 1, events.n);
  j->before_s = now_s - (int64_t)s->conf->queue_history;
  j->most = s->conf->history_size;
  buf_reset(&h->pending);
  h->out++;
  h->flushed_s = now_s;
  s->jobs_out++;
  s->shell.enqueue(s->shell.arg, &j->job, true);
}

static void add(struct store *s, const struct history_event *e) {
  if (!s->conf->history_size || s->stopping) return;
  if (buf_room(&s->history.pending) < EVENT_MAX) {
    s->history.lost++;
    return;
  }
  history_put_event(&s->history.pending, e);
  if (s->history.pending.failed) { /* no memory */
    s->history.lost += 1;
    buf_free(&s->history.pending);
    buf_init(&s->history.pending, HISTORY_PENDING);
  }
}

void history_note(struct store *s, const struct history_event *e) {
  add(s, e);
  flush(s, e->at_s, false);
}

void history_flush(struct store *s, int64_t now_s) { flush(s, now_s, true); }

void history_refused(struct store *s, struct slice sender, struct slice recipient,
                     enum smtp_outcome why, int64_t now_s) {
  const struct smtp_outcome_row *row = smtp_outcome_row(why);
  struct history *h = &s->history;
  struct buf text;
  if (h->second != now_s) h->refusals = 0;
  h->second = now_s;
  if (++h->refusals > HISTORY_REFUSALS_A_SECOND) {
    h->lost++;
    return;
  }
  buf_init(&text, 256);
  buf_printf(&text, "%u %s %s", row->code, row->enhanced, row->text);
  history_note(s, &(struct history_event){ .kind = HISTORY_REFUSED,
                                           .at_s = now_s,
                                           .sender = sender,
                                           .recipient = recipient,
                                           .text = buf_slice(&text) });
  buf_free(&text);
}

/* Puts it on one line, of at most `most` octets. */
static size_t keep(struct slice body, uint8_t *to, size_t most) {
  struct buf b;
  buf_init(&b, 8192);
  header_unfold(&b, slice_first(body, 4096));
  struct slice line = slice_first(buf_slice(&b), most);
  for (size_t i = 0; i < line.n; i++) to[i] = line.p[i] == '\t' ? ' ' : line.p[i];
  size_t n = line.n;
  buf_free(&b);
  return n;
}

struct history_arrival *history_arrival_of(struct slice octets) {
  struct history_arrival *a = calloc(1, sizeof *a);
  struct header_field f;
  if (a && header_find(octets, SLICE("Message-ID"), &f))
    a->id_n = keep(f.body, a->id, sizeof a->id);
  return a;
}

void history_arrival_head(struct history_arrival *a, struct slice head) {
  struct header_field f;
  if (!header_find(head, SLICE("Received"), &f)) return;
  ptrdiff_t end = slice_rfind(f.body, ';');
  a->text_n = keep(end >= 0 ? slice_first(f.body, (size_t)end) : f.body, a->text, sizeof a->text);
}

void history_delivered(struct store *s, const struct deliver_job *d,
                       const struct history_arrival *from) {
  struct slice path = d->return_path;
  struct history_event e = { .kind = HISTORY_ARRIVED,
                             .at_s = d->job.now_s,
                             .account = d->login,
                             .name = d->name,
                             .sender = path.n || !path.p ? path : SLICE("<>"),
                             .text = SLICE("made here: a delivery report") };
  if (!s->conf->history_size) return;
  if (from)
    e.text = slice_of(from->text, from->text_n), e.message_id = slice_of(from->id, from->id_n);
  add(s, &e);
  e = (struct history_event){ .kind = HISTORY_MAILBOX, .at_s = d->job.now_s, .name = d->name };
  for (size_t i = 0; i < d->count; i++) {
    e.account = d->places[i].account;
    e.folder = d->places[i].folder;
    e.uid = d->places[i].uid;
    add(s, &e);
  }
  e = (struct history_event){ .kind = HISTORY_QUEUED, .at_s = d->job.now_s, .name = d->name };
  for (size_t i = 0; i < d->elsewhere_count; i++) {
    e.recipient = d->elsewhere[i].address;
    add(s, &e);
  }
  flush(s, d->job.now_s, false);
}
