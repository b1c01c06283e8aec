/* SPDX-License-Identifier: ISC */
/* The log lines about mail: one for each recipient, one for each message, one for each other
 * refusal; each states by itself who sent what to whom and the outcome. */
#include "src/smtpd/private.h"

#include <stdio.h>

enum { SHOWN_MAX = 300 };

static void put_code(struct log_line *l, enum smtp_outcome o) {
  const struct smtp_outcome_row *row = smtp_outcome_row(o);
  char code[24];
  snprintf(code, sizeof code, "%u%s%s", row->code, *row->enhanced ? " " : "", row->enhanced);
  log_cstr(l, LOG_F_CODE, code);
  log_cstr(l, LOG_F_REASON, row->text);
}

static const char *verdict_of(enum smtp_outcome o) {
  unsigned code = smtp_outcome_row(o)->code;
  return code < 400 ? "accepted" : code < 500 ? "later" : "refused";
}

static void put_sender(struct log_line *l, const struct transaction *transaction) {
  struct slice sender = buf_slice(&transaction->sender);
  log_str(l, LOG_F_FROM, sender.n ? sender : SLICE("<>"));
}

/* `why`: why it was abandoned, or NULL. */
static void put_end(struct log_line *l, enum smtp_outcome o, const char *why) {
  log_cstr(l, LOG_F_VERDICT, why ? "abandoned" : verdict_of(o));
  if (why)
    log_cstr(l, LOG_F_REASON, why);
  else
    put_code(l, o);
}

static void log_id(struct smtpd_session *s, struct log_line *l) {
  struct buf id;
  if (s->state != ST_BODY) return;
  buf_init(&id, 64);
  smtpd_put_id(s, &id);
  log_str(l, LOG_F_ID, buf_slice(&id));
  buf_free(&id);
}

static void log_rcpt(struct smtpd_session *s, struct slice to, enum smtp_outcome o,
                     const char *why) {
  struct log_line l;
  if (!proto_log(&s->proto, &l, LOG_E_RECIPIENT)) return;
  log_id(s, &l);
  put_sender(&l, s->transaction);
  log_str(&l, LOG_F_TO, slice_first(to, ENVELOPE_PATH_MAX));
  put_end(&l, o, why);
  log_end(&l);
}

void smtpd_log_recipient(struct smtpd_session *s, struct slice to, enum smtp_outcome o) {
  log_rcpt(s, to, o, NULL);
}

static void log_message(struct smtpd_session *s, enum smtp_outcome o, const char *why) {
  const struct transaction *transaction = s->transaction;
  struct log_line l;
  if (!proto_log(&s->proto, &l, LOG_E_MESSAGE)) return;
  log_id(s, &l);
  put_sender(&l, transaction);
  struct slice id = message_id_value(&transaction->message_id);
  if (id.n) log_str(&l, LOG_F_MESSAGE_ID, id);
  log_num(&l, LOG_F_SIZE, transaction->data.clean.octets);
  log_num(&l, LOG_F_RECIPIENTS, transaction->rcpt_count);
  if (s->secure) log_cstr(&l, LOG_F_TLS, s->tls);
  if (s->logged_in) log_str(&l, LOG_F_LOGIN, buf_slice(&s->user));
  put_end(&l, o, why);
  log_end(&l);
}

/* A recipient's own outcome; a recipient that got the message is logged so even if the reply is for
 * another's failure. */
static enum smtp_outcome outcome_of(uint8_t verdict) {
  return verdict == RCPT_OURS || verdict == RCPT_LEAVES ? SMTP_OK : smtp_of_verdict(verdict);
}

/* All recipients that were accepted, and with `why` those whose RCPT was still unanswered when the
 * client left. */
static void log_transaction(struct smtpd_session *s, enum smtp_outcome o, struct slice verdicts,
                            const char *why) {
  struct transaction *transaction = s->transaction;
  struct slice list = buf_slice(&transaction->rcpts), asked = buf_slice(&transaction->asked);
  struct envelope_rcpt r;
  bool each = verdicts.n && verdicts.n == transaction->rcpt_count;
  if (transaction->logged) return;
  transaction->logged = true;
  for (size_t i = 0; envelope_rcpt_next(&list, &r); i++)
    log_rcpt(s, r.address, each ? outcome_of(verdicts.p[i]) : o, why);
  while (envelope_rcpt_next(&asked, &r)) log_rcpt(s, r.address, o, why);
  if (s->state == ST_BODY) log_message(s, o, why);
}

void smtpd_log_transaction(struct smtpd_session *s, enum smtp_outcome o, struct slice verdicts) {
  log_transaction(s, o, verdicts, NULL);
}
void smtpd_log_abandoned(struct smtpd_session *s, const char *why) {
  log_transaction(s, SMTP_OK, SLICE_NONE, why);
}

void smtpd_log_refused(struct smtpd_session *s, struct slice command, enum smtp_outcome o) {
  struct log_line l;
  if (smtp_outcome_row(o)->code < 400 || !proto_log(&s->proto, &l, LOG_E_REFUSED)) return;
  if (buf_len(&s->helo)) log_str(&l, LOG_F_HELO, buf_slice(&s->helo));
  log_str(&l, LOG_F_COMMAND, slice_first(command, SHOWN_MAX));
  put_code(&l, o);
  log_end(&l);
}

void smtpd_log_login(struct smtpd_session *s, const char *mechanism, const char *why) {
  struct log_line l;
  if (!proto_log(&s->proto, &l, LOG_E_LOGIN_FAILED)) return;
  log_cstr(&l, LOG_F_NAME, "");
  log_cstr(&l, LOG_F_MECHANISM, mechanism);
  log_cstr(&l, LOG_F_WHY, why);
  log_end(&l);
}
