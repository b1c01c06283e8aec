#include "src/store/directory.h"

#include <stdlib.h>

struct dir_target {
  struct dir_target *next;
  size_t n;
  uint8_t text[];
};

struct dir_address {
  struct dir_address *next; /* of the same hash */
  struct dir_account *account;
  struct dir_target *targets;
  uint64_t mark;
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

/* FNV-1a. Keys are chosen by the administrator, not by strangers. */
static uint64_t hash_of(struct slice s) {
  uint64_t h = 0xcbf29ce484222325u;
  for (size_t i = 0; i < s.n; i++) h = (h ^ s.p[i]) * 0x100000001b3u;
  return h;
}

void dir_fold(struct buf *out, struct slice s) {
  uint8_t *to = buf_reserve(out, s.n);
  if (!to) return;
  for (size_t i = 0; i < s.n; i++) to[i] = ascii_lower(s.p[i]);
  buf_added(out, s.n);
}

/* --- domains --- */

static struct dir_domain *find_domain(const struct directory *d, struct slice name) {
  struct dir_domain *x = map_ptr(&d->domains, hash_of(name));
  while (x && !slice_eq(slice_of(x->name, x->n), name)) x = x->next;
  return x;
}

bool dir_put_domain(struct directory *d, uint64_t id, struct slice name) {
  if (find_domain(d, name)) return true;
  struct dir_domain *x = calloc(1, sizeof *x + name.n);
  if (!x) return false;
  x->id = id;
  x->n = name.n;
  memcpy(x->name, name.p, name.n);
  x->next = map_ptr(&d->domains, hash_of(name));
  if (!map_put_ptr(&d->domains, hash_of(name), x)) {
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
  struct dir_domain *x = find_domain(d, name), *head = map_ptr(&d->domains, hash_of(name));
  if (!x) return;
  if (x != head) {
    while (head->next != x) head = head->next;
    head->next = x->next;
  } else if (x->next) {
    map_put_ptr(&d->domains, hash_of(name), x->next);
  } else {
    map_remove(&d->domains, hash_of(name));
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

bool dir_put_account(struct directory *d, uint64_t id, uint64_t inbox, const struct dir_limits *limits) {
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

void dir_remove_account(struct directory *d, uint64_t id) {
  struct dir_account *a = dir_account(d, id);
  if (!a) return;
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
  struct dir_address *x = map_ptr(&d->addresses, hash_of(text));
  while (x && !slice_eq(slice_of(x->text, x->n), text)) x = x->next;
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
  x->next = map_ptr(&d->addresses, hash_of(text));
  if (!map_put_ptr(&d->addresses, hash_of(text), x)) {
    free(x);
    return NULL;
  }
  d->address_count++;
  return x;
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
  struct dir_address *x = find_address(d, text), *head = map_ptr(&d->addresses, hash_of(text));
  if (!x) return;
  if (x != head) {
    while (head->next != x) head = head->next;
    head->next = x->next;
  } else if (x->next) {
    map_put_ptr(&d->addresses, hash_of(text), x->next);
  } else {
    map_remove(&d->addresses, hash_of(text));
  }
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
}

void dir_found_free(struct dir_found *f) {
  free(f->accounts);
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
    return text_put(ret, slice_first(address, (size_t)i)) && text_put(ret, slice_from(address, (size_t)at));
  }
  return false;
}

static struct dir_address *look_up(struct directory *d, struct slice folded, const char *delimiters) {
  struct dir_address *x = find_address(d, folded);
  struct text base;
  if (x || !delimiters || !without_detail(folded, delimiters, &base)) return x;
  return find_address(d, slice_of(base.mem, base.n));
}

struct visits {
  struct dir_address **list;
  size_t count, cap;
};

static bool visit(struct directory *d, struct visits *v, struct dir_address *x) {
  if (!x || x->mark == d->follow) return true;
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

/* An alias and the aliases it leads to, level by level; each is visited once, so a circle ends. Whether
 * it leads to anybody does not depend on what other addresses of the message lead to. */
static enum dir_result expand(struct directory *d, struct dir_address *alias, const char *delimiters,
                              struct dir_found *f) {
  struct visits v = { 0 };
  size_t at = 0, level_end = 1;
  bool anybody = false;
  d->follow++;
  bool fine = visit(d, &v, alias);
  for (int depth = 0; fine && at < v.count; depth++, level_end = v.count) {
    if (depth > DIR_DEPTH_MAX) fine = false;
    for (; fine && at < level_end; at++) {
      struct dir_address *x = v.list[at];
      if (x->account) fine = anybody = add_account(d, x->account, f);
      for (struct dir_target *t = x->targets; fine && t; t = t->next)
        fine = visit(d, &v, look_up(d, slice_of(t->text, t->n), delimiters));
    }
  }
  free(v.list);
  return !fine ? DIR_TROUBLE : anybody ? DIR_FOUND : DIR_UNKNOWN;
}

static enum dir_result reach(struct directory *d, struct dir_address *x, const char *delimiters,
                             struct dir_found *f) {
  if (x->account) return add_account(d, x->account, f) ? DIR_FOUND : DIR_TROUBLE;
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

static enum dir_result to_postmaster(struct directory *d, const char *delimiters, struct dir_found *f) {
  struct dir_address *x = any_postmaster(d);
  enum dir_result r = x ? reach(d, x, delimiters, f) : DIR_UNKNOWN;
  if (r != DIR_UNKNOWN) return r;
  struct dir_account *a = d->oldest;
  while (a && !a->addresses) a = a->newer;
  return a && add_account(d, a, f) ? DIR_FOUND : DIR_TROUBLE;
}

static enum dir_result resolve_folded(struct directory *d, struct slice address, const char *delimiters,
                                      struct dir_found *f) {
  if (slice_eq(address, SLICE("postmaster"))) return to_postmaster(d, delimiters, f);
  ptrdiff_t at = slice_rfind(address, '@');
  if (at < 0 || !find_domain(d, slice_from(address, (size_t)at + 1))) return DIR_ELSEWHERE;
  struct dir_address *x = look_up(d, address, delimiters);
  enum dir_result r = x ? reach(d, x, delimiters, f) : DIR_UNKNOWN;
  if (r == DIR_UNKNOWN && slice_eq(slice_first(address, (size_t)at), SLICE("postmaster")))
    return to_postmaster(d, delimiters, f);
  return r;
}

enum dir_result dir_resolve(struct directory *d, struct slice address, const char *delimiters,
                            struct dir_found *f) {
  uint8_t mem[DIR_ADDRESS_MAX];
  if (address.n > sizeof mem) return DIR_UNKNOWN;
  for (size_t i = 0; i < address.n; i++) mem[i] = ascii_lower(address.p[i]);
  return resolve_folded(d, slice_of(mem, address.n), delimiters, f);
}

/* --- the whole --- */

void dir_init(struct directory *d) {
  *d = (struct directory){ 0 };
  map_init(&d->accounts);
  map_init(&d->addresses);
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
    free(a);
  }
  map_free(&d->accounts);
  map_free(&d->addresses);
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
  return (struct dir_limits){
    .quota = db_is_null(s, column) ? DIR_QUOTA_DEFAULT : (uint64_t)quota,
    .login_delay = db_is_null(s, column + 1) ? DIR_DEFAULT : (uint32_t)delay,
    .expire = db_is_null(s, column + 2) ? DIR_DEFAULT : expire < 0 ? DIR_NEVER : (uint32_t)expire,
  };
}

static enum db_result load_accounts(struct directory *d, struct db *db) {
  struct db_stmt *s = db_prepare(
      db,
      "SELECT a.id, coalesce((SELECT id FROM folder WHERE account = a.id AND name = "
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
  struct db_stmt *s = db_prepare(db, "SELECT a.local || '@' || d.name, coalesce(a.account, 0) FROM address a"
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

enum db_result dir_load(struct directory *d, struct db *db) {
  enum db_result r = load_domains(d, db);
  if (r == DB_OK) r = load_accounts(d, db);
  if (r == DB_OK) r = load_addresses(d, db);
  return r == DB_OK ? load_targets(d, db) : r;
}
