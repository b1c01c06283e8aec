/* SPDX-License-Identifier: ISC */
/* Growable buffers with a maximum. Memory at least doubles when it grows, so appending is
 * linear.
 * Invariants: head <= tail <= cap, and at most `max` octets are live; `used` covers every octet
 * ever written, and memory is wiped before it is replaced, so buf_wipe() leaves no copy of a
 * secret; once `failed`, nothing is put until buf_reset(). */
#include "lib/base/buf.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

enum { BUF_FIRST = 256 }; /* the first allocation: one reply line or command fits */

void buf_init(struct buf *b, size_t max) { *b = (struct buf){ .max = max }; }

void buf_free(struct buf *b) {
  free(b->mem);
  buf_init(b, b->max);
}

void buf_wipe(struct buf *b) {
  if (b->mem) explicit_bzero(b->mem, b->used);
  buf_free(b);
}

void buf_reset(struct buf *b) {
  b->head = b->tail = 0;
  b->failed = false;
}

void buf_move(struct buf *to, struct buf *from) {
  size_t max = to->max;
  buf_wipe(to);
  *to = *from;
  to->max = max;
  to->failed |= buf_len(to) > max;
  buf_init(from, from->max);
}

void buf_release_if_empty(struct buf *b) {
  if (b->mem && buf_len(b) == 0 && !b->failed) buf_free(b);
}

/* At least twice the old capacity, so that growing is cheap; and no more than that or than what is
 * requested: a chunk with its head must not become two chunks. */
static size_t next_cap(const struct buf *b, size_t needed) {
  size_t cap = b->cap ? b->cap > SIZE_MAX / 2 ? needed : b->cap * 2 : BUF_FIRST;
  if (cap > b->max) cap = b->max;
  return cap < needed ? needed : cap;
}

/* Moves the live octets to the front if that alone makes room and frees at least half of the
 * memory, or if the buffer cannot grow; otherwise grows. Memory that is given back is wiped
 * first. */
static bool make_room(struct buf *b, size_t n) {
  size_t live = buf_len(b), cap = next_cap(b, live + n);
  if (b->mem && live + n <= b->cap && (b->head >= live || cap <= b->cap)) {
    if (live) memmove(b->mem, b->mem + b->head, live);
    b->head = 0;
    b->tail = live;
    return true;
  }
  uint8_t *mem = malloc(cap);
  if (!mem) return false;
  if (live) memcpy(mem, b->mem + b->head, live);
  /* a later buf_wipe() cannot reach this memory any more */
  if (b->mem) explicit_bzero(b->mem, b->used);
  free(b->mem);
  *b = (struct buf){ .mem = mem, .tail = live, .cap = cap, .max = b->max, .used = live };
  return true;
}

uint8_t *buf_reserve(struct buf *b, size_t n) {
  if (b->failed) return NULL;
  if (n > buf_room(b) || ((!b->mem || n > b->cap - b->tail) && !make_room(b, n))) {
    b->failed = true;
    return NULL;
  }
  if (b->used < b->tail + n) b->used = b->tail + n;
  return b->mem + b->tail;
}

void buf_added(struct buf *b, size_t n) {
  if (!b->failed) b->tail += n;
}

void buf_put(struct buf *b, struct slice s) {
  if (s.n == 0) return;
  uint8_t *to = buf_reserve(b, s.n);
  if (!to) return;
  memcpy(to, s.p, s.n);
  b->tail += s.n;
}

void buf_put_str(struct buf *b, const char *s) { buf_put(b, slice_str(s)); }

void buf_put_lower(struct buf *b, struct slice s) {
  for (size_t i = 0; i < s.n; i++) buf_put_u8(b, ascii_lower(s.p[i]));
}

void buf_put_u8(struct buf *b, uint8_t c) { buf_put(b, slice_of(&c, 1)); }

void buf_put_dec(struct buf *b, uint64_t n) {
  uint8_t digits[20];
  size_t at = sizeof digits;
  do digits[--at] = (uint8_t)('0' + n % 10);
  while (n /= 10);
  buf_put(b, slice_of(digits + at, sizeof digits - at));
}

void buf_printf(struct buf *b, const char *fmt, ...) {
  va_list ap, again;
  va_start(ap, fmt);
  va_copy(again, ap);
  int n = vsnprintf(NULL, 0, fmt, ap);
  va_end(ap);
  /* vsnprintf also writes a NUL: it is reserved but not counted. */
  uint8_t *to = n < 0 ? NULL : buf_reserve(b, (size_t)n + 1);
  if (to) {
    vsnprintf((char *)to, (size_t)n + 1, fmt, again);
    b->tail += (size_t)n;
  }
  if (n < 0) b->failed = true;
  va_end(again);
}

const char *buf_cstr(struct buf *b) {
  uint8_t *end = buf_reserve(b, 1);
  if (!end) return NULL;
  *end = 0;
  return (const char *)(b->mem + b->head);
}

void buf_drop(struct buf *b, size_t n) {
  b->head = n < buf_len(b) ? b->head + n : b->tail;
  if (b->head == b->tail) b->head = b->tail = 0;
}

void buf_truncate(struct buf *b, size_t n) {
  if (n < buf_len(b)) b->tail = b->head + n;
}

void buf_insert(struct buf *b, size_t at, struct slice s) {
  size_t n = buf_len(b);
  if (at > n || !s.n || !buf_reserve(b, s.n)) return;
  buf_added(b, s.n);
  uint8_t *mem = b->mem + b->head;
  memmove(mem + at + s.n, mem + at, n - at);
  memcpy(mem + at, s.p, s.n);
}
