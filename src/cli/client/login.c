/* SPDX-License-Identifier: ISC */
/* A SASL login over a blocking connection (login.h): AUTH, then challenge and response until the
 * server accepts or refuses. mail/sasl chooses and computes; this carries the lines. Invariants:
 * credentials are wiped and never shown; an accepted login counts only if the server has proved
 * what the mechanism lets it prove. */
#include "src/cli/client/login.h"

#include <stdio.h>

#include "lib/base/codec.h"
#include "lib/base/sys.h"

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
static bool send_auth(struct net *n, const struct sasl_mechanism *mech, struct slice initial,
                      size_t line_max, bool *ret_sent) {
  struct buf line;
  char shown[64];
  buf_init(&line, 2 * SASL_MESSAGE_MAX);
  *ret_sent = sasl_put_auth(&line, mech, initial, line_max);
  snprintf(shown, sizeof shown, "AUTH %s%s", mech->name, *ret_sent ? " (response)" : "");
  bool ok = !line.failed && net_line(n, buf_slice(&line), shown);
  buf_wipe(&line);
  return ok;
}

/* The answer to one challenge. False: the exchange was cancelled with "*" (RFC 4954 §4). */
static bool answer(struct net *n, struct sasl_client *c, struct slice challenge,
                   struct buf *response, bool *ret_over) {
  struct buf plain;
  buf_init(&plain, SASL_MESSAGE_MAX);
  buf_reset(response);
  bool ok = base64_decode(&plain, challenge) &&
            sasl_client_step(c, true, buf_slice(&plain), response) == SASL_SEND;
  *ret_over = !(ok ? send_response(n, buf_slice(response)) : net_line(n, SLICE("*"), NULL));
  buf_wipe(&plain);
  return ok;
}

static enum login_answer converse(struct net *n, struct sasl_client *c, bool sent,
                                  struct buf *response, login_receive *receive, struct buf *why) {
  struct buf received;
  bool cancelled = false, over = false;
  enum login_answer a = LOGIN_OVER;
  buf_init(&received, 16 * 1024);
  while (!over) {
    buf_reset(&received);
    a = receive(n, &received);
    if (a != LOGIN_CHALLENGE) break;
    if (!sent)
      over = !send_response(n, buf_slice(response));
    else
      cancelled = !answer(n, c, buf_slice(&received), response, &over) || cancelled;
    sent = true;
  }
  if (over) a = LOGIN_OVER;
  if (a == LOGIN_ACCEPTED && !sasl_client_believes(c)) {
    buf_put_str(why, "the server could not prove that it knows the password");
    a = LOGIN_BROKEN;
  } else if (a == LOGIN_REFUSED && cancelled) {
    buf_put_str(why, "the server does not speak the mechanism as it is meant");
    a = LOGIN_BROKEN;
  } else if (a == LOGIN_REFUSED) {
    buf_put(why, buf_slice(&received));
  }
  buf_wipe(&received);
  return a;
}

enum login_answer login_sasl(struct net *n, const struct sasl_mechanism *mech, struct slice user,
                             struct slice offered, struct slice password, size_t line_max,
                             login_receive *receive, struct buf *why) {
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
  sasl_client_bind_exporter(
      &c, slice_of(binding, n->tls ? tls_binding_exporter(n->tls, binding) : 0), offered);
  enum login_answer a = LOGIN_UNABLE;
  if (mech->client_first && sasl_client_step(&c, false, SLICE_NONE, &response) != SASL_SEND)
    buf_put_str(why, "this name or password cannot be sent by that mechanism");
  else if (!send_auth(n, mech, buf_slice(&response), line_max, &sent))
    a = LOGIN_OVER;
  else
    a = converse(n, &c, sent || !mech->client_first, &response, receive, why);
  sasl_client_end(&c);
  buf_wipe(&response);
  buf_free(&nonce);
  return a;
}
