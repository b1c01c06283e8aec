/* SPDX-License-Identifier: ISC */
/* Conversion of a message to 7 bits, in two passes: a plan, then the output. Up to SEVEN_LINE
 * octets of a line are examined whole, because a delimiter must be distinguished from text. A
 * header is collected, and put when it is complete.
 *
 *   HEADER --empty line--> LEAF | BETWEEN (multipart: its preamble) | HEADER (message/rfc822)
 *   any    --delimiter---> HEADER, or BETWEEN behind the closing one */
#include "mail/seven.h"

#include "lib/base/codec.h"
#include "mail/header.h"

enum { ACT_KEEP, ACT_RELABEL, ACT_QP, ACT_BASE64, ACT_MEND_QP, ACT_MEND_BASE64 };
enum { QP_COLUMNS = 75, BASE64_TRIPLES = 19, LINE_LIMIT = 998 };

const char *seven_why(enum seven_verdict v) {
  static const char *const words[SEVEN_VERDICTS] = {
    [SEVEN_CAN] = "it can be",
    [SEVEN_SEALED] = "8-bit text is signed or encrypted",
    [SEVEN_IN_HEADER] = "8-bit characters stand in a header",
    [SEVEN_ENCODED] = "a part with 8-bit text may not be encoded",
    [SEVEN_BEYOND] = "it has too many or too deeply nested parts",
  };
  return words[v < SEVEN_VERDICTS ? v : 0];
}

static void against(struct seven *s, enum seven_verdict why) {
  if (s->verdict == SEVEN_CAN) s->verdict = why;
}

/* The encoding announced octets above 127. */
static bool is_labelled(const struct seven *s) {
  return s->header.encoding == MIME_8BIT || s->header.encoding == MIME_BINARY;
}

/* --- encoders --- */

static void put_escaped(struct buf *out, uint8_t c) {
  buf_put_u8(out, '=');
  hex_put_upper(out, c);
}

static void make_room(struct seven *s, struct buf *out, size_t n) {
  if (s->column + n > QP_COLUMNS) {
    buf_put_str(out, "=\r\n");
    s->column = 0;
  }
  s->column += n;
}

/* `mends`: it is quoted-printable already, apart from its 8-bit octets. */
static void put_qp(struct seven *s, struct slice line, bool ends, bool mends, struct buf *out) {
  size_t n = ends ? line.n - (slice_at(line, line.n - 2) == '\r' ? 2 : 1) : line.n;
  for (size_t i = 0; i < n; i++) {
    uint8_t c = line.p[i];
    bool blank = c == ' ' || c == '\t';
    bool plain =
        mends ? c < 0x80
              : (ascii_is_print(c) && c != '=' && !blank) || (blank && !(ends && i + 1 == n));
    if (mends && plain) {
      s->column++;
      buf_put_u8(out, c);
      continue;
    }
    make_room(s, out, plain ? 1 : 3);
    if (plain)
      buf_put_u8(out, c);
    else
      put_escaped(out, c);
  }
  if (!ends) return;
  buf_put(out, slice_from(line, n));
  s->column = 0;
}

static void end_base64_line(struct seven *s, struct buf *out) {
  if (s->column) buf_put_str(out, "\r\n");
  s->column = 0;
}

static void put_triple(struct seven *s, struct buf *out) {
  if (!s->triples) return;
  base64_put(out, slice_of(s->triple, s->triples));
  s->triples = 0;
  if (++s->column == BASE64_TRIPLES) end_base64_line(s, out);
}

static void base64_octets(struct seven *s, struct slice octets, struct buf *out) {
  for (size_t i = 0; i < octets.n; i++) {
    s->triple[s->triples++] = octets.p[i];
    if (s->triples == 3) put_triple(s, out);
  }
}

static void put_base64(struct seven *s, struct slice line, bool ends, struct buf *out) {
  if (s->crlf) base64_octets(s, SLICE("\r\n"), out);
  s->crlf = ends && slice_at(line, line.n - 2) == '\r';
  if (s->crlf) line.n -= 2;
  base64_octets(s, line, out);
}

/* A base64 decoder ignores characters outside its alphabet (RFC 2045 §6.8). */
static void put_ascii(struct slice line, struct buf *out) {
  for (size_t i = 0; i < line.n; i++)
    if (line.p[i] < 0x80) buf_put_u8(out, line.p[i]);
}

static void put_leaf(struct seven *s, struct slice line, bool ends, struct buf *out) {
  switch (s->action) {
  case ACT_QP: put_qp(s, line, ends, false, out); break;
  case ACT_MEND_QP: put_qp(s, line, ends, true, out); break;
  case ACT_BASE64: put_base64(s, line, ends, out); break;
  case ACT_MEND_BASE64: put_ascii(line, out); break;
  default: buf_put(out, line);
  }
}

/* --- the plan --- */

static void note(struct seven *s, size_t node, uint8_t action) {
  if (node < buf_len(s->plan)) s->plan->mem[s->plan->head + node] = action;
}

static uint8_t new_node(struct seven *s) {
  if (s->writes) return s->node < buf_len(s->plan) ? buf_slice(s->plan).p[s->node++] : ACT_KEEP;
  s->node++;
  buf_put_u8(s->plan, ACT_KEEP);
  if (s->plan->failed) against(s, SEVEN_BEYOND);
  return ACT_KEEP;
}

static void count_leaf(struct seven *s, struct slice line, bool ends) {
  s->size += line.n;
  s->width += line.n;
  if (s->width > s->longest) s->longest = s->width;
  if (ends) s->width = 0;
  for (size_t i = 0; i < line.n; i++) s->high += line.p[i] >= 0x80;
}

static uint8_t choose(struct seven *s) {
  bool labelled = is_labelled(s), long_lines = labelled && s->longest > LINE_LIMIT + 2;
  if (s->parts.sealed) {
    if (s->high) against(s, SEVEN_SEALED);
    return ACT_KEEP;
  }
  if (!s->high) return long_lines ? ACT_QP : labelled ? ACT_RELABEL : ACT_KEEP;
  if (s->opaque || s->header.encoding == MIME_OTHER) against(s, SEVEN_ENCODED);
  if (s->header.encoding == MIME_QUOTED_PRINTABLE) return ACT_MEND_QP;
  if (s->header.encoding == MIME_BASE64) return ACT_MEND_BASE64;
  return s->high > s->size / 6 ? ACT_BASE64 : ACT_QP;
}

/* `by_delimiter`: the preceding line end belongs to the delimiter (RFC 2046 §5.1.1). */
static void end_leaf(struct seven *s, bool by_delimiter, struct buf *out) {
  if (!s->writes) {
    note(s, s->node - 1, choose(s));
  } else if (s->action == ACT_BASE64) {
    if (s->crlf && !by_delimiter) base64_octets(s, SLICE("\r\n"), out);
    put_triple(s, out);
    end_base64_line(s, out);
  } else if ((s->action == ACT_QP || s->action == ACT_MEND_QP) && s->column) {
    buf_put_str(out, "\r\n");
  }
  s->column = 0;
  s->crlf = false;
}

/* --- headers --- */

static void read_header(struct seven *s, struct slice header) {
  struct header_field f;
  while (header_next(&header, &f)) mime_header_field(&s->header, f.raw);
}

static void put_label(struct buf *out, uint8_t action) {
  buf_put_str(out, "Content-Transfer-Encoding: ");
  buf_put_str(out, action == ACT_QP       ? "quoted-printable\r\n"
                   : action == ACT_BASE64 ? "base64\r\n"
                                          : "7bit\r\n");
}

/* The header with its new label. A message without MIME fields gets them; its charset is unknown
 * (RFC 1428 §3). */
static void put_head(struct seven *s, struct slice header, uint8_t action, struct buf *out) {
  struct header_field f;
  struct slice rest = header;
  bool labelled = false, version = false, type = false;
  if (action != ACT_RELABEL && action != ACT_QP && action != ACT_BASE64) {
    buf_put(out, header);
    return;
  }
  while (header_next(&rest, &f)) {
    bool label = slice_caseeq(f.name, SLICE("Content-Transfer-Encoding"));
    version |= slice_caseeq(f.name, SLICE("MIME-Version"));
    type |= slice_caseeq(f.name, SLICE("Content-Type"));
    if (!label)
      buf_put(out, f.raw);
    else if (!labelled)
      put_label(out, action);
    labelled |= label;
  }
  if (!version && s->whole && action != ACT_RELABEL) buf_put_str(out, "MIME-Version: 1.0\r\n");
  if (!type && action != ACT_RELABEL)
    buf_put_str(out, "Content-Type: text/plain; charset=unknown-8bit\r\n");
  if (!labelled) put_label(out, action);
  buf_put(out, rest);
}

static void begin_header(struct seven *s, bool whole, bool in_digest) {
  s->in = SEVEN_HEADER;
  s->whole = whole;
  buf_reset(&s->head);
  mime_header_begin(&s->header, in_digest);
}

/* A container: multipart, or a message in it. False: it is a leaf. */
static bool enter(struct seven *s) {
  const struct mime_header *h = &s->header;
  bool bare = h->encoding <= MIME_BINARY;
  if (h->kind == MIME_MESSAGE && bare) {
    begin_header(s, true, false);
    return true;
  }
  if (h->kind != MIME_MULTIPART || !bare) return false;
  if (mime_parts_open(&s->parts, h)) {
    s->in = SEVEN_BETWEEN;
    return true;
  }
  if (h->n) against(s, SEVEN_BEYOND);
  return false;
}

static void begin_leaf(struct seven *s, uint8_t action) {
  s->in = SEVEN_LEAF;
  s->action = action;
  s->opaque = s->header.kind == MIME_MULTIPART || s->header.kind == MIME_PARTIAL;
  s->size = s->high = 0;
  s->width = s->longest = s->column = 0;
  s->triples = 0;
  s->crlf = false;
}

static void end_header(struct seven *s, struct buf *out) {
  struct slice header = buf_slice(&s->head);
  size_t node = s->node;
  bool sealed = s->parts.sealed;
  uint8_t action = new_node(s);
  if (slice_has_high(header)) {
    s->header_high = true;
    against(s, sealed ? SEVEN_SEALED : SEVEN_IN_HEADER);
  }
  read_header(s, header);
  if (s->header.failed) against(s, SEVEN_BEYOND);
  if (s->writes) put_head(s, header, action, out);
  bool labelled = is_labelled(s);
  if (!enter(s))
    begin_leaf(s, action);
  else if (!s->writes && labelled && !sealed)
    note(s, node, ACT_RELABEL);
}

/* --- lines --- */

static void end_part(struct seven *s, bool by_delimiter, struct buf *out) {
  if (s->in == SEVEN_HEADER) end_header(s, out);
  if (s->in == SEVEN_LEAF) end_leaf(s, by_delimiter, out);
}

static void put_between(struct slice line, struct buf *out) {
  for (size_t i = 0; i < line.n; i++) buf_put_u8(out, line.p[i] < 0x80 ? line.p[i] : '?');
}

static void header_line(struct seven *s, struct slice line, bool ends, struct buf *out) {
  bool empty = !s->mid && (slice_eq(line, SLICE("\r\n")) || slice_eq(line, SLICE("\n")));
  buf_put(&s->head, line);
  if (s->head.failed) { /* it cannot be written any more */
    against(s, SEVEN_BEYOND);
    s->header_high |= slice_has_high(line);
  }
  if (empty) end_header(s, out);
}

static void take_delimiter(struct seven *s, const struct mime_delimiter *d, struct slice line,
                           struct buf *out) {
  end_part(s, true, out);
  mime_parts_go(&s->parts, d);
  if (s->writes) buf_put(out, line);
  if (d->closes)
    s->in = SEVEN_BETWEEN;
  else
    begin_header(s, false, d->digest);
}

static void take_line(struct seven *s, struct slice line, bool ends, struct buf *out) {
  struct mime_delimiter d;
  s->eight_bit |= slice_has_high(line);
  if (!s->mid && mime_parts_find(&s->parts, line, false, &d)) {
    take_delimiter(s, &d, line, out);
  } else if (s->in == SEVEN_HEADER) {
    header_line(s, line, ends, out);
  } else if (s->in == SEVEN_LEAF) {
    if (s->writes)
      put_leaf(s, line, ends, out);
    else
      count_leaf(s, line, ends);
  } else if (s->writes) {
    put_between(line, out);
  } else if (slice_has_high(line) && s->parts.sealed) {
    against(s, SEVEN_SEALED);
  }
  s->mid = !ends;
}

/* Octets at the end whose meaning depends on what follows: CR, a blank before it or before a line
 * end. */
static size_t held_back(struct slice s) {
  size_t n = slice_at(s, s.n - 1) == '\r';
  int c = s.n > n ? s.p[s.n - n - 1] : 0;
  return n + (c == ' ' || c == '\t');
}

/* --- the outside --- */

void seven_begin(struct seven *s, struct buf *plan, bool writes) {
  *s = (struct seven){ .plan = plan, .writes = writes };
  buf_init(&s->line, 2 * SEVEN_LINE);
  buf_init(&s->head, SEVEN_HEADER_MAX);
  mime_parts_init(&s->parts);
  begin_header(s, true, false);
}

void seven_free(struct seven *s) {
  buf_free(&s->line);
  buf_free(&s->head);
  mime_parts_free(&s->parts);
}

/* Continues a line that began in an earlier piece: up to its end, or as far as lines are
 * examined. */
static struct slice complete(struct seven *s, struct slice piece, struct buf *out) {
  ptrdiff_t lf = slice_find(piece, '\n');
  size_t want = SEVEN_LINE > buf_len(&s->line) ? SEVEN_LINE - buf_len(&s->line) : 1;
  size_t n = lf >= 0 && (size_t)lf < want ? (size_t)lf + 1 : want < piece.n ? want : piece.n;
  bool ends = lf >= 0 && n == (size_t)lf + 1;
  buf_put(&s->line, slice_first(piece, n));
  struct slice line = buf_slice(&s->line);
  if (!ends && line.n < SEVEN_LINE) return slice_from(piece, n);
  size_t hold = ends ? 0 : held_back(line);
  take_line(s, slice_first(line, line.n - hold), ends, out);
  buf_drop(&s->line, line.n - hold);
  return slice_from(piece, n);
}

void seven_put(struct seven *s, struct slice piece, struct buf *out) {
  while (piece.n) {
    ptrdiff_t lf = slice_find(piece, '\n');
    if (buf_len(&s->line) || lf < 0 || lf >= SEVEN_LINE) {
      piece = complete(s, piece, out);
      continue;
    }
    take_line(s, slice_first(piece, (size_t)lf + 1), true, out);
    piece = slice_from(piece, (size_t)lf + 1);
  }
  if (s->line.failed) against(s, SEVEN_BEYOND);
}

void seven_end(struct seven *s, struct buf *out) {
  if (buf_len(&s->line)) take_line(s, buf_slice(&s->line), false, out);
  buf_reset(&s->line);
  end_part(s, false, out);
}
