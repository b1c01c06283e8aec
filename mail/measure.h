/* SPDX-License-Identifier: ISC */
/* The size of a message once it is completed: POP3 announces that size before it sends the octets,
 * so messages are completed before they are stored (mail/pop3/stuff.h, rules 3 and 4).
 *
 * A message lacks the end of its last line if it does not end with CRLF, and the empty line after
 * its header if there is none. A line begins after CRLF only. */
#ifndef QASID_MAIL_MEASURE_H
#define QASID_MAIL_MEASURE_H

#include "lib/base/slice.h"

/* The position in a line of the next octet. */
enum mail_at { MAIL_AT_START, MAIL_AT_START_CR, MAIL_AT_INSIDE, MAIL_AT_CR };

/* The position after `rest`, the octets in this piece of a line that continues past it. */
enum mail_at mail_at_after(enum mail_at at, struct slice rest);
/* A line's end was found: `line` is the part of the line in this piece, LF included. Returns the
 * position after it, and whether it was CRLF on an otherwise empty line. */
enum mail_at mail_at_line_end(enum mail_at at, struct slice line, bool *ret_empty);

/* The measurement of a message that comes in pieces (or whole). */
struct mail_measure {
  uint64_t octets;
  enum mail_at at;
  bool in_header;
};
void mail_measure_open(struct mail_measure *m);
void mail_measure_put(struct mail_measure *m, struct slice piece);
/* The complete size: `octets`, or 2 or 4 more. */
uint64_t mail_measure_end(const struct mail_measure *m);

#endif
