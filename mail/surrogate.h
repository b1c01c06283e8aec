/* SPDX-License-Identifier: ISC */
/* The surrogate of a message: what a client gets that did not declare that it reads UTF-8 (RFC 6856
 * §2.1). Fields with valid UTF-8 in them become ASCII: the message's own, those of its MIME parts,
 * those of enclosed messages. All else is the message's, octet for octet; a message without such
 * fields is its own surrogate.
 *
 * Input: the message in wire form, in pieces of any size. Output: its surrogate, which does not
 * depend on how the octets were cut. Fields are converted one at a time in one of two ways
 * (surrogate_field.h). What cannot be parsed passes unchanged, because a client may be able to
 * handle it:
 *
 *   - a field that is not all UTF-8 (raw GBK, Shift-JIS, KOI8-R, Latin-1), or has a NUL;
 *   - a line in a header that is not a field;
 *   - everything below multipart/signed and multipart/encrypted, or the signature would break (the
 *     header that declares multipart/signed itself is outside of it);
 *   - a field of more than SURROGATE_FIELD_MAX octets;
 *   - everything in a multipart that is not followed (mime.h).
 *
 * Bodies are not examined, except for the delimiter lines between parts (8-bit bodies are a matter
 * of 8BITMIME), and except for Original-Recipient and Final-Recipient in a message/delivery-status
 * or message/global-delivery-status (RFC 6857 §4.2). A message/rfc822 or message/global in a
 * transfer encoding is a body like any other, and its Content-Type is unchanged.
 *
 * Sizes are stored (src/store): a change of the output for any message needs a step in
 * src/store/sql/schema.c, "UPDATE entry SET surrogate = NULL WHERE surrogate > 1", and the same for
 * `deleted`, so that they are measured again.
 *
 * Memory: this struct, and an incomplete field. */
#ifndef QASID_MAIL_SURROGATE_H
#define QASID_MAIL_SURROGATE_H

#include "mail/measure.h"
#include "mail/mime.h"
#include "mail/surrogate_field.h"

enum {
  SURROGATE_FIELD_MAX = 32 * 1024, /* a To: field of some 500 mailboxes */
  SURROGATE_LINE = 1000,           /* octets of a delimiter line that are examined */
};

/* The encoding of a surrogate's size: 0 if it was not measured, 1 for a message that is its own
 * surrogate, else twice the size, plus one if it is RFC 6858's. (No complete message has fewer than
 * 2 octets.) */
enum { SURROGATE_UNKNOWN = 0, SURROGATE_SAME = 1 };
/* The value for a user of that kind of surrogates: UNKNOWN if it is for the other. */
static inline uint64_t surrogate_known(uint64_t known, enum surrogate_way way) {
  return known <= SURROGATE_SAME || (known & 1) == (way == SURROGATE_6858) ? known
                                                                           : SURROGATE_UNKNOWN;
}
/* The size itself, from a value that is neither UNKNOWN nor SAME. */
static inline uint64_t surrogate_octets(uint64_t known) { return known >> 1; }
/* The same for a message with `more` octets of ASCII around it. */
static inline uint64_t surrogate_with(uint64_t known, uint64_t more) { return known + 2 * more; }

struct surrogate {
  enum surrogate_way way;
  uint64_t taken, put; /* octets */
  bool changed;        /* some field came out differently */
  bool failed;         /* no memory: the output is unusable */

  /* the line, and the field it belongs to */
  enum mail_at at;
  struct buf field; /* octets of a field that came in earlier pieces */
  bool spilled;     /* the field is too long: it passes unchanged */
  bool single;      /* its first line is complete, and was examined */

  /* the position in the message */
  enum { SURROGATE_HEADER, SURROGATE_PARTS, SURROGATE_REST } in;
  bool deep;   /* in a multipart that is not followed */
  bool status; /* these fields are a delivery report's */
  uint8_t line[SURROGATE_LINE];
  uint16_t line_n;

  struct mime_header header; /* what this header contained so far */
  struct mime_parts parts;
};

void surrogate_open(struct surrogate *s, enum surrogate_way way);
/* The next piece. With `out` NULL it is only measured; else `out` needs room for SURROGATE_GROWTH
 * times the piece and SURROGATE_FIELD_MAX. */
void surrogate_put(struct surrogate *s, struct slice piece, struct buf *out);
/* The message has ended: puts what was held. s->put is then the size of the surrogate. */
void surrogate_end(struct surrogate *s, struct buf *out);
/* After the end: the size, encoded as above. */
uint64_t surrogate_size(const struct surrogate *s);
/* Frees its memory. */
void surrogate_close(struct surrogate *s);

#endif
