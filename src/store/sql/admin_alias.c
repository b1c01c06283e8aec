/* SPDX-License-Identifier: ISC */
/* alias, account forward: addresses that lead to others. No alias leads nowhere, none to itself. */
#include "src/store/sql/admin_directory.h"
#include "src/store/sql/directory.h"
#include "src/store/sql/names.h"
#include "src/store/sql/work.h"

/* --- alias --- */

/* True if `to` leads, through aliases, to `from`. */
static enum db_result leads_to(struct store_engine *e, struct slice to, struct slice from,
                               bool *ret) {
  struct db_stmt *s = db_prepare(
      e->db,
      "WITH RECURSIVE reached (text) AS (VALUES (?1) UNION SELECT t.target FROM reached r JOIN "
      "domain d"
      " ON d.name = substr(r.text, instr(r.text, '@') + 1)"
      " JOIN target t ON t.domain = d.id AND t.local = substr(r.text, 1, instr(r.text, '@') - 1))"
      " SELECT 1 FROM reached WHERE text = ?2");
  int64_t n;
  db_bind_text(s, 1, to);
  db_bind_text(s, 2, from);
  enum db_result r = admin_one_number(s, &n);
  *ret = n == 1;
  return r;
}

/* A remote address: its local part as typed (RFC 5321 §2.4). */
static bool target_elsewhere(struct admin_job *a, struct slice typed, struct admin_address *x) {
  struct buf text;
  buf_init(&text, DIR_ADDRESS_MAX);
  buf_put(&text, slice_first(typed, (size_t)slice_rfind(typed, '@') + 1));
  buf_put(&text, x->domain);
  x->text = admin_copy(a, buf_slice(&text));
  buf_free(&text);
  if (name_is_dotless(x->domain)) return admin_is_no_address(a, typed);
  if (!a->sends) admin_send(a, CLI_USAGE, "%.*s is elsewhere, and send = no", SLICE_ARG(typed));
  return a->sends && x->text.p;
}

/* A target of an address: *ret is its text. False: answered, or *r is an error. */
static bool get_target(struct store_engine *e, struct admin_job *a,
                       const struct admin_address *alias, struct slice typed, struct slice *ret,
                       enum db_result *r) {
  struct admin_address x = { .text = SLICE_NONE };
  bool circle = false;
  *r = admin_spelling(e, a, typed, &x.text);
  if (*r != DB_OK) return false;
  if (!name_split(x.text, &x.local, &x.domain)) return admin_is_no_address(a, typed);
  *r = admin_find_address(e, &x);
  if (*r != DB_OK) return false;
  if (!x.domain_id && !target_elsewhere(a, typed, &x)) return false;
  *ret = x.text;
  if (!x.domain_id) return true;
  if (!x.there) {
    admin_send(a, CLI_NOT_FOUND, "there is no account or alias %.*s", SLICE_ARG(x.text));
    return false;
  }
  *r = leads_to(e, x.text, alias->text, &circle);
  if (*r == DB_OK && circle)
    admin_send(a, CLI_USAGE, "%.*s would lead to itself over %.*s", SLICE_ARG(alias->text),
               SLICE_ARG(x.text));
  return *r == DB_OK && !circle;
}

enum db_result admin_add_target(struct store_engine *e, struct admin_job *a,
                                const struct admin_address *alias, struct slice target) {
  struct db_stmt *s =
      db_prepare(e->db, "INSERT INTO target (domain, local, target) VALUES (?, ?, ?)"
                        " ON CONFLICT (domain, local, target) DO NOTHING");
  db_bind_int(s, 1, alias->domain_id);
  db_bind_text(s, 2, alias->local);
  db_bind_text(s, 3, target);
  enum db_result r = db_run(s);
  return r == DB_OK ? admin_changed(a, CHANGE_ADDRESS, alias->text) : r;
}

/* Adds targets to the alias, creating it if it is new. Everything is checked before anything is
 * written, because the transaction is shared with other jobs. */
enum db_result verb_alias_add(struct store_engine *e, struct admin_job *a) {
  struct admin_address alias;
  struct slice targets[ADMIN_WORDS_MAX];
  enum db_result r;
  if (!admin_get_alias(e, a, a->words[0], &alias, &r)) return r;
  if (!admin_is_no_star(a, &alias)) return DB_OK;
  if (alias.account)
    return admin_send(a, CLI_EXISTS, "%.*s is an account: qasid account forward %.*s TARGET",
                      SLICE_ARG(alias.text), SLICE_ARG(alias.text));
  for (size_t i = 1; i < a->count; i++)
    if (!get_target(e, a, &alias, a->words[i], &targets[i], &r)) return r;
  if (!alias.there) r = admin_put_address(e, a, &alias, 0);
  for (size_t i = 1; r == DB_OK && i < a->count; i++)
    r = admin_add_target(e, a, &alias, targets[i]);
  return r;
}

/* --- account forward --- */

static enum db_result show_targets(struct store_engine *e, struct admin_job *a,
                                   const struct admin_address *x) {
  struct db_stmt *s =
      db_prepare(e->db, "SELECT target FROM target WHERE domain = ? AND local = ? ORDER BY target");
  enum db_result r;
  db_bind_int(s, 1, x->domain_id);
  db_bind_text(s, 2, x->local);
  admin_columns(a, "address target");
  while ((r = db_step(s)) == DB_ROW)
    ADMIN_ROW(a, x->text,
              slice_eq(db_bytes(s, 0), x->text) ? SLICE("its own mailbox") : db_bytes(s, 0));
  return r;
}

static enum db_result remove_targets(struct store_engine *e, struct admin_job *a,
                                     const struct admin_address *x) {
  struct db_stmt *s = db_prepare(e->db, "DELETE FROM target WHERE domain = ? AND local = ?");
  db_bind_int(s, 1, x->domain_id);
  db_bind_text(s, 2, x->local);
  enum db_result r = db_run(s);
  return r == DB_OK ? admin_changed(a, CHANGE_ADDRESS, x->text) : r;
}

/* The targets replace the existing ones; none: it is no longer forwarded. */
static enum db_result set_forward(struct store_engine *e, struct admin_job *a,
                                  const struct admin_address *x) {
  struct slice targets[ADMIN_WORDS_MAX];
  size_t count = 0;
  bool none = a->count == 2 && slice_caseeq(a->words[1], SLICE("none"));
  enum db_result r;
  for (size_t i = 1; !none && i < a->count; i++) {
    if (slice_eq(a->words[i], SLICE("--keep")) || slice_caseeq(a->words[i], x->text))
      targets[count++] = x->text;
    else if (get_target(e, a, x, a->words[i], &targets[count], &r))
      count++;
    else
      return r;
  }
  r = remove_targets(e, a, x);
  for (size_t i = 0; r == DB_OK && i < count; i++) r = admin_add_target(e, a, x, targets[i]);
  return r;
}

enum db_result verb_account_forward(struct store_engine *e, struct admin_job *a) {
  struct admin_address x;
  enum db_result r;
  if (!admin_get_address(e, a, a->words[0], &x, &r)) return r;
  if (!x.there || !x.account)
    return admin_send(a, CLI_NOT_FOUND, "there is no account %.*s", SLICE_ARG(x.text));
  if (a->count == 2 && slice_eq(a->words[1], SLICE("--keep")))
    return admin_send(a, CLI_USAGE, "--keep is said with a target");
  r = a->count > 1 ? set_forward(e, a, &x) : DB_OK;
  return r == DB_OK && a->code == CLI_OK ? show_targets(e, a, &x) : r;
}

enum db_result verb_alias_list(struct store_engine *e, struct admin_job *a) {
  enum db_result r = admin_look_at_domain(e, a);
  if (r != DB_OK || a->code != CLI_OK) return r;
  struct db_stmt *s = db_prepare(
      e->db, "SELECT t.local || '@' || d.name AS alias, t.target FROM target t"
             " JOIN domain d ON d.id = t.domain JOIN address x ON x.domain = t.domain"
             " AND x.local = t.local WHERE x.account IS NULL AND (?1 = '' OR d.name = ?1)"
             " ORDER BY alias, t.target");
  db_bind_text(s, 1, a->count ? admin_lower(a, a->words[0]) : SLICE(""));
  admin_columns(a, "alias target");
  while ((r = db_step(s)) == DB_ROW) ADMIN_ROW(a, db_bytes(s, 0), db_bytes(s, 1));
  return r;
}

enum db_result verb_alias_delete(struct store_engine *e, struct admin_job *a) {
  struct admin_address x;
  enum db_result r;
  if (!admin_get_alias(e, a, a->words[0], &x, &r)) return r;
  if (!x.there || x.account)
    return admin_send(a, CLI_NOT_FOUND, "there is no alias %.*s", SLICE_ARG(x.text));
  admin_columns(a, "alias became target");
  return admin_delete_address(e, a, x.text);
}
