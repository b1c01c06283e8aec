/* SPDX-License-Identifier: ISC */
/* Reads the directory from the database, at start: domains and accounts before the addresses that
 * need them, addresses before their targets, accounts before their grants. */
#include "src/store/directory.h"

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
