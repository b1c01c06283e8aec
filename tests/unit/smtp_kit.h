/* SPDX-License-Identifier: ISC */
/* A shell for one SMTP session, as runtime/proto/proto.h has it, with a store and an auth of a
 * few lines each. Every question is checked against the rules of ipc/. The test_smtp_* of the
 * session use it, and so does the fuzzer, where a failed check aborts (KIT_ABORTS). */
#ifndef QASID_TESTS_SMTP_KIT_H
#define QASID_TESTS_SMTP_KIT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#ifdef KIT_ABORTS
#define assert_true(x) ((x) ? (void)0 : abort())
#define assert_false(x) assert_true(!(x))
#define assert_int_equal(a, b) assert_true((a) == (b))
#define assert_non_null(p) assert_true((p) != NULL)
#define fail_msg(...) abort()
#else
#include <cmocka.h>
#endif

#include "ipc/roles.h"
#include "ipc/front_auth.h"
#include "ipc/smtpd_store.h"
#include "src/smtpd/session.h"

enum { KIT_MESSAGES = 8, KIT_OUT = 8 * 1024 * 1024 };

struct kit_message {
  struct buf id, from, to, body; /* to: addresses, each with a "," behind it */
  /* of each recipient "NOTIFY:ORCPT,"; then ENVID, a space and RET; or as far as it fits */
  char dsn[64];
};

struct kit {
  struct proto *p;
  struct smtpd_service service;
  struct buf in;    /* not yet taken */
  struct buf heard; /* everything sent to the client */
  struct buf trace;
  bool closed, in_tls, hold; /* hold: questions wait for kit_answer() */
  uint64_t now_ms;

  /* store */
  bool store_lost, auth_lost;
  uint8_t store_state, auth_state;
  enum commit_outcome outcome, spool_outcome;
  struct buf spool;
  struct kit_message messages[KIT_MESSAGES];
  size_t count, rcpt_questions, drops, cancels, spools, mores;
  bool login;    /* of the last smtp_rcpt */
  uint8_t ahead; /* how many chunks each answer allows */
  struct buf login_name;
  bool login_asked_password;
};

static inline void kit_trace(void *arg, char direction, struct slice line) {
  struct kit *k = arg;
  buf_put_u8(&k->trace, (uint8_t)direction);
  buf_put_u8(&k->trace, ' ');
  buf_put(&k->trace, line);
  buf_put_u8(&k->trace, '\n');
}

static inline void kit_conf(struct kit *k, const char *service, bool cert) {
  struct conf *conf = conf_defaults();
  assert_non_null(conf);
  smtpd_service_init(&k->service, conf, service, cert);
  conf_free(&conf);
  snprintf(k->service.hostname, sizeof k->service.hostname, "mx.here.example");
}

static inline void kit_connect(struct kit *k, bool secure) {
  struct proto_start start = { .id = 7,
                               .session = "5f-2-7",
                               .peer = { 192, 0, 2, 1 },
                               .peer_len = 4,
                               .service = "",
                               .secure = secure,
                               .tls_version = "TLSv1.3",
                               .tls_cipher = "TLS_AES_128_GCM_SHA256",
                               .now_ms = k->now_ms,
                               .wall_s = 0 };
  k->p = smtpd_session_ops.new(&k->service, &start);
  assert_non_null(k->p);
  k->in_tls = secure;
}

/* A kit with default configuration; change k->service before kit_connect(). */
static inline struct kit *kit_new(const char *service, bool cert) {
  struct kit *k = calloc(1, sizeof *k);
  assert_non_null(k);
  struct buf *bufs[] = { &k->in, &k->heard, &k->trace, &k->spool, &k->login_name };
  for (size_t i = 0; i < sizeof bufs / sizeof *bufs; i++) buf_init(bufs[i], KIT_OUT);
  k->now_ms = 1000000;
  kit_conf(k, service, cert);
  return k;
}

static inline void kit_free(struct kit *k) {
  struct buf *bufs[] = { &k->in, &k->heard, &k->trace, &k->spool, &k->login_name };
  for (size_t i = 0; i < sizeof bufs / sizeof *bufs; i++) buf_free(bufs[i]);
  for (size_t i = 0; i < k->count; i++) {
    buf_free(&k->messages[i].id);
    buf_free(&k->messages[i].from);
    buf_free(&k->messages[i].to);
    buf_free(&k->messages[i].body);
  }
  smtpd_session_ops.free(&k->p);
  free(k);
}

/* --- the processes --- */

static inline enum rcpt_verdict kit_verdict(struct slice address) {
  static const struct {
    const char *address;
    enum rcpt_verdict verdict;
  } known[] = {
    /* clang-format off */
    { "postmaster", RCPT_OURS },           { "alice@here.example", RCPT_OURS },
    { "bob@here.example", RCPT_OURS },     { "full@here.example", RCPT_FULL },
    { "trouble@here.example", RCPT_TROUBLE }, { "a b@here.example", RCPT_OURS },
    /* clang-format on */
  };
  for (size_t i = 0; i < sizeof known / sizeof *known; i++)
    if (slice_eq(address, slice_str(known[i].address))) return known[i].verdict;
  ptrdiff_t at = slice_rfind(address, '@');
  bool ours = at >= 0 && slice_eq(slice_from(address, (size_t)at + 1), SLICE("here.example"));
  if (ours && slice_starts(address, SLICE("user"))) return RCPT_OURS;
  return ours ? RCPT_UNKNOWN : RCPT_ELSEWHERE;
}

static inline void kit_keep(struct kit *k, const struct smtp_commit *q) {
  if (k->count == KIT_MESSAGES) return; /* seen enough */
  struct kit_message *m = &k->messages[k->count++];
  buf_init(&m->id, 100);
  buf_init(&m->from, 1000);
  buf_init(&m->to, 100000);
  buf_init(&m->body, KIT_OUT);
  buf_put(&m->id, q->end.id);
  buf_put(&m->from, q->envelope.return_path);
  struct slice list = q->envelope.rcpts;
  struct envelope_rcpt r;
  struct buf dsn;
  bool some = false;
  buf_init(&dsn, 1024 * 1024);
  for (struct slice l = list; envelope_rcpt_next(&l, &r);) some |= r.notify || r.orcpt.n;
  while (envelope_rcpt_next(&list, &r)) {
    buf_put(&m->to, r.address);
    buf_put_u8(&m->to, ',');
    if (some) buf_printf(&dsn, "%d:%.*s,", r.notify, SLICE_ARG(r.orcpt));
  }
  assert_int_equal(list.n, 0);
  buf_printf(&dsn, "%.*s %u", SLICE_ARG(q->envelope.envid), q->envelope.ret);
  snprintf(m->dsn, sizeof m->dsn, "%.*s", SLICE_ARG(buf_slice(&dsn)));
  buf_free(&dsn);
  buf_put(&m->body, q->end.head);
  buf_put(&m->body, buf_slice(&k->spool));
  buf_put(&m->body, q->end.tail);
}

static inline uint16_t kit_store(struct kit *k, uint16_t type, struct slice payload,
                                 struct buf *answer) {
  if (type == smtp_rcpt_type) {
    struct smtp_rcpt q;
    struct buf verdicts;
    struct envelope_rcpt r;
    assert_true(smtp_rcpt_get(payload, &q));
    buf_init(&verdicts, 1024);
    while (envelope_rcpt_next(&q.envelope.rcpts, &r)) buf_put_u8(&verdicts, kit_verdict(r.address));
    struct smtp_verdicts a = { buf_slice(&verdicts) };
    smtp_verdicts_put(answer, &a);
    buf_free(&verdicts);
    k->rcpt_questions++;
    k->login = q.login;
    return smtp_verdicts_type;
  }
  if (type == smtp_spool_type) {
    struct smtp_spool q;
    assert_true(smtp_spool_get(payload, &q));
    buf_put(&k->spool, q.chunk);
    k->spools++;
    smtp_spooled_put(answer, &(struct smtp_spooled){ (uint8_t)k->spool_outcome, k->ahead });
    return smtp_spooled_type;
  }
  if (type == smtp_more_type) {
    struct smtp_more q;
    assert_true(smtp_more_get(payload, &q));
    buf_put(&k->spool, q.chunk);
    k->mores++;
    return 0;
  }
  if (type == smtp_discard_type) {
    buf_reset(&k->spool);
    k->drops++;
    return 0;
  }
  if (type == smtp_bye_type) {
    buf_reset(&k->spool);
    return 0;
  }
  struct smtp_commit q;
  assert_int_equal(type, smtp_commit_type);
  assert_true(smtp_commit_get(payload, &q));
  if (k->outcome == COMMIT_DONE) kit_keep(k, &q);
  buf_reset(&k->spool);
  smtp_committed_put(answer, &(struct smtp_committed){ (uint8_t)k->outcome });
  return smtp_committed_type;
}

static inline uint16_t kit_auth_verdict(struct kit *k, bool yes, struct buf *answer) {
  k->auth_state = AUTH_AT_REST;
  k->login_asked_password = false;
  buf_reset(&k->login_name);
  if (yes)
    auth_ok_put(answer, &(struct auth_ok){ SLICE("alice") });
  else
    auth_fail_put(answer, &(struct auth_fail){ AUTH_WRONG });
  return yes ? auth_ok_type : auth_fail_type;
}

/* alice, secret; by PLAIN and by LOGIN. */
static inline uint16_t kit_auth(struct kit *k, uint16_t type, struct slice payload,
                                struct buf *answer) {
  struct slice response = SLICE_NONE;
  if (type == auth_cancel_type) {
    buf_reset(&k->login_name);
    k->login_asked_password = false;
    k->cancels++;
    return 0;
  }
  if (type == auth_start_type) {
    struct auth_start q;
    assert_true(auth_start_get(payload, &q));
    assert_int_equal(q.peer.n, 4);
    assert_int_equal(q.secure, k->in_tls);
    buf_reset(&k->login_name);
    k->login_asked_password = false;
    bool login = slice_caseeq(q.mechanism, SLICE("LOGIN"));
    if (!q.has_response || login) {
      auth_challenge_put(answer,
                         &(struct auth_challenge){ login ? SLICE("Username:") : SLICE_NONE });
      k->login_asked_password = login;
      return auth_challenge_type;
    }
    response = q.response;
  } else {
    struct auth_step q;
    assert_int_equal(type, auth_step_type);
    assert_true(auth_step_get(payload, &q));
    response = q.response;
  }
  bool plain = slice_eq(response, slice_of("\0alice\0secret", 13));
  if (!k->login_asked_password) return kit_auth_verdict(k, plain, answer);
  if (buf_len(&k->login_name) == 0) {
    buf_put(&k->login_name, response);
    auth_challenge_put(answer, &(struct auth_challenge){ SLICE("Password:") });
    return auth_challenge_type;
  }
  bool yes =
      slice_eq(buf_slice(&k->login_name), SLICE("alice")) && slice_eq(response, SLICE("secret"));
  return kit_auth_verdict(k, yes, answer);
}

/* Puts the open question to its process and hands the answer back. */
static inline void kit_answer(struct kit *k) {
  struct proto *p = k->p;
  bool store = p->ask.role == ROLE_STORE, wants = p->ask.wants_answer;
  uint16_t type = p->ask.type;
  uint8_t *state = store ? &k->store_state : &k->auth_state;
  const struct ipc_pair *pair = store ? &ipc_smtpd_store : &ipc_front_auth;
  const struct ipc_rule *rule = ipc_rule_for(pair, IPC_LEFT, type, *state);
  if (!rule) fail_msg("question %u is not allowed in state %u of %s", type, *state, pair->name);
  assert_true(buf_len(&p->ask.body) <= rule->max);
  assert_false(p->ask.body.failed);
  p->now_ms = k->now_ms;
  if (store ? k->store_lost : k->auth_lost) {
    *state = 0;
    if (store) buf_reset(&k->spool);
    if (!wants)
      p->ask.type = 0;
    else
      smtpd_session_ops.answer(p, 0, SLICE_NONE);
    return;
  }
  if (rule->next != IPC_SAME) *state = rule->next;
  struct buf answer;
  buf_init(&answer, IPC_PAYLOAD_MAX);
  uint16_t back = store ? kit_store(k, type, buf_slice(&p->ask.body), &answer)
                        : kit_auth(k, type, buf_slice(&p->ask.body), &answer);
  if (!wants)
    p->ask.type = 0;
  else
    smtpd_session_ops.answer(p, back, buf_slice(&answer));
  buf_free(&answer);
}

/* --- the shell's loop --- */

static inline void kit_flush(struct kit *k) {
  assert_false(k->p->out.failed);
  buf_put(&k->heard, buf_slice(&k->p->out));
  buf_reset(&k->p->out);
  buf_release_if_empty(&k->p->out);
}

/* One turn; false when the session waits for more. */
static inline bool kit_step(struct kit *k) {
  struct proto *p = k->p;
  p->now_ms = k->now_ms;
  if (p->ask.type && k->hold && p->ask.wants_answer) return kit_flush(k), false;
  if (p->ask.type) return kit_answer(k), true;
  if (buf_len(&p->out) > p->out_high) kit_flush(k);
  if (p->want == PROTO_CLOSE) return kit_flush(k), k->closed = true, false;
  if (p->want == PROTO_TLS) {
    kit_flush(k);
    if (buf_len(&k->in)) return proto_close(p, CLOSE_TLS_INJECTION), true;
    k->in_tls = true;
    p->want = PROTO_READ;
    smtpd_session_ops.secured(p, &(struct proto_secured){ "TLSv1.3", "TLS_AES_128_GCM_SHA256" });
    return true;
  }
  struct slice work = buf_slice(&k->in);
  size_t before = work.n;
  if (work.n) smtpd_session_ops.input(p, &work);
  buf_drop(&k->in, before - work.n);
  if (work.n < before || p->ask.type || p->want != PROTO_READ) return true;
  return kit_flush(k), false;
}

static inline void kit_run(struct kit *k) {
  for (size_t turns = 0; !k->closed && kit_step(k); turns++) assert_true(turns < 10000000);
}

/* The client sends that; the session does all it can. */
static inline void kit_send(struct kit *k, struct slice s) {
  buf_put(&k->in, s);
  assert_false(k->in.failed);
  kit_run(k);
}

static inline void kit_say(struct kit *k, const char *text) { kit_send(k, slice_str(text)); }

/* What the session sent since the last call, as a C string valid until the next. */
static inline const char *kit_heard(struct kit *k) {
  static char *text;
  free(text);
  struct slice s = buf_slice(&k->heard);
  text = malloc(s.n + 1);
  assert_non_null(text);
  if (s.n) memcpy(text, s.p, s.n);
  text[s.n] = 0;
  buf_reset(&k->heard);
  return text;
}

/* The client sends `text` and must receive exactly `want`. */
static inline void kit_exchange(struct kit *k, const char *text, const char *want) {
  kit_say(k, text);
  const char *got = kit_heard(k);
  if (strcmp(got, want) != 0) fail_msg("said: %s\nheard: %s\nwanted: %s", text, got, want);
}

/* Only the codes of the replies: "250 550 ", for those with many. */
static inline const char *kit_codes(struct kit *k) {
  static char codes[65536];
  size_t n = 0;
  const char *heard = kit_heard(k);
  for (struct slice rest = slice_str(heard); rest.n && n + 5 < sizeof codes;) {
    struct slice line = slice_split(&rest, '\n');
    if (slice_at(line, 3) == '-') continue;
    for (size_t i = 0; i < 3; i++) codes[n++] = (char)slice_at(line, i);
    codes[n++] = ' ';
  }
  codes[n] = 0;
  return codes;
}

static inline void kit_expect(struct kit *k, const char *text, const char *want) {
  kit_say(k, text);
  const char *got = kit_codes(k);
  if (strcmp(got, want) != 0) fail_msg("said: %s\nheard codes: %s\nwanted: %s", text, got, want);
}

/* Time passes; the session is ticked at its deadlines. */
static inline void kit_wait(struct kit *k, uint64_t ms) {
  uint64_t until = k->now_ms + ms;
  while (!k->closed && k->p->deadline_ms && k->p->deadline_ms <= until) {
    k->now_ms = k->p->deadline_ms > k->now_ms ? k->p->deadline_ms : k->now_ms;
    k->p->now_ms = k->now_ms;
    smtpd_session_ops.tick(k->p);
    kit_run(k);
    assert_true(k->closed || k->p->deadline_ms > k->now_ms || k->p->deadline_ms == 0);
  }
  k->now_ms = until;
}

/* --- what tests begin with --- */

#define GREETING "220 mx.here.example ESMTP Qasid\r\n"
#define MAIL "MAIL FROM:<x@y.example>\r\n"
#define RCPT "RCPT TO:<alice@here.example>\r\n"
#define OFFERS                                                         \
  "250-mx.here.example\r\n250-PIPELINING\r\n250-SIZE "                 \
  "52428800\r\n250-8BITMIME\r\n250-ENHANCEDSTATUSCODES\r\n250-DSN\r\n" \
  "250-SMTPUTF8\r\n"
#define RCPT_BOB "RCPT TO:<bob@here.example>\r\n"
#define RCPT_NO "RCPT TO:<no@here.example>\r\n"
#define MESSAGE "Subject: a\r\n\r\nb\r\n.\r\n"
#define PLAIN "AUTH PLAIN AGFsaWNlAHNlY3JldA==\r\n" /* \0alice\0secret */

static inline struct kit *kit_plain(const char *service) {
  struct kit *k = kit_new(service, true);
  kit_connect(k, false);
  kit_heard(k);
  kit_run(k);
  kit_heard(k);
  return k;
}

static inline struct kit *kit_met(const char *service) {
  struct kit *k = kit_plain(service);
  kit_say(k, "EHLO client.example\r\n");
  kit_heard(k);
  return k;
}

static inline struct kit *kit_with_rcpt(void) {
  struct kit *k = kit_met("smtp");
  kit_expect(k, MAIL RCPT, "250 250 ");
  return k;
}

static inline struct kit *kit_user(void) {
  struct kit *k = kit_new("submissions", true);
  kit_connect(k, true);
  kit_say(k, "EHLO laptop\r\n");
  kit_heard(k);
  return k;
}

/* So many octets of message, in lines. */
static inline void kit_say_much(struct kit *k, size_t n) {
  char piece[1000];
  memset(piece, 'a', sizeof piece);
  memcpy(piece + sizeof piece - 2, "\r\n", 2);
  for (size_t i = 0; i < n; i += sizeof piece) kit_send(k, slice_of(piece, sizeof piece));
}

#endif
