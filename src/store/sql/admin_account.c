/* SPDX-License-Identifier: ISC */
/* account: the mailboxes, and the limits of each. Every change is one transaction.
 *
 *  1. An account is created with its inbox and its address, in one transaction.
 *  2. A limit has one row here, from which its word, its column and its values come.
 *  3. Deleting one removes its addresses first, so that it cannot be found any more; the account
 *     itself is removed in the slice that finds its folders empty. */
#include "lib/base/num.h"
#include "lib/base/units.h"
#include "src/store/sql/admin_directory.h"
#include "src/store/sql/collected.h"
#include "src/store/sql/directory.h"
#include "src/store/sql/names.h"
#include "src/store/sql/work.h"

/* --- an account's own limits --- */

static bool whole_number(struct slice text, uint64_t *ret) {
  return num_parse(text, UINT32_MAX, ret);
}

/* One limit: its word, its column, its kind of values. */
struct limit {
  const char *word, *update, *meant;
  bool (*parse)(struct slice text, uint64_t *ret);
  uint64_t most;
  const char *none; /* the word for it */
  int64_t none_is;
};
static const struct limit limits[] = {
  { "quota", "UPDATE account SET quota = ?1 WHERE id = ?2", "a size such as 500M", units_size,
    INT64_MAX, "none", 0 },
  { "login-delay", "UPDATE account SET login_delay = ?1 WHERE id = ?2", "a time such as 60 or 5m",
    units_time, 86400, "none", 0 },
  { "expire", "UPDATE account SET expire = ?1 WHERE id = ?2", "a number of days such as 30d",
    units_days, 36500, "never", -1 },
#define SENDS(word, column)                                                                       \
  {                                                                                               \
    word, "UPDATE account SET " column " = ?1 WHERE id = ?2", "a number", whole_number, 10000000, \
        "none", 0                                                                                 \
  }
  SENDS("messages-per-hour", "messages_per_hour"),
  SENDS("recipients-per-hour", "recipients_per_hour"),
  SENDS("messages-per-day", "messages_per_day"),
  SENDS("recipients-per-day", "recipients_per_day"),
  SENDS("new-recipients-per-day", "new_recipients_per_day"),
};
enum { LIMITS = sizeof limits / sizeof *limits };

enum { USUAL = ADMIN_QUOTA_DEFAULT }; /* as the option says: NULL in the table */

/* A limit's value in its stored form. */
static bool limit_value(struct admin_job *a, const struct limit *l, struct slice word,
                        int64_t *ret) {
  uint64_t n = 0;
  bool none = slice_caseeq(word, slice_str(l->none)), usual = slice_caseeq(word, SLICE("default"));
  if (!none && !usual && (!l->parse(word, &n) || n > l->most)) {
    admin_send(a, CLI_USAGE, "%.*s is not a valid %s: %s, %s or default is meant", SLICE_ARG(word),
               l->word, l->meant, l->none);
    return false;
  }
  *ret = usual ? USUAL : none ? l->none_is : (int64_t)n;
  return true;
}

bool admin_quota(struct admin_job *a, struct slice word, int64_t *ret) {
  return limit_value(a, &limits[0], word, ret);
}

static const struct limit *limit_named(struct admin_job *a, struct slice word) {
  for (size_t i = 0; i < LIMITS; i++)
    if (slice_eq(word, slice_str(limits[i].word))) return &limits[i];
  admin_send(a, CLI_USAGE,
             "%.*s is not a limit of an account: quota, login-delay, expire, messages-per-hour,"
             " recipients-per-hour, messages-per-day, recipients-per-day or new-recipients-per-day "
             "is meant",
             SLICE_ARG(word));
  return NULL;
}

/* --- making and listing --- */

static enum db_result insert_account(struct store_engine *e, struct admin_job *a, struct slice name,
                                     int64_t quota, int64_t *ret_id) {
  struct db_stmt *s = db_prepare(e->db, "INSERT INTO account (name, made, quota) VALUES (?, ?, ?)"
                                        " RETURNING id");
  db_bind_text(s, 1, name);
  db_bind_int(s, 2, a->job.now_s);
  if (quota < 0)
    db_bind_null(s, 3);
  else
    db_bind_int(s, 3, quota);
  return admin_one_number(s, ret_id);
}

static enum db_result insert_inbox(struct store_engine *e, struct admin_job *a, int64_t account) {
  struct db_stmt *s = db_prepare(
      e->db, "INSERT INTO folder (account, name, uidvalidity, uidnext, modseq, messages, octets)"
             " VALUES (?, 'INBOX', ?, 1, 1, 0, 0)");
  db_bind_int(s, 1, account);
  db_bind_int(s, 2, engine_new_uidvalidity(e, a->job.now_s));
  return db_run(s);
}

enum db_result admin_make_account(struct store_engine *e, struct admin_job *a,
                                  const struct admin_address *x, int64_t quota, int64_t *ret_id) {
  int64_t account;
  struct db_stmt *s = db_prepare(e->db, "SELECT id FROM account WHERE name = ?");
  db_bind_text(s, 1, x->text);
  enum db_result r = admin_one_number(s, &account);
  *ret_id = 0;
  if (r == DB_OK && account)
    return admin_send(a, CLI_EXISTS,
                      "the deletion of %.*s was not finished: qasid account delete %.*s",
                      SLICE_ARG(x->text), SLICE_ARG(x->text));
  if (r == DB_OK) r = insert_account(e, a, x->text, quota, &account);
  if (r == DB_OK) r = insert_inbox(e, a, account);
  if (r == DB_OK && quota >= 0) r = admin_changed_id(a, CHANGE_QUOTA, (uint64_t)account);
  if (r != DB_OK) return r;
  *ret_id = account;
  return admin_put_address(e, a, x, account);
}

enum db_result verb_account_add(struct store_engine *e, struct admin_job *a) {
  struct admin_address x;
  enum db_result r;
  int64_t quota = USUAL, account;
  if (a->count > 1 && !limit_value(a, &limits[0], a->words[1], &quota)) return DB_OK;
  if (!admin_get_address(e, a, a->words[0], &x, &r)) return r;
  if (!admin_is_no_star(a, &x)) return DB_OK;
  if (x.there)
    return admin_send(a, CLI_EXISTS, "%.*s is there already%s", SLICE_ARG(x.text),
                      x.account ? "" : ", as an alias");
  r = admin_make_account(e, a, &x, quota, &account);
  if (r != DB_OK || !account) return r;
  admin_columns(a, "id address");
  ADMIN_ROW(a, admin_num(a, (uint64_t)account), x.text);
  return DB_OK;
}

enum db_result verb_account_list(struct store_engine *e, struct admin_job *a) {
  enum db_result r = admin_look_at_domain(e, a);
  if (r != DB_OK || a->code != CLI_OK) return r;
  struct db_stmt *s = db_prepare(
      e->db,
      "SELECT a.id, a.name, (SELECT sum(messages) FROM folder WHERE account = a.id),"
      " (SELECT sum(octets) FROM folder WHERE account = a.id), coalesce(a.quota, -1) FROM account a"
      " WHERE ?1 = '' OR a.name LIKE '%@' || ?1 ORDER BY a.name");
  db_bind_text(s, 1, a->count ? admin_lower(a, a->words[0]) : SLICE(""));
  admin_columns(a, "id address messages octets quota");
  while ((r = db_step(s)) == DB_ROW) {
    int64_t quota = db_int(s, 4);
    struct slice shown = quota < 0 ? SLICE("default")
                         : quota   ? admin_num(a, (uint64_t)quota)
                                   : SLICE("none");
    ADMIN_ROW(a, admin_num(a, (uint64_t)db_int(s, 0)), db_bytes(s, 1),
              admin_num(a, (uint64_t)db_int(s, 2)), admin_num(a, (uint64_t)db_int(s, 3)), shown);
  }
  return r;
}

/* --- one by its name --- */

static enum db_result account_named(struct store_engine *e, struct admin_job *a, struct slice typed,
                                    struct slice *ret_name, int64_t *ret_id) {
  *ret_id = 0;
  enum db_result r = admin_spelling(e, a, typed, ret_name);
  if (r != DB_OK) return r;
  struct db_stmt *s = db_prepare(e->db, "SELECT id FROM account WHERE name = ?");
  db_bind_text(s, 1, *ret_name);
  r = admin_one_number(s, ret_id);
  if (r == DB_OK && !*ret_id)
    admin_send(a, CLI_NOT_FOUND, "there is no account %.*s", SLICE_ARG(*ret_name));
  return r;
}

static enum db_result set_limit(struct store_engine *e, struct admin_job *a, const struct limit *l,
                                struct slice word) {
  struct slice name;
  int64_t id, value;
  if (!limit_value(a, l, word, &value)) return DB_OK;
  enum db_result r = account_named(e, a, a->words[0], &name, &id);
  if (r != DB_OK || !id) return r;
  struct db_stmt *s = db_prepare(e->db, l->update);
  if (value == USUAL)
    db_bind_null(s, 1);
  else
    db_bind_int(s, 1, value);
  db_bind_int(s, 2, id);
  r = db_run(s);
  return r == DB_OK ? admin_changed_id(a, CHANGE_ACCOUNT, (uint64_t)id) : r;
}

enum db_result verb_account_set(struct store_engine *e, struct admin_job *a) {
  const struct limit *l = limit_named(a, a->words[1]);
  return l ? set_limit(e, a, l, a->words[2]) : DB_OK;
}

enum db_result verb_account_quota(struct store_engine *e, struct admin_job *a) {
  return set_limit(e, a, &limits[0], a->words[1]);
}

static struct slice limit_shown(struct admin_job *a, struct db_stmt *s, int column) {
  int64_t n = db_int(s, column);
  if (db_is_null(s, column)) return SLICE("default");
  return n == limits[column].none_is ? slice_str(limits[column].none) : admin_num(a, (uint64_t)n);
}

enum db_result verb_account_limits(struct store_engine *e, struct admin_job *a) {
  struct slice name;
  int64_t id;
  enum db_result r = account_named(e, a, a->words[0], &name, &id);
  if (r != DB_OK || !id) return r;
  struct db_stmt *s = db_prepare(e->db, "SELECT " DIR_LIMITS " FROM account WHERE id = ?");
  db_bind_int(s, 1, id);
  r = db_step(s);
  if (r != DB_ROW) return r == DB_OK ? DB_CORRUPT : r;
  admin_columns(a, "limit value");
  for (int i = 0; i < LIMITS; i++) ADMIN_ROW(a, slice_str(limits[i].word), limit_shown(a, s, i));
  db_reset(s);
  return DB_OK;
}

/* --- deleting one --- */

/* First slice: makes the account impossible to find. Its name is its address, the only one of its
 * own. */
static enum db_result account_close(struct store_engine *e, struct admin_job *a, struct slice name,
                                    int64_t id) {
  struct admin_address x = { .text = name };
  if (!name_split(name, &x.local, &x.domain)) return DB_OK;
  enum db_result r = admin_find_address(e, &x);
  return r == DB_OK && x.there && x.account == id ? admin_delete_address(e, a, name) : r;
}

static enum db_result account_end(struct store_engine *e, struct admin_job *a, int64_t id) {
  static const char *const others[] = { "DELETE FROM sendas WHERE account = ?",
                                        "DELETE FROM sent WHERE account = ?",
                                        "DELETE FROM correspondent WHERE account = ?" };
  for (size_t i = 0; i < sizeof others / sizeof *others; i++) {
    struct db_stmt *other = db_prepare(e->db, others[i]);
    db_bind_int(other, 1, id);
    enum db_result r = db_run(other);
    if (r != DB_OK) return r;
  }
  struct db_stmt *s = db_prepare(e->db, "DELETE FROM account WHERE id = ?");
  db_bind_int(s, 1, id);
  enum db_result r = db_run(s);
  return r == DB_OK ? admin_changed_id(a, CHANGE_ACCOUNT_REMOVED, (uint64_t)id) : r;
}

enum db_result admin_delete_account(struct store_engine *e, struct admin_job *a,
                                    struct slice address, enum admin_deleted *ret) {
  struct slice name;
  int64_t id;
  bool empty = false, left = false;
  enum db_result r = account_named(e, a, address, &name, &id);
  *ret = ADMIN_NO_ACCOUNT;
  if (r != DB_OK || !id) return r;
  admin_columns(a, "alias became target");
  r = account_close(e, a, name, id);
  if (r == DB_OK) r = admin_empty_account(e, a, id, &empty);
  if (r == DB_OK && empty) r = collected_drop_account(e, id, &left);
  if (r == DB_OK && empty && !left) r = account_end(e, a, id);
  *ret = empty && !left ? ADMIN_DELETED : ADMIN_DELETED_IN_PART;
  return r;
}

enum db_result verb_account_delete(struct store_engine *e, struct admin_job *a) {
  enum admin_deleted deleted;
  enum db_result r = admin_delete_account(e, a, a->words[0], &deleted);
  a->job.again = r == DB_OK && deleted == ADMIN_DELETED_IN_PART;
  return r;
}

enum db_result admin_account(struct store_engine *e, struct admin_job *a, struct slice address,
                             struct named_account *ret) {
  struct slice name;
  int64_t id;
  *ret = (struct named_account){ 0 };
  enum db_result r = account_named(e, a, address, &name, &id);
  if (r != DB_OK || !id) return r;
  struct db_stmt *s =
      db_prepare(e->db, "SELECT id, uidvalidity FROM folder WHERE account = ? AND name = 'INBOX'");
  db_bind_int(s, 1, id);
  r = db_step(s);
  if (r != DB_ROW) return r == DB_OK ? DB_CORRUPT : r;
  ret->id = (uint64_t)id;
  ret->inbox = (uint64_t)db_int(s, 0);
  ret->uidvalidity = (uint32_t)db_int(s, 1);
  db_reset(s);
  return DB_OK;
}
