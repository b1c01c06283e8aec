/* SPDX-License-Identifier: ISC */
/* The two mechanisms that transmit an OAuth 2.0 bearer token (RFC 6750): OAUTHBEARER (RFC 7628),
 * and XOAUTH2, which Google had before it and most clients still use. They differ in the first
 * message and in the client's response to a refusal.
 *
 * Server: START (→ ASKED) → SENT → OK, or → REFUSED: RFC 4422 §3.6 allows no data with a refusal,
 * so the reason is sent as a challenge, the client sends a dummy response, and only then is it
 * refused (RFC 7628 §3.2.3). */
#include "lib/base/num.h"
#include "mail/sasl/mechanisms.h"

enum { SERVER_START, SERVER_ASKED, SERVER_SENT, SERVER_REFUSED, SERVER_DONE };
enum { CLIENT_START, CLIENT_SENT, CLIENT_DONE };
enum { KVSEP = 0x01 };

/* --- the server --- */

/* value = *(VCHAR / SP / HTAB / CR / LF) */
static bool is_value(struct slice s) {
  for (size_t i = 0; i < s.n; i++)
    if (!ascii_is_print(s.p[i]) && s.p[i] != '\t' && s.p[i] != '\r' && s.p[i] != '\n') return false;
  return true;
}

static bool is_key(struct slice s) {
  for (size_t i = 0; i < s.n; i++)
    if (!ascii_is_alpha(s.p[i])) return false;
  return s.n > 0;
}

/* "a decimal positive integer string without leading zeros" (RFC 7628 §3.1) */
static bool is_port(struct slice s) {
  uint64_t port;
  return slice_at(s, 0) != '0' && num_parse(s, UINT16_MAX, &port);
}

/* Host and port may differ from ours (address translation, several names of one server): only their
 * form is checked. Unknown keys are ignored (RFC 7628 §3.1); a known one that occurs twice is
 * malformed. */
static bool pair(struct slice p, struct slice *auth, struct slice *port) {
  if (slice_find(p, '=') < 0) return false;
  struct slice value = p, key = slice_split(&value, '=');
  if (!is_key(key) || !is_value(value)) return false;
  struct slice *to = slice_eq(key, SLICE("auth"))   ? auth
                     : slice_eq(key, SLICE("port")) ? port
                                                    : NULL;
  if (!to) return true;
  if (to->p) return false;
  *to = value;
  return to == auth || is_port(value);
}

/* *kvpair kvsep, to the very end. */
static bool pairs(struct slice rest, struct slice *auth) {
  struct slice port = SLICE_NONE;
  *auth = SLICE_NONE;
  while (rest.n && rest.p[0] != KVSEP) {
    if (slice_find(rest, KVSEP) < 0) return false;
    if (!pair(slice_split(&rest, KVSEP), auth, &port)) return false;
  }
  return rest.n == 1;
}

/* RFC 6750 §2.1: "Bearer" 1*SP b64token, the scheme in any case. Another scheme, or none, leaves
 * the token empty: so a client asks what the server wants (RFC 7628 §4.3). */
static void take_token(struct sasl_server *s, struct slice auth) {
  if (!slice_caseeq(slice_split(&auth, ' '), SLICE("Bearer"))) return;
  while (slice_at(auth, 0) == ' ') auth = slice_from(auth, 1);
  for (size_t i = 0; i < auth.n; i++)
    if (!ascii_is_alnum(auth.p[i]) && !memchr("-._~+/=", auth.p[i], 7)) return;
  buf_put(&s->token, auth);
}

/* client-resp = gs2-header kvsep *kvpair kvsep; gs2-header = ("n" / "y") "," [ "a=" saslname ] ","
 */
static bool bearer_parse(struct sasl_server *s, struct slice message) {
  struct slice rest = message, flag = slice_split(&rest, ','), auth;
  if (!rest.p || (!slice_eq(flag, SLICE("n")) && !slice_eq(flag, SLICE("y")))) return false;
  struct slice authzid = slice_split(&rest, ',');
  if (slice_at(rest, 0) != KVSEP) return false;
  if (authzid.n &&
      (!slice_starts(authzid, SLICE("a=")) || !sasl_name_get(slice_from(authzid, 2), &s->authzid)))
    return false;
  if (!pairs(slice_from(rest, 1), &auth)) return false;
  take_token(s, auth);
  return true;
}

/* "user=" {User} "^Aauth=Bearer " {Access Token} "^A^A", as Google describes it */
static bool xoauth2_parse(struct sasl_server *s, struct slice message) {
  struct slice rest = message, auth;
  if (!slice_starts(rest, SLICE("user="))) return false;
  struct slice user = slice_from(slice_split(&rest, KVSEP), 5);
  if (!user.n || !sasl_safe_utf8(user) || !pairs(rest, &auth)) return false;
  buf_put(&s->authzid, user);
  take_token(s, auth);
  return true;
}

static enum sasl_verdict token_server(struct sasl_server *s, bool has, struct slice response,
                                      bool (*parse)(struct sasl_server *s, struct slice message)) {
  if (s->at == SERVER_START && !has) {
    s->at = SERVER_ASKED;
    return SASL_CHALLENGE; /* an empty one */
  }
  bool refused = s->at == SERVER_REFUSED, first = s->at == SERVER_START || s->at == SERVER_ASKED;
  s->at = SERVER_DONE;
  if (refused) return SASL_WRONG; /* whatever it answers */
  if (!has || !first || !response.n) return SASL_MALFORMED;
  buf_reserve(&s->token, response.n); /* full size at once, so that growing leaves no copy behind */
  if (!parse(s, response) || s->authzid.failed || s->token.failed) return SASL_MALFORMED;
  s->at = SERVER_SENT;
  return SASL_TOKEN;
}

enum sasl_verdict bearer_server(struct sasl_server *s, bool has, struct slice response,
                                struct buf *out) {
  return token_server(s, has, response, bearer_parse);
}

enum sasl_verdict xoauth2_server(struct sasl_server *s, bool has, struct slice response,
                                 struct buf *out) {
  return token_server(s, has, response, xoauth2_parse);
}

/* The same text for every reason (RFC 7628 §3.2.2; RFC 6750 §3.1 has the code). */
enum sasl_verdict token_judged(struct sasl_server *s, bool right, struct buf *out) {
  if (s->at != SERVER_SENT) return SASL_WRONG;
  s->at = right ? SERVER_DONE : SERVER_REFUSED;
  if (right) return SASL_OK;
  buf_put_str(out, s->mech->server == xoauth2_server ? "{\"status\":\"401\",\"schemes\":\"bearer\"}"
                                                     : "{\"status\":\"invalid_token\"}");
  return out->failed ? SASL_WRONG : SASL_CHALLENGE;
}

/* --- the client: the token takes the password's place --- */

static void put_authorization(struct sasl_client *c, struct buf *out) {
  buf_put_str(out, "auth=Bearer ");
  buf_put(out, c->password);
  buf_put_u8(out, KVSEP);
  buf_put_u8(out, KVSEP);
}

static bool can_send(const struct sasl_client *c) {
  return c->password.n && is_value(c->password) && sasl_safe_utf8(c->name) &&
         slice_find(c->name, KVSEP) < 0;
}

/* A challenge after the token is a refusal: `dummy` lets the server report it, and a later success
 * is not believed. */
static enum sasl_advice client_refused(struct sasl_client *c, const char *dummy, struct buf *out) {
  if (c->at != CLIENT_SENT) return SASL_GIVE_UP;
  c->at = CLIENT_DONE;
  c->proven = false;
  buf_put_str(out, dummy);
  return SASL_SEND;
}

enum sasl_advice bearer_client(struct sasl_client *c, bool has, struct slice challenge,
                               struct buf *out) {
  if (c->at != CLIENT_START) return client_refused(c, "\x01", out);
  if (challenge.n || !can_send(c)) return SASL_GIVE_UP;
  c->at = CLIENT_SENT;
  struct slice authzid = c->authzid.n ? c->authzid : c->name;
  buf_put_str(out, authzid.n ? "n,a=" : "n,");
  sasl_name_put(out, authzid);
  buf_put_u8(out, ',');
  buf_put_u8(out, KVSEP);
  if (c->host.n && is_value(c->host)) {
    buf_put_str(out, "host=");
    buf_put(out, c->host);
    buf_printf(out, "\x01port=%u\x01", c->port);
  }
  put_authorization(c, out);
  return SASL_SEND;
}

enum sasl_advice xoauth2_client(struct sasl_client *c, bool has, struct slice challenge,
                                struct buf *out) {
  if (c->at != CLIENT_START) return client_refused(c, "", out);
  if (challenge.n || !can_send(c) || !c->name.n) return SASL_GIVE_UP;
  c->at = CLIENT_SENT;
  buf_put_str(out, "user=");
  buf_put(out, c->name);
  buf_put_u8(out, KVSEP);
  put_authorization(c, out);
  return SASL_SEND;
}
