/* SPDX-License-Identifier: ISC */
/* Delivery status notifications (RFC 3464 in RFC 6522's multipart/report): sent to the sender of a
 * message when recipients failed, are delayed, or were delivered and the sender asked for a report
 * (RFC 3461).
 *
 * Pure: the caller supplies the facts. The text is in wire form (CRLF). It is 7-bit except for: the
 * part for people, which is UTF-8 if it is not ASCII; the original's header, which is
 * message/global or message/global-headers if it came with SMTPUTF8 (RFC 6533 §6; converted to 7
 * bits for a server without SMTPUTF8, see smtp_letter.global); the reverse-path. Non-ASCII
 * addresses in message/delivery-status are in their 7-bit form; a recipient that can be assumed to
 * support SMTPUTF8 (the message came with it, or the reverse-path needs it) gets them unchanged, in
 * message/global-delivery-status (RFC 6533 §3, §4). Strings from other servers are made printable,
 * on one line. */
#ifndef QASID_MAIL_REPORT_H
#define QASID_MAIL_REPORT_H

#include "lib/base/buf.h"

enum report_action {
  REPORT_FAILED,
  REPORT_DELAYED,
  REPORT_DELIVERED,
  REPORT_RELAYED,
  REPORT_ACTIONS
};

enum { REPORT_HEADER_MAX = 64 * 1024 /* octets of the original's header that are returned */ };

struct report_rcpt {
  enum report_action action;
  struct slice address; /* as it was tried */
  struct slice orcpt;   /* "rfc822;xtext" as the sender gave it, or empty */
  uint8_t enhanced[3];  /* class 0: derived from the action */
  uint16_t code;        /* of the other server's reply; 0: decided here */
  struct slice text;    /* the text of its reply, or ours */
  struct slice host;    /* the server that replied; empty: none */
  int64_t tried_s;      /* 0: it was not tried at this time */
  /* FAILED because it was in the queue too long: for how long; `code` and `text` are those of the
   * last attempt. 0: another reason */
  int64_t over_s;
  int64_t until_s;  /* DELAYED: how long attempts continue */
  struct slice why; /* DELAYED: why it waits; empty: not stated */
};

struct report {
  struct slice reporter; /* our host name */
  struct slice to;       /* the reverse-path */
  struct slice envid;    /* xtext, or empty */
  /* names this report: its Message-ID, its boundary. Letters and digits */
  struct slice id;
  int64_t came_s, now_s; /* the message; this report */
  struct slice header;   /* of the original, or the whole of it */
  bool whole;            /* `header` is the whole message (RET=FULL) */
  /* the original was received with SMTPUTF8 and has UTF-8 in its header (RFC 6532) */
  bool utf8;
  bool smtputf8; /* the original was received with SMTPUTF8 */
  const struct report_rcpt *rcpts;
  size_t count; /* at least one */
};

void report_put(struct buf *out, const struct report *r);
/* "5 days", "3 hours", "10 minutes": rounded. */
void report_put_age(struct buf *out, int64_t seconds);
/* "failed", …: the most severe action among the recipients. */
const char *report_word(const struct report_rcpt *rcpts, size_t count);

#endif
