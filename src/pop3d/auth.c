/* SPDX-License-Identifier: ISC */
/* AUTH (RFC 5034): this side relays base64 in both directions; the mechanisms themselves run in
 * auth.
 *
 *   AUTH mech [initial] ──auth_start──> challenge: "+ ..."
 *   SASL: a line, auth_step ──> challenge | ok | fail */
#include "lib/base/codec.h"
#include "runtime/front/sasl.h"
#include "src/pop3d/state.h"

/* The option require_tls_login. */
bool login_allowed(const struct pop3d_session *s) {
  return !s->service->conf->require_tls_login || plaintext_allowed(s);
}

static sasl_set announced(const struct pop3d_session *s) {
  const struct conf_list *named = &s->service->conf->auth_mechanisms;
  if (!login_allowed(s)) return 0;
  return sasl_announced(sasl_set_of(named->items, named->count),
                        front_sasl_channel(&s->proto, s->secure, plaintext_allowed(s),
                                           s->service->conf->oauth_keys[0] != 0));
}

bool announces_mechanisms(const struct pop3d_session *s) { return announced(s) != 0; }

void put_mechanisms(const struct pop3d_session *s, struct buf *out, const char *before,
                    const char *after) {
  sasl_put_names(out, announced(s), before, after);
}

static void start(struct pop3d_session *s, const struct sasl_mechanism *mech,
                  const struct pop3_args *a) {
  struct buf response;
  bool empty = !a->has_text || slice_eq(a->text, SLICE("=")); /* "=": RFC 5034 §4 */
  if (!front_sasl_decode(&response, empty ? SLICE_NONE : a->text)) {
    pop3d_refuse(s, "the initial response is not base64");
  } else {
    front_sasl_start(proto_ask(&s->proto, ROLE_AUTH, auth_start_type, true), &s->proto,
                     (struct auth_start){ .mechanism = slice_str(mech->name),
                                          .has_response = a->has_text,
                                          .response = buf_slice(&response),
                                          .peer = slice_of(s->peer, s->peer_len),
                                          .secure = s->secure,
                                          .service = slice_str(s->service->name) });
    s->wait = WAIT_LOGIN;
    s->login = LOGIN_AUTH;
    s->store_lost = s->auth_lost = false;
    session_to(s, ST_SASL);
  }
  buf_wipe(&response);
}

void pop3_auth(struct pop3d_session *s, const struct pop3_args *a) {
  if (!a->present) { /* not in RFC 5034; Outlook sends it before it logs in */
    pop3d_ok(s, "mechanisms follow");
    size_t before = buf_len(&s->proto.out);
    put_mechanisms(s, &s->proto.out, "", "\r\n");
    proto_trace_out(&s->proto, before);
    end_of_lines(s);
    return;
  }
  const struct sasl_mechanism *mech = sasl_find(a->name);
  bool helps = mech && !s->secure && (mech->plaintext || !login_allowed(s));
  if (!mech || !sasl_has(announced(s), mech))
    log_login(s, SLICE_NONE, mech ? mech->name : "",
              helps ? "no login without TLS" : "mechanism not offered");
  if (!mech)
    pop3d_refuse(s, "unknown mechanism");
  else if (sasl_has(announced(s), mech))
    start(s, mech, a);
  else if (!login_allowed(s))
    pop3d_refuse(s, "no login without TLS: use STLS first");
  else if (mech->plaintext && !s->secure)
    pop3d_refuse(s, "no passwords without TLS: use STLS first");
  else
    pop3d_refuse(s, "mechanism not available");
}

void auth_challenged(struct pop3d_session *s, struct slice payload) {
  struct auth_challenge m;
  if (!auth_challenge_get(payload, &m)) {
    login_no_auth(s);
    return;
  }
  pop3d_answered(s);
  buf_wipe(&s->proto.ask.body);
  buf_put_str(&s->proto.out, "+ ");
  base64_put(&s->proto.out, m.challenge);
  buf_put_str(&s->proto.out, "\r\n");
  proto_trace(&s->proto, 'S', SLICE("+ ***"));
}

/* The exchange ends here, without a result from auth. */
static void cancel(struct pop3d_session *s, const char *text) {
  if (!s->auth_lost) proto_ask(&s->proto, ROLE_AUTH, auth_cancel_type, false);
  session_to(s, ST_AUTHORIZATION);
  pop3d_refuse(s, "%s", pop3d_translated(s->language, text));
}

void auth_line(struct pop3d_session *s, struct slice line, const char *fault) {
  struct buf response;
  proto_trace(&s->proto, 'C', slice_eq(line, SLICE("*")) ? line : SLICE("***"));
  if (s->auth_lost) {
    login_no_auth(s);
  } else if (fault) {
    cancel(s, fault);
  } else if (slice_eq(line, SLICE("*"))) {
    cancel(s, "authentication cancelled");
  } else {
    bool good = front_sasl_decode(&response, line);
    const struct auth_step m = { .response = buf_slice(&response) };
    if (good) {
      auth_step_put(proto_ask(&s->proto, ROLE_AUTH, auth_step_type, true), &m);
      s->wait = WAIT_LOGIN;
    } else {
      cancel(s, "the response is not base64");
    }
    buf_wipe(&response);
  }
}
