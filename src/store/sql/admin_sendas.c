/* SPDX-License-Identifier: ISC */
/* account sendas add|list|delete: the addresses that an account may send as, besides its own. */
#include "mail/address.h"
#include "src/store/sql/admin_directory.h"
#include "src/store/sql/directory.h"
#include "src/store/sql/names.h"
#include "src/store/sql/work.h"

/* A local or remote address, "@domain" for all of a domain, or "<>" for bounces. Answered if it is
 * none of these. */
static bool get_grant(struct admin_job *a, struct slice typed, struct slice *ret) {
  struct buf folded;
  struct address x;
  buf_init(&folded, DIR_ADDRESS_MAX);
  dir_fold(&folded, typed);
  *ret = admin_copy(a, buf_slice(&folded));
  buf_free(&folded);
  bool domain = slice_at(*ret, 0) == '@' && name_is_domain(slice_from(*ret, 1));
  if (domain || slice_eq(*ret, SLICE("<>")) ||
      (ret->n && address_parse(*ret, &x) == ADDRESS_OK && x.domain_n))
    return true;
  admin_send(a, CLI_USAGE,
             "%.*s is nobody to send as: name@example.org, @example.org or <> is meant",
             SLICE_ARG(slice_first(typed, 200)));
  return false;
}

/* Its stored form, whatever the spelling. */
static enum db_result kept_grant(struct store_engine *e, struct admin_job *a, uint64_t account,
                                 struct slice *grant) {
  struct db_stmt *s = db_prepare(e->db, "SELECT address FROM sendas WHERE account = ?");
  enum db_result r;
  db_bind_int(s, 1, (int64_t)account);
  while ((r = db_step(s)) == DB_ROW) {
    if (!dir_is_same(db_bytes(s, 0), *grant)) continue;
    *grant = admin_copy(a, db_bytes(s, 0));
    r = DB_OK;
    break;
  }
  db_reset(s);
  return r == DB_OK && !grant->p ? DB_NOMEM : r;
}

static enum db_result change(struct store_engine *e, struct admin_job *a, const char *sql,
                             bool add) {
  struct named_account account;
  struct slice grant;
  if (!get_grant(a, a->words[1], &grant)) return DB_OK;
  enum db_result r = admin_account(e, a, a->words[0], &account);
  if (r != DB_OK || !account.id) return r;
  r = kept_grant(e, a, account.id, &grant);
  if (r != DB_OK) return r;
  struct db_stmt *s = db_prepare(e->db, sql);
  db_bind_int(s, 1, (int64_t)account.id);
  db_bind_text(s, 2, grant);
  r = db_run(s);
  if (r != DB_OK) return r;
  if (!db_changes(e->db))
    return add ? admin_send(a, CLI_EXISTS, "%.*s may send as %.*s already", SLICE_ARG(a->words[0]),
                            SLICE_ARG(grant))
               : admin_send(a, CLI_NOT_FOUND, "%.*s was not given %.*s", SLICE_ARG(a->words[0]),
                            SLICE_ARG(grant));
  return DB_OK;
}

enum db_result verb_account_sendas_add(struct store_engine *e, struct admin_job *a) {
  return change(e, a,
                "INSERT INTO sendas (account, address) VALUES (?, ?)"
                " ON CONFLICT (account, address) DO NOTHING",
                true);
}

enum db_result verb_account_sendas_delete(struct store_engine *e, struct admin_job *a) {
  return change(e, a, "DELETE FROM sendas WHERE account = ? AND address = ?", false);
}

enum db_result verb_account_sendas_list(struct store_engine *e, struct admin_job *a) {
  struct db_stmt *s =
      db_prepare(e->db, "SELECT a.name, x.address FROM sendas x JOIN account a ON a.id = x.account"
                        " WHERE ?1 = '' OR a.name = ?1 ORDER BY a.name, x.address");
  struct slice name = SLICE("");
  enum db_result r = a->count ? admin_spelling(e, a, a->words[0], &name) : DB_OK;
  if (r != DB_OK) return r;
  db_bind_text(s, 1, name);
  admin_columns(a, "account sends-as");
  while ((r = db_step(s)) == DB_ROW) ADMIN_ROW(a, db_bytes(s, 0), db_bytes(s, 1));
  return r;
}
