/* SPDX-License-Identifier: ISC */
/* USER and PASS, APOP, and the steps common to every login: auth verifies the client and grants the
 * session its maildrop at store; store opens it and lists it; then the session is in TRANSACTION.
 *
 *   PASS | APOP | AUTH ──auth──> login_ok ──store──> open_answer ──> listing_answer ... ──> "+OK"
 *                          └──> login_fail: -ERR, still in AUTHORIZATION */
#include "ipc/front_auth.h"
#include "ipc/pop3d_store.h"
#include "lib/base/crc32c.h"
#include "src/pop3d/state.h"

/* The example of RFC 1939 §7 is <process-ID.clock@hostname>, a timestamp that is never repeated;
 * ours is two random numbers of 64 bits, so that it cannot be predicted either. */
void put_timestamp(const struct pop3d_session *s, struct buf *out) {
  buf_put_u8(out, '<');
  buf_put_dec(out, s->nonce[0]);
  buf_put_u8(out, '.');
  buf_put_dec(out, s->nonce[1]);
  buf_put_u8(out, '@');
  buf_put_str(out, s->service->hostname);
  buf_put_u8(out, '>');
}

/* RFC 1939 §7, USER. Always +OK: -ERR would reveal which accounts exist (§13). */
void pop3_user(struct pop3d_session *s, const struct pop3_args *a) {
  buf_put(&s->user, a->name);
  pop3d_ok(s, "User accepted");
}

void log_login(struct pop3d_session *s, struct slice name, const char *mechanism, const char *why) {
  struct log_line l;
  if (!proto_log(&s->proto, &l, LOG_E_LOGIN_FAILED)) return;
  log_str(&l, LOG_F_NAME, slice_first(name, AUTH_NAME_MAX));
  log_cstr(&l, LOG_F_MECHANISM, mechanism);
  log_cstr(&l, LOG_F_WHY, why);
  log_end(&l);
}

static void wait_for_login(struct pop3d_session *s, enum pop3d_login how) {
  s->login = how;
  s->wait = WAIT_LOGIN;
  s->store_lost = false;
}

/* RFC 1939 §7, PASS: "immediately after a successful USER". */
void pop3_pass(struct pop3d_session *s, const struct pop3_args *a) {
  if (buf_len(&s->user) == 0) {
    pop3d_refuse(s, "say USER first");
    return;
  }
  const struct auth_login m = {
    .name = buf_slice(&s->user),
    .password = a->text,
    .peer = slice_of(s->peer, s->peer_len),
    .secure = s->secure,
    .service = slice_str(s->service->name),
  };
  auth_login_put(proto_ask(&s->proto, ROLE_AUTH, auth_login_type, true), &m);
  wait_for_login(s, LOGIN_PASS);
}

/* RFC 1939 §7, APOP. The secret does not cross the wire, so APOP needs no TLS unless the option
 * requires it. */
void pop3_apop(struct pop3d_session *s, const struct pop3_args *a) {
  struct buf stamp;
  if (!login_allowed(s)) {
    log_login(s, a->name, "APOP", "no login without TLS");
    pop3d_refuse(s, "no login without TLS: use STLS first");
    return;
  }
  if (!s->apop) {
    log_login(s, a->name, "APOP", "mechanism not offered");
    pop3d_refuse(s, "mechanism not available");
    return;
  }
  buf_init(&stamp, 512);
  put_timestamp(s, &stamp);
  buf_put(&s->user, a->name);
  const struct auth_apop m = {
    .name = a->name,
    .timestamp = buf_slice(&stamp),
    .digest = slice_of(a->digest, sizeof a->digest),
    .peer = slice_of(s->peer, s->peer_len),
    .secure = s->secure,
    .service = slice_str(s->service->name),
  };
  struct buf *body = proto_ask(&s->proto, ROLE_AUTH, auth_apop_type, true);
  auth_apop_put(body, &m);
  if (stamp.failed) body->failed = true;
  buf_free(&stamp);
  wait_for_login(s, LOGIN_APOP);
}

/* Back to AUTHORIZATION, with the client's credentials discarded (RFC 5034 §4). The question may
 * hold a password. */
static void login_over(struct pop3d_session *s) {
  pop3d_answered(s);
  buf_wipe(&s->proto.ask.body);
  s->auth_lost = false;
  if (s->state == ST_SASL) session_to(s, ST_AUTHORIZATION);
}

static void try_later(struct pop3d_session *s) {
  session_forget_user(s);
  pop3d_refuse(s, "[SYS/TEMP] logins are not possible at the moment, try again later");
}

void login_no_auth(struct pop3d_session *s) {
  login_over(s);
  try_later(s);
}

void login_fail(struct pop3d_session *s, struct slice payload) {
  /* RFC 3206 §4, §5: [AUTH] is about the credentials, [SYS/TEMP] about us. */
  static const struct {
    const char *text;
    bool counts;
  } replies[AUTH_FAILURES] = {
    [AUTH_WRONG] = { "[AUTH] permission denied", true },
    [AUTH_MALFORMED] = { "malformed response", true },
    [AUTH_UNAVAILABLE] = { "mechanism not available", true },
    [AUTH_TROUBLE] = { "[SYS/TEMP] logins are not possible at the moment, try again later", false },
    [AUTH_TOO_SOON] = { NULL, false },
  };
  struct auth_fail m;
  if (!auth_fail_get(payload, &m) || m.why >= AUTH_FAILURES) m.why = AUTH_TROUBLE;
  login_over(s);
  session_forget_user(s);
  if (m.why == AUTH_TOO_SOON) /* RFC 2449 §8.1.1 */
    pop3d_refuse(s, "[LOGIN-DELAY] the last login was a moment ago, try again in %u s", m.wait_s);
  else if (replies[m.why].counts)
    pop3d_err(s, "%s", pop3d_translated(s->language, replies[m.why].text));
  else
    pop3d_refuse(s, "%s", pop3d_translated(s->language, replies[m.why].text));
  if (replies[m.why].counts && ++s->failures >= s->service->conf->login_failures) {
    pop3d_release(s);
    proto_close(&s->proto, CLOSE_AUTH_FAILURES);
  }
}

void login_ok(struct pop3d_session *s, struct slice payload) {
  struct auth_ok m;
  login_over(s);
  if (!auth_ok_get(payload, &m) || s->store_lost) {
    try_later(s);
    return;
  }
  buf_reset(&s->account);
  buf_put(&s->account, m.name);
  s->granted = true;
  proto_ask(&s->proto, ROLE_STORE, pop_open_type, true);
  s->wait = WAIT_OPEN;
}

void open_no_store(struct pop3d_session *s) {
  s->granted = false;
  maildrop_close(&s->maildrop);
  try_later(s);
}

static bool is_printable(struct slice name) {
  for (size_t i = 0; i < name.n; i++)
    if (!ascii_is_print(name.p[i])) return false;
  return name.n > 0;
}

/* RFC 1939 §10: "+OK mrose's maildrop has 2 messages (320 octets)". */
static void enter(struct pop3d_session *s) {
  pop3d_answered(s);
  proto_trace_login(&s->proto, buf_slice(&s->account));
  session_to(s, ST_TRANSACTION);
  s->proto.out_high = PROTO_OUT_HIGH;
  struct slice name = buf_slice(s->login == LOGIN_AUTH ? &s->account : &s->user);
  if (s->login == LOGIN_PASS || !is_printable(name))
    pop3d_ok(s, "Pass accepted");
  else
    pop3d_ok(s, "%.*s's maildrop has %u %s (%llu %s)", SLICE_ARG(name), s->maildrop.left,
             pop3d_plural(s, s->maildrop.left), (unsigned long long)s->maildrop.octets_left,
             octets_word(s, s->maildrop.octets_left));
  session_forget_user(s);
}

/* Some clients take [IN-USE] for a wrong password and refer the user to the administrator, who
 * finds the cause in this log line. */
static void log_locked(struct pop3d_session *s) {
  struct log_line l;
  if (!proto_log(&s->proto, &l, LOG_E_LOCKED)) return;
  log_str(&l, LOG_F_LOGIN, buf_slice(&s->account));
  log_cstr(&l, LOG_F_WHY, "in-use");
  log_end(&l);
}

/* The client may not show its user the reason; the administrator finds it in this line. */
void log_damage(struct pop3d_session *s, uint32_t uid, const char *what) {
  struct log_line l;
  uint64_t times, account = crc32c(0, buf_slice(&s->account));
  if (!seldom_due(&s->service->facts->damages, account, s->proto.now_ms, &times)) return;
  if (!proto_log(&s->proto, &l, LOG_E_DAMAGE)) return;
  log_str(&l, LOG_F_LOGIN, buf_slice(&s->account));
  if (uid) log_num(&l, LOG_F_UID, uid);
  log_cstr(&l, LOG_F_MSG, what);
  log_num(&l, LOG_F_COUNT, times);
  log_end(&l);
}

/* The option pop3_surrogates. */
static bool sends_as_is(const struct pop3d_session *s) {
  return s->utf8 || s->service->conf->pop3_surrogates == CONF_POP3_SURROGATES_AS_IS;
}

static enum surrogate_way way_of(const struct pop3d_session *s) {
  return s->service->conf->pop3_surrogates == CONF_POP3_SURROGATES_RFC6858 ? SURROGATE_6858
                                                                           : SURROGATE_6857;
}

void open_answer(struct pop3d_session *s, struct slice payload) {
  /* RFC 2449 §8.1.2, RFC 3206 §4. */
  static const char *const refusals[POP_OUTCOMES] = {
    [POP_IN_USE] = "[IN-USE] unable to lock maildrop",
    [POP_TROUBLE] = "[SYS/TEMP] unable to open maildrop, try again later",
    [POP_DAMAGED] = "[SYS/PERM] maildrop is damaged, tell the postmaster",
  };
  struct pop_opened m;
  if (!pop_opened_get(payload, &m) || m.outcome >= POP_OUTCOMES) {
    session_abort(s, CLOSE_READ_ERROR);
  } else if (m.outcome != POP_DONE) {
    pop3d_answered(s);
    s->granted = false; /* a grant is valid for one attempt */
    if (m.outcome == POP_IN_USE) log_locked(s);
    if (m.outcome == POP_DAMAGED)
      log_damage(s, 0, "the maildrop is damaged: its login was refused");
    session_forget_user(s);
    pop3d_refuse(s, "%s", pop3d_translated(s->language, refusals[m.outcome]));
  } else if (!maildrop_open(&s->maildrop, m.count, m.uidvalidity, sends_as_is(s), way_of(s))) {
    session_abort(s, CLOSE_NO_MEMORY);
  } else {
    s->login_delay = m.login_delay;
    s->expire = m.expire;
    s->took_over = m.taken;
    s->wait = WAIT_LISTING; /* the same question: its answer has several parts */
  }
}

void listing_answer(struct pop3d_session *s, struct slice payload) {
  struct pop_listing m;
  bool good = pop_listing_get(payload, &m) && maildrop_add(&s->maildrop, m.rows);
  if (!good || (m.last && s->maildrop.listed != s->maildrop.count))
    session_abort(s, CLOSE_READ_ERROR);
  else if (m.last)
    enter(s);
}
