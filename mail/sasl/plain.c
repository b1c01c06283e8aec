/* SPDX-License-Identifier: ISC */
/* The two mechanisms that transmit the password: PLAIN (RFC 4616) and LOGIN (draft-murchison-sasl-
 * login-00, obsolete and still used by some clients). */
#include "mail/sasl/mechanisms.h"

enum { PLAIN_START, PLAIN_SENT };
enum { LOGIN_START, LOGIN_NAME, LOGIN_PASSWORD, LOGIN_SENT };

/* RFC 4616 §2: message = [authzid] UTF8NUL authcid UTF8NUL passwd; each 1*SAFE. */
static enum sasl_verdict plain_parse(struct sasl_server *s, struct slice message) {
  struct slice rest = message;
  if (slice_find(rest, 0) < 0) return SASL_MALFORMED;
  struct slice authzid = slice_split(&rest, 0);
  if (slice_find(rest, 0) < 0) return SASL_MALFORMED;
  struct slice authcid = slice_split(&rest, 0);
  if (!authcid.n || !rest.n) return SASL_MALFORMED;
  if (!sasl_safe_utf8(authzid) || !sasl_safe_utf8(authcid) || !sasl_safe_utf8(rest))
    return SASL_MALFORMED;
  buf_put(&s->authzid, authzid);
  buf_put(&s->name, authcid);
  buf_put(&s->password, rest);
  return s->authzid.failed || s->name.failed || s->password.failed ? SASL_MALFORMED : SASL_PASSWORD;
}

enum sasl_verdict plain_server(struct sasl_server *s, bool has, struct slice response,
                               struct buf *out) {
  if (s->at == PLAIN_START) {
    s->at = PLAIN_SENT;
    if (!has) return SASL_CHALLENGE; /* an empty one: RFC 4954 §4, "334 " */
  }
  return has ? plain_parse(s, response) : SASL_MALFORMED;
}

enum sasl_advice plain_client(struct sasl_client *c, bool has, struct slice challenge,
                              struct buf *out) {
  if (c->at != PLAIN_START || challenge.n) return SASL_GIVE_UP;
  c->at = PLAIN_SENT;
  if (!c->name.n || !c->password.n) return SASL_GIVE_UP;
  if (!sasl_safe_utf8(c->authzid) || !sasl_safe_utf8(c->name) || !sasl_safe_utf8(c->password))
    return SASL_GIVE_UP;
  buf_put(out, c->authzid);
  buf_put_u8(out, 0);
  buf_put(out, c->name);
  buf_put_u8(out, 0);
  buf_put(out, c->password);
  return SASL_SEND;
}

/* draft §2: the name is UTF-8, the password any octets but NUL, CR and LF. */
static bool login_password_ok(struct slice s) {
  return s.n && slice_find(s, 0) < 0 && slice_find(s, '\r') < 0 && slice_find(s, '\n') < 0;
}

static enum sasl_verdict login_name(struct sasl_server *s, struct slice name, struct buf *out) {
  if (!name.n || !sasl_safe_utf8(name)) return SASL_MALFORMED;
  buf_put(&s->name, name);
  if (s->name.failed) return SASL_MALFORMED;
  s->at = LOGIN_PASSWORD;
  buf_put_str(out, "Password:");
  return SASL_CHALLENGE;
}

/* draft §2.2: "at least one widely deployed client requires that the challenge strings … be
 * "Username:" and "Password:"". Some clients send the name as an initial response; that is
 * accepted. */
enum sasl_verdict login_server(struct sasl_server *s, bool has, struct slice response,
                               struct buf *out) {
  if (s->at == LOGIN_START && !has) {
    s->at = LOGIN_NAME;
    buf_put_str(out, "Username:");
    return SASL_CHALLENGE;
  }
  if (!has) return SASL_MALFORMED;
  if (s->at == LOGIN_START || s->at == LOGIN_NAME) return login_name(s, response, out);
  if (s->at != LOGIN_PASSWORD || !login_password_ok(response)) return SASL_MALFORMED;
  s->at = LOGIN_SENT;
  buf_put(&s->password, response);
  return s->password.failed ? SASL_MALFORMED : SASL_PASSWORD;
}

/* draft §2.1: the client ignores the text of the challenges. */
enum sasl_advice login_client(struct sasl_client *c, bool has, struct slice challenge,
                              struct buf *out) {
  if (!has || !c->name.n || !sasl_safe_utf8(c->name) || !login_password_ok(c->password))
    return SASL_GIVE_UP;
  if (c->at == LOGIN_START) {
    buf_put(out, c->name);
    c->at = LOGIN_PASSWORD;
    return SASL_SEND;
  }
  if (c->at != LOGIN_PASSWORD) return SASL_GIVE_UP;
  buf_put(out, c->password);
  c->at = LOGIN_SENT;
  return SASL_SEND;
}
