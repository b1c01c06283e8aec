/* SPDX-License-Identifier: ISC */
/* A message submitted by a logged-in client (RFC 6409). It is held in tx->body until its header is
 * complete; then the header is repaired and its authors are read (mail/submit.h), so that no part
 * of it has gone to store before. */
#include "src/smtpd/private.h"

#include "mail/submit.h"

struct slice smtpd_login_domain(const struct smtpd_session *s) {
  struct slice user = buf_slice(&s->user);
  ptrdiff_t at = slice_rfind(user, '@');
  struct slice domain = at < 0 ? SLICE_NONE : slice_from(user, (size_t)at + 1);
  return address_is_domain(domain) ? domain : slice_str(s->service->address_domain);
}

void smtpd_submit_begin(struct smtpd_session *s) {
  struct transaction *transaction = s->transaction;
  transaction->held = s->service->submission && s->logged_in;
  if (transaction->held) transaction->body.max = SMTPD_HEADER_MAX;
}

/* True if the header is followed by an empty line, or by the end. There is none before `seen`. */
static bool is_whole(struct slice message, size_t seen, bool end) {
  struct slice new = slice_from(message, seen < 3 ? 0 : seen - 3);
  return end || slice_starts(message, SLICE("\r\n")) || slice_search(new, SLICE("\r\n\r\n")) >= 0;
}

static struct submit_with with(const struct smtpd_session *s, struct slice id) {
  struct slice user = buf_slice(&s->user);
  bool adds = s->service->add_from && slice_find(user, '@') > 0 &&
              (s->transaction->utf8 || !slice_has_high(user));
  return (struct submit_with){
    .domain = smtpd_login_domain(s),
    .dotless = s->service->dotless,
    .author = adds ? user : SLICE_NONE,
    .hostname = slice_str(s->service->hostname),
    .id = id,
    .now_s = s->proto.wall_s,
  };
}

/* Lines of addresses as a list. */
static void keep_authors(struct transaction *transaction, struct slice lines) {
  while (lines.n) ipc_list_put(&transaction->authors, slice_split(&lines, '\n'));
}

/* The repaired message replaces the original. */
static void replace(struct transaction *transaction, struct slice mended) {
  buf_reset(&transaction->body);
  transaction->body.max = mended.n > IPC_CHUNK ? mended.n : IPC_CHUNK;
  buf_put(&transaction->body, mended);
}

enum smtp_outcome smtpd_submit(struct smtpd_session *s, size_t before, bool end) {
  struct transaction *transaction = s->transaction;
  struct slice message = buf_slice(&transaction->body);
  struct buf id, mended, authors;
  if (!is_whole(message, before, end)) return SMTP_OK;
  buf_init(&id, 64);
  buf_init(&mended, 4 * SMTPD_HEADER_MAX);
  buf_init(&authors, 4 * SMTPD_HEADER_MAX);
  smtpd_put_id(s, &id);
  size_t n = header_end(message);
  struct submit_with w = with(s, buf_slice(&id));
  enum submit_verdict v = submit_header(slice_first(message, n), &w, &mended, &authors);
  buf_put(&mended, slice_from(message, n));
  bool failed = id.failed || mended.failed || authors.failed;
  if (!failed) replace(transaction, buf_slice(&mended));
  keep_authors(transaction, buf_slice(&authors));
  transaction->held = false;
  bool many = transaction->authors.failed; /* more authors than any legitimate message has */
  buf_free(&id), buf_free(&mended), buf_free(&authors);
  if (many) buf_reset(&transaction->authors);
  if (failed) return SMTP_TROUBLE;
  if (v == SUBMIT_NO_FROM) return SMTP_NO_FROM;
  return (many || v == SUBMIT_UNCLEAR) && s->service->check_authors ? SMTP_FROM_UNCLEAR : SMTP_OK;
}
