/* SPDX-License-Identifier: ISC */
/* Writes a message as a multi-line response (RFC 1939 §3), piece by piece.
 *
 * Input: the stored message, in pieces of any size. Output: its lines, byte-stuffed, and the final
 * ".". What is sent always has the size that LIST announced for it:
 *
 *   1. The announced size counts the octets that are sent before stuffing, without the final ".".
 *   2. Each octet of the message counts as itself. A NUL is sent as 0x80: same length.
 *   3. A message that does not end with CRLF gets one: two octets more.
 *   4. A message whose header is not ended by an empty line gets one at its end (so that what a
 *      client appends or shows has a header and an empty body): two octets more.
 *   5. mail_measure_*() (mail/measure.h) computes that size; store keeps messages complete, so it
 *      is the size of what is stored. When an announced size omits rule 4's line, RETR omits it
 *      too. Any other difference is a damaged message: POP3_STUFF_WRONG, and the connection must
 *      be closed before the final ".".
 *   6. More octets than announced are never sent.
 *
 * A line begins after CRLF only, as in RFC 1939. One pass with memchr; no copy except into
 * `out`. */
#ifndef QASID_POP3_STUFF_H
#define QASID_POP3_STUFF_H

#include "lib/base/buf.h"
#include "mail/measure.h"

enum pop3_stuff {
  POP3_STUFF_MORE, /* the message goes on */
  POP3_STUFF_DONE, /* the response is whole, final "." included */
  POP3_STUFF_WRONG /* the size is not what was announced (or `out` failed); nothing more was put */
};

struct pop3_stuffer {
  uint64_t announced;
  uint64_t taken;      /* octets of the message so far */
  uint64_t lines_left; /* TOP: lines of the body still to go */
  enum mail_at at;
  bool in_header;
  bool top;
};

/* For RETR. */
void pop3_stuff_open(struct pop3_stuffer *st, uint64_t announced);
/* For TOP: the header, its empty line, and `lines` lines of the body (RFC 1939 §7). */
void pop3_stuff_open_top(struct pop3_stuffer *st, uint64_t announced, uint64_t lines);
/* The next piece, at most half of the room in `out`. DONE only for TOP, when its lines are out. */
enum pop3_stuff pop3_stuff_put(struct pop3_stuffer *st, struct slice piece, struct buf *out);
/* The message has ended: puts what is missing, and the final ".". DONE or WRONG. */
enum pop3_stuff pop3_stuff_end(struct pop3_stuffer *st, struct buf *out);

#endif
