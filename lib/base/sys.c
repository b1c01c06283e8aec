/* SPDX-License-Identifier: ISC */
/* Clocks and random octets from the kernel.
 * Invariant: sys_random() fills all of its buffer or aborts the process; no caller has to handle
 * a lack of randomness. */
#include "lib/base/sys.h"

#include <stdlib.h>
#include <sys/random.h>
#include <time.h>

static struct timespec now(clockid_t id) {
  struct timespec t;
  clock_gettime(id, &t);
  return t;
}

uint64_t sys_mono_ms(void) {
  struct timespec t = now(CLOCK_MONOTONIC);
  return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

int64_t sys_wall_s(void) { return now(CLOCK_REALTIME).tv_sec; }

int64_t sys_wall_us(void) {
  struct timespec t = now(CLOCK_REALTIME);
  return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

void sys_random(void *p, size_t n) {
  if (n <= 256 && getrandom(p, n, 0) == (ssize_t)n) return;
  uint8_t *at = p;
  while (n > 0) {
    size_t step = n < 256 ? n : 256;
    if (getrandom(at, step, 0) != (ssize_t)step) abort();
    at += step;
    n -= step;
  }
}
