/* SPDX-License-Identifier: ISC */
/* The table of mechanisms, and what they share. */
#include "mail/sasl/mechanisms.h"

#define COUNT_OF(a) (sizeof(a) / sizeof *(a))

const struct sasl_mechanism sasl_mechanisms[] = {
#define MECHANISM(name, plain, by, binds, first, last, digest, steps, spec) \
  { name, plain, SASL_BY_##by, binds, first, last, digest, spec, steps##_server, steps##_client },
#include "mail/sasl/mechanisms.def"
#undef MECHANISM
  { NULL, false, SASL_BY_PASSWORD, false, false, false, DIGEST_KINDS, NULL, NULL, NULL },
};
_Static_assert(COUNT_OF(sasl_mechanisms) <= 8 * sizeof(sasl_set), "a set has a bit for each row");

const struct sasl_mechanism *sasl_find(struct slice name) {
  for (const struct sasl_mechanism *m = sasl_mechanisms; m->name; m++)
    if (slice_caseeq(name, slice_str(m->name))) return m;
  return NULL;
}

void sasl_put_shown(struct buf *out, struct slice line) {
  struct slice verb = slice_split(&line, ' ');
  line = slice_trim(line);
  struct slice word = slice_split(&line, ' ');
  const struct sasl_mechanism *m = sasl_find(word);
  buf_put(out, verb);
  if (m) buf_printf(out, " %s", m->name);
  if (line.n || (word.n && !m)) buf_put_str(out, " ***");
}

void sasl_server_start(struct sasl_server *s, const struct sasl_mechanism *mech, struct slice nonce,
                       struct slice host, int64_t wall_s) {
  *s = (struct sasl_server){ .mech = mech };
  buf_init(&s->nonce, SASL_NONCE_MAX);
  buf_put(&s->nonce, nonce);
  buf_init(&s->name, SASL_NAME_MAX);
  buf_init(&s->authzid, SASL_NAME_MAX);
  buf_init(&s->password, SASL_PASSWORD_MAX);
  buf_init(&s->token, SASL_MESSAGE_MAX);
  buf_init(&s->challenge, 1024);
  buf_init(&s->text, 3 * SASL_MESSAGE_MAX);
  buf_init(&s->proof, 2 * DIGEST_MAX);
  buf_init(&s->gs2, SASL_GS2_MAX);
  buf_init(&s->exporter, SASL_BINDING_MAX);
  buf_init(&s->end_point, SASL_BINDING_MAX);
  if (mech->server == cram_server) cram_start(s, host, wall_s);
}

void sasl_server_end(struct sasl_server *s) {
  buf_wipe(&s->name);
  buf_wipe(&s->authzid);
  buf_wipe(&s->password);
  buf_wipe(&s->token);
  buf_wipe(&s->nonce);
  buf_wipe(&s->challenge);
  buf_wipe(&s->text);
  buf_wipe(&s->proof);
  buf_wipe(&s->gs2);
  buf_wipe(&s->exporter);
  buf_wipe(&s->end_point);
}

void sasl_server_bind(struct sasl_server *s, struct slice exporter, struct slice end_point,
                      bool announced) {
  buf_put(&s->exporter, exporter);
  buf_put(&s->end_point, end_point);
  s->bound_announced = announced;
}

enum sasl_verdict sasl_server_step(struct sasl_server *s, bool has, struct slice response,
                                   struct buf *out) {
  if (has && response.n > SASL_MESSAGE_MAX) return SASL_MALFORMED;
  return s->mech->server(s, has, response, out);
}

enum sasl_verdict sasl_server_salt(struct sasl_server *s, struct slice salt, uint32_t iterations,
                                   struct buf *out) {
  return s->mech->server == scram_server ? scram_salt(s, salt, iterations, out) : SASL_WRONG;
}

enum sasl_verdict sasl_server_secret(struct sasl_server *s, const struct sasl_secret *secret,
                                     struct buf *out) {
  if (s->mech->server == cram_server) return cram_secret(s, secret);
  return s->mech->server == scram_server ? scram_secret(s, secret, out) : SASL_WRONG;
}

enum sasl_verdict sasl_server_token(struct sasl_server *s, bool right, struct buf *out) {
  return s->mech->by == SASL_BY_TOKEN ? token_judged(s, right, out) : SASL_WRONG;
}

void sasl_client_start(struct sasl_client *c, const struct sasl_mechanism *mech, struct slice name,
                       struct slice password, struct slice authzid, struct slice nonce) {
  *c = (struct sasl_client){
    .mech = mech,
    .name = name,
    .password = password,
    .authzid = authzid,
    .nonce = nonce,
    .proven = !mech->server_last,
  };
  buf_init(&c->text, 3 * SASL_MESSAGE_MAX);
}

void sasl_client_bind(struct sasl_client *c, const char *type, struct slice data) {
  c->binding_type = type;
  c->binding = data;
}

void sasl_client_at(struct sasl_client *c, struct slice host, uint16_t port) {
  c->host = host;
  c->port = port;
}

void sasl_client_end(struct sasl_client *c) {
  buf_wipe(&c->text);
  explicit_bzero(c->expected, sizeof c->expected);
  c->name = c->password = c->authzid = c->nonce = c->binding = c->host = SLICE_NONE;
}

enum sasl_advice sasl_client_step(struct sasl_client *c, bool has, struct slice challenge,
                                  struct buf *out) {
  if (has && challenge.n > SASL_MESSAGE_MAX) return SASL_GIVE_UP;
  enum sasl_advice advice = c->mech->client(c, has, challenge, out);
  return out->failed ? SASL_GIVE_UP : advice;
}

bool sasl_client_believes(const struct sasl_client *c) { return c->proven; }

bool sasl_name_get(struct slice s, struct buf *out) {
  if (!s.n || !sasl_safe_utf8(s)) return false;
  while (s.n) {
    if (s.p[0] != '=') {
      buf_put_u8(out, s.p[0]);
      s = slice_from(s, 1);
      continue;
    }
    struct slice code = slice_first(s, 3);
    if (!slice_eq(code, SLICE("=2C")) && !slice_eq(code, SLICE("=3D"))) return false;
    buf_put_u8(out, code.p[1] == '2' ? ',' : '=');
    s = slice_from(s, 3);
  }
  return !out->failed;
}

void sasl_name_put(struct buf *out, struct slice s) {
  for (size_t i = 0; i < s.n; i++) {
    if (s.p[i] == ',')
      buf_put_str(out, "=2C");
    else if (s.p[i] == '=')
      buf_put_str(out, "=3D");
    else
      buf_put_u8(out, s.p[i]);
  }
}

/* RFC 4616 §2, UTF1 … UTF4: how many octets follow `lead`, and the range of the first of them. */
struct utf8_lead {
  uint8_t from, to, follow, least, most;
};
static const struct utf8_lead utf8_leads[] = {
  { 0x01, 0x7f, 0, 0, 0 },       { 0xc2, 0xdf, 1, 0x80, 0xbf }, { 0xe0, 0xe0, 2, 0xa0, 0xbf },
  { 0xe1, 0xec, 2, 0x80, 0xbf }, { 0xed, 0xed, 2, 0x80, 0x9f }, { 0xee, 0xef, 2, 0x80, 0xbf },
  { 0xf0, 0xf0, 3, 0x90, 0xbf }, { 0xf1, 0xf3, 3, 0x80, 0xbf }, { 0xf4, 0xf4, 3, 0x80, 0x8f },
};

static const struct utf8_lead *utf8_lead(uint8_t c) {
  for (size_t i = 0; i < COUNT_OF(utf8_leads); i++)
    if (c >= utf8_leads[i].from && c <= utf8_leads[i].to) return &utf8_leads[i];
  return NULL;
}

bool sasl_safe_utf8(struct slice s) {
  while (s.n) {
    const struct utf8_lead *lead = utf8_lead(s.p[0]);
    if (!lead || s.n <= lead->follow) return false;
    for (size_t i = 1; i <= lead->follow; i++) {
      uint8_t least = i == 1 ? lead->least : 0x80, most = i == 1 ? lead->most : 0xbf;
      if (s.p[i] < least || s.p[i] > most) return false;
    }
    s = slice_from(s, (size_t)lead->follow + 1);
  }
  return true;
}
