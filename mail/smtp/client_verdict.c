/* SPDX-License-Identifier: ISC */
/* Verdicts on recipients, and those that need no command: what this server lacks, what cannot be
 * sent at all.
 *
 * Invariant: a verdict that was decided here before any command (smtp_verdict_is_local()) is not
 * overwritten by a reply. */
#include "mail/smtp/client_inside.h"

/* --- verdicts --- */

void smtp_letter_free_verdicts(struct smtp_letter *l) {
  for (size_t i = 0; i < l->count; i++) buf_free(&l->rcpts[i].verdict.text);
}

/* Decided here, before any command was sent. */
bool smtp_verdict_is_local(const struct smtp_verdict *v) {
  return !v->code && (v->fate != SMTP_UNTRIED || v->obstacle);
}
/* The server may still decide it. */
bool smtp_verdict_is_open(const struct smtp_verdict *v) {
  return v->fate == SMTP_UNTRIED && !v->obstacle;
}

static void put_text(struct smtp_verdict *v, struct slice text) {
  buf_init(&v->text, SMTP_CLIENT_TEXT_MAX);
  buf_put(&v->text, slice_first(text, SMTP_CLIENT_TEXT_MAX));
  v->text.failed = false; /* without memory for the text the verdict is still valid */
}

/* The reply decides this recipient. */
void smtp_verdict_decide(struct smtp_session *s, struct smtp_verdict *v, enum smtp_stage stage,
                         enum smtp_fate fate) {
  v->fate = (uint8_t)fate;
  v->stage = (uint8_t)stage;
  v->code = s->reply.code;
  v->accepted = false;
  memcpy(v->enhanced, s->reply.enhanced, sizeof v->enhanced);
  buf_free(&v->text);
  put_text(v, buf_slice(&s->reply.text));
}

/* We decide: the server lacks something, or the connection is gone. */
void smtp_verdict_decide_here(struct smtp_verdict *v, enum smtp_stage stage, enum smtp_fate fate,
                              const char enhanced[static 5], const char *why) {
  buf_free(&v->text);
  *v = (struct smtp_verdict){ .fate = (uint8_t)fate, .stage = (uint8_t)stage };
  for (int i = 0; i < 3; i++) v->enhanced[i] = (uint8_t)(enhanced[2 * i] - '0');
  put_text(v, slice_str(why));
}

/* --- what this server cannot take --- */

/* An argument that could end its line, or its path, is never put on the wire. */
bool smtp_send_is_sendable(struct slice arg) {
  bool quoted = false;
  for (size_t i = 0; i < arg.n; i++) {
    uint8_t c = arg.p[i];
    if (ascii_is_control(c)) return false;
    if (c == '\\' && quoted) {
      if (++i == arg.n || ascii_is_control(arg.p[i])) return false;
    } else if (c == '"') {
      quoted = !quoted;
    } else if (!quoted && (c == ' ' || c == '<' || c == '>')) {
      return false;
    }
  }
  return !quoted;
}

/* An extension that the whole letter needs and this server lacks. */
static enum smtp_obstacle obstacle_of(const struct smtp_session *s, const struct smtp_letter *l) {
  const struct smtp_client *c = &s->pub;
  if ((l->utf8 || slice_has_high(l->return_path)) && !c->utf8) return SMTP_LACKS_UTF8;
  if (l->eight_bit && (!c->eight_bit || (l->global && !c->utf8))) return SMTP_LACKS_8BITMIME;
  return c->size_limit && l->size > c->size_limit ? SMTP_LACKS_SIZE : SMTP_NO_OBSTACLE;
}

static void decide_obstacle(struct smtp_verdict *v, enum smtp_stage stage, enum smtp_obstacle o) {
  static const struct {
    const char *enhanced, *why;
  } words[] = {
    [SMTP_LACKS_UTF8] = { "5.6.7", "the server does not offer SMTPUTF8, which this message needs" },
    [SMTP_LACKS_8BITMIME] = { "5.6.3",
                              "the server does not offer 8BITMIME, which this message needs" },
    [SMTP_LACKS_SIZE] = { "5.3.4", "the message is larger than the server's SIZE" },
  };
  smtp_verdict_decide_here(v, stage, SMTP_UNTRIED, words[o].enhanced, words[o].why);
  v->obstacle = (uint8_t)o;
}

/* Decides verdicts that need no command. False: nothing of it is to be sent. */
bool smtp_send_look_at(struct smtp_session *s, struct smtp_letter *l) {
  enum smtp_obstacle whole = obstacle_of(s, l);
  size_t open = 0;
  for (size_t i = 0; i < l->count; i++) {
    struct smtp_letter_rcpt *r = &l->rcpts[i];
    r->verdict = (struct smtp_verdict){ 0 };
    buf_init(&r->verdict.text, SMTP_CLIENT_TEXT_MAX);
    if (!smtp_send_is_sendable(l->return_path))
      smtp_verdict_decide_here(&r->verdict, SMTP_STAGE_MAIL, SMTP_PERMANENT, "5.1.7",
                               "the reverse-path cannot be sent");
    else if (!r->address.n || !smtp_send_is_sendable(r->address) ||
             !smtp_send_is_sendable(r->orcpt))
      smtp_verdict_decide_here(&r->verdict, SMTP_STAGE_RCPT, SMTP_PERMANENT, "5.1.3",
                               "the address cannot be sent");
    else if (whole)
      decide_obstacle(&r->verdict, SMTP_STAGE_MAIL, whole);
    else if (slice_has_high(r->address) && !s->pub.utf8)
      decide_obstacle(&r->verdict, SMTP_STAGE_RCPT, SMTP_LACKS_UTF8);
    else
      open++;
  }
  return s->policy.all_or_none ? open == l->count : open > 0;
}
