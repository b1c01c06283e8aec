/* SPDX-License-Identifier: ISC */
/* A hostile server's replies: read or refused, within bounds. */
#include <stdlib.h>

#include "mail/smtp/reply.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  struct slice in = slice_of(data, size);
  struct smtp_reply r;
  smtp_reply_init(&r);
  while (smtp_reply_read(&r, &in) == SMTP_READ_DONE) {
    if (r.code < 200 || r.code > 599 || r.lines == 0 || buf_len(&r.text) > SMTP_REPLY_MAX) abort();
    smtp_reply_reset(&r);
  }
  smtp_reply_free(&r);
  return 0;
}
