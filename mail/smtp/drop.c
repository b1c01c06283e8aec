/* SPDX-License-Identifier: ISC */
/* The file of a message that waits for the server: drop.h. Anyone who may write into the drop
 * folder may have written it, so nothing in it is trusted. */
#include "mail/smtp/drop.h"

#include "lib/base/codec.h"
#include "lib/base/num.h"

enum { PARAMS = SMTP_PARAM_BODY | SMTP_PARAMS_DSN };

static const char magic[] = "qasid-drop 1";

void drop_put(struct buf *out, const struct drop *d) {
  buf_printf(out, "%s\n", magic);
  buf_put(out, d->from);
  buf_put_u8(out, '\n');
  buf_put(out, d->recipients);
  buf_put_dec(out, d->size);
  buf_put_str(out, "\n\n");
}

/* --- the envelope --- */

bool drop_from(const struct drop *d, struct slice domain, struct smtp_mail *ret) {
  return smtp_mail_parse(d->from, PARAMS, domain, ret) == SMTP_OK;
}

bool drop_next(struct slice *recipients, struct slice domain, struct smtp_recipient *ret) {
  struct slice rest = *recipients, line = slice_split(&rest, '\n');
  if (!line.n || smtp_rcpt_parse(line, PARAMS, domain, ret) != SMTP_OK) return false;
  *recipients = rest;
  return true;
}

static const char *check_envelope(struct drop *d, struct slice domain) {
  struct smtp_mail mail;
  struct smtp_recipient to;
  struct slice rest = d->recipients;
  if (!drop_from(d, domain, &mail)) return "the line of the sender";
  while (drop_next(&rest, domain, &to)) d->count++;
  if (rest.n) return "the line of a recipient";
  if (!d->count) return "no recipient";
  return d->count > DROP_RECIPIENTS_MAX ? "too many recipients" : NULL;
}

/* --- the whole --- */

/* The next line without its LF. False: there is no complete one. */
static bool take_line(struct slice *rest, struct slice *ret) {
  if (slice_find(*rest, '\n') < 0) return false;
  *ret = slice_split(rest, '\n');
  return true;
}

/* Lines that begin with TO: are recipients; the message's size and an empty line follow. */
static const char *take_lines(struct slice octets, struct drop *d) {
  struct slice rest = octets, line;
  if (!take_line(&rest, &line) || !slice_eq(line, slice_str(magic))) return "the first line";
  if (!take_line(&rest, &d->from)) return "the line of the sender";
  size_t first = slice_offset(octets, rest), last = first;
  while (take_line(&rest, &line) && slice_starts(line, SLICE("TO:")))
    last = slice_offset(octets, rest);
  d->recipients = slice_first(slice_from(octets, first), last - first);
  rest = slice_from(octets, last);
  if (!take_line(&rest, &line) || !num_parse(line, UINT64_MAX, &d->size)) return "the size";
  if (!take_line(&rest, &line) || line.n) return "the empty line";
  d->head = slice_offset(octets, rest);
  return NULL;
}

const char *drop_read(struct slice octets, uint64_t whole, struct slice domain, struct drop *ret) {
  *ret = (struct drop){ .from = SLICE_NONE, .recipients = SLICE_NONE };
  const char *wrong = take_lines(octets, ret);
  if (!wrong) wrong = check_envelope(ret, domain);
  if (!wrong && (whole < ret->head || whole - ret->head != ret->size))
    wrong = "the message is not as long as it should be";
  return wrong;
}

/* --- names --- */

bool drop_is_name(struct slice name, uint8_t ret_id[DROP_ID]) {
  if (name.n != DROP_NAME) return false;
  for (size_t i = 0; i < DROP_ID; i++) {
    int high = hex_digit(name.p[2 * i]), low = hex_digit(name.p[2 * i + 1]);
    if (high < 0 || low < 0) return false;
    ret_id[i] = (uint8_t)(high << 4 | low);
  }
  return true;
}
