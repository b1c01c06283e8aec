/* SPDX-License-Identifier: ISC */
/* DKIM's canonical forms and the text of the DKIM-Signature field (RFC 6376, relaxed/relaxed).
 * Invariants: the canonical body does not depend on how the octets were cut, and holds back only
 * line ends and one space; the fields signed are those of the table below, chosen in its order; a
 * message that exceeds a limit of dkim.h stays unsigned, and is never signed in part. */
#include "mail/dkim.h"

#include "lib/base/codec.h"
#include "mail/header.h"

static bool is_blank(int c) { return c == ' ' || c == '\t'; }

const char *dkim_algorithm_name(enum dkim_algorithm a) {
  static const char *const names[DKIM_ALGORITHMS] = {
    [DKIM_RSA] = "rsa", [DKIM_ED25519] = "ed25519"
  };
  return a < DKIM_ALGORITHMS ? names[a] : "unknown";
}

/* --- the body ---
 *
 * Blanks at the end of a line go, other runs of blanks become one space, empty lines at the end go,
 * and what is left ends in one CRLF. So line ends are held until text follows, and a space until an
 * octet of its line does. */

static void dkim_body_begin(struct dkim_body *b, dkim_put_fn *put, void *arg) {
  *b = (struct dkim_body){ .put = put, .arg = arg };
}

static void body_flush(struct dkim_body *b) {
  if (b->n) b->put(b->arg, slice_of(b->out, b->n));
  b->n = 0;
}

static void body_out(struct dkim_body *b, uint8_t c) {
  if (b->n == sizeof b->out) body_flush(b);
  b->out[b->n++] = c;
}

static void body_text(struct dkim_body *b, uint8_t c) {
  for (; b->held; b->held--) {
    body_out(b, '\r');
    body_out(b, '\n');
  }
  if (b->space) body_out(b, ' ');
  b->space = false;
  b->any = true;
  body_out(b, c);
}

static void body_octet(struct dkim_body *b, uint8_t c) {
  if (b->cr && c == '\n') {
    b->cr = b->space = false;
    b->held++;
    return;
  }
  if (b->cr) body_text(b, '\r');
  b->cr = c == '\r';
  if (b->cr) return;
  if (is_blank(c))
    b->space = true;
  else
    body_text(b, c);
}

static void dkim_body_put(struct dkim_body *b, struct slice octets) {
  for (size_t i = 0; i < octets.n; i++) body_octet(b, octets.p[i]);
}

static void dkim_body_end(struct dkim_body *b) {
  if (b->cr) body_text(b, '\r');
  if (b->any) {
    body_out(b, '\r');
    body_out(b, '\n');
  }
  body_flush(b);
}

/* --- a whole message --- */

enum { SCAN_PIECE = 4096 };

void dkim_scan_begin(struct dkim_scan *s, dkim_put_fn *put, void *arg) {
  *s = (struct dkim_scan){ 0 };
  buf_init(&s->header, DKIM_HEADER_MAX + SCAN_PIECE);
  dkim_body_begin(&s->body, put, arg);
}

/* The end of the header, including the empty line; 0: not yet reached. */
static size_t scan_end_of_header(struct dkim_scan *s) {
  struct slice h = buf_slice(&s->header);
  if (slice_starts(h, SLICE("\r\n"))) return 2;
  size_t from = s->seen > 3 ? s->seen - 3 : 0;
  ptrdiff_t at = slice_search(slice_from(h, from), SLICE("\r\n\r\n"));
  s->seen = h.n;
  return at < 0 ? 0 : from + (size_t)at + 4;
}

static void scan_header(struct dkim_scan *s, struct slice piece) {
  buf_put(&s->header, piece);
  size_t end = scan_end_of_header(s);
  s->in_body = end > 0;
  if (s->in_body) {
    dkim_body_put(&s->body, slice_from(buf_slice(&s->header), end));
    buf_truncate(&s->header, end);
  }
  if (buf_len(&s->header) > DKIM_HEADER_MAX) s->header.failed = true;
}

void dkim_scan_put(struct dkim_scan *s, struct slice octets) {
  while (octets.n && !s->header.failed) {
    struct slice piece = s->in_body ? octets : slice_first(octets, SCAN_PIECE);
    octets = slice_from(octets, piece.n);
    if (s->in_body)
      dkim_body_put(&s->body, piece);
    else
      scan_header(s, piece);
  }
}

void dkim_scan_end(struct dkim_scan *s) { dkim_body_end(&s->body); }
void dkim_scan_free(struct dkim_scan *s) { buf_free(&s->header); }

/* --- which fields --- */

/* RFC 6376 §5.4.1, the fields of MIME, and those that RFC 8058 §4 requires. `closed`: a field added
 * in transit would change what the reader sees, so it is signed once more than it occurs. Trace
 * fields, Return-Path and other signatures are not signed (§5.4.1); a relay may add to them. */
static const struct dkim_rule {
  struct slice name;
  bool closed;
} rules[] = {
#define RULE(name, closed) \
  { { (const uint8_t *)(name), sizeof(name) - 1 }, closed }
  RULE("from", true),
  RULE("to", true),
  RULE("cc", true),
  RULE("subject", true),
  RULE("date", true),
  RULE("message-id", true),
  RULE("reply-to", true),
  RULE("mime-version", true),
  RULE("content-type", true),
  RULE("content-transfer-encoding", true),
  RULE("sender", false),
  RULE("in-reply-to", false),
  RULE("references", false),
  RULE("content-id", false),
  RULE("content-description", false),
  RULE("resent-date", false),
  RULE("resent-from", false),
  RULE("resent-sender", false),
  RULE("resent-to", false),
  RULE("resent-cc", false),
  RULE("resent-message-id", false),
  RULE("list-id", false),
  RULE("list-help", false),
  RULE("list-unsubscribe", false),
  RULE("list-unsubscribe-post", false),
  RULE("list-subscribe", false),
  RULE("list-post", false),
  RULE("list-owner", false),
  RULE("list-archive", false),
#undef RULE
};

/* The fields of a header, in their order. */
struct dkim_header {
  size_t count;
  bool too_many;
  struct header_field items[DKIM_FIELDS_MAX];
};

static void gather_fields(struct slice header, struct dkim_header *f) {
  struct header_field field;
  f->count = 0;
  while (f->count < DKIM_FIELDS_MAX && header_next(&header, &field)) f->items[f->count++] = field;
  f->too_many = f->count == DKIM_FIELDS_MAX && header_next(&header, &field);
}

static size_t count_named(const struct dkim_header *f, struct slice name) {
  size_t n = 0;
  for (size_t i = 0; i < f->count; i++) n += slice_caseeq(f->items[i].name, name);
  return n;
}

enum dkim_fit dkim_choose(struct slice header, struct buf *names) {
  struct dkim_header f;
  gather_fields(header, &f);
  if (f.too_many) return DKIM_TOO_BIG;
  if (!count_named(&f, SLICE("from"))) return DKIM_NO_FROM;
  for (size_t i = 0; i < sizeof rules / sizeof *rules; i++) {
    size_t times = count_named(&f, rules[i].name) + rules[i].closed;
    for (size_t k = 0; k < times; k++) {
      if (buf_len(names)) buf_put_u8(names, ':');
      buf_put(names, rules[i].name);
    }
  }
  return names->failed || buf_len(names) > DKIM_NAMES_MAX ? DKIM_TOO_BIG : DKIM_FITS;
}

static bool is_name_octet(int c) {
  return c > 32 && c < 127 && c != ':' && c != ';' && !(c >= 'A' && c <= 'Z');
}

bool dkim_names_ok(struct slice names) {
  bool from = false;
  if (names.n == 0 || names.n > DKIM_NAMES_MAX) return false;
  while (names.p) {
    struct slice name = slice_split(&names, ':');
    if (!name.n) return false;
    for (size_t i = 0; i < name.n; i++)
      if (!is_name_octet(name.p[i])) return false;
    from |= slice_eq(name, SLICE("from"));
  }
  return from;
}

/* --- canonical fields: RFC 6376 §3.4.2 --- */

/* A field's body without its line ends and surrounding blanks, each inner run of blanks as one
 * space. */
static void put_relaxed(struct slice body, struct buf *out) {
  bool space = false, any = false;
  for (size_t i = 0; i < body.n; i++) {
    int c = body.p[i];
    if (c == '\r' && slice_at(body, i + 1) == '\n') {
      i++;
    } else if (is_blank(c)) {
      space = true;
    } else {
      if (space && any) buf_put_u8(out, ' ');
      space = false;
      any = true;
      buf_put_u8(out, (uint8_t)c);
    }
  }
}

static void put_field(const struct header_field *f, struct buf *out) {
  buf_put_lower(out, f->name);
  buf_put_u8(out, ':');
  put_relaxed(f->body, out);
}

/* The last field of that name. The caller clears its name, so that each field is taken once. */
static struct header_field *last_named(struct dkim_header *f, struct slice name) {
  for (size_t i = f->count; i > 0; i--)
    if (f->items[i - 1].name.n && slice_caseeq(f->items[i - 1].name, name)) return &f->items[i - 1];
  return NULL;
}

enum dkim_fit dkim_input(struct slice header, struct slice names, struct buf *input) {
  struct dkim_header f;
  gather_fields(header, &f);
  if (f.too_many) return DKIM_TOO_BIG;
  while (names.p && !input->failed) {
    struct slice name = slice_trim(slice_split(&names, ':'));
    struct header_field *field = last_named(&f, name);
    if (!field) continue;
    put_field(field, input);
    buf_put(input, SLICE("\r\n"));
    field->name = SLICE_NONE;
  }
  return input->failed || buf_len(input) > DKIM_INPUT_MAX ? DKIM_TOO_BIG : DKIM_FITS;
}

/* --- the field --- */

enum { LINE = 76 };

/* The names, folded where a line would grow too long (RFC 6376 §3.2: blanks are permitted at each
 * colon). */
static void put_names(struct slice names, size_t column, struct buf *out) {
  bool first = true;
  while (names.p) {
    struct slice name = slice_split(&names, ':');
    if (!first) buf_put_u8(out, ':');
    if (!first && column + name.n + 2 > LINE) {
      buf_put(out, SLICE("\r\n\t "));
      column = 9;
    }
    buf_put(out, name);
    column += name.n + 1;
    first = false;
  }
}

static void put_base64(struct slice octets, size_t column, struct buf *out) {
  struct buf text;
  buf_init(&text, 2 * DKIM_FIELD_MAX);
  base64_put(&text, octets);
  out->failed |= text.failed;
  for (struct slice rest = buf_slice(&text); rest.n; column = 9) {
    struct slice line = slice_first(rest, LINE - column);
    buf_put(out, line);
    rest = slice_from(rest, line.n);
    if (rest.n) buf_put(out, SLICE("\r\n\t "));
  }
  buf_free(&text);
}

void dkim_open(const struct dkim_signature *s, struct buf *field, struct buf *input) {
  size_t begin = buf_len(field);
  struct slice name = SLICE("DKIM-Signature");
  buf_put(field, name);
  buf_printf(field,
             ": v=1; a=%s-sha256; c=relaxed/relaxed;\r\n\td=", dkim_algorithm_name(s->algorithm));
  buf_put(field, s->domain);
  buf_put(field, SLICE("; s="));
  buf_put(field, s->selector);
  buf_printf(field, ";\r\n\tt=%llu; h=", (unsigned long long)s->signed_s);
  put_names(s->names, 24, field);
  buf_put(field, SLICE(";\r\n\tbh="));
  put_base64(slice_of(s->body_hash, sizeof s->body_hash), 12, field);
  buf_put(field, SLICE(";\r\n\tb="));
  struct slice all = slice_from(buf_slice(field), begin);
  put_field(&(struct header_field){ .name = name, .body = slice_from(all, name.n + 1) }, input);
  input->failed |= field->failed;
}

void dkim_close(struct buf *field, struct slice signature) {
  put_base64(signature, 10, field);
  buf_put(field, SLICE("\r\n"));
}

/* --- the record --- */

void dkim_record(enum dkim_algorithm a, struct slice key, struct buf *record) {
  buf_printf(record, "v=DKIM1; k=%s; p=", dkim_algorithm_name(a));
  base64_put(record, key);
}

void dkim_zone_line(struct slice name, struct slice text, struct buf *line) {
  buf_put(line, name);
  buf_put(line, SLICE(". TXT"));
  do {
    struct slice part = slice_first(text, 255);
    text = slice_from(text, part.n);
    buf_put(line, SLICE(" \""));
    for (size_t i = 0; i < part.n; i++) {
      if (part.p[i] == '"' || part.p[i] == '\\') buf_put_u8(line, '\\');
      buf_put_u8(line, part.p[i]);
    }
    buf_put_u8(line, '"');
  } while (text.n);
}
