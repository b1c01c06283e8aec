/* SPDX-License-Identifier: ISC */
/* Single rows for the owner's thread (owner_reads.h). */
#include "src/store/sql/owner_reads.h"

#include <string.h>

/* Ends a statement after its row, if any, was read. */
static enum db_result ended(struct db_stmt *s, enum db_result r) {
  db_reset(s);
  return r == DB_ROW ? DB_OK : r;
}

enum db_result read_own_limits(struct db *db, enum own_limit which, struct own_limits *ret) {
  static const char *const queries[] = {
    [OWN_LOGIN_DELAY] =
        "SELECT (SELECT min(login_delay) FROM account WHERE login_delay IS NOT NULL),"
        " (SELECT max(login_delay) FROM account WHERE login_delay IS NOT NULL)",
    [OWN_EXPIRE] = "SELECT (SELECT min(expire) FROM account WHERE expire IS NOT NULL),"
                   " (SELECT max(expire) FROM account WHERE expire IS NOT NULL)",
    [OWN_EXPIRE_DAYS] = "SELECT (SELECT min(expire) FROM account WHERE expire >= 0),"
                        " (SELECT max(expire) FROM account WHERE expire >= 0)",
  };
  struct db_stmt *s = db_prepare(db, queries[which]);
  enum db_result r = db_step(s);
  if (r == DB_ROW && !db_is_null(s, 0))
    *ret = (struct own_limits){ db_int(s, 0), db_int(s, 1) };
  else if (r == DB_ROW)
    *ret = (struct own_limits){ 1, 0 };
  return ended(s, r);
}

enum db_result read_keeps_deleted(struct db *db, bool *ret) {
  struct db_stmt *s = db_prepare(db, "SELECT 1 FROM deleted LIMIT 1");
  enum db_result r = db_step(s);
  *ret = r == DB_ROW;
  return ended(s, r);
}

enum db_result read_too_much_kept(struct db *db, uint64_t most, uint64_t *ret_folder) {
  struct db_stmt *s =
      db_prepare(db, "SELECT id FROM folder WHERE deleted_octets > 0 AND deleted_octets > ?"
                     " ORDER BY deleted_octets DESC LIMIT 1");
  db_bind_int(s, 1, (int64_t)most);
  enum db_result r = db_step(s);
  *ret_folder = r == DB_ROW ? (uint64_t)db_int(s, 0) : 0;
  return ended(s, r);
}

enum db_result read_secret(struct db *db, uint8_t *to, size_t n) {
  struct db_stmt *s = db_prepare(db, "SELECT secret FROM store");
  enum db_result r = db_step(s);
  struct slice secret = r == DB_ROW ? db_bytes(s, 0) : SLICE_NONE;
  bool fine = secret.n == n;
  if (fine) memcpy(to, secret.p, n);
  r = ended(s, r);
  return r == DB_OK && !fine ? DB_CORRUPT : r;
}
