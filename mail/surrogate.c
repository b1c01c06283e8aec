/* SPDX-License-Identifier: ISC */
/* The surrogate of a message that comes in pieces: where in the message the octets are, and which
 * fields are converted.
 *
 *                         empty line                          delimiter
 *     SURROGATE_HEADER ──────────────▶ leaf, in no multipart: SURROGATE_REST      (to the end)
 *          ▲   ▲                 └───▶ else:                  SURROGATE_PARTS ──┐
 *          │   └── empty line of a message/rfc822                  │            │
 *          └─────────────── delimiter of any level that is open ◀──┴────────────┘
 *
 * Invariants:
 *   1. Octets leave in order: a field when the octet behind it was seen, all else at once.
 *   2. Whether a field is converted depends on it and on its place, never on the pieces.
 *   3. Held are a field (SURROGATE_FIELD_MAX at most) and a line's first SURROGATE_LINE octets. */
#include "mail/surrogate.h"

#include "lib/base/utf8.h"

void surrogate_open(struct surrogate *s, enum surrogate_way way) {
  *s = (struct surrogate){ .at = MAIL_AT_START, .way = way };
  buf_init(&s->field, SURROGATE_FIELD_MAX);
  buf_init(&s->boundaries, SURROGATE_BOUNDARIES_MAX);
}

void surrogate_close(struct surrogate *s) {
  buf_free(&s->field);
  buf_free(&s->boundaries);
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

static void begin_header(struct surrogate *s, bool message) {
  s->in = SURROGATE_HEADER;
  s->type = message ? SURROGATE_MESSAGE : SURROGATE_LEAF;
  s->has_type = s->encoded = s->status = false;
  s->at = MAIL_AT_START;
}

static void read_boundary(struct surrogate *s, struct slice body) {
  struct buf b;
  buf_init(&b, SURROGATE_FIELD_MAX);
  bool good =
      surrogate_parameter(body, SLICE("boundary"), &b) && buf_len(&b) <= SURROGATE_BOUNDARY_MAX;
  s->next_n = good ? (uint16_t)buf_len(&b) : 0;
  if (s->next_n) memcpy(s->next, buf_slice(&b).p, s->next_n);
  s->failed |= b.failed;
  buf_free(&b);
}

static void read_type(struct surrogate *s, struct slice body) {
  struct slice type, subtype;
  surrogate_type(body, &type, &subtype);
  s->has_type = true;
  s->type = SURROGATE_LEAF;
  if (slice_caseeq(type, SLICE("multipart"))) {
    s->type = SURROGATE_MULTIPART;
    s->next_digest = slice_caseeq(subtype, SLICE("digest"));
    s->next_seal =
        slice_caseeq(subtype, SLICE("signed")) || slice_caseeq(subtype, SLICE("encrypted"));
    read_boundary(s, body);
  } else if (slice_caseeq(type, SLICE("message"))) {
    bool message = slice_caseeq(subtype, SLICE("rfc822")) || slice_caseeq(subtype, SLICE("global"));
    bool status = slice_caseeq(subtype, SLICE("delivery-status")) ||
                  slice_caseeq(subtype, SLICE("global-delivery-status"));
    if (message || status) s->type = message ? SURROGATE_MESSAGE : SURROGATE_STATUS;
  }
}

static void read_encoding(struct surrogate *s, struct slice body) {
  struct slice word, subtype;
  surrogate_type(body, &word, &subtype); /* the first word without comments around it */
  s->encoded = slice_caseeq(word, SLICE("base64")) || slice_caseeq(word, SLICE("quoted-printable"));
}

/* The first Content-Type counts, as clients have it. */
static void read_field(struct surrogate *s, struct slice field) {
  if (s->status || !slice_case_starts(field, SLICE("content-t"))) return;
  struct slice body = field, name = slice_trim(slice_split(&body, ':'));
  if (slice_caseeq(name, SLICE("content-type")) && !s->has_type)
    read_type(s, body);
  else if (slice_caseeq(name, SLICE("content-transfer-encoding")))
    read_encoding(s, body);
}

/* A multipart begins. One that has no room, or no boundary, is not followed. */
static void push_level(struct surrogate *s) {
  size_t at = buf_len(&s->boundaries);
  if (!s->next_n || s->depth == SURROGATE_DEPTH || buf_room(&s->boundaries) < s->next_n) {
    s->deep = true;
    return;
  }
  buf_put(&s->boundaries, slice_of(s->next, s->next_n));
  s->failed |= s->boundaries.failed;
  s->levels[s->depth++] = (struct surrogate_level){ (uint16_t)at, s->next_n, s->next_digest };
  if (s->next_seal && !s->sealed) s->sealed = s->depth;
}

static void pop_levels(struct surrogate *s, size_t depth) {
  if (depth < s->depth) buf_truncate(&s->boundaries, s->levels[depth].at);
  s->depth = (uint8_t)depth;
  if (depth < s->sealed) s->sealed = 0;
}

static void header_over(struct surrogate *s) {
  bool status = s->type == SURROGATE_STATUS;
  if ((s->type == SURROGATE_MESSAGE || status) && !s->encoded) {
    begin_header(s, false);
    /* fields for each recipient, with empty lines between */
    if (status) s->type = SURROGATE_STATUS;
    s->status = status;
    return;
  }
  if (s->type == SURROGATE_MULTIPART) push_level(s);
  s->in = s->depth || s->deep ? SURROGATE_PARTS : SURROGATE_REST;
  s->line_n = 0;
}

/* --- delimiters: RFC 2046 §5.1.1 --- */

static bool is_blank(struct slice s) {
  for (size_t i = 0; i < s.n; i++)
    if (s.p[i] != ' ' && s.p[i] != '\t' && s.p[i] != '\r' && s.p[i] != '\n') return false;
  return true;
}

/* Whether `line` delimits that level: exactly so, or as the beginning of the line, which "is
 * sufficient". */
static bool delimits(const struct surrogate *s, const struct surrogate_level *l, struct slice line,
                     bool exact) {
  struct slice boundary = slice_first(slice_from(buf_slice(&s->boundaries), l->at), l->n);
  struct slice rest = slice_from(line, 2);
  if (!slice_starts(line, SLICE("--")) || !slice_starts(rest, boundary)) return false;
  rest = slice_from(rest, boundary.n);
  return !exact || is_blank(slice_starts(rest, SLICE("--")) ? slice_from(rest, 2) : rest);
}

/* The line ended and is a delimiter of a level: goes to that level. */
static bool delimiter(struct surrogate *s, struct slice line) {
  int level = -1;
  for (int pass = 0; pass < 2 && level < 0; pass++)
    for (int i = s->depth - 1; i >= 0 && level < 0; i--)
      if (delimits(s, &s->levels[i], line, pass == 0)) level = i;
  if (level < 0) return false;
  struct surrogate_level l = s->levels[level];
  bool close = slice_starts(slice_from(line, 2u + l.n), SLICE("--"));
  s->deep = false;
  pop_levels(s, (size_t)level + !close);
  if (!close) {
    begin_header(s, l.digest);
  } else {
    s->in = s->depth ? SURROGATE_PARTS : SURROGATE_REST;
    s->line_n = 0;
  }
  return true;
}

/* --- a header's lines --- */

/* Whether this field is to be converted: see surrogate.h for those that are not. */
static bool is_wanted(const struct surrogate *s, struct slice field) {
  if (s->sealed || !surrogate_wants(field) || !utf8_is_valid(field) || slice_find(field, 0) >= 0)
    return false;
  if (!s->status) return true;
  return slice_case_starts(field, SLICE("Original-Recipient:")) ||
         slice_case_starts(field, SLICE("Final-Recipient:"));
}

/* A whole field, or a line that is none. */
static void take_field(struct surrogate *s, struct slice field, struct buf *out) {
  if (slice_eq(field, SLICE("\r\n"))) {
    emit(s, field, out);
    header_over(s);
    return;
  }
  read_field(s, field);
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

/* Whether the octets of the field so far are whole lines and the next octet is not theirs. */
static bool ends_before(const struct surrogate *s, struct slice rest, bool any) {
  int c = slice_at(rest, 0);
  return any && s->at == MAIL_AT_START && c != ' ' && c != '\t';
}

/* The empty line, and a delimiter, which like in a body is told by its first octets: nothing
 * continues them. `here` behind what is held is the field so far. */
static bool single_line(struct surrogate *s, struct slice here, struct buf *out) {
  struct slice held = slice_first(buf_slice(&s->field), SURROGATE_LINE), line;
  uint8_t mem[SURROGATE_LINE];
  size_t more = here.n < sizeof mem - held.n ? here.n : sizeof mem - held.n;
  if (s->spilled || s->at != MAIL_AT_START || s->single) return false;
  s->single = true; /* the first line of this field has been looked at */
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

/* Takes lines of a header off `*piece`, as long as it is one. */
static void header_lines(struct surrogate *s, struct slice *piece, struct buf *out) {
  struct slice field = *piece; /* from the present field's first octet in this piece */
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

/* A line ended; its beginning stands in s->line. */
static void line_over(struct surrogate *s) {
  struct slice line = slice_of(s->line, s->line_n);
  s->line_n = 0;
  if (slice_starts(line, SLICE("--"))) delimiter(s, line);
}

/* Whether a line begins at `i` of the piece; `at` is where the piece begins. */
static bool line_begins(struct slice piece, size_t i, enum mail_at at) {
  if (i == 0) return at == MAIL_AT_START;
  if (slice_at(piece, i - 1) != '\n') return false;
  return i == 1 ? at == MAIL_AT_CR || at == MAIL_AT_START_CR : slice_at(piece, i - 2) == '\r';
}

/* How many octets go before the next line that begins with "-": nothing else in a body can part it.
 * What has no "-" is passed at the speed of memchr. */
static size_t passed_by(const struct surrogate *s, struct slice piece) {
  for (size_t n = 0; n < piece.n;) {
    ptrdiff_t dash = slice_find(slice_from(piece, n), '-');
    if (dash < 0) break;
    n += (size_t)dash;
    if (line_begins(piece, n, s->at)) return n;
    ptrdiff_t lf = slice_find(slice_from(piece, n), '\n'); /* a ruler of dashes is looked at once */
    if (lf < 0) break;
    n += (size_t)lf + 1;
    if (slice_at(piece, n) == '-' && line_begins(piece, n, s->at)) return n;
  }
  return piece.n;
}

static void pass_by(struct surrogate *s, struct slice *piece) {
  size_t n = passed_by(s, *piece);
  if (n == 0) return;
  bool start = line_begins(*piece, n, s->at);
  s->at = start ? MAIL_AT_START : slice_at(*piece, n - 1) == '\r' ? MAIL_AT_CR : MAIL_AT_INSIDE;
  *piece = slice_from(*piece, n);
}

/* Takes lines of a body off `*piece`, until a header begins. They leave together. */
static void body_lines(struct surrogate *s, struct slice *piece, struct buf *out) {
  struct slice run = *piece;
  while (s->in == SURROGATE_PARTS && piece->n) {
    if (s->at == MAIL_AT_START || s->line_n == 0) pass_by(s, piece);
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
