/* SPDX-License-Identifier: ISC */
/* A growable run of octets with a maximum that is fixed when it is made.
 *
 * Errors are sticky: a put that would pass the maximum, or for which memory is missing, changes
 * nothing and sets `failed`, and every later put does nothing. The caller writes everything and
 * checks once, at the end. Octets are taken from the front without moving the rest (`head`
 * advances), and an emptied buffer can free its memory, so that an idle connection holds none. */
#ifndef QASID_BASE_BUF_H
#define QASID_BASE_BUF_H

#include "lib/base/slice.h"

struct buf {
  uint8_t *mem;
  size_t head, tail; /* live octets are mem[head, tail) */
  size_t cap, max;
  size_t used; /* octets of mem that may have been written: buf_wipe() overwrites these */
  bool failed;
};

/* Makes an empty buffer that never holds more than `max` octets. Allocates nothing. */
void buf_init(struct buf *b, size_t max);
/* Frees the memory and makes the buffer as after buf_init, with the same maximum. */
void buf_free(struct buf *b);
/* As buf_free, but the octets are overwritten first: for secrets. */
void buf_wipe(struct buf *b);
/* Makes it empty, clears `failed`, keeps the memory. */
void buf_reset(struct buf *b);
/* `to` frees its memory and takes over that of `from`, which is then empty; each keeps its maximum.
 * The octets must be within that of `to`. */
void buf_move(struct buf *to, struct buf *from);
/* When empty and not failed, frees the memory. */
void buf_release_if_empty(struct buf *b);

static inline size_t buf_len(const struct buf *b) { return b->tail - b->head; }
static inline struct slice buf_slice(const struct buf *b) {
  return slice_of(b->mem ? b->mem + b->head : NULL, buf_len(b));
}
/* How many octets may still be put. */
static inline size_t buf_room(const struct buf *b) { return b->max - buf_len(b); }

void buf_put(struct buf *b, struct slice s);
void buf_put_str(struct buf *b, const char *s);
/* In lower case (ASCII). */
void buf_put_lower(struct buf *b, struct slice s);
void buf_put_u8(struct buf *b, uint8_t c);
/* The number in decimal. */
void buf_put_dec(struct buf *b, uint64_t n);
void buf_printf(struct buf *b, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* Puts a NUL behind the octets that is not counted, for a C library that wants a string. NULL when
 * the buffer has failed. Valid until the next change. */
const char *buf_cstr(struct buf *b);

/* Inserts `s` in front of the octet at `at`, an index of a live octet or the end. */
void buf_insert(struct buf *b, size_t at, struct slice s);

/* Room for up to `n` octets behind the end, to be filled by the caller and then declared with
 * buf_added(). NULL (and `failed`) when that would pass the maximum. */
uint8_t *buf_reserve(struct buf *b, size_t n);
void buf_added(struct buf *b, size_t n);
/* Drops `n` octets from the front, or all of them when there are fewer. */
void buf_drop(struct buf *b, size_t n);
/* Cuts the buffer back to its first `n` octets. */
void buf_truncate(struct buf *b, size_t n);

#endif
