/* SPDX-License-Identifier: ISC */
/* The MIME structure of a message (mime.h).
 *
 * Invariants: the boundaries of open multiparts are in `boundaries` in the order of their levels,
 * so that closing one truncates; `sealed` is at most `depth`. */
#include "mail/mime.h"

#include "mail/lex.h"

/* --- fields --- */

struct slice mime_next_parameter(struct slice *rest, bool *ret_more) {
  struct slice s = *rest, piece;
  *ret_more = false;
  for (enum mail_token kind; (kind = mail_lex(rest, &piece)) != MAIL_END;)
    if (kind == MAIL_SPECIAL && piece.p[0] == ';') {
      *ret_more = true;
      return slice_first(s, s.n - rest->n - 1);
    }
  return s;
}

/* Of a Content-Type's body: "multipart" and "mixed" of "multipart/mixed; boundary=x". Of any other
 * field's: its first word, without comments. */
static void read_words(struct slice body, struct slice *ret_type, struct slice *ret_subtype) {
  bool more;
  struct slice s = mail_strip(mime_next_parameter(&body, &more));
  *ret_type = mail_trim(slice_split(&s, '/'));
  *ret_subtype = mail_trim(s);
}

void mime_put_value(struct buf *out, struct slice value) {
  struct slice v = mail_strip(value);
  bool quoted = slice_at(v, 0) == '"';
  mail_unfold(out, quoted ? mail_unquoted(v) : v, quoted);
}

static bool is_printable(struct slice s) {
  for (size_t i = 0; i < s.n; i++)
    if (!ascii_is_print(s.p[i])) return false;
  return true;
}

/* The value of the first parameter `name` that is printable ASCII, put into `out`, which is empty.
 * (A parameter that is not ASCII is ignored: in a surrogate, the client sees it under another
 * name.) False if there is none, or it does not fit. */
static bool find_parameter(struct slice body, struct slice name, struct buf *out) {
  bool more;
  mime_next_parameter(&body, &more);
  while (more) {
    struct slice value = mail_strip(mime_next_parameter(&body, &more));
    if (!slice_caseeq(mail_trim(slice_split(&value, '=')), name) || !value.p) continue;
    mime_put_value(out, mail_strip(value));
    if (out->failed || is_printable(buf_slice(out))) return !out->failed;
    buf_reset(out);
  }
  return false;
}

/* --- a header --- */

void mime_header_begin(struct mime_header *h, bool in_digest) {
  h->kind = in_digest ? MIME_MESSAGE : MIME_LEAF;
  h->encoding = MIME_NONE;
  h->has_type = h->failed = h->digest = h->sealed = false;
  h->n = 0;
}

static void read_boundary(struct mime_header *h, struct slice body) {
  struct buf b;
  buf_init(&b, MIME_FIELD_MAX);
  bool good = find_parameter(body, SLICE("boundary"), &b) && buf_len(&b) <= MIME_BOUNDARY_MAX;
  h->n = good ? (uint16_t)buf_len(&b) : 0;
  if (h->n) memcpy(h->boundary, buf_slice(&b).p, h->n);
  h->failed |= b.failed;
  buf_free(&b);
}

static enum mime_kind message_kind(struct slice subtype) {
  static const struct {
    const char *name;
    enum mime_kind kind;
  } kinds[] = {
    { "rfc822", MIME_MESSAGE },         { "global", MIME_GLOBAL },
    { "delivery-status", MIME_STATUS }, { "global-delivery-status", MIME_STATUS },
    { "partial", MIME_PARTIAL },        { "external-body", MIME_PARTIAL },
  };
  for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
    if (slice_caseeq(subtype, slice_str(kinds[i].name))) return kinds[i].kind;
  return MIME_LEAF;
}

static void read_type(struct mime_header *h, struct slice body) {
  struct slice type, subtype;
  read_words(body, &type, &subtype);
  h->has_type = true;
  h->kind = MIME_LEAF;
  if (slice_caseeq(type, SLICE("multipart"))) {
    h->kind = MIME_MULTIPART;
    h->digest = slice_caseeq(subtype, SLICE("digest"));
    h->sealed = slice_caseeq(subtype, SLICE("signed")) || slice_caseeq(subtype, SLICE("encrypted"));
    read_boundary(h, body);
  } else if (slice_caseeq(type, SLICE("message"))) {
    h->kind = message_kind(subtype);
  }
}

static enum mime_encoding encoding_of(struct slice body) {
  static const char *const words[MIME_OTHER] = { [MIME_7BIT] = "7bit",
                                                 [MIME_8BIT] = "8bit",
                                                 [MIME_BINARY] = "binary",
                                                 [MIME_QUOTED_PRINTABLE] = "quoted-printable",
                                                 [MIME_BASE64] = "base64" };
  struct slice word, behind;
  read_words(body, &word, &behind);
  for (enum mime_encoding i = MIME_7BIT; i < MIME_OTHER; i++)
    if (slice_caseeq(word, slice_str(words[i]))) return i;
  return MIME_OTHER;
}

void mime_header_field(struct mime_header *h, struct slice field) {
  if (!slice_case_starts(field, SLICE("content-t"))) return;
  struct slice body = field, name = slice_trim(slice_split(&body, ':'));
  if (slice_caseeq(name, SLICE("content-type")) && !h->has_type)
    read_type(h, body);
  else if (slice_caseeq(name, SLICE("content-transfer-encoding")))
    h->encoding = encoding_of(body);
}

/* --- the multiparts that are open --- */

void mime_parts_init(struct mime_parts *p) {
  p->depth = p->sealed = 0;
  buf_init(&p->boundaries, MIME_BOUNDARIES_MAX);
}

void mime_parts_free(struct mime_parts *p) { buf_free(&p->boundaries); }

bool mime_parts_open(struct mime_parts *p, const struct mime_header *h) {
  size_t at = buf_len(&p->boundaries);
  if (!h->n || p->depth == MIME_DEPTH || buf_room(&p->boundaries) < h->n) return false;
  buf_put(&p->boundaries, slice_of(h->boundary, h->n));
  p->levels[p->depth++] = (struct mime_level){ (uint16_t)at, h->n, h->digest };
  if (h->sealed && !p->sealed) p->sealed = p->depth;
  return true;
}

/* True if `line` is a delimiter of that level: exactly, or as the beginning of the line, which "is
 * sufficient" (RFC 2046 §5.1.1). */
static bool delimits(const struct mime_parts *p, const struct mime_level *l, struct slice line,
                     bool exact) {
  struct slice boundary = slice_first(slice_from(buf_slice(&p->boundaries), l->at), l->n);
  struct slice rest = slice_from(line, 2);
  if (!slice_starts(rest, boundary)) return false;
  rest = slice_from(rest, boundary.n);
  return !exact || !mail_trim(slice_starts(rest, SLICE("--")) ? slice_from(rest, 2) : rest).n;
}

bool mime_parts_find(const struct mime_parts *p, struct slice line, bool begins,
                     struct mime_delimiter *ret) {
  int level = -1;
  if (!slice_starts(line, SLICE("--"))) return false;
  for (int pass = 0, passes = begins ? 2 : 1; pass < passes && level < 0; pass++)
    for (int i = p->depth - 1; i >= 0 && level < 0; i--)
      if (delimits(p, &p->levels[i], line, pass == 0)) level = i;
  if (level < 0) return false;
  const struct mime_level *l = &p->levels[level];
  *ret = (struct mime_delimiter){ .level = (uint8_t)level,
                                  .closes = slice_starts(slice_from(line, 2u + l->n), SLICE("--")),
                                  .digest = l->digest };
  return true;
}

void mime_parts_go(struct mime_parts *p, const struct mime_delimiter *d) {
  uint8_t depth = (uint8_t)(d->level + !d->closes);
  if (depth < p->depth) buf_truncate(&p->boundaries, p->levels[depth].at);
  p->depth = depth;
  if (depth < p->sealed) p->sealed = 0;
}
