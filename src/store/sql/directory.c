/* SPDX-License-Identifier: ISC */
/* The directory's interface: spellings, and the cache. directory_resolve.c determines where an
 * address leads, directory_read.c has the queries.
 *
 *  1. The cache holds results of queries; code that changes the tables puts nothing there.
 *  2. An address is cached by its exact text; other spellings are led to that (dir_look_alike).
 *  3. No text is cached both as existing and as nonexistent. */
#include "lib/unicode/prepare.h"
#include "src/store/sql/directory_inside.h"

enum {
  DOMAINS_KEPT = 200000, /* of 12 octets */
  ADDRESSES_KEPT = 1200000,
  UNKNOWN_KEPT = 100000,
  FORWARDS_KEPT = 3 << 20, /* octets */
  ACCOUNTS_KEPT = 4 << 20,
};

/* --- spellings --- */

static void put_lower(struct buf *out, struct slice s) {
  uint8_t *to = buf_reserve(out, s.n);
  if (!to) return;
  slice_lower(s, to);
  buf_added(out, s.n);
}

void dir_fold(struct buf *out, struct slice s) {
  if (!prepare_name(s, out)) put_lower(out, s);
}

/* The text prepared, in `mem`. A text that would become too long gives none. */
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

static enum dir_result find_domain(struct directory *d, struct slice name, struct dir_domain *ret) {
  uint32_t known;
  if (id_cache_get(&d->domains, name, &known)) {
    *ret = (struct dir_domain){ known / 2, known % 2 };
    return DIR_FOUND;
  }
  if (id_cache_get(&d->unknown, name, &known)) return DIR_UNKNOWN;
  enum dir_result found = dir_read_domain(d, name, ret);
  if (found == DIR_FOUND && d->remembers && ret->id <= UINT32_MAX / 2)
    id_cache_put(&d->domains, name, (uint32_t)ret->id * 2 + ret->catches_all);
  if (found == DIR_UNKNOWN && d->remembers) id_cache_put(&d->unknown, name, 0);
  return found;
}

enum dir_result dir_find_domain(struct directory *d, struct slice name) {
  struct dir_domain domain;
  enum dir_result found = name.n ? find_domain(d, name, &domain) : DIR_UNKNOWN;
  return found == DIR_UNKNOWN ? DIR_ELSEWHERE : found;
}

/* --- addresses --- */

bool dir_remembers(const struct directory *d, struct slice text) {
  uint32_t account;
  return id_cache_get(&d->addresses, text, &account);
}

static bool recall_forward(struct directory *d, struct arena *a, struct dir_entry *ret,
                           enum dir_result *found) {
  struct slice value;
  if (!recall_get(&d->forwards, ret->text, &value)) return false;
  memcpy(&ret->account, value.p, sizeof ret->account);
  struct slice targets = slice_from(value, sizeof ret->account);
  ret->targets = targets.n ? arena_copy(a, targets) : SLICE_NONE;
  *found = !targets.n || ret->targets.p ? DIR_FOUND : DIR_TROUBLE;
  return true;
}

/* False: it has to be read. */
static bool recall_address(struct directory *d, struct arena *a, struct dir_entry *ret,
                           enum dir_result *found) {
  uint32_t account;
  if (id_cache_get(&d->addresses, ret->text, &account)) {
    ret->account = account;
    *found = DIR_FOUND;
    return account || recall_forward(d, a, ret, found);
  }
  *found = DIR_UNKNOWN;
  return id_cache_get(&d->unknown, ret->text, &account);
}

static void remember_address(struct directory *d, const struct dir_entry *x) {
  uint8_t value[RECALL_ENTRY_MAX];
  bool plain = x->account && !x->targets.n;
  size_t n = sizeof x->account + x->targets.n;
  if (plain && x->account <= UINT32_MAX) id_cache_put(&d->addresses, x->text, (uint32_t)x->account);
  if (plain || x->text.n + n > sizeof value) return;
  memcpy(value, &x->account, sizeof x->account);
  if (x->targets.n) memcpy(value + sizeof x->account, x->targets.p, x->targets.n);
  recall_put(&d->forwards, x->text, slice_of(value, n));
  id_cache_put(&d->addresses, x->text, 0);
}

enum dir_result dir_look(struct directory *d, struct slice text, struct arena *a,
                         struct dir_entry *ret) {
  enum dir_result found;
  struct dir_domain domain;
  ptrdiff_t at = slice_rfind(text, '@');
  *ret = (struct dir_entry){ .text = text };
  if (at < 0) return DIR_UNKNOWN;
  if (recall_address(d, a, ret, &found)) return found;
  found = find_domain(d, slice_from(text, (size_t)at + 1), &domain);
  if (found == DIR_FOUND && !at && !domain.catches_all) return DIR_UNKNOWN;
  if (found == DIR_FOUND)
    found = dir_read_address(d, domain.id, slice_first(text, (size_t)at), a, ret);
  if (found == DIR_FOUND && d->remembers) remember_address(d, ret);
  if (found == DIR_UNKNOWN && d->remembers) id_cache_put(&d->unknown, text, 0);
  return found;
}

static enum dir_result look_odd(struct directory *d, struct slice meant, struct arena *a,
                                struct dir_entry *ret) {
  struct dir_text text;
  enum dir_result found = d->odd ? dir_read_odd(d, meant, &text) : DIR_UNKNOWN;
  struct slice kept = found == DIR_FOUND ? arena_copy(a, dir_text_of(&text)) : SLICE_NONE;
  if (found != DIR_FOUND) return found;
  return kept.p ? dir_look(d, kept, a, ret) : DIR_TROUBLE;
}

enum dir_result dir_look_alike(struct directory *d, struct slice text, struct arena *a,
                               struct dir_entry *ret) {
  uint8_t mem[DIR_ADDRESS_MAX];
  enum dir_result found = dir_look(d, text, a, ret);
  if (found != DIR_UNKNOWN || (prepare_is_ascii(text) && !d->odd)) return found;
  struct slice meant = prepared(text, mem);
  if (!meant.n) return DIR_UNKNOWN;
  if (!slice_eq(meant, text)) {
    struct slice kept = arena_copy(a, meant);
    found = kept.p ? dir_look(d, kept, a, ret) : DIR_TROUBLE;
  }
  return found == DIR_UNKNOWN ? look_odd(d, meant, a, ret) : found;
}

enum dir_result dir_any_postmaster(struct directory *d, struct arena *a, struct dir_entry *ret) {
  struct dir_text text;
  if (!d->postmaster_known) {
    enum dir_result found = dir_read_postmaster(d, &text);
    if (found == DIR_TROUBLE) return found;
    d->postmaster_n = found == DIR_FOUND ? text.n : 0;
    memcpy(d->postmaster, text.mem, d->postmaster_n);
    d->postmaster_known = d->remembers;
  }
  return d->postmaster_n ? dir_look(d, slice_of(d->postmaster, d->postmaster_n), a, ret)
                         : DIR_UNKNOWN;
}

/* --- accounts --- */

enum dir_result dir_account(struct directory *d, uint64_t id, struct dir_account *ret) {
  struct slice key = slice_of((const uint8_t *)&id, sizeof id), value;
  if (recall_get(&d->accounts, key, &value)) {
    memcpy(ret, value.p, sizeof *ret);
    return DIR_FOUND;
  }
  enum dir_result found = dir_read_account(d, id, ret);
  if (found == DIR_FOUND && d->remembers)
    recall_put(&d->accounts, key, slice_of((const uint8_t *)ret, sizeof *ret));
  return found;
}

bool dir_has_quotas(struct directory *d) {
  if (d->quotas_known) return d->quotas;
  enum dir_result found = dir_read_quotas(d);
  d->quotas = found != DIR_UNKNOWN;
  d->quotas_known = d->remembers && found != DIR_TROUBLE;
  return d->quotas;
}

/* --- the whole --- */

void dir_changed_domain(struct directory *d, struct slice name) {
  id_cache_remove(&d->domains, name);
  id_cache_remove(&d->unknown, name);
  d->postmaster_known = false;
}

void dir_changed_address(struct directory *d, struct slice text) {
  id_cache_remove(&d->addresses, text);
  id_cache_remove(&d->unknown, text);
  recall_remove(&d->forwards, text);
  if (slice_at(text, 0) == '@') dir_changed_domain(d, slice_from(text, 1));
  d->postmaster_known = false;
}

void dir_changed_account(struct directory *d, uint64_t id) {
  recall_remove(&d->accounts, slice_of((const uint8_t *)&id, sizeof id));
  d->quotas_known = false;
}

void dir_init(struct directory *d, enum dir_memory memory) {
  *d = (struct directory){ .remembers = memory == DIR_REMEMBERS_MUCH };
  id_cache_init(&d->domains, DOMAINS_KEPT);
  id_cache_init(&d->addresses, ADDRESSES_KEPT);
  id_cache_init(&d->unknown, UNKNOWN_KEPT);
  recall_init(&d->forwards, FORWARDS_KEPT);
  recall_init(&d->accounts, ACCOUNTS_KEPT);
}

void dir_free(struct directory *d) {
  id_cache_free(&d->domains);
  id_cache_free(&d->addresses);
  id_cache_free(&d->unknown);
  recall_free(&d->forwards);
  recall_free(&d->accounts);
}
