/* SPDX-License-Identifier: ISC */
/* The records of locks.h: a map by account. Invariant: a record is never freed while a session has
 * its maildrop open or waits for it. */
#include "src/store/owner/locks.h"

#include <stdlib.h>

void locks_init(struct locks *l) { map_init(&l->by_account); }

void locks_free(struct locks *l) {
  uint64_t account, x;
  for (size_t i = 0; map_each(&l->by_account, &i, &account, &x);)
    free((struct maildrop_lock *)(uintptr_t)x);
  map_free(&l->by_account);
}

struct maildrop_lock *lock_find(const struct locks *l, uint64_t account) {
  return map_ptr(&l->by_account, account);
}

struct maildrop_lock *lock_get(struct locks *l, uint64_t account) {
  struct maildrop_lock *x = lock_find(l, account);
  if (x) return x;
  x = calloc(1, sizeof *x);
  if (!x || !map_put_ptr(&l->by_account, account, x)) {
    free(x);
    return NULL;
  }
  x->account = account;
  return x;
}

static bool is_needed(const struct maildrop_lock *x, int64_t before_s) {
  return x->locked_by || x->waiters || x->login_s >= before_s || x->over_limit_s >= before_s;
}

/* Into a new map, since a map must not change during a scan. Without memory nothing is removed. */
void locks_forget(struct locks *l, int64_t before_s) {
  struct map kept;
  uint64_t account, x;
  bool fine = true;
  map_init(&kept);
  for (size_t i = 0; fine && map_each(&l->by_account, &i, &account, &x);)
    if (is_needed((struct maildrop_lock *)(uintptr_t)x, before_s))
      fine = map_put(&kept, account, x);
  if (!fine) {
    map_free(&kept);
    return;
  }
  for (size_t i = 0; map_each(&l->by_account, &i, &account, &x);)
    if (!map_get(&kept, account, NULL)) free((struct maildrop_lock *)(uintptr_t)x);
  map_free(&l->by_account);
  l->by_account = kept;
}
