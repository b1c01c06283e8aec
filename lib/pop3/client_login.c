/* The login: which way, and the exchange.
 *
 * In the order of preference, of what is offered and may be used here:
 *   1. what shows nothing and proves the server too: SCRAM, bound to the channel first
 *   2. where a password may be shown: PLAIN, LOGIN, USER and PASS; they work with every account
 *   3. CRAM-MD5, APOP
 * A mechanism for tokens or certificates is used only when it is named: a password is no token. When 1 is
 * refused and the policy has `second_try`, 2 is tried once: the account's server may keep only a hash of its
 * password. */
#include <stdio.h>

#include "lib/base/codec.h"
#include "lib/pop3/client_inside.h"

enum { LINE_ROOM = 2 * SASL_MESSAGE_MAX };

static bool named(const struct session *s, const char *word) {
  return slice_caseeq(buf_slice(&s->named), slice_str(word));
}

/* May the password be shown? */
static bool may_show(const struct session *s) { return s->secure || s->policy.may_show; }

/* A line that could be taken for two is never sent. */
static bool sendable(struct slice word) {
  return slice_find(word, '\r') < 0 && slice_find(word, '\n') < 0 && slice_find(word, 0) < 0;
}

static void say_word(struct session *s, enum verb verb, const char *word, struct slice argument,
                     const char *shown) {
  struct buf line;
  buf_init(&line, LINE_ROOM);
  buf_reserve(&line, argument.n + 16); /* at once: it may be a password */
  buf_printf(&line, "%s ", word);
  buf_put(&line, argument);
  if (line.failed)
    client_end(s, POP3_END_NO_MEMORY);
  else if (!sendable(argument) || argument.n == 0)
    client_end_politely(s, POP3_END_UNSENDABLE);
  else
    client_say(s, verb, 0, buf_slice(&line), shown);
  buf_wipe(&line);
}

/* --- SASL --- */

bool login_offered(const struct session *s, const char *mechanism) {
  struct slice list = buf_slice(&s->mechanisms);
  while (list.n)
    if (slice_caseeq(slice_split(&list, ' '), slice_str(mechanism))) return true;
  return false;
}

void login_forget(struct session *s) {
  if (s->sasl_on) sasl_client_end(&s->sasl);
  s->sasl_on = false;
  buf_wipe(&s->response);
}

/* RFC 5802 §6: one who could bind, was offered it and was told to use another mechanism says no word of it.
 * */
static void bind_channel(struct session *s, const struct sasl_mechanism *m) {
  bool offered = login_offered(s, "SCRAM-SHA-256-PLUS") || login_offered(s, "SCRAM-SHA-1-PLUS");
  s->bindings = proto_bindings(&s->pub.proto);
  if (s->bindings.exporter_n && (m->binds || !offered))
    sasl_client_bind(&s->sasl, "tls-exporter", slice_of(s->bindings.exporter, s->bindings.exporter_n));
}

/* RFC 5034 §4: an initial response goes with AUTH as long as the line is within 255 octets; "=" is an empty
 * one. */
static void say_auth(struct session *s, const struct sasl_mechanism *m) {
  struct buf line;
  char shown[64];
  buf_init(&line, LINE_ROOM);
  buf_reserve(&line, buf_len(&s->response) / 3 * 4 + 64);
  buf_printf(&line, "AUTH %s", m->name);
  size_t bare = buf_len(&line);
  if (m->client_first) {
    buf_put_str(&line, buf_len(&s->response) ? " " : " =");
    base64_put(&line, buf_slice(&s->response));
  }
  s->first_sent = m->client_first && !line.failed && buf_len(&line) + 2 <= POP3_COMMAND_MAX;
  if (!s->first_sent) buf_truncate(&line, bare);
  snprintf(shown, sizeof shown, "AUTH %s%s", m->name, s->first_sent ? " (response)" : "");
  if (line.failed)
    client_end(s, POP3_END_NO_MEMORY);
  else
    client_say(s, VERB_AUTH, 0, buf_slice(&line), shown);
  buf_wipe(&line);
}

static void begin_sasl(struct session *s, const struct sasl_mechanism *m) {
  login_forget(s);
  buf_init(&s->response, LINE_ROOM);
  buf_reserve(&s->response, 4096);
  sasl_client_start(&s->sasl, m, buf_slice(&s->user), buf_slice(&s->secret), buf_slice(&s->authzid),
                    buf_slice(&s->nonce));
  sasl_client_at(&s->sasl, buf_slice(&s->host), s->port);
  s->sasl_on = true;
  s->cancelled = false;
  s->pub.mechanism = m->name;
  bind_channel(s, m);
  if (m->client_first && sasl_client_step(&s->sasl, false, SLICE_NONE, &s->response) != SASL_SEND)
    client_end_politely(s, POP3_END_UNSENDABLE);
  else
    say_auth(s, m);
}

static void say_response(struct session *s) {
  struct buf line;
  buf_init(&line, LINE_ROOM);
  buf_reserve(&line, buf_len(&s->response) / 3 * 4 + 8);
  base64_put(&line, buf_slice(&s->response));
  if (line.failed)
    client_end(s, POP3_END_NO_MEMORY);
  else
    client_say_more(s, buf_slice(&line), "(response)");
  buf_wipe(&line);
}

/* One who breaks the mechanism, or can't prove that it knows the password, hears "*" (RFC 5034 §4). */
static void challenged(struct session *s, struct slice base64) {
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
    say_response(s);
  else if (plain.failed || s->response.failed)
    client_end(s, POP3_END_NO_MEMORY);
  else if (!s->cancelled)
    client_say_more(s, SLICE("*"), NULL);
  else
    client_end(s, POP3_END_PROTOCOL);
  s->cancelled = !ok;
  buf_wipe(&plain);
}

/* --- USER, PASS, APOP --- */

/* RFC 1939 §7: the digest is MD5 of the timestamp and the shared secret. */
static void begin_apop(struct session *s) {
  uint8_t digest[DIGEST_MD5_SIZE];
  struct slice parts[] = { buf_slice(&s->timestamp), buf_slice(&s->secret) };
  struct buf argument;
  s->pub.mechanism = "APOP";
  if (slice_find(buf_slice(&s->user), ' ') >= 0) {
    client_end_politely(s, POP3_END_UNSENDABLE);
    return;
  }
  buf_init(&argument, SASL_NAME_MAX + 64);
  buf_put(&argument, buf_slice(&s->user));
  buf_put_u8(&argument, ' ');
  if (digest_parts(DIGEST_MD5, parts, 2, digest)) {
    hex_put(&argument, slice_of(digest, sizeof digest));
    say_word(s, VERB_APOP, "APOP", argument.failed ? SLICE_NONE : buf_slice(&argument), "APOP (digest)");
  } else {
    client_end_politely(s, POP3_END_UNSENDABLE);
  }
  buf_free(&argument);
}

static void begin_user(struct session *s) {
  s->pub.mechanism = "USER";
  say_word(s, VERB_USER, "USER", buf_slice(&s->user), NULL);
}

/* --- which way --- */

/* A certificate has been shown or has not: the server knows. */
static struct sasl_channel channel(const struct session *s) {
  bool binds = proto_bindings(&s->pub.proto).exporter_n > 0;
  bool shows = may_show(s);
  return (struct sasl_channel){ .may_show = shows, .binds = binds, .tokens = shows, .certificate = true };
}

/* The best of the offered that a password serves and that may be used here; `shows`: of those that show it,
 * else of the others. */
static const struct sasl_mechanism *best(const struct session *s, bool shows, enum digest_kind not) {
  struct sasl_channel ch = channel(s);
  for (const struct sasl_mechanism *m = sasl_mechanisms; m->name; m++) {
    if (m->by != SASL_BY_PASSWORD && m->by != SASL_BY_SECRET) continue;
    if (m->plaintext != shows || m->digest == not) continue;
    if (sasl_usable(m, ch) && login_offered(s, m->name)) return m;
  }
  return NULL;
}

static void begin_best(struct session *s) {
  const struct sasl_mechanism *scram = s->second ? NULL : best(s, false, DIGEST_MD5);
  const struct sasl_mechanism *plain = may_show(s) ? best(s, true, DIGEST_MD5) : NULL;
  const struct sasl_mechanism *cram = best(s, false, DIGEST_KINDS);
  if (scram)
    begin_sasl(s, scram);
  else if (plain)
    begin_sasl(s, plain);
  else if (may_show(s) && s->user_pass)
    begin_user(s);
  else if (cram && !s->second)
    begin_sasl(s, cram);
  else if (buf_len(&s->timestamp) && !s->second)
    begin_apop(s);
  else
    client_end_politely(s, POP3_END_NO_MECHANISM);
}

/* The one that was named, whether the server announces it or not: some don't know themselves. */
static void begin_named(struct session *s) {
  const struct sasl_mechanism *m = sasl_find(buf_slice(&s->named));
  bool apop = named(s, "APOP"), user = named(s, "USER");
  if (apop && buf_len(&s->timestamp))
    begin_apop(s);
  else if (user && may_show(s))
    begin_user(s);
  else if (m && sasl_usable(m, channel(s)))
    begin_sasl(s, m);
  else
    client_end_politely(s, POP3_END_NO_MECHANISM);
}

void login_begin(struct session *s) {
  s->phase = PHASE_LOGIN;
  if (buf_len(&s->named))
    begin_named(s);
  else
    begin_best(s);
}

/* --- how it went --- */

static void logged_in(struct session *s) {
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
    client_capa(s); /* RFC 2449 §5: some tell more to those they know */
  else
    list_begin(s);
}

static bool says(struct slice text, const char *word) {
  struct slice w = slice_str(word);
  for (size_t i = 0; i + w.n <= text.n; i++)
    if (slice_caseeq(slice_first(slice_from(text, i), w.n), w)) return true;
  return false;
}

/* Without a code: by RFC 3206 §3 it is not the password where the server says that it would say so. Where it
 * does not, RFC 1939's own words for a locked maildrop have "lock" in them. */
static enum pop3_end no_code(const struct session *s, const struct pop3_reply *r) {
  if (s->auth_codes) return POP3_END_TROUBLE;
  return says(r->text, "lock") || says(r->text, "in use") ? POP3_END_IN_USE : POP3_END_LOGIN_WRONG;
}

static void refused(struct session *s, const struct pop3_reply *r) {
  bool hidden = s->sasl_on && !s->sasl.mech->plaintext;
  bool cancelled = s->cancelled;
  enum pop3_end end = cancelled ? POP3_END_UNPROVEN : client_refusal(r, no_code(s, r));
  login_forget(s);
  if (end == POP3_END_LOGIN_WRONG && hidden && s->secure && s->policy.second_try && !s->second &&
      !buf_len(&s->named)) {
    const struct sasl_mechanism *plain = best(s, true, DIGEST_MD5);
    s->second = true;
    if (plain || s->user_pass) {
      begin_best(s);
      return;
    }
  }
  client_end_politely(s, end);
}

void login_answer(struct session *s, const struct pop3_reply *r) {
  enum verb verb = client_head(s)->verb;
  if (r->status == POP3_CONTINUE) {
    challenged(s, r->text);
    return;
  }
  client_answered(s);
  if (r->status == POP3_ERR)
    refused(s, r);
  else if (verb == VERB_USER)
    say_word(s, VERB_PASS, "PASS", buf_slice(&s->secret), "PASS (password)");
  else
    logged_in(s);
}
