/* SPDX-License-Identifier: ISC */
/* What a delivery holds beside its rows, and what is computed of it alone. */
#include "src/store/jobs/deliver.h"

#include <stdlib.h>

#include "mail/surrogate.h"
#include "src/store/jobs/frees.h"
#include "src/store/jobs/report.h"

uint64_t deliver_surrogate(const struct deliver_job *d, uint64_t known, uint64_t octets) {
  if (surrogate_wants(d->head)) return SURROGATE_UNKNOWN;
  if (known <= SURROGATE_SAME) return known;
  bool can_be = surrogate_octets(known) / SURROGATE_GROWTH <= octets && octets <= d->size;
  return can_be ? surrogate_with(known, d->size - octets) : SURROGATE_UNKNOWN;
}

const char *brake_words(int64_t why) {
  static const char *const words[] = {
    "by the administrator",
    "the account's messages an hour",
    "the account's recipients an hour",
    "the account's messages a day",
    "the account's recipients a day",
    "the account's new recipients a day",
  };
  return why >= 0 && why < (int64_t)(sizeof words / sizeof *words) ? words[why] : "unknown";
}

void report_free(struct report_post *p) {
  struct store_job *j = p->job ? &p->job->job : NULL;
  job_free(&j);
  free(p->places);
  *p = (struct report_post){ 0 };
}

static void dsn_free(struct deliver_job *d) {
  if (!d->dsn) return;
  report_free(&d->dsn->post);
  free(d->dsn->rcpts);
  free(d->dsn);
  d->dsn = NULL;
}

void deliver_free(struct store_job *j) {
  struct deliver_job *d = (struct deliver_job *)j;
  dsn_free(d);
  free(d->places);
  free(d->elsewhere);
  free(d->arrival);
  arena_reset(&d->kept);
}
