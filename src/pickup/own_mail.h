/* SPDX-License-Identifier: ISC */
/* Mail that pickup itself writes (a report, a notice): one recipient, the empty reverse-path.
 *
 *   own_mail_open() ──▶ fill `to` and `text` ──▶ own_mail_send() ──▶ about.over(), with the verdict
 *   in `rcpt` ──▶ own_mail_free() */
#ifndef QASID_PICKUP_OWN_MAIL_H
#define QASID_PICKUP_OWN_MAIL_H

#include "src/pickup/pickup.h"

/* Zeroed at first. */
struct own_mail {
  struct buf to, text;
  bool given;
  size_t at; /* octets of `text` sent */
  struct smtp_letter letter;
  struct smtp_letter_rcpt rcpt;
};

/* Forgets what was there. `most`: of the text. */
void own_mail_open(struct own_mail *m, size_t most);
/* Begins the session; about->source is this mail's. False: no memory, or no socket. */
bool own_mail_send(struct own_mail *m, struct pickup *p, const struct talk_about *about,
                   uint8_t notify);
void own_mail_free(struct own_mail *m);

#endif
