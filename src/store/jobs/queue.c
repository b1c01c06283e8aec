/* SPDX-License-Identifier: ISC */
/* Facts derived from stored octets (queue.h). */
#include "src/store/jobs/queue.h"

enum { LINE_MAX = 2048 };

/* Our own trace line, which a relay must not pass on (RFC 5321 §4.4). */
uint32_t queue_own_line(struct slice octets) {
  ptrdiff_t lf = slice_starts(octets, SLICE("Return-Path: <"))
                     ? slice_find(slice_first(octets, LINE_MAX), '\n')
                     : -1;
  return (uint32_t)(lf + 1);
}
