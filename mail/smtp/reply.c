/* SPDX-License-Identifier: ISC */
/* SMTP replies: written from the table of outcomes, and read by a client.
 * Invariants: a reply that is read has one code on all its lines, at most SMTP_REPLY_LINES_MAX
 * of them; control characters of the server become "?"; after SMTP_READ_BAD the stream is out of
 * step and the connection must end. */
#include "mail/smtp/reply.h"

#include "lib/base/num.h"

static const struct smtp_outcome_row outcomes[] = {
#define O(name, code, enhanced, text) { #name, code, enhanced, text },
#include "mail/smtp/outcomes.def"
#undef O
};

const struct smtp_outcome_row *smtp_outcome_row(enum smtp_outcome o) {
  return &outcomes[(unsigned)o < SMTP_OUTCOMES ? o : SMTP_TROUBLE];
}

/* --- writing --- */

static void put_codes(struct buf *out, const struct smtp_outcome_row *row) {
  buf_put_dec(out, row->code);
  buf_put_u8(out, ' ');
  if (!*row->enhanced) return;
  buf_put_str(out, row->enhanced);
  buf_put_u8(out, ' ');
}

void smtp_reply_put(struct buf *out, enum smtp_outcome o, struct slice host) {
  const struct smtp_outcome_row *row = smtp_outcome_row(o);
  put_codes(out, row);
  if (row->code == 220 || row->code == 221 || row->code == 421) {
    buf_put(out, host);
    buf_put_u8(out, ' ');
  }
  buf_put_str(out, row->text);
  buf_put_str(out, "\r\n");
}

void smtp_reply_put_text(struct buf *out, enum smtp_outcome o, struct slice text) {
  put_codes(out, smtp_outcome_row(o));
  buf_put(out, text);
  buf_put_str(out, "\r\n");
}

void smtp_reply_put_line(struct buf *out, unsigned code, bool last, struct slice text) {
  buf_put_dec(out, code);
  buf_put_u8(out, last ? ' ' : '-');
  buf_put(out, text);
  buf_put_str(out, "\r\n");
}

/* --- reading --- */

void smtp_reply_init(struct smtp_reply *r) {
  *r = (struct smtp_reply){ 0 };
  buf_init(&r->text, SMTP_REPLY_MAX);
}

void smtp_reply_free(struct smtp_reply *r) {
  buf_free(&r->text);
  smtp_reply_init(r);
}

void smtp_reply_reset(struct smtp_reply *r) {
  struct buf text = r->text;
  *r = (struct smtp_reply){ .text = text };
  buf_reset(&r->text);
}

/* Three digits, the first from 2 to 5, which suffices whatever the others are (RFC 5321 §4.3.2:
 * "MUST be prepared to deal with unrecognized reply codes by interpreting the first digit
 * only"). */
static bool read_code(struct slice line, uint16_t *ret) {
  uint64_t code;
  if (line.n < 3 || !num_parse(slice_first(line, 3), 599, &code) || code < 200) return false;
  *ret = (uint16_t)code;
  return true;
}

/* status-code = class "." subject "." detail (RFC 3463 §2), up to the first space or the line's
 * end; its class must be the reply's. */
static void read_enhanced(struct smtp_reply *r, struct slice text) {
  struct slice code = slice_split(&text, ' ');
  uint8_t parts[3];
  for (size_t i = 0; i < 3; i++) {
    uint64_t n;
    struct slice part = i < 2 ? slice_split(&code, '.') : code;
    if (part.n > 3 || !num_parse(part, 999, &n)) return;
    parts[i] = (uint8_t)(n > 255 ? 255 : n);
  }
  if (parts[0] == r->code / 100) memcpy(r->enhanced, parts, sizeof parts);
}

static void keep_text(struct smtp_reply *r, struct slice text) {
  if (r->lines) buf_put_u8(&r->text, '\n');
  for (size_t i = 0; i < text.n; i++) {
    uint8_t c = text.p[i];
    buf_put_u8(&r->text, ascii_is_control(c) && c != '\t' ? '?' : c);
  }
}

static enum smtp_read read_line(struct smtp_reply *r, struct slice line) {
  uint16_t code;
  int mark = line.n == 3 ? ' ' : slice_at(line, 3);
  if (!read_code(line, &code) || (mark != ' ' && mark != '-') || slice_find(line, 0) >= 0)
    return SMTP_READ_BAD;
  if (r->lines && code != r->code) return SMTP_READ_BAD;
  if (r->lines == SMTP_REPLY_LINES_MAX) return SMTP_READ_BAD;
  r->code = code;
  if (!r->lines) read_enhanced(r, slice_from(line, 4));
  keep_text(r, slice_from(line, 4));
  if (r->text.failed) return SMTP_READ_BAD;
  r->lines++;
  return mark == ' ' ? SMTP_READ_DONE : SMTP_READ_MORE;
}

enum smtp_read smtp_reply_read(struct smtp_reply *r, struct slice *in) {
  for (;;) {
    struct slice window = slice_first(*in, SMTP_REPLY_LINE_MAX);
    ptrdiff_t lf = slice_find(window, '\n');
    if (lf < 0) return window.n == SMTP_REPLY_LINE_MAX ? SMTP_READ_BAD : SMTP_READ_MORE;
    struct slice line = slice_first(window, (size_t)lf);
    if (slice_at(line, line.n - 1) != '\r') return SMTP_READ_BAD;
    line.n--;
    if (slice_find(line, '\r') >= 0) return SMTP_READ_BAD;
    enum smtp_read result = read_line(r, line);
    if (result == SMTP_READ_BAD) return result;
    *in = slice_from(*in, (size_t)lf + 1);
    if (result == SMTP_READ_DONE) return result;
  }
}

/* RFC 4954 §4, §6: 504 "unrecognized authentication type", 534 "mechanism is too weak"; RFC 5321
 * §4.2.4: 500 and 502 are about the command. */
enum sasl_refusal smtp_login_refusal(unsigned code) {
  switch (code) {
  case 500:
  case 502: return SASL_REFUSED_COMMAND;
  case 504:
  case 534: return SASL_REFUSED_MECHANISM;
  default: return code == 535 ? SASL_REFUSED_WRONG : SASL_REFUSED_OTHERWISE;
  }
}
