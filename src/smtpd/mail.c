/* MAIL: RFC 5321 §4.1.1.2. Opens the transaction. */
#include "src/smtpd/private.h"

#include <stdlib.h>

static struct transaction *transaction_new(void) {
  struct transaction *tx = calloc(1, sizeof *tx);
  if (!tx) return NULL;
  buf_init(&tx->sender, SMTP_PATH_MAX);
  buf_init(&tx->rcpts, SMTP_RCPTS_MAX);
  buf_init(&tx->group, SMTPD_GROUP_MAX);
  buf_init(&tx->asked, SMTP_RCPTS_MAX);
  buf_init(&tx->body, IPC_CHUNK);
  return tx;
}

/* AUTH= is offered with AUTH, to who might use it. */
static unsigned offered(const struct session *s) {
  unsigned params = SMTP_PARAM_SIZE | SMTP_PARAM_BODY;
  return s->service->submission ? params | SMTP_PARAM_AUTH : params;
}

enum smtp_outcome smtpd_mail(struct session *s, struct slice argument) {
  struct smtp_mail m;
  enum smtp_outcome o = smtp_mail_parse(argument, offered(s), &m);
  if (o != SMTP_OK) return o;
  if (m.size > s->service->message_size_limit) return SMTP_TOO_BIG; /* RFC 1870 §6.1 */
  s->tx = transaction_new();
  if (!s->tx) return SMTP_TROUBLE;
  s->tx->size = m.size;
  address_put(&s->tx->sender, &m.sender);
  smtpd_move(s, ST_MAIL);
  if (!s->tx->sender.failed) return SMTP_SENDER_OK;
  smtpd_reset(s);
  return SMTP_TROUBLE;
}
