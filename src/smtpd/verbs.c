/* SPDX-License-Identifier: ISC */
/* The protocol as tables: what a client may send, when, and what EHLO offers. */
#include "src/smtpd/private.h"

enum argument { ARG_NONE, ARG_MAYBE, ARG_NEEDED };

enum flag {
  V_BARREN = 1, /* transfers no mail by itself: the connection ends after too many in a row */
  V_LOGIN = 2,  /* on a submission service only after a login (RFC 4954 §6, RFC 6409 §4.3) */
  V_OFFER = 4,  /* EHLO names it */
  V_SECRET = 8, /* its argument is never traced */
};

struct smtpd_verb {
  struct slice name;
  enum argument argument;
  unsigned states; /* the states in which it is allowed */
  enum smtp_outcome (*handle)(struct smtpd_session *s, struct slice argument);
  unsigned flags;
  /* SMTP_OK if the service and the connection allow it at all; NULL: always. */
  enum smtp_outcome (*allowed)(const struct smtpd_session *s);
  /* Puts EHLO's text after the keyword; if it puts nothing, the verb is not offered. */
  void (*put_offer)(const struct smtpd_session *s, struct buf *out);
  const char *spec;
};

static enum smtp_outcome ehlo(struct smtpd_session *s, struct slice name);
static enum smtp_outcome helo(struct smtpd_session *s, struct slice name);
static enum smtp_outcome rset(struct smtpd_session *s, struct slice argument);
static enum smtp_outcome noop(struct smtpd_session *s, struct slice argument);
static enum smtp_outcome quit(struct smtpd_session *s, struct slice argument);
static enum smtp_outcome vrfy(struct smtpd_session *s, struct slice argument);
static enum smtp_outcome help(struct smtpd_session *s, struct slice argument);
static enum smtp_outcome starttls(struct smtpd_session *s, struct slice argument);
static enum smtp_outcome starttls_allowed(const struct smtpd_session *s);

#define V(name) \
  { (const uint8_t *)(name), sizeof(name) - 1 }
#define ALWAYS NULL, NULL
/* RCPT's argument is checked by its handler: a refusal waits in the group like every other. */
static const struct smtpd_verb verbs[] = {
  /* verb, argument, allowed in, handler | flags, condition, EHLO's text, spec */
  { V("EHLO"), ARG_NEEDED, ST_ANY, ehlo, V_BARREN, ALWAYS, "RFC 5321 §4.1.1.1" },
  { V("HELO"), ARG_NEEDED, ST_ANY, helo, V_BARREN, ALWAYS, "RFC 5321 §4.1.1.1" },
  { V("STARTTLS"), ARG_NONE, ST_MET, starttls, V_BARREN | V_OFFER, starttls_allowed, NULL,
    "RFC 3207 §4" },
  { V("AUTH"), ARG_NEEDED, ST_READY, smtpd_auth, V_BARREN | V_OFFER | V_SECRET, smtpd_auth_allowed,
    smtpd_put_mechanisms, "RFC 4954 §4" },
  { V("MAIL"), ARG_NEEDED, ST_READY, smtpd_mail, V_BARREN | V_LOGIN, ALWAYS, "RFC 5321 §4.1.1.2" },
  { V("RCPT"), ARG_MAYBE, ST_TRANSACTION, smtpd_rcpt, V_LOGIN, ALWAYS, "RFC 5321 §4.1.1.3" },
  { V("DATA"), ARG_NONE, ST_RCPT, smtpd_data, V_LOGIN, ALWAYS, "RFC 5321 §4.1.1.4" },
  { V("RSET"), ARG_NONE, ST_ANY, rset, V_BARREN, ALWAYS, "RFC 5321 §4.1.1.5" },
  { V("NOOP"), ARG_MAYBE, ST_ANY, noop, V_BARREN, ALWAYS, "RFC 5321 §4.1.1.9" },
  { V("VRFY"), ARG_NEEDED, ST_ANY, vrfy, V_BARREN | V_LOGIN, ALWAYS, "RFC 5321 §4.1.1.6" },
  { V("HELP"), ARG_MAYBE, ST_ANY, help, V_BARREN | V_OFFER, ALWAYS, "RFC 5321 §4.1.1.8" },
  { V("QUIT"), ARG_NONE, ST_ANY, quit, 0, ALWAYS, "RFC 5321 §4.1.1.10" },
};
enum { VERBS = sizeof verbs / sizeof *verbs };

static void put_size(const struct smtpd_session *s, struct buf *out) {
  buf_put_u8(out, ' ');
  buf_put_dec(out, s->service->message_size_limit);
}

static bool sends(const struct smtpd_session *s) { return s->service->sends; }

/* What EHLO offers besides verbs. */
static const struct {
  const char *keyword;
  /* puts the text after the keyword; or NULL */
  void (*put)(const struct smtpd_session *s, struct buf *out);
  bool (*offered)(const struct smtpd_session *s); /* NULL: always */
  const char *spec;
} extensions[] = {
  /* clang-format off */
  { "PIPELINING", NULL, NULL, "RFC 2920" },
  { "SIZE", put_size, NULL, "RFC 1870" },
  { "8BITMIME", NULL, NULL, "RFC 6152" },
  { "ENHANCEDSTATUSCODES", NULL, NULL, "RFC 2034" },
  { "DSN", NULL, sends, "RFC 3461" },
  { "SMTPUTF8", NULL, NULL, "RFC 6531" },
  /* clang-format on */
};

/* First words of other protocols: a browser or a scanner that was made to connect here (ALPACA,
 * attack W-1). */
static const struct slice foreign[] = {
  V("GET"),      V("HEAD"),     V("POST"),  V("PUT"),  V("DELETE"), V("CONNECT"),
  V("OPTIONS"),  V("TRACE"),    V("PATCH"), V("PRI"),  V("PROXY"),  V("INVITE"),
  V("REGISTER"), V("DESCRIBE"), V("USER"),  V("CAPA"), V("STLS"),
};

static bool is_foreign(struct slice verb) {
  for (size_t i = 0; i < sizeof foreign / sizeof *foreign; i++)
    if (slice_caseeq(verb, foreign[i])) return true;
  return slice_case_starts(verb, SLICE("SSH-"));
}

/* --- dispatch --- */

static const struct smtpd_verb *find(struct slice name) {
  for (size_t i = 0; i < VERBS; i++)
    if (slice_caseeq(name, verbs[i].name)) return &verbs[i];
  return NULL;
}

static enum smtp_outcome allowed_now(const struct smtpd_session *s, const struct smtpd_verb *v) {
  return v->allowed ? v->allowed(s) : SMTP_OK;
}

/* Out of order: names the command that must come first, or says that it comes too late. States are
 * ordered along a transaction. */
static enum smtp_outcome out_of_order(const struct smtpd_session *s, const struct smtpd_verb *v) {
  if (s->state == ST_START) return SMTP_EHLO_FIRST;
  if (v->states < s->state * 2u) return SMTP_IN_TRANSACTION;
  return s->state == ST_READY ? SMTP_MAIL_FIRST : SMTP_RCPT_FIRST;
}

static enum smtp_outcome login_wanted(const struct smtpd_session *s) {
  bool tls_first = s->service->has_certificate && !s->secure && !smtpd_mechanisms(s);
  return tls_first ? SMTP_TLS_FIRST : SMTP_AUTH_FIRST;
}

static enum smtp_outcome argument_fits(const struct smtpd_verb *v, struct slice argument) {
  if (v->argument == ARG_NONE && argument.n) return SMTP_NO_ARGUMENT;
  if (v->argument == ARG_NEEDED && !argument.n) return SMTP_ARGUMENT;
  return SMTP_OK;
}

static enum smtp_outcome run(struct smtpd_session *s, const struct smtpd_verb *v,
                             struct slice argument) {
  enum smtp_outcome o = allowed_now(s, v);
  if (o == SMTP_OK && !(v->states & s->state)) o = out_of_order(s, v);
  if (o == SMTP_OK && (v->flags & V_LOGIN) && s->service->submission && !s->logged_in)
    o = login_wanted(s);
  if (o == SMTP_OK) o = argument_fits(v, argument);
  return o == SMTP_OK ? v->handle(s, argument) : o;
}

void smtpd_dispatch(struct smtpd_session *s, struct slice line) {
  struct smtp_command c = smtp_command_cut(line);
  const struct smtpd_verb *v = find(c.verb);
  if (!v && is_foreign(c.verb)) {
    smtpd_log_refused(s, smtpd_shown(s, line), SMTP_NOT_MAIL);
    smtpd_end(s, SMTP_NOT_MAIL, CLOSE_NOT_MAIL);
    return;
  }
  if (v && (v->flags & V_BARREN) && ++s->junk > s->service->junk_limit) {
    smtpd_log_refused(s, smtpd_shown(s, line), SMTP_NO_PROGRESS);
    smtpd_end(s, SMTP_NO_PROGRESS, CLOSE_NO_PROGRESS);
    return;
  }
  enum smtp_outcome o = v ? run(s, v, c.argument) : SMTP_UNKNOWN_VERB;
  if (o == SMTPD_REPLIED) return;
  smtpd_log_refused(s, smtpd_shown(s, line), o);
  smtpd_reply(s, o);
}

bool smtpd_is_verb(struct slice name) { return find(name) != NULL; }

bool smtpd_is_secret(struct slice line) {
  const struct smtpd_verb *v = find(smtp_command_cut(line).verb);
  return v && (v->flags & V_SECRET);
}

/* --- the small verbs --- */

/* A name that violates the grammar is refused; any other is accepted, whatever it is (§4.1.4). */
static enum smtp_outcome introduce(struct smtpd_session *s, struct slice name, bool esmtp) {
  if (!smtp_helo_ok(name)) return SMTP_HELO_NAME;
  smtpd_reset(s); /* §4.1.4: EHLO in a session has RSET's effect */
  buf_reset(&s->helo);
  buf_put(&s->helo, name);
  s->esmtp = esmtp;
  smtpd_move(s, ST_READY);
  return SMTP_HELLO;
}

/* Adds one offer to the list of EHLO's lines, which are separated by LF. */
static void put_offer(const struct smtpd_session *s, const struct smtpd_verb *v, struct buf *list) {
  if (!(v->flags & V_OFFER) || allowed_now(s, v) != SMTP_OK) return;
  size_t before = buf_len(list);
  buf_put_u8(list, '\n');
  buf_put(list, v->name);
  size_t bare = buf_len(list);
  if (v->put_offer) v->put_offer(s, list);
  if (v->put_offer && buf_len(list) == bare) buf_truncate(list, before);
}

static void put_offers(const struct smtpd_session *s, struct buf *list) {
  buf_put_str(list, s->service->hostname);
  for (size_t i = 0; i < sizeof extensions / sizeof *extensions; i++) {
    if (extensions[i].offered && !extensions[i].offered(s)) continue;
    buf_put_u8(list, '\n');
    buf_put_str(list, extensions[i].keyword);
    if (extensions[i].put) extensions[i].put(s, list);
  }
  for (size_t i = 0; i < VERBS; i++) put_offer(s, &verbs[i], list);
}

static enum smtp_outcome ehlo(struct smtpd_session *s, struct slice name) {
  enum smtp_outcome o = introduce(s, name, true);
  if (o != SMTP_HELLO) return o;
  struct buf list;
  buf_init(&list, 1024);
  put_offers(s, &list);
  if (list.failed) s->proto.out.failed = true;
  size_t before = buf_len(&s->proto.out);
  for (struct slice rest = buf_slice(&list); rest.n;) {
    struct slice line = slice_split(&rest, '\n');
    smtp_reply_put_line(&s->proto.out, 250, rest.n == 0, line);
  }
  buf_free(&list);
  proto_trace_out(&s->proto, before);
  return SMTPD_REPLIED;
}

static enum smtp_outcome helo(struct smtpd_session *s, struct slice name) {
  enum smtp_outcome o = introduce(s, name, false);
  if (o != SMTP_HELLO) return o;
  smtpd_reply_text(s, o, slice_str(s->service->hostname));
  return SMTPD_REPLIED;
}

static enum smtp_outcome rset(struct smtpd_session *s, struct slice argument) {
  smtpd_reset(s);
  return SMTP_RESET;
}

static enum smtp_outcome noop(struct smtpd_session *s, struct slice argument) { return SMTP_OK; }

static enum smtp_outcome quit(struct smtpd_session *s, struct slice argument) {
  smtpd_end(s, SMTP_BYE, CLOSE_QUIT);
  return SMTPD_REPLIED;
}

/* Reveals nothing about any address, and changes nothing (§7.3, attack ST-5). */
static enum smtp_outcome vrfy(struct smtpd_session *s, struct slice argument) {
  return SMTP_NOT_VERIFIED;
}

static enum smtp_outcome help(struct smtpd_session *s, struct slice argument) {
  struct buf *out = &s->proto.out;
  size_t before = buf_len(out);
  buf_put_str(out, "214 2.0.0 Commands:");
  for (size_t i = 0; i < VERBS; i++) {
    if (allowed_now(s, &verbs[i]) != SMTP_OK) continue;
    buf_put_u8(out, ' ');
    buf_put(out, verbs[i].name);
  }
  buf_put_str(out, "\r\n");
  proto_trace_out(&s->proto, before);
  return SMTPD_REPLIED;
}

static enum smtp_outcome starttls_allowed(const struct smtpd_session *s) {
  if (s->secure) return SMTP_TLS_ALREADY;
  return s->service->has_certificate ? SMTP_OK : SMTP_NOT_OFFERED;
}

/* What was received before is discarded when the handshake is done (session.c, secured()). The
 * shell drops a connection if octets follow this command in the clear. */
static enum smtp_outcome starttls(struct smtpd_session *s, struct slice argument) {
  smtpd_reset(s);
  if (s->logged_in) smtpd_notify(s, ROLE_STORE, smtp_bye_type);
  smtpd_reply(s, SMTP_GO_TLS);
  smtpd_move(s, ST_TLS);
  s->proto.want = PROTO_TLS;
  return SMTPD_REPLIED;
}
