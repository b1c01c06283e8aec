/* Chunks of a large message go to its spool file, and spools that nobody wants go away: work for a
 * reader's thread, since it touches no row. */
#include "src/store/engine.h"

enum db_result spool_run(struct store_engine *e, struct store_job *j) {
  struct spool_job *s = (struct spool_job *)j;
  if (!s->spool->size && engine_low_space(e, j)) {
    j->result = JOB_NO_SPACE;
    return DB_OK;
  }
  return db_result_of(spool_write(e->disk, s->spool, s->chunk));
}

const struct job_kind spool_kind = { .name = "spool", .run = spool_run, .finish = spool_finish };

static enum db_result drop_run(struct store_engine *e, struct store_job *j) {
  spool_drop(e->disk, &((struct drop_job *)j)->spool);
  return DB_OK;
}

const struct job_kind drop_kind = { .name = "drop", .run = drop_run };
