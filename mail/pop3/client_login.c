/* SPDX-License-Identifier: ISC */
/* The login: the exchange of the mechanism that mail/sasl/login.h chooses, and of the next one when
 * it is refused. Invariant: no password is sent unless the policy permits it for this channel. */
#include <stdio.h>

#include "lib/base/codec.h"
#include "mail/pop3/client_inside.h"

enum { LINE_ROOM = 2 * SASL_MESSAGE_MAX };

static void go_on(struct pop3_client_session *s, enum sasl_refusal why, enum pop3_end end);

/* A word that could be read as two lines is never sent. */
static bool sendable(struct slice word) {
  return slice_find(word, '\r') < 0 && slice_find(word, '\n') < 0 && slice_find(word, 0) < 0;
}

static void send_word(struct pop3_client_session *s, enum pop3_client_verb verb, const char *word,
                      struct slice argument, const char *shown) {
  struct buf line;
  buf_init(&line, LINE_ROOM);
  buf_reserve(&line, argument.n + 16); /* full size at once: it may be a password */
  buf_printf(&line, "%s ", word);
  buf_put(&line, argument);
  if (line.failed)
    client_end(s, POP3_END_NO_MEMORY);
  else if (!sendable(argument) || argument.n == 0)
    client_end_politely(s, POP3_END_UNSENDABLE);
  else
    client_send(s, verb, 0, buf_slice(&line), shown);
  buf_wipe(&line);
}

/* --- SASL --- */

void login_forget(struct pop3_client_session *s) {
  if (s->sasl_on) sasl_client_end(&s->sasl);
  s->sasl_on = false;
  buf_wipe(&s->response);
}

/* RFC 5034 §4: an initial response goes with AUTH as long as the line is within 255 octets; "=" is
 * an empty one. */
static void send_auth(struct pop3_client_session *s, const struct sasl_mechanism *m) {
  struct buf line;
  char shown[64];
  buf_init(&line, LINE_ROOM);
  s->first_sent = sasl_put_auth(&line, m, buf_slice(&s->response), POP3_COMMAND_MAX);
  snprintf(shown, sizeof shown, "AUTH %s%s", m->name, s->first_sent ? " (response)" : "");
  if (line.failed)
    client_end(s, POP3_END_NO_MEMORY);
  else
    client_send(s, VERB_AUTH, 0, buf_slice(&line), shown);
  buf_wipe(&line);
}

static void begin_sasl(struct pop3_client_session *s, const struct sasl_mechanism *m) {
  login_forget(s);
  buf_init(&s->response, LINE_ROOM);
  buf_reserve(&s->response, 4096);
  sasl_client_start(&s->sasl, m, buf_slice(&s->user), buf_slice(&s->secret), buf_slice(&s->authzid),
                    buf_slice(&s->nonce));
  sasl_client_at(&s->sasl, buf_slice(&s->host), s->port);
  s->sasl_on = true;
  s->cancelled = false;
  s->pub.mechanism = m->name;
  s->bindings = proto_bindings(&s->pub.proto);
  sasl_client_bind_exporter(&s->sasl, slice_of(s->bindings.exporter, s->bindings.exporter_n),
                            buf_slice(&s->mechanisms));
  if (m->client_first && sasl_client_step(&s->sasl, false, SLICE_NONE, &s->response) != SASL_SEND)
    go_on(s, SASL_REFUSED_HERE, POP3_END_UNSENDABLE);
  else
    send_auth(s, m);
}

static void send_response(struct pop3_client_session *s) {
  struct buf line;
  buf_init(&line, LINE_ROOM);
  buf_reserve(&line, buf_len(&s->response) / 3 * 4 + 8);
  base64_put(&line, buf_slice(&s->response));
  if (line.failed)
    client_end(s, POP3_END_NO_MEMORY);
  else
    client_send_more(s, buf_slice(&line), "(response)");
  buf_wipe(&line);
}

/* A server that breaks the mechanism, or cannot prove that it knows the password, is sent "*" (RFC
 * 5034 §4). */
static void challenged(struct pop3_client_session *s, struct slice base64) {
  struct buf plain;
  bool ok = true;
  buf_init(&plain, SASL_MESSAGE_MAX);
  if (s->sasl.mech->client_first && !s->first_sent) {
    s->first_sent = true; /* the first response, which the line had no room for */
  } else {
    buf_reset(&s->response);
    ok = !s->cancelled && base64_decode(&plain, base64) && !plain.failed &&
         sasl_client_step(&s->sasl, true, buf_slice(&plain), &s->response) == SASL_SEND;
  }
  if (ok)
    send_response(s);
  else if (plain.failed || s->response.failed)
    client_end(s, POP3_END_NO_MEMORY);
  else if (!s->cancelled)
    client_send_more(s, SLICE("*"), NULL);
  else
    client_end(s, POP3_END_PROTOCOL);
  s->cancelled = !ok;
  buf_wipe(&plain);
}

/* --- USER, PASS, APOP --- */

/* RFC 1939 §7: the digest is MD5 of the timestamp and the shared secret. */
static void begin_apop(struct pop3_client_session *s) {
  uint8_t digest[DIGEST_MD5_SIZE];
  struct slice parts[] = { buf_slice(&s->timestamp), buf_slice(&s->secret) };
  struct buf argument;
  s->pub.mechanism = "APOP";
  if (slice_find(buf_slice(&s->user), ' ') >= 0) {
    go_on(s, SASL_REFUSED_HERE, POP3_END_UNSENDABLE);
    return;
  }
  buf_init(&argument, SASL_NAME_MAX + 64);
  buf_put(&argument, buf_slice(&s->user));
  buf_put_u8(&argument, ' ');
  if (digest_parts(DIGEST_MD5, parts, 2, digest)) {
    hex_put(&argument, slice_of(digest, sizeof digest));
    send_word(s, VERB_APOP, "APOP", argument.failed ? SLICE_NONE : buf_slice(&argument),
              "APOP (digest)");
  } else {
    client_end_politely(s, POP3_END_UNSENDABLE);
  }
  buf_free(&argument);
}

static void begin_user(struct pop3_client_session *s) {
  s->pub.mechanism = "USER";
  send_word(s, VERB_USER, "USER", buf_slice(&s->user), NULL);
}

/* --- which way --- */

static struct sasl_login_rules rules(const struct pop3_client_session *s) {
  return (struct sasl_login_rules){
    .named = buf_slice(&s->named),
    .secure = s->secure,
    .binds = proto_bindings(&s->pub.proto).exporter_n > 0,
    .clear = s->policy.clear,
    .may_show = s->policy.may_show,
    .second_try = s->policy.second_try,
  };
}

/* A server that announces mechanisms which it does not know may not announce USER either. */
static struct sasl_login_offer offer(const struct pop3_client_session *s) {
  return (struct sasl_login_offer){ .mechanisms = buf_slice(&s->mechanisms),
                                    .user = s->user_pass || s->tried.unknown,
                                    .apop = buf_len(&s->timestamp) > 0 };
}

static void begin_way(struct pop3_client_session *s, const struct sasl_way *w) {
  s->way = w;
  switch (w->kind) {
  case SASL_WAY_AUTH: begin_sasl(s, sasl_way_mechanism(w)); break;
  case SASL_WAY_USER: begin_user(s); break;
  case SASL_WAY_APOP: begin_apop(s); break;
  }
}

void login_begin(struct pop3_client_session *s) {
  struct sasl_login_rules r = rules(s);
  struct sasl_login_offer o = offer(s);
  s->phase = PHASE_LOGIN;
  const struct sasl_way *w = sasl_login_choose(&r, &o, &s->tried);
  if (w)
    begin_way(s, w);
  else
    client_end_politely(s, sasl_login_allowed(&r) ? POP3_END_NO_MECHANISM : POP3_END_NO_TLS);
}

/* Tries the next mechanism, or ends with `end`. */
static void go_on(struct pop3_client_session *s, enum sasl_refusal why, enum pop3_end end) {
  struct sasl_login_rules r = rules(s);
  struct sasl_login_offer o = offer(s);
  bool unknown = why == SASL_REFUSED_MECHANISM || why == SASL_REFUSED_COMMAND;
  login_forget(s);
  o.user |= unknown;
  const struct sasl_way *w = sasl_login_again(&r, &o, &s->tried, s->way, why);
  if (w)
    begin_way(s, w);
  else
    client_end_politely(s, end);
}

/* --- how it went --- */

static void logged_in(struct pop3_client_session *s) {
  bool believed = !s->sasl_on || (sasl_client_believes(&s->sasl) && !s->cancelled);
  login_forget(s);
  if (!believed) {
    client_end(s, POP3_END_UNPROVEN);
    return;
  }
  buf_wipe(&s->secret);
  s->pub.logged_in = true;
  if (s->policy.login_only)
    client_quit(s);
  else if (s->capable && !s->pub.pipelines && !s->policy.no_pipeline)
    client_capa(s); /* RFC 2449 §5: some servers announce more after the login */
  else
    list_begin(s);
}

static bool verdict(struct slice text, const char *word) {
  struct slice w = slice_str(word);
  for (size_t i = 0; i + w.n <= text.n; i++)
    if (slice_caseeq(slice_first(slice_from(text, i), w.n), w)) return true;
  return false;
}

/* Without a response code: by RFC 3206 §3 the password is not at fault if the server announced
 * AUTH-RESP-CODE. Otherwise the words of RFC 1939 for a locked maildrop contain "lock". */
static enum pop3_end no_code(const struct pop3_client_session *s, const struct pop3_reply *r) {
  if (s->auth_codes) return POP3_END_TROUBLE;
  return verdict(r->text, "lock") || verdict(r->text, "in use") ? POP3_END_IN_USE
                                                                : POP3_END_LOGIN_WRONG;
}

static bool contains_any(struct slice text, const char *const *words) {
  for (; *words; words++)
    if (verdict(text, *words)) return true;
  return false;
}

/* Some servers announce mechanisms that they do not support: the refusal then concerns the command
 * or the mechanism, not the login. POP3 has no code for it (RFC 5034 has only RFC 2449's), only
 * words. */
static enum sasl_refusal refusal_of(const struct pop3_client_session *s, const struct pop3_reply *r,
                                    enum pop3_end end) {
  static const char *const command[] = { "unknown command",
                                         "unimplemented",
                                         "not implemented",
                                         "invalid command",
                                         "bad command",
                                         "syntax error",
                                         NULL };
  static const char *const mechanism[] = { "unknown auth", "unknown mech",  "unrecogni",
                                           "unsupported",  "not supported", NULL };
  if (s->cancelled) return SASL_REFUSED_OTHERWISE;
  if (s->sasl_on && !r->code.n && contains_any(r->text, command)) return SASL_REFUSED_COMMAND;
  if (s->sasl_on && !r->code.n && contains_any(r->text, mechanism)) return SASL_REFUSED_MECHANISM;
  return end == POP3_END_LOGIN_WRONG ? SASL_REFUSED_WRONG : SASL_REFUSED_OTHERWISE;
}

static void refused(struct pop3_client_session *s, const struct pop3_reply *r) {
  enum pop3_end end = s->cancelled ? POP3_END_UNPROVEN : client_refusal(r, no_code(s, r));
  go_on(s, refusal_of(s, r, end), end);
}

void login_answer(struct pop3_client_session *s, const struct pop3_reply *r) {
  enum pop3_client_verb verb = client_head(s)->verb;
  if (r->status == POP3_CONTINUE) {
    challenged(s, r->text);
    return;
  }
  client_answered(s);
  if (r->status == POP3_ERR)
    refused(s, r);
  else if (verb == VERB_USER)
    send_word(s, VERB_PASS, "PASS", buf_slice(&s->secret), "PASS (password)");
  else
    logged_in(s);
}
