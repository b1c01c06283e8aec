/* SPDX-License-Identifier: ISC */
/* The surrogate of a message that comes in pieces: the position in the message, and the fields to
 * convert.
 *
 *                         empty line                          delimiter
 *     SURROGATE_HEADER ──────────────▶ leaf, in no multipart: SURROGATE_REST      (to the end)
 *          ▲   ▲                 └───▶ else:                  SURROGATE_PARTS ──┐
 *          │   └── empty line of a message/rfc822                  │            │
 *          └─────────────── delimiter of any level that is open ◀──┴────────────┘
 *
 * Invariants:
 *   1. Octets are put in order: a field once the octet after it was seen, all else at once.
 *   2. Whether a field is converted depends on it and on its place, never on the pieces.
 *   3. At most a field (SURROGATE_FIELD_MAX) and a line's first SURROGATE_LINE octets are held. */
#include "mail/surrogate.h"

#include "lib/base/utf8.h"

void surrogate_open(struct surrogate *s, enum surrogate_way way) {
  *s = (struct surrogate){ .at = MAIL_AT_START, .way = way };
  buf_init(&s->field, SURROGATE_FIELD_MAX);
  mime_parts_init(&s->parts);
}

void surrogate_close(struct surrogate *s) {
  buf_free(&s->field);
  mime_parts_free(&s->parts);
}

/* --- octets out --- */

static void emit(struct surrogate *s, struct slice octets, struct buf *out) {
  s->put += octets.n;
  if (out) buf_put(out, octets);
}

static void emit_converted(struct surrogate *s, struct slice field, struct buf *out) {
  struct buf text;
  buf_init(&text, (size_t)SURROGATE_GROWTH * (field.n + 16));
  surrogate_field(&text, field, s->way);
  s->changed |= !slice_eq(buf_slice(&text), field);
  s->failed |= text.failed;
  emit(s, buf_slice(&text), out);
  buf_free(&text);
}

/* --- the contents of a header --- */

static void begin_header(struct surrogate *s, bool in_digest) {
  s->in = SURROGATE_HEADER;
  s->status = false;
  s->at = MAIL_AT_START;
  mime_header_begin(&s->header, in_digest);
}

static void begin_parts(struct surrogate *s) {
  s->in = s->parts.depth || s->deep ? SURROGATE_PARTS : SURROGATE_REST;
  s->line_n = 0;
}

/* A message within this one, or the fields of a report: one block for each recipient, separated by
 * empty lines. */
static bool begins_header(const struct mime_header *h) {
  bool encoded = h->encoding == MIME_QUOTED_PRINTABLE || h->encoding == MIME_BASE64;
  bool message = h->kind == MIME_MESSAGE || h->kind == MIME_GLOBAL;
  return (message || h->kind == MIME_STATUS) && !encoded;
}

static void header_over(struct surrogate *s) {
  bool status = s->header.kind == MIME_STATUS;
  if (begins_header(&s->header)) {
    begin_header(s, false);
    if (status) s->header.kind = MIME_STATUS;
    s->status = status;
    return;
  }
  if (s->header.kind == MIME_MULTIPART && !mime_parts_open(&s->parts, &s->header)) s->deep = true;
  s->failed |= s->header.failed || s->parts.boundaries.failed;
  begin_parts(s);
}

/* The line ended: applies it if it is a delimiter. */
static bool delimiter(struct surrogate *s, struct slice line) {
  struct mime_delimiter d;
  if (!mime_parts_find(&s->parts, line, true, &d)) return false;
  mime_parts_go(&s->parts, &d);
  s->deep = false;
  if (d.closes)
    begin_parts(s);
  else
    begin_header(s, d.digest);
  return true;
}

/* --- a header's lines --- */

/* True if this field is to be converted: see surrogate.h for those that are not. */
static bool is_wanted(const struct surrogate *s, struct slice field) {
  if (s->parts.sealed || !surrogate_wants(field) || !utf8_is_valid(field) ||
      slice_find(field, 0) >= 0)
    return false;
  if (!s->status) return true;
  return slice_case_starts(field, SLICE("Original-Recipient:")) ||
         slice_case_starts(field, SLICE("Final-Recipient:"));
}

/* A whole field, or a line that is not a field. */
static void take_field(struct surrogate *s, struct slice field, struct buf *out) {
  if (slice_eq(field, SLICE("\r\n"))) {
    emit(s, field, out);
    header_over(s);
    return;
  }
  if (!s->status) mime_header_field(&s->header, field);
  if (is_wanted(s, field))
    emit_converted(s, field, out);
  else
    emit(s, field, out);
}

static void field_over(struct surrogate *s, struct slice here, struct buf *out) {
  bool first = buf_len(&s->field) == 0;
  if (s->spilled) {
    emit(s, here, out);
  } else if (first && here.n <= SURROGATE_FIELD_MAX) {
    take_field(s, here, out);
  } else if (here.n > buf_room(&s->field)) {
    emit(s, buf_slice(&s->field), out);
    emit(s, here, out);
  } else {
    buf_put(&s->field, here);
    s->failed |= s->field.failed;
    take_field(s, buf_slice(&s->field), out);
  }
  s->spilled = s->single = false;
  buf_reset(&s->field);
}

/* Octets of a field that continues in the next piece. */
static void hold(struct surrogate *s, struct slice here, struct buf *out) {
  if (!s->spilled && here.n > buf_room(&s->field)) {
    emit(s, buf_slice(&s->field), out);
    buf_reset(&s->field);
    s->spilled = true;
  }
  if (s->spilled)
    emit(s, here, out);
  else
    buf_put(&s->field, here);
  s->failed |= s->field.failed;
}

/* True if the octets of the field so far are whole lines and the next octet does not continue
 * them. */
static bool ends_before(const struct surrogate *s, struct slice rest, bool any) {
  int c = slice_at(rest, 0);
  return any && s->at == MAIL_AT_START && c != ' ' && c != '\t';
}

/* The empty line, and a delimiter, which as in a body is recognized by its first octets: no line
 * continues them. The held octets and `here` are the field so far. */
static bool single_line(struct surrogate *s, struct slice here, struct buf *out) {
  struct slice held = slice_first(buf_slice(&s->field), SURROGATE_LINE), line;
  uint8_t mem[SURROGATE_LINE];
  size_t more = here.n < sizeof mem - held.n ? here.n : sizeof mem - held.n;
  if (s->spilled || s->at != MAIL_AT_START || s->single) return false;
  s->single = true; /* the first line of this field has been examined */
  if (held.n) memcpy(mem, held.p, held.n);
  if (more) memcpy(mem + held.n, here.p, more);
  line = slice_of(mem, held.n + more);
  if (slice_eq(line, SLICE("\r\n"))) {
    field_over(s, here, out);
    return true;
  }
  if (buf_len(&s->field) + here.n > SURROGATE_FIELD_MAX || !slice_starts(line, SLICE("--")) ||
      !delimiter(s, line))
    return false;
  emit(s, buf_slice(&s->field), out);
  emit(s, here, out);
  buf_reset(&s->field);
  s->single = false;
  return true;
}

/* Takes lines of a header off `*piece`, until the header ends. */
static void header_lines(struct surrogate *s, struct slice *piece, struct buf *out) {
  struct slice field = *piece; /* from the current field's first octet in this piece */
  while (s->in == SURROGATE_HEADER && piece->n) {
    size_t n = field.n - piece->n;
    if (ends_before(s, *piece, n || buf_len(&s->field) || s->spilled)) {
      field_over(s, slice_first(field, n), out);
      field = *piece;
      continue;
    }
    ptrdiff_t lf = slice_find(*piece, '\n');
    struct slice line = lf < 0 ? *piece : slice_first(*piece, (size_t)lf + 1);
    bool empty;
    s->at = lf < 0 ? mail_at_after(s->at, line) : mail_at_line_end(s->at, line, &empty);
    *piece = slice_from(*piece, line.n);
    if (single_line(s, slice_first(field, field.n - piece->n), out)) field = *piece;
  }
  hold(s, slice_first(field, field.n - piece->n), out);
}

/* --- a body with parts in it --- */

static void note_line(struct surrogate *s, struct slice line) {
  size_t n = SURROGATE_LINE - s->line_n;
  if (s->line_n == 0 && slice_at(line, 0) != '-') n = 0;
  if (n > line.n) n = line.n;
  if (n) memcpy(s->line + s->line_n, line.p, n);
  s->line_n = (uint16_t)(s->line_n + n);
}

/* A line ended; its beginning is in s->line. */
static void line_over(struct surrogate *s) {
  struct slice line = slice_of(s->line, s->line_n);
  s->line_n = 0;
  if (slice_starts(line, SLICE("--"))) delimiter(s, line);
}

/* True if a line begins at `i` of the piece; `at` is the position at its start. */
static bool line_begins(struct slice piece, size_t i, enum mail_at at) {
  if (i == 0) return at == MAIL_AT_START;
  if (slice_at(piece, i - 1) != '\n') return false;
  return i == 1 ? at == MAIL_AT_CR || at == MAIL_AT_START_CR : slice_at(piece, i - 2) == '\r';
}

/* The number of octets before the next line that begins with "-": only such a line can be a
 * delimiter. Text without "-" is skipped at the speed of memchr. */
static size_t plain_length(const struct surrogate *s, struct slice piece) {
  for (size_t n = 0; n < piece.n;) {
    ptrdiff_t dash = slice_find(slice_from(piece, n), '-');
    if (dash < 0) break;
    n += (size_t)dash;
    if (line_begins(piece, n, s->at)) return n;
    ptrdiff_t lf = slice_find(slice_from(piece, n), '\n'); /* a long row of dashes is examined
                                                            * once */
    if (lf < 0) break;
    n += (size_t)lf + 1;
    if (slice_at(piece, n) == '-' && line_begins(piece, n, s->at)) return n;
  }
  return piece.n;
}

static void skip_plain(struct surrogate *s, struct slice *piece) {
  size_t n = plain_length(s, *piece);
  if (n == 0) return;
  bool start = line_begins(*piece, n, s->at);
  s->at = start ? MAIL_AT_START : slice_at(*piece, n - 1) == '\r' ? MAIL_AT_CR : MAIL_AT_INSIDE;
  *piece = slice_from(*piece, n);
}

/* Takes lines of a body off `*piece`, until a header begins, and puts them as one. */
static void body_lines(struct surrogate *s, struct slice *piece, struct buf *out) {
  struct slice run = *piece;
  while (s->in == SURROGATE_PARTS && piece->n) {
    if (s->at == MAIL_AT_START || s->line_n == 0) skip_plain(s, piece);
    if (piece->n == 0) break;
    ptrdiff_t lf = slice_find(*piece, '\n');
    struct slice line = lf < 0 ? *piece : slice_first(*piece, (size_t)lf + 1);
    bool empty, at_start = s->at == MAIL_AT_START;
    if (at_start) s->line_n = 0;
    if (at_start || s->line_n) note_line(s, line);
    s->at = lf < 0 ? mail_at_after(s->at, line) : mail_at_line_end(s->at, line, &empty);
    *piece = slice_from(*piece, line.n);
    if (s->at == MAIL_AT_START) line_over(s);
  }
  emit(s, slice_first(run, run.n - piece->n), out);
}

/* --- the whole --- */

void surrogate_put(struct surrogate *s, struct slice piece, struct buf *out) {
  s->taken += piece.n;
  while (piece.n && s->in != SURROGATE_REST) {
    if (s->in == SURROGATE_HEADER)
      header_lines(s, &piece, out);
    else
      body_lines(s, &piece, out);
  }
  emit(s, piece, out);
}

uint64_t surrogate_size(const struct surrogate *s) {
  if (s->failed) return SURROGATE_UNKNOWN;
  return s->changed ? 2 * s->put + (s->way == SURROGATE_6858) : SURROGATE_SAME;
}

void surrogate_end(struct surrogate *s, struct buf *out) {
  if (s->in == SURROGATE_HEADER && (buf_len(&s->field) || s->spilled))
    field_over(s, SLICE_NONE, out);
  surrogate_close(s);
}
