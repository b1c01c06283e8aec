/* The octets between DATA and the end of the message: RFC 5321 §4.1.1.4 and §4.5.2.
 *
 * <CRLF>.<CRLF> ends a message and nothing else does; DATA's own CRLF is the first one's. A dot that
 * begins a line is taken away. A CR or LF alone and a NUL are noted (`bare`, `nul`), never obeyed:
 * the true end is found all the same, so that what follows is read as commands and what precedes it
 * never is, whatever spelling a sender tried (attacks SM-1 to SM-26).
 *
 * With `fix` a bare CR or LF becomes a CRLF in what is put out. It still begins no line in the sense
 * above: ".", "\r\n" behind it is text. */
#ifndef QASID_SMTP_DATA_H
#define QASID_SMTP_DATA_H

#include "lib/base/buf.h"

struct smtp_data {
  uint64_t octets;   /* of message so far: without the dots taken away, whether kept or not */
  uint8_t at;        /* see data.c */
  bool fix;          /* set by the caller */
  bool line_start;   /* the next octet put out begins a line */
  bool bare, nul;    /* seen so far */
  bool dots;         /* some line that was put out begins with "." */
};

void smtp_data_start(struct smtp_data *d, bool fix);
/* Takes octets off `*in` until the message ends (true), or `*in` is empty, or `out` is full; what is
 * message goes to `out`, as wire form without stuffing. `out` may be NULL: nothing is kept.
 * `out` counts as full when it has no room for three octets. */
bool smtp_data_take(struct smtp_data *d, struct slice *in, struct buf *out);

/* The other way: text in wire form (CRLF) becomes what follows DATA. Feed the pieces, then end. */
struct smtp_stuff {
  uint8_t last[2]; /* the last two octets that were put */
  bool any;
};
void smtp_stuff_put(struct smtp_stuff *s, struct buf *out, struct slice text);
/* The CRLF that the text lacked, and the end mark. */
void smtp_stuff_end(struct smtp_stuff *s, struct buf *out);

#endif
