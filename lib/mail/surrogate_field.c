/* Which field is of which kind: RFC 6857 §3.2. */
#include "lib/mail/surrogate_inside.h"

/* All of the body as encoded-words. */
static void put_encapsulated(struct field_writer *w, struct slice body) {
  field_put(w, SLICE(" "));
  put_words_of(w, trim_space(body), false);
}

static const struct field_kind {
  const char *name;
  void (*put)(struct field_writer *w, struct slice body);
} kinds[] = {
  { "From", put_addresses },            { "Sender", put_addresses },
  { "Reply-To", put_addresses },        { "To", put_addresses },
  { "Cc", put_addresses },              { "Bcc", put_addresses },
  { "Resent-From", put_addresses },     { "Resent-Sender", put_addresses },
  { "Resent-To", put_addresses },       { "Resent-Cc", put_addresses },
  { "Resent-Bcc", put_addresses },      { "Resent-Reply-To", put_addresses },
  { "Return-Path", put_addresses },     { "Disposition-Notification-To", put_addresses },
  { "Keywords", put_phrases },          { "Received", put_received },
  { "Date", put_comments },             { "Resent-Date", put_comments },
  { "MIME-Version", put_comments },     { "Content-ID", put_comments },
  { "Content-Language", put_comments }, { "Content-Transfer-Encoding", put_comments },
  { "Accept-Language", put_comments },  { "Auto-Submitted", put_comments },
  { "Content-Type", put_parameters },   { "Content-Disposition", put_parameters },
  { "Message-ID", put_encapsulated },   { "Resent-Message-ID", put_encapsulated },
  { "In-Reply-To", put_encapsulated },  { "References", put_encapsulated },
  { "Original-Recipient", put_encapsulated }, { "Final-Recipient", put_encapsulated },
};

static void (*kind_of(struct slice name))(struct field_writer *, struct slice) {
  for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
    if (slice_caseeq(name, slice_str(kinds[i].name))) return kinds[i].put;
  return put_plain;
}

/* RFC 5322 §3.6.8, and blanks before the colon (§4.5.1). */
static bool is_name(struct slice name) {
  for (size_t i = 0; i < name.n; i++)
    if (name.p[i] < 33 || name.p[i] > 126) return false;
  return name.n > 0;
}

void surrogate_field(struct buf *out, struct slice raw) {
  struct field_writer w = field_writer(out);
  struct slice body = raw, end = SLICE_NONE;
  if (raw.n >= 2 && slice_eq(slice_from(raw, raw.n - 2), SLICE("\r\n"))) end = slice_from(raw, raw.n - 2);
  body.n -= end.n;
  ptrdiff_t colon = slice_find(body, ':');
  struct slice name = colon > 0 ? slice_first(body, (size_t)colon) : SLICE_NONE, known = slice_trim(name);
  if (!is_name(known) || slice_at(raw, 0) == ' ' || slice_at(raw, 0) == '\t') { /* no field */
    surrogate_blur(out, raw);
    return;
  }
  void (*put)(struct field_writer *, struct slice) = kind_of(known);
  body = slice_from(body, name.n + 1);
  if (put == put_encapsulated) field_put(&w, SLICE("Downgraded-"));
  field_put(&w, name);
  field_put(&w, SLICE(":"));
  bool spaced = slice_at(body, 0) == ' ' || slice_at(body, 0) == '\t';
  if (put != put_encapsulated && !spaced) field_put(&w, SLICE(" "));
  put(&w, body);
  field_put(&w, end);
}
