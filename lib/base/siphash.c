/* SPDX-License-Identifier: ISC */
/* SipHash-2-4 with 128 bits of output, fed in pieces.
 * Invariant: the result does not depend on how the octets were cut; `tail` holds the `taken` % 8
 * octets that do not yet fill a word. */
#include "lib/base/siphash.h"

#include <endian.h>

static uint64_t rotate(uint64_t x, unsigned by) { return x << by | x >> (64 - by); }

static uint64_t read_le(const uint8_t *p, size_t n) {
  uint64_t x = 0;
  for (size_t i = 0; i < n; i++) x |= (uint64_t)p[i] << (8 * i);
  return x;
}

static uint64_t read_word(const uint8_t *p) {
  uint64_t x;
  memcpy(&x, p, sizeof x);
  return le64toh(x);
}

struct lanes {
  uint64_t a, b, c, d;
};

static inline __attribute__((always_inline)) struct lanes one_round(struct lanes v) {
  v.a += v.b, v.b = rotate(v.b, 13) ^ v.a, v.a = rotate(v.a, 32);
  v.c += v.d, v.d = rotate(v.d, 16) ^ v.c;
  v.a += v.d, v.d = rotate(v.d, 21) ^ v.a;
  v.c += v.b, v.b = rotate(v.b, 17) ^ v.c, v.c = rotate(v.c, 32);
  return v;
}

static void rounds(uint64_t v[4], unsigned count) {
  struct lanes l = { v[0], v[1], v[2], v[3] };
  while (count--) l = one_round(l);
  v[0] = l.a, v[1] = l.b, v[2] = l.c, v[3] = l.d;
}

/* Whole messages go through here: the state stays in registers. */
static void take_words(uint64_t v[4], const uint8_t *p, size_t words) {
  struct lanes l = { v[0], v[1], v[2], v[3] };
  for (; words; words--, p += 8) {
    uint64_t m = read_word(p);
    l.d ^= m;
    l = one_round(one_round(l));
    l.a ^= m;
  }
  v[0] = l.a, v[1] = l.b, v[2] = l.c, v[3] = l.d;
}

void siphash_start(struct siphash *h, const uint8_t key[SIPHASH_KEY]) {
  uint64_t k0 = read_le(key, 8), k1 = read_le(key + 8, 8);
  *h = (struct siphash){ .v = { 0x736f6d6570736575u ^ k0, 0x646f72616e646f6du ^ k1 ^ 0xee,
                                0x6c7967656e657261u ^ k0, 0x7465646279746573u ^ k1 } };
}

static void take_word(struct siphash *h, uint64_t m) {
  h->v[3] ^= m;
  rounds(h->v, 2);
  h->v[0] ^= m;
}

void siphash_put(struct siphash *h, struct slice s) {
  size_t held = h->taken % 8, i = 0;
  h->taken += s.n;
  for (; held && held < 8 && i < s.n; i++) h->tail[held++] = s.p[i];
  if (held == 8)
    take_word(h, read_le(h->tail, 8));
  else if (held)
    return;
  size_t words = (s.n - i) / 8;
  if (words) take_words(h->v, s.p + i, words);
  i += 8 * words;
  for (held = 0; i < s.n; i++) h->tail[held++] = s.p[i];
}

static void put_word(uint64_t v[4], uint8_t *to) {
  rounds(v, 4);
  uint64_t x = v[0] ^ v[1] ^ v[2] ^ v[3];
  for (size_t i = 0; i < 8; i++) to[i] = (uint8_t)(x >> (8 * i));
}

void siphash_end(struct siphash *h, uint8_t ret[SIPHASH_SIZE]) {
  take_word(h, h->taken << 56 | read_le(h->tail, h->taken % 8));
  h->v[2] ^= 0xee;
  put_word(h->v, ret);
  h->v[1] ^= 0xdd;
  put_word(h->v, ret + 8);
}
