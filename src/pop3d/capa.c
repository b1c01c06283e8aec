/* SPDX-License-Identifier: ISC */
/* CAPA, STLS, LANG: the capabilities in the current state, and the language of replies. */
#include "src/pop3d/state.h"

/* Capabilities that are not verbs (RFC 2449 §6, RFC 3206 §6). */
static const char *const ways[] = { "RESP-CODES", "AUTH-RESP-CODE", "PIPELINING" };

static bool can_stls(const struct pop3d_session *s) {
  return !s->secure && s->service->has_cert && !s->utf8;
}

/* RFC 2449 §5: capabilities of AUTHORIZATION are announced in TRANSACTION too, except STLS, which
 * is announced where it is "present and permitted in the current state" (RFC 2595 §4). */
static bool announced(const struct pop3d_session *s, const struct pop3d_verb *v) {
  if (!v->capability) return false;
  if (v->flags & V_STLS) return s->state == ST_AUTHORIZATION && can_stls(s);
  /* SASL has at least one (RFC 5034 §3) */
  if (v->flags & V_MECHANISMS) return announces_mechanisms(s);
  return !(v->flags & V_PASSWORD) || plaintext_allowed(s);
}

/* RFC 2449 §6.5. */
static void put_login_delay(struct buf *out, const struct pop_rules_are *r) {
  if (r->login_delay == POP_NO_DELAY) return;
  buf_printf(out, "LOGIN-DELAY %u%s\r\n", r->login_delay, r->login_delay_differs ? " USER" : "");
}

/* RFC 2449 §6.7. */
static void put_expire(struct buf *out, const struct pop_rules_are *r) {
  buf_put_str(out, "EXPIRE ");
  if (r->expire == POP_NEVER)
    buf_put_str(out, "NEVER");
  else
    buf_put_dec(out, r->expire);
  buf_printf(out, "%s\r\n", r->expire_differs ? " USER" : "");
}

/* rules NULL: not known. */
static void list_capabilities(struct pop3d_session *s, const struct pop_rules_are *rules) {
  struct buf *out = &s->proto.out;
  pop3d_ok(s, "Capability list follows");
  size_t before = buf_len(out);
  for (size_t i = 0; verb_at(i); i++) {
    const struct pop3d_verb *v = verb_at(i);
    if (!announced(s, v)) continue;
    buf_put_str(out, v->capability);
    if (v->flags & V_MECHANISMS) put_mechanisms(s, out, " ", "");
    buf_put_str(out, "\r\n");
  }
  for (size_t i = 0; i < sizeof ways / sizeof *ways; i++) {
    buf_put_str(out, ways[i]);
    buf_put_str(out, "\r\n");
  }
  if (rules) put_login_delay(out, rules);
  if (rules) put_expire(out, rules);
  buf_put_str(out, "IMPLEMENTATION Qasid\r\n");
  proto_trace_out(&s->proto, before);
  end_of_lines(s);
}

/* Before the login CAPA announces values valid for every account, as reported by store; after it,
 * those of this account. */
void pop3_capa(struct pop3d_session *s, const struct pop3_args *a) {
  if (s->state == ST_TRANSACTION) {
    list_capabilities(
        s, &(struct pop_rules_are){ .login_delay = s->login_delay, .expire = s->expire });
    return;
  }
  if (s->service->facts->rules_known) {
    list_capabilities(s, &s->service->facts->rules);
    return;
  }
  proto_ask(&s->proto, ROLE_STORE, pop_rules_type, true);
  s->wait = WAIT_RULES;
}

void rules_answer(struct pop3d_session *s, struct slice payload) {
  struct pop_rules_are m;
  bool known = pop_rules_are_get(payload, &m);
  pop3d_answered(s);
  s->service->facts->rules_known = known;
  if (known) s->service->facts->rules = m;
  list_capabilities(s, known ? &m : NULL);
}

void capa_no_store(struct pop3d_session *s) { list_capabilities(s, NULL); }

/* RFC 2595 §4. The shell refuses input that follows it in the clear. */
void pop3_stls(struct pop3d_session *s, const struct pop3_args *a) {
  if (s->secure) {
    pop3d_refuse(s, "Command not permitted when TLS active");
  } else if (s->utf8) {
    /* RFC 6856 §2.1: "Clients MUST NOT issue the STLS command after" it */
    pop3d_refuse(s, "STLS comes before UTF8");
  } else if (!can_stls(s)) {
    pop3d_refuse(s, "there is no TLS here");
  } else {
    pop3d_ok(s, "Begin TLS negotiation");
    proto_trace_state(&s->proto, "authorization", "tls");
    s->proto.want = PROTO_TLS;
  }
}

/* RFC 6856 §2.1. USER is not announced as its argument (§2.2): no address here has a letter outside
 * ASCII, and passwords are compared octet for octet, not prepared. */
void pop3_utf8(struct pop3d_session *s, const struct pop3_args *a) {
  s->utf8 = true;
  pop3d_ok(s, "UTF8 enabled");
}

/* RFC 6856 §3. The language belongs to the session and survives a login. */
void pop3_lang(struct pop3d_session *s, const struct pop3_args *a) {
  unsigned found;
  if (!a->present) {
    pop3d_ok(s, "language listing follows");
    size_t before = buf_len(&s->proto.out);
    for (size_t i = 0; i < LANGUAGES; i++) {
      buf_put_str(&s->proto.out, pop3d_languages[i].tag);
      buf_put_u8(&s->proto.out, ' ');
      buf_put_str(&s->proto.out, pop3d_languages[i].name);
      buf_put_str(&s->proto.out, "\r\n");
    }
    proto_trace_out(&s->proto, before);
    end_of_lines(s);
  } else if (language_find(a->name, &found)) {
    s->language = (uint8_t)found;
    pop3d_ok(s, "%s language changed", pop3d_languages[found].tag);
  } else {
    pop3d_refuse(s, "no such language");
  }
}
