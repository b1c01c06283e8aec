/* SPDX-License-Identifier: ISC */
/* The session itself: states, replies, limits, time-outs, and the loop over the client's input.
 *
 * Invariants:
 *  1. state changes in smtpd_move() only; tx exists exactly in ST_MAIL, ST_RCPT and ST_BODY, and
 *     ends in smtpd_reset() only.
 *  2. Nothing is taken from the client while a question is open, TLS is wanted, or the session
 *     ends.
 *  3. Every command gets one reply, in order; a message gets one at its end.
 *  4. A group of RCPTs does not outlive the call of input() or answer() in which it was begun,
 *     except as the question that it became. */
#include "src/smtpd/private.h"
#include "lib/base/bug.h"

#include <stdio.h>
#include <stdlib.h>

static struct smtpd_session *of(struct proto *p) { return (struct smtpd_session *)p; }
static const struct smtpd_session *of_const(const struct proto *p) {
  return (const struct smtpd_session *)p;
}

/* --- the service --- */

void smtpd_service_init(struct smtpd_service *shared, const struct conf *conf, const char *service,
                        bool has_certificate) {
  *shared = (struct smtpd_service){
    .name = service,
    .submission = strncmp(service, "submission", 10) == 0,
    .local = strcmp(service, "local") == 0,
    .has_certificate = has_certificate,
    .plaintext_auth = conf->plaintext_auth,
    .require_tls_login = conf->require_tls_login,
    .plaintext_networks = conf->plaintext_networks,
    .lenient_networks = conf->lenient_networks,
    .mechanisms = sasl_set_of(conf->auth_mechanisms.items, conf->auth_mechanisms.count),
    .tokens = conf->oauth_keys[0] != 0,
    .surrogates =
        conf->pop3_surrogates == CONF_POP3_SURROGATES_RFC6858 ? SURROGATE_6858 : SURROGATE_6857,
    .fix_bare_lf = conf->bare_lf == CONF_BARE_LF_FIX,
    .check_authors = conf->sender_check == CONF_SENDER_CHECK_REJECT,
    .dotless = conf->dotless_domains,
    .add_from = conf->submission_from == CONF_SUBMISSION_FROM_ADD,
    .sends = conf->send,
    .relay_networks = conf->relay_networks,
    .message_size_limit = conf->message_size_limit,
    .received_limit = conf->received_limit,
    .recipients_per_message = conf->recipients_per_message,
    .line_limit = conf->smtp_line_limit,
    .error_limit = conf->smtp_error_limit,
    .junk_limit = conf->smtp_junk_limit,
    .unknown_limit = conf->smtp_unknown_recipients,
    .login_limit = conf->login_failures,
    .command_ms = conf->smtp_command_timeout * 1000,
    .data_ms = conf->smtp_data_timeout * 1000,
    .session_ms = conf->smtp_session_time * 1000,
    .data_rate = conf->smtp_data_rate,
  };
  snprintf(shared->hostname, sizeof shared->hostname, "%s",
           *conf->hostname ? conf->hostname : "localhost");
  const char *domain = *conf->login_domain ? conf->login_domain : shared->hostname;
  snprintf(shared->address_domain, sizeof shared->address_domain, "%s", domain);
}

/* --- states --- */

static const char *state_name(enum smtpd_state st) {
  static const char *const names[] = { "start", "ready", "mail", "rcpt",
                                       "body",  "sasl",  "tls",  "end" };
  return names[__builtin_ctz(st)];
}

/* The states each state may lead to, besides ST_END. */
static unsigned leads_to(enum smtpd_state from) {
  switch (from) {
  case ST_START: return ST_READY;
  case ST_READY: return ST_READY | ST_MAIL | ST_SASL | ST_TLS;
  case ST_MAIL: return ST_READY | ST_RCPT;
  case ST_RCPT: return ST_READY | ST_BODY;
  case ST_BODY: return ST_READY;
  case ST_SASL: return ST_READY;
  case ST_TLS: return ST_START;
  default: return 0;
  }
}

void smtpd_move(struct smtpd_session *s, enum smtpd_state to) {
  BUG_IF(to != ST_END && !(leads_to(s->state) & to),
         "a move from %s to %s, question %u, in a transaction %d, logged in %d",
         state_name(s->state), state_name(to), s->proto.ask.type, s->transaction != NULL,
         s->logged_in);
  if (s->state != to) proto_trace_state(&s->proto, state_name(s->state), state_name(to));
  s->state = to;
  s->proto.in_most = to == ST_BODY ? PROTO_IN_HIGH : PROTO_IN_STRANGER;
}

/* Frees the transaction's memory; store is notified to discard its part. */
static void transaction_end(struct smtpd_session *s) {
  struct transaction *transaction = s->transaction;
  if (!transaction) return;
  smtpd_log_abandoned(s, "reset");
  s->transaction = NULL;
  if (transaction->spooled) smtpd_notify(s, ROLE_STORE, smtp_discard_type);
  buf_free(&transaction->sender);
  buf_free(&transaction->envid);
  buf_free(&transaction->rcpts);
  buf_free(&transaction->group);
  buf_free(&transaction->asked);
  buf_free(&transaction->body);
  buf_free(&transaction->authors);
  surrogate_close(&transaction->surrogate);
  if (transaction->parts) seven_free(transaction->parts);
  free(transaction->parts);
  buf_free(&transaction->plan);
  free(transaction);
}

void smtpd_reset(struct smtpd_session *s) {
  transaction_end(s);
  if (s->state & (ST_TRANSACTION | ST_BODY)) smtpd_move(s, ST_READY);
}

/* --- questions --- */

struct buf *smtpd_ask(struct smtpd_session *s, unsigned role, uint16_t type,
                      void (*on_answer)(struct smtpd_session *s, uint16_t type,
                                        struct slice payload)) {
  s->on_answer = on_answer;
  s->asked_ms = s->proto.now_ms;
  return proto_ask(&s->proto, role, type, true);
}

bool smtpd_asked(struct smtpd_session *s) {
  if (!s->proto.ask.body.failed) return true;
  s->proto.ask.type = 0;
  buf_wipe(&s->proto.ask.body);
  return false;
}

struct buf *smtpd_notify(struct smtpd_session *s, unsigned role, uint16_t type) {
  return proto_ask(&s->proto, role, type, false);
}

static bool is_asking(const struct smtpd_session *s) {
  return s->proto.ask.type && s->proto.ask.wants_answer;
}

/* --- replies --- */

static struct slice host_of(const struct smtpd_session *s) {
  return slice_str(s->service->hostname);
}

/* Releases what other processes hold for this session: one message suffices, because store ends the
 * message too. */
static void smtpd_release(struct smtpd_session *s) {
  transaction_end(s);
  if (s->exchange) smtpd_notify(s, ROLE_AUTH, auth_cancel_type);
  if (s->logged_in) smtpd_notify(s, ROLE_STORE, smtp_bye_type);
  s->exchange = s->logged_in = false;
}

void smtpd_end(struct smtpd_session *s, enum smtp_outcome o, enum close_reason why) {
  if (s->state == ST_END) return;
  size_t before = buf_len(&s->proto.out);
  if (s->transaction) smtpd_log_transaction(s, o, SLICE_NONE);
  smtpd_release(s);
  smtp_reply_put(&s->proto.out, o, host_of(s));
  proto_trace_out(&s->proto, before);
  smtpd_move(s, ST_END);
  proto_close(&s->proto, why);
}

/* Counts a refusal against the limits. An unknown recipient has a counter of its own; failed logins
 * are counted in auth.c. Recipients refused to a local program are not counted: it can connect as
 * often as it likes, and if the session ended, its valid recipients would not get the message. */
static void count(struct smtpd_session *s, enum smtp_outcome o) {
  if (s->service->local && s->transaction) return;
  if (o == SMTP_RCPT_UNKNOWN)
    s->unknown++;
  else if (smtp_outcome_row(o)->code >= 500)
    s->errors++;
  if (s->unknown - s->unknown_made_up >= s->service->unknown_limit)
    smtpd_end(s, SMTP_MANY_UNKNOWN, CLOSE_TOO_MANY_ERRORS);
  if (s->errors - s->errors_made_up >= s->service->error_limit)
    smtpd_end(s, SMTP_MANY_ERRORS, CLOSE_TOO_MANY_ERRORS);
}

void smtpd_reply(struct smtpd_session *s, enum smtp_outcome o) {
  size_t before = buf_len(&s->proto.out);
  if (s->state == ST_END) return;
  smtp_reply_put(&s->proto.out, o, host_of(s));
  proto_trace_out(&s->proto, before);
  count(s, o);
}

void smtpd_reply_text(struct smtpd_session *s, enum smtp_outcome o, struct slice text) {
  size_t before = buf_len(&s->proto.out);
  smtp_reply_put_text(&s->proto.out, o, text);
  proto_trace_out(&s->proto, before);
}

/* In ASCII: a client that did not say SMTPUTF8 gets nothing else (RFC 6531 §3.7.4). */
void smtpd_reply_yours(struct smtpd_session *s, enum smtp_outcome o, struct slice yours) {
  struct buf text;
  if (s->state == ST_END) return;
  buf_init(&text, 1024);
  buf_put_str(&text, smtp_outcome_row(o)->text);
  if (yours.n) buf_put_str(&text, "; it may use ");
  for (size_t i = 0; i < yours.n; i++) buf_put_u8(&text, yours.p[i] < 0x80 ? yours.p[i] : '?');
  smtpd_reply_text(s, o, buf_slice(&text));
  buf_free(&text);
  count(s, o);
}

/* --- clocks --- */

/* When the average rate since the data began falls below the minimum. */
static uint64_t rate_deadline(const struct smtpd_session *s) {
  uint64_t ms;
  if (s->service->data_rate == 0) return s->end_ms; /* no minimum rate */
  if (__builtin_mul_overflow(s->transaction->data.clean.octets, 1000u, &ms)) return UINT64_MAX;
  return s->transaction->began_ms + SMTPD_RATE_GRACE_MS + ms / s->service->data_rate;
}

static uint64_t min(uint64_t a, uint64_t b) { return a < b ? a : b; }

/* The time by which the client must have sent a whole command, or more of its message. There is
 * none while another process's answer is awaited; the shell answers for a lost process. The
 * session's time limit does not end a message that keeps the minimum rate: that is bounded by its
 * size. */
static uint64_t deadline(const struct smtpd_session *s) {
  if (is_asking(s) || s->proto.want != PROTO_READ) return 0;
  if (s->state != ST_BODY) return min(s->end_ms, s->waiting_ms + s->service->command_ms);
  return min(s->transaction->last_ms + s->service->data_ms, rate_deadline(s));
}

static void session_tick(struct proto *p) {
  struct smtpd_session *s = of(p);
  uint64_t due = deadline(s);
  if (due == 0 || p->now_ms < due) {
    p->deadline_ms = due;
    return;
  }
  bool keeps_rate = s->state == ST_BODY && s->service->data_rate;
  if (p->now_ms >= s->end_ms && !keeps_rate)
    smtpd_end(s, SMTP_SESSION_TIME, CLOSE_SESSION_TIME);
  else if (keeps_rate && p->now_ms >= rate_deadline(s))
    smtpd_end(s, SMTP_TOO_SLOW, CLOSE_TOO_SLOW);
  else
    smtpd_end(s, SMTP_TIMEOUT, CLOSE_IDLE);
  p->deadline_ms = deadline(s);
}

/* --- octets from the client --- */

/* The length limit of a line. AUTH's lines hold the client's credentials (RFC 4954 §4). */
static size_t line_limit(const struct smtpd_session *s, struct slice in) {
  size_t limit = s->service->line_limit;
  bool auth = s->state == ST_SASL || slice_case_starts(in, SLICE("AUTH "));
  return auth && limit < SMTP_AUTH_LINE_MAX ? SMTP_AUTH_LINE_MAX : limit;
}

/* Any line of a client that does not wait for replies may be a password, so on services with logins
 * only lines that begin with a verb without a secret are shown. */
struct slice smtpd_shown(const struct smtpd_session *s, struct slice line) {
  struct slice verb = smtp_command_cut(line).verb;
  if (s->state == ST_SASL) return SLICE("<a response, hidden>");
  if (smtpd_is_secret(line)) return slice_first(line, verb.n);
  return s->service->submission && !smtpd_is_verb(verb) ? SLICE("<no command, hidden>") : line;
}

static void trace_line(struct smtpd_session *s, struct slice line) {
  struct buf shown;
  if (!s->proto.trace.fn) return;
  buf_init(&shown, 1024);
  if (s->state == ST_SASL)
    buf_put(&shown, slice_eq(line, SLICE("*")) ? line : SLICE("***"));
  else if (smtpd_is_secret(line))
    sasl_put_shown(&shown, line);
  proto_trace(&s->proto, 'C', buf_len(&shown) ? buf_slice(&shown) : smtpd_shown(s, line));
  buf_free(&shown);
}

static void refuse_line(struct smtpd_session *s, enum smtp_outcome why) {
  if (s->proto.trace.fn) proto_trace(&s->proto, 'C', SLICE("<a bad line>"));
  s->lines++;
  smtpd_log_refused(s, SLICE("<a bad line>"), why);
  if (s->state == ST_SASL)
    smtpd_auth_abort(s, why);
  else
    smtpd_reply(s, why);
}

static bool next_is_rcpt(const struct smtpd_session *s, struct slice in) {
  struct slice line;
  if (!slice_case_starts(in, SLICE("RCPT"))) return false;
  return smtp_line_peek(&s->line, in, s->service->line_limit, &line) &&
         slice_caseeq(smtp_command_cut(line).verb, SLICE("RCPT"));
}

static bool group_is_open(const struct smtpd_session *s) {
  return s->transaction && buf_len(&s->transaction->group) > 0;
}

static void good_line(struct smtpd_session *s, struct slice line, struct slice rest) {
  trace_line(s, line);
  s->lines++;
  if (s->state == ST_SASL)
    smtpd_auth_line(s, line);
  else
    smtpd_dispatch(s, line);
  if (!group_is_open(s)) return;
  if (buf_room(&s->transaction->group) == 0 || !next_is_rcpt(s, rest)) smtpd_rcpt_group_end(s);
}

/* No mail client begins with such an octet: TLS in the clear (0x16), other protocols (attack
 * W-1). */
static bool is_other_protocol(const struct smtpd_session *s, struct slice in) {
  int c = slice_at(in, 0);
  return s->lines == 0 && !s->line.discarding && !ascii_is_alpha(c) && c != '\r' && c != '\n';
}

static void take_line(struct smtpd_session *s, struct slice *in) {
  struct slice line;
  if (is_other_protocol(s, *in)) {
    smtpd_end(s, SMTP_NOT_MAIL, CLOSE_NOT_MAIL);
    return;
  }
  switch (smtp_line_take(&s->line, in, line_limit(s, *in), &line)) {
  case SMTP_LINE_MORE:
  case SMTP_LINE_SKIPPED: return; /* the time-out is not restarted */
  case SMTP_LINE_OK: good_line(s, line, *in); break;
  case SMTP_LINE_BAD: refuse_line(s, SMTP_BAD_LINE); break;
  case SMTP_LINE_LONG: refuse_line(s, SMTP_LONG_LINE); break;
  case SMTP_LINE_ENDLESS: smtpd_end(s, SMTP_ENDLESS_LINE, CLOSE_LINE_TOO_LONG); break;
  }
  s->waiting_ms = s->proto.now_ms;
}

static bool is_listening(const struct smtpd_session *s) {
  return s->proto.want == PROTO_READ && !s->proto.ask.type &&
         buf_len(&s->proto.out) <= s->proto.out_high;
}

static void session_input(struct proto *p, struct slice *in) {
  struct smtpd_session *s = of(p);
  for (size_t before = 0; in->n && in->n != before && is_listening(s);) {
    before = in->n;
    if (s->state == ST_BODY)
      smtpd_body(s, in);
    else
      take_line(s, in);
  }
  p->deadline_ms = deadline(s);
}

/* --- the rest of what a shell may call --- */

static void session_answer(struct proto *p, uint16_t type, struct slice payload) {
  struct smtpd_session *s = of(p);
  bool asked = is_asking(s);
  p->ask.type = 0;
  buf_wipe(&p->ask.body); /* it may have carried a password; and an idle session keeps no memory */
  if (!asked) return;
  s->waiting_ms = p->now_ms;
  s->on_answer(s, type, payload);
  p->deadline_ms = deadline(s);
}

static void set_tls(struct smtpd_session *s, const char *version, const char *cipher) {
  s->secure = true;
  snprintf(s->tls, sizeof s->tls, "%s %s", version ? version : "TLS", cipher ? cipher : "");
}

/* RFC 3207 §4.2: nothing that was received before counts. */
static void session_secured(struct proto *p, const struct proto_secured *tls) {
  struct smtpd_session *s = of(p);
  set_tls(s, tls->tls_version, tls->tls_cipher);
  buf_free(&s->helo);
  buf_free(&s->user);
  s->esmtp = s->logged_in = false;
  s->line = (struct smtp_line){ 0 };
  s->waiting_ms = p->now_ms;
  p->want = PROTO_READ;
  proto_trace_tls(p, tls);
  smtpd_move(s, ST_START);
  p->deadline_ms = deadline(s);
}

static void session_role_lost(struct proto *p, unsigned role) {
  struct smtpd_session *s = of(p);
  if (role == ROLE_STORE)
    smtpd_body_lost(s);
  else
    s->exchange = false;
  p->deadline_ms = deadline(s);
}

/* The last reply if the server ends the session, sent if the client can still receive it. */
static enum smtp_outcome words_for(enum close_reason why) {
  switch (why) {
  case CLOSE_STOPPING: return SMTP_STOPPING;
  case CLOSE_CONNECTION_LIMIT:
  case CLOSE_ADDRESS_LIMIT:
  case CLOSE_NO_DESCRIPTORS: return SMTP_CROWDED;
  case CLOSE_NO_MEMORY: return SMTP_NO_MEMORY;
  default: return SMTP_OK;
  }
}

/* A commit in progress continues: nobody waits for store's answer, and the message is delivered
 * although the client has no reply. By RFC 5321 §4.5.4.1 it sends the message again. */
static void session_gone(struct proto *p, enum close_reason why) {
  static const char left_early[] =
      "the connection ended before store answered: the message may be in the mailbox";
  struct smtpd_session *s = of(p);
  bool committing = is_asking(s) && p->ask.type == smtp_commit_type;
  if (s->state == ST_BODY && !committing && why == CLOSE_PEER_GONE) why = CLOSE_PEER_GONE_DATA;
  enum smtp_outcome words = words_for(why);
  if (words != SMTP_OK && s->state != ST_TLS) {
    if (s->transaction && committing) smtpd_log_abandoned(s, left_early);
    smtpd_end(s, words, why);
    return;
  }
  if (s->transaction) smtpd_log_abandoned(s, committing ? left_early : close_reason_word(why));
  smtpd_release(s);
  if (s->state != ST_END) smtpd_move(s, ST_END);
  proto_close(p, why);
}

static void put_count(void (*put)(void *arg, const char *key, struct slice value), void *arg,
                      const char *key, uint64_t n) {
  char text[24];
  int len = snprintf(text, sizeof text, "%ju", (uintmax_t)n);
  put(arg, key, slice_of(text, (size_t)len));
}

static void session_summary(struct proto *p,
                            void (*put)(void *arg, const char *key, struct slice value),
                            void *arg) {
  struct smtpd_session *s = of(p);
  if (buf_len(&s->helo)) put(arg, "helo", buf_slice(&s->helo));
  if (buf_len(&s->user)) put(arg, "login", buf_slice(&s->user));
  put_count(put, arg, "lines", s->lines);
  put_count(put, arg, "messages", s->messages);
  put_count(put, arg, "recipients", s->recipients);
  put_count(put, arg, "octets", s->octets);
  /* Octets converted by the option bare_lf = fix. */
  if (s->changed.lfs) put_count(put, arg, "bare_lfs", s->changed.lfs);
  if (s->changed.crs) put_count(put, arg, "bare_crs", s->changed.crs);
  if (s->errors) put_count(put, arg, "errors", s->errors);
  if (s->unknown) put_count(put, arg, "unknown", s->unknown);
  if (s->failed_logins) put_count(put, arg, "failed_logins", s->failed_logins);
}

/* True if the message keeps the minimum rate: since DATA (the first second counts whole), with
 * octets received recently. */
static bool keeps_coming(const struct smtpd_session *s) {
  const struct transaction *t = s->transaction;
  uint64_t ms = s->proto.now_ms - t->began_ms, quiet_ms = s->proto.now_ms - t->last_ms;
  uint64_t rate = s->service->data_rate ? s->service->data_rate : SMTPD_VALUED_RATE;
  return quiet_ms < SMTPD_PROGRESS_MS &&
         t->data.clean.octets >= rate * ((ms < 1000 ? 1000 : ms) / 1000);
}

/* Commands cost the client nothing, so only mail counts: a message that is being received, a
 * message that store is committing, a message committed a short while ago. (A message that stalls
 * is ended by its time-outs.) A login had to be verified, and a mail client keeps its connection
 * open between two messages. */
static bool session_valuable(const struct proto *p) {
  const struct smtpd_session *s = of_const(p);
  if (s->logged_in) return true;
  if (s->state == ST_BODY) return is_asking(s) || keeps_coming(s);
  return s->messages && p->now_ms - s->kept_ms < SMTPD_PROGRESS_MS;
}

static void greet(struct smtpd_session *s) {
  struct buf *out = &s->proto.out;
  buf_put_str(out, "220 ");
  buf_put(out, host_of(s));
  buf_put_str(out, " ESMTP Qasid\r\n");
}

static struct proto *session_new(const void *service, const struct proto_start *start) {
  struct smtpd_session *s = calloc(1, sizeof *s);
  if (!s) return NULL;
  proto_init(&s->proto, start);
  s->service = service;
  s->state = ST_START;
  s->peer_len = start->peer_len;
  memcpy(s->peer, start->peer, sizeof s->peer);
  s->uid = start->uid;
  s->has_drop = start->has_drop;
  memcpy(s->drop, start->drop, sizeof s->drop);
  s->trusted = s->service->local ||
               conf_in_networks(&s->service->relay_networks, slice_of(s->peer, s->peer_len));
  snprintf(s->name, sizeof s->name, "%s", start->session);
  if (start->secure) set_tls(s, start->tls_version, start->tls_cipher);
  buf_init(&s->helo, SMTP_DOMAIN_MAX);
  buf_init(&s->user, AUTH_NAME_MAX);
  s->waiting_ms = start->now_ms;
  s->end_ms = start->now_ms + s->service->session_ms;
  greet(s);
  s->proto.deadline_ms = deadline(s);
  return &s->proto;
}

static void session_free(struct proto **p) {
  if (!*p) return;
  struct smtpd_session *s = of(*p);
  *p = NULL;
  transaction_end(s);
  buf_free(&s->helo);
  buf_free(&s->user);
  proto_done(&s->proto);
  free(s);
}

/* This session writes all output at once: there is never more to produce. */
static void session_produce(struct proto *p) { p->more = false; }

const struct proto_ops smtpd_session_ops = {
  .name = "smtp",
  .new = session_new,
  .free = session_free,
  .input = session_input,
  .answer = session_answer,
  .produce = session_produce,
  .secured = session_secured,
  .tick = session_tick,
  .gone = session_gone,
  .role_lost = session_role_lost,
  .summary = session_summary,
  .valuable = session_valuable,
};
