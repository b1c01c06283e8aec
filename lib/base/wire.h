/* SPDX-License-Identifier: ISC */
/* The encoding of values between processes: fixed-width integers in network order, octet strings
 * preceded by a 32-bit length. Encoding is a series of wire_put_* into a buf; decoding is a series
 * of wire_get_* from a cursor with a sticky error: later gets return zero values, and the caller
 * checks once, with wire_done(). Nothing is trusted: each length is checked against what is
 * left. */
#ifndef QASID_BASE_WIRE_H
#define QASID_BASE_WIRE_H

#include "lib/base/buf.h"

struct wire {
  struct slice rest;
  bool bad;
};

static inline struct wire wire_open(struct slice s) { return (struct wire){ s, false }; }
/* True when everything was read, nothing is left over, and no get failed. */
static inline bool wire_done(const struct wire *w) { return !w->bad && w->rest.n == 0; }

uint8_t wire_get_u8(struct wire *w);
uint16_t wire_get_u16(struct wire *w);
uint32_t wire_get_u32(struct wire *w);
uint64_t wire_get_u64(struct wire *w);
/* 0 or 1; anything else is an error. */
bool wire_get_bool(struct wire *w);
/* An octet string of at most `max` octets, borrowed from the packet. */
struct slice wire_get_bytes(struct wire *w, size_t max);
/* All that is left, at most `max` octets. */
struct slice wire_get_rest(struct wire *w, size_t max);
/* A value that must be below `end`: enums. */
uint8_t wire_get_enum(struct wire *w, uint8_t end);

void wire_put_u16(struct buf *b, uint16_t v);
void wire_put_u32(struct buf *b, uint32_t v);
void wire_put_u64(struct buf *b, uint64_t v);
/* The same 4 octets, into the caller's memory, for short lists. */
static inline void wire_store_u32(uint8_t *to, uint32_t v) {
  for (int i = 3; i >= 0; i--, v >>= 8) to[i] = (uint8_t)v;
}
void wire_put_bool(struct buf *b, bool v);
void wire_put_bytes(struct buf *b, struct slice s);

#endif
