/* SPDX-License-Identifier: ISC */
/* The MIME structure of a message (RFC 2045, RFC 2046): what a header says about the following
 * body, the open multiparts, and their delimiter lines. Pure. Its users (surrogate.c, seven.c) pass
 * whole fields and the beginnings of lines, and handle the octets themselves.
 *
 * Limits: a multipart that is nested deeper than MIME_DEPTH, or whose boundary is unreadable or
 * does not fit, is not opened; the user then treats it like any unknown content. */
#ifndef QASID_MAIL_MIME_H
#define QASID_MAIL_MIME_H

#include "lib/base/buf.h"

enum {
  MIME_DEPTH = 100,
  MIME_BOUNDARY_MAX = 990,         /* RFC 2046 §5.1.1 has 70, but a line 998 */
  MIME_BOUNDARIES_MAX = 16 * 1024, /* of all open multiparts together */
  MIME_FIELD_MAX = 32 * 1024,      /* of a Content-Type that is read for a boundary */
};

/* --- fields --- */

/* Takes everything up to the next ";" off `*rest`; whether one was there. */
struct slice mime_next_parameter(struct slice *rest, bool *ret_more);
/* Puts the value itself: a quoted string without its quotes, otherwise the text as written;
 * unfolded, without surrounding comments. */
void mime_put_value(struct buf *out, struct slice value);

/* --- a header --- */

enum mime_kind {
  MIME_LEAF,
  MIME_MULTIPART,
  MIME_MESSAGE, /* message/rfc822 */
  MIME_GLOBAL,  /* message/global: RFC 6532 §3.7 */
  MIME_STATUS,  /* message/delivery-status and message/global-delivery-status */
  MIME_PARTIAL, /* message/partial and message/external-body: never encoded, RFC 2046 §5.2 */
};
enum mime_encoding {
  MIME_NONE,
  MIME_7BIT,
  MIME_8BIT,
  MIME_BINARY, /* up to here the octets are not encoded */
  MIME_QUOTED_PRINTABLE,
  MIME_BASE64,
  MIME_OTHER,
};

struct mime_header {
  enum mime_kind kind;
  enum mime_encoding encoding;
  bool has_type;
  bool failed;         /* no memory: the boundary is not known */
  bool digest, sealed; /* multipart/digest; multipart/signed or multipart/encrypted */
  uint16_t n;          /* octets of the boundary; 0: none, or unreadable */
  uint8_t boundary[MIME_BOUNDARY_MAX];
};

/* A header begins. `in_digest`: its part is a message unless it says otherwise, RFC 2046 §5.1.5. */
void mime_header_begin(struct mime_header *h, bool in_digest);
/* A whole field, or a line that is not a field. The first Content-Type counts, as in clients, and
 * the last encoding. */
void mime_header_field(struct mime_header *h, struct slice field);

/* --- the multiparts that are open --- */

struct mime_level {
  uint16_t at, n; /* its boundary, in `boundaries` */
  bool digest;
};

struct mime_parts {
  uint8_t depth;
  uint8_t sealed; /* depth of the outermost multipart/signed or /encrypted that is open; 0: none */
  struct mime_level levels[MIME_DEPTH];
  struct buf boundaries; /* owned */
};

void mime_parts_init(struct mime_parts *p);
void mime_parts_free(struct mime_parts *p);
/* The multipart that `h` announces begins. False: it is not followed; see the limits. */
bool mime_parts_open(struct mime_parts *p, const struct mime_header *h);

/* A delimiter line, and its effect. */
struct mime_delimiter {
  uint8_t level; /* the level of its multipart */
  bool closes;   /* that multipart ends, and its epilogue follows; otherwise a part of it begins */
  bool digest;   /* it is multipart/digest */
};
/* True if a line is a delimiter of an open multipart: `line` is its first octets, with the line end
 * if those are all of it. A line that is a boundary and blanks takes precedence over one that only
 * begins with a boundary, which is accepted if `begins`. */
bool mime_parts_find(const struct mime_parts *p, struct slice line, bool begins,
                     struct mime_delimiter *ret);
/* Applies the delimiter: closes the inner multiparts (RFC 2046 §5.1.2), and its own if it is a
 * closing one. */
void mime_parts_go(struct mime_parts *p, const struct mime_delimiter *d);

#endif
