/* SPDX-License-Identifier: ISC */
/* The login (RFC 4954): the exchange of the mechanism that mail/sasl/login.h chooses, and of the
 * next one when it is refused. */
#include <stdio.h>

#include "lib/base/codec.h"
#include "mail/smtp/client_inside.h"

enum { AUTH_LINE_MAX = 12288 /* RFC 4954 §4 */, LOGIN_ROOM = 2 * SASL_MESSAGE_MAX };

static void end_exchange(struct smtp_session *s) {
  if (s->sasl_on) sasl_client_end(&s->sasl);
  s->sasl_on = false;
  buf_wipe(&s->response);
}

void smtp_login_forget(struct smtp_session *s) {
  end_exchange(s);
  buf_wipe(&s->secret);
}

static struct sasl_login_rules rules(const struct smtp_session *s) {
  return (struct sasl_login_rules){
    .named = buf_slice(&s->named),
    .secure = s->secure,
    .binds = s->bindings.exporter_n > 0,
    .may_show = s->policy.may_show,
    .second_try = s->policy.second_try,
  };
}

static struct sasl_login_offer offer(const struct smtp_session *s) {
  return (struct sasl_login_offer){ .mechanisms = buf_slice(&s->mechanisms) };
}

static void send_secretly(struct smtp_session *s, struct buf *line, const char *shown) {
  if (line->failed)
    smtp_client_end(s, SMTP_END_NO_MEMORY);
  else
    smtp_client_send(s, buf_slice(line), shown);
  smtp_client_await(s, s->limits.command_ms);
  buf_wipe(line);
}

static void send_auth(struct smtp_session *s, const struct sasl_mechanism *m) {
  struct buf line;
  char shown[64];
  buf_init(&line, LOGIN_ROOM);
  s->first_sent = sasl_put_auth(&line, m, buf_slice(&s->response), AUTH_LINE_MAX);
  snprintf(shown, sizeof shown, "AUTH %s%s", m->name, s->first_sent ? " (response)" : "");
  send_secretly(s, &line, shown);
}

static void fail(struct smtp_session *s, enum smtp_end end, const char *why) {
  static const uint8_t enhanced[3] = { 4, 7, 0 }; /* RFC 3463 §3.8: other security status */
  struct smtp_verdict *v = &s->pub.last;
  bool names = end == SMTP_END_NO_MECHANISM && buf_len(&s->mechanisms);
  buf_reset(&v->text);
  buf_put_str(&v->text, why);
  if (names) {
    buf_put_str(&v->text, "; it offers: ");
    buf_put(&v->text, slice_first(buf_slice(&s->mechanisms), 200));
  }
  v->text.failed = false;
  memcpy(v->enhanced, enhanced, sizeof enhanced);
  v->code = 0;
  v->stage = SMTP_STAGE_AUTH;
  v->fate = SMTP_TEMPORARY;
  smtp_client_send(s, SLICE("QUIT"), NULL);
  smtp_client_end(s, end);
}

/* Tries the next mechanism. False: there is none. */
static bool try_again(struct smtp_session *s, enum sasl_refusal why);

static void begin(struct smtp_session *s, const struct sasl_way *w) {
  const struct sasl_mechanism *m = sasl_way_mechanism(w);
  s->way = w;
  s->pub.mechanism = m->name;
  s->cancelled = false;
  sasl_client_start(&s->sasl, m, buf_slice(&s->user), buf_slice(&s->secret), SLICE_NONE,
                    buf_slice(&s->nonce));
  sasl_client_at(&s->sasl, buf_slice(&s->host), s->port);
  s->sasl_on = true;
  sasl_client_bind_exporter(&s->sasl, slice_of(s->bindings.exporter, s->bindings.exporter_n),
                            buf_slice(&s->mechanisms));
  buf_init(&s->response, LOGIN_ROOM);
  buf_reserve(&s->response, 4096); /* full size at once: it may hold a password */
  if (!m->client_first || sasl_client_step(&s->sasl, false, SLICE_NONE, &s->response) == SASL_SEND)
    send_auth(s, m);
  else if (!try_again(s, SASL_REFUSED_HERE))
    fail(s, SMTP_END_NO_MECHANISM,
         "the server offers no way to log in by which this name or password can be sent");
}

static bool try_again(struct smtp_session *s, enum sasl_refusal why) {
  struct sasl_login_rules r = rules(s);
  struct sasl_login_offer o = offer(s);
  const struct sasl_way *w = sasl_login_again(&r, &o, &s->tried, s->way, why);
  if (!w) return false;
  end_exchange(s);
  begin(s, w);
  return true;
}

void smtp_login_begin(struct smtp_session *s) {
  s->phase = SMTP_PHASE_AUTH;
  s->pub.stage = SMTP_STAGE_AUTH;
  s->bindings = proto_bindings(&s->pub.proto);
  struct sasl_login_rules r = rules(s);
  struct sasl_login_offer o = offer(s);
  const struct sasl_way *w = sasl_login_choose(&r, &o, &s->tried);
  if (w && w->kind == SASL_WAY_AUTH)
    begin(s, w);
  else
    fail(s, SMTP_END_NO_MECHANISM,
         buf_len(&s->mechanisms) ? "the server offers no way to log in that may be used here"
                                 : "the server offers no way to log in (no AUTH), and a login is "
                                   "to be made there");
}

/* A server that breaks the mechanism, or cannot prove that it knows the password, is sent "*" (RFC
 * 4954 §4). */
static void challenged(struct smtp_session *s) {
  struct buf plain, line;
  bool ok = true;
  buf_init(&plain, SASL_MESSAGE_MAX);
  buf_init(&line, LOGIN_ROOM);
  if (s->sasl.mech->client_first && !s->first_sent) {
    s->first_sent = true; /* the first response, for which the line had no room */
  } else {
    buf_reset(&s->response);
    ok = !s->cancelled && base64_decode(&plain, buf_slice(&s->reply.text)) &&
         sasl_client_step(&s->sasl, true, buf_slice(&plain), &s->response) == SASL_SEND;
  }
  if (s->cancelled) {
    smtp_client_end(s, SMTP_END_PROTOCOL);
  } else if (ok) {
    buf_reserve(&line, buf_len(&s->response) / 3 * 4 + 8);
    base64_put(&line, buf_slice(&s->response));
    send_secretly(s, &line, "(response)");
  } else {
    smtp_client_send(s, SLICE("*"), NULL);
    s->cancelled = true;
  }
  buf_wipe(&plain);
  buf_wipe(&line);
}

void smtp_login_reply(struct smtp_session *s) {
  if (s->reply.code == 334) {
    challenged(s);
  } else if (s->reply.code / 100 != 2 || s->cancelled) {
    if (!s->cancelled && try_again(s, smtp_login_refusal(s->reply.code))) return;
    smtp_client_keep(s, SMTP_STAGE_AUTH, SMTP_TEMPORARY);
    smtp_client_send(s, SLICE("QUIT"), NULL);
    smtp_client_end(s, SMTP_END_LOGIN_WRONG);
  } else if (!sasl_client_believes(&s->sasl)) {
    fail(s, SMTP_END_UNPROVEN, "the server could not prove that it knows the password");
  } else {
    smtp_login_forget(s);
    smtp_client_ready(s);
  }
}
