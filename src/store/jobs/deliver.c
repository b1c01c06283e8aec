/* SPDX-License-Identifier: ISC */
/* The memory of a delivery job besides its rows, and values computed from it alone. */
#include "src/store/jobs/deliver.h"

#include <stdlib.h>

#include "mail/surrogate.h"
#include "src/store/jobs/frees.h"
#include "src/store/jobs/report.h"

enum {
  KEPT_MAX = 4 * 1024 * 1024, /* addresses and other texts of one message */
};

/* The surrogate's size for the stored form, if the message as received, `octets` long, has a
 * surrogate of size `known`: the added end is ASCII, and usually the head is. An impossible size
 * counts as unknown, as does that of a message whose head has a surrogate. */
static uint64_t surrogate_of(const struct deliver_job *d, uint64_t known, uint64_t octets) {
  if (surrogate_wants(d->head)) return SURROGATE_UNKNOWN;
  if (known <= SURROGATE_SAME) return known;
  bool can_be = surrogate_octets(known) / SURROGATE_GROWTH <= octets && octets <= d->size;
  return can_be ? surrogate_with(known, d->size - octets) : SURROGATE_UNKNOWN;
}

static struct slice put(uint8_t **at, struct slice s) {
  if (s.n) memcpy(*at, s.p, s.n);
  struct slice copy = s.p ? slice_of(*at, s.n) : SLICE_NONE;
  *at += s.n;
  return copy;
}

static const char path_label[] = "Return-Path: <", path_end[] = ">\r\n";
_Static_assert(MESSAGE_FIELDS_MAX + sizeof path_label + ENVELOPE_PATH_MAX + sizeof path_end <=
                   MESSAGE_HEAD_MAX,
               "a front-end's fields and the longest Return-Path: are a head");

static void put_path(struct deliver_job *d, uint8_t **at, struct slice path) {
  put(at, slice_str(path_label));
  d->return_path = slice_of(*at, path.n);
  put(at, path);
  put(at, slice_str(path_end));
}

void *deliver_new(enum job_kind kind, size_t size, struct session *session,
                  const struct deliver_parts *p, int64_t now_s) {
  static const struct spool none;
  const struct spool *spool = p->spool ? p->spool : &none;
  struct slice lacks = body_lacks(spool, p->tail);
  size_t line = p->enveloped ? sizeof path_label - 1 + p->return_path.n + sizeof path_end - 1 : 0;
  size_t head = line + p->fields.n;
  size_t rest = p->name.n + p->print.n + p->uidl.n + head + p->tail.n + lacks.n;
  struct deliver_job *d = job_new(kind, size + rest, session, now_s);
  if (!d) return NULL;
  uint8_t *at = (uint8_t *)d + size;
  d->name = put(&at, p->name);
  d->print = put(&at, p->print);
  d->uidl = put(&at, p->uidl);
  d->head = slice_of(at, head);
  if (p->enveloped) put_path(d, &at, p->return_path);
  put(&at, p->fields);
  d->tail = slice_of(at, p->tail.n + lacks.n);
  put(&at, p->tail);
  put(&at, lacks);
  d->spool = *spool;
  d->size = head + spool->size + d->tail.n;
  d->surrogate = surrogate_of(d, p->surrogate, spool->size + p->tail.n);
  arena_init(&d->kept, KEPT_MAX);
  return d;
}

bool deliver_into(struct deliver_job *d, uint64_t account, uint64_t folder) {
  d->places = calloc(1, sizeof *d->places);
  if (!d->places) return false;
  d->places[0] = (struct deliver_place){ account, folder, 0 };
  d->count = 1;
  return true;
}

const char *send_limits_words(int64_t why) {
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
  job_free(p->job);
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
