/* SPDX-License-Identifier: ISC */
/* AUTH: RFC 4954. The session relays octets between the client and auth, decoding and encoding
 * base64, and receives the result. It neither keeps nor traces them.
 *
 *   AUTH ──auth_start──▶ ST_SASL ──▶ challenge ──line──auth_step──▶ challenge … ──▶ ok | fail
 *
 * `s->exchange` means that an exchange of this session is open at auth: it is ended by its answer,
 * by auth_cancel, or with auth itself. */
#include "src/smtpd/private.h"

#include "lib/base/codec.h"
#include "runtime/front/sasl.h"

/* An eavesdropper on a plain connection would learn the password. */
static struct sasl_channel channel(const struct smtpd_session *s) {
  const struct smtpd_service *service = s->service;
  bool may_show = s->secure || service->plaintext_auth ||
                  conf_in_networks(&service->plaintext_networks, slice_of(s->peer, s->peer_len));
  return front_sasl_channel(&s->proto, s->secure, may_show, service->tokens);
}

/* The option require_tls_login: without TLS nothing is announced or accepted, except from networks
 * where passwords may be sent in the clear. */
sasl_set smtpd_mechanisms(const struct smtpd_session *s) {
  const struct sasl_channel ch = channel(s);
  return s->service->require_tls_login && !ch.may_show ? 0
                                                       : sasl_announced(s->service->mechanisms, ch);
}

/* The reply for a mechanism that cannot be used (NULL: unknown). RFC 4954 §4: 538 means that TLS
 * would help. */
static enum smtp_outcome not_taken(struct smtpd_session *s, const struct sasl_mechanism *mech) {
  bool hides = mech && sasl_usable(mech, channel(s)) && !s->service->require_tls_login;
  bool helps = mech && !s->secure && !hides;
  smtpd_log_login(s, mech ? mech->name : "",
                  helps ? "no login without TLS" : "mechanism not offered");
  return helps ? SMTP_AUTH_ENCRYPT : SMTP_AUTH_MECHANISM;
}

void smtpd_put_mechanisms(const struct smtpd_session *s, struct buf *out) {
  sasl_put_names(out, smtpd_mechanisms(s), " ", "");
}

enum smtp_outcome smtpd_auth_allowed(const struct smtpd_session *s) {
  if (!s->service->submission) return SMTP_NOT_OFFERED;
  return s->logged_in ? SMTP_AUTH_ALREADY : SMTP_OK;
}

/* --- answers --- */

static void auth_answer(struct smtpd_session *s, uint16_t type, struct slice payload);

/* "334 " and the challenge in base64: text that machines read, so no enhanced code. */
static void challenged(struct smtpd_session *s, struct slice payload) {
  struct auth_challenge a;
  if (!auth_challenge_get(payload, &a)) {
    smtpd_auth_abort(s, SMTP_AUTH_TROUBLE);
    return;
  }
  buf_put_str(&s->proto.out, "334 ");
  base64_put(&s->proto.out, a.challenge);
  buf_put_str(&s->proto.out, "\r\n");
  proto_trace(&s->proto, 'S', SLICE("334 ***"));
}

static void logged_in(struct smtpd_session *s, const struct auth_ok *a) {
  s->logged_in = true;
  buf_put(&s->user, a->name);
  proto_trace_login(&s->proto, a->name);
  smtpd_reply(s, SMTP_LOGGED_IN);
}

static enum smtp_outcome outcome_of(uint8_t why) {
  static const enum smtp_outcome outcomes[AUTH_FAILURES] = {
    [AUTH_WRONG] = SMTP_AUTH_WRONG,           [AUTH_MALFORMED] = SMTP_AUTH_MALFORMED,
    [AUTH_UNAVAILABLE] = SMTP_AUTH_MECHANISM, [AUTH_TROUBLE] = SMTP_AUTH_TROUBLE,
    [AUTH_TOO_SOON] = SMTP_AUTH_TROUBLE,
  };
  return why < AUTH_FAILURES ? outcomes[why] : SMTP_AUTH_TROUBLE;
}

static void failed(struct smtpd_session *s, enum smtp_outcome why) {
  smtpd_reply(s, why);
  if (why != SMTP_AUTH_WRONG || ++s->failed_logins < s->service->login_limit) return;
  smtpd_end(s, SMTP_MANY_LOGINS, CLOSE_AUTH_FAILURES);
}

/* The exchange is over: any answer other than a challenge. */
static void auth_answer(struct smtpd_session *s, uint16_t type, struct slice payload) {
  struct auth_ok ok;
  struct auth_fail fail = { .why = AUTH_TROUBLE };
  if (type == auth_challenge_type) {
    challenged(s, payload);
    return;
  }
  s->exchange = false;
  if (s->state == ST_SASL) smtpd_move(s, ST_READY);
  if (type == auth_ok_type && auth_ok_get(payload, &ok)) {
    logged_in(s, &ok);
    return;
  }
  if (type != auth_fail_type || !auth_fail_get(payload, &fail)) fail.why = AUTH_TROUBLE;
  failed(s, outcome_of(fail.why));
}

/* --- questions --- */

enum smtp_outcome smtpd_auth(struct smtpd_session *s, struct slice argument) {
  struct smtp_auth a;
  struct buf response;
  enum smtp_outcome o = smtp_auth_parse(argument, &a);
  if (o != SMTP_OK) return o;
  const struct sasl_mechanism *mech = sasl_find(a.mechanism);
  if (!mech || !sasl_has(smtpd_mechanisms(s), mech)) return not_taken(s, mech);
  if (front_sasl_decode(&response, a.initial)) {
    front_sasl_start(smtpd_ask(s, ROLE_AUTH, auth_start_type, auth_answer), &s->proto,
                     (struct auth_start){ .mechanism = slice_str(mech->name),
                                          .has_response = a.has_initial,
                                          .response = buf_slice(&response),
                                          .peer = slice_of(s->peer, s->peer_len),
                                          .secure = s->secure,
                                          .service = slice_str(s->service->name) });
    s->exchange = smtpd_asked(s);
    if (s->exchange) smtpd_move(s, ST_SASL);
    o = s->exchange ? SMTPD_REPLIED : SMTP_AUTH_TROUBLE;
  } else {
    o = response.failed ? SMTP_AUTH_TROUBLE : SMTP_AUTH_BASE64;
  }
  buf_wipe(&response);
  return o;
}

/* Ends the exchange from our side. */
void smtpd_auth_abort(struct smtpd_session *s, enum smtp_outcome why) {
  if (s->exchange) smtpd_notify(s, ROLE_AUTH, auth_cancel_type);
  s->exchange = false;
  if (s->state == ST_SASL) smtpd_move(s, ST_READY);
  smtpd_reply(s, why);
}

void smtpd_auth_line(struct smtpd_session *s, struct slice line) {
  struct buf response;
  if (!s->exchange) { /* auth was restarted meanwhile */
    smtpd_auth_abort(s, SMTP_AUTH_TROUBLE);
    return;
  }
  if (slice_eq(line, SLICE("*"))) {
    smtpd_auth_abort(s, SMTP_AUTH_CANCELLED);
    return;
  }
  if (front_sasl_decode(&response, line)) {
    struct auth_step q = { .response = buf_slice(&response) };
    auth_step_put(smtpd_ask(s, ROLE_AUTH, auth_step_type, auth_answer), &q);
    if (!smtpd_asked(s)) smtpd_auth_abort(s, SMTP_AUTH_TROUBLE);
  } else {
    smtpd_auth_abort(s, response.failed ? SMTP_AUTH_TROUBLE : SMTP_AUTH_BASE64);
  }
  buf_wipe(&response);
}
