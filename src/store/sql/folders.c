/* SPDX-License-Identifier: ISC */
/* How much mail accounts have, as far as quotas needed it (folders.h): a map by account, and a list
 * in the order of use, whose oldest are evicted. Invariant: a record with pending octets is never
 * evicted, so each message is taken off where it was added. */
#include "src/store/sql/folders.h"

#include <stdlib.h>

enum { ACCOUNTS_KEPT = 32768 };

void folders_init(struct folders *f) {
  *f = (struct folders){ 0 };
  map_init(&f->by_account);
}

static void unlink_usage(struct folders *f, struct usage *x) {
  *(x->older ? &x->older->newer : &f->oldest) = x->newer;
  *(x->newer ? &x->newer->older : &f->newest) = x->older;
}

static void link_newest(struct folders *f, struct usage *x) {
  x->older = f->newest;
  x->newer = NULL;
  *(f->newest ? &f->newest->newer : &f->oldest) = x;
  f->newest = x;
}

static void forget(struct folders *f, struct usage *x) {
  unlink_usage(f, x);
  map_remove(&f->by_account, x->account);
  free(x);
}

void folders_free(struct folders *f) {
  while (f->oldest) forget(f, f->oldest);
  map_free(&f->by_account);
}

uint64_t folders_job(struct folders *f) { return ++f->jobs; }

static void make_room(struct folders *f) {
  if (f->by_account.count < ACCOUNTS_KEPT) return;
  struct usage *x = f->oldest;
  for (int i = 0; x && x->coming && i < 64; i++) x = x->newer;
  if (x && !x->coming) forget(f, x);
}

static struct usage *get(struct folders *f, uint64_t account) {
  struct usage *x = map_ptr(&f->by_account, account);
  if (x) {
    unlink_usage(f, x);
    link_newest(f, x);
    return x;
  }
  make_room(f);
  x = calloc(1, sizeof *x);
  if (!x || !map_put_ptr(&f->by_account, account, x)) {
    free(x);
    return NULL;
  }
  x->account = account;
  link_newest(f, x);
  return x;
}

/* It has neither a value nor pending octets. */
static void release_if_unused(struct folders *f, struct usage *x) {
  if (!x->coming && !x->known) forget(f, x);
}

static bool read_octets(struct folders *f, struct usage *x) {
  struct db_stmt *s =
      db_prepare(f->db, "SELECT coalesce(sum(octets), 0) FROM folder WHERE account = ?");
  db_bind_int(s, 1, (int64_t)x->account);
  enum db_result r = db_step(s);
  x->known = r == DB_ROW;
  if (x->known) x->octets = (uint64_t)db_int(s, 0);
  x->as_of = f->jobs;
  db_reset(s);
  f->failed |= r == DB_IOERR;
  return x->known;
}

bool folders_held(struct folders *f, uint64_t account, uint64_t *ret) {
  struct usage *x = get(f, account);
  if (!x || (!x->known && !read_octets(f, x))) return false;
  *ret = x->octets + x->coming;
  return true;
}

bool folders_coming(struct folders *f, uint64_t account, uint64_t octets) {
  struct usage *x = get(f, account);
  if (x) x->coming += octets;
  return x != NULL;
}

void folders_came(struct folders *f, uint64_t job, uint64_t account, uint64_t octets, bool added) {
  struct usage *x = map_ptr(&f->by_account, account);
  if (!x) return;
  x->coming -= octets < x->coming ? octets : x->coming;
  if (added && job <= x->as_of)
    x->known = false;
  else if (added)
    x->octets += octets;
  release_if_unused(f, x);
}

void folders_removed(struct folders *f, uint64_t job, uint64_t account, uint64_t octets) {
  struct usage *x = map_ptr(&f->by_account, account);
  if (!x) return;
  if (job <= x->as_of || octets > x->octets)
    x->known = false;
  else
    x->octets -= octets;
  release_if_unused(f, x);
}

void folders_changed(struct folders *f, uint64_t account) {
  struct usage *x = map_ptr(&f->by_account, account);
  if (!x) return;
  x->known = false;
  release_if_unused(f, x);
}
