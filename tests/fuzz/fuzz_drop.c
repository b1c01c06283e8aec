/* SPDX-License-Identifier: ISC */
/* A file of the drop folder: refused, or all that mail/smtp/drop.h promises. The lines in front of
 * the message are enough to read it; what drop_put() writes of it reads the same. */
#include <stdlib.h>

#include "mail/smtp/drop.h"

#define HERE SLICE("example.org")

static void check_text(struct slice text) {
  for (const char *end = "\r\n"; *end; end++)
    if (slice_find(text, *end) >= 0) abort();
  if (slice_find(text, 0) >= 0) abort();
}

static void check_envelope(const struct drop *d) {
  struct slice rest = d->recipients;
  struct smtp_recipient to;
  struct smtp_mail mail;
  size_t count = 0;
  if (!drop_from(d, HERE, &mail)) abort();
  check_text(address_local(&mail.sender)), check_text(address_domain(&mail.sender));
  check_text(mail.envid);
  for (; drop_next(&rest, HERE, &to); count++) {
    check_text(address_local(&to.address)), check_text(address_domain(&to.address));
    check_text(to.orcpt);
  }
  if (rest.n || count != d->count || !count || count > DROP_RECIPIENTS_MAX) abort();
}

static void check_again(struct slice head, const struct drop *d) {
  struct drop again;
  struct buf out;
  buf_init(&out, head.n + 64);
  if (drop_read(head, d->head + d->size, HERE, &again) || again.head != d->head) abort();
  drop_put(&out, d);
  uint64_t whole = buf_len(&out) + d->size;
  if (drop_read(buf_slice(&out), whole, HERE, &again) || again.size != d->size) abort();
  if (!slice_eq(again.from, d->from) || !slice_eq(again.recipients, d->recipients)) abort();
  buf_free(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  struct slice in = slice_of(data, size);
  struct drop d;
  uint8_t id[DROP_ID];
  if (drop_is_name(in, id) && size != DROP_NAME) abort();
  if (drop_read(in, size, HERE, &d)) { /* as a file of the length that it names? */
    if (!d.head || d.size > UINT64_MAX / 2 || drop_read(in, d.head + d.size, HERE, &d)) return 0;
  } else if (d.size > size || d.head + d.size != size) {
    abort();
  }
  if (d.head > size) abort();
  check_envelope(&d);
  check_again(slice_first(in, d.head), &d);
  return 0;
}
