/* SPDX-License-Identifier: ISC */
/* One POP3 session with a shell around it that follows runtime/proto/proto.h, and scripted
 * processes: auth knows mrose with the password "tanstaaf", store has the messages that were put
 * in. For tests and fuzzers. */
#ifndef QASID_TEST_POP3_WORLD_H
#define QASID_TEST_POP3_WORLD_H

#include <stdio.h>
#include <stdlib.h>

#include "ipc/roles.h"
#include "ipc/front_auth.h"
#include "ipc/pop3d_store.h"
#include "mail/surrogate.h"
#include "lib/tls/digest.h"
#include "src/pop3d/session.h"

enum { WORLD_MESSAGES = 32, WORLD_TEXT = 64 << 20 };

struct world_message {
  struct slice text;  /* as store keeps it */
  uint64_t announced; /* its size in the listing */
  const char *uidl;   /* imported, or NULL */
  bool differs;       /* the message has a separate surrogate, of this size (0: not known) */
  uint64_t surrogate;
};

struct pop3_world {
  struct conf conf;
  struct pop3d_facts facts;
  struct pop3d_service service;
  struct proto_start start;
  struct proto *p;
  /* to the session; all it wrote; its questions as words; trace */
  struct buf in, said, asked, trace;
  bool closed, tls_started, injected, hold; /* hold: questions are answered by the test */
  size_t out_peak;
  uint64_t octets_out;
  bool forget_said; /* count only */
  /* store */
  struct world_message messages[WORLD_MESSAGES];
  uint32_t count;
  uint32_t virtual_count; /* when not 0: so many messages of 100 octets, no text */
  uint8_t open_outcome, read_outcome, quit_outcome;
  uint64_t fail_at;     /* a read from this offset on gets read_outcome */
  uint32_t short_reads; /* the most octets of one piece; 0: as asked */
  uint32_t deleted[WORLD_MESSAGES];
  uint32_t marked, removed;
  bool locked;
  struct pop_rules_are rules;
  /* auth */
  uint8_t fail_why; /* with `refuse_all` */
  bool refuse_all;
  unsigned steps;
};

static inline void world_trace(void *arg, char direction, struct slice line) {
  struct pop3_world *w = arg;
  buf_put_u8(&w->trace, (uint8_t)direction);
  buf_put(&w->trace, SLICE(": "));
  buf_put(&w->trace, line);
  buf_put(&w->trace, SLICE("\n"));
}

/* Defaults: TLS is off, a certificate is there, passwords in the clear are not allowed. */
static inline void world_init(struct pop3_world *w) {
  static const char *mechanisms[] = { "PLAIN", "LOGIN" };
  memset(w, 0, sizeof *w);
  w->conf.auth_mechanisms = (struct conf_list){ mechanisms, 2 };
  w->conf.oauth_keys = "";
  w->conf.pop3_idle_timeout = 600;
  w->conf.pop3_login_timeout = 180;
  w->conf.pop3_error_limit = 20;
  w->conf.login_failures = 3;
  w->conf.hostname = "dbc.mtview.ca.us";
  w->conf.pop3_login_commands = 1000;
  w->facts.apop = true;
  pop3d_service_init(&w->service, &w->conf, "pop3", true, &w->facts);
  w->start = (struct proto_start){ .id = 17,
                                   .session = "s17",
                                   .peer = { 192, 0, 2, 1 },
                                   .peer_len = 4,
                                   .peer_port = 1,
                                   .service = "pop3",
                                   .nonce = { 0, 0, 0, 0, 0, 0, 0x07, 0x68, 0, 0, 0, 0, 0x29, 0x8d,
                                              0xfc, 0x08 },
                                   .now_ms = 1000,
                                   .wall_s = 1 };
  w->fail_at = UINT64_MAX;
  w->rules.login_delay = POP_NO_DELAY;
  w->rules.expire = POP_NEVER;
  buf_init(&w->in, WORLD_TEXT);
  buf_init(&w->said, WORLD_TEXT);
  buf_init(&w->asked, WORLD_TEXT);
  buf_init(&w->trace, WORLD_TEXT);
}

static inline void world_message(struct pop3_world *w, struct slice text) {
  w->messages[w->count++] = (struct world_message){ .text = text, .announced = text.n };
}

static inline void world_free(struct pop3_world *w) {
  pop3d_session_ops.free(&w->p);
  buf_free(&w->in);
  buf_free(&w->said);
  buf_free(&w->asked);
  buf_free(&w->trace);
}

/* --- the processes --- */

static inline void world_answer(struct pop3_world *w, uint16_t type, struct buf *payload) {
  pop3d_session_ops.answer(w->p, type, buf_slice(payload));
  buf_free(payload);
}

static inline void world_auth_ok(struct pop3_world *w) {
  struct buf b;
  buf_init(&b, IPC_PAYLOAD_MAX);
  auth_ok_put(&b, &(struct auth_ok){ .name = SLICE("mrose@dbc.mtview.ca.us") });
  world_answer(w, auth_ok_type, &b);
}

static inline void world_auth_fail(struct pop3_world *w, uint8_t why) {
  struct buf b;
  buf_init(&b, IPC_PAYLOAD_MAX);
  auth_fail_put(&b, &(struct auth_fail){ .why = why });
  world_answer(w, auth_fail_type, &b);
}

static inline void world_challenge(struct pop3_world *w, struct slice text) {
  struct buf b;
  buf_init(&b, IPC_PAYLOAD_MAX);
  auth_challenge_put(&b, &(struct auth_challenge){ .challenge = text });
  world_answer(w, auth_challenge_type, &b);
}

static inline void world_verdict(struct pop3_world *w, bool yes) {
  if (w->refuse_all)
    world_auth_fail(w, w->fail_why);
  else if (yes)
    world_auth_ok(w);
  else
    world_auth_fail(w, AUTH_WRONG);
}

static inline void note(struct pop3_world *w, const char *what, struct slice a, struct slice b) {
  buf_put_str(&w->asked, what);
  if (a.n) buf_put_u8(&w->asked, ' ');
  buf_put(&w->asked, a);
  if (b.n) buf_put_u8(&w->asked, ' ');
  buf_put(&w->asked, b);
  buf_put_u8(&w->asked, '\n');
}

/* RFC 1939 §7: MD5 of the timestamp and the shared secret. */
static inline bool apop_matches(const struct auth_apop *m) {
  uint8_t digest[DIGEST_MD5_SIZE];
  const struct slice parts[] = { m->timestamp, SLICE("tanstaaf") };
  if (!digest_parts(DIGEST_MD5, parts, 2, digest)) abort();
  return slice_eq(m->name, SLICE("mrose")) && slice_eq(m->digest, slice_of(digest, sizeof digest));
}

static inline bool world_auth(struct pop3_world *w, uint16_t type, struct slice body) {
  struct auth_start start;
  struct auth_step step;
  struct auth_login login;
  struct auth_apop apop;
  if (type == auth_login_type && auth_login_get(body, &login)) {
    note(w, "login", login.name, login.password);
    world_verdict(w, slice_eq(login.name, SLICE("mrose")) &&
                         slice_eq(login.password, SLICE("tanstaaf")));
  } else if (type == auth_apop_type && auth_apop_get(body, &apop)) {
    note(w, "apop", apop.name, apop.timestamp);
    world_verdict(w, apop_matches(&apop));
  } else if (type == auth_start_type && auth_start_get(body, &start)) {
    note(w, start.has_response ? "start with" : "start", start.mechanism, start.response);
    w->steps = 0;
    if (start.has_response)
      world_verdict(w, slice_eq(start.response, SLICE("\0mrose\0tanstaaf")));
    else
      world_challenge(w,
                      slice_eq(start.mechanism, SLICE("PLAIN")) ? SLICE_NONE : SLICE("Username:"));
  } else if (type == auth_step_type && auth_step_get(body, &step)) {
    note(w, "step", step.response, SLICE_NONE);
    if (++w->steps < 2 && slice_eq(step.response, SLICE("mrose")))
      world_challenge(w, SLICE("Password:"));
    else
      world_verdict(w, slice_eq(step.response, SLICE("\0mrose\0tanstaaf")) ||
                           slice_eq(step.response, SLICE("tanstaaf")));
  } else if (type == auth_cancel_type) {
    note(w, "cancel", SLICE_NONE, SLICE_NONE);
  } else {
    return false;
  }
  return true;
}

static inline void world_listing(struct pop3_world *w) {
  uint32_t n = w->virtual_count ? w->virtual_count : w->count, i = 0;
  do {
    struct buf b, rows;
    buf_init(&b, IPC_PAYLOAD_MAX);
    buf_init(&rows, IPC_CHUNK);
    for (; i < n && buf_room(&rows) > 21 + UIDL_MAX; i++) {
      const char *uidl = w->virtual_count ? NULL : w->messages[i].uidl;
      wire_put_u32(&rows, i + 1);
      wire_put_u64(&rows, w->virtual_count ? 100 : w->messages[i].announced);
      bool differs = !w->virtual_count && w->messages[i].differs;
      buf_put_u8(&rows, (uint8_t)((uidl ? strlen(uidl) : 0) | (differs ? POP_ROW_SURROGATE : 0)));
      if (differs) wire_put_u64(&rows, 2 * w->messages[i].surrogate); /* RFC 6857's */
      buf_put_str(&rows, uidl ? uidl : "");
    }
    pop_listing_put(&b, &(struct pop_listing){ .last = i == n, .rows = buf_slice(&rows) });
    buf_free(&rows);
    world_answer(w, pop_listing_type, &b);
  } while (i < n);
}

static inline void world_open(struct pop3_world *w) {
  struct buf b;
  buf_init(&b, IPC_PAYLOAD_MAX);
  uint32_t n = w->virtual_count ? w->virtual_count : w->count;
  pop_opened_put(&b, &(struct pop_opened){ .outcome = w->open_outcome,
                                           .count = n,
                                           .uidvalidity = 0xabcd,
                                           .login_delay = w->rules.login_delay,
                                           .expire = w->rules.expire });
  world_answer(w, pop_opened_type, &b);
  w->locked = w->open_outcome == POP_DONE;
  if (w->locked) world_listing(w);
}

static inline void world_read(struct pop3_world *w, const struct pop_read *m) {
  struct buf b;
  buf_init(&b, IPC_PAYLOAD_MAX);
  struct slice piece =
      m->uid <= w->count ? slice_from(w->messages[m->uid - 1].text, m->offset) : SLICE_NONE;
  uint32_t most = w->short_reads && w->short_reads < m->most ? w->short_reads : m->most;
  bool fails = m->offset >= w->fail_at;
  pop_chunk_put(&b, &(struct pop_chunk){ .outcome = fails ? w->read_outcome : POP_DONE,
                                         .data = fails ? SLICE_NONE : slice_first(piece, most) });
  world_answer(w, pop_chunk_type, &b);
}

static inline bool world_store(struct pop3_world *w, uint16_t type, struct slice body) {
  struct pop_read rd;
  struct pop_delete del;
  struct pop_quit quit;
  struct pop_close over;
  if (type == pop_open_type) {
    note(w, "open", SLICE_NONE, SLICE_NONE);
    world_open(w);
  } else if (type == pop_read_type && pop_read_get(body, &rd)) {
    world_read(w, &rd);
  } else if (type == pop_delete_type && pop_delete_get(body, &del)) {
    note(w, "delete", SLICE_NONE, SLICE_NONE);
    for (struct wire r = wire_open(del.uids); r.rest.n > 0; w->marked++) {
      uint32_t uid = wire_get_u32(&r);
      if (w->marked < WORLD_MESSAGES) w->deleted[w->marked] = uid;
    }
  } else if (type == pop_quit_type && pop_quit_get(body, &quit)) {
    note(w, "quit", SLICE_NONE, SLICE_NONE);
    struct buf b;
    buf_init(&b, IPC_PAYLOAD_MAX);
    if (w->quit_outcome == POP_DONE) w->removed = w->marked;
    w->locked = false;
    pop_done_put(&b, &(struct pop_done){ .outcome = w->quit_outcome, .deleted = w->removed });
    world_answer(w, pop_done_type, &b);
  } else if (type == pop_rules_type) {
    struct buf b;
    buf_init(&b, IPC_PAYLOAD_MAX);
    pop_rules_are_put(&b, &w->rules);
    world_answer(w, pop_rules_are_type, &b);
  } else if (type == pop_close_type && pop_close_get(body, &over)) {
    note(w, "close", SLICE_NONE, SLICE_NONE);
    w->locked = false;
  } else {
    return false;
  }
  return true;
}

/* --- the shell --- */

static inline void world_flush(struct pop3_world *w) {
  struct buf *out = &w->p->out;
  if (buf_len(out) > w->out_peak) w->out_peak = buf_len(out);
  w->octets_out += buf_len(out);
  if (!w->forget_said) buf_put(&w->said, buf_slice(out));
  buf_reset(out);
  buf_release_if_empty(out);
}

/* Sends the open question. False when the test is to answer it. */
static inline bool world_ask(struct pop3_world *w) {
  struct proto_ask *ask = &w->p->ask;
  if (ask->sent) return false;
  struct buf body;
  buf_init(&body, IPC_PAYLOAD_MAX);
  buf_put(&body, buf_slice(&ask->body));
  buf_wipe(&ask->body);
  bool wanted = ask->wants_answer, auth = ask->role == ROLE_AUTH, held = w->hold && wanted;
  uint16_t type = ask->type;
  ask->sent = true;
  if (!wanted) ask->type = 0;
  bool known = held || (auth ? world_auth(w, type, buf_slice(&body))
                             : world_store(w, type, buf_slice(&body)));
  buf_free(&body);
  if (!known) abort(); /* a question that the contract does not have */
  return !held;
}

/* One turn of the loop of runtime/proto/proto.h; false when the session waits for the client. */
static inline bool world_step(struct pop3_world *w) {
  struct proto *p = w->p;
  if (p->ask.type) return world_ask(w);
  if (buf_len(&p->out) > p->out_high) world_flush(w);
  if (p->more) {
    pop3d_session_ops.produce(p);
    return true;
  }
  if (p->want == PROTO_CLOSE) {
    world_flush(w);
    w->closed = true;
    return false;
  }
  if (p->want == PROTO_TLS) {
    world_flush(w);
    w->injected = buf_len(&w->in) > 0;
    if (w->injected) {
      buf_reset(&w->in);
      proto_close(p, CLOSE_TLS_INJECTION);
      return true;
    }
    w->tls_started = true;
    p->want = PROTO_READ;
    pop3d_session_ops.secured(p, &(struct proto_secured){ "TLSv1.3", "TLS_AES_128_GCM_SHA256" });
    return true;
  }
  struct slice in = buf_slice(&w->in);
  size_t before = in.n;
  if (in.n) pop3d_session_ops.input(p, &in);
  buf_drop(&w->in, before - in.n);
  if (in.n < before || p->ask.type || p->more || p->want != PROTO_READ) return true;
  world_flush(w);
  return false;
}

static inline void world_run(struct pop3_world *w) {
  while (!w->closed && world_step(w)) {
  }
}

static inline void world_start(struct pop3_world *w) {
  w->p = pop3d_session_ops.new(&w->service, &w->start);
  if (!w->p) abort();
  w->p->trace.fn = world_trace;
  w->p->trace.arg = w;
  world_run(w);
}

static inline void world_send(struct pop3_world *w, struct slice s) {
  buf_put(&w->in, s);
  world_run(w);
}

#endif
