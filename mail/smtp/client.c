/* SPDX-License-Identifier: ISC */
/* The wire protocol and the opening of the session: replies passed to the part that awaits them,
 * time-outs, EHLO, STARTTLS.
 *
 *   GREETING → EHLO (→ HELO) → STARTTLS → (TLS) → EHLO → AUTH → SEND ⇄ RSET → QUIT → OVER
 *
 * Invariants: a reply belongs to what `phase` (in SEND: the first transaction) awaits; an
 * unexpected reply ends the session. Only smtp_client_end() closes; after it nothing is sent and no
 * letter is held. */
#include "mail/smtp/client.h"

#include <stdlib.h>

#include "lib/base/codec.h"
#include "lib/base/num.h"
#include "mail/smtp/client_inside.h"

enum { MINUTE = 60 * 1000, MECHANISMS_MAX = 1024 };

static const struct {
  enum smtp_end_class class;
  const char *meaning;
} ends[] = {
#define E(name, word, class, meaning) { SMTP_END_IS_##class, meaning },
#include "mail/smtp/client_ends.def"
#undef E
};

const char *smtp_end_meaning(enum smtp_end e) { return ends[e < SMTP_ENDS ? e : 0].meaning; }
enum smtp_end_class smtp_end_class(enum smtp_end e) { return ends[e < SMTP_ENDS ? e : 0].class; }

const char *smtp_stage_command(enum smtp_stage s) {
  static const char *const commands[SMTP_STAGES] = {
    [SMTP_STAGE_CONNECT] = "connect", [SMTP_STAGE_GREETING] = "greeting",
    [SMTP_STAGE_EHLO] = "EHLO",       [SMTP_STAGE_TLS] = "STARTTLS",
    [SMTP_STAGE_AUTH] = "AUTH",       [SMTP_STAGE_MAIL] = "MAIL",
    [SMTP_STAGE_RCPT] = "RCPT",       [SMTP_STAGE_DATA] = "DATA",
    [SMTP_STAGE_BODY] = "message",    [SMTP_STAGE_END] = "message",
  };
  return commands[s];
}

/* --- clocks --- */

void smtp_client_await(struct smtp_session *s, uint64_t ms) {
  s->wait_at = s->pub.proto.now_ms + ms;
}

/* Every call from the shell ends here. */
static void finish_call(struct smtp_session *s) {
  struct proto *p = &s->pub.proto;
  if (s->phase == SMTP_PHASE_SEND) smtp_send_advance(s);
  if (p->out.failed && s->phase != SMTP_PHASE_OVER) smtp_client_end(s, SMTP_END_NO_MEMORY);
  p->deadline_ms = s->phase == SMTP_PHASE_OVER ? 0 : s->wait_at;
}

/* --- saying --- */

void smtp_client_send(struct smtp_session *s, struct slice line, const char *shown) {
  struct buf *out = &s->pub.proto.out;
  proto_trace(&s->pub.proto, 'C', shown ? slice_str(shown) : line);
  buf_put(out, line);
  buf_put(out, SLICE("\r\n"));
  s->past_end += line.n + 2;
}

static void send_hello(struct smtp_session *s, const char *verb, enum smtp_phase phase) {
  struct buf line;
  buf_init(&line, 300);
  buf_printf(&line, "%s ", verb);
  buf_put(&line, buf_slice(&s->hello));
  s->phase = phase;
  s->pub.stage = SMTP_STAGE_EHLO;
  smtp_client_send(s, buf_slice(&line), NULL);
  smtp_client_await(s, s->limits.command_ms);
  if (line.failed) smtp_client_end(s, SMTP_END_NO_MEMORY);
  buf_free(&line);
}

static void send_ehlo(struct smtp_session *s) {
  s->pub.pipelining = s->pub.eight_bit = s->pub.has_size = s->pub.dsn = s->pub.utf8 =
      s->pub.enhanced = false;
  s->starttls = false;
  s->pub.size_limit = 0;
  buf_reset(&s->mechanisms);
  send_hello(s, s->policy.lmtp ? "LHLO" : "EHLO", SMTP_PHASE_EHLO);
}

void smtp_client_quit(struct smtp_session *s) {
  if (s->phase >= SMTP_PHASE_QUIT) return;
  s->phase = SMTP_PHASE_QUIT;
  s->pub.idle = false;
  smtp_client_send(s, SLICE("QUIT"), NULL);
  smtp_client_await(s, s->limits.quit_ms);
}

/* --- the end --- */

void smtp_client_end(struct smtp_session *s, enum smtp_end end) {
  if (s->phase == SMTP_PHASE_OVER) return;
  s->phase = SMTP_PHASE_OVER;
  s->pub.end = end;
  s->pub.idle = false;
  smtp_login_forget(s);
  smtp_send_abandon(s, end);
  proto_close(&s->pub.proto, CLOSE_NONE);
}

/* The server is unusable, but is sent a QUIT, whose reply is not awaited. */
static void end_politely(struct smtp_session *s, enum smtp_end end) {
  smtp_client_send(s, SLICE("QUIT"), NULL);
  smtp_client_end(s, end);
}

void smtp_client_keep(struct smtp_session *s, enum smtp_stage stage, enum smtp_fate fate) {
  struct smtp_verdict *v = &s->pub.last;
  v->fate = (uint8_t)fate;
  v->stage = (uint8_t)stage;
  v->code = s->reply.code;
  memcpy(v->enhanced, s->reply.enhanced, sizeof v->enhanced);
  buf_reset(&v->text);
  buf_put(&v->text, slice_first(buf_slice(&s->reply.text), SMTP_CLIENT_TEXT_MAX));
}

static bool positive(const struct smtp_session *s) { return s->reply.code / 100 == 2; }

static enum smtp_fate fate_of_reply(const struct smtp_session *s) {
  return s->reply.code / 100 == 5 ? SMTP_PERMANENT : SMTP_TEMPORARY;
}

/* --- the opening --- */

static void greeting_reply(struct smtp_session *s) {
  if (positive(s)) {
    send_ehlo(s);
    return;
  }
  smtp_client_keep(s, SMTP_STAGE_GREETING, fate_of_reply(s));
  end_politely(s, SMTP_END_NOT_WELCOME);
}

static void take_auth(struct smtp_session *s, struct slice names) {
  if (!buf_len(&s->mechanisms) && names.n < MECHANISMS_MAX) buf_put(&s->mechanisms, names);
}

/* "SIZE 10240000" (RFC 1870 §3); no number, zero or an invalid one: no known limit. */
static void take_size(struct smtp_session *s, struct slice number) {
  uint64_t n;
  s->pub.has_size = true;
  if (num_parse(slice_trim(number), UINT64_MAX, &n)) s->pub.size_limit = n;
}

static void take_keyword(struct smtp_session *s, struct slice line) {
  struct slice word = slice_split(&line, ' ');
  const struct {
    const char *word;
    bool *flag;
  } flags[] = { { "STARTTLS", &s->starttls },      { "PIPELINING", &s->pub.pipelining },
                { "8BITMIME", &s->pub.eight_bit }, { "DSN", &s->pub.dsn },
                { "SMTPUTF8", &s->pub.utf8 },      { "ENHANCEDSTATUSCODES", &s->pub.enhanced } };
  for (size_t i = 0; i < sizeof flags / sizeof *flags; i++)
    if (slice_caseeq(word, slice_str(flags[i].word))) *flags[i].flag = true;
  if (slice_caseeq(word, SLICE("SIZE"))) take_size(s, line);
  if (slice_caseeq(word, SLICE("AUTH"))) take_auth(s, line);
}

static void take_keywords(struct smtp_session *s) {
  struct slice rest = buf_slice(&s->reply.text);
  slice_split(&rest, '\n'); /* the first line is the greeting */
  while (rest.p) take_keyword(s, slice_split(&rest, '\n'));
  s->pub.offers_tls |= s->starttls;
  if (s->policy.no_pipeline) s->pub.pipelining = false;
}

static void start_tls(struct smtp_session *s) {
  s->phase = SMTP_PHASE_STARTTLS;
  s->pub.stage = SMTP_STAGE_TLS;
  smtp_client_send(s, SLICE("STARTTLS"), NULL);
  smtp_client_await(s, s->limits.command_ms);
}

/* The server's capabilities on this channel are known. */
static void after_ehlo(struct smtp_session *s) {
  if (!s->secure && s->starttls && s->policy.tls != SMTP_TLS_NEVER)
    start_tls(s);
  else if (!s->secure && s->policy.tls == SMTP_TLS_MUST)
    end_politely(s, SMTP_END_NO_TLS);
  else if (buf_len(&s->user))
    smtp_login_begin(s);
  else
    smtp_client_ready(s);
}

/* RFC 5321 §4.1.4: a server that does not know EHLO is greeted with HELO. LMTP has no other
 * greeting. */
static void ehlo_reply(struct smtp_session *s) {
  if (positive(s)) {
    take_keywords(s);
    after_ehlo(s);
  } else if (s->reply.code / 100 == 5 && s->phase == SMTP_PHASE_EHLO && !s->policy.lmtp &&
             !s->secure) {
    send_hello(s, "HELO", SMTP_PHASE_HELO);
  } else {
    smtp_client_keep(s, SMTP_STAGE_EHLO, fate_of_reply(s));
    end_politely(s, SMTP_END_EHLO_REFUSED);
  }
}

static void helo_reply(struct smtp_session *s) {
  if (positive(s)) {
    after_ehlo(s);
    return;
  }
  smtp_client_keep(s, SMTP_STAGE_EHLO, fate_of_reply(s));
  end_politely(s, SMTP_END_EHLO_REFUSED);
}

static void starttls_reply(struct smtp_session *s) {
  if (s->reply.code == 220) {
    s->pub.proto.want = PROTO_TLS;
    s->wait_at = 0; /* the shell has a time-out for handshakes */
    return;
  }
  smtp_client_keep(s, SMTP_STAGE_TLS, fate_of_reply(s));
  if (s->policy.tls == SMTP_TLS_MUST || s->policy.tls == SMTP_TLS_ONCE_OFFERED) {
    end_politely(s, SMTP_END_TLS_REFUSED);
    return;
  }
  s->starttls = false; /* 454: the session continues in the clear (RFC 3207 §4) */
  after_ehlo(s);
}

void smtp_client_ready(struct smtp_session *s) {
  s->phase = SMTP_PHASE_SEND;
  s->pub.ready = true;
  s->pub.stage = SMTP_STAGE_MAIL;
}

/* --- replies --- */

static void quit_reply(struct smtp_session *s) { smtp_client_end(s, SMTP_END_DONE); }

static void (*const replies[])(struct smtp_session *s) = {
  [SMTP_PHASE_GREETING] = greeting_reply,   [SMTP_PHASE_EHLO] = ehlo_reply,
  [SMTP_PHASE_HELO] = helo_reply,           [SMTP_PHASE_STARTTLS] = starttls_reply,
  [SMTP_PHASE_AUTH] = smtp_login_reply,     [SMTP_PHASE_SEND] = smtp_send_reply,
  [SMTP_PHASE_RSET] = smtp_send_rset_reply, [SMTP_PHASE_QUIT] = quit_reply,
};

static void trace_reply(struct smtp_session *s) {
  struct buf line;
  struct slice rest = buf_slice(&s->reply.text);
  if (!s->pub.proto.trace.fn) return;
  buf_init(&line, SMTP_REPLY_LINE_MAX + 8);
  do {
    struct slice text = slice_split(&rest, '\n');
    bool challenge = s->phase == SMTP_PHASE_AUTH && s->reply.code == 334;
    buf_reset(&line);
    buf_put_dec(&line, s->reply.code);
    buf_put_u8(&line, rest.p ? '-' : ' ');
    buf_put(&line, challenge ? SLICE("(challenge)") : text);
    proto_trace(&s->pub.proto, 'S', buf_slice(&line));
  } while (rest.p);
  buf_free(&line);
}

static const char *answered_command(const struct smtp_session *s) {
  static const enum smtp_stage steps[] = { [SMTP_STEP_MAIL] = SMTP_STAGE_MAIL,
                                           [SMTP_STEP_RCPT] = SMTP_STAGE_RCPT,
                                           [SMTP_STEP_DATA] = SMTP_STAGE_DATA,
                                           [SMTP_STEP_END] = SMTP_STAGE_END };
  switch (s->phase) {
  case SMTP_PHASE_EHLO: return s->policy.lmtp ? "LHLO" : "EHLO";
  case SMTP_PHASE_HELO: return "HELO";
  case SMTP_PHASE_SEND: return smtp_stage_command(steps[s->transactions[0].to_receive]);
  case SMTP_PHASE_RSET: return "RSET";
  case SMTP_PHASE_QUIT: return "QUIT";
  default: return smtp_stage_command(s->pub.stage);
  }
}

/* 421 may come at any time, in place of any reply (RFC 5321 §3.8). So may the 221 of a server that
 * closes without QUIT: it confirms nothing. */
static void shut_down(struct smtp_session *s) {
  if (s->phase == SMTP_PHASE_SEND) smtp_send_shut_down(s);
  smtp_client_keep(s, s->pub.stage, SMTP_TEMPORARY);
  smtp_client_end(s, SMTP_END_SHUT_DOWN);
}

static void take_reply(struct smtp_session *s) {
  trace_reply(s);
  if (s->watch.reply)
    s->watch.reply(s->watch.arg, answered_command(s), s->reply.code, buf_slice(&s->reply.text));
  if ((s->reply.code == 421 || s->reply.code == 221) && s->phase != SMTP_PHASE_QUIT)
    shut_down(s);
  else
    replies[s->phase](s);
}

static void put_escaped(struct buf *b, struct slice in) {
  for (size_t i = 0; i < in.n && i < SMTP_CLIENT_SHOWN; i++) {
    uint8_t c = in.p[i];
    if (c == '\r' || c == '\n')
      buf_put_str(b, c == '\r' ? "\\r" : "\\n");
    else if (ascii_is_print(c) && c != '\\' && c != '"')
      buf_put_u8(b, c);
    else
      buf_printf(b, "\\x%02x", c);
  }
}

/* Not a reply: its text is kept as it came, together with the part already read. */
static void unreadable(struct smtp_session *s, struct slice in) {
  struct smtp_verdict *v = &s->pub.last;
  *v = (struct smtp_verdict){
    .fate = SMTP_TEMPORARY, .stage = (uint8_t)s->pub.stage, .enhanced = { 4, 5, 0 }, .text = v->text
  };
  buf_reset(&v->text);
  buf_put_str(&v->text, "not a reply of SMTP: \"");
  for (struct slice rest = buf_slice(&s->reply.text); s->reply.lines && rest.p;) {
    buf_printf(&v->text, "%u-", s->reply.code);
    put_escaped(&v->text, slice_split(&rest, '\n'));
    buf_put_str(&v->text, "\\r\\n");
  }
  put_escaped(&v->text, in);
  buf_put_u8(&v->text, '"');
  v->text.failed = false;
  smtp_client_end(s, SMTP_END_PROTOCOL);
}

/* One reply. False: there is none yet, or nothing more is accepted. */
static bool step(struct smtp_session *s, struct slice *in) {
  struct slice whole = *in;
  switch (smtp_reply_read(&s->reply, in)) {
  case SMTP_READ_MORE: return false;
  case SMTP_READ_BAD: unreadable(s, whole); return false;
  case SMTP_READ_DONE: break;
  }
  take_reply(s);
  smtp_reply_reset(&s->reply);
  if (s->phase == SMTP_PHASE_SEND) smtp_send_advance(s);
  /* Octets received before TLS must not be taken as sent under it (RFC 3207 §6). */
  if (s->pub.proto.want == PROTO_TLS && in->n) smtp_client_end(s, SMTP_END_INJECTION);
  return s->pub.proto.want == PROTO_READ;
}

void smtp_client_input(struct smtp_client *c, struct slice *in) {
  struct smtp_session *s = (struct smtp_session *)c;
  while (in->n && c->proto.want == PROTO_READ && step(s, in)) {
  }
  finish_call(s);
}

void smtp_client_produce(struct smtp_client *c) {
  struct smtp_session *s = (struct smtp_session *)c;
  if (s->phase == SMTP_PHASE_SEND)
    smtp_send_body(s);
  else
    c->proto.more = false;
  finish_call(s);
}

/* RFC 3207 §4.2: what was learnt before TLS is discarded. */
void smtp_client_secured(struct smtp_client *c) {
  struct smtp_session *s = (struct smtp_session *)c;
  if (s->phase != SMTP_PHASE_STARTTLS || c->proto.want != PROTO_TLS) return;
  s->secure = true;
  c->proto.want = PROTO_READ;
  send_ehlo(s);
  finish_call(s);
}

void smtp_client_gone(struct smtp_client *c, enum smtp_end why) {
  struct smtp_session *s = (struct smtp_session *)c;
  if (s->phase == SMTP_PHASE_QUIT) why = SMTP_END_DONE; /* nothing depended on its reply */
  if (c->idle && why == SMTP_END_GONE) why = SMTP_END_IDLE_CLOSED;
  if (s->phase == SMTP_PHASE_STARTTLS) c->stage = SMTP_STAGE_TLS;
  smtp_client_end(s, why);
  finish_call(s);
}

void smtp_client_tick(struct smtp_client *c) {
  struct smtp_session *s = (struct smtp_session *)c;
  if (s->phase == SMTP_PHASE_OVER || !s->wait_at || c->proto.now_ms < s->wait_at) return;
  if (c->idle)
    smtp_client_quit(s);
  else
    smtp_client_gone(c, SMTP_END_TIMEOUT);
  finish_call(s);
}

void smtp_client_wake(struct smtp_client *c) {
  struct smtp_session *s = (struct smtp_session *)c;
  if (s->waits) c->proto.more = true;
  s->waits = false;
  finish_call(s);
}

void smtp_client_finish(struct smtp_client *c) {
  ((struct smtp_session *)c)->finishing = true;
  finish_call((struct smtp_session *)c);
}

const struct smtp_letter *smtp_client_at_end(const struct smtp_client *c) {
  const struct smtp_transaction *t = ((const struct smtp_session *)c)->transactions;
  return t->letter && t->body_ended && !t->void_body ? t->letter : NULL;
}

/* --- for shells that know no protocol --- */

static void ops_free(struct proto **p) {
  struct smtp_client *c = (struct smtp_client *)*p;
  smtp_client_free(&c);
  *p = NULL;
}

static void ops_input(struct proto *p, struct slice *in) {
  smtp_client_input((struct smtp_client *)p, in);
}

static void ops_produce(struct proto *p) { smtp_client_produce((struct smtp_client *)p); }

static void ops_secured(struct proto *p, const struct proto_secured *tls) {
  smtp_client_secured((struct smtp_client *)p);
}

static void ops_tick(struct proto *p) { smtp_client_tick((struct smtp_client *)p); }

static void ops_gone(struct proto *p, enum close_reason why) {
  enum smtp_end end = why == CLOSE_TLS_INJECTION ? SMTP_END_INJECTION
                      : why == CLOSE_TLS_FAILED  ? SMTP_END_TLS_FAILED
                      : why == CLOSE_NO_MEMORY   ? SMTP_END_NO_MEMORY
                                                 : SMTP_END_GONE;
  smtp_client_gone((struct smtp_client *)p, end);
}

const struct proto_ops smtp_client_ops = {
  .name = "SMTP client",
  .free = ops_free,
  .input = ops_input,
  .produce = ops_produce,
  .secured = ops_secured,
  .tick = ops_tick,
  .gone = ops_gone,
};

/* --- life --- */

static uint64_t or_else(uint64_t given, uint64_t otherwise) { return given ? given : otherwise; }

static struct smtp_client_limits limits_of(const struct smtp_client_limits *l) {
  return (struct smtp_client_limits){
    .greeting_ms = or_else(l->greeting_ms, 5 * MINUTE),
    .command_ms = or_else(l->command_ms, 5 * MINUTE),
    .data_ms = or_else(l->data_ms, 2 * MINUTE),
    .block_ms = or_else(l->block_ms, 3 * MINUTE),
    .end_ms = or_else(l->end_ms, 10 * MINUTE),
    .quit_ms = or_else(l->quit_ms, 5000),
    .idle_ms = l->idle_ms,
    .session_ms = or_else(l->session_ms, 60 * MINUTE),
    .letters = (uint32_t)or_else(l->letters, 1000),
  };
}

/* Allocated at full size, so that growing leaves no copy behind. */
static void copy(struct buf *to, size_t max, struct slice s) {
  buf_init(to, max);
  if (s.n) buf_reserve(to, s.n);
  buf_put(to, s);
}

struct smtp_client *smtp_client_new(const struct smtp_client_start *start) {
  struct smtp_session *s = calloc(1, sizeof *s);
  if (!s) return NULL;
  struct proto_start p = { .now_ms = start->now_ms };
  proto_client_init(&s->pub.proto, &p);
  s->pub.proto.trace = start->trace;
  s->pub.proto.channel = start->channel;
  s->pub.stage = SMTP_STAGE_GREETING;
  s->policy = start->policy;
  s->limits = limits_of(&start->limits);
  s->source = start->source;
  s->watch = start->watch;
  s->port = start->port;
  s->secure = start->policy.tls == SMTP_TLS_IMPLICIT;
  smtp_reply_init(&s->reply);
  copy(&s->hello, 255, slice_str(start->hello));
  copy(&s->user, SASL_NAME_MAX, start->user);
  copy(&s->secret, SASL_MESSAGE_MAX, start->secret);
  copy(&s->host, 256, slice_str(start->host));
  copy(&s->named, 64, slice_str(start->mechanism));
  buf_init(&s->nonce, SASL_NONCE_MAX);
  base64_put(&s->nonce, slice_of(start->nonce, sizeof start->nonce));
  buf_init(&s->mechanisms, MECHANISMS_MAX);
  buf_init(&s->response, 2 * SASL_MESSAGE_MAX);
  buf_init(&s->piece, SMTP_CLIENT_PIECE);
  buf_init(&s->pub.last.text, SMTP_CLIENT_TEXT_MAX);
  s->session_at = start->now_ms + s->limits.session_ms;
  smtp_client_await(s, s->limits.greeting_ms);
  finish_call(s);
  struct smtp_client *c = &s->pub;
  if (s->hello.failed || s->user.failed || s->secret.failed || s->host.failed || s->named.failed ||
      s->nonce.failed)
    smtp_client_free(&c);
  return c;
}

void smtp_client_free(struct smtp_client **c) {
  struct smtp_session *s = (struct smtp_session *)*c;
  if (!s) return;
  smtp_login_forget(s);
  smtp_send_abandon(s, SMTP_END_GONE);
  smtp_reply_free(&s->reply);
  buf_wipe(&s->secret);
  buf_free(&s->hello), buf_free(&s->user), buf_free(&s->host), buf_free(&s->named),
      buf_free(&s->nonce);
  buf_free(&s->mechanisms), buf_free(&s->piece), buf_free(&s->pub.last.text);
  proto_done(&s->pub.proto);
  free(s);
  *c = NULL;
}
