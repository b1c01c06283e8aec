/* SPDX-License-Identifier: ISC */
/* How large a message is once it is whole: POP3 announces that size before it sends the octets, so
 * whoever keeps messages keeps them whole (mail/pop3/stuff.h, rules 3 and 4).
 *
 * A message lacks the end of its last line when it doesn't end with CRLF, and the empty line behind
 * its header when there is none. A line begins after CRLF only. */
#ifndef QASID_MAIL_MEASURE_H
#define QASID_MAIL_MEASURE_H

#include "lib/base/slice.h"

/* Where in a line the next octet falls. */
enum mail_at { MAIL_AT_START, MAIL_AT_START_CR, MAIL_AT_INSIDE, MAIL_AT_CR };

/* Where a line that goes on past the piece stands after `rest`, its octets in this piece. */
enum mail_at mail_at_after(enum mail_at at, struct slice rest);
/* A line's end was found: `line` is its octets in this piece, LF included. Where that leaves us,
 * and whether it was CRLF on an otherwise empty line. */
enum mail_at mail_at_line_end(enum mail_at at, struct slice line, bool *ret_empty);

/* A message that is seen in pieces (or whole). */
struct mail_measure {
  uint64_t octets;
  enum mail_at at;
  bool in_header;
};
void mail_measure_open(struct mail_measure *m);
void mail_measure_put(struct mail_measure *m, struct slice piece);
/* The size with what it lacks: `octets`, or 2 or 4 more. */
uint64_t mail_measure_end(const struct mail_measure *m);

#endif
