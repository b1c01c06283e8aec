/* SPDX-License-Identifier: ISC */
/* Facts derived from stored octets (queue.h). */
#include "src/store/jobs/queue.h"

enum { LINE_MAX = 2048 };

struct slice queue_known_path(const struct queue_letter *l, struct slice forwarder) {
  bool known = (l->flags & ENVELOPE_OURS) != 0;
  if (!l->return_path.n || (l->flags & QUEUE_REPORT)) return SLICE_NONE;
  if (!forwarder.n) return known ? l->return_path : SLICE_NONE;
  return known && (l->flags & QUEUE_PATH_OURS) ? l->return_path : forwarder;
}

/* Our own trace line, which a relay must not pass on (RFC 5321 §4.4). */
uint32_t queue_own_line(struct slice octets) {
  ptrdiff_t lf = slice_starts(octets, SLICE("Return-Path: <"))
                     ? slice_find(slice_first(octets, LINE_MAX), '\n')
                     : -1;
  return (uint32_t)(lf + 1);
}
