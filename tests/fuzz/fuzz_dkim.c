/* SPDX-License-Identifier: ISC */
/* What a signature covers does not depend on how the message is cut; a canonical body is its own
 * canonical form; names that are chosen are names that the signer takes. The first octet says how
 * it is cut. */
#include <stdlib.h>

#include "mail/dkim.h"

static void keep(void *arg, struct slice octets) { buf_put(arg, octets); }

static void scan(struct slice message, size_t step, struct buf *header, struct buf *body) {
  struct dkim_scan s;
  dkim_scan_begin(&s, keep, body);
  for (struct slice rest = message; rest.n; rest = slice_from(rest, step))
    dkim_scan_put(&s, slice_first(rest, step));
  dkim_scan_end(&s);
  buf_put(header, buf_slice(&s.header));
  dkim_scan_free(&s);
}

static void again(const struct buf *body) {
  struct dkim_scan s;
  struct buf twice;
  buf_init(&twice, 1 << 18);
  dkim_scan_begin(&s, keep, &twice);
  dkim_scan_put(&s, SLICE("From: a@b.example\r\n\r\n"));
  dkim_scan_put(&s, buf_slice(body));
  dkim_scan_end(&s);
  dkim_scan_free(&s);
  if (!slice_eq(buf_slice(body), buf_slice(&twice))) abort();
  buf_free(&twice);
}

static void fits(struct slice header) {
  struct buf names, input;
  buf_init(&names, 4096), buf_init(&input, 2 * DKIM_INPUT_MAX);
  if (dkim_choose(header, &names) == DKIM_FITS &&
      dkim_input(header, buf_slice(&names), &input) == DKIM_FITS) {
    if (!dkim_names_ok(buf_slice(&names))) abort();
    if (slice_search(buf_slice(&input), SLICE("from:")) < 0) abort();
    for (size_t n = 0; n < buf_len(&input); n++)
      if (slice_at(buf_slice(&input), n) == '\t') abort();
  }
  buf_free(&names), buf_free(&input);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  if (size == 0 || size > 65536) return 0;
  struct slice in = slice_of(data + 1, size - 1);
  struct buf h1, b1, h2, b2;
  buf_init(&h1, 1 << 18), buf_init(&b1, 1 << 18), buf_init(&h2, 1 << 18), buf_init(&b2, 1 << 18);
  scan(in, in.n + 1, &h1, &b1);
  scan(in, 1 + (data[0] >> 1), &h2, &b2);
  if (!slice_eq(buf_slice(&h1), buf_slice(&h2)) || !slice_eq(buf_slice(&b1), buf_slice(&b2)))
    abort();
  again(&b1);
  fits(buf_slice(&h1));
  buf_free(&h1), buf_free(&b1), buf_free(&h2), buf_free(&b2);
  return 0;
}
