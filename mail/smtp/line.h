/* SPDX-License-Identifier: ISC */
/* Splits a stream into command lines. <CRLF> ends a line and nothing else does (RFC 5321 §2.3.8): a
 * CR or LF alone, or a NUL, spoils the line that contains it. Such a line gets a reply at once, so
 * that a client that ends its lines with LF learns why; what follows is discarded up to the next
 * CRLF, and each LF in that gets the same reply: a client that ends lines with LF gets a reply to
 * each line, and no command is executed. */
#ifndef QASID_SMTP_LINE_H
#define QASID_SMTP_LINE_H

#include "lib/base/slice.h"

/* Maximum octets of one spoilt or endless line that are read before the connection ends. */
enum { SMTP_DISCARD_MAX = 128 * 1024 };

enum smtp_line_result {
  SMTP_LINE_MORE,    /* no end yet, nothing taken */
  SMTP_LINE_OK,      /* `*ret` is the line without its CRLF */
  SMTP_LINE_BAD,     /* a bare CR or LF, or a NUL: refuse */
  SMTP_LINE_LONG,    /* longer than `limit` with its CRLF: refuse */
  SMTP_LINE_SKIPPED, /* octets of a line that was already refused; no reply */
  SMTP_LINE_ENDLESS, /* SMTP_DISCARD_MAX passed: close */
};

/* The position in a spoilt line. Zero: in none. */
struct smtp_line {
  uint32_t discarded;
  bool discarding;
  bool after_cr; /* the last discarded octet was a CR */
};

/* Takes one line (or a discarded part of one) off `*in`. Nothing is kept between calls but `*l`; an
 * unfinished line of at most `limit` octets (itself at most half of SMTP_DISCARD_MAX) is left in
 * `*in`, to be passed again with more octets. */
enum smtp_line_result smtp_line_take(struct smtp_line *l, struct slice *in, size_t limit,
                                     struct slice *ret);
/* The next line as smtp_line_take would return it, if it is complete and valid; nothing is
 * taken. */
bool smtp_line_peek(const struct smtp_line *l, struct slice in, size_t limit, struct slice *ret);

#endif
