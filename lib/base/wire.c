/* SPDX-License-Identifier: ISC */
/* Fixed-width integers in network order and length-prefixed octet strings, for messages between
 * processes.
 * Invariant: after the first read that fails, `bad` stays set and every later read returns zero
 * or an empty slice; no length is believed before it is compared with what is left. */
#include "lib/base/wire.h"

static uint64_t get_uint(struct wire *w, size_t octets) {
  if (w->bad || w->rest.n < octets) {
    w->bad = true;
    return 0;
  }
  uint64_t v = 0;
  for (size_t i = 0; i < octets; i++) v = v << 8 | w->rest.p[i];
  w->rest = slice_from(w->rest, octets);
  return v;
}

static void put_uint(struct buf *b, uint64_t v, size_t octets) {
  uint8_t be[8];
  for (size_t i = 0; i < octets; i++) be[i] = (uint8_t)(v >> (8 * (octets - 1 - i)));
  buf_put(b, slice_of(be, octets));
}

uint8_t wire_get_u8(struct wire *w) { return (uint8_t)get_uint(w, 1); }
uint16_t wire_get_u16(struct wire *w) { return (uint16_t)get_uint(w, 2); }
uint32_t wire_get_u32(struct wire *w) { return (uint32_t)get_uint(w, 4); }
uint64_t wire_get_u64(struct wire *w) { return get_uint(w, 8); }

uint8_t wire_get_enum(struct wire *w, uint8_t end) {
  uint8_t v = wire_get_u8(w);
  if (v < end) return v;
  w->bad = true;
  return 0;
}

bool wire_get_bool(struct wire *w) { return wire_get_enum(w, 2) == 1; }

struct slice wire_get_bytes(struct wire *w, size_t max) {
  size_t n = wire_get_u32(w);
  if (w->bad || n > max || n > w->rest.n) {
    w->bad = true;
    return SLICE_NONE;
  }
  struct slice s = slice_first(w->rest, n);
  w->rest = slice_from(w->rest, n);
  return s;
}

struct slice wire_get_rest(struct wire *w, size_t max) {
  struct slice s = w->rest;
  if (s.n > max) w->bad = true;
  if (w->bad) return SLICE_NONE;
  w->rest = slice_from(w->rest, s.n);
  return s;
}

void wire_put_u16(struct buf *b, uint16_t v) { put_uint(b, v, 2); }
void wire_put_u32(struct buf *b, uint32_t v) { put_uint(b, v, 4); }
void wire_put_u64(struct buf *b, uint64_t v) { put_uint(b, v, 8); }
void wire_put_bool(struct buf *b, bool v) { buf_put_u8(b, v); }

void wire_put_bytes(struct buf *b, struct slice s) {
  if (s.n > UINT32_MAX) {
    b->failed = true;
    return;
  }
  wire_put_u32(b, (uint32_t)s.n);
  buf_put(b, s);
}
