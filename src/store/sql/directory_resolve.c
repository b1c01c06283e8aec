/* SPDX-License-Identifier: ISC */
/* Where an address leads: to local mailboxes and to remote addresses, through aliases and forwards,
 * and postmaster always to somebody (directory.h).
 *
 *  1. The result for one message has each account and each remote address once (but see
 *     add_elsewhere).
 *  2. Each entry is visited once from one address, so that a loop ends.
 *  3. Every list has its limit (directory.h); beyond it the answer is DIR_TROUBLE. */
#include <stdlib.h>

#include "ipc/ipc.h"
#include "lib/base/array.h"
#include "src/store/sql/directory_inside.h"

enum {
  TEXTS_MAX = 64 * 1024 * 1024,
  FEW = 16, /* accounts that are searched linearly */
};

/* --- what is found --- */

void dir_found_init(struct dir_found *f) {
  *f = (struct dir_found){ 0 };
  map_init(&f->has);
  map_init(&f->targets);
  arena_init(&f->texts, TEXTS_MAX);
}

void dir_begin(struct dir_found *f) {
  if (f->count > FEW) {
    map_free(&f->has);
    map_init(&f->has);
  }
  if (f->elsewhere_count) {
    map_free(&f->targets);
    map_init(&f->targets);
  }
  f->count = f->elsewhere_count = 0;
  arena_reset(&f->texts);
}

void dir_found_free(struct dir_found *f) {
  free(f->accounts);
  free(f->elsewhere);
  map_free(&f->has);
  map_free(&f->targets);
  arena_reset(&f->texts);
  dir_found_init(f);
}

static bool has_account(const struct dir_found *f, uint64_t account) {
  if (f->count > FEW) return map_get(&f->has, account, NULL);
  for (size_t i = 0; i < f->count; i++)
    if (f->accounts[i] == account) return true;
  return false;
}

/* Once there are more than FEW, the map has all of them. */
static bool note_account(struct dir_found *f) {
  size_t from = f->count == FEW + 1 ? 0 : f->count - 1;
  for (size_t i = from; f->count > FEW && i < f->count; i++)
    if (!map_put(&f->has, f->accounts[i], 1)) return false;
  return true;
}

static bool add_account(uint64_t account, struct dir_found *f) {
  if (has_account(f, account)) return true;
  if (f->count == DIR_ACCOUNTS_MAX) return false;
  if (!array_reserve(&f->accounts, &f->cap, f->count + 1, sizeof *f->accounts)) return false;
  f->accounts[f->count++] = account;
  return note_account(f);
}

/* Two targets with one hash: the second is added each time it occurs, since a duplicate is the
 * lesser harm. */
static bool add_elsewhere(struct dir_found *f, struct slice target, struct slice forwarder) {
  uint64_t hash = slice_hash(target), at;
  bool had = map_get(&f->targets, hash, &at);
  if (had && slice_eq(f->elsewhere[at - 1].target, target)) return true;
  if (f->elsewhere_count == DIR_ELSEWHERE_MAX) return false;
  size_t wanted = f->elsewhere_count + 1;
  if (!array_reserve(&f->elsewhere, &f->elsewhere_cap, wanted, sizeof *f->elsewhere)) return false;
  if (!had && !map_put(&f->targets, hash, wanted)) return false;
  f->elsewhere[f->elsewhere_count++] = (struct dir_elsewhere){ target, forwarder };
  return true;
}

/* --- entries --- */

static struct slice from_at(struct slice address) {
  ptrdiff_t at = slice_rfind(address, '@');
  return at < 0 ? SLICE_NONE : slice_from(address, (size_t)at);
}

/* The address itself, without its detail, or the catch-all of its domain. */
static enum dir_result look_up(struct directory *d, struct slice folded, const char *delimiters,
                               struct arena *a, struct dir_entry *ret) {
  struct dir_text base;
  enum dir_result r = dir_look_alike(d, folded, a, ret);
  if (r == DIR_UNKNOWN && delimiters && dir_without_detail(folded, delimiters, &base)) {
    r = dir_look_alike(d, dir_text_of(&base), a, ret);
    if (r == DIR_FOUND && ret->text.p == base.mem) ret->text = arena_copy(a, ret->text);
    if (r == DIR_FOUND && !ret->text.p) r = DIR_TROUBLE;
  }
  return r == DIR_UNKNOWN ? dir_look(d, from_at(folded), a, ret) : r;
}

struct resolve_visits {
  struct dir_entry *list;
  size_t count, cap;
  struct map seen; /* by the text's hash: the place in `list`, counted from 1 */
};

static bool has_visited(const struct resolve_visits *v, struct slice text, uint64_t hash) {
  uint64_t at;
  return map_get(&v->seen, hash, &at) && slice_eq(v->list[at - 1].text, text);
}

/* Two texts with one hash: the second may be visited again, until there are too many visits. */
static bool visit(struct resolve_visits *v, const struct dir_entry *x) {
  uint64_t hash = slice_hash(x->text);
  if (has_visited(v, x->text, hash)) return true;
  if (v->count == DIR_VISITS_MAX) return false;
  if (!array_reserve(&v->list, &v->cap, v->count + 1, sizeof *v->list)) return false;
  v->list[v->count++] = *x;
  return map_get(&v->seen, hash, NULL) || map_put(&v->seen, hash, v->count);
}

/* An account keeps mail that is not forwarded, or is forwarded to itself too. */
static bool keeps(const struct dir_entry *x) {
  struct slice rest = x->targets, target;
  bool itself = !rest.n;
  while (!itself && ipc_list_next(&rest, &target)) itself = slice_eq(target, x->text);
  return x->account && itself;
}

/* A target of x: one more entry to be visited, or an address elsewhere. */
static enum dir_result follow_target(struct directory *d, const struct dir_entry *x,
                                     struct slice target, const char *delimiters,
                                     struct resolve_visits *v, struct dir_found *f,
                                     bool *ret_anybody) {
  struct dir_entry next;
  enum dir_result r = dir_find_domain(d, slice_from(from_at(target), 1));
  if (r == DIR_ELSEWHERE) {
    *ret_anybody = true;
    return add_elsewhere(f, target, x->text) ? DIR_FOUND : DIR_TROUBLE;
  }
  if (r == DIR_FOUND) r = look_up(d, target, delimiters, &f->texts, &next);
  if (r == DIR_FOUND && !visit(v, &next)) r = DIR_TROUBLE;
  return r; /* unknown: `check` reports it; it cannot be created */
}

/* Its mailbox and its targets. *ret_anybody: at least one is not an alias. */
static bool follow(struct directory *d, struct dir_entry x, const char *delimiters,
                   struct resolve_visits *v, struct dir_found *f, bool *ret_anybody) {
  bool fine = true;
  struct slice rest = x.targets, target;
  if (keeps(&x)) fine = *ret_anybody = add_account(x.account, f);
  while (fine && ipc_list_next(&rest, &target))
    fine = follow_target(d, &x, target, delimiters, v, f, ret_anybody) != DIR_TROUBLE;
  return fine;
}

/* An alias and the aliases it leads to, level by level; each is visited once, so a loop ends.
 * Whether it leads to anybody does not depend on what other addresses of the message lead to. */
static enum dir_result expand(struct directory *d, struct dir_entry alias, const char *delimiters,
                              struct dir_found *f) {
  struct resolve_visits v = { 0 };
  size_t at = 0, level_end = 1;
  bool anybody = false;
  map_init(&v.seen);
  alias.text = arena_copy(&f->texts, alias.text); /* a forwarder, needed as long as the message */
  bool fine = alias.text.p && visit(&v, &alias);
  for (int depth = 0; fine && at < v.count; depth++, level_end = v.count) {
    if (depth > DIR_DEPTH_MAX) fine = false;
    for (; fine && at < level_end; at++) fine = follow(d, v.list[at], delimiters, &v, f, &anybody);
  }
  free(v.list);
  map_free(&v.seen);
  return !fine ? DIR_TROUBLE : anybody ? DIR_FOUND : DIR_UNKNOWN;
}

static enum dir_result reach(struct directory *d, const struct dir_entry *x, const char *delimiters,
                             struct dir_found *f) {
  if (x->account && !x->targets.n) return add_account(x->account, f) ? DIR_FOUND : DIR_TROUBLE;
  return expand(d, *x, delimiters, f);
}

/* --- an address of a message --- */

static enum dir_result to_postmaster(struct directory *d, const char *delimiters,
                                     struct dir_found *f) {
  struct dir_entry x;
  uint64_t account;
  enum dir_result r = dir_any_postmaster(d, &f->texts, &x);
  if (r == DIR_FOUND) r = reach(d, &x, delimiters, f);
  if (r != DIR_UNKNOWN) return r;
  r = dir_read_oldest(d, &account);
  return r == DIR_FOUND && add_account(account, f) ? DIR_FOUND : DIR_TROUBLE;
}

static bool is_postmaster(struct slice address, const char *delimiters) {
  struct dir_text base;
  if (delimiters && dir_without_detail(address, delimiters, &base)) address = dir_text_of(&base);
  return slice_starts(address, SLICE("postmaster@"));
}

/* Not in a local domain, but this very machine. */
static bool is_here(const struct directory *d, struct slice domain) {
  return slice_at(domain, 0) == '[' ||
         (d->hostname && domain.n && slice_caseeq(domain, slice_str(d->hostname)));
}

static enum dir_result resolve_folded(struct directory *d, struct slice address,
                                      const char *delimiters, struct dir_found *f) {
  struct dir_entry x;
  if (slice_eq(address, SLICE("postmaster"))) return to_postmaster(d, delimiters, f);
  ptrdiff_t at = slice_rfind(address, '@');
  struct slice domain = at < 0 ? SLICE_NONE : slice_from(address, (size_t)at + 1);
  bool postmaster = is_postmaster(address, delimiters);
  enum dir_result r = dir_remembers(d, address) ? DIR_FOUND : dir_find_domain(d, domain);
  if (r == DIR_ELSEWHERE && postmaster && is_here(d, domain))
    return to_postmaster(d, delimiters, f);
  if (r != DIR_FOUND) return r;
  r = look_up(d, address, delimiters, &f->texts, &x);
  if (r == DIR_FOUND) r = reach(d, &x, delimiters, f);
  return r == DIR_UNKNOWN && postmaster ? to_postmaster(d, delimiters, f) : r;
}

static bool fold_ascii(struct slice address, struct dir_text *ret) {
  ret->n = address.n;
  if (address.n > sizeof ret->mem) return false;
  slice_lower(address, ret->mem);
  return true;
}

enum dir_result dir_resolve(struct directory *d, struct slice address, const char *delimiters,
                            struct dir_found *f) {
  struct dir_text folded;
  return fold_ascii(address, &folded) ? resolve_folded(d, dir_text_of(&folded), delimiters, f)
                                      : DIR_UNKNOWN;
}

void dir_entry(struct directory *d, struct slice address, const char *delimiters, struct buf *out,
               bool *ret_forwards) {
  struct dir_text folded;
  struct dir_entry x;
  struct arena texts;
  *ret_forwards = false;
  if (!fold_ascii(address, &folded)) return;
  arena_init(&texts, TEXTS_MAX);
  if (look_up(d, dir_text_of(&folded), delimiters, &texts, &x) == DIR_FOUND) {
    buf_put(out, x.text);
    *ret_forwards = x.targets.n > 0;
  }
  arena_reset(&texts);
}
