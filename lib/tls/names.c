/* SPDX-License-Identifier: ISC */
/* The host names of all certificates, sorted for a binary search.
 * Invariants: names are in lower case without a trailing dot; tls_names_find() is called only
 * after tls_names_sort(); an exact name takes precedence over a wildcard; of several
 * certificates with one name and kind of key, the first configured is used. */
#include "lib/base/array.h"
#include "lib/tls/names.h"

#include <stdlib.h>

enum { NAME_MAX_OCTETS = 255, NAMES_MEMORY = 4 << 20 };

void tls_names_init(struct tls_names *t) {
  *t = (struct tls_names){ 0 };
  arena_init(&t->mem, NAMES_MEMORY);
}

void tls_names_done(struct tls_names *t) {
  free(t->items);
  arena_reset(&t->mem);
  tls_names_init(t);
}

bool tls_name_is_sane(struct slice host) {
  if (host.n == 0 || host.n > NAME_MAX_OCTETS) return false;
  for (size_t i = 0; i < host.n; i++)
    if (!ascii_is_alnum(host.p[i]) && !memchr("-_.:", host.p[i], 4)) return false;
  return true;
}

/* Lower case, without the dot of the root. `to` has NAME_MAX_OCTETS. */
static struct slice normal(struct slice s, uint8_t *to) {
  if (slice_at(s, s.n - 1) == '.') s = slice_first(s, s.n - 1);
  return slice_lower(s, to);
}

bool tls_names_add(struct tls_names *t, struct slice name, enum tls_key_kind kind,
                   unsigned certificate) {
  uint8_t lower[NAME_MAX_OCTETS];
  struct slice plain = slice_starts(name, SLICE("*.")) ? slice_from(name, 2) : name;
  if (name.n > NAME_MAX_OCTETS || !tls_name_is_sane(plain)) return true;
  name = normal(name, lower);
  if (name.n == 0) return true;
  struct slice copy = arena_copy(&t->mem, name);
  if (!copy.p || !array_reserve(&t->items, &t->cap, t->count + 1, sizeof *t->items)) return false;
  t->items[t->count++] = (struct tls_name){ copy, kind, certificate };
  return true;
}

static int by_name(const void *pa, const void *pb) {
  const struct tls_name *a = pa, *b = pb;
  int order = slice_cmp(a->name, b->name);
  if (order == 0) order = (a->kind > b->kind) - (a->kind < b->kind);
  if (order == 0) order = (a->certificate > b->certificate) - (a->certificate < b->certificate);
  return order;
}

void tls_names_sort(struct tls_names *t) {
  if (t->count) qsort(t->items, t->count, sizeof *t->items, by_name);
}

/* The first entry that is not below `name`. */
static size_t lower_bound(const struct tls_names *t, struct slice name) {
  size_t low = 0, high = t->count;
  while (low < high) {
    size_t mid = low + (high - low) / 2;
    if (slice_cmp(t->items[mid].name, name) < 0)
      low = mid + 1;
    else
      high = mid;
  }
  return low;
}

static bool find_exactly(const struct tls_names *t, struct slice name, int ret[TLS_KEY_KINDS]) {
  bool found = false;
  for (size_t i = 0; i < TLS_KEY_KINDS; i++) ret[i] = -1;
  for (size_t i = lower_bound(t, name); i < t->count && slice_eq(t->items[i].name, name); i++) {
    const struct tls_name *item = &t->items[i];
    if (ret[item->kind] < 0) ret[item->kind] = (int)item->certificate;
    found = true;
  }
  return found;
}

bool tls_names_find(const struct tls_names *t, struct slice host, int ret[TLS_KEY_KINDS]) {
  uint8_t lower[NAME_MAX_OCTETS + 1];
  for (size_t i = 0; i < TLS_KEY_KINDS; i++) ret[i] = -1;
  if (!tls_name_is_sane(host)) return false;
  struct slice name = normal(host, lower + 1);
  if (find_exactly(t, name, ret)) return true;
  ptrdiff_t dot = slice_find(name, '.');
  if (dot < 1) return false;
  /* "mail.example.org" → "*.example.org", written over the octet before the first dot. */
  uint8_t *at = lower + dot;
  *at = '*';
  return find_exactly(t, slice_of(at, name.n - (size_t)dot + 1), ret);
}
