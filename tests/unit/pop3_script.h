/* SPDX-License-Identifier: ISC */
/* A POP3 client session against a server that follows a script, and a sink that records what it
 * gets.
 *
 *   S: line      the server sends this
 *   C: line      the client must have sent exactly this
 *   T:           the client must ask for TLS now; the handshake succeeds
 *   +: seconds   time passes
 *   X:           the connection is lost
 *
 * What the server sends between two lines of the client arrives whole, or `cut` octets at a time.
 */
#ifndef QASID_TEST_POP3_SCRIPT_H
#define QASID_TEST_POP3_SCRIPT_H

#include <stdio.h>
#include <stdlib.h>

#include "mail/pop3/client.h"

enum { SCRIPT_MAX = 8 << 20 };

struct script {
  struct pop3_client_start start;
  struct pop3_client *c;
  struct buf in, log; /* log: what the sink was called for */
  size_t cut;
  /* the sink's behaviour */
  uint8_t wish;   /* for every message */
  uint64_t lines; /* for POP3_LOOK */
  bool late;      /* settles when asked to, by script_settle() */
  bool unsafe;    /* settles with no */
  bool hold;      /* every call that can hold the session does; the script resumes it at once */
  enum pop3_sink_verdict at_listed, at_begin, at_piece, at_end;
  const char *wrong; /* the first deviation from the script */
};

static inline enum pop3_sink_verdict script_listed(void *arg, struct pop3_item *items,
                                                   size_t count) {
  struct script *t = arg;
  buf_printf(&t->log, "listed %zu\n", count);
  for (size_t i = 0; i < count; i++) {
    items[i].wish = t->wish;
    items[i].lines = (uint32_t)t->lines;
    if (count <= 8)
      buf_printf(&t->log, "  %llu %llu %.*s%s\n", (unsigned long long)items[i].number,
                 (unsigned long long)items[i].size, SLICE_ARG(items[i].uidl),
                 items[i].twin ? " twin" : "");
    if (count <= 8 && items[i].like && items[i].like->alike > 1)
      buf_printf(&t->log, "    like %llu, %u\n", (unsigned long long)items[i].like->number,
                 items[i].like->alike);
  }
  return t->hold ? POP3_SINK_HOLD : t->at_listed;
}

static inline enum pop3_sink_verdict script_begin(void *arg, struct pop3_item *item) {
  struct script *t = arg;
  buf_printf(&t->log, "begin %llu\n", (unsigned long long)item->number);
  return t->hold ? POP3_SINK_HOLD : t->at_begin;
}

static inline enum pop3_sink_verdict script_piece(void *arg, struct pop3_item *item,
                                                  struct slice octets) {
  struct script *t = arg;
  if (item->state != POP3_COMING || !octets.n) abort();
  if (buf_len(&t->log) < 4096) buf_put(&t->log, octets);
  return t->hold ? POP3_SINK_HOLD : t->at_piece;
}

static inline enum pop3_sink_verdict script_end(void *arg, struct pop3_item *item) {
  struct script *t = arg;
  buf_printf(&t->log, "end %llu %llu\n", (unsigned long long)item->number,
             (unsigned long long)item->octets);
  if (!t->late && item->wish != POP3_LOOK) pop3_client_settle(t->c, item, !t->unsafe);
  return t->hold ? POP3_SINK_HOLD : t->at_end;
}

static inline void script_cut(void *arg, struct pop3_item *item) {
  struct script *t = arg;
  buf_printf(&t->log, "cut %llu\n", (unsigned long long)item->number);
}

static inline void script_refused(void *arg, struct pop3_item *item, struct slice words) {
  struct script *t = arg;
  buf_printf(&t->log, "refused %llu\n", (unsigned long long)item->number);
}

static inline void script_bindings(void *arg, struct proto_bindings *ret) {
  struct script *t = arg;
  if (t->c && t->c->proto.want == PROTO_READ && t->start.policy.tls == POP3_TLS_IMPLICIT) {
    memset(ret->exporter, 7, 32);
    ret->exporter_n = 32;
  }
}

static inline void script_init(struct script *t) {
  *t = (struct script){ .wish = POP3_FETCH };
  buf_init(&t->in, SCRIPT_MAX);
  buf_init(&t->log, SCRIPT_MAX);
  t->start = (struct pop3_client_start){
    .user = SLICE("mrose"),
    .secret = SLICE("tanstaaf"),
    .host = "pop.example.org",
    .port = 110,
    .now_ms = 1000,
    .policy = { .may_show = true },
    .sink = { script_listed, script_begin, script_piece, script_end, script_cut, script_refused,
              NULL },
  };
}

static inline bool script_wrong(struct script *t, const char *why) {
  if (!t->wrong) t->wrong = why;
  return false;
}

/* The shell: feeds in everything the server has sent. */
static inline void script_feed(struct script *t) {
  for (size_t quiet = 0; quiet < 2;) {
    struct slice whole = buf_slice(&t->in), in = whole;
    if (t->c->proto.holds) pop3_client_resume(t->c);
    if (t->c->proto.want != PROTO_READ || !in.n) break;
    pop3_client_input(t->c, &in);
    buf_drop(&t->in, whole.n - in.n);
    quiet = whole.n != in.n || t->c->proto.holds ? 0 : quiet + 1;
  }
  if (t->c->proto.holds) pop3_client_resume(t->c);
}

static inline void script_say(struct script *t, struct slice s) {
  if (!t->cut) {
    buf_put(&t->in, s);
    script_feed(t);
    return;
  }
  for (; s.n; s = slice_from(s, t->cut)) {
    buf_put(&t->in, slice_first(s, t->cut));
    script_feed(t);
  }
}

static inline bool script_hears(struct script *t, struct slice line) {
  struct buf *out = &t->c->proto.out;
  struct slice said = buf_slice(out);
  ptrdiff_t at = slice_search(said, SLICE("\r\n"));
  if (at < 0 || !slice_eq(slice_first(said, (size_t)at), line)) {
    fprintf(stderr, "wanted of the client: %.*s\nit said: %.*s\n", SLICE_ARG(line),
            SLICE_ARG(said));
    return script_wrong(t, "the client said something else");
  }
  buf_drop(out, (size_t)at + 2);
  return true;
}

static inline void script_flush(struct script *t, struct buf *said) {
  if (buf_len(said)) script_say(t, buf_slice(said));
  buf_reset(said);
}

/* Makes the session on first use. False: the session deviated from the script. */
static inline bool script_play(struct script *t, const char *text) {
  struct slice rest = slice_str(text);
  struct buf said;
  buf_init(&said, SCRIPT_MAX);
  t->start.sink.arg = t;
  t->start.channel = (struct proto_channel){ script_bindings, t };
  if (!t->c) t->c = pop3_client_new(&t->start);
  while (t->c && rest.n && !t->wrong) {
    struct slice line = slice_split(&rest, '\n'), what = slice_from(line, 3);
    int kind = slice_at(line, 0);
    if (kind == 'S') {
      buf_put(&said, what);
      buf_put(&said, SLICE("\r\n"));
      continue;
    }
    script_flush(t, &said);
    if (kind == 'C') script_hears(t, what);
    if (kind == 'X') pop3_client_gone(t->c, POP3_END_GONE);
    if (kind == '+') {
      t->c->proto.now_ms += 1000 * strtoull((const char *)what.p, NULL, 10);
      if (t->c->proto.deadline_ms && t->c->proto.now_ms >= t->c->proto.deadline_ms)
        pop3_client_tick(t->c);
    }
    if (kind != 'T') continue;
    if (t->c->proto.want != PROTO_TLS || buf_len(&t->c->proto.out))
      script_wrong(t, "the client wants no TLS");
    else
      pop3_client_secured(t->c);
  }
  if (t->c) script_flush(t, &said);
  buf_free(&said);
  return !t->wrong;
}

static inline void script_settle(struct script *t, bool safe) {
  for (size_t i = 0; i < t->c->count; i++)
    if (t->c->items[i].state == POP3_WHOLE) pop3_client_settle(t->c, &t->c->items[i], safe);
}

static inline void script_free(struct script *t) {
  pop3_client_free(&t->c);
  buf_free(&t->in);
  buf_free(&t->log);
}

#endif
