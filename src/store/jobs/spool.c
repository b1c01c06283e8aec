/* SPDX-License-Identifier: ISC */
/* The memory of chunks sent after a chunk, and what a message lacks at its end (spool.h). */
#include "src/store/jobs/spool.h"

#include <stdlib.h>

#include "src/store/jobs/frees.h"

struct slice body_lacks(const struct spool *s, struct slice tail) {
  struct mail_measure m = s->measure;
  if (!s->size) mail_measure_open(&m);
  mail_measure_put(&m, tail);
  return slice_first(SLICE("\r\n\r\n"), (size_t)(mail_measure_end(&m) - m.octets));
}

void spool_free(struct store_job *j) {
  struct spool_job *s = (struct spool_job *)j;
  while (s->behind) {
    struct spool_job *next = s->behind;
    s->behind = next->behind;
    free(next);
  }
}
