/* SPDX-License-Identifier: ISC */
/* The dot-stuffer against one that is written line by line and octet by octet: same octets, same
 * verdict, for RETR and TOP, for sizes that are right and wrong, however the message is cut. */
#include <stdlib.h>

#include "mail/pop3/stuff.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct plan {
  bool top;
  uint64_t announced, lines;
  size_t step;
};

/* How many octets the next line has, its CRLF included. */
static size_t line_length(struct slice s) {
  ptrdiff_t end = slice_search(s, SLICE("\r\n"));
  return end < 0 ? s.n : (size_t)end + 2;
}

static void put_line(struct slice line, struct buf *out) {
  if (slice_at(line, 0) == '.') buf_put_u8(out, '.');
  for (size_t i = 0; i < line.n; i++) buf_put_u8(out, line.p[i] ? line.p[i] : 0x80);
}

/* True when `announced` is a size that stuff.h (rules 3 to 5) allows for this message. */
static bool naive(struct slice message, const struct plan *p, struct buf *out) {
  uint64_t size = message.n, lines = p->lines;
  bool header = true, ended = true;
  while (message.n > 0) {
    struct slice line = slice_first(message, line_length(message));
    ended = line.n >= 2 && slice_eq(slice_from(line, line.n - 2), SLICE("\r\n"));
    put_line(line, out);
    message = slice_from(message, line.n);
    if (header)
      header = !slice_eq(line, SLICE("\r\n"));
    else if (ended && lines > 0)
      lines--;
    if (p->top && !header && lines == 0 && ended) {
      buf_put(out, SLICE(".\r\n"));
      return size - message.n <= p->announced;
    }
  }
  uint64_t with_end = size + (ended ? 0 : 2), with_line = with_end + (header ? 2 : 0);
  if (!ended) buf_put(out, SLICE("\r\n"));
  if (header && (p->top || p->announced == with_line)) buf_put(out, SLICE("\r\n"));
  buf_put(out, SLICE(".\r\n"));
  return p->announced == with_end || p->announced == with_line;
}

static bool ours(struct slice message, const struct plan *p, struct buf *out) {
  struct pop3_stuffer st;
  enum pop3_stuff r = POP3_STUFF_MORE;
  if (p->top)
    pop3_stuff_open_top(&st, p->announced, p->lines);
  else
    pop3_stuff_open(&st, p->announced);
  for (; r == POP3_STUFF_MORE && message.n > 0; message = slice_from(message, p->step))
    r = pop3_stuff_put(&st, slice_first(message, p->step), out);
  if (r == POP3_STUFF_MORE) r = pop3_stuff_end(&st, out);
  return r == POP3_STUFF_DONE;
}

static uint64_t measured(struct slice message, size_t step) {
  struct mail_measure m;
  mail_measure_open(&m);
  for (; message.n > 0; message = slice_from(message, step))
    mail_measure_put(&m, slice_first(message, step));
  return mail_measure_end(&m);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  if (size < 3) return 0;
  struct slice message = slice_of(data + 3, size - 3);
  struct plan p = { .top = data[0] & 1, .lines = data[1] % 8, .step = data[2] % 16 + 1u };
  /* Right or nearly right. A TOP that is cut looks no further than it must, so its size is right
   * here. */
  uint64_t size_right = measured(message, p.step);
  uint64_t less = p.top ? 0 : data[0] >> 1 & 7;
  if (size_right != measured(message, size) || size_right < message.n) abort();
  p.announced = size_right > less ? size_right - less : 0;
  struct buf a, b;
  buf_init(&a, 4 * size + 64);
  buf_init(&b, 4 * size + 64);
  bool good = ours(message, &p, &a);
  if (good != naive(message, &p, &b)) abort();
  if (good && !slice_eq(buf_slice(&a), buf_slice(&b))) abort();
  if (!good && slice_search(buf_slice(&a), SLICE("\r\n.\r\n")) >= 0) abort();
  buf_free(&a);
  buf_free(&b);
  return 0;
}
