/* SPDX-License-Identifier: ISC */
/* The parameters of MIME fields, converted to ASCII (RFC 6857 §3.1.4, RFC 2231). */
#include "mail/mime.h"
#include "mail/surrogate_inside.h"
#include "lib/base/codec.h"

static bool is_attribute_char(uint8_t c) {
  return ascii_is_alnum(c) || (c && strchr("!#$&+-.^_`{|}~", c));
}

static void put_percent(struct buf *out, uint8_t c) {
  buf_put_u8(out, '%');
  hex_put_upper(out, c);
}

enum { SECTION_MAX = 48 /* octets of a section's value, written */, PARAMETER_NAME_MAX = 40 };

/* One section: name*N*=… or, if it is the only one, name*=… . Returns the number of octets of text
 * it took. */
static size_t put_section(struct buf *out, struct slice name, struct slice text, int section) {
  buf_put(out, name);
  if (section >= 0) buf_printf(out, "*%d", section);
  buf_put_str(out, "*=");
  if (section <= 0) {
    buf_put_str(out, "UTF-8''");
  }
  size_t n = 0, cost = 0;
  for (; n < text.n; n++) {
    bool bare = is_attribute_char(text.p[n]);
    cost += bare ? 1 : 3;
    if (section >= 0 && cost > SECTION_MAX) break;
    if (bare)
      buf_put_u8(out, text.p[n]);
    else
      put_percent(out, text.p[n]);
  }
  return n;
}

static size_t written(struct slice text) {
  size_t cost = 0;
  for (size_t i = 0; i < text.n; i++) cost += is_attribute_char(text.p[i]) ? 1 : 3;
  return cost;
}

/* The value with its name; each section begins on a new line. */
static void put_extended(struct field_writer *w, struct slice name, struct slice value) {
  bool sections = written(value) > SECTION_MAX;
  for (int i = 0; value.n || i == 0; i++) {
    size_t before = buf_len(w->out);
    if (i) field_put(w, SLICE(";\r\n "));
    before = buf_len(w->out);
    value = slice_from(value, put_section(w->out, name, value, sections ? i : -1));
    w->column += buf_len(w->out) - before;
    if (w->out->failed) return;
  }
}

/* A value whose name marks it as extended already: encodes the octets that it left raw. */
static void put_raw_extended(struct field_writer *w, struct slice value) {
  for (size_t i = 0; i < value.n; i++)
    if (is_wanted(value.p[i]))
      put_percent(w->out, value.p[i]);
    else
      buf_put_u8(w->out, value.p[i]);
  w->column += value.n;
}

/* The text before a parameter's name. */
static size_t leading(struct slice s) {
  struct slice rest = s, piece;
  for (enum mail_token kind;
       (kind = mail_lex(&rest, &piece)) == MAIL_SPACE || kind == MAIL_COMMENT;) {
  }
  return s.n - rest.n - piece.n;
}

/* True if it can be written as a name, including a "*" at its end. */
static bool is_name(struct slice name) {
  for (size_t i = 0; i < name.n; i++)
    if (!is_attribute_char(name.p[i]) && name.p[i] != '*') return false;
  return name.n > 0 && name.n <= PARAMETER_NAME_MAX;
}

static void put_parameter(struct field_writer *w, struct slice s) {
  size_t lead = leading(s);
  struct slice rest = slice_from(s, lead), name, value = rest;
  put_phrases(w, slice_first(s, lead));
  name = mail_trim(slice_split(&value, '='));
  if (!surrogate_wants(mail_strip(rest))) { /* only a comment after it needs conversion */
    put_phrases(w, rest);
    return;
  }
  if (!value.p || !is_name(name)) {
    field_put(w, rest);
    return;
  }
  if (name.p[name.n - 1] == '*') {
    field_put(w, name);
    field_put(w, SLICE("="));
    put_raw_extended(w, value);
    return;
  }
  struct buf text;
  buf_init(&text, TEXT_MAX);
  mime_put_value(&text, value);
  put_extended(w, name, buf_slice(&text));
  w->out->failed |= text.failed;
  buf_free(&text);
}

void put_parameters(struct field_writer *w, struct slice body) {
  for (bool more = true; more;) {
    struct slice one = mime_next_parameter(&body, &more);
    if (surrogate_wants(one))
      put_parameter(w, one);
    else
      field_put(w, one);
    if (more) field_put(w, SLICE(";"));
  }
}

void put_parameters_simply(struct field_writer *w, struct slice body) {
  bool first = true;
  for (bool more = true; more; first = false) {
    struct slice one = mime_next_parameter(&body, &more);
    if (surrogate_wants(one) && !first) continue;
    if (!first) field_put(w, SLICE(";"));
    field_put(w, one);
  }
}
