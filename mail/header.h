/* SPDX-License-Identifier: ISC */
/* Reading a message's header by slices: RFC 5322 §2.2.
 *
 * Lines end in CRLF, as everywhere after the front-ends. A field is a line and the following lines
 * that begin with a space or tab; the header ends with an empty line or with the message. */
#ifndef QASID_MAIL_HEADER_H
#define QASID_MAIL_HEADER_H

#include "lib/base/buf.h"

struct header_field {
  struct slice name; /* empty: the line is not a field (no colon, or not a name before it) */
  struct slice body; /* after the colon, still folded, without the last CRLF */
  struct slice raw;  /* all of it, with every CRLF */
};

/* Where the body begins: after the empty line. message.n if there is none. */
size_t header_end(struct slice message);
/* Takes the next field off `*rest`. False at the empty line (which is left) and at the end. */
bool header_next(struct slice *rest, struct header_field *ret);
/* The first field of that name; false when there is none. */
bool header_find(struct slice message, struct slice name, struct header_field *ret);
/* True if all of it is whole fields, each ended by CRLF, so that it may be prepended to a
 * message. */
bool header_is_fields(struct slice s);
/* The number of fields of that name in the header. */
size_t header_count(struct slice message, struct slice name);
/* Puts a field's body on one line: removes each CRLF before a space or tab (RFC 5322 §2.2.3), and
 * surrounding white space. */
void header_unfold(struct buf *out, struct slice body);

/* Prepares a message for fields to be prepended, so that its beginning does not become part of
 * them, nor of the header if it is not a header field (RFC 5321 §4.4). In `b` the message's first
 * octets begin at `at`. If the first line begins with a space or tab, or is not a field, an empty
 * line is inserted; a "From " line, of an mbox, becomes a field "X-Mailbox-Line". `whole`: there
 * are no more octets. False: more are needed to decide, and nothing was done. */
bool header_settle(struct buf *b, size_t at, bool whole);

/* Counts the Received: fields of a message that comes in pieces, however it is cut. Start with all
 * zero. */
struct header_hops {
  size_t count;
  uint8_t matched; /* the number of octets of "received" that this line has matched */
  uint8_t line;    /* the position of the next octet in the line; see header.c */
  bool over;       /* the empty line was seen */
};
void header_hops(struct header_hops *h, struct slice piece);

#endif
