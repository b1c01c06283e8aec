/* SPDX-License-Identifier: ISC */
/* What the directory consists of: domains, accounts, addresses with their targets, and as whom an
 * account may send; how each is put in, found and taken out. directory_resolve.c says where an
 * address leads, directory_load.c reads all of it from the database.
 *
 *  1. Entries of one hash are chained from the map; the map has no hash without an entry.
 *  2. Accounts and domains stand in their lists in the order in which they were put in, by id.
 *  3. An account's `addresses` is the number of entries that are its own.
 *  4. Each address whose text is not as it would be prepared by now is in `odd`, no other is.
 *  5. What the directory keeps of deleted mail is the sum of what its accounts keep. */
#include <stdlib.h>

#include "lib/unicode/prepare.h"
#include "src/store/directory_inside.h"

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

bool dir_text_put(struct dir_text *t, struct slice s) {
  if (s.n > sizeof t->mem - t->n) return false;
  memcpy(t->mem + t->n, s.p, s.n);
  t->n += s.n;
  return true;
}

/* "user+detail@domain" without its detail. False when there is none. */
bool dir_without_detail(struct slice address, const char *delimiters, struct dir_text *ret) {
  ptrdiff_t at = slice_rfind(address, '@');
  for (ptrdiff_t i = 1; i < at; i++) {
    if (!memchr(delimiters, address.p[i], strlen(delimiters))) continue;
    ret->n = 0;
    return dir_text_put(ret, slice_first(address, (size_t)i)) &&
           dir_text_put(ret, slice_from(address, (size_t)at));
  }
  return false;
}

/* --- domains --- */

struct dir_domain *dir_find_domain(const struct directory *d, struct slice name) {
  struct dir_domain *x = map_ptr(&d->domains, slice_hash(name));
  while (x && !slice_eq(slice_of(x->name, x->n), name)) x = x->next;
  return x;
}

bool dir_is_ours(const struct directory *d, struct slice name) {
  return dir_find_domain(d, name) != NULL;
}

bool dir_put_domain(struct directory *d, uint64_t id, struct slice name) {
  if (dir_find_domain(d, name)) return true;
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
  struct dir_domain *x = dir_find_domain(d, name), *head = map_ptr(&d->domains, slice_hash(name));
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

struct dir_address *dir_find_address(const struct directory *d, struct slice text) {
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
struct dir_address *dir_find_alike(const struct directory *d, struct slice text) {
  uint8_t mem[DIR_ADDRESS_MAX], odd_mem[DIR_ADDRESS_MAX];
  struct dir_address *x = dir_find_address(d, text);
  if (x || (prepare_is_ascii(text) && !d->odd.count)) return x;
  struct slice meant = prepared(text, mem), odd;
  x = meant.n ? dir_find_address(d, meant) : NULL;
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
  struct dir_address *x = dir_find_address(d, text);
  if (!x) x = new_address(d, text);
  if (!x) return false;
  free_targets(x);
  set_account(x, account ? dir_account(d, account) : NULL);
  d->postmaster_known = false;
  return true;
}

bool dir_add_target(struct directory *d, struct slice text, struct slice target) {
  struct dir_address *x = dir_find_address(d, text);
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
  struct dir_address *x = dir_find_address(d, text);
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
  struct dir_address *x = dir_find_address(d, text),
                     *head = map_ptr(&d->addresses, slice_hash(text));
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
  struct dir_text folded = { .n = address.n }, base;
  if (!address.n) return has_grant(a, SLICE("<>"));
  if (address.n > sizeof folded.mem) return false;
  for (size_t i = 0; i < address.n; i++) folded.mem[i] = ascii_lower(address.p[i]);
  struct slice whole = slice_of(folded.mem, folded.n);
  ptrdiff_t at = slice_rfind(whole, '@');
  if (at < 0) return false;
  if (has_grant(a, whole) || has_grant(a, slice_from(whole, (size_t)at))) return true;
  return delimiters && dir_without_detail(whole, delimiters, &base) &&
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
    const struct dir_address *to = dir_find_address(d, slice_of(t->text, t->n));
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
