/* SPDX-License-Identifier: ISC */
/* domain, and the addresses in domains: how one is looked up, added and removed, for the commands
 * about accounts (admin_account.c) and aliases (admin_alias.c) too. Every change is one transaction
 * and keeps schema.h's sixth invariant: no address without its domain, no alias that leads
 * nowhere. */
#include "src/store/sql/admin_directory.h"

#include "lib/unicode/prepare.h"
#include "src/store/sql/directory.h"
#include "src/store/sql/names.h"
#include "src/store/sql/work.h"

/* --- what several verbs need --- */

struct slice admin_lower(struct admin_job *a, struct slice s) {
  uint8_t *p = arena_alloc(&a->memory, s.n ? s.n : 1);
  return p ? slice_lower(s, p) : SLICE_NONE;
}

static enum db_result is_kept(struct store_engine *e, struct slice text, bool *ret) {
  struct db_stmt *s = db_prepare(e->db, "SELECT 1 FROM address x JOIN domain d ON d.id = x.domain"
                                        " WHERE d.name = ?3 AND x.local = ?2"
                                        " UNION ALL SELECT 1 FROM account WHERE name = ?1 LIMIT 1");
  int64_t n;
  struct slice domain = text, local = slice_split(&domain, '@');
  db_bind_text(s, 1, text);
  db_bind_text(s, 2, local);
  db_bind_text(s, 3, domain);
  enum db_result r = admin_one_number(s, &n);
  *ret = n == 1;
  return r;
}

/* An older spelling of the same address, or the name of an account without an address (whose
 * deletion was not finished). *ret is unchanged if there is none. */
static enum db_result find_odd(struct store_engine *e, struct admin_job *a, struct slice text,
                               struct slice *ret) {
  static const char *const kept[] = {
    "SELECT x.local || '@' || d.name FROM address x JOIN domain d ON d.id = x.domain"
    " WHERE x.prep IS NOT NULL ORDER BY 1",
    "SELECT name FROM account ORDER BY name",
  };
  enum db_result r = DB_OK;
  bool found = false;
  for (size_t i = 0; r == DB_OK && !found && i < sizeof kept / sizeof *kept; i++) {
    struct db_stmt *s = db_prepare(e->db, kept[i]);
    while (!found && (r = db_step(s)) == DB_ROW) {
      struct slice one = db_bytes(s, 0);
      found = !prepare_is_ascii(one) && dir_is_same(one, text);
      if (found) *ret = admin_copy(a, one);
    }
    db_reset(s);
  }
  return found ? DB_OK : r;
}

/* The stored form of an address: the existing spelling, or the one that a new one gets. */
enum db_result admin_spelling(struct store_engine *e, struct admin_job *a, struct slice typed,
                              struct slice *ret) {
  struct buf text;
  bool there;
  *ret = admin_lower(a, typed);
  if (prepare_is_ascii(typed)) return DB_OK;
  enum db_result r = is_kept(e, *ret, &there);
  if (r != DB_OK || there) return r;
  buf_init(&text, DIR_ADDRESS_MAX);
  dir_fold(&text, typed);
  if (!text.failed) *ret = admin_copy(a, buf_slice(&text));
  buf_free(&text);
  r = ret->p ? is_kept(e, *ret, &there) : DB_NOMEM;
  return r != DB_OK || there ? r : find_odd(e, a, typed, ret);
}

/* Runs a query of one number. DB_OK with *ret 0: no row. */
enum db_result admin_one_number(struct db_stmt *s, int64_t *ret) {
  *ret = 0;
  enum db_result r = db_step(s);
  if (r != DB_ROW) return r;
  *ret = db_int(s, 0);
  db_reset(s);
  return DB_OK;
}

static enum db_result domain_id(struct store_engine *e, struct slice name, int64_t *ret) {
  struct db_stmt *s = db_prepare(e->db, "SELECT id FROM domain WHERE name = ?");
  db_bind_text(s, 1, name);
  return admin_one_number(s, ret);
}

enum db_result admin_find_address(struct store_engine *e, struct admin_address *x) {
  enum db_result r = domain_id(e, x->domain, &x->domain_id);
  struct db_stmt *s =
      db_prepare(e->db, "SELECT coalesce(account, 0) FROM address WHERE domain = ? AND local = ?");
  if (r != DB_OK) return r;
  db_bind_int(s, 1, x->domain_id);
  db_bind_text(s, 2, x->local);
  r = db_step(s);
  x->there = r == DB_ROW;
  if (r != DB_ROW) return r;
  x->account = db_int(s, 0);
  db_reset(s);
  return DB_OK;
}

/* Split and looked up. False: answered, or *r is an error. */
static bool look_up(struct store_engine *e, struct admin_job *a, struct admin_address *ret,
                    enum db_result *r) {
  *r = admin_find_address(e, ret);
  if (*r != DB_OK) return false;
  if (ret->domain_id) return true;
  admin_send(a, CLI_NOT_FOUND, "%.*s is not a domain of this server: qasid domain add %.*s",
             SLICE_ARG(ret->domain), SLICE_ARG(ret->domain));
  return false;
}

bool admin_is_no_address(struct admin_job *a, struct slice typed) {
  admin_send(a, CLI_USAGE, "%.*s is not an address: name@example.org is meant", SLICE_ARG(typed));
  return false;
}

/* The address as typed, looked up. False: answered, or *r is an error. */
bool admin_get_address(struct store_engine *e, struct admin_job *a, struct slice typed,
                       struct admin_address *ret, enum db_result *r) {
  *ret = (struct admin_address){ .text = SLICE_NONE };
  *r = admin_spelling(e, a, typed, &ret->text);
  if (*r != DB_OK) return false;
  if (!name_split(ret->text, &ret->local, &ret->domain)) return admin_is_no_address(a, typed);
  return look_up(e, a, ret, r);
}

/* The same for an alias, which may catch all of a domain. */
bool admin_get_alias(struct store_engine *e, struct admin_job *a, struct slice typed,
                     struct admin_address *ret, enum db_result *r) {
  *ret = (struct admin_address){ .text = admin_lower(a, typed), .local = SLICE("") };
  *r = DB_OK;
  if (!name_catches_all(ret->text, &ret->domain)) return admin_get_address(e, a, typed, ret, r);
  return look_up(e, a, ret, r);
}

enum db_result admin_put_address(struct store_engine *e, struct admin_job *a,
                                 const struct admin_address *x, int64_t account) {
  struct db_stmt *s =
      db_prepare(e->db, "INSERT INTO address (domain, local, account) VALUES (?, ?, ?)");
  db_bind_int(s, 1, x->domain_id);
  db_bind_text(s, 2, x->local);
  if (account)
    db_bind_int(s, 3, account);
  else
    db_bind_null(s, 3);
  enum db_result r = db_run(s);
  return r == DB_OK ? admin_changed(a, CHANGE_ADDRESS, x->text) : r;
}

/* "*@example.org" would be an ordinary address, which nobody means. False: answered. */
bool admin_is_no_star(struct admin_job *a, const struct admin_address *x) {
  if (!slice_eq(x->local, SLICE("*"))) return true;
  admin_send(a, CLI_USAGE, "%.*s: all of a domain is meant by qasid alias add @%.*s TARGET",
             SLICE_ARG(x->text), SLICE_ARG(x->domain));
  return false;
}

/* --- domain --- */

/* Targets in a domain are remote until it becomes local. False: answered, or *r is an error. */
static bool nothing_leads_into(struct store_engine *e, struct admin_job *a, struct slice domain,
                               enum db_result *r) {
  struct db_stmt *s = db_prepare(
      e->db, "SELECT t.local || '@' || d.name, t.target FROM target t JOIN domain d"
             " ON d.id = t.domain WHERE substr(t.target, length(t.target) - length(?1)) = '@' || ?1"
             " LIMIT 1");
  db_bind_text(s, 1, domain);
  *r = db_step(s);
  if (*r == DB_ROW)
    admin_send(a, CLI_EXISTS,
               "%.*s leads to %.*s, which would be an address here: take that away, add the domain "
               "and the "
               "address, then let it lead there again",
               SLICE_ARG(db_bytes(s, 0)), SLICE_ARG(db_bytes(s, 1)));
  bool none = *r == DB_OK;
  if (*r == DB_ROW) *r = DB_OK;
  db_reset(s);
  return none;
}

enum db_result verb_domain_add(struct store_engine *e, struct admin_job *a) {
  struct slice name = admin_lower(a, a->words[0]);
  int64_t id;
  if (!name_is_domain(name))
    return admin_send(a, CLI_USAGE,
                      "%.*s is not a domain name (international names in their xn-- form)",
                      SLICE_ARG(a->words[0]));
  if (name_is_dotless(name) && !a->dotless)
    return admin_send(a, CLI_USAGE,
                      "%.*s has no dot: such a domain is served with dotless_domains = yes",
                      SLICE_ARG(name));
  enum db_result r = domain_id(e, name, &id);
  if (r != DB_OK) return r;
  if (id) return admin_send(a, CLI_EXISTS, "%.*s is there already", SLICE_ARG(name));
  if (!nothing_leads_into(e, a, name, &r)) return r;
  struct db_stmt *s = db_prepare(e->db, "INSERT INTO domain (name) VALUES (?)");
  db_bind_text(s, 1, name);
  r = db_run(s);
  return r == DB_OK ? admin_changed(a, CHANGE_DOMAIN, name) : r;
}

enum db_result verb_domain_list(struct store_engine *e, struct admin_job *a) {
  struct db_stmt *s = db_prepare(
      e->db, "SELECT d.name, count(x.account), count(x.local) - count(x.account) FROM domain d"
             " LEFT JOIN address x ON x.domain = d.id GROUP BY d.id ORDER BY d.name");
  enum db_result r;
  admin_columns(a, "domain accounts aliases");
  while ((r = db_step(s)) == DB_ROW)
    ADMIN_ROW(a, db_bytes(s, 0), admin_num(a, (uint64_t)db_int(s, 1)),
              admin_num(a, (uint64_t)db_int(s, 2)));
  return r;
}

enum db_result verb_domain_delete(struct store_engine *e, struct admin_job *a) {
  struct slice name = admin_lower(a, a->words[0]);
  int64_t id, addresses;
  enum db_result r = domain_id(e, name, &id);
  if (r != DB_OK) return r;
  if (!id)
    return admin_send(a, CLI_NOT_FOUND, "%.*s is not a domain of this server", SLICE_ARG(name));
  struct db_stmt *s = db_prepare(e->db, "SELECT count(*) FROM address WHERE domain = ?");
  db_bind_int(s, 1, id);
  r = admin_one_number(s, &addresses);
  if (r != DB_OK) return r;
  if (addresses)
    return admin_send(a, CLI_EXISTS, "%.*s still has %lld accounts or aliases: delete them first",
                      SLICE_ARG(name), (long long)addresses);
  s = db_prepare(e->db, "DELETE FROM domain WHERE id = ?");
  db_bind_int(s, 1, id);
  r = db_run(s);
  return r == DB_OK ? admin_changed(a, CHANGE_DOMAIN, name) : r;
}

enum db_result admin_look_at_domain(struct store_engine *e, struct admin_job *a) {
  int64_t id = 1;
  enum db_result r = a->count ? domain_id(e, admin_lower(a, a->words[0]), &id) : DB_OK;
  if (r != DB_OK || id) return r;
  return admin_send(a, CLI_NOT_FOUND, "%.*s is not a domain of this server",
                    SLICE_ARG(a->words[0]));
}

/* --- taking an address away --- */

/* Addresses to be deleted: one, then each alias that loses its last target with it, and so on. */
struct going {
  struct going *next;
  struct slice text;
};

static struct going *new_going(struct admin_job *a, struct slice text) {
  struct going *g = arena_alloc(&a->memory, sizeof *g);
  if (g) g->text = admin_copy(a, text);
  return g && g->text.p ? g : NULL;
}

/* Appends the aliases that have `g` as their only target after `last`. An account whose only target
 * it is keeps its mail again. */
static enum db_result add_followers(struct store_engine *e, struct admin_job *a, struct slice text,
                                    struct going **last) {
  struct db_stmt *s = db_prepare(
      e->db,
      "SELECT t.local || '@' || d.name FROM target t JOIN domain d ON d.id = t.domain JOIN address "
      "x"
      " ON x.domain = t.domain AND x.local = t.local WHERE t.target = ?1 AND x.account IS NULL AND"
      " NOT EXISTS (SELECT 1 FROM target u WHERE u.domain = t.domain AND u.local = t.local"
      " AND u.target <> ?1)");
  db_bind_text(s, 1, text);
  enum db_result r;
  while ((r = db_step(s)) == DB_ROW) {
    struct going *g = new_going(a, db_bytes(s, 0));
    if (!g) break;
    (*last)->next = g;
    *last = g;
  }
  db_reset(s);
  return r == DB_ROW ? DB_NOMEM : r;
}

/* Removes that target from aliases (and forwarded accounts): a later owner of the name is not the
 * intended recipient. Those that remain are rows of the answer. */
static enum db_result delete_target(struct store_engine *e, struct admin_job *a,
                                    struct slice target) {
  struct db_stmt *s = db_prepare(
      e->db,
      "SELECT t.local || '@' || d.name, x.account IS NOT NULL OR EXISTS (SELECT 1 FROM target u"
      " WHERE u.domain = t.domain AND u.local = t.local AND u.target <> ?1) FROM target t JOIN "
      "domain d"
      " ON d.id = t.domain JOIN address x ON x.domain = t.domain AND x.local = t.local WHERE "
      "t.target = ?1");
  db_bind_text(s, 1, target);
  enum db_result r;
  while ((r = db_step(s)) == DB_ROW) {
    struct slice alias = admin_copy(a, db_bytes(s, 0));
    if (admin_changed(a, CHANGE_ADDRESS, alias) != DB_OK) break;
    if (db_int(s, 1)) ADMIN_ROW(a, alias, SLICE("lost"), target);
  }
  db_reset(s);
  if (r != DB_OK) return r == DB_ROW ? DB_NOMEM : r;
  s = db_prepare(e->db, "DELETE FROM target WHERE target = ?");
  db_bind_text(s, 1, target);
  return db_run(s);
}

static enum db_result delete_address(struct store_engine *e, struct admin_job *a,
                                     struct slice text) {
  struct admin_address x = { .text = text };
  ptrdiff_t at = slice_rfind(text, '@');
  x.local = slice_first(text, (size_t)at);
  x.domain = slice_from(text, (size_t)at + 1);
  enum db_result r = admin_changed(a, CHANGE_ADDRESS, text);
  if (r == DB_OK) r = domain_id(e, x.domain, &x.domain_id);
  struct db_stmt *s = db_prepare(e->db, "DELETE FROM address WHERE domain = ? AND local = ?");
  if (r != DB_OK) return r;
  db_bind_int(s, 1, x.domain_id);
  db_bind_text(s, 2, x.local);
  r = db_run(s);
  s = db_prepare(e->db, "DELETE FROM target WHERE domain = ? AND local = ?");
  if (r != DB_OK) return r;
  db_bind_int(s, 1, x.domain_id);
  db_bind_text(s, 2, x.local);
  r = db_run(s);
  return r == DB_OK ? delete_target(e, a, text) : r;
}

/* Deletes the address, and every alias that is left without a target by it; those are rows of the
 * answer. */
enum db_result admin_delete_address(struct store_engine *e, struct admin_job *a,
                                    struct slice text) {
  struct going *first = new_going(a, text), *last = first;
  enum db_result r = first ? DB_OK : DB_NOMEM;
  for (struct going *g = first; r == DB_OK && g; g = g->next) {
    if (g != first) ADMIN_ROW(a, g->text, SLICE("deleted"), SLICE_NONE);
    r = add_followers(e, a, g->text, &last);
    if (r == DB_OK) r = delete_address(e, a, g->text);
  }
  return r;
}
