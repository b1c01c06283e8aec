/* SPDX-License-Identifier: ISC */
/* Compares the old server's list with the account (migrate.h). Pure.
 *
 *   listed → new | here | gone | in doubt        in doubt --octets compared--> here | gone | new
 *
 * Invariants: a UIDL is kept by one message only; only a comparison of octets resolves a doubt; a
 * message that came from elsewhere, or whose UIDL cannot be kept, never counts as left over, and so
 * is never deleted. */
#include <stdlib.h>

#include "lib/base/array.h"
#include "lib/base/codec.h"
#include "lib/tls/digest.h"
#include "src/cli/migrate/migrate.h"
#include "mail/uidl.h"

enum { PLAN_MEMORY_MAX = 1024 * 1024 * 1024 };

void migrate_plan_init(struct migrate_plan *p) {
  *p = (struct migrate_plan){ .old_count = 0 };
  arena_init(&p->mem, PLAN_MEMORY_MAX);
}

void migrate_plan_free(struct migrate_plan *p) {
  free(p->old);
  free(p->here);
  arena_reset(&p->mem);
}

bool migrate_plan_old(struct migrate_plan *p, uint64_t number, uint64_t size, struct slice uidl) {
  if (!array_reserve(&p->old, &p->old_cap, p->old_count + 1, sizeof *p->old)) return false;
  struct migrate_message *m = &p->old[p->old_count++];
  *m = (struct migrate_message){ .number = number,
                                 .size = size,
                                 .shown = arena_copy(&p->mem, uidl) };
  m->uidl = m->shown;
  return !p->mem.failed;
}

bool migrate_plan_here(struct migrate_plan *p, struct slice uidl, uint64_t uid, bool imported,
                       uint64_t size, uint64_t sum) {
  if (!array_reserve(&p->here, &p->here_cap, p->here_count + 1, sizeof *p->here)) return false;
  p->here[p->here_count++] = (struct migrate_here){
    .uidl = arena_copy(&p->mem, uidl),
    .uid = uid,
    .imported = imported,
    .gone = uid == 0,
    .size = size,
    .lines = MIGRATE_ANY,
    .sum = sum,
  };
  return !p->mem.failed;
}

void migrate_plan_forget_here(struct migrate_plan *p) { p->here_count = 0; }
void migrate_plan_forget_old(struct migrate_plan *p) { p->old_count = 0; }

/* --- UIDLs that cannot be kept --- */

#define RENAMED SLICE("old-")
enum { RENAMED_SIZE = 4 + 2 * DIGEST_SHA256_SIZE };

bool migrate_is_left_over(const struct migrate_here *h) {
  bool renamed = h->uidl.n == RENAMED_SIZE && slice_starts(h->uidl, RENAMED);
  return h->imported && !h->gone && !h->claimed && !renamed;
}

static bool name_it(struct migrate_plan *p, struct migrate_message *m) {
  struct buf text;
  buf_init(&text, 128);
  buf_put(&text, RENAMED);
  hex_put(&text, slice_of(m->kept.digest, DIGEST_SHA256_SIZE));
  m->uidl = arena_copy(&p->mem, buf_slice(&text));
  bool ok = !text.failed && !p->mem.failed;
  buf_free(&text);
  return ok;
}

static int by_shown(const void *x, const void *y) {
  const struct migrate_message *a = *(struct migrate_message *const *)x,
                               *b = *(struct migrate_message *const *)y;
  int order = slice_cmp(a->shown, b->shown);
  return order ? order : (a->number > b->number) - (a->number < b->number);
}

/* Of several messages with the same UIDL the first keeps it. */
static bool mark_renamed(struct migrate_plan *p) {
  struct migrate_message **sorted = calloc(p->old_count + 1, sizeof *sorted);
  if (!sorted) return false;
  p->renamed = 0;
  for (size_t i = 0; i < p->old_count; i++) sorted[i] = &p->old[i];
  qsort(sorted, p->old_count, sizeof *sorted, by_shown);
  for (size_t i = 0; i < p->old_count; i++) {
    struct migrate_message *m = sorted[i];
    bool again = i && slice_eq(m->shown, sorted[i - 1]->shown);
    bool renamed = !m->known && (again || m->reused || !uidl_is_valid(m->shown));
    m->shared = again;
    if (again) sorted[i - 1]->shared = true;
    if (renamed && !m->renamed) m->uidl = SLICE_NONE; /* until its octets are known */
    m->renamed = renamed;
    p->renamed += renamed;
  }
  free(sorted);
  return true;
}

/* --- comparing --- */

static int by_uidl(const void *x, const void *y) {
  return slice_cmp(((const struct migrate_here *)x)->uidl, ((const struct migrate_here *)y)->uidl);
}

static struct migrate_here *find_here(const struct migrate_plan *p, struct slice uidl) {
  struct migrate_here key = { .uidl = uidl };
  return p->here_count && uidl.n ? bsearch(&key, p->here, p->here_count, sizeof key, by_uidl)
                                 : NULL;
}

/* Some servers list the size with LF alone. */
static bool fits(const struct migrate_here *h, uint64_t listed) {
  return h->size == MIGRATE_ANY || listed == h->size ||
         (h->lines != MIGRATE_ANY && listed == h->size - h->lines);
}

static enum migrate_state state_of(const struct migrate_plan *p, const struct migrate_message *m) {
  const struct migrate_here *h = m->here;
  if (!h) return MIGRATE_NEW;
  enum migrate_state state = h->gone ? MIGRATE_GONE : MIGRATE_HERE;
  /* a UIDL derived from its octets is proof */
  if (m->known ? m->known_uid == h->uid : m->renamed || m->imported) return state;
  if (m->known || m->shared) return MIGRATE_DOUBT;
  bool by_size = fits(h, m->size) && !(p->every_octet && h->size != MIGRATE_ANY);
  return by_size ? state : MIGRATE_DOUBT;
}

bool migrate_plan_make(struct migrate_plan *p) {
  if (!mark_renamed(p)) return false;
  if (p->here_count) qsort(p->here, p->here_count, sizeof *p->here, by_uidl);
  p->new_count = p->doubt_count = p->gone_count = p->left_over = 0;
  for (size_t i = 0; i < p->here_count; i++) p->here[i].claimed = false;
  for (size_t i = 0; i < p->old_count; i++) {
    struct migrate_message *m = &p->old[i];
    m->here = find_here(p, m->uidl);
    m->state = state_of(p, m);
    if (m->here) m->here->claimed = true;
    p->new_count += m->state == MIGRATE_NEW;
    p->doubt_count += m->state == MIGRATE_DOUBT;
    p->gone_count += m->state == MIGRATE_GONE;
    /* Its UIDL is in use here, by another message: that one is not left over. */
    struct migrate_here *h = m->reused ? find_here(p, m->shown) : NULL;
    if (h) h->claimed = true;
  }
  for (size_t i = 0; i < p->here_count; i++) p->left_over += migrate_is_left_over(&p->here[i]);
  return true;
}

static bool is_same(const struct migrate_here *h, const struct importer_kept *came) {
  if (h->gone) return h->size == came->size && (h->sum == MIGRATE_ANY || h->sum == came->sum);
  return h->hashed && memcmp(h->hash, came->digest, sizeof h->hash) == 0;
}

bool migrate_plan_came(struct migrate_plan *p, struct migrate_message *m) {
  struct migrate_here *h = find_here(p, m->shown); /* for twins too: their order may have changed */
  m->hashed = true;
  if (h && !h->taken && is_same(h, &m->kept)) {
    h->taken = m->known = true;
    m->known_uid = h->uid;
    m->uidl = m->shown;
    m->renamed = false;
    m->state = h->gone ? MIGRATE_GONE : MIGRATE_HERE;
    return true;
  }
  if (m->state == MIGRATE_DOUBT) m->renamed = m->reused = true;
  m->state = MIGRATE_NEW;
  m->imported = true;
  return !m->renamed || name_it(p, m);
}
