/* SPDX-License-Identifier: ISC */
/* The driver: passes octets, answers and ticks to the verb, the answer's handler or the work in
 * progress. The meaning of POP3's commands is in the other files. */
#include "src/pop3d/session.h"

#include <stdlib.h>

#include "ipc/front_auth.h"
#include "ipc/pop3d_store.h"
#include "lib/base/bug.h"
#include "lib/password/password.h"
#include "src/pop3d/state.h"

static struct pop3d_session *session_of(struct proto *p) { return (struct pop3d_session *)p; }

void pop3d_facts_take(struct pop3d_facts *f, unsigned role, uint16_t type, struct slice payload) {
  struct auth_offers offers;
  /* the rules may have changed unnoticed meanwhile */
  if (role == ROLE_STORE)
    f->rules_known = false;
  else if (type == auth_offers_type && auth_offers_get(payload, &offers))
    f->apop = offers.apop;
}

void pop3d_service_init(struct pop3d_service *shared, const struct conf *conf, const char *name,
                        bool has_cert, struct pop3d_facts *facts) {
  *shared = (struct pop3d_service){
    .conf = conf,
    .name = name,
    .hostname = conf->hostname && *conf->hostname ? conf->hostname : "localhost",
    .has_cert = has_cert,
    .facts = facts,
  };
}

/* --- what the other files use --- */

void session_to(struct pop3d_session *s, enum pop3d_state state) {
  static const struct {
    enum pop3d_state from, to;
    const char *was, *is;
  } moves[] = {
    { ST_AUTHORIZATION, ST_SASL, "authorization", "sasl" },
    { ST_SASL, ST_AUTHORIZATION, "sasl", "authorization" },
    { ST_AUTHORIZATION, ST_TRANSACTION, "authorization", "transaction" },
    { ST_TRANSACTION, ST_UPDATE, "transaction", "update" },
  };
  for (size_t i = 0; i < sizeof moves / sizeof *moves; i++) {
    if (moves[i].from != s->state || moves[i].to != state) continue;
    s->state = state;
    proto_trace_state(&s->proto, moves[i].was, moves[i].is);
    return;
  }
  BUG_IF(true, "a move to %d in state %d, wait %d, work %d, listed %u, left %u", state, s->state,
         s->wait, s->work, (unsigned)s->maildrop.listed, (unsigned)s->maildrop.left);
}

void pop3d_answered(struct pop3d_session *s) {
  s->proto.ask.type = 0;
  s->wait = WAIT_NOTHING;
}

void session_forget_user(struct pop3d_session *s) { buf_wipe(&s->user); }

bool plaintext_allowed(const struct pop3d_session *s) {
  const struct conf *conf = s->service->conf;
  return s->secure || conf->plaintext_auth ||
         conf_in_networks(&conf->plaintext_networks, slice_of(s->peer, s->peer_len));
}

void work_on(struct pop3d_session *s, enum pop3d_work work) {
  s->work = work;
  s->proto.more = true;
}

void work_done(struct pop3d_session *s) {
  s->work = WORK_NOTHING;
  s->proto.more = false;
}

void pop3d_release(struct pop3d_session *s) {
  bool auth_busy = s->wait == WAIT_LOGIN || (s->state == ST_SASL && !s->auth_lost);
  if (s->wait == WAIT_QUIT)
    return; /* store is executing the QUIT, and releases the maildrop itself */
  pop3d_answered(s);
  if (auth_busy)
    proto_ask(&s->proto, ROLE_AUTH, auth_cancel_type, false);
  else if (s->granted)
    pop_close_put(proto_ask(&s->proto, ROLE_STORE, pop_close_type, false),
                  &(struct pop_close){ SLICE_NONE });
  s->granted = false;
}

/* An -ERR inside a multi-line response would be taken for a line of it. */
static bool inside_response(const struct pop3d_session *s) {
  return s->begun || s->work == WORK_LIST || s->work == WORK_UIDL;
}

void session_abort(struct pop3d_session *s, enum close_reason reason) {
  if (!inside_response(s))
    pop3d_err(s, "[SYS/TEMP] mail is not available at the moment, try again later");
  pop3d_release(s);
  proto_close(&s->proto, reason);
}

/* --- the ends of every call --- */

static void set_deadline(struct pop3d_session *s) {
  bool logged_in = s->state == ST_TRANSACTION || s->state == ST_UPDATE;
  s->proto.deadline_ms = logged_in ? s->proto.now_ms + s->service->conf->pop3_idle_timeout * 1000
                                   : s->login_deadline_ms;
}

/* A failed buffer is detected here, where it ends the session. */
static void finish_call(struct pop3d_session *s) {
  struct proto *p = &s->proto;
  s->active_ms = p->now_ms;
  set_deadline(s);
  if (!p->out.failed && !(p->ask.type && p->ask.body.failed)) return;
  pop3d_answered(s);
  pop3d_release(s);
  proto_close(p, CLOSE_NO_MEMORY);
}

/* --- input --- */

/* USER and PASS accept every name and password that `account add` accepts. */
_Static_assert((int)POP3_NAME_MAX == (int)AUTH_NAME_MAX, "a login line holds every name");
_Static_assert((int)POP3_PASSWORD_MAX >= (int)PASSWORD_MAX, "and every password");

/* A client that begins with one of these is connected to the wrong port, possibly tricked into it
 * (ALPACA). */
static bool is_foreign(struct slice line) {
  static const char *const openings[] = { "GET ",    "POST ",    "PUT ",   "HEAD ",  "OPTIONS ",
                                          "DELETE ", "CONNECT ", "PRI * ", "PROXY ", "SSH-",
                                          "*1",      "EHLO ",    "HELO " };
  for (size_t i = 0; i < sizeof openings / sizeof *openings; i++)
    if (slice_starts(line, slice_str(openings[i]))) return true;
  return false;
}

static void unknown_command(struct pop3d_session *s, struct slice line) {
  if (s->state != ST_AUTHORIZATION || !is_foreign(line)) {
    pop3d_refuse(s, "unknown command");
    return;
  }
  pop3d_err(s, "this is a POP3 server");
  proto_close(&s->proto, CLOSE_NOT_MAIL);
}

static void session_dispatch(struct pop3d_session *s, struct slice line) {
  struct pop3_command c = pop3_command_split(line);
  const struct pop3d_verb *v = verb_find(s, c.verb);
  struct pop3_args args;
  trace_command(s, v, line);
  if (!v || !(v->flags & V_KEEPS_USER)) session_forget_user(s);
  if (!v) {
    unknown_command(s, line);
  } else if (!(v->states & s->state)) {
    if (s->state == ST_TRANSACTION)
      pop3d_refuse(s, "you are logged in already");
    else
      pop3d_refuse(s, "log in first");
  } else if ((v->flags & V_PASSWORD) && !plaintext_allowed(s)) {
    if (!(v->flags & V_SECRET)) log_login(s, c.args, "USER", "no login without TLS");
    pop3d_refuse(s, "no passwords without TLS: use STLS first");
  } else if (!pop3_args_parse(v->arg, &c, &args)) {
    pop3d_refuse(s, "usage: %s%s", v->name, pop3_arg_usage(v->arg));
  } else {
    v->handler(s, &args);
  }
}

/* Each costs a line of the trace and usually a question, and the client has not authenticated. */
static bool too_many_commands(struct pop3d_session *s) {
  bool early = s->state == ST_AUTHORIZATION || s->state == ST_SASL;
  if (!early || ++s->early <= s->service->conf->pop3_login_commands) return false;
  pop3d_err(s, "too many commands without a login");
  pop3d_release(s);
  proto_close(&s->proto, CLOSE_NO_PROGRESS);
  return true;
}

static void take_line(struct pop3d_session *s, enum pop3_line kind, struct slice line) {
  if (too_many_commands(s)) return;
  if (kind == POP3_LINE_ENDLESS) {
    pop3d_err(s, "line too long");
    pop3d_release(s);
    proto_close(&s->proto, CLOSE_LINE_TOO_LONG);
  } else if (s->state == ST_SASL) {
    auth_line(s, line,
              kind == POP3_LINE_TOO_LONG ? "line too long"
              : kind == POP3_LINE_BARE   ? "a line ends with CRLF"
                                         : NULL);
  } else if (kind == POP3_LINE_BARE) {
    pop3d_remark(s, "a line that LF alone ends");
    session_forget_user(s);
    pop3d_refuse(s, "a line ends with CRLF");
  } else if (kind == POP3_LINE_TOO_LONG) {
    pop3d_remark(s, "a line that is too long");
    session_forget_user(s);
    pop3d_refuse(s, "line too long");
  } else {
    session_dispatch(s, line);
  }
}

/* A TLS handshake in the clear need not contain a line end to wait for. */
static bool is_tls_hello(const struct pop3d_session *s, struct slice in) {
  return s->state == ST_AUTHORIZATION && !s->framer.skipping && !s->framer.bare &&
         slice_at(in, 0) == 0x16;
}

static bool can_read(const struct proto *p) {
  return p->want == PROTO_READ && p->ask.type == 0 && !p->more && buf_len(&p->out) <= p->out_high;
}

static void session_input(struct proto *p, struct slice *in) {
  struct pop3d_session *s = session_of(p);
  bool any = false;
  while (in->n > 0 && can_read(p)) {
    struct slice line = SLICE_NONE;
    if (is_tls_hello(s, *in)) {
      proto_close(p, CLOSE_NOT_MAIL);
      break;
    }
    size_t max = s->state == ST_SASL ? POP3_SASL_MAX : pop3_command_limit(*in);
    enum pop3_line kind = pop3_command_next(&s->framer, in, max, &line);
    if (kind == POP3_LINE_MORE) break;
    take_line(s, kind, line);
    any = true;
  }
  /* RFC 1939 §3: a command resets the timer. Half a command does not. */
  if (any) finish_call(s);
}

/* --- answers --- */

struct answer {
  enum pop3d_wait wait;
  uint16_t type;
  void (*fn)(struct pop3d_session *s, struct slice payload);
};

static const struct answer answers[] = {
  { WAIT_LOGIN, auth_challenge_type, auth_challenged },
  { WAIT_LOGIN, auth_ok_type, login_ok },
  { WAIT_LOGIN, auth_fail_type, login_fail },
  { WAIT_OPEN, pop_opened_type, open_answer },
  { WAIT_LISTING, pop_listing_type, listing_answer },
  { WAIT_CHUNK, pop_chunk_type, chunk_answer },
  { WAIT_QUIT, pop_done_type, quit_answer },
  { WAIT_RULES, pop_rules_are_type, rules_answer },
};

/* The process was lost before it answered. */
static void no_answer(struct pop3d_session *s) {
  enum pop3d_wait wait = s->wait;
  pop3d_answered(s);
  switch (wait) {
  case WAIT_LOGIN: login_no_auth(s); break;
  case WAIT_OPEN:
  case WAIT_LISTING: open_no_store(s); break;
  case WAIT_CHUNK:
  case WAIT_QUIT:
    s->quit_unanswered = wait == WAIT_QUIT;
    s->granted = false;
    session_abort(s, CLOSE_PROCESS_LOST);
    break;
  case WAIT_RULES: capa_no_store(s); break;
  case WAIT_NOTHING:
  case WAITS: break;
  }
}

static void session_answer(struct proto *p, uint16_t type, struct slice payload) {
  struct pop3d_session *s = session_of(p);
  if (s->wait == WAIT_NOTHING || p->want == PROTO_CLOSE) return; /* too late */
  const struct answer *a = answers, *end = answers + sizeof answers / sizeof *answers;
  while (a < end && (a->wait != s->wait || a->type != type)) a++;
  if (a < end)
    a->fn(s, payload);
  else
    no_answer(s); /* also if the answer does not fit this question */
  finish_call(s);
}

void pop3d_session_chunk(struct proto *p, const struct pop_chunk *m) {
  struct pop3d_session *s = session_of(p);
  if (s->wait != WAIT_CHUNK || p->want == PROTO_CLOSE) return; /* too late */
  chunk_take(s, m);
  finish_call(s);
}

static void session_produce(struct proto *p) {
  static void (*const works[WORKS])(struct pop3d_session *) = {
    [WORK_LIST] = list_more,
    [WORK_UIDL] = list_more,
    [WORK_READ] = read_more,
    [WORK_DELETE] = delete_more,
  };
  struct pop3d_session *s = session_of(p);
  if (works[s->work])
    works[s->work](s);
  else
    p->more = false;
  finish_call(s);
}

/* --- what happens around the session --- */

static void session_secured(struct proto *p, const struct proto_secured *tls) {
  struct pop3d_session *s = session_of(p);
  p->want = PROTO_READ;
  s->secure = true;
  session_forget_user(s); /* what was sent in the clear may have been sent by an attacker */
  s->language = 0;
  s->utf8 = false;
  proto_trace_tls(p, tls);
  proto_trace_state(p, "tls", "authorization");
  finish_call(s);
}

static void session_tick(struct proto *p) {
  struct pop3d_session *s = session_of(p);
  if (p->want == PROTO_CLOSE || p->now_ms < p->deadline_ms) return;
  bool logged_in = s->state == ST_TRANSACTION || s->state == ST_UPDATE;
  if (logged_in && p->ask.type) { /* store is slow: the client must not be disconnected for that */
    set_deadline(s);
    return;
  }
  /* RFC 1939 §3: no message is deleted, no reply is sent. */
  pop3d_release(s);
  proto_close(p, buf_len(&p->out) > 0 ? CLOSE_TOO_SLOW : CLOSE_IDLE);
}

/* If the server ends the session, it sends the reason to a client that can still receive it. The
 * result of a QUIT in progress is unknown, so nothing is sent. */
static void last_words(struct pop3d_session *s, enum close_reason why) {
  bool ours = why == CLOSE_STOPPING || why == CLOSE_CONNECTION_LIMIT || why == CLOSE_NO_DESCRIPTORS;
  if (!ours || s->proto.want != PROTO_READ || s->wait == WAIT_QUIT || inside_response(s)) return;
  pop3d_err(s, "[SYS/TEMP] mail is not available at the moment, try again later");
}

static void session_gone(struct proto *p, enum close_reason why) {
  struct pop3d_session *s = session_of(p);
  last_words(s, why);
  bool marked = s->wait != WAIT_QUIT && maildrop_deleted(&s->maildrop) > 0;
  if (p->want != PROTO_CLOSE) pop3d_release(s);
  proto_close(p, why == CLOSE_PEER_GONE && marked ? CLOSE_PEER_GONE_DROP : why);
}

static bool is_idle(const struct pop3d_session *s) {
  const struct proto *p = &s->proto;
  uint64_t after = s->service->conf->pop3_steal_after * 1000;
  return after && p->now_ms - s->active_ms >= after && s->state == ST_TRANSACTION &&
         p->want == PROTO_READ && !p->ask.type && !p->more && !s->begun && !buf_len(&p->out);
}

/* Another login wants this maildrop. A session executing QUIT releases it anyway. */
static bool session_yield(struct proto *p) {
  struct pop3d_session *s = session_of(p);
  if (s->state == ST_UPDATE || p->want == PROTO_CLOSE) return true;
  if (!is_idle(s)) return false;
  pop3d_err(s, "[IN-USE] another session has opened the maildrop");
  pop3d_release(s);
  proto_close(p, CLOSE_TAKEN);
  return true;
}

static void session_role_lost(struct proto *p, unsigned role) {
  struct pop3d_session *s = session_of(p);
  if (p->want == PROTO_CLOSE) return;
  if (role == ROLE_AUTH) {
    if (s->state == ST_SASL) s->auth_lost = true; /* sent when the client has sent its response */
    return;
  }
  s->granted = false;
  if (s->wait == WAIT_LOGIN) s->store_lost = true;
  if (s->state == ST_TRANSACTION || s->state == ST_UPDATE) session_abort(s, CLOSE_PROCESS_LOST);
}

/* Marks that no QUIT executed: that mail will be there again. The result of a QUIT whose answer did
 * not arrive is unknown: "marked" is then greater than "deleted", and no mark is logged as
 * forgotten. */
static uint64_t marks_forgotten(const struct pop3d_session *s) {
  return s->wait == WAIT_QUIT || s->quit_unanswered ? 0
                                                    : maildrop_deleted(&s->maildrop) - s->deleted;
}

static void put_count(const char *key, uint64_t n,
                      void (*put)(void *arg, const char *key, struct slice value), void *arg) {
  struct buf text;
  buf_init(&text, 32);
  buf_put_dec(&text, n);
  put(arg, key, buf_slice(&text));
  buf_free(&text);
}

static void session_summary(struct proto *p,
                            void (*put)(void *arg, const char *key, struct slice value),
                            void *arg) {
  struct pop3d_session *s = session_of(p);
  const struct {
    const char *key;
    uint64_t value;
  } counts[] = {
    { "messages", s->maildrop.listed },
    { "retrieved", s->retrieved },
    { "octets", s->octets },
    { "marked", maildrop_deleted(&s->maildrop) },
    { "deleted", s->deleted },
    { "failed_logins", s->failures },
  };
  if (buf_len(&s->account)) put(arg, "login", buf_slice(&s->account));
  for (size_t i = 0; i < sizeof counts / sizeof *counts; i++)
    if (counts[i].value || s->state != ST_AUTHORIZATION)
      put_count(counts[i].key, counts[i].value, put, arg);
  if (s->took_over) put(arg, "took_over", SLICE("idle-session"));
  if (marks_forgotten(s)) put_count("forgotten", marks_forgotten(s), put, arg);
}

static bool session_valuable(const struct proto *p) {
  const struct pop3d_session *s = (const struct pop3d_session *)p;
  return s->state == ST_TRANSACTION || s->state == ST_UPDATE;
}

/* --- life --- */

static uint64_t be64(const uint8_t *p) {
  struct wire w = wire_open(slice_of(p, 8));
  return wire_get_u64(&w);
}

static bool shows_timestamp(const struct pop3d_session *s) {
  uint8_t wish = s->service->conf->pop3_apop;
  return wish == CONF_APOP_YES || (wish == CONF_APOP_AUTO && s->service->facts->apop);
}

static void greet(struct pop3d_session *s) {
  struct buf *out = &s->proto.out;
  s->apop = shows_timestamp(s);
  buf_put_str(out, "+OK POP3 server ready");
  if (s->apop) buf_put_u8(out, ' ');
  if (s->apop) put_timestamp(s, out);
  buf_put_str(out, "\r\n");
}

static struct proto *session_new(const void *service, const struct proto_start *start) {
  const struct pop3d_service *shared = service;
  struct pop3d_session *s = calloc(1, sizeof *s);
  if (!s) return NULL;
  proto_init(&s->proto, start);
  s->service = shared;
  s->nonce[0] = be64(start->nonce);
  s->nonce[1] = be64(start->nonce + 8);
  s->peer_len = start->peer_len <= sizeof s->peer ? start->peer_len : 0;
  memcpy(s->peer, start->peer, s->peer_len);
  s->secure = start->secure;
  s->state = ST_AUTHORIZATION;
  buf_init(&s->user, AUTH_NAME_MAX);
  buf_init(&s->account, AUTH_NAME_MAX);
  s->login_deadline_ms = start->now_ms + shared->conf->pop3_login_timeout * 1000;
  greet(s);
  finish_call(s);
  return &s->proto;
}

static void session_free(struct proto **p) {
  if (!*p) return;
  struct pop3d_session *s = session_of(*p);
  maildrop_close(&s->maildrop);
  converted_free(s);
  buf_wipe(&s->user);
  buf_free(&s->account);
  proto_done(&s->proto);
  explicit_bzero(s, sizeof *s);
  free(s);
  *p = NULL;
}

const struct proto_ops pop3d_session_ops = {
  .name = "pop3",
  .new = session_new,
  .free = session_free,
  .input = session_input,
  .answer = session_answer,
  .produce = session_produce,
  .secured = session_secured,
  .tick = session_tick,
  .gone = session_gone,
  .role_lost = session_role_lost,
  .summary = session_summary,
  .valuable = session_valuable,
  .yield = session_yield,
};
