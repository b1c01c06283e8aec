/* SPDX-License-Identifier: ISC */
/* Replies of a POP3 server, as a client reads them. All input is treated as hostile: sizes are
 * bounded, nothing is kept, and what does not follow the grammar is an error, never a guess. Blanks
 * are tolerated as in other clients: several, TABs, leading and trailing; "+ok" is "+OK".
 *
 *    response = greeting / single-line / multi-line      status = "+OK" / "-ERR"
 *    resp-code = "[" resp-level *("/" resp-level) "]"    continue-req = "+" SP [base64]
 *
 * Lines come from pop3_line_next() with POP3_REPLY_MAX (POP3_SASL_MAX while a SASL exchange
 * runs). */
#ifndef QASID_POP3_REPLY_H
#define QASID_POP3_REPLY_H

#include "lib/base/buf.h"

enum pop3_status { POP3_OK, POP3_ERR, POP3_CONTINUE };

struct pop3_reply {
  enum pop3_status status;
  struct slice code; /* "IN-USE" of "[IN-USE]"; empty when there is none */
  struct slice text; /* the rest; of a continuation, the base64 */
};

/* One line without CRLF. False if it is not a response. */
bool pop3_reply_parse(struct slice line, struct pop3_reply *ret);
/* The last "<...@...>" of a greeting: APOP's timestamp with its brackets (RFC 1939 §7). False if
 * there is none: the server has no APOP. */
bool pop3_reply_timestamp(struct slice text, struct slice *ret);
/* "2 320": STAT's answer, or a line of LIST. */
bool pop3_reply_pair(struct slice line, uint64_t *ret_first, uint64_t *ret_second);
/* "2 QhdPYR:00WBw1Ph7x7": a line of UIDL. The id may be invalid by uidl_is_valid(), but is not
 * empty. */
bool pop3_reply_uidl(struct slice line, uint64_t *ret_number, struct slice *ret_uidl);

/* The lines of a multi-line response, un-stuffed, in pieces. */
enum pop3_unstuff {
  POP3_UNSTUFF_MORE,   /* all of `*in` is taken, or `out` is full */
  POP3_UNSTUFF_END,    /* the final "." is taken; `*in` is what follows it */
  POP3_UNSTUFF_TOO_BIG /* more than `max` octets */
};

struct pop3_unstuffer {
  uint64_t octets, max; /* octets put so far, and their limit */
  uint8_t at;
};

void pop3_unstuff_open(struct pop3_unstuffer *u, uint64_t max);
/* Moves what fits from `*in` to `out`. After END, `out` has received the whole text, last CRLF
 * included. */
enum pop3_unstuff pop3_unstuff_put(struct pop3_unstuffer *u, struct slice *in, struct buf *out);

#endif
