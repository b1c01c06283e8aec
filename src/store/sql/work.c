/* SPDX-License-Identifier: ISC */
/* The table of the threads' functions (work.h). */
#include "src/store/sql/work.h"

static const struct work works[] = {
#define JOB(name, word, thread, run, undo, settle, finish, free) \
  [KIND_##name] = { word, run, undo, settle },
#include "src/store/jobs/kinds.def"
#undef JOB
};

const struct work *work_of(const struct store_job *j) { return &works[j->kind]; }
