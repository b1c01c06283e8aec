/* SPDX-License-Identifier: ISC */
/* Where an address leads: to mailboxes here and to addresses elsewhere, through aliases and
 * forwards, and postmaster to somebody in any case (directory.h).
 *
 *  1. What is found of one message has each account and each address elsewhere once: an account has
 * the mark of the message, an address elsewhere is in `targets` (but see add_elsewhere).
 *  2. Each entry is visited once on the way from one address (`follow`), so that a circle ends.
 *  3. Every list has its limit (directory.h); beyond it the answer is DIR_TROUBLE. */
#include <stdlib.h>

#include "src/store/directory_inside.h"

void dir_begin(struct directory *d, struct dir_found *f) {
  d->mark++;
  f->count = 0;
  if (f->elsewhere_count) map_free(&f->targets);
  f->elsewhere_count = 0;
}

void dir_found_free(struct dir_found *f) {
  free(f->accounts);
  free(f->elsewhere);
  map_free(&f->targets);
  *f = (struct dir_found){ 0 };
}

static bool add_account(struct directory *d, struct dir_account *a, struct dir_found *f) {
  if (a->mark == d->mark) return true;
  if (f->count == DIR_ACCOUNTS_MAX) return false;
  if (f->count == f->cap) {
    size_t cap = f->cap ? 2 * f->cap : 16;
    struct dir_account **accounts = realloc(f->accounts, cap * sizeof *accounts);
    if (!accounts) return false;
    f->accounts = accounts;
    f->cap = cap;
  }
  a->mark = d->mark;
  f->accounts[f->count++] = a;
  return true;
}

/* Two targets of one hash: the second is added as often as it comes, since a copy too many is the
 * smaller harm. */
static bool add_elsewhere(struct dir_found *f, struct slice target, struct slice forwarder) {
  uint64_t hash = slice_hash(target), at;
  if (!f->elsewhere_count) map_init(&f->targets);
  bool had = map_get(&f->targets, hash, &at);
  if (had && slice_eq(f->elsewhere[at - 1].target, target)) return true;
  if (f->elsewhere_count == DIR_ELSEWHERE_MAX) return false;
  if (f->elsewhere_count == f->elsewhere_cap) {
    size_t cap = f->elsewhere_cap ? 2 * f->elsewhere_cap : 16;
    struct dir_elsewhere *more = realloc(f->elsewhere, cap * sizeof *more);
    if (!more) return false;
    f->elsewhere = more;
    f->elsewhere_cap = cap;
  }
  if (!had && !map_put(&f->targets, hash, f->elsewhere_count + 1)) return false;
  f->elsewhere[f->elsewhere_count++] = (struct dir_elsewhere){ target, forwarder };
  return true;
}

static struct slice from_at(struct slice address) {
  ptrdiff_t at = slice_rfind(address, '@');
  return at < 0 ? SLICE_NONE : slice_from(address, (size_t)at);
}

/* The address itself, without its detail, or what catches all of its domain. */
static struct dir_address *look_up(struct directory *d, struct slice folded,
                                   const char *delimiters) {
  struct dir_address *x = dir_find_alike(d, folded);
  struct dir_text base;
  if (!x && delimiters && dir_without_detail(folded, delimiters, &base))
    x = dir_find_alike(d, slice_of(base.mem, base.n));
  return x ? x : dir_find_address(d, from_at(folded));
}

struct visits {
  struct dir_address **list;
  size_t count, cap;
};

static bool visit(struct directory *d, struct visits *v, struct dir_address *x) {
  if (x->mark == d->follow) return true;
  if (v->count == DIR_VISITS_MAX) return false;
  if (v->count == v->cap) {
    size_t cap = v->cap ? 2 * v->cap : 64;
    struct dir_address **list = realloc(v->list, cap * sizeof *list);
    if (!list) return false;
    v->list = list;
    v->cap = cap;
  }
  x->mark = d->follow;
  v->list[v->count++] = x;
  return true;
}

/* An account keeps what is not forwarded, and what is forwarded to itself too. */
static bool keeps(const struct dir_address *x) {
  const struct dir_target *t = x->targets;
  while (t && !slice_eq(slice_of(t->text, t->n), dir_text_of(x))) t = t->next;
  return x->account && (t || !x->targets);
}

/* Its mailbox and its targets. *ret_anybody: at least one that is no alias. */
static bool follow(struct directory *d, struct dir_address *x, const char *delimiters,
                   struct visits *v, struct dir_found *f, bool *ret_anybody) {
  bool fine = true;
  if (keeps(x)) fine = *ret_anybody = add_account(d, x->account, f);
  for (struct dir_target *t = x->targets; fine && t; t = t->next) {
    struct slice target = slice_of(t->text, t->n);
    struct dir_address *next = look_up(d, target, delimiters);
    if (dir_find_domain(d, slice_from(from_at(target), 1)))
      fine = !next || visit(d, v, next); /* none: `check` tells, and nobody can make one */
    else
      fine = *ret_anybody = add_elsewhere(f, target, dir_text_of(x));
  }
  return fine;
}

/* An alias and the aliases it leads to, level by level; each is visited once, so a circle ends.
 * Whether it leads to anybody does not depend on what other addresses of the message lead to. */
static enum dir_result expand(struct directory *d, struct dir_address *alias,
                              const char *delimiters, struct dir_found *f) {
  struct visits v = { 0 };
  size_t at = 0, level_end = 1;
  bool anybody = false;
  d->follow++;
  bool fine = visit(d, &v, alias);
  for (int depth = 0; fine && at < v.count; depth++, level_end = v.count) {
    if (depth > DIR_DEPTH_MAX) fine = false;
    for (; fine && at < level_end; at++) fine = follow(d, v.list[at], delimiters, &v, f, &anybody);
  }
  free(v.list);
  return !fine ? DIR_TROUBLE : anybody ? DIR_FOUND : DIR_UNKNOWN;
}

static enum dir_result reach(struct directory *d, struct dir_address *x, const char *delimiters,
                             struct dir_found *f) {
  if (x->account && !x->targets) return add_account(d, x->account, f) ? DIR_FOUND : DIR_TROUBLE;
  return expand(d, x, delimiters, f);
}

static struct dir_address *any_postmaster(struct directory *d) {
  if (d->postmaster_known) return d->postmaster;
  d->postmaster = NULL;
  for (struct dir_domain *x = d->first_domain; x && !d->postmaster; x = x->after) {
    struct dir_text t = { .n = 0 };
    if (dir_text_put(&t, SLICE("postmaster@")) && dir_text_put(&t, slice_of(x->name, x->n)))
      d->postmaster = dir_find_address(d, slice_of(t.mem, t.n));
  }
  d->postmaster_known = true;
  return d->postmaster;
}

static enum dir_result to_postmaster(struct directory *d, const char *delimiters,
                                     struct dir_found *f) {
  struct dir_address *x = any_postmaster(d);
  enum dir_result r = x ? reach(d, x, delimiters, f) : DIR_UNKNOWN;
  if (r != DIR_UNKNOWN) return r;
  struct dir_account *a = d->oldest;
  while (a && !a->addresses) a = a->newer;
  return a && add_account(d, a, f) ? DIR_FOUND : DIR_TROUBLE;
}

static bool is_postmaster(struct slice address, const char *delimiters) {
  struct dir_text base;
  if (delimiters && dir_without_detail(address, delimiters, &base))
    address = slice_of(base.mem, base.n);
  return slice_starts(address, SLICE("postmaster@"));
}

/* Of no domain that was added, but this very machine. */
static bool is_here(const struct directory *d, struct slice domain) {
  return slice_at(domain, 0) == '[' ||
         (d->hostname && domain.n && slice_caseeq(domain, slice_str(d->hostname)));
}

static enum dir_result resolve_folded(struct directory *d, struct slice address,
                                      const char *delimiters, struct dir_found *f) {
  if (slice_eq(address, SLICE("postmaster"))) return to_postmaster(d, delimiters, f);
  ptrdiff_t at = slice_rfind(address, '@');
  struct slice domain = at < 0 ? SLICE_NONE : slice_from(address, (size_t)at + 1);
  bool postmaster = is_postmaster(address, delimiters);
  if (!dir_find_domain(d, domain))
    return postmaster && is_here(d, domain) ? to_postmaster(d, delimiters, f) : DIR_ELSEWHERE;
  struct dir_address *x = look_up(d, address, delimiters);
  enum dir_result r = x ? reach(d, x, delimiters, f) : DIR_UNKNOWN;
  return r == DIR_UNKNOWN && postmaster ? to_postmaster(d, delimiters, f) : r;
}

enum dir_result dir_resolve(struct directory *d, struct slice address, const char *delimiters,
                            struct dir_found *f) {
  uint8_t mem[DIR_ADDRESS_MAX];
  if (address.n > sizeof mem) return DIR_UNKNOWN;
  for (size_t i = 0; i < address.n; i++) mem[i] = ascii_lower(address.p[i]);
  return resolve_folded(d, slice_of(mem, address.n), delimiters, f);
}

struct slice dir_entry(struct directory *d, struct slice address, const char *delimiters,
                       bool *ret_forwards) {
  struct dir_text folded = { .n = 0 };
  for (size_t i = 0; i < address.n && i < sizeof folded.mem; i++)
    folded.mem[folded.n++] = ascii_lower(address.p[i]);
  const struct dir_address *x = look_up(d, slice_of(folded.mem, folded.n), delimiters);
  *ret_forwards = x && x->targets;
  return x ? dir_text_of(x) : SLICE_NONE;
}
