/* SPDX-License-Identifier: ISC */
/* Letters: envelopes, bodies, and which reply decides what.
 *
 *   (free) --next()--> MAIL → RCPT … → DATA --354--> body → END --2yz--> (free), delivered
 *                        |       |       |                      4yz 5yz → (free), refused
 *                        +-------+-------+-- all refused --> RSET → (free)
 *
 * Invariants:
 *   1. transactions[0] is the one whose replies come next; transactions[1] is used only while [0]
 *      awaits the reply to its end of data, and its envelope is being sent.
 *   2. A verdict is written once, except that of an accepted recipient: it has the fate UNTRIED
 *      until the end of data is answered.
 *   3. The end of data counts as sent only when it has left `out`; a reply that comes before it
 *      means no success, and ends the session. */
#include "mail/smtp/client_inside.h"

/* --- verdicts --- */

static bool is_accepted(const struct smtp_verdict *v) { return v->accepted; }

static enum smtp_fate fate_of(uint16_t code) {
  return code / 100 == 5 ? SMTP_PERMANENT : SMTP_TEMPORARY;
}

/* Every recipient that is still open; from DATA on, every one that was accepted. */
static void decide_open(struct smtp_session *s, struct smtp_transaction *t, enum smtp_stage stage) {
  for (size_t i = 0; i < t->letter->count; i++) {
    struct smtp_verdict *v = &t->letter->rcpts[i].verdict;
    bool open = stage == SMTP_STAGE_MAIL ? smtp_verdict_is_open(v) : is_accepted(v);
    if (open) smtp_verdict_decide(s, v, stage, fate_of(s->reply.code));
  }
  smtp_client_keep(s, stage, fate_of(s->reply.code));
}

/* --- letters taken and returned --- */

static void give_back(struct smtp_session *s, struct smtp_transaction *t) {
  struct smtp_letter *l = t->letter;
  *t = (struct smtp_transaction){ 0 };
  for (size_t i = 0; i < l->count; i++) l->rcpts[i].verdict.accepted = false;
  s->source.done(s->source.arg, l);
}

static bool may_take_more(const struct smtp_session *s) {
  return !s->finishing && !s->odd && s->pub.letters < s->limits.letters &&
         s->pub.proto.now_ms < s->session_at;
}

/* The next letter that this server can take. */
static bool take_letter(struct smtp_session *s, struct smtp_transaction *t) {
  while (may_take_more(s)) {
    struct smtp_letter *l = s->source.next(s->source.arg);
    if (!l) return false;
    s->pub.letters++;
    *t = (struct smtp_transaction){ .letter = l };
    if (smtp_send_look_at(s, l)) return true;
    give_back(s, t);
  }
  return false;
}

/* --- the envelope --- */

/* RFC 6531 §3.4: a message that does not need SMTPUTF8 is sent without it. */
static bool uses_utf8(const struct smtp_session *s, const struct smtp_letter *l) {
  bool any = l->utf8 || (l->global && l->eight_bit) || slice_has_high(l->return_path);
  for (size_t i = 0; !any && i < l->count; i++)
    any = slice_has_high(l->rcpts[i].address) && !smtp_verdict_is_local(&l->rcpts[i].verdict);
  return any && s->pub.utf8;
}

static void put_mail(struct smtp_session *s, const struct smtp_letter *l, struct buf *line) {
  buf_put_str(line, "MAIL FROM:<");
  buf_put(line, l->return_path);
  buf_put_u8(line, '>');
  if (s->pub.has_size && l->size) buf_printf(line, " SIZE=%llu", (unsigned long long)l->size);
  if (l->eight_bit && s->pub.eight_bit) buf_put_str(line, " BODY=8BITMIME");
  if (uses_utf8(s, l)) buf_put_str(line, " SMTPUTF8");
  if (!s->pub.dsn) return;
  smtp_ret_put(line, l->ret);
  if (l->envid.n && smtp_send_is_sendable(l->envid)) {
    buf_put_str(line, " ENVID=");
    buf_put(line, l->envid);
  }
}

static void put_rcpt(struct smtp_session *s, const struct smtp_letter_rcpt *r, struct buf *line) {
  buf_put_str(line, "RCPT TO:<");
  buf_put(line, r->address);
  buf_put_u8(line, '>');
  if (!s->pub.dsn) return;
  smtp_notify_put(line, r->notify);
  if (!r->orcpt.n) return;
  buf_put_str(line, " ORCPT=");
  buf_put(line, r->orcpt);
}

/* The next recipient, from `*at` on, that the server has to decide. False: there is none. */
static bool next_rcpt(const struct smtp_letter *l, size_t *at) {
  while (*at < l->count && smtp_verdict_is_local(&l->rcpts[*at].verdict)) ++*at;
  return *at < l->count;
}

static void send_step(struct smtp_session *s, struct smtp_transaction *t) {
  struct buf line;
  buf_init(&line, 4096);
  if (t->to_send == SMTP_STEP_RCPT && !next_rcpt(t->letter, &t->to_send_rcpt))
    t->to_send = SMTP_STEP_DATA;
  if (t->to_send == SMTP_STEP_MAIL) {
    put_mail(s, t->letter, &line);
    t->to_send = SMTP_STEP_RCPT;
  } else if (t->to_send == SMTP_STEP_RCPT) {
    put_rcpt(s, &t->letter->rcpts[t->to_send_rcpt++], &line);
    if (!next_rcpt(t->letter, &t->to_send_rcpt)) t->to_send = SMTP_STEP_DATA;
  } else {
    buf_put_str(&line, "DATA");
    t->to_send = SMTP_STEP_END;
  }
  smtp_client_send(s, buf_slice(&line), NULL);
  if (line.failed) smtp_client_end(s, SMTP_END_NO_MEMORY);
  buf_free(&line);
}

/* Without pipelining a command waits for the reply to the one before. So does a DATA that depends
 * on all recipients. */
static bool may_send(const struct smtp_session *s, const struct smtp_transaction *t) {
  if (t->to_send >= SMTP_STEP_END || buf_len(&s->pub.proto.out) > PROTO_OUT_HIGH) return false;
  bool depends = s->policy.all_or_none || s->policy.envelope_only;
  if (s->pub.pipelining && !(depends && t->to_send == SMTP_STEP_DATA)) return true;
  return t->to_send == t->to_receive &&
         (t->to_send != SMTP_STEP_RCPT || t->to_send_rcpt == t->to_receive_rcpt);
}

/* The policy forbids DATA, and every RCPT has been answered. */
static bool ends_with_envelope(const struct smtp_session *s, const struct smtp_transaction *t) {
  if (t->to_receive != SMTP_STEP_DATA || t->to_send != SMTP_STEP_DATA) return false;
  return s->policy.envelope_only || (s->policy.all_or_none && t->accepted < t->letter->count);
}

/* No recipient is accepted and none can be any more. Those refused with "too many recipients" stay
 * UNTRIED. */
static bool is_refused(const struct smtp_session *s, const struct smtp_transaction *t) {
  if (t->body_begun) return false;
  if (ends_with_envelope(s, t)) return true;
  for (size_t i = 0; i < t->letter->count; i++) {
    const struct smtp_verdict *v = &t->letter->rcpts[i].verdict;
    if (is_accepted(v) || (smtp_verdict_is_open(v) && t->to_receive < SMTP_STEP_DATA)) return false;
  }
  return true;
}

static bool all_answered(const struct smtp_transaction *t) {
  return t->to_send == t->to_receive &&
         (t->to_send != SMTP_STEP_RCPT || t->to_send_rcpt == t->to_receive_rcpt);
}

/* A transaction that was opened and came to nothing is closed by RSET before the next (RFC 5321
 * §4.1.1.5). */
static void drop_refused(struct smtp_session *s, struct smtp_transaction *t) {
  bool opened = t->mail_taken;
  give_back(s, t);
  if (!opened) return;
  s->phase = SMTP_PHASE_RSET;
  smtp_client_send(s, SLICE("RSET"), NULL);
  smtp_client_await(s, s->limits.command_ms);
}

void smtp_send_rset_reply(struct smtp_session *s) {
  s->phase = SMTP_PHASE_SEND;
  if (s->reply.code / 100 != 2) s->odd = true;
}

/* The time-out for the reply awaited now. */
static uint64_t patience(const struct smtp_session *s) {
  const struct smtp_transaction *t = &s->transactions[0];
  if (t->to_receive == SMTP_STEP_END && !t->body_ended) return s->limits.block_ms;
  if (t->to_receive == SMTP_STEP_END) return s->limits.end_ms;
  return t->to_receive == SMTP_STEP_DATA ? s->limits.data_ms : s->limits.command_ms;
}

static void go_idle(struct smtp_session *s) {
  if (!may_take_more(s) || !s->limits.idle_ms) {
    smtp_client_quit(s);
    return;
  }
  if (!s->pub.idle) smtp_client_await(s, s->limits.idle_ms);
  s->pub.idle = true;
}

static void begin(struct smtp_session *s) {
  s->pub.idle = false;
  smtp_client_await(s, s->limits.command_ms);
}

/* Sends the envelope of the next letter with the end of data of this one: only in a session without
 * a failure so far, so that its effect on the next letter is known. */
static void look_ahead(struct smtp_session *s) {
  struct smtp_transaction *t = &s->transactions[0];
  if (t->body_ended && !t->void_body && !s->transactions[1].letter && s->pub.pipelining &&
      s->good && !s->policy.lmtp)
    take_letter(s, &s->transactions[1]);
  while (s->transactions[1].letter && may_send(s, &s->transactions[1]))
    send_step(s, &s->transactions[1]);
}

/* A long envelope is sent in pieces: the rest when `out` is empty. */
static void go_on_later(struct smtp_session *s) {
  bool full = buf_len(&s->pub.proto.out) > PROTO_OUT_HIGH;
  for (int i = 0; full && i < 2; i++) {
    const struct smtp_transaction *t = &s->transactions[i];
    if (t->letter && t->to_send < SMTP_STEP_END) s->pub.proto.more = true;
  }
}

void smtp_send_advance(struct smtp_session *s) {
  struct smtp_transaction *t = &s->transactions[0];
  while (s->phase == SMTP_PHASE_SEND) {
    if (!t->letter && s->transactions[1].letter) {
      *t = s->transactions[1];
      s->transactions[1] = (struct smtp_transaction){ 0 };
      smtp_client_await(s, patience(s));
    }
    if (!t->letter && s->odd) {
      smtp_client_quit(s);
    } else if (!t->letter && !take_letter(s, t)) {
      if (s->phase == SMTP_PHASE_SEND) go_idle(s);
      return;
    } else if (t->to_send == SMTP_STEP_MAIL && t->to_receive == SMTP_STEP_MAIL && !t->mail_taken &&
               may_send(s, t)) {
      begin(s);
      while (t->letter && may_send(s, t)) send_step(s, t);
      go_on_later(s);
      return;
    } else if (is_refused(s, t) && all_answered(t)) {
      drop_refused(s, t);
    } else {
      while (t->letter && !is_refused(s, t) && may_send(s, t)) send_step(s, t);
      look_ahead(s);
      go_on_later(s);
      return;
    }
  }
}

/* --- replies --- */

static void odd_reply(struct smtp_session *s, enum smtp_stage stage) {
  smtp_client_keep(s, stage, SMTP_TEMPORARY);
  smtp_client_end(s, SMTP_END_PROTOCOL);
}

static bool is_refusal(const struct smtp_session *s) {
  return s->reply.code / 100 == 4 || s->reply.code / 100 == 5;
}

static void mail_reply(struct smtp_session *s, struct smtp_transaction *t) {
  s->pub.stage = SMTP_STAGE_MAIL;
  t->to_receive = SMTP_STEP_RCPT;
  if (s->reply.code / 100 == 2)
    t->mail_taken = true;
  else if (is_refusal(s))
    decide_open(s, t, SMTP_STAGE_MAIL);
  else
    odd_reply(s, SMTP_STAGE_MAIL);
}

/* "Too many recipients" concerns only those that follow, and they may be tried again at once: RFC
 * 5321 §4.5.3.1.10, which says to treat 552 as 452 here. */
static bool is_too_many(const struct smtp_session *s, const struct smtp_transaction *t) {
  const uint8_t *e = s->reply.enhanced;
  bool too_many = e[0] ? e[1] == 5 && e[2] == 3 : true;
  return t->accepted && too_many && (s->reply.code == 452 || s->reply.code == 552);
}

static void rcpt_reply(struct smtp_session *s, struct smtp_transaction *t) {
  struct smtp_verdict *v;
  s->pub.stage = SMTP_STAGE_RCPT;
  if (!next_rcpt(t->letter, &t->to_receive_rcpt)) return;
  v = &t->letter->rcpts[t->to_receive_rcpt++].verdict;
  if (!next_rcpt(t->letter, &t->to_receive_rcpt)) t->to_receive = SMTP_STEP_DATA;
  if (!t->mail_taken) return; /* decided by MAIL's reply; a later reply means nothing */
  if (s->reply.code / 100 == 2) {
    v->accepted = true;
    t->accepted++;
  } else if (!is_refusal(s)) {
    odd_reply(s, SMTP_STAGE_RCPT);
  } else if (s->policy.all_or_none || !is_too_many(s, t)) {
    smtp_verdict_decide(s, v, SMTP_STAGE_RCPT, fate_of(s->reply.code));
    smtp_client_keep(s, SMTP_STAGE_RCPT, fate_of(s->reply.code));
  }
}

static void begin_body(struct smtp_session *s, struct smtp_transaction *t) {
  t->body_begun = true;
  s->stuff = (struct smtp_stuff){ .any = false };
  s->pub.proto.more = true;
}

static void data_reply(struct smtp_session *s, struct smtp_transaction *t) {
  s->pub.stage = SMTP_STAGE_DATA;
  t->to_receive = SMTP_STEP_END;
  if (s->reply.code == 354) {
    t->void_body = t->accepted == 0;
    begin_body(s, t);
  } else if (is_refusal(s)) {
    if (t->accepted) decide_open(s, t, SMTP_STAGE_DATA);
  } else {
    odd_reply(s, SMTP_STAGE_DATA);
  }
}

/* True if the end of data was sent before this reply came. */
static bool end_was_sent(const struct smtp_session *s, const struct smtp_transaction *t) {
  return t->body_ended && buf_len(&s->pub.proto.out) <= s->past_end;
}

/* A reply before the end of data: a refusal decides, anything else does not; either ends the
 * session. */
static void early_reply(struct smtp_session *s, struct smtp_transaction *t) {
  if (is_refusal(s)) decide_open(s, t, SMTP_STAGE_BODY);
  odd_reply(s, SMTP_STAGE_BODY);
}

static void settle_one(struct smtp_session *s, struct smtp_verdict *v) {
  bool taken = s->reply.code / 100 == 2;
  smtp_verdict_decide(s, v, SMTP_STAGE_END, taken ? SMTP_DELIVERED : fate_of(s->reply.code));
  v->dsn = taken && s->pub.dsn;
  if (!taken) smtp_client_keep(s, SMTP_STAGE_END, fate_of(s->reply.code));
}

/* LMTP replies once for each accepted recipient, in order (RFC 2033 §4.2). False: more are to come.
 */
static bool settle_end(struct smtp_session *s, struct smtp_transaction *t) {
  size_t left = 0;
  for (size_t i = 0; i < t->letter->count; i++) {
    struct smtp_verdict *v = &t->letter->rcpts[i].verdict;
    if (!is_accepted(v)) continue;
    if (s->policy.lmtp && left++) return false;
    settle_one(s, v);
  }
  return true;
}

static void end_reply(struct smtp_session *s, struct smtp_transaction *t) {
  s->pub.stage = SMTP_STAGE_END;
  if (!end_was_sent(s, t)) {
    early_reply(s, t);
    return;
  }
  bool taken = s->reply.code / 100 == 2;
  if (!taken && !is_refusal(s)) {
    odd_reply(s, SMTP_STAGE_END);
    return;
  }
  s->good = taken && !t->void_body;
  if (t->void_body || settle_end(s, t)) give_back(s, t);
}

void smtp_send_reply(struct smtp_session *s) {
  struct smtp_transaction *t = &s->transactions[0];
  static void (*const steps[])(struct smtp_session *, struct smtp_transaction *) = {
    [SMTP_STEP_MAIL] = mail_reply,
    [SMTP_STEP_RCPT] = rcpt_reply,
    [SMTP_STEP_DATA] = data_reply,
    [SMTP_STEP_END] = end_reply,
  };
  bool asked =
      t->letter && (t->to_receive != t->to_send ||
                    (t->to_receive == SMTP_STEP_RCPT && t->to_receive_rcpt < t->to_send_rcpt) ||
                    (t->to_receive == SMTP_STEP_END && t->body_begun));
  if (!asked) { /* no command is outstanding: any reply is out of step */
    odd_reply(s, s->pub.stage);
    return;
  }
  steps[t->to_receive](s, t);
  if (s->phase == SMTP_PHASE_SEND) smtp_client_await(s, patience(s));
}

/* --- the body --- */

static void end_body(struct smtp_session *s, struct smtp_transaction *t) {
  smtp_stuff_end(&s->stuff, &s->pub.proto.out);
  proto_trace(&s->pub.proto, 'C', SLICE("."));
  s->past_end = 0;
  t->body_ended = true;
  s->pub.proto.more = false;
  smtp_client_await(s, s->limits.end_ms);
}

void smtp_send_body(struct smtp_session *s) {
  struct smtp_transaction *t = &s->transactions[0];
  struct buf *out = &s->pub.proto.out;
  s->pub.proto.more = false;
  if (!t->letter || !t->body_begun || t->body_ended) return;
  s->pub.stage = SMTP_STAGE_BODY;
  if (t->void_body) {
    end_body(s, t);
    return;
  }
  buf_reset(&s->piece);
  enum smtp_source_verdict verdict =
      s->source.read(s->source.arg, t->letter, &s->piece, SMTP_CLIENT_PIECE);
  smtp_stuff_put(&s->stuff, out, buf_slice(&s->piece));
  s->pub.octets += buf_len(&s->piece);
  smtp_client_await(s, s->limits.block_ms);
  if (s->piece.failed || verdict == SMTP_SOURCE_BROKEN)
    smtp_client_end(
        s, SMTP_END_SOURCE); /* the end of data is not sent: the server discards the message */
  else if (verdict == SMTP_SOURCE_END)
    end_body(s, t);
  else if (verdict == SMTP_SOURCE_WAIT)
    s->waits = true;
  else
    s->pub.proto.more = true;
}

/* --- the session ends under letters --- */

/* A malformed reply: it is unknown what the server has done with the message. */
static void decide_doubtful(struct smtp_session *s, struct smtp_verdict *v, bool at_end) {
  struct buf why;
  buf_init(&why, SMTP_CLIENT_TEXT_MAX);
  buf_put(&why, buf_slice(&s->pub.last.text));
  if (s->pub.last.code) buf_printf(&why, " (%u)", s->pub.last.code);
  if (at_end) buf_put_str(&why, "; the server may have taken the message");
  const char *words = why.failed ? NULL : buf_cstr(&why);
  smtp_verdict_decide_here(v, at_end ? SMTP_STAGE_END : SMTP_STAGE_BODY, SMTP_TEMPORARY, "4.5.0",
                           words ? words : smtp_end_meaning(SMTP_END_PROTOCOL));
  v->doubtful = at_end;
  buf_free(&why);
}

/* The message itself was not sent. The recipient whose RCPT was answered by the 421 gets that
 * reply; a 421 to MAIL or DATA applies to the letter; otherwise the verdicts only say that the
 * session was closed. */
static void explain_closed(struct smtp_session *s, struct smtp_transaction *t,
                           struct smtp_verdict *v) {
  struct buf why;
  if (v == s->answered) {
    smtp_verdict_decide(s, v, SMTP_STAGE_RCPT, SMTP_TEMPORARY);
  } else if (!s->answered && t == &s->transactions[0] && s->reply.code == 421) {
    smtp_verdict_decide(s, v, s->pub.stage, SMTP_UNTRIED);
  } else {
    buf_init(&why, SMTP_CLIENT_TEXT_MAX);
    buf_printf(&why, "the server closed the session before it answered for this recipient: %u %.*s",
               s->reply.code, SLICE_ARG(slice_first(buf_slice(&s->reply.text), 300)));
    const char *words = buf_cstr(&why);
    smtp_verdict_decide_here(v, s->pub.stage, SMTP_UNTRIED, "4.4.2",
                             words ? words : "the server closed it");
    buf_free(&why);
  }
}

/* The connection was lost. After the end of data only the server knows what it has done with the
 * message (RFC 1047 §2). */
static void decide_lost(struct smtp_verdict *v, enum smtp_end why, bool at_end) {
  struct buf words;
  buf_init(&words, SMTP_CLIENT_TEXT_MAX);
  buf_put_str(&words, smtp_end_meaning(why));
  if (at_end) buf_put_str(&words, " after all of the message; the server may have taken it");
  const char *text = buf_cstr(&words);
  smtp_verdict_decide_here(v, at_end ? SMTP_STAGE_END : SMTP_STAGE_BODY, SMTP_TEMPORARY, "4.4.2",
                           text ? text : smtp_end_meaning(why));
  v->doubtful = at_end;
  buf_free(&words);
}

static void abandon(struct smtp_session *s, struct smtp_transaction *t, enum smtp_end why) {
  enum smtp_stage stage = t->body_ended ? SMTP_STAGE_END : SMTP_STAGE_BODY;
  bool sent = t->body_begun && !t->void_body;
  for (size_t i = 0; i < t->letter->count; i++) {
    struct smtp_verdict *v = &t->letter->rcpts[i].verdict;
    if (!smtp_verdict_is_open(v)) continue;
    v->accepted = false;
    if (why == SMTP_END_SOURCE && t->body_begun)
      smtp_verdict_decide_here(v, SMTP_STAGE_BODY, SMTP_TEMPORARY, "4.3.0", smtp_end_meaning(why));
    else if (sent && why == SMTP_END_SHUT_DOWN)
      smtp_verdict_decide(s, v, stage, SMTP_TEMPORARY);
    else if (sent && why == SMTP_END_PROTOCOL)
      decide_doubtful(s, v, t->body_ended);
    else if (sent)
      decide_lost(v, why, t->body_ended);
    else if (why == SMTP_END_SHUT_DOWN)
      explain_closed(s, t, v);
  }
  give_back(s, t);
}

void smtp_send_abandon(struct smtp_session *s, enum smtp_end why) {
  for (int i = 0; i < 2; i++)
    if (s->transactions[i].letter) abandon(s, &s->transactions[i], why);
}

void smtp_send_shut_down(struct smtp_session *s) {
  struct smtp_transaction *t = &s->transactions[0];
  bool rcpt = t->letter && t->to_receive == SMTP_STEP_RCPT && t->mail_taken &&
              next_rcpt(t->letter, &t->to_receive_rcpt) && t->to_receive_rcpt < t->to_send_rcpt;
  if (t->letter && t->to_receive == SMTP_STEP_MAIL) s->pub.stage = SMTP_STAGE_MAIL;
  if (t->letter && t->to_receive == SMTP_STEP_DATA) s->pub.stage = SMTP_STAGE_DATA;
  if (rcpt) s->pub.stage = SMTP_STAGE_RCPT;
  if (rcpt && s->reply.code == 421) s->answered = &t->letter->rcpts[t->to_receive_rcpt].verdict;
}
