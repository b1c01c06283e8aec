/* SPDX-License-Identifier: ISC */
/* Conversion of a message with 8-bit octets for a server that accepts 7-bit only (RFC 6152 §3):
 * each MIME part that has such octets is encoded in quoted-printable or base64 (RFC 2045 §6), so
 * that a reader decodes the same octets.
 *
 * Two passes over the message in wire form, in pieces of any size. The first scans: it makes a
 * plan, an octet for each header in the message. The second writes what the plan says. Neither
 * depends on how the octets are cut into pieces.
 *
 *   multipart/…, message/rfc822   are followed; their label "8bit" or "binary" becomes "7bit"
 *   all other parts               quoted-printable, or base64 where more than a sixth is 8-bit
 *   preambles and epilogues       not in the message (RFC 2046 §5.1.1): "?" for each 8-bit octet
 *
 * What cannot be converted is reported: 8-bit octets below multipart/signed or multipart/encrypted,
 * whose signature would break; in a header, where no transfer encoding applies; in message/partial
 * (RFC 2046 §5.2.2), in a part with an unknown encoding, or beyond the limits.
 *
 * Memory: this struct, a header, a line's beginning; the plan. */
#ifndef QASID_MAIL_SEVEN_H
#define QASID_MAIL_SEVEN_H

#include "mail/mime.h"

enum {
  SEVEN_HEADER_MAX = 256 * 1024, /* of one part */
  SEVEN_PLAN_MAX = 10000,        /* headers of a message */
  SEVEN_LINE = 1000,             /* maximum octets of a line that are held */
  SEVEN_GROWTH = 4,              /* the output is at most this many times the input … */
  SEVEN_FIELDS_MAX = 256,        /* … plus this much for each header */
};

enum seven_verdict {
  SEVEN_CAN,
  SEVEN_SEALED,
  SEVEN_IN_HEADER,
  SEVEN_ENCODED,
  SEVEN_BEYOND,
  SEVEN_VERDICTS
};
/* The reason, to follow "… cannot be converted to 7 bits: ". */
const char *seven_why(enum seven_verdict v);

struct seven {
  struct buf *plan;
  bool writes;
  enum seven_verdict verdict; /* the first obstacle */
  bool eight_bit;             /* some octet was above 127 */
  /* one in a header, at any level: these need SMTPUTF8 (RFC 6531 §3.2) */
  bool header_high;
  size_t node; /* headers so far */

  enum { SEVEN_HEADER, SEVEN_LEAF, SEVEN_BETWEEN } in;
  /* the beginning of an incomplete line, or octets held back from a long one */
  struct buf line;
  bool mid;   /* the beginning of this line was processed */
  bool whole; /* the header is one of a message, not of a part */
  struct buf head;

  /* the leaf */
  uint8_t action;
  bool opaque; /* it must not be encoded */
  uint64_t size, high;
  size_t width, longest;
  /* its encoder */
  size_t column;
  uint8_t triple[3], triples;
  bool crlf; /* base64: a line end that may be the next delimiter's */

  struct mime_header header; /* the last one */
  struct mime_parts parts;
};

/* The first pass: `plan` is empty, of SEVEN_PLAN_MAX. The second: `plan` as the first left it. */
void seven_begin(struct seven *s, struct buf *plan, bool writes);
/* The next piece. `out`: NULL in the first pass. */
void seven_put(struct seven *s, struct slice piece, struct buf *out);
/* The message has ended. */
void seven_end(struct seven *s, struct buf *out);
/* Frees its memory; `plan` stays. */
void seven_free(struct seven *s);

#endif
