/* SPDX-License-Identifier: ISC */
/* RCPT: RFC 5321 §4.1.1.3. Pipelined RCPTs (RFC 2920) are one question to store: the outcome of
 * each line waits in the group, in order, until the first other command, the end of the received
 * octets, or a full group closes it. */
#include "src/smtpd/private.h"

#include "mail/xtext.h"

enum { GROUP_ASKED = 0xff };
_Static_assert((int)SMTP_OUTCOMES < (int)GROUP_ASKED, "an outcome fits an octet of the group");

/* Beyond the limit: 452, so that the client sends the rest in another transaction (§4.5.3.1.10).
 * Most clients send all of their recipients before they read a reply, and the accepted ones should
 * get the message: only a client that never stops is in error. */
static enum smtp_outcome too_many(struct smtpd_session *s) {
  if (++s->transaction->overshoot > SMTPD_OVERSHOOT_MAX) s->errors++;
  return SMTP_RCPT_MANY;
}

/* Octets left for all further recipients and their parameters: all of them must fit one commit. */
static size_t room_left(const struct transaction *transaction) {
  return ENVELOPE_RCPTS_MAX - buf_len(&transaction->rcpts) - buf_len(&transaction->asked);
}

/* From here on a non-ASCII address has its 7-bit form (RFC 6533 §3), because the next server may
 * lack SMTPUTF8. Some of its characters may be in that form already. */
static void put_orcpt(struct buf *out, struct slice orcpt) {
  ptrdiff_t at = slice_has_high(orcpt) ? slice_find(orcpt, ';') : -1;
  struct slice address = slice_from(orcpt, (size_t)(at + 1));
  struct buf plain;
  buf_init(&plain, ENVELOPE_ORCPT_MAX);
  buf_put(out, at < 0 ? orcpt : slice_first(orcpt, (size_t)at + 1));
  if (at >= 0 && xtext_decode_utf8_address(&plain, address)) address = buf_slice(&plain);
  if (at >= 0) xtext_put_utf8_address(out, address);
  out->failed |= plain.failed;
  buf_free(&plain);
}

/* Puts one address into the question. */
static enum smtp_outcome ask_for(struct smtpd_session *s, const struct smtp_recipient *r) {
  struct transaction *transaction = s->transaction;
  struct buf plain, orcpt;
  buf_init(&plain, ENVELOPE_PATH_MAX);
  buf_init(&orcpt, ENVELOPE_ORCPT_MAX);
  address_put_plain(&plain, &r->address);
  put_orcpt(&orcpt, r->orcpt);
  bool fits =
      transaction->rcpt_count + transaction->asked_count < s->service->recipients_per_message;
  fits = fits && buf_len(&plain) + buf_len(&orcpt) + ENVELOPE_RCPT_HEAD <= room_left(transaction);
  bool failed = plain.failed || orcpt.failed;
  if (fits && !failed) {
    envelope_rcpt_put(&transaction->asked, &(struct envelope_rcpt){ .notify = r->notify,
                                                                    .address = buf_slice(&plain),
                                                                    .orcpt = buf_slice(&orcpt) });
    failed = transaction->asked.failed;
  }
  buf_free(&plain);
  buf_free(&orcpt);
  if (failed) return SMTP_RCPT_TROUBLE;
  if (!fits) return too_many(s);
  transaction->asked_count++;
  return SMTP_OK;
}

enum smtp_outcome smtpd_rcpt(struct smtpd_session *s, struct slice argument) {
  struct smtp_recipient r;
  enum smtp_outcome o = smtp_rcpt_parse(argument, smtpd_params(s), smtpd_address_domain(s), &r);
  if (o == SMTP_OK) o = ask_for(s, &r);
  if (o != SMTP_OK) smtpd_log_recipient(s, argument, o);
  buf_put_u8(&s->transaction->group, o == SMTP_OK ? GROUP_ASKED : (uint8_t)o);
  /* out of memory: the shell ends the session */
  if (s->transaction->group.failed) s->proto.out.failed = true;
  return SMTPD_REPLIED;
}

/* The outcome for one recipient, from its verdict. */
static enum smtp_outcome settle(struct smtpd_session *s, const struct envelope_rcpt *r,
                                uint8_t verdict) {
  struct transaction *transaction = s->transaction;
  enum smtp_outcome o = smtp_of_verdict(verdict);
  if (o == SMTP_RCPT_OK) envelope_rcpt_put(&transaction->rcpts, r);
  if (transaction->rcpts.failed) o = SMTP_RCPT_TROUBLE;
  if (o != SMTP_RCPT_OK) {
    smtpd_log_recipient(s, r->address, o);
    return o;
  }
  transaction->rcpt_count++;
  s->recipients++;
  if (s->state == ST_MAIL) smtpd_move(s, ST_RCPT);
  return o;
}

/* Replies to each line of the group, in order. `verdicts` has one octet for each address asked. */
static void answer_group(struct smtpd_session *s, struct slice verdicts, struct slice yours) {
  struct transaction *transaction = s->transaction;
  /* from here on replies are sent, and not put into the group */
  struct buf group = transaction->group, asked = transaction->asked;
  struct slice outcomes = buf_slice(&group), records = buf_slice(&asked);
  struct envelope_rcpt r;
  buf_init(&transaction->group, SMTPD_GROUP_MAX);
  buf_init(&transaction->asked, ENVELOPE_RCPTS_MAX);
  transaction->asked_count = 0;
  for (size_t i = 0; i < outcomes.n && s->state != ST_END; i++) {
    enum smtp_outcome o = (enum smtp_outcome)outcomes.p[i];
    if (outcomes.p[i] == GROUP_ASKED && envelope_rcpt_next(&records, &r)) {
      o = settle(s, &r, verdicts.n ? verdicts.p[0] : RCPT_TROUBLE);
      verdicts = slice_from(verdicts, 1);
    }
    if (o == SMTP_NOT_YOURS)
      smtpd_reply_yours(s, o, yours);
    else
      smtpd_reply(s, o);
  }
  buf_free(&group);
  buf_free(&asked);
}

static void rcpt_answer(struct smtpd_session *s, uint16_t type, struct slice payload);

void smtpd_rcpt_group_end(struct smtpd_session *s) {
  struct transaction *transaction = s->transaction;
  if (transaction->asked_count == 0) {
    answer_group(s, SLICE_NONE, SLICE_NONE);
    return;
  }
  struct smtp_rcpt q = { .envelope = { .return_path = buf_slice(&transaction->sender),
                                       .size = transaction->size,
                                       .rcpts = buf_slice(&transaction->asked) },
                         .trusted = s->trusted,
                         .login = s->logged_in };
  smtp_rcpt_put(smtpd_ask(s, ROLE_STORE, smtp_rcpt_type, rcpt_answer), &q);
  if (!smtpd_asked(s)) answer_group(s, SLICE_NONE, SLICE_NONE);
}

/* If store is lost, or its answer is malformed, nothing was looked up: 451 for each. */
static void rcpt_answer(struct smtpd_session *s, uint16_t type, struct slice payload) {
  struct smtp_verdicts a = { .verdicts = SLICE_NONE, .yours = SLICE_NONE };
  if (type != smtp_verdicts_type || !smtp_verdicts_get(payload, &a) ||
      a.verdicts.n != s->transaction->asked_count)
    a.verdicts = SLICE_NONE;
  answer_group(s, a.verdicts, a.yours);
}
