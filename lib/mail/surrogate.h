/* The surrogate of a message: what a client gets that did not say that it reads UTF-8 (RFC 6856 §2.1).
 * Every header in it is ASCII: the message's own, those of its MIME parts, those of messages in it. All
 * else is the message's, octet for octet; a message whose headers are ASCII is its own surrogate.
 *
 * In: the message in wire form, in pieces of any size. Out: its surrogate; how the pieces were cut makes
 * no difference. Fields are converted one at a time as RFC 6857 has it (surrogate_field.h); what
 * cannot be converted so passes with "?" for each octet that is not ASCII (RFC 6858's spirit, and that
 * of every limit here):
 *
 *   - a field of more than SURROGATE_FIELD_MAX octets;
 *   - in parts nested deeper than SURROGATE_DEPTH, or of a multipart whose boundary can't be read, the
 *     lines between one that begins with "--" and the next empty one.
 *
 * Bodies are not looked into, but for the lines that part them: a body with eight bits is 8BITMIME's
 * matter. A message/rfc822 or message/global in a transfer encoding is a body like any other, and its
 * Content-Type stays what it is.
 *
 * Sizes are kept (src/store): whoever changes what comes out for any message adds a step to
 * src/store/schema.c, "UPDATE entry SET surrogate = NULL WHERE surrogate > 1", so that they are taken anew.
 *
 * Memory: this struct, and a field of which an octet is still to come. */
#ifndef QASID_MAIL_SURROGATE_H
#define QASID_MAIL_SURROGATE_H

#include "lib/mail/measure.h"
#include "lib/mail/surrogate_field.h"

enum {
  SURROGATE_FIELD_MAX = 32 * 1024, /* a To: field of some 500 mailboxes */
  SURROGATE_DEPTH = 16,
  SURROGATE_BOUNDARY_MAX = 70,     /* RFC 2046 §5.1.1 */
  SURROGATE_LINE = 80,             /* of a delimiter line that much is looked at */
};

/* How a surrogate's size is told: 0 by who did not measure, 1 for a message that is its own surrogate. (No
 * whole message has fewer than 2 octets.) */
enum { SURROGATE_UNKNOWN = 0, SURROGATE_SAME = 1 };

struct surrogate_level {
  uint8_t n;
  bool digest; /* its parts are messages unless they say otherwise: RFC 2046 §5.1.5 */
  uint8_t boundary[SURROGATE_BOUNDARY_MAX];
};

struct surrogate {
  uint64_t taken, put; /* octets */
  bool changed;        /* some field was not ASCII */
  bool failed;         /* no memory: what was put is of no use */

  /* the line, and the field it belongs to */
  enum mail_at at;
  struct buf field;    /* octets of a field that came in earlier pieces */
  bool spilled;        /* the field is too long: it passes as it comes */
  bool single;         /* its first line is whole, and was looked at */

  /* where in the message */
  enum { SURROGATE_HEADER, SURROGATE_PARTS, SURROGATE_REST } in;
  bool deep, blur;     /* parts that nobody tracks; and in what may be their header */
  uint8_t line[SURROGATE_LINE];
  uint8_t line_n;

  /* what this header said so far */
  enum { SURROGATE_LEAF, SURROGATE_MULTIPART, SURROGATE_MESSAGE } type;
  bool has_type, encoded;
  struct surrogate_level next; /* the multipart's */

  uint8_t depth;
  struct surrogate_level levels[SURROGATE_DEPTH];
};

void surrogate_open(struct surrogate *s);
/* The next piece. With `out` NULL it is only measured; else `out` needs room for SURROGATE_GROWTH times
 * the piece and SURROGATE_FIELD_MAX. */
void surrogate_put(struct surrogate *s, struct slice piece, struct buf *out);
/* The message has ended: what was still held. s->put is then the size of the surrogate. */
void surrogate_end(struct surrogate *s, struct buf *out);
/* After the end: the size, told as above. */
uint64_t surrogate_size(const struct surrogate *s);
/* Gives back what it holds. */
void surrogate_close(struct surrogate *s);

#endif
