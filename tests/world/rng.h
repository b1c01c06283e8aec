/* SPDX-License-Identifier: ISC */
/* One seed, one sequence: xoshiro256** set up by splitmix64. Everything that happens by chance in
 * the simulated world is drawn from here, so a run is replayed exactly by its seed. */
#ifndef QASID_WORLD_RNG_H
#define QASID_WORLD_RNG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct rng {
  uint64_t s[4];
};

static inline uint64_t rng_split(uint64_t *x) {
  uint64_t z = (*x += 0x9e3779b97f4a7c15u);
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
  z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
  return z ^ (z >> 31);
}

static inline struct rng rng_from(uint64_t seed) {
  struct rng r;
  for (size_t i = 0; i < 4; i++) r.s[i] = rng_split(&seed);
  return r;
}

static inline uint64_t rng_left(uint64_t x, unsigned by) { return x << by | x >> (64 - by); }

static inline uint64_t rng_next(struct rng *r) {
  uint64_t out = rng_left(r->s[1] * 5, 7) * 9, t = r->s[1] << 17;
  r->s[2] ^= r->s[0];
  r->s[3] ^= r->s[1];
  r->s[1] ^= r->s[2];
  r->s[0] ^= r->s[3];
  r->s[2] ^= t;
  r->s[3] = rng_left(r->s[3], 45);
  return out;
}

/* 0 … n-1; 0 when n is 0. */
static inline uint64_t rng_below(struct rng *r, uint64_t n) { return n ? rng_next(r) % n : 0; }
static inline uint64_t rng_between(struct rng *r, uint64_t from, uint64_t to) {
  return from + rng_below(r, to - from + 1);
}
/* True in `of` cases of `in`. */
static inline bool rng_chance(struct rng *r, unsigned of, unsigned in) {
  return rng_below(r, in) < of;
}
/* Another sequence, independent of what is drawn from this one later. */
static inline struct rng rng_fork(struct rng *r) { return rng_from(rng_next(r)); }

#endif
