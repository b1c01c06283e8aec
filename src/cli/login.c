#include "src/cli/login.h"

#include <stdio.h>

#include "lib/base/codec.h"
#include "lib/base/sys.h"

bool login_offers(struct slice offered, const char *name) {
  while (offered.p)
    if (slice_caseeq(slice_split(&offered, ' '), slice_str(name))) return true;
  return false;
}

const struct sasl_mechanism *login_choose(struct slice offered, const char *named, bool tls) {
  if (named) return sasl_find(slice_str(named));
  if (tls && login_offers(offered, "PLAIN")) return sasl_find(SLICE("PLAIN"));
  for (const struct sasl_mechanism *m = sasl_mechanisms; m->name; m++)
    if (sasl_usable(m, (struct sasl_channel){ tls, tls }) && login_offers(offered, m->name)) return m;
  return NULL;
}

bool login_needs_secret(const char *named) {
  const struct sasl_mechanism *m = named ? sasl_find(slice_str(named)) : NULL;
  return !m || m->by != SASL_BY_CERTIFICATE;
}

/* One response in base64 on a line of its own. */
static bool send_response(struct net *n, struct slice response) {
  struct buf line;
  buf_init(&line, 2 * SASL_MESSAGE_MAX);
  buf_reserve(&line, response.n / 3 * 4 + 8);
  base64_put(&line, response);
  bool ok = !line.failed && net_line(n, buf_slice(&line), "(response)");
  buf_wipe(&line);
  return ok;
}

/* *ret_sent: the initial response went with it. */
static bool send_auth(struct net *n, const struct sasl_mechanism *mech, struct slice initial, size_t line_max,
                      bool *ret_sent) {
  struct buf line;
  char shown[64];
  buf_init(&line, 2 * SASL_MESSAGE_MAX);
  buf_reserve(&line, initial.n / 3 * 4 + 64);
  buf_printf(&line, "AUTH %s", mech->name);
  size_t bare = buf_len(&line);
  *ret_sent = mech->client_first;
  if (mech->client_first) {
    buf_put_u8(&line, ' ');
    if (initial.n)
      base64_put(&line, initial);
    else
      buf_put_u8(&line, '=');
  }
  if (buf_len(&line) + 2 > line_max) {
    buf_truncate(&line, bare);
    *ret_sent = false;
  }
  snprintf(shown, sizeof shown, "AUTH %s%s", mech->name, *ret_sent ? " (response)" : "");
  bool ok = !line.failed && net_line(n, buf_slice(&line), shown);
  buf_wipe(&line);
  return ok;
}

/* The answer to one challenge. False: the exchange was cancelled with "*" (RFC 4954 §4). */
static bool answer(struct net *n, struct sasl_client *c, struct slice challenge, struct buf *response,
                   bool *ret_over) {
  struct buf plain;
  buf_init(&plain, SASL_MESSAGE_MAX);
  buf_reset(response);
  bool ok =
      base64_decode(&plain, challenge) && sasl_client_step(c, true, buf_slice(&plain), response) == SASL_SEND;
  *ret_over = !(ok ? send_response(n, buf_slice(response)) : net_line(n, SLICE("*"), NULL));
  buf_wipe(&plain);
  return ok;
}

static enum login_answer converse(struct net *n, struct sasl_client *c, bool sent, struct buf *response,
                                  login_hear *hear, struct buf *why) {
  struct buf heard;
  bool cancelled = false, over = false;
  enum login_answer a = LOGIN_OVER;
  buf_init(&heard, 16 * 1024);
  while (!over) {
    buf_reset(&heard);
    a = hear(n, &heard);
    if (a != LOGIN_CHALLENGE) break;
    if (!sent)
      over = !send_response(n, buf_slice(response));
    else
      cancelled = !answer(n, c, buf_slice(&heard), response, &over) || cancelled;
    sent = true;
  }
  if (over) a = LOGIN_OVER;
  if (a == LOGIN_ACCEPTED && !sasl_client_believes(c)) {
    buf_put_str(why, "the server could not prove that it knows the password");
    a = LOGIN_REFUSED;
  } else if (a == LOGIN_REFUSED) {
    buf_put(why,
            cancelled ? SLICE("the server does not speak the mechanism as it is meant") : buf_slice(&heard));
  }
  buf_wipe(&heard);
  return a;
}

/* RFC 5802 §6. One who was offered a mechanism that binds, and was told to use another, says no word of it. */
static void bind_channel(struct sasl_client *c, struct net *n, struct slice offered, uint8_t *mem) {
  size_t size = n->tls ? tls_binding_exporter(n->tls, mem) : 0;
  bool bound_offered =
      login_offers(offered, "SCRAM-SHA-256-PLUS") || login_offers(offered, "SCRAM-SHA-1-PLUS");
  if (size && (c->mech->binds || !bound_offered)) sasl_client_bind(c, "tls-exporter", slice_of(mem, size));
}

enum login_answer login_sasl(struct net *n, const struct sasl_mechanism *mech, struct slice user,
                             struct slice offered, struct slice password, size_t line_max,
                             login_hear *hear, struct buf *why) {
  uint8_t binding[TLS_BINDING_MAX];
  struct sasl_client c;
  struct buf nonce, response;
  uint8_t random[18];
  bool sent = true;
  sys_random(random, sizeof random);
  buf_init(&nonce, 64), buf_init(&response, SASL_MESSAGE_MAX);
  buf_reserve(&response, 4096);
  base64_put(&nonce, slice_of(random, sizeof random));
  sasl_client_start(&c, mech, user, password, SLICE_NONE, buf_slice(&nonce));
  sasl_client_at(&c, slice_str(n->url.host), n->url.port);
  bind_channel(&c, n, offered, binding);
  enum login_answer a = LOGIN_REFUSED;
  if (mech->client_first && sasl_client_step(&c, false, SLICE_NONE, &response) != SASL_SEND)
    buf_put_str(why, "this name or password cannot be sent by that mechanism");
  else if (!send_auth(n, mech, buf_slice(&response), line_max, &sent))
    a = LOGIN_OVER;
  else
    a = converse(n, &c, sent || !mech->client_first, &response, hear, why);
  sasl_client_end(&c);
  buf_wipe(&response);
  buf_free(&nonce);
  return a;
}
