/* SPDX-License-Identifier: ISC */
/* Mail of pickup's own (own_mail.h): the source of a session with one letter from memory. */
#include "src/pickup/own_mail.h"

static struct smtp_letter *on_next(void *arg) {
  struct own_mail *m = arg;
  if (m->given) return NULL;
  m->given = true;
  return &m->letter;
}

static enum smtp_source_verdict on_read(void *arg, struct smtp_letter *l, struct buf *out,
                                        size_t most) {
  struct own_mail *m = arg;
  struct slice piece = slice_first(slice_from(buf_slice(&m->text), m->at), most);
  buf_put(out, piece);
  m->at += piece.n;
  return m->at == buf_len(&m->text) ? SMTP_SOURCE_END : SMTP_SOURCE_MORE;
}

static void on_done(void *arg, struct smtp_letter *l) {
} /* its verdict is examined when the session is over */

void own_mail_open(struct own_mail *m, size_t most) {
  own_mail_free(m);
  buf_init(&m->to, 1024), buf_init(&m->text, most);
}

bool own_mail_send(struct own_mail *m, struct pickup *p, const struct talk_about *about,
                   uint8_t notify) {
  struct talk_about whole = *about;
  if (m->to.failed || m->text.failed) return false;
  m->rcpt = (struct smtp_letter_rcpt){ .address = buf_slice(&m->to), .notify = notify };
  m->letter = (struct smtp_letter){ .eight_bit = slice_has_high(buf_slice(&m->text)),
                                    .size = buf_len(&m->text),
                                    .rcpts = &m->rcpt,
                                    .count = 1 };
  whole.source = (struct smtp_source){ on_next, on_read, on_done, m };
  return talk_begin(p, &whole);
}

void own_mail_free(struct own_mail *m) {
  if (m->letter.count) smtp_letter_free_verdicts(&m->letter);
  buf_free(&m->to), buf_free(&m->text);
  *m = (struct own_mail){ .at = 0 };
}
