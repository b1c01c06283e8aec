/* SPDX-License-Identifier: ISC */
/* The messages that an account already has (known.h): a list with two maps of chains, by UIDL and
 * by size. Invariants: a message of the mailbox corresponds to at most one of the source; digests
 * are read only once, and only if sizes leave a doubt; texts are bounded by KNOWN_MEMORY_MAX. */
#include "lib/base/array.h"
#include "src/cli/migrate/known.h"

#include <stdlib.h>

#include "lib/base/num.h"
#include "src/cli/migrate/exported.h"
#include "src/cli/link/link.h"

enum { KNOWN_MEMORY_MAX = 1024 * 1024 * 1024 };

void known_free(struct known *k) {
  free(k->list);
  map_free(&k->by_uidl), map_free(&k->by_size);
  arena_reset(&k->mem);
}

/* Inserts it at the front of the chain. */
static bool chain(struct map *m, uint64_t key, size_t *ret_next, size_t at) {
  uint64_t next = 0;
  map_get(m, key, &next);
  *ret_next = (size_t)next;
  return map_put(m, key, at + 1);
}

static struct known_message *add(struct known *k, struct slice uidl, uint64_t size, uint32_t uid) {
  if (!array_reserve(&k->list, &k->cap, k->count + 1, sizeof *k->list)) return NULL;
  struct known_message *m = &k->list[k->count];
  *m = (struct known_message){ .uidl = arena_copy(&k->mem, uidl), .size = size, .uid = uid };
  if (uidl.n && (!m->uidl.p || !chain(&k->by_uidl, slice_hash(uidl), &m->same_uidl, k->count)))
    return NULL;
  if (uid && !chain(&k->by_size, size, &m->same_size, k->count)) return NULL;
  k->count++;
  return m;
}

static struct known_message *at(const struct known *k, size_t place) {
  return place ? &k->list[place - 1] : NULL;
}

static struct known_message *find_uidl(const struct known *k, struct slice uidl) {
  uint64_t place = 0;
  if (!uidl.n) return NULL;
  map_get(&k->by_uidl, slice_hash(uidl), &place);
  struct known_message *m = at(k, (size_t)place);
  while (m && !slice_eq(m->uidl, uidl)) m = at(k, m->same_uidl);
  return m;
}

static struct known_message *first_of_size(const struct known *k, uint64_t size) {
  uint64_t place = 0;
  map_get(&k->by_size, size, &place);
  return at(k, (size_t)place);
}

/* --- what the store has --- */

/* uid, size, date, uidl, id: ipc/cli_process.h, "mail list". */
static bool take_listed(struct known *k, struct slice values) {
  struct slice uid, size, date, uidl;
  uint64_t number, octets;
  return ipc_list_next(&values, &uid) && ipc_list_next(&values, &size) &&
         ipc_list_next(&values, &date) && ipc_list_next(&values, &uidl) &&
         num_parse(uid, UINT32_MAX, &number) && num_parse(size, INT64_MAX, &octets) &&
         add(k, uidl, octets, (uint32_t)number);
}

/* uidl, uid, imported, size: those of uid 0 are gone. */
static bool take_uidl(struct known *k, struct slice values) {
  struct slice uidl, uid, imported, size;
  uint64_t octets;
  if (!ipc_list_next(&values, &uidl) || !ipc_list_next(&values, &uid) ||
      !ipc_list_next(&values, &imported) || !ipc_list_next(&values, &size))
    return false;
  if (!slice_eq(uid, SLICE("0"))) return true;
  if (!num_parse(size, INT64_MAX, &octets)) octets = KNOWN_ANY_SIZE;
  struct known_message *m = add(k, uidl, octets, 0);
  if (m) m->gone = true;
  return m != NULL;
}

static int read_rows(struct known *k, const char *verb,
                     bool (*take)(struct known *k, struct slice values)) {
  struct slice words[] = { SLICE("mail"), slice_str(verb), slice_str(k->address) };
  struct link_reply reply = { LINK_LOST, SLICE("the store did not accept the command"),
                              CLI_TROUBLE };
  int code;
  struct cli_link *l = link_open(k->c, ROLE_STORE, 0, &code);
  if (!l && code == CLI_EXIT_NOT_FOUND)
    return cli_fail(CLI_EXIT_UNAVAILABLE, "the store does not run now");
  if (!l) return code;
  bool ok = true, going = link_ask(l, words, 3);
  while (ok && going) {
    enum link_event event = link_next(l, &reply);
    if (event == LINK_ROW) ok = take(k, reply.data);
    going = event != LINK_DONE && event != LINK_LOST;
  }
  code = ok ? link_finish(&reply) : cli_fail(CLI_EXIT_SYSTEM, "no memory for what the account has");
  link_free(&l);
  return code;
}

int known_begin(struct known *k, struct cli *c, const char *address) {
  *k = (struct known){ .c = c, .address = address };
  arena_init(&k->mem, KNOWN_MEMORY_MAX);
  map_init(&k->by_uidl), map_init(&k->by_size);
  int code = read_rows(k, "list", take_listed);
  return code == CLI_EXIT_OK ? read_rows(k, "uidls", take_uidl) : code;
}

/* --- its octets --- */

struct digesting {
  struct known *k;
  struct map by_uid;
};

static void digested(void *arg, const struct exported *e) {
  struct digesting *d = arg;
  uint64_t place;
  struct known_message *m = map_get(&d->by_uid, e->uid, &place) ? at(d->k, (size_t)place) : NULL;
  if (!m) return;
  memcpy(m->digest, e->digest, sizeof m->digest);
  m->digested = true;
}

static int digest_account(struct known *k) {
  struct digesting d = { .k = k };
  bool ok = true;
  k->digested = true;
  map_init(&d.by_uid);
  for (size_t i = 0; ok && i < k->count; i++)
    if (k->list[i].uid) ok = map_put(&d.by_uid, k->list[i].uid, i + 1);
  int code = ok ? exported_each(k->c, k->address, digested, &d)
                : cli_fail(CLI_EXIT_SYSTEM, "no memory for what the account has");
  map_free(&d.by_uid);
  return code;
}

/* --- the next message --- */

bool known_wants_digest(const struct known *k, uint64_t size) {
  return first_of_size(k, size) != NULL;
}

static struct known_message *find_same(const struct known *k, uint64_t size,
                                       const uint8_t *digest) {
  struct known_message *m = first_of_size(k, size);
  while (m && (m->taken || !m->digested || memcmp(m->digest, digest, sizeof m->digest) != 0))
    m = at(k, m->same_size);
  return m;
}

static bool is_same(const struct known_message *m, uint64_t size, const uint8_t *digest) {
  return m->digested && digest && m->size == size &&
         memcmp(m->digest, digest, sizeof m->digest) == 0;
}

int known_put(struct known *k, uint64_t size, const uint8_t *digest, struct slice *uidl,
              enum known_verdict *ret) {
  int code = digest && !k->digested ? digest_account(k) : CLI_EXIT_OK;
  if (code != CLI_EXIT_OK) return code;
  struct known_message *m = find_uidl(k, *uidl);
  *ret = KNOWN_NEW;
  if (!m && uidl->n)
    return (m = add(k, *uidl, size, 0)) ? (m->taken = true, CLI_EXIT_OK)
                                        : cli_fail(CLI_EXIT_SYSTEM, "no memory");
  if (m && m->gone && !m->taken && (m->size == size || m->size == KNOWN_ANY_SIZE)) {
    m->taken = true;
    *ret = KNOWN_GONE;
    return CLI_EXIT_OK;
  }
  if (!(m && !m->taken && is_same(m, size, digest))) {
    *uidl = SLICE_NONE;
    m = digest ? find_same(k, size, digest) : NULL;
  }
  if (m) m->taken = true;
  if (m) *ret = KNOWN_THERE;
  return CLI_EXIT_OK;
}
