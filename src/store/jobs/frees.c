/* SPDX-License-Identifier: ISC */
/* Frees the parts of jobs: one function for each kind that has any (kinds.def). */
#include "src/store/jobs/frees.h"

#include <stdlib.h>

#include "src/store/jobs/collected.h"
#include "src/store/jobs/maildrop.h"
#include "src/store/jobs/result.h"
#include "src/store/jobs/warn.h"

void open_free(struct store_job *j) { buf_free(&((struct open_job *)j)->rows); }

void read_free(struct store_job *j) {
  struct read_job *r = (struct read_job *)j;
  buf_free(&r->data);
  arena_reset(&r->heads);
}

void quit_free(struct store_job *j) { free(((struct quit_job *)j)->uids); }

void octets_free(struct store_job *j) { buf_free(&((struct octets_job *)j)->octets); }

void take_free(struct store_job *j) { arena_reset(&((struct take_job *)j)->memory); }

void expired_free(struct store_job *j) { arena_reset(&((struct expired_job *)j)->memory); }

void late_free(struct store_job *j) { arena_reset(&((struct late_job *)j)->memory); }

void result_free(struct store_job *job) {
  struct result_job *j = (struct result_job *)job;
  report_free(&j->report);
  free(j->results);
  arena_reset(&j->memory);
}

void warn_free(struct store_job *j) {
  struct warn_job *w = (struct warn_job *)j;
  report_free(&w->report);
  arena_reset(&w->memory);
}

void seen_free(struct store_job *j) {
  struct seen_job *seen = (struct seen_job *)j;
  buf_free(&seen->dates);
  buf_free(&seen->ids);
}
