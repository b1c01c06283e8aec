/* SPDX-License-Identifier: ISC */
#include "src/store/directory.h"

#include <stdlib.h>

#include "lib/unicode/prepare.h"

struct dir_target {
  struct dir_target *next;
  size_t n;
  uint8_t text[];
};

struct dir_address {
  struct dir_address *next; /* of the same hash */
  struct dir_address *odd;  /* the next of d->odd's hash */
  struct dir_account *account;
  struct dir_target *targets;
  uint64_t mark;
  size_t n;
  uint8_t text[];
};

struct dir_grant {
  struct dir_grant *next;
  size_t n;
  uint8_t text[];
};

struct dir_domain {
  struct dir_domain *next; /* of the same hash */
  struct dir_domain *before, *after;
  uint64_t id;
  size_t n;
  uint8_t name[];
};

static void put_lower(struct buf *out, struct slice s) {
  uint8_t *to = buf_reserve(out, s.n);
  if (!to) return;
  for (size_t i = 0; i < s.n; i++) to[i] = ascii_lower(s.p[i]);
  buf_added(out, s.n);
}

void dir_fold(struct buf *out, struct slice s) {
  if (!prepare_name(s, out)) put_lower(out, s);
}

/* The text prepared, in `mem`. Texts that get too long are none. */
static struct slice prepared(struct slice text, uint8_t mem[DIR_ADDRESS_MAX]) {
  struct buf b;
  buf_init(&b, DIR_ADDRESS_MAX);
  size_t n = prepare_name(text, &b) ? buf_len(&b) : 0;
  if (n) memcpy(mem, buf_slice(&b).p, n);
  buf_free(&b);
  return slice_of(mem, n);
}

bool dir_is_same(struct slice x, struct slice y) {
  uint8_t px[DIR_ADDRESS_MAX], py[DIR_ADDRESS_MAX];
  if (slice_eq(x, y)) return true;
  if (prepare_is_ascii(x) && prepare_is_ascii(y)) return slice_caseeq(x, y);
  struct slice a = prepared(x, px), b = prepared(y, py);
  return a.n > 0 && slice_eq(a, b);
}

void dir_fold_domain(struct buf *out, struct slice address) {
  dir_fold(out, slice_from(address, (size_t)(slice_rfind(address, '@') + 1)));
}

/* --- domains --- */

static struct dir_domain *find_domain(const struct directory *d, struct slice name) {
  struct dir_domain *x = map_ptr(&d->domains, slice_hash(name));
  while (x && !slice_eq(slice_of(x->name, x->n), name)) x = x->next;
  return x;
}

bool dir_is_ours(const struct directory *d, struct slice name) {
  return find_domain(d, name) != NULL;
}

bool dir_put_domain(struct directory *d, uint64_t id, struct slice name) {
  if (find_domain(d, name)) return true;
  struct dir_domain *x = calloc(1, sizeof *x + name.n);
  if (!x) return false;
  x->id = id;
  x->n = name.n;
  memcpy(x->name, name.p, name.n);
  x->next = map_ptr(&d->domains, slice_hash(name));
  if (!map_put_ptr(&d->domains, slice_hash(name), x)) {
    free(x);
    return false;
  }
  x->before = d->last_domain;
  if (x->before)
    x->before->after = x;
  else
    d->first_domain = x;
  d->last_domain = x;
  d->domain_count++;
  return true;
}

void dir_remove_domain(struct directory *d, struct slice name) {
  struct dir_domain *x = find_domain(d, name), *head = map_ptr(&d->domains, slice_hash(name));
  if (!x) return;
  if (x != head) {
    while (head->next != x) head = head->next;
    head->next = x->next;
  } else if (x->next) {
    map_put_ptr(&d->domains, slice_hash(name), x->next);
  } else {
    map_remove(&d->domains, slice_hash(name));
  }
  if (x->before)
    x->before->after = x->after;
  else
    d->first_domain = x->after;
  if (x->after)
    x->after->before = x->before;
  else
    d->last_domain = x->before;
  d->domain_count--;
  d->postmaster_known = false;
  free(x);
}

/* --- accounts --- */

struct dir_account *dir_account(struct directory *d, uint64_t id) {
  return map_ptr(&d->accounts, id);
}

/* Of several the first in the alphabet, so that it is the same one each time. */
struct slice dir_name_of(const struct directory *d, const struct dir_account *a) {
  struct slice best = SLICE_NONE;
  uint64_t key, value;
  for (size_t i = 0; map_each(&d->addresses, &i, &key, &value);) {
    const struct dir_address *x = (const struct dir_address *)(uintptr_t)value;
    for (; x; x = x->next) {
      struct slice text = slice_of(x->text, x->n);
      if (x->account == a && (!best.n || slice_cmp(text, best) < 0)) best = text;
    }
  }
  return best;
}

bool dir_put_account(struct directory *d, uint64_t id, uint64_t inbox,
                     const struct dir_limits *limits) {
  struct dir_account *a = dir_account(d, id);
  if (!a) {
    a = calloc(1, sizeof *a);
    if (!a || !map_put_ptr(&d->accounts, id, a)) {
      free(a);
      return false;
    }
    a->id = id;
    a->older = d->newest;
    if (a->older)
      a->older->newer = a;
    else
      d->oldest = a;
    d->newest = a;
  }
  a->inbox = inbox;
  a->limits = *limits;
  return true;
}

static void count_up(uint64_t *n, int64_t more) {
  uint64_t fewer = more < 0 ? (uint64_t)-more : 0;
  if (more >= 0)
    *n += (uint64_t)more;
  else
    *n -= fewer < *n ? fewer : *n;
}

void dir_deleted(struct directory *d, uint64_t account, int64_t messages, int64_t octets) {
  struct dir_account *a = dir_account(d, account);
  if (!a) return; /* what it kept was taken off the whole when it went */
  count_up(&a->deleted, messages);
  count_up(&a->deleted_octets, octets);
  count_up(&d->deleted, messages);
  count_up(&d->deleted_octets, octets);
}

static void free_grants(struct dir_account *a) {
  while (a->grants) {
    struct dir_grant *g = a->grants;
    a->grants = g->next;
    free(g);
  }
}

void dir_remove_account(struct directory *d, uint64_t id) {
  struct dir_account *a = dir_account(d, id);
  if (!a) return;
  free_grants(a);
  dir_deleted(d, id, -(int64_t)a->deleted, -(int64_t)a->deleted_octets);
  map_remove(&d->accounts, id);
  if (a->older)
    a->older->newer = a->newer;
  else
    d->oldest = a->newer;
  if (a->newer)
    a->newer->older = a->older;
  else
    d->newest = a->older;
  free(a);
}

/* --- addresses --- */

static struct dir_address *find_address(const struct directory *d, struct slice text) {
  struct dir_address *x = map_ptr(&d->addresses, slice_hash(text));
  while (x && !slice_eq(slice_of(x->text, x->n), text)) x = x->next;
  return x;
}

/* --- texts of before --- */

/* Texts that were kept when only ASCII letters were folded are found by what they are prepared to:
 * `odd`. */
static bool odd_text(const struct dir_address *x, uint8_t mem[DIR_ADDRESS_MAX], struct slice *ret) {
  struct slice text = slice_of(x->text, x->n);
  if (prepare_is_ascii(text)) return false;
  *ret = prepared(text, mem);
  return ret->n && !slice_eq(*ret, text);
}

static bool odd_put(struct directory *d, struct dir_address *x) {
  uint8_t mem[DIR_ADDRESS_MAX];
  struct slice text;
  if (!odd_text(x, mem, &text)) return true;
  x->odd = map_ptr(&d->odd, slice_hash(text));
  return map_put_ptr(&d->odd, slice_hash(text), x);
}

static void odd_remove(struct directory *d, struct dir_address *x) {
  uint8_t mem[DIR_ADDRESS_MAX];
  struct slice text;
  if (!odd_text(x, mem, &text)) return;
  struct dir_address *at = map_ptr(&d->odd, slice_hash(text));
  if (at == x && x->odd) map_put_ptr(&d->odd, slice_hash(text), x->odd);
  if (at == x && !x->odd) map_remove(&d->odd, slice_hash(text));
  while (at && at != x && at->odd != x) at = at->odd;
  if (at && at != x) at->odd = x->odd;
}

/* By the text itself, by what it is prepared to, by what one of before is prepared to. */
static struct dir_address *find_alike(const struct directory *d, struct slice text) {
  uint8_t mem[DIR_ADDRESS_MAX], odd_mem[DIR_ADDRESS_MAX];
  struct dir_address *x = find_address(d, text);
  if (x || (prepare_is_ascii(text) && !d->odd.count)) return x;
  struct slice meant = prepared(text, mem), odd;
  x = meant.n ? find_address(d, meant) : NULL;
  if (x || !meant.n) return x;
  x = map_ptr(&d->odd, slice_hash(meant));
  while (x && !(odd_text(x, odd_mem, &odd) && slice_eq(odd, meant))) x = x->odd;
  return x;
}

static void free_targets(struct dir_address *x) {
  while (x->targets) {
    struct dir_target *t = x->targets;
    x->targets = t->next;
    free(t);
  }
}

static struct dir_address *new_address(struct directory *d, struct slice text) {
  struct dir_address *x = calloc(1, sizeof *x + text.n);
  if (!x) return NULL;
  x->n = text.n;
  memcpy(x->text, text.p, text.n);
  x->next = map_ptr(&d->addresses, slice_hash(text));
  if (!map_put_ptr(&d->addresses, slice_hash(text), x)) {
    free(x);
    return NULL;
  }
  d->address_count++;
  if (odd_put(d, x)) return x;
  dir_remove_address(d, text);
  return NULL;
}

static void set_account(struct dir_address *x, struct dir_account *a) {
  if (x->account) x->account->addresses--;
  if (a) a->addresses++;
  x->account = a;
}

bool dir_put_address(struct directory *d, struct slice text, uint64_t account) {
  struct dir_address *x = find_address(d, text);
  if (!x) x = new_address(d, text);
  if (!x) return false;
  free_targets(x);
  set_account(x, account ? dir_account(d, account) : NULL);
  d->postmaster_known = false;
  return true;
}

bool dir_add_target(struct directory *d, struct slice text, struct slice target) {
  struct dir_address *x = find_address(d, text);
  if (!x) return true; /* a target of nothing, which `check` tells of */
  struct dir_target *t = calloc(1, sizeof *t + target.n);
  if (!t) return false;
  t->n = target.n;
  memcpy(t->text, target.p, target.n);
  t->next = x->targets;
  x->targets = t;
  return true;
}

void dir_remove_target(struct directory *d, struct slice text, struct slice target) {
  struct dir_address *x = find_address(d, text);
  if (!x) return;
  for (struct dir_target **at = &x->targets; *at; at = &(*at)->next)
    if (slice_eq(slice_of((*at)->text, (*at)->n), target)) {
      struct dir_target *t = *at;
      *at = t->next;
      free(t);
      return;
    }
}

void dir_remove_address(struct directory *d, struct slice text) {
  struct dir_address *x = find_address(d, text), *head = map_ptr(&d->addresses, slice_hash(text));
  if (!x) return;
  if (x != head) {
    while (head->next != x) head = head->next;
    head->next = x->next;
  } else if (x->next) {
    map_put_ptr(&d->addresses, slice_hash(text), x->next);
  } else {
    map_remove(&d->addresses, slice_hash(text));
  }
  odd_remove(d, x);
  d->address_count--;
  d->postmaster_known = false;
  set_account(x, NULL);
  free_targets(x);
  free(x);
}

/* --- resolving --- */

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

struct text {
  size_t n;
  uint8_t mem[DIR_ADDRESS_MAX];
};

static bool text_put(struct text *t, struct slice s) {
  if (s.n > sizeof t->mem - t->n) return false;
  memcpy(t->mem + t->n, s.p, s.n);
  t->n += s.n;
  return true;
}

/* "user+detail@domain" without its detail. False when there is none. */
static bool without_detail(struct slice address, const char *delimiters, struct text *ret) {
  ptrdiff_t at = slice_rfind(address, '@');
  for (ptrdiff_t i = 1; i < at; i++) {
    if (!memchr(delimiters, address.p[i], strlen(delimiters))) continue;
    ret->n = 0;
    return text_put(ret, slice_first(address, (size_t)i)) &&
           text_put(ret, slice_from(address, (size_t)at));
  }
  return false;
}

static struct slice from_at(struct slice address) {
  ptrdiff_t at = slice_rfind(address, '@');
  return at < 0 ? SLICE_NONE : slice_from(address, (size_t)at);
}

/* The address itself, without its detail, or what catches all of its domain. */
static struct dir_address *look_up(struct directory *d, struct slice folded,
                                   const char *delimiters) {
  struct dir_address *x = find_alike(d, folded);
  struct text base;
  if (!x && delimiters && without_detail(folded, delimiters, &base))
    x = find_alike(d, slice_of(base.mem, base.n));
  return x ? x : find_address(d, from_at(folded));
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

static struct slice text_of(const struct dir_address *x) { return slice_of(x->text, x->n); }

/* An account keeps what is not forwarded, and what is forwarded to itself too. */
static bool keeps(const struct dir_address *x) {
  const struct dir_target *t = x->targets;
  while (t && !slice_eq(slice_of(t->text, t->n), text_of(x))) t = t->next;
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
    if (find_domain(d, slice_from(from_at(target), 1)))
      fine = !next || visit(d, v, next); /* none: `check` tells, and nobody can make one */
    else
      fine = *ret_anybody = add_elsewhere(f, target, text_of(x));
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
    struct text t = { .n = 0 };
    if (text_put(&t, SLICE("postmaster@")) && text_put(&t, slice_of(x->name, x->n)))
      d->postmaster = find_address(d, slice_of(t.mem, t.n));
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
  struct text base;
  if (delimiters && without_detail(address, delimiters, &base))
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
  if (!find_domain(d, domain))
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
  struct text folded = { .n = 0 };
  for (size_t i = 0; i < address.n && i < sizeof folded.mem; i++)
    folded.mem[folded.n++] = ascii_lower(address.p[i]);
  const struct dir_address *x = look_up(d, slice_of(folded.mem, folded.n), delimiters);
  *ret_forwards = x && x->targets;
  return x ? text_of(x) : SLICE_NONE;
}

/* --- as whom an account may send --- */

static bool is_grant(const struct dir_grant *g, struct slice text) {
  return dir_is_same(slice_of(g->text, g->n), text);
}

static bool has_grant(const struct dir_account *a, struct slice folded) {
  for (const struct dir_grant *g = a->grants; g; g = g->next)
    if (is_grant(g, folded)) return true;
  return false;
}

bool dir_put_grant(struct directory *d, uint64_t account, struct slice text) {
  struct dir_account *a = dir_account(d, account);
  if (!a || has_grant(a, text)) return true;
  struct dir_grant *g = calloc(1, sizeof *g + text.n);
  if (!g) return false;
  g->n = text.n;
  memcpy(g->text, text.p, text.n);
  g->next = a->grants;
  a->grants = g;
  return true;
}

void dir_remove_grant(struct directory *d, uint64_t account, struct slice text) {
  struct dir_account *a = dir_account(d, account);
  for (struct dir_grant **at = a ? &a->grants : NULL; at && *at; at = &(*at)->next) {
    struct dir_grant *g = *at;
    if (!is_grant(g, text)) continue;
    *at = g->next;
    free(g);
    return;
  }
}

bool dir_is_granted(const struct dir_account *a, struct slice address, const char *delimiters) {
  struct text folded = { .n = address.n }, base;
  if (!address.n) return has_grant(a, SLICE("<>"));
  if (address.n > sizeof folded.mem) return false;
  for (size_t i = 0; i < address.n; i++) folded.mem[i] = ascii_lower(address.p[i]);
  struct slice whole = slice_of(folded.mem, folded.n);
  ptrdiff_t at = slice_rfind(whole, '@');
  if (at < 0) return false;
  if (has_grant(a, whole) || has_grant(a, slice_from(whole, (size_t)at))) return true;
  return delimiters && without_detail(whole, delimiters, &base) &&
         has_grant(a, slice_of(base.mem, base.n));
}

/* Whole names only. */
static void put_name(struct buf *out, struct slice text) {
  if (buf_room(out) < text.n + 2) return;
  if (buf_len(out)) buf_put_str(out, ", ");
  buf_put(out, text);
}

static bool leads_straight(const struct directory *d, const struct dir_address *x,
                           const struct dir_account *a) {
  for (const struct dir_target *t = x->targets; t; t = t->next) {
    const struct dir_address *to = find_address(d, slice_of(t->text, t->n));
    if (to && to->account == a) return true;
  }
  return x->account == a;
}

void dir_put_names(const struct directory *d, const struct dir_account *a, struct buf *out) {
  uint64_t key, value;
  struct slice own = dir_name_of(d, a);
  if (own.n) put_name(out, own);
  for (size_t i = 0; map_each(&d->addresses, &i, &key, &value);) {
    const struct dir_address *x = (const struct dir_address *)(uintptr_t)value;
    for (; x; x = x->next)
      if (leads_straight(d, x, a) && !slice_eq(slice_of(x->text, x->n), own))
        put_name(out, slice_of(x->text, x->n));
  }
  for (const struct dir_grant *g = a->grants; g; g = g->next)
    put_name(out, slice_of(g->text, g->n));
}

/* --- the whole --- */

void dir_init(struct directory *d) {
  *d = (struct directory){ 0 };
  map_init(&d->accounts);
  map_init(&d->addresses);
  map_init(&d->odd);
  map_init(&d->domains);
}

void dir_free(struct directory *d) {
  uint64_t key, value;
  for (size_t i = 0; map_each(&d->addresses, &i, &key, &value);)
    for (struct dir_address *x = (struct dir_address *)(uintptr_t)value, *next; x; x = next) {
      next = x->next;
      free_targets(x);
      free(x);
    }
  while (d->first_domain) {
    struct dir_domain *x = d->first_domain;
    d->first_domain = x->after;
    free(x);
  }
  while (d->oldest) {
    struct dir_account *a = d->oldest;
    d->oldest = a->newer;
    free_grants(a);
    free(a);
  }
  map_free(&d->accounts);
  map_free(&d->addresses);
  map_free(&d->odd);
  map_free(&d->domains);
}

static enum db_result load_domains(struct directory *d, struct db *db) {
  struct db_stmt *s = db_prepare(db, "SELECT id, name FROM domain ORDER BY id");
  enum db_result r = DB_ROW;
  while (r == DB_ROW && (r = db_step(s)) == DB_ROW)
    if (!dir_put_domain(d, (uint64_t)db_int(s, 0), db_bytes(s, 1))) r = DB_NOMEM;
  db_reset(s);
  return r;
}

struct dir_limits dir_limits_of(struct db_stmt *s, int column) {
  int64_t quota = db_int(s, column), delay = db_int(s, column + 1), expire = db_int(s, column + 2);
  struct dir_limits l = {
    .quota = db_is_null(s, column) ? DIR_QUOTA_DEFAULT : (uint64_t)quota,
    .login_delay = db_is_null(s, column + 1) ? DIR_DEFAULT : (uint32_t)delay,
    .expire = db_is_null(s, column + 2) ? DIR_DEFAULT
              : expire < 0              ? DIR_NEVER
                                        : (uint32_t)expire,
  };
  for (int i = 0; i < DIR_SENDS; i++)
    l.sends[i] = db_is_null(s, column + 3 + i) ? DIR_DEFAULT : (uint32_t)db_int(s, column + 3 + i);
  return l;
}

static enum db_result load_accounts(struct directory *d, struct db *db) {
  struct db_stmt *s = db_prepare(
      db, "SELECT a.id, coalesce((SELECT id FROM folder WHERE account = a.id AND name = "
          "'INBOX'), 0),"
          " coalesce((SELECT sum(octets) FROM folder WHERE account = a.id), 0),"
          " coalesce((SELECT sum(messages) FROM folder WHERE account = a.id), 0), " DIR_LIMITS
          ", coalesce((SELECT sum(deleted) FROM folder WHERE account = a.id), 0),"
          " coalesce((SELECT sum(deleted_octets) FROM folder WHERE account = a.id), 0)"
          " FROM account a ORDER BY a.id");
  enum db_result r = DB_ROW;
  while (r == DB_ROW && (r = db_step(s)) == DB_ROW) {
    uint64_t id = (uint64_t)db_int(s, 0);
    struct dir_limits limits = dir_limits_of(s, 4);
    if (!dir_put_account(d, id, (uint64_t)db_int(s, 1), &limits)) r = DB_NOMEM;
    struct dir_account *a = dir_account(d, id);
    if (!a) break;
    a->octets = (uint64_t)db_int(s, 2);
    a->messages = (uint64_t)db_int(s, 3);
    dir_deleted(d, id, db_int(s, 4 + DIR_LIMIT_COLUMNS), db_int(s, 5 + DIR_LIMIT_COLUMNS));
  }
  db_reset(s);
  return r;
}

static enum db_result load_addresses(struct directory *d, struct db *db) {
  struct db_stmt *s =
      db_prepare(db, "SELECT a.local || '@' || d.name, coalesce(a.account, 0) FROM address a"
                     " JOIN domain d ON d.id = a.domain");
  enum db_result r = DB_ROW;
  while (r == DB_ROW && (r = db_step(s)) == DB_ROW)
    if (!dir_put_address(d, db_bytes(s, 0), (uint64_t)db_int(s, 1))) r = DB_NOMEM;
  db_reset(s);
  return r;
}

static enum db_result load_targets(struct directory *d, struct db *db) {
  struct db_stmt *s = db_prepare(db, "SELECT t.local || '@' || d.name, t.target FROM target t"
                                     " JOIN domain d ON d.id = t.domain");
  enum db_result r = DB_ROW;
  while (r == DB_ROW && (r = db_step(s)) == DB_ROW)
    if (!dir_add_target(d, db_bytes(s, 0), db_bytes(s, 1))) r = DB_NOMEM;
  db_reset(s);
  return r;
}

static enum db_result load_grants(struct directory *d, struct db *db) {
  struct db_stmt *s = db_prepare(db, "SELECT account, address FROM sendas");
  enum db_result r = DB_ROW;
  while (r == DB_ROW && (r = db_step(s)) == DB_ROW)
    if (!dir_put_grant(d, (uint64_t)db_int(s, 0), db_bytes(s, 1))) r = DB_NOMEM;
  db_reset(s);
  return r;
}

enum db_result dir_load(struct directory *d, struct db *db) {
  enum db_result r = load_domains(d, db);
  if (r == DB_OK) r = load_accounts(d, db);
  if (r == DB_OK) r = load_addresses(d, db);
  if (r == DB_OK) r = load_targets(d, db);
  return r == DB_OK ? load_grants(d, db) : r;
}
