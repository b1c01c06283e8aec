/* SPDX-License-Identifier: ISC */
/* The table of header fields, which says how each is converted (RFC 6857 §3.2, RFC 6858 §2), and
 * the conversion of one field. A field that is not in the table is unstructured text by RFC 6857,
 * and left out by RFC 6858. */
#include "mail/surrogate_inside.h"

/* All of the body as encoded-words. */
static void put_encapsulated(struct field_writer *w, struct slice body) {
  field_put(w, SLICE(" "));
  put_words_of(w, mail_trim(body), false);
}

typedef void put_body(struct field_writer *w, struct slice body);

/* `put` converts by RFC 6857, `simply` by RFC 6858; NULL: the field is left out. */
static const struct field_kind {
  const char *name;
  put_body *put, *simply;
} kinds[] = {
#define ADDRESSES put_addresses, put_addresses_simply
#define PARAMETERS put_parameters, put_parameters_simply
  { "From", ADDRESSES },
  { "Sender", ADDRESSES },
  { "Reply-To", ADDRESSES },
  { "To", ADDRESSES },
  { "Cc", ADDRESSES },
  { "Bcc", ADDRESSES },
  { "Resent-From", ADDRESSES },
  { "Resent-Sender", ADDRESSES },
  { "Resent-To", ADDRESSES },
  { "Resent-Cc", ADDRESSES },
  { "Resent-Bcc", ADDRESSES },
  { "Return-Path", ADDRESSES },
  { "Content-Type", PARAMETERS },
  { "Content-Disposition", PARAMETERS },
  { "Subject", put_plain, put_plain },
  { "Resent-Reply-To", put_addresses, NULL },
  { "Disposition-Notification-To", put_addresses, NULL },
  { "Keywords", put_phrases, NULL },
  { "Received", put_received, NULL },
  { "Date", put_comments, NULL },
  { "Resent-Date", put_comments, NULL },
  { "MIME-Version", put_comments, NULL },
  { "Content-ID", put_comments, NULL },
  { "Content-Language", put_comments, NULL },
  { "Content-Transfer-Encoding", put_comments, put_comments },
  { "Accept-Language", put_comments, NULL },
  { "Auto-Submitted", put_comments, NULL },
  { "Message-ID", put_encapsulated, NULL },
  { "Resent-Message-ID", put_encapsulated, NULL },
  { "In-Reply-To", put_encapsulated, NULL },
  { "References", put_encapsulated, NULL },
  { "Original-Recipient", put_recipient, NULL },
  { "Final-Recipient", put_recipient, NULL },
};

static struct field_kind kind_of(struct slice name) {
  for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
    if (slice_caseeq(name, slice_str(kinds[i].name))) return kinds[i];
  return (struct field_kind){ "", put_plain, NULL };
}

/* The conversion by RFC 6857 for this body: encapsulation only as the last resort. */
static put_body *way_of(struct field_kind kind, struct slice body) {
  /* §3.2.3 */
  if (kind.put == put_encapsulated && only_comments_want(body)) return put_comments;
  /* §3.1.9 */
  if (kind.put == put_recipient && !recipient_is_utf8(body)) return put_encapsulated;
  return kind.put;
}

/* RFC 5322 §3.6.8, and blanks before the colon (§4.5.1). */
static bool is_name(struct slice name) {
  for (size_t i = 0; i < name.n; i++)
    if (name.p[i] < 33 || name.p[i] > 126) return false;
  return name.n > 0;
}

void surrogate_field(struct buf *out, struct slice raw, enum surrogate_way way) {
  struct field_writer w = field_writer(out);
  struct slice body = raw, end = SLICE_NONE;
  if (raw.n >= 2 && slice_eq(slice_from(raw, raw.n - 2), SLICE("\r\n")))
    end = slice_from(raw, raw.n - 2);
  body.n -= end.n;
  ptrdiff_t colon = slice_find(body, ':');
  struct slice name = colon > 0 ? slice_first(body, (size_t)colon) : SLICE_NONE,
               known = slice_trim(name);
  if (!is_name(known) || slice_at(raw, 0) == ' ' || slice_at(raw, 0) == '\t') { /* no field */
    buf_put(out, raw);
    return;
  }
  struct field_kind kind = kind_of(known);
  body = slice_from(body, name.n + 1);
  put_body *put = way == SURROGATE_6858 ? kind.simply : way_of(kind, body);
  if (!put) return;
  if (put == put_encapsulated) field_put(&w, SLICE("Downgraded-"));
  field_put(&w, name);
  field_put(&w, SLICE(":"));
  bool spaced = slice_at(body, 0) == ' ' || slice_at(body, 0) == '\t';
  if (put != put_encapsulated && !spaced) field_put(&w, SLICE(" "));
  put(&w, body);
  field_put(&w, end);
}
