/* SPDX-License-Identifier: ISC */
/* Tests in which a disk fails at each operation in turn take every fifth one, another fifth for
 * each kind of fault; with SOAK in the environment every one, with QUICK every 25th. Strides are
 * odd, so that what alternates is met at both. */
#ifndef QASID_TEST_SAMPLE_H
#define QASID_TEST_SAMPLE_H

#include <stdint.h>
#include <stdlib.h>

struct sample {
  uint64_t first, step;
};

static inline uint64_t sample_step(uint64_t usual) {
  return getenv("SOAK") ? 1 : getenv("QUICK") ? 5 * usual : usual;
}

static inline struct sample sample_next(void) {
  static uint64_t kinds;
  uint64_t step = sample_step(5);
  return (struct sample){ 1 + kinds++ % step, step };
}

#endif
