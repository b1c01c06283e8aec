/* SPDX-License-Identifier: ISC */
/* The table of the owner's functions for finished jobs (finish.h). */
#include "src/store/owner/finish.h"

#include <stddef.h>

static finish_fn *const finishes[] = {
#define JOB(name, word, thread, run, undo, settle, finish, free) [KIND_##name] = finish,
#include "src/store/jobs/kinds.def"
#undef JOB
};

void finish_job(struct store *s, struct store_job *j) {
  if (finishes[j->kind]) finishes[j->kind](s, j);
}
