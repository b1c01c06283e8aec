/* SPDX-License-Identifier: ISC */
/* The accounts database, auth.db, and the key that seals its secrets (accounts.h). Synchronous:
 * each change, or all between accounts_begin() and accounts_end(), is one durable transaction.
 * Invariants: a released schema step never changes; after a disk error the connection is closed and
 * opened anew before it is used; a sealed secret is bound to its row's key and its column. */
#include "src/auth/accounts.h"

#include <errno.h>
#include <string.h>

#include "mail/sasl/sasl.h"
#include "lib/unicode/prepare.h"
#include "src/auth/collections.h"

/* Step i leads from version i to i + 1. A released step is never changed. */
static const char *const schema_steps[] = {
  "CREATE TABLE account ("
  " key TEXT PRIMARY KEY," /* the name, folded */
  " name TEXT NOT NULL,"
  " id INTEGER NOT NULL,"
  " hash TEXT NOT NULL,"
  " enabled INTEGER NOT NULL,"
  " created INTEGER NOT NULL,"
  " changed INTEGER NOT NULL,"
  " stamp INTEGER NOT NULL,"
  " sealed BLOB"
  ") WITHOUT ROWID",
  "ALTER TABLE account ADD COLUMN scram BLOB;" /* SCRAM's verifiers, under seal */
  "ALTER TABLE account ADD COLUMN scram_wish INTEGER NOT NULL DEFAULT 0", /* enum account_scram */
  "CREATE TABLE certificate ("
  " fingerprint BLOB PRIMARY KEY," /* SHA-256 */
  " key TEXT NOT NULL,"            /* the account's */
  " added INTEGER NOT NULL"
  ") WITHOUT ROWID;"
  "CREATE TRIGGER certificate_goes AFTER DELETE ON account BEGIN"
  " DELETE FROM certificate WHERE key = OLD.key; END",
  COLLECTIONS_SCHEMA,
  "CREATE INDEX account_secret ON account (enabled) WHERE sealed IS NOT NULL",
  COLLECTIONS_STEPPED,
  "ALTER TABLE account ADD COLUMN prep TEXT;" /* for keys that are not prepared, their prepared
                                               * form; fill_prep() */
  "CREATE INDEX account_prep ON account (prep) WHERE prep IS NOT NULL",
};
enum { SCHEMA_PREP = 6 /* the version before that step */ };
enum { SCHEMA_VERSION = sizeof schema_steps / sizeof *schema_steps };
#define COLUMNS "name, id, hash, enabled, created, changed, stamp, sealed, scram, scram_wish, key"

/* --- names --- */

static const char *shape_refused(struct slice name) {
  ptrdiff_t at = slice_rfind(name, '@');
  bool ok = at > 0 && (size_t)at + 1 < name.n && name.n <= AUTH_NAME_MAX && sasl_safe_utf8(name);
  for (size_t i = 0; ok && i < name.n; i++) ok = name.p[i] != ' ' && !ascii_is_control(name.p[i]);
  return ok ? NULL
            : "a name is a full address: local part, @, domain; without spaces, at most 320 octets";
}

const char *account_name_refused(struct slice name) {
  uint8_t room[AUTH_NAME_MAX];
  uint32_t which;
  const char *why = shape_refused(name);
  if (!why) why = prepare_name_refused(slice_first(name, (size_t)slice_rfind(name, '@')), &which);
  return why || account_fold(name, room).n ? why : "the name is too long";
}

struct slice account_fold(struct slice name, uint8_t ret[AUTH_NAME_MAX]) {
  struct buf prepared;
  buf_init(&prepared, AUTH_NAME_MAX);
  size_t n = prepare_name(name, &prepared) ? buf_len(&prepared) : 0;
  if (n) memcpy(ret, buf_slice(&prepared).p, n);
  buf_free(&prepared);
  return slice_of(ret, n);
}

/* The key under which an earlier version stored the name. */
static struct slice fold_ascii(struct slice name, uint8_t ret[AUTH_NAME_MAX]) {
  return name.n <= AUTH_NAME_MAX ? slice_lower(name, ret) : SLICE_NONE;
}

void account_set_name(struct account *row, struct slice name) {
  ptrdiff_t at = slice_rfind(name, '@');
  row->name_n = name.n <= AUTH_NAME_MAX ? name.n : 0;
  for (size_t i = 0; i < row->name_n; i++)
    row->name[i] = (ptrdiff_t)i > at ? ascii_lower(name.p[i]) : name.p[i];
  row->key_n = account_fold(name, row->key).n;
}

struct slice account_key(const struct account *row, uint8_t room[AUTH_NAME_MAX]) {
  if (!row->key_n) return account_fold(account_name(row), room);
  memcpy(room, row->key, row->key_n);
  return slice_of(room, row->key_n);
}

struct slice accounts_key(struct accounts *a, struct slice name, uint8_t room[AUTH_NAME_MAX]) {
  struct account row;
  bool there = accounts_find(a, name, &row) == ACCOUNT_OK;
  struct slice key = there ? account_key(&row, room) : account_fold(name, room);
  explicit_bzero(&row, sizeof row);
  return key;
}

/* --- the key --- */

/* Read only as a whole: a first start that died while writing it left auth.key.new, not
 * auth.key. */
static int key_read(struct accounts *a) {
  struct disk_file *f = NULL;
  int r = a->disk->ops->open(a->disk, "auth.key", DISK_READ, &f);
  if (r) return r;
  int64_t n = a->disk->ops->size(f);
  if (n == SEAL_KEY) n = a->disk->ops->read(f, a->key, SEAL_KEY, 0);
  a->disk->ops->close(&f);
  return n == SEAL_KEY ? 0 : n < 0 ? (int)n : -1;
}

/* 0 or a negative errno. */
static int key_make(struct accounts *a, const uint8_t random[SEAL_KEY]) {
  const struct disk_ops *ops = a->disk->ops;
  struct disk_file *f = NULL;
  int r = ops->open(a->disk, "auth.key.new", DISK_WRITE, &f);
  if (r) return r;
  r = ops->truncate(f, 0);
  if (!r) r = ops->write(f, slice_of(random, SEAL_KEY), 0);
  if (!r) r = ops->sync(f);
  ops->close(&f);
  if (!r) r = ops->rename(a->disk, "auth.key.new", "auth.key");
  if (!r) r = ops->sync_all(a->disk);
  if (!r) memcpy(a->key, random, SEAL_KEY);
  return r;
}

static bool key_open(struct accounts *a, const uint8_t random[SEAL_KEY], struct buf *err) {
  int there = a->disk->ops->exists(a->disk, "auth.key");
  int made = there == 0 ? key_make(a, random) : there;
  if (made == 0) return true;
  if (there == 1 && key_read(a) == 0) return true;
  if (there == 1)
    buf_put_str(
        err, "auth.key in the auth folder is damaged: it must have 32 octets. Put it back from a "
             "backup; or remove it, then APOP, CRAM-MD5 and SCRAM stop working for the accounts "
             "that use them until `qasid account legacy NAME on`");
  else if (made == -ENOSPC)
    buf_put_str(err, "the disk is full: auth.key could not be made");
  else
    buf_printf(err, "the auth folder can't be written: auth.key could not be made (%s)",
               strerror(-made));
  return false;
}

/* --- the database --- */

/* Older names whose prepared form differs from their key. */
static bool fill_prep(struct accounts *a) {
  uint8_t room[AUTH_NAME_MAX];
  struct buf keys;
  buf_init(&keys, SIZE_MAX / 4);
  struct db_stmt *s = db_prepare(a->db, "SELECT key FROM account WHERE key GLOB '*[^ -~]*'");
  enum db_result r = s ? DB_ROW : DB_NOMEM;
  while (r == DB_ROW && (r = db_step(s)) == DB_ROW) {
    struct slice key = db_bytes(s, 0);
    if (slice_eq(account_fold(key, room), key)) continue;
    buf_put(&keys, key);
    buf_put_u8(&keys, 0);
  }
  if (s) db_reset(s);
  if (r == DB_OK && keys.failed) r = DB_NOMEM;
  for (struct slice rest = buf_slice(&keys); r == DB_OK && rest.n;) {
    struct slice key = slice_split(&rest, 0), prep = account_fold(key, room);
    if (!prep.n) continue; /* the prepared form is too long: found by its own spelling only */
    s = db_prepare(a->db, "UPDATE account SET prep = ?1 WHERE key = ?2");
    db_bind_text(s, 1, prep);
    db_bind_text(s, 2, key);
    r = db_run(s);
    db_reset(s);
  }
  buf_free(&keys);
  return r == DB_OK;
}

static enum db_result migrate(struct accounts *a) {
  int64_t version = db_version(a->db);
  if (version == SCHEMA_VERSION) return DB_OK;
  if (version < 0 || version > SCHEMA_VERSION) return version < 0 ? DB_IOERR : DB_ERROR;
  enum db_result r = db_begin(a->db);
  for (; r == DB_OK && version < SCHEMA_VERSION; version++) {
    r = db_exec(a->db, schema_steps[version]);
    if (r == DB_OK && version == SCHEMA_PREP && !fill_prep(a)) r = DB_IOERR;
  }
  if (r == DB_OK) r = db_set_version(a->db, SCHEMA_VERSION);
  if (r == DB_OK) r = db_commit(a->db);
  if (r != DB_OK) db_rollback(a->db);
  return r == DB_OK || r == DB_FULL ? r : DB_IOERR;
}

static enum db_result database_open(struct accounts *a) {
  static const struct db_options options = { .page_size = 4096, .cache_kib = 4096 };
  enum db_result r = db_open(a->disk, "auth.db", &options, &a->db);
  if (r != DB_OK) return r;
  r = migrate(a);
  if (r != DB_OK) db_close(&a->db);
  return r;
}

bool accounts_open(struct accounts *a, struct disk *disk, const uint8_t random[SEAL_KEY],
                   struct buf *err) {
  *a = (struct accounts){ .disk = disk };
  if (!key_open(a, random, err)) return false;
  switch (database_open(a)) {
  case DB_OK: return true;
  case DB_BUSY: buf_put_str(err, "auth.db is open in another program"); break;
  case DB_FULL: buf_put_str(err, "the disk is full: auth.db could not be made"); break;
  case DB_CORRUPT: buf_put_str(err, "auth.db is damaged; put it back from a backup"); break;
  case DB_ERROR: buf_put_str(err, "auth.db was made by a newer version of this program"); break;
  default: buf_put_str(err, "auth.db could not be opened: the disk reports an error"); break;
  }
  accounts_close(a);
  return false;
}

void accounts_close(struct accounts *a) {
  if (a->db) db_close(&a->db);
  explicit_bzero(a->key, sizeof a->key);
}

/* After a disk error a connection must not be used again; the next call opens a new one. */
static enum account_result result_of(struct accounts *a, enum db_result r) {
  if (r == DB_IOERR) db_close(&a->db);
  if (r == DB_CONSTRAINT) return ACCOUNT_EXISTS;
  if (r == DB_FULL) return ACCOUNT_FULL;
  return r == DB_OK ? ACCOUNT_OK : ACCOUNT_TROUBLE;
}

void accounts_lost(struct accounts *a) { db_close(&a->db); }

bool accounts_ready(struct accounts *a) { return a->db || database_open(a) == DB_OK; }

static size_t column_copy(struct db_stmt *s, int at, uint8_t *to, size_t most) {
  struct slice v = slice_first(db_bytes(s, at), most);
  if (v.n) memcpy(to, v.p, v.n);
  return v.n;
}

static void row_get(struct db_stmt *s, struct account *ret) {
  ret->name_n = column_copy(s, 0, ret->name, sizeof ret->name);
  ret->id = (uint64_t)db_int(s, 1);
  ret->hash_n = column_copy(s, 2, ret->hash, sizeof ret->hash);
  ret->enabled = db_int(s, 3) != 0;
  ret->created = db_int(s, 4);
  ret->changed = db_int(s, 5);
  ret->stamp = (uint64_t)db_int(s, 6);
  ret->sealed_n = column_copy(s, 7, ret->sealed, sizeof ret->sealed);
  ret->scram_n = column_copy(s, 8, ret->scram, sizeof ret->scram);
  int64_t wish = db_int(s, 9);
  ret->scram_wish =
      wish > 0 && wish < SCRAM_WISHES ? (enum account_scram)wish : SCRAM_AS_CONFIGURED;
  ret->key_n = column_copy(s, 10, ret->key, sizeof ret->key);
}

static enum account_result find_by(struct accounts *a, const char *sql, struct slice key,
                                   struct account *ret) {
  if (!key.n) return ACCOUNT_NONE;
  if (!accounts_ready(a)) return ACCOUNT_TROUBLE;
  struct db_stmt *s = db_prepare(a->db, sql);
  if (!s) return ACCOUNT_TROUBLE;
  db_bind_text(s, 1, key);
  enum db_result r = db_step(s);
  if (r == DB_ROW) row_get(s, ret);
  db_reset(s);
  if (r == DB_ROW) return ACCOUNT_OK;
  return r == DB_OK ? ACCOUNT_NONE : result_of(a, r);
}

/* See accounts.h: by the old kind of key, by the prepared key, by the prepared form of an old
 * key. */
enum account_result accounts_find(struct accounts *a, struct slice name, struct account *ret) {
  static const char by_key[] = "SELECT " COLUMNS " FROM account WHERE key = ?1";
  uint8_t folded[AUTH_NAME_MAX], prepared[AUTH_NAME_MAX];
  struct slice old = fold_ascii(name, folded), key = account_fold(name, prepared);
  enum account_result r = find_by(a, by_key, old, ret);
  if (r == ACCOUNT_NONE && !slice_eq(old, key)) r = find_by(a, by_key, key, ret);
  if (r != ACCOUNT_NONE) return r;
  return find_by(a, "SELECT " COLUMNS " FROM account WHERE prep = ?1 ORDER BY id LIMIT 1", key,
                 ret);
}

enum account_result accounts_change(struct accounts *a, struct db_stmt *s, uint64_t *ret_id) {
  enum db_result r = !s ? DB_NOMEM : a->many ? DB_OK : db_begin(a->db);
  if (r == DB_OK) r = db_step(s);
  bool returned = r == DB_ROW;
  if (returned && ret_id) *ret_id = (uint64_t)db_int(s, 0);
  if (returned) r = DB_OK;
  bool changed = returned || (r == DB_OK && db_changes(a->db) > 0);
  if (s) db_reset(s); /* bound values are valid only during this call */
  if (r == DB_OK && !a->many) r = db_commit(a->db), a->commits++;
  if (r == DB_OK) return changed ? ACCOUNT_OK : ACCOUNT_NONE;
  if (s && !a->many) db_rollback(a->db);
  if (!a->many) return result_of(a, r);
  a->lost |= r == DB_IOERR; /* closed by accounts_end() */
  return r == DB_CONSTRAINT ? ACCOUNT_EXISTS : r == DB_FULL ? ACCOUNT_FULL : ACCOUNT_TROUBLE;
}

enum account_result accounts_begin(struct accounts *a) {
  if (!accounts_ready(a)) return ACCOUNT_TROUBLE;
  enum db_result r = db_begin(a->db);
  a->many = r == DB_OK;
  return a->many ? ACCOUNT_OK : result_of(a, r);
}

enum account_result accounts_end(struct accounts *a, enum account_result result) {
  if (!a->many) return result;
  a->many = false;
  enum db_result r = result == ACCOUNT_OK ? db_commit(a->db) : DB_ERROR;
  a->commits++;
  if (r == DB_OK) return ACCOUNT_OK;
  db_rollback(a->db);
  if (a->lost) db_close(&a->db);
  a->lost = false;
  return result == ACCOUNT_OK ? result_of(a, r) : result;
}

/* Nothing is NULL. */
static void bind_sealed(struct db_stmt *s, int at, const uint8_t *octets, size_t n) {
  if (n)
    db_bind_blob(s, at, slice_of(octets, n));
  else
    db_bind_null(s, at);
}

enum account_result accounts_add(struct accounts *a, const struct account *row) {
  uint8_t folded[AUTH_NAME_MAX];
  if (!accounts_ready(a)) return ACCOUNT_TROUBLE;
  struct db_stmt *s = db_prepare(a->db, "INSERT INTO account (" COLUMNS ")"
                                        " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)");
  if (s) {
    db_bind_text(s, 1, account_name(row));
    db_bind_int(s, 2, (int64_t)row->id);
    db_bind_text(s, 3, slice_of(row->hash, row->hash_n));
    db_bind_int(s, 4, row->enabled);
    db_bind_int(s, 5, row->created);
    db_bind_int(s, 6, row->changed);
    db_bind_int(s, 7, (int64_t)row->stamp);
    bind_sealed(s, 8, row->sealed, row->sealed_n);
    bind_sealed(s, 9, row->scram, row->scram_n);
    db_bind_int(s, 10, row->scram_wish);
    db_bind_text(s, 11, account_key(row, folded));
  }
  return accounts_change(a, s, NULL);
}

enum account_result accounts_update(struct accounts *a, const struct account *row) {
  uint8_t folded[AUTH_NAME_MAX];
  if (!accounts_ready(a)) return ACCOUNT_TROUBLE;
  struct db_stmt *s = db_prepare(a->db, "UPDATE account SET hash = ?1, enabled = ?2, changed = ?3, "
                                        "stamp = ?4, sealed = ?5, scram = ?6,"
                                        " scram_wish = ?7 WHERE key = ?8");
  if (s) {
    db_bind_text(s, 1, slice_of(row->hash, row->hash_n));
    db_bind_int(s, 2, row->enabled);
    db_bind_int(s, 3, row->changed);
    db_bind_int(s, 4, (int64_t)row->stamp);
    bind_sealed(s, 5, row->sealed, row->sealed_n);
    bind_sealed(s, 6, row->scram, row->scram_n);
    db_bind_int(s, 7, row->scram_wish);
    db_bind_text(s, 8, account_key(row, folded));
  }
  return accounts_change(a, s, NULL);
}

enum account_result accounts_rename(struct accounts *a, struct slice old,
                                    const struct account *row) {
  uint8_t folded[AUTH_NAME_MAX], before[AUTH_NAME_MAX];
  struct slice from = accounts_key(a, old, before);
  if (!accounts_ready(a)) return ACCOUNT_TROUBLE;
  struct db_stmt *s = db_prepare(
      a->db, "UPDATE account SET key = ?1, name = ?2, changed = ?3, stamp = ?4, sealed = ?5,"
             " scram = ?6, prep = NULL WHERE key = ?7");
  if (s) {
    db_bind_text(s, 1, account_key(row, folded));
    db_bind_text(s, 2, account_name(row));
    db_bind_int(s, 3, row->changed);
    db_bind_int(s, 4, (int64_t)row->stamp);
    bind_sealed(s, 5, row->sealed, row->sealed_n);
    bind_sealed(s, 6, row->scram, row->scram_n);
    db_bind_text(s, 7, from);
  }
  enum account_result r = accounts_change(a, s, NULL);
  if (r != ACCOUNT_OK) return r;
  s = db_prepare(a->db, "UPDATE certificate SET key = ?1 WHERE key = ?2");
  if (s) {
    db_bind_text(s, 1, account_key(row, folded));
    db_bind_text(s, 2, from);
  }
  r = accounts_change(a, s, NULL);
  return r == ACCOUNT_NONE ? ACCOUNT_OK : r;
}

enum account_result accounts_keep_scram(struct accounts *a, const struct account *row) {
  uint8_t folded[AUTH_NAME_MAX];
  if (!accounts_ready(a)) return ACCOUNT_TROUBLE;
  struct db_stmt *s =
      db_prepare(a->db, "UPDATE account SET scram = ?1 WHERE key = ?2 AND stamp = ?3");
  if (s) {
    bind_sealed(s, 1, row->scram, row->scram_n);
    db_bind_text(s, 2, account_key(row, folded));
    db_bind_int(s, 3, (int64_t)row->stamp);
  }
  return accounts_change(a, s, NULL);
}

enum account_result accounts_delete(struct accounts *a, struct slice name) {
  uint8_t folded[AUTH_NAME_MAX];
  struct slice key = accounts_key(a, name, folded);
  if (!accounts_ready(a)) return ACCOUNT_TROUBLE;
  struct db_stmt *s = db_prepare(a->db, "DELETE FROM account WHERE key = ?1");
  if (s) db_bind_text(s, 1, key);
  return accounts_change(a, s, NULL);
}

enum account_result accounts_each(struct accounts *a,
                                  void (*fn)(void *arg, const struct account *row), void *arg) {
  struct account row;
  if (!accounts_ready(a)) return ACCOUNT_TROUBLE;
  struct db_stmt *s = db_prepare(a->db, "SELECT " COLUMNS " FROM account ORDER BY key");
  if (!s) return ACCOUNT_TROUBLE;
  enum db_result r;
  while ((r = db_step(s)) == DB_ROW) {
    row_get(s, &row);
    fn(arg, &row);
  }
  db_reset(s);
  return result_of(a, r);
}

uint64_t accounts_count(struct accounts *a) {
  struct db_stmt *s = accounts_ready(a) ? db_prepare(a->db, "SELECT count(*) FROM account") : NULL;
  uint64_t n = s && db_step(s) == DB_ROW ? (uint64_t)db_int(s, 0) : 0;
  if (s) db_reset(s);
  return n;
}

bool accounts_any_secret(struct accounts *a) {
  struct db_stmt *s = accounts_ready(a)
                          ? db_prepare(a->db, "SELECT 1 FROM account WHERE sealed IS NOT NULL"
                                              " AND enabled = 1 LIMIT 1")
                          : NULL;
  bool any = s && db_step(s) == DB_ROW;
  if (s) db_reset(s);
  return any;
}

/* --- certificates --- */

enum account_result accounts_by_certificate(struct accounts *a,
                                            const uint8_t fingerprint[ACCOUNT_FINGERPRINT],
                                            struct buf *ret_name) {
  if (!accounts_ready(a)) return ACCOUNT_TROUBLE;
  struct db_stmt *s = db_prepare(a->db, "SELECT key FROM certificate WHERE fingerprint = ?1");
  if (!s) return ACCOUNT_TROUBLE;
  db_bind_blob(s, 1, slice_of(fingerprint, ACCOUNT_FINGERPRINT));
  enum db_result r = db_step(s);
  if (r == DB_ROW) buf_put(ret_name, db_bytes(s, 0));
  db_reset(s);
  if (r == DB_ROW) return ret_name->failed ? ACCOUNT_TROUBLE : ACCOUNT_OK;
  return r == DB_OK ? ACCOUNT_NONE : result_of(a, r);
}

enum account_result accounts_add_certificate(struct accounts *a, struct slice name,
                                             const uint8_t fingerprint[ACCOUNT_FINGERPRINT],
                                             int64_t now_s) {
  uint8_t folded[AUTH_NAME_MAX];
  struct slice key = accounts_key(a, name, folded);
  if (!accounts_ready(a)) return ACCOUNT_TROUBLE;
  struct db_stmt *s =
      db_prepare(a->db, "INSERT INTO certificate (fingerprint, key, added) VALUES (?1, ?2, ?3)");
  if (s) {
    db_bind_blob(s, 1, slice_of(fingerprint, ACCOUNT_FINGERPRINT));
    db_bind_text(s, 2, key);
    db_bind_int(s, 3, now_s);
  }
  return accounts_change(a, s, NULL);
}

enum account_result accounts_delete_certificate(struct accounts *a, struct slice name,
                                                const uint8_t fingerprint[ACCOUNT_FINGERPRINT]) {
  uint8_t folded[AUTH_NAME_MAX];
  struct slice key = accounts_key(a, name, folded);
  if (!accounts_ready(a)) return ACCOUNT_TROUBLE;
  struct db_stmt *s =
      db_prepare(a->db, "DELETE FROM certificate WHERE fingerprint = ?1 AND key = ?2");
  if (s) {
    db_bind_blob(s, 1, slice_of(fingerprint, ACCOUNT_FINGERPRINT));
    db_bind_text(s, 2, key);
  }
  return accounts_change(a, s, NULL);
}

enum account_result accounts_each_certificate(struct accounts *a, struct slice name,
                                              certificate_fn *fn, void *arg) {
  uint8_t folded[AUTH_NAME_MAX];
  struct slice key = accounts_key(a, name, folded);
  if (!accounts_ready(a)) return ACCOUNT_TROUBLE;
  struct db_stmt *s = db_prepare(
      a->db, "SELECT account.name, fingerprint, added FROM certificate JOIN account USING (key)"
             " WHERE ?1 = '' OR key = ?1 ORDER BY key, added, fingerprint");
  if (!s) return ACCOUNT_TROUBLE;
  db_bind_text(s, 1, key);
  enum db_result r;
  while ((r = db_step(s)) == DB_ROW) fn(arg, db_bytes(s, 0), db_bytes(s, 1), db_int(s, 2));
  db_reset(s);
  return result_of(a, r);
}

/* --- sealed secrets --- */

/* The context of a secret's seal: the name it belongs to, and its kind ("" for the password). */
static struct slice context(const struct account *row, const char *what,
                            uint8_t ret[AUTH_NAME_MAX + 8]) {
  size_t n = account_key(row, ret).n, m = strnlen(what, 7);
  if (m) ret[n++] = 0;
  memcpy(ret + n, what, m);
  return slice_of(ret, n + m);
}

/* Seals into nonce | ciphertext | tag at `to`, of *ret_n octets, at most `most`. */
static bool seal(const struct accounts *a, struct slice context, struct slice secret,
                 const uint8_t *nonce, uint8_t *to, size_t most, size_t *ret_n) {
  struct buf b;
  buf_init(&b, most - SEAL_NONCE);
  bool ok = seal_put(a->key, nonce, context, secret, &b);
  if (ok) {
    memcpy(to, nonce, SEAL_NONCE);
    memcpy(to + SEAL_NONCE, buf_slice(&b).p, buf_len(&b));
    *ret_n = SEAL_NONCE + buf_len(&b);
  }
  buf_free(&b);
  return ok;
}

static bool unseal(const struct accounts *a, struct slice context, struct slice sealed,
                   struct buf *out) {
  if (sealed.n < SEAL_NONCE + SEAL_TAG) return false;
  return seal_open(a->key, sealed.p, context, slice_from(sealed, SEAL_NONCE), out);
}

bool account_seal(const struct accounts *a, struct account *row, struct slice secret,
                  const uint8_t nonce[SEAL_NONCE]) {
  uint8_t room[AUTH_NAME_MAX + 8];
  return seal(a, context(row, "", room), secret, nonce, row->sealed, sizeof row->sealed,
              &row->sealed_n);
}

bool account_unseal(const struct accounts *a, const struct account *row, struct buf *out) {
  uint8_t room[AUTH_NAME_MAX + 8];
  return unseal(a, context(row, "", room), slice_of(row->sealed, row->sealed_n), out);
}

bool account_seal_scram(const struct accounts *a, struct account *row,
                        const struct scram_verifiers *v, const uint8_t nonce[SEAL_NONCE]) {
  uint8_t room[AUTH_NAME_MAX + 8];
  struct buf packed;
  buf_init(&packed, SCRAM_PACKED_MAX);
  buf_reserve(&packed, SCRAM_PACKED_MAX);
  scram_pack(v, &packed);
  bool ok = !packed.failed && seal(a, context(row, "scram", room), buf_slice(&packed), nonce,
                                   row->scram, sizeof row->scram, &row->scram_n);
  buf_wipe(&packed);
  return ok;
}

bool account_unseal_scram(const struct accounts *a, const struct account *row,
                          struct scram_verifiers *ret) {
  uint8_t room[AUTH_NAME_MAX + 8];
  struct buf packed;
  buf_init(&packed, SCRAM_PACKED_MAX);
  buf_reserve(&packed, SCRAM_PACKED_MAX);
  bool ok = unseal(a, context(row, "scram", room), slice_of(row->scram, row->scram_n), &packed) &&
            scram_unpack(buf_slice(&packed), ret);
  buf_wipe(&packed);
  return ok;
}

bool account_wants_scram(const struct account *row, bool configured) {
  return row->scram_wish == SCRAM_ALWAYS ||
         (row->scram_wish == SCRAM_AS_CONFIGURED && (configured || row->sealed_n > 0));
}
