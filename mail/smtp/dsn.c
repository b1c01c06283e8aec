/* SPDX-License-Identifier: ISC */
/* The words of NOTIFY= and RET= (dsn.h). */
#include "mail/smtp/dsn.h"

static const struct {
  uint8_t bit;
  const char *word;
} words[] = { { SMTP_NOTIFY_NEVER, "NEVER" },
              { SMTP_NOTIFY_SUCCESS, "SUCCESS" },
              { SMTP_NOTIFY_FAILURE, "FAILURE" },
              { SMTP_NOTIFY_DELAY, "DELAY" } };
enum { WORDS = sizeof words / sizeof *words };

uint8_t smtp_notify_of(struct slice word) {
  for (size_t i = 0; i < WORDS; i++)
    if (slice_caseeq(word, slice_str(words[i].word))) return words[i].bit;
  return 0;
}

void smtp_notify_put(struct buf *out, uint8_t notify) {
  const char *before = " NOTIFY=";
  for (size_t i = 0; i < WORDS; i++) {
    if (!(notify & words[i].bit)) continue;
    buf_put_str(out, before);
    buf_put_str(out, words[i].word);
    before = ",";
  }
}

void smtp_ret_put(struct buf *out, uint8_t ret) {
  if (ret) buf_put_str(out, ret == SMTP_RET_FULL ? " RET=FULL" : " RET=HDRS");
}
