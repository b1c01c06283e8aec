/* SPDX-License-Identifier: ISC */
/* Replies: the outcomes a server may have, how they are written, and how a client reads them.
 * RFC 5321 §4.2, RFC 2034, RFC 3463. */
#ifndef QASID_SMTP_REPLY_H
#define QASID_SMTP_REPLY_H

#include "lib/base/buf.h"
#include "mail/sasl/login.h"

enum smtp_outcome {
#define O(name, code, enhanced, text) SMTP_##name,
#include "mail/smtp/outcomes.def"
#undef O
  SMTP_OUTCOMES
};

struct smtp_outcome_row {
  const char *name; /* "RCPT_UNKNOWN" */
  uint16_t code;
  const char *enhanced; /* "" where RFC 2034 has none: EHLO, 3xx */
  const char *text;
};
const struct smtp_outcome_row *smtp_outcome_row(enum smtp_outcome o);

/* --- writing --- */

/* "550 5.1.1 No such mailbox here\r\n". `host` stands before the words of 220, 221 and 421. */
void smtp_reply_put(struct buf *out, enum smtp_outcome o, struct slice host);
/* The same codes with other words. `text` must be printable ASCII. */
void smtp_reply_put_text(struct buf *out, enum smtp_outcome o, struct slice text);
/* A line of a reply of several lines: "250-SIZE 1000\r\n", or the last: "250 HELP\r\n". */
void smtp_reply_put_line(struct buf *out, unsigned code, bool last, struct slice text);

/* --- reading --- */

/* RFC 5321 §4.5.3.1.5 allows 512 for a line; servers exceed it. A whole reply: EHLO's is the
 * longest. */
enum { SMTP_REPLY_LINE_MAX = 2048, SMTP_REPLY_LINES_MAX = 128, SMTP_REPLY_MAX = 16 * 1024 };

enum smtp_read { SMTP_READ_MORE, SMTP_READ_DONE, SMTP_READ_BAD };

/* One reply as it comes in. `text` has the text of every line, without codes, an LF after each but
 * the last. It consists of printable ASCII or UTF-8 octets, tabs and those LFs; control characters
 * from the server become "?". */
struct smtp_reply {
  uint16_t code;       /* 200..599 */
  uint8_t enhanced[3]; /* class, subject, detail, cut at 255; class 0: none was given */
  uint16_t lines;
  struct buf text;
};

void smtp_reply_init(struct smtp_reply *r);
void smtp_reply_free(struct smtp_reply *r);
/* For the next reply. */
void smtp_reply_reset(struct smtp_reply *r);
/* Takes lines off `*in` until the reply is complete. BAD: it breaks the grammar or a bound above;
 * the rest of the stream is then meaningless and the connection is to be closed. */
enum smtp_read smtp_reply_read(struct smtp_reply *r, struct slice *in);

/* The meaning of a reply that refuses AUTH (RFC 4954 §4, §6) for the choice of the next
 * mechanism. */
enum sasl_refusal smtp_login_refusal(unsigned code);

#endif
