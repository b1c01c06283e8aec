/* SPDX-License-Identifier: ISC */
/* Tests in which a disk fails at each operation in turn take every fifth one, another fifth for
 * each kind of fault; with SOAK in the environment every one. */
#ifndef QASID_TEST_SAMPLE_H
#define QASID_TEST_SAMPLE_H

#include <stdint.h>
#include <stdlib.h>

struct sample {
  uint64_t first, step;
};

static inline struct sample sample_next(void) {
  static uint64_t kinds;
  uint64_t step = getenv("SOAK") ? 1 : 5;
  return (struct sample){ 1 + kinds++ % step, step };
}

#endif
