#include "lib/base/siphash.h"

static uint64_t rotate(uint64_t x, unsigned by) { return x << by | x >> (64 - by); }

static uint64_t read_le(const uint8_t *p, size_t n) {
  uint64_t x = 0;
  for (size_t i = 0; i < n; i++) x |= (uint64_t)p[i] << (8 * i);
  return x;
}

static void rounds(uint64_t v[4], unsigned count) {
  while (count--) {
    v[0] += v[1], v[1] = rotate(v[1], 13) ^ v[0], v[0] = rotate(v[0], 32);
    v[2] += v[3], v[3] = rotate(v[3], 16) ^ v[2];
    v[0] += v[3], v[3] = rotate(v[3], 21) ^ v[0];
    v[2] += v[1], v[1] = rotate(v[1], 17) ^ v[2], v[2] = rotate(v[2], 32);
  }
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
  if (held == 8) take_word(h, read_le(h->tail, 8));
  else if (held) return;
  for (; s.n - i >= 8; i += 8) take_word(h, read_le(s.p + i, 8));
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
