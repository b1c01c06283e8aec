/* SPDX-License-Identifier: ISC */
/* Appends chunks of a large message to its spool file, and removes spools that are no longer
 * wanted: work for a reader's thread, since it touches no row. */
#include <stdlib.h>

#include "src/store/sql/engine.h"
#include "src/store/sql/work.h"

/* The job's own chunk and those after it. */
static int write_all(struct disk *d, const struct spool_job *s) {
  struct disk_file *f = NULL;
  int r = spool_open(d, s->spool, &f);
  if (r < 0) return r;
  for (; s && r == 0; s = s->behind) r = spool_write(d, f, s->spool, s->chunk);
  d->ops->close(&f);
  return r;
}

enum db_result spool_run(struct store_engine *e, struct store_job *j) {
  struct spool_job *s = (struct spool_job *)j;
  if (!s->spool->size && engine_low_space(e, j)) {
    j->result = JOB_NO_SPACE;
    return DB_OK;
  }
  return db_result_of(write_all(e->disk, s));
}

enum db_result unspool_run(struct store_engine *e, struct store_job *j) {
  spool_drop(e->disk, &((struct unspool_job *)j)->spool);
  return DB_OK;
}
