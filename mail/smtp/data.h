/* SPDX-License-Identifier: ISC */
/* The octets between DATA and the end of the message: RFC 5321 §4.1.1.4 and §4.5.2.
 *
 * <CRLF>.<CRLF> ends a message and nothing else does; DATA's own CRLF counts as the first. A dot
 * that begins a line is removed. The true end is found whatever a sender tries (attacks SM-1 to
 * SM-26): what follows it is read as commands and what precedes it never is.
 *
 * The message passes through mail/clean.h, which leaves no CR or LF alone and no NUL, and counts
 * them; code that refuses such messages uses those counts. A line that begins after a bare CR or LF
 * is not a line in the sense above, so "." CRLF there is text. But a sender that ends lines this
 * way has stuffed them accordingly: of two dots there one is removed. */
#ifndef QASID_SMTP_DATA_H
#define QASID_SMTP_DATA_H

#include "mail/clean.h"

struct smtp_data {
  struct mail_clean clean; /* counts what was put out, whether it was kept or not */
  uint8_t at;              /* see data.c */
};

void smtp_data_start(struct smtp_data *d);
/* Takes octets off `*in` until the message ends (true), or `*in` is empty, or `out` is full; the
 * message's octets go to `out`, in wire form without stuffing. `out` may be NULL: nothing is kept.
 * `out` counts as full when it has no more than MAIL_CLEAN_ROOM octets of room. */
bool smtp_data_take(struct smtp_data *d, struct slice *in, struct buf *out);
/* A CR or LF alone was among the octets so far. */
static inline bool smtp_data_bare(const struct smtp_data *d) {
  return d->clean.changed.crs || d->clean.changed.lfs;
}

/* The opposite direction: text in wire form (CRLF) becomes what follows DATA. Put the pieces, then
 * end. */
struct smtp_stuff {
  uint8_t last[2]; /* the last two octets that were put */
  bool any;
};
void smtp_stuff_put(struct smtp_stuff *s, struct buf *out, struct slice text);
/* Puts the CRLF if the text lacks it, and the end mark. */
void smtp_stuff_end(struct smtp_stuff *s, struct buf *out);

#endif
