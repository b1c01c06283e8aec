/* SPDX-License-Identifier: ISC */
/* account rename: gives an account another address. Its number, its mail, UIDLs and limits stay;
 * aliases that led to the old address lead to the new one. With "alias" the old address becomes an
 * alias of the new one. */
#include "src/store/sql/admin_directory.h"

/* The account's forwards; if its own mailbox is among them, it now has the new address. */
static enum db_result move_forwards(struct store_engine *e, const struct admin_address *from,
                                    const struct admin_address *to) {
  struct db_stmt *s = db_prepare(
      e->db, "UPDATE target SET domain = ?3, local = ?4 WHERE domain = ?1 AND local = ?2");
  db_bind_int(s, 1, from->domain_id);
  db_bind_text(s, 2, from->local);
  db_bind_int(s, 3, to->domain_id);
  db_bind_text(s, 4, to->local);
  return db_run(s);
}

/* Targets that were the old address become the new one. */
static enum db_result move_targets(struct store_engine *e, struct admin_job *a, struct slice from,
                                   struct slice to) {
  struct db_stmt *s = db_prepare(e->db, "SELECT t.local || '@' || d.name FROM target t JOIN domain "
                                        "d ON d.id = t.domain WHERE t.target = ?");
  enum db_result r;
  db_bind_text(s, 1, from);
  while ((r = db_step(s)) == DB_ROW) {
    if (admin_changed(a, CHANGE_ADDRESS, admin_copy(a, db_bytes(s, 0))) != DB_OK) break;
  }
  db_reset(s);
  if (r != DB_OK) return r == DB_ROW ? DB_NOMEM : r;
  s = db_prepare(e->db, "UPDATE target SET target = ?2 WHERE target = ?1");
  db_bind_text(s, 1, from);
  db_bind_text(s, 2, to);
  return db_run(s);
}

static enum db_result remove_address(struct store_engine *e, struct admin_job *a,
                                     const struct admin_address *x) {
  struct db_stmt *s = db_prepare(e->db, "DELETE FROM address WHERE domain = ? AND local = ?");
  db_bind_int(s, 1, x->domain_id);
  db_bind_text(s, 2, x->local);
  enum db_result r = db_run(s);
  return r == DB_OK ? admin_changed(a, CHANGE_ADDRESS, x->text) : r;
}

static enum db_result move_account(struct store_engine *e, struct admin_job *a,
                                   struct admin_address *from, const struct admin_address *to,
                                   bool alias) {
  struct db_stmt *s = db_prepare(e->db, "UPDATE account SET name = ? WHERE id = ?");
  db_bind_text(s, 1, to->text);
  db_bind_int(s, 2, from->account);
  enum db_result r = db_run(s);
  /* before the old one is removed: it always has one */
  if (r == DB_OK) r = admin_put_address(e, a, to, from->account);
  if (r == DB_OK) r = move_forwards(e, from, to);
  if (r == DB_OK) r = remove_address(e, a, from);
  if (r == DB_OK) r = move_targets(e, a, from->text, to->text);
  if (r != DB_OK || !alias) return r;
  r = admin_put_address(e, a, from, 0);
  return r == DB_OK ? admin_add_target(e, a, from, to->text) : r;
}

enum db_result verb_account_rename(struct store_engine *e, struct admin_job *a) {
  struct admin_address from, to;
  enum db_result r;
  bool alias = a->count > 2;
  if (!admin_get_address(e, a, a->words[0], &from, &r)) return r;
  if (!from.account)
    return admin_send(a, CLI_NOT_FOUND, "there is no account %.*s", SLICE_ARG(from.text));
  if (!admin_get_address(e, a, a->words[1], &to, &r) || !admin_is_no_star(a, &to)) return r;
  /* only the case differs, which is auth's concern */
  if (to.there && slice_eq(to.text, from.text)) return DB_OK;
  if (to.there && to.account)
    return admin_send(a, CLI_EXISTS, "%.*s is there already", SLICE_ARG(to.text));
  if (to.there)
    return admin_send(a, CLI_EXISTS, "%.*s is there already, as an alias", SLICE_ARG(to.text));
  return move_account(e, a, &from, &to, alias);
}
