/* SPDX-License-Identifier: ISC */
/* What a hostile server says to a POP3 client: lines as replies and rows, and the whole as a
 * multi-line response that is cut in two ways, which must give the same. */
#include <stdlib.h>

#include "mail/pop3/line.h"
#include "mail/pop3/reply.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void read_lines(struct slice in) {
  struct pop3_framer f = { 0 };
  struct slice line, text;
  enum pop3_line kind;
  while ((kind = pop3_line_next(&f, &in, POP3_REPLY_MAX, &line)) != POP3_LINE_MORE &&
         kind != POP3_LINE_ENDLESS) {
    struct pop3_reply r;
    uint64_t a, b;
    if (kind != POP3_LINE_READY) continue;
    if (line.n + 2 > POP3_REPLY_MAX) abort();
    if (pop3_reply_parse(line, &r)) pop3_reply_timestamp(r.text, &text);
    pop3_reply_pair(line, &a, &b);
    if (pop3_reply_uidl(line, &a, &text) && text.n < 1) abort();
  }
}

static enum pop3_unstuff unstuff(struct slice in, size_t step, uint64_t max, struct buf *out) {
  struct pop3_unstuffer u;
  enum pop3_unstuff r = POP3_UNSTUFF_MORE;
  pop3_unstuff_open(&u, max);
  while (in.n > 0 && r == POP3_UNSTUFF_MORE) {
    struct slice piece = slice_first(in, step);
    size_t before = piece.n;
    r = pop3_unstuff_put(&u, &piece, out);
    in = slice_from(in, before - piece.n);
  }
  return r;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  if (size < 2) return 0;
  struct slice in = slice_of(data + 2, size - 2);
  struct buf whole, cut;
  buf_init(&whole, size + 16);
  buf_init(&cut, size + 16);
  read_lines(in);
  enum pop3_unstuff a = unstuff(in, size, data[1] * 8u, &whole),
                    b = unstuff(in, data[0] % 16 + 1u, data[1] * 8u, &cut);
  if (a != b || whole.failed || buf_len(&whole) > data[1] * 8u) abort();
  if (a == POP3_UNSTUFF_END && !slice_eq(buf_slice(&whole), buf_slice(&cut))) abort();
  buf_free(&whole);
  buf_free(&cut);
  return 0;
}
