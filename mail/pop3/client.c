/* SPDX-License-Identifier: ISC */
/* The wire protocol and the opening of the session: assigning replies to commands, lines,
 * time-outs, capabilities, TLS.
 *
 * Invariants: replies come in the order of `asked`; the next line, or the lines or octets of a
 * multi-line reply (`inside`), belong to the head of that ring. When no command is outstanding the
 * server has nothing to send. Only client_end() closes; after it nothing is sent, and the sink is
 * called only to cut a message that was begun. */
#include "mail/pop3/client.h"

#include <stdlib.h>

#include "lib/base/codec.h"
#include "mail/pop3/client_inside.h"

enum { CREDIT = 4096 /* octets of a message that count as progress */ };

static const struct {
  const char *word;
  enum pop3_end_class class;
  const char *meaning;
} ends[] = {
#define E(name, word, class, meaning) { word, POP3_END_IS_##class, meaning },
#include "mail/pop3/client_ends.def"
#undef E
};

const char *pop3_end_word(enum pop3_end e) { return ends[e < POP3_ENDS ? e : 0].word; }
const char *pop3_end_meaning(enum pop3_end e) { return ends[e < POP3_ENDS ? e : 0].meaning; }
enum pop3_end_class pop3_end_class(enum pop3_end e) { return ends[e < POP3_ENDS ? e : 0].class; }

/* --- the answers, one row a verb --- */

static void greeting_answer(struct pop3_client_session *s, const struct pop3_reply *r);
static void capa_answer(struct pop3_client_session *s, const struct pop3_reply *r);
static void capa_line(struct pop3_client_session *s, struct slice line);
static void capa_end(struct pop3_client_session *s);
static void stls_answer(struct pop3_client_session *s, const struct pop3_reply *r);
static void utf8_answer(struct pop3_client_session *s, const struct pop3_reply *r);
static void quit_answer(struct pop3_client_session *s, const struct pop3_reply *r);

static const struct {
  /* The status line. For a multi-line answer it sets `inside`; otherwise it calls client_answered()
   * first. */
  void (*answer)(struct pop3_client_session *s, const struct pop3_reply *r);
  /* of a multi-line answer; NULL: octets of a message */
  void (*line)(struct pop3_client_session *s, struct slice line);
  void (*end)(struct pop3_client_session *s);
} verbs[VERBS] = {
  [VERB_GREETING] = { greeting_answer, NULL, NULL },
  [VERB_CAPA] = { capa_answer, capa_line, capa_end },
  [VERB_STLS] = { stls_answer, NULL, NULL },
  [VERB_UTF8] = { utf8_answer, NULL, NULL },
  [VERB_AUTH] = { login_answer, NULL, NULL },
  [VERB_USER] = { login_answer, NULL, NULL },
  [VERB_PASS] = { login_answer, NULL, NULL },
  [VERB_APOP] = { login_answer, NULL, NULL },
  [VERB_LIST] = { list_answer, list_line, list_end },
  [VERB_UIDL] = { uidl_answer, uidl_line, uidl_end },
  [VERB_RETR] = { fetch_answer, NULL, NULL },
  [VERB_TOP] = { fetch_answer, NULL, NULL },
  [VERB_STEP] = { step_answer, NULL, NULL },
  [VERB_DELE] = { dele_answer, NULL, NULL },
  [VERB_QUIT] = { quit_answer, NULL, NULL },
};

/* --- clocks --- */

static uint64_t sooner(uint64_t a, uint64_t b) { return a && (!b || a < b) ? a : b; }

/* Called whenever octets were sent or received. */
static void set_deadline(struct pop3_client_session *s) {
  uint64_t at = s->session_at;
  if (s->phase == PHASE_OVER)
    at = 0;
  else if (s->sink_at)
    at = sooner(at, s->sink_at);
  else if (s->asked_n)
    at = sooner(at, s->idle_at);
  s->pub.proto.deadline_ms = at;
}

static void progress(struct pop3_client_session *s) {
  s->idle_at = s->pub.proto.now_ms + s->limits.idle_ms;
}

/* The session waits for the sink while it holds, and while only unsettled messages are left. */
static void watch_sink(struct pop3_client_session *s) {
  s->pub.settling = s->phase == PHASE_FETCH && !s->asked_n && s->unsettled && !s->pub.proto.holds;
  if (!s->pub.proto.holds && !s->pub.settling)
    s->sink_at = 0;
  else if (!s->sink_at)
    s->sink_at = s->pub.proto.now_ms + s->limits.sink_ms;
}

/* Every call from the shell ends here. */
static void finish_call(struct pop3_client_session *s) {
  s->busy = false;
  if (s->phase >= PHASE_FETCH && s->phase < PHASE_QUIT && !s->pub.proto.holds) fetch_advance(s);
  watch_sink(s);
  set_deadline(s);
}

/* --- ends --- */

void client_end(struct pop3_client_session *s, enum pop3_end end) {
  if (s->phase == PHASE_OVER) return;
  s->pub.stuck = fetch_stuck(s, end);
  s->phase = PHASE_OVER;
  s->pub.end = end;
  s->pub.proto.holds = false;
  s->asked_n = 0;
  if (end != POP3_END_SINK) fetch_cut(s);
  login_forget(s);
  proto_close(&s->pub.proto, CLOSE_NONE);
}

void client_end_politely(struct pop3_client_session *s, enum pop3_end end) {
  proto_trace(&s->pub.proto, 'C', SLICE("QUIT"));
  buf_put(&s->pub.proto.out, SLICE("QUIT\r\n"));
  client_end(s, end);
}

static void keep_text(struct pop3_client_session *s, struct slice words) {
  s->pub.text_n = words.n < sizeof s->pub.text ? words.n : sizeof s->pub.text;
  if (s->pub.text_n) memcpy(s->pub.text, words.p, s->pub.text_n);
}

/* RFC 2449 §8, RFC 3206. A code may have levels that we do not know: the first ones count. */
enum pop3_end client_refusal(const struct pop3_reply *r, enum pop3_end plain) {
  static const struct {
    const char *code;
    enum pop3_end end;
  } codes[] = {
    { "AUTH", POP3_END_LOGIN_WRONG },        { "IN-USE", POP3_END_IN_USE },
    { "SYS/PERM", POP3_END_SERVER_BROKEN },  { "SYS", POP3_END_TROUBLE },
    { "LOGIN-DELAY", POP3_END_LOGIN_DELAY },
  };
  for (size_t i = 0; i < sizeof codes / sizeof *codes; i++) {
    struct slice code = slice_str(codes[i].code);
    if (!slice_case_starts(r->code, code)) continue;
    if (r->code.n == code.n || slice_at(r->code, code.n) == '/') return codes[i].end;
  }
  return plain;
}

/* --- saying --- */

void client_send_more(struct pop3_client_session *s, struct slice line, const char *shown) {
  if (s->phase == PHASE_OVER) return;
  proto_trace(&s->pub.proto, 'C', shown ? slice_str(shown) : line);
  buf_put(&s->pub.proto.out, line);
  buf_put(&s->pub.proto.out, SLICE("\r\n"));
  progress(s);
  if (s->pub.proto.out.failed) client_end(s, POP3_END_NO_MEMORY);
}

void client_send(struct pop3_client_session *s, enum pop3_client_verb verb, size_t item,
                 struct slice line, const char *shown) {
  if (s->phase == PHASE_OVER) return;
  s->asked[(s->asked_at + s->asked_n++) % POP3_CLIENT_WINDOW] = (struct asked){ verb, item };
  client_send_more(s, line, shown);
}

void client_answered(struct pop3_client_session *s) {
  s->inside = false;
  s->lines = 0;
  if (s->asked_n == 0) return;
  s->asked_at = (s->asked_at + 1) % POP3_CLIENT_WINDOW;
  s->asked_n--;
}

size_t client_window(const struct pop3_client_session *s) {
  return s->pub.pipelines ? s->limits.window : 1;
}

void client_quit(struct pop3_client_session *s) {
  s->phase = PHASE_QUIT;
  client_send(s, VERB_QUIT, 0, SLICE("QUIT"), NULL);
}

/* --- hearing --- */

bool client_heed(struct pop3_client_session *s, struct pop3_item *item,
                 enum pop3_sink_verdict verdict) {
  switch (verdict) {
  case POP3_SINK_ON: return true;
  case POP3_SINK_HOLD: s->pub.proto.holds = true; return true;
  case POP3_SINK_NO:
    if (item) item->state = POP3_FAILED;
    return false;
  case POP3_SINK_OVER: break;
  }
  client_end(s, POP3_END_SINK);
  return false;
}

static void status_line(struct pop3_client_session *s, struct slice line) {
  struct pop3_reply r;
  bool ok = pop3_reply_parse(line, &r);
  enum pop3_client_verb verb = s->asked_n ? client_head(s)->verb : VERBS;
  proto_trace(&s->pub.proto, 'S', ok && r.status == POP3_CONTINUE ? SLICE("+ (challenge)") : line);
  progress(s);
  if (!ok || (r.status == POP3_CONTINUE && verb != VERB_AUTH)) {
    keep_text(s, line);
    client_end(s, POP3_END_PROTOCOL);
    return;
  }
  if (r.status == POP3_ERR) keep_text(s, slice_from(line, sizeof "-ERR"));
  if (verb == VERBS) /* unsolicited: some servers announce in this way that they disconnect */
    client_end(s, r.status == POP3_ERR ? POP3_END_GONE : POP3_END_PROTOCOL);
  else
    verbs[verb].answer(s, &r);
}

/* More lines than an honest server sends, which is one for each message. */
static bool too_many_lines(const struct pop3_client_session *s) {
  return s->lines > (uint64_t)s->limits.messages * 2 + 1000;
}

static void inside_line(struct pop3_client_session *s, struct slice line) {
  enum pop3_client_verb verb = client_head(s)->verb;
  progress(s);
  proto_trace(&s->pub.proto, 'S', line);
  if (slice_eq(line, SLICE("."))) {
    client_answered(s);
    verbs[verb].end(s);
    return;
  }
  s->lines++;
  if (too_many_lines(s))
    client_end(s, POP3_END_TOO_MUCH);
  else
    verbs[verb].line(s, slice_from(line, slice_at(line, 0) == '.'));
}

/* One line. False: there is none yet. */
static bool take_line(struct pop3_client_session *s, struct slice *in) {
  struct slice line;
  size_t max =
      s->asked_n && client_head(s)->verb == VERB_AUTH ? POP3_SASL_MAX : POP3_CLIENT_LINE_MAX;
  switch (pop3_line_next(&s->framer, in, max, &line)) {
  case POP3_LINE_MORE: return false;
  case POP3_LINE_READY:
    if (s->inside)
      inside_line(s, line);
    else
      status_line(s, line);
    /* TL-12: octets received before TLS must not be taken as sent under it. */
    if (s->pub.proto.want == PROTO_TLS && in->n) client_end(s, POP3_END_INJECTION);
    return true;
  case POP3_LINE_TOO_LONG: /* an unusable row of a list; an unreadable status */
    s->lines++;
    if (!s->inside || too_many_lines(s)) client_end(s, POP3_END_TOO_MUCH);
    return true;
  default: client_end(s, POP3_END_TOO_MUCH); return false;
  }
}

static bool in_message(struct pop3_client_session *s) {
  return s->inside && (client_head(s)->verb == VERB_RETR || client_head(s)->verb == VERB_TOP);
}

void pop3_client_input(struct pop3_client *c, struct slice *in) {
  struct pop3_client_session *s = (struct pop3_client_session *)c;
  bool more = true;
  s->busy = true;
  while (more && in->n && c->proto.want == PROTO_READ && !c->proto.holds) {
    more = in_message(s) ? fetch_body(s, in) : take_line(s, in);
    if (s->unstuff.octets >= s->credited + CREDIT) {
      s->credited = s->unstuff.octets;
      progress(s);
    }
  }
  finish_call(s);
}

/* --- opening --- */

static void greeting_answer(struct pop3_client_session *s, const struct pop3_reply *r) {
  struct slice stamp;
  client_answered(s);
  if (r->status != POP3_OK) {
    client_end(s, client_refusal(r, POP3_END_NOT_WELCOME));
    return;
  }
  if (pop3_reply_timestamp(r->text, &stamp)) buf_put(&s->timestamp, stamp);
  if (s->timestamp.failed)
    client_end(s, POP3_END_NO_MEMORY);
  else
    client_capa(s);
}

void client_capa(struct pop3_client_session *s) {
  s->stls = s->user_pass = s->auth_codes = s->utf8 = s->capable = s->pub.pipelines = false;
  buf_reset(&s->mechanisms);
  client_send(s, VERB_CAPA, 0, SLICE("CAPA"), NULL);
}

static void capa_answer(struct pop3_client_session *s, const struct pop3_reply *r) {
  s->capable = r->status == POP3_OK;
  s->inside = s->capable;
  if (s->capable) return;
  s->user_pass = true; /* RFC 1939 alone */
  client_answered(s);
  capa_end(s);
}

static void capa_line(struct pop3_client_session *s, struct slice line) {
  struct slice tag = slice_split(&line, ' ');
  if (slice_caseeq(tag, SLICE("STLS"))) s->stls = true;
  if (slice_caseeq(tag, SLICE("USER"))) s->user_pass = true;
  if (slice_caseeq(tag, SLICE("AUTH-RESP-CODE"))) s->auth_codes = true;
  if (slice_caseeq(tag, SLICE("UTF8"))) s->utf8 = true;
  if (slice_caseeq(tag, SLICE("PIPELINING"))) s->pub.pipelines = !s->policy.no_pipeline;
  if (slice_caseeq(tag, SLICE("SASL")) && line.n + 1 < buf_room(&s->mechanisms)) {
    buf_put(&s->mechanisms, line);
    buf_put_u8(&s->mechanisms, ' ');
  }
}

/* Asked once before the login (twice with STLS), and once more when a login may have changed the
 * answer. */
static void capa_end(struct pop3_client_session *s) {
  enum pop3_client_tls tls = s->policy.tls;
  if (s->mechanisms.failed)
    client_end(s, POP3_END_NO_MEMORY);
  else if (s->pub.logged_in)
    list_begin(s);
  else if (!s->secure && s->stls && tls != POP3_TLS_NEVER)
    client_send(s, VERB_STLS, 0, SLICE("STLS"), NULL);
  else if (!s->secure && tls == POP3_TLS_MUST)
    client_end_politely(s, POP3_END_NO_TLS);
  else if (s->utf8)
    client_send(s, VERB_UTF8, 0, SLICE("UTF8"), NULL);
  else
    login_begin(s);
}

/* RFC 6856 §2.1: requests messages unchanged, not as surrogates for clients that read ASCII only. A
 * server that refuses sends what it has. */
static void utf8_answer(struct pop3_client_session *s, const struct pop3_reply *r) {
  client_answered(s);
  login_begin(s);
}

static void stls_answer(struct pop3_client_session *s, const struct pop3_reply *r) {
  client_answered(s);
  if (r->status == POP3_OK)
    s->pub.proto.want = PROTO_TLS;
  else
    client_end_politely(s, POP3_END_STLS_REFUSED);
}

/* RFC 2595 §4: "the client MUST discard information about server capabilities obtained prior to the
 * TLS negotiation". APOP's timestamp is discarded too: an attacker may have chosen it. */
void pop3_client_secured(struct pop3_client *c) {
  struct pop3_client_session *s = (struct pop3_client_session *)c;
  if (s->phase == PHASE_OVER || c->proto.want != PROTO_TLS) return;
  s->busy = true;
  s->secure = true;
  c->proto.want = PROTO_READ;
  buf_reset(&s->timestamp);
  client_capa(s);
  finish_call(s);
}

/* --- the end --- */

static void quit_answer(struct pop3_client_session *s, const struct pop3_reply *r) {
  client_answered(s);
  client_end(s, r->status == POP3_OK || !s->marked ? POP3_END_DONE : POP3_END_QUIT_REFUSED);
}

void pop3_client_gone(struct pop3_client *c, enum pop3_end why) {
  struct pop3_client_session *s = (struct pop3_client_session *)c;
  if (s->phase == PHASE_QUIT) why = s->marked ? POP3_END_QUIT_UNHEARD : POP3_END_DONE;
  client_end(s, why);
  finish_call(s);
}

void pop3_client_tick(struct pop3_client *c) {
  struct pop3_client_session *s = (struct pop3_client_session *)c;
  uint64_t now = c->proto.now_ms;
  if (s->phase == PHASE_OVER) return;
  s->busy = true;
  if (s->sink_at && now >= s->sink_at)
    client_end(s, POP3_END_SINK);
  else if (s->asked_n && !c->proto.holds && now >= s->idle_at)
    pop3_client_gone(c, POP3_END_IDLE);
  else if (now >= s->session_at && s->finishing)
    pop3_client_gone(c, POP3_END_SESSION_TIME);
  else if (now >= s->session_at) {
    s->session_at = now + s->limits.idle_ms; /* to settle and to send QUIT */
    pop3_client_finish(c);
  }
  finish_call(s);
}

/* --- for shells that know no protocol --- */

static void ops_free(struct proto **p) {
  struct pop3_client *c = (struct pop3_client *)*p;
  pop3_client_free(&c);
  *p = NULL;
}

static void ops_input(struct proto *p, struct slice *in) {
  pop3_client_input((struct pop3_client *)p, in);
}

static void ops_secured(struct proto *p, const struct proto_secured *tls) {
  pop3_client_secured((struct pop3_client *)p);
}

static void ops_tick(struct proto *p) { pop3_client_tick((struct pop3_client *)p); }

static void ops_gone(struct proto *p, enum close_reason why) {
  enum pop3_end end = why == CLOSE_TLS_INJECTION ? POP3_END_INJECTION
                      : why == CLOSE_TLS_FAILED  ? POP3_END_TLS_FAILED
                      : why == CLOSE_NO_MEMORY   ? POP3_END_NO_MEMORY
                                                 : POP3_END_GONE;
  pop3_client_gone((struct pop3_client *)p, end);
}

const struct proto_ops pop3_client_ops = {
  .name = "POP3 client",
  .free = ops_free,
  .input = ops_input,
  .secured = ops_secured,
  .tick = ops_tick,
  .gone = ops_gone,
};

/* --- from the sink --- */

void pop3_client_resume(struct pop3_client *c) {
  struct pop3_client_session *s = (struct pop3_client_session *)c;
  if (!c->proto.holds) return;
  c->proto.holds = false;
  s->sink_at = 0;
  progress(s);
  s->busy = true;
  if (s->phase == PHASE_WISHES) s->phase = PHASE_FETCH;
  fetch_resume(s);
  finish_call(s);
}

void pop3_client_settle(struct pop3_client *c, struct pop3_item *item, bool safe) {
  struct pop3_client_session *s = (struct pop3_client_session *)c;
  if (item->state != POP3_WHOLE) return;
  item->state = safe ? POP3_SAFE : POP3_FAILED;
  if (safe && item->like) item->like->kept++;
  if (s->unsettled) s->unsettled--;
  s->sink_at = 0;
  if (!s->busy && s->phase != PHASE_OVER) finish_call(s);
}

void pop3_client_finish(struct pop3_client *c) {
  struct pop3_client_session *s = (struct pop3_client_session *)c;
  s->finishing = true;
  if (!s->busy && s->phase != PHASE_OVER) finish_call(s);
}

/* --- life --- */

static uint64_t or_else(uint64_t given, uint64_t otherwise) { return given ? given : otherwise; }

static void take_limits(struct pop3_client_session *s, const struct pop3_client_limits *l) {
  s->limits = (struct pop3_client_limits){
    .messages = (uint32_t)or_else(l->messages, 1000000),
    .message = or_else(l->message, 1ull << 32),
    .window = (uint32_t)or_else(l->window, 16),
    .window_octets = or_else(l->window_octets, 4 * 1024 * 1024),
    .unsettled = (uint32_t)or_else(l->unsettled, 256),
    .idle_ms = or_else(l->idle_ms, 2 * 60 * 1000),
    .session_ms = or_else(l->session_ms, 6ull * 60 * 60 * 1000),
    .sink_ms = or_else(l->sink_ms, 10 * 60 * 1000),
  };
  if (s->limits.window > POP3_CLIENT_WINDOW) s->limits.window = POP3_CLIENT_WINDOW;
}

/* Allocated at full size, so that growing leaves no copy behind. */
static void copy(struct buf *to, size_t max, struct slice s) {
  buf_init(to, max);
  if (s.n) buf_reserve(to, s.n);
  buf_put(to, s);
}

struct pop3_client *pop3_client_new(const struct pop3_client_start *start) {
  struct pop3_client_session *s = calloc(1, sizeof *s);
  if (!s) return NULL;
  struct proto_start p = { .now_ms = start->now_ms };
  proto_client_init(&s->pub.proto, &p);
  s->pub.proto.trace = start->trace;
  s->pub.proto.channel = start->channel;
  s->policy = start->policy;
  s->sink = start->sink;
  s->port = start->port;
  s->secure = start->policy.tls == POP3_TLS_IMPLICIT;
  take_limits(s, &start->limits);
  copy(&s->user, SASL_NAME_MAX, start->user);
  copy(&s->secret, SASL_MESSAGE_MAX, start->secret);
  copy(&s->authzid, SASL_NAME_MAX, start->authzid);
  copy(&s->host, 256, slice_str(start->host));
  copy(&s->named, 64, slice_str(start->mechanism));
  buf_init(&s->nonce, SASL_NONCE_MAX);
  base64_put(&s->nonce, slice_of(start->nonce, sizeof start->nonce));
  buf_init(&s->mechanisms, POP3_CLIENT_LINE_MAX);
  buf_init(&s->timestamp, POP3_CLIENT_LINE_MAX);
  buf_init(&s->response, 2 * SASL_MESSAGE_MAX);
  buf_init(&s->piece, POP3_CLIENT_IN);
  arena_init(&s->uidls, (size_t)s->limits.messages * 80 + 4096);
  s->asked[0] = (struct asked){ VERB_GREETING, 0 };
  s->asked_n = 1;
  s->session_at = start->now_ms + s->limits.session_ms;
  progress(s);
  set_deadline(s);
  struct pop3_client *c = &s->pub;
  if (s->user.failed || s->secret.failed || s->authzid.failed || s->host.failed ||
      s->named.failed || s->nonce.failed)
    pop3_client_free(&c);
  return c;
}

void pop3_client_free(struct pop3_client **c) {
  struct pop3_client_session *s = (struct pop3_client_session *)*c;
  if (!s) return;
  login_forget(s);
  buf_wipe(&s->secret);
  buf_free(&s->user), buf_free(&s->authzid), buf_free(&s->host), buf_free(&s->named);
  buf_free(&s->nonce), buf_free(&s->mechanisms), buf_free(&s->timestamp), buf_free(&s->piece);
  arena_reset(&s->uidls);
  free(s->pub.items);
  proto_done(&s->pub.proto);
  free(s);
  *c = NULL;
}
