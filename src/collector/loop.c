/* SPDX-License-Identifier: ISC */
/* Detects mail loops. A collection that fetches from the account that it delivers to, directly or
 * through others, would double that account's mail in each run. Each collected message has our
 * trace field (trace.c): a message with the field of this very collection is left at its server.
 *
 *   Received: from …
 *   \tby mx.example.org (Qasid) with POP3S
 *   \tid c3-17-1 for <alice@example.org>; */
#include "src/collector/collector.h"

enum { LINE_KEPT = 512 };

void loop_look_begin(struct loop_look *l) {
  buf_reset(&l->line);
  l->over = l->by_us = l->found = false;
}

/* "\tby mx.example.org (Qasid) with POP3" */
static bool is_by_us(const struct run *r, struct slice line) {
  struct slice host = slice_str(r->collector->process->conf->hostname);
  if (!slice_starts(line, SLICE("\tby "))) return false;
  line = slice_from(line, 4);
  return slice_case_starts(line, host) &&
         slice_starts(slice_from(line, host.n), SLICE(" (Qasid) with POP3"));
}

/* "\tid c3-" */
static bool is_this_collection(const struct run *r, struct slice line) {
  struct buf id;
  buf_init(&id, 40);
  buf_printf(&id, "\tid c%llu-", (unsigned long long)r->number);
  bool is = !id.failed && slice_starts(line, buf_slice(&id));
  buf_free(&id);
  return is;
}

static void take_line(struct run *r, struct slice line) {
  struct loop_look *l = &r->loop;
  if (line.n && line.p[line.n - 1] == '\r') line.n--;
  l->over = line.n == 0;
  l->found = l->found || (l->by_us && is_this_collection(r, line));
  l->by_us = is_by_us(r, line);
}

bool loop_look_at(struct run *r, struct slice octets) {
  struct loop_look *l = &r->loop;
  while (octets.n && !l->over && !l->found) {
    ptrdiff_t end = slice_find(octets, '\n');
    struct slice part = end < 0 ? octets : slice_first(octets, (size_t)end);
    if (buf_len(&l->line) < LINE_KEPT)
      buf_put(&l->line, slice_first(part, LINE_KEPT - buf_len(&l->line)));
    if (end < 0) return false;
    take_line(r, buf_slice(&l->line));
    buf_reset(&l->line);
    octets = slice_from(octets, (size_t)end + 1);
  }
  return l->found;
}
