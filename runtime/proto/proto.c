/* SPDX-License-Identifier: ISC */
/* What every protocol session shares: its buffers, its one pending question, its close reason,
 * trace and log.
 * Invariants: the first close reason is kept; a new question replaces the old one's payload; the
 * question's payload and the output are wiped at the end, because they may hold a password. */
#include "runtime/proto/proto.h"

#include <stdarg.h>
#include <stdio.h>

static const struct {
  const char *word, *meaning;
} reasons[] = {
#define R(name, word, meaning) { word, meaning },
#include "runtime/proto/reasons.def"
#undef R
};

const char *close_reason_word(enum close_reason r) {
  return r < CLOSE_REASONS ? reasons[r].word : "unknown";
}

const char *close_reason_meaning(enum close_reason r) {
  return r < CLOSE_REASONS ? reasons[r].meaning : "unknown";
}

void proto_init(struct proto *p, const struct proto_start *start) {
  *p = (struct proto){
    .now_ms = start->now_ms,
    .wall_s = start->wall_s,
    .out_high = PROTO_OUT_STRANGER,
    .in_most = PROTO_IN_STRANGER,
  };
  buf_init(&p->out, PROTO_OUT_MAX);
  buf_init(&p->ask.body, PROTO_ASK_MAX);
}

void proto_client_init(struct proto *p, const struct proto_start *start) {
  proto_init(p, start);
  p->out_high = 0;
  p->duplex = true;
}

void proto_done(struct proto *p) {
  buf_wipe(&p->out);
  buf_wipe(&p->ask.body); /* it may have carried a password */
}

struct proto_bindings proto_bindings(const struct proto *p) {
  struct proto_bindings b = { 0 };
  if (p->channel.bindings) p->channel.bindings(p->channel.arg, &b);
  if (p->channel.certificate)
    b.certificate_n = p->channel.certificate(p->channel.arg, b.certificate);
  return b;
}

struct buf *proto_ask(struct proto *p, unsigned role, uint16_t type, bool wants_answer) {
  p->ask.role = role;
  p->ask.type = type;
  p->ask.wants_answer = wants_answer;
  p->ask.sent = false;
  buf_reset(&p->ask.body);
  return &p->ask.body;
}

void proto_close(struct proto *p, enum close_reason reason) {
  p->want = PROTO_CLOSE;
  p->more = false;
  if (p->reason == CLOSE_NONE) p->reason = reason;
}

/* What the session does may change what it takes of the input: it is shown it again. */
static enum proto_action act(struct proto_turn *t, enum proto_action action) {
  t->fed = false;
  return action;
}

/* A session with much to do yields, whether it is reading, taking input or producing output. */
static enum proto_action work(struct proto_turn *t, enum proto_action action) {
  if (t->work == PROTO_TURN_MOST) return PROTO_DO_PAUSE;
  t->work++;
  return action;
}

/* The last output is sent before the connection changes. */
static enum proto_action change(const struct proto *p, const struct proto_turn *t) {
  if (p->want == PROTO_CLOSE) return PROTO_DO_CLOSE;
  /* RFC 3207 §6 and attack TL-1: octets received in the clear must not be taken as sent under
   * TLS. */
  return t->in ? PROTO_DO_INJECTED : PROTO_DO_TLS;
}

enum proto_action proto_next(const struct proto *p, struct proto_turn *t) {
  size_t waits = buf_len(&p->out);
  enum proto_action flush = t->blocked ? PROTO_DO_DRAIN : PROTO_DO_FLUSH;
  bool full = waits > p->out_high, stopped = t->blocked && p->duplex;
  /* A truncated question would be taken for a breach, and end the sessions of everybody. */
  if (p->out.failed || (p->ask.type && p->ask.body.failed)) return PROTO_DO_FAIL;
  if (p->ask.type) return act(t, p->ask.sent ? PROTO_DO_AWAIT : PROTO_DO_ASK);
  if (full && !stopped) return flush;
  if (p->more && !stopped) return act(t, work(t, PROTO_DO_PRODUCE));
  if (p->want != PROTO_READ) return waits ? flush : change(p, t);
  if (p->holds) return waits && !stopped ? flush : PROTO_DO_AWAIT;
  if (t->in && !t->fed) return work(t, PROTO_DO_INPUT);
  if (waits && !stopped) return flush;
  return work(t, PROTO_DO_READ);
}

void proto_trace(struct proto *p, char direction, struct slice line) {
  if (p->trace.fn) p->trace.fn(p->trace.arg, direction, line);
}

void proto_trace_out(struct proto *p, size_t before) {
  if (!p->trace.fn) return;
  struct slice rest = slice_from(buf_slice(&p->out), before);
  while (rest.n) {
    struct slice line = slice_split(&rest, '\n');
    if (line.n) line.n--;
    proto_trace(p, 'S', line);
  }
}

static void remark(struct proto *p, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
static void remark(struct proto *p, const char *fmt, ...) {
  char text[512];
  va_list ap;
  if (!p->trace.fn) return;
  va_start(ap, fmt);
  vsnprintf(text, sizeof text, fmt, ap);
  va_end(ap);
  proto_trace(p, '*', slice_str(text));
}

void proto_trace_state(struct proto *p, const char *from, const char *to) {
  remark(p, "state %s > %s", from, to);
}

void proto_trace_tls(struct proto *p, const struct proto_secured *tls) {
  remark(p, "%s %s", tls->tls_version, tls->tls_cipher);
}

void proto_trace_login(struct proto *p, struct slice name) {
  remark(p, "logged in as %.*s", SLICE_ARG(name));
}

bool proto_log(struct proto *p, struct log_line *l, enum log_event event) {
  if (p->log.open) p->log.open(p->log.arg, l, event);
  return p->log.open && l->on;
}
