/* SPDX-License-Identifier: ISC */
/* MAIL: RFC 5321 §4.1.1.2. Opens the transaction. */
#include "src/smtpd/private.h"

#include <stdlib.h>

static struct transaction *transaction_new(void) {
  struct transaction *transaction = calloc(1, sizeof *transaction);
  if (!transaction) return NULL;
  buf_init(&transaction->sender, ENVELOPE_PATH_MAX);
  buf_init(&transaction->envid, 3 * SMTP_ENVID_MAX);
  buf_init(&transaction->rcpts, ENVELOPE_RCPTS_MAX);
  buf_init(&transaction->group, SMTPD_GROUP_MAX);
  buf_init(&transaction->asked, ENVELOPE_RCPTS_MAX);
  buf_init(&transaction->body, IPC_CHUNK);
  buf_init(&transaction->authors, SMTP_AUTHORS_MAX);
  buf_init(&transaction->plan, SEVEN_PLAN_MAX);
  return transaction;
}

unsigned smtpd_params(const struct smtpd_session *s) {
  unsigned params = SMTP_PARAM_SIZE | SMTP_PARAM_BODY;
  if (!s->transaction || s->transaction->utf8) params |= SMTP_PARAM_UTF8;
  if (s->service->sends) params |= SMTP_PARAMS_DSN;
  return s->service->submission ? params | SMTP_PARAM_AUTH : params;
}

struct slice smtpd_address_domain(const struct smtpd_session *s) {
  if (s->logged_in) return smtpd_login_domain(s);
  bool lenient = s->service->local ||
                 conf_in_networks(&s->service->lenient_networks, slice_of(s->peer, s->peer_len));
  return lenient ? slice_str(s->service->address_domain) : SLICE_NONE;
}

enum smtp_outcome smtpd_mail(struct smtpd_session *s, struct slice argument) {
  struct smtp_mail m;
  enum smtp_outcome o = smtp_mail_parse(argument, smtpd_params(s), smtpd_address_domain(s), &m);
  if (o != SMTP_OK) return o;
  if (m.size > s->service->message_size_limit) return SMTP_TOO_BIG; /* RFC 1870 §6.1 */
  s->transaction = transaction_new();
  if (!s->transaction) return SMTP_TROUBLE;
  s->transaction->size = m.size;
  s->transaction->ret = m.ret;
  s->transaction->utf8 = m.utf8;
  address_put(&s->transaction->sender, &m.sender);
  buf_put(&s->transaction->envid, m.envid);
  smtpd_move(s, ST_MAIL);
  if (!s->transaction->sender.failed && !s->transaction->envid.failed) return SMTP_SENDER_OK;
  smtpd_reset(s);
  return SMTP_TROUBLE;
}
