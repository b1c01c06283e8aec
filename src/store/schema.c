/* Versions only go forward: step n brings a database of version n-1 to version n, in one durable
 * transaction together with the number. A step that was ever released is never edited. */
#include "src/store/schema.h"

struct step {
  int64_t version;
  const char *sql;
};

static const struct step steps[] = {
  { 1, "CREATE TABLE store ("
       " id INTEGER PRIMARY KEY CHECK (id = 1),"
       " next_body INTEGER NOT NULL,"
       " uidvalidity INTEGER NOT NULL"
       ") STRICT;"
       "INSERT INTO store VALUES (1, 1, 0);"

       "CREATE TABLE domain ("
       " id INTEGER PRIMARY KEY AUTOINCREMENT,"
       " name TEXT NOT NULL UNIQUE"
       ") STRICT;"

       "CREATE TABLE account ("
       " id INTEGER PRIMARY KEY AUTOINCREMENT,"
       " name TEXT NOT NULL UNIQUE," /* local@domain */
       " made INTEGER NOT NULL,"
       " quota INTEGER" /* octets; 0: no limit; NULL: the option `quota` */
       ") STRICT;"

       "CREATE TABLE address ("
       " domain INTEGER NOT NULL,"
       " local TEXT NOT NULL," /* in lower case */
       " account INTEGER,"
       " PRIMARY KEY (domain, local)"
       ") STRICT, WITHOUT ROWID;"

       "CREATE TABLE target ("
       " domain INTEGER NOT NULL,"
       " local TEXT NOT NULL,"
       " target TEXT NOT NULL,"
       " PRIMARY KEY (domain, local, target)"
       ") STRICT, WITHOUT ROWID;"
       "CREATE INDEX target_back ON target (target);"

       "CREATE TABLE folder ("
       " id INTEGER PRIMARY KEY AUTOINCREMENT,"
       " account INTEGER NOT NULL,"
       " name TEXT NOT NULL,"
       " uidvalidity INTEGER NOT NULL,"
       " uidnext INTEGER NOT NULL,"
       " modseq INTEGER NOT NULL,"
       " messages INTEGER NOT NULL,"
       " octets INTEGER NOT NULL,"
       " UNIQUE (account, name)"
       ") STRICT;"

       "CREATE TABLE entry ("
       " folder INTEGER NOT NULL,"
       " uid INTEGER NOT NULL,"
       " body INTEGER NOT NULL,"
       " size INTEGER NOT NULL,"
       " flags INTEGER NOT NULL,"
       " date INTEGER NOT NULL," /* when it came, seconds since 1970 */
       " modseq INTEGER NOT NULL,"
       " uidl TEXT," /* imported; NULL: made of uidvalidity and uid */
       " PRIMARY KEY (folder, uid)"
       ") STRICT, WITHOUT ROWID;"
       "CREATE UNIQUE INDEX entry_uidl ON entry (folder, uidl) WHERE uidl IS NOT NULL;"

       "CREATE TABLE body ("
       " id INTEGER PRIMARY KEY,"
       " refs INTEGER NOT NULL,"
       " size INTEGER NOT NULL,"
       " dots INTEGER NOT NULL," /* 1: some line begins with \".\" */
       " start INTEGER,"
       " name TEXT NOT NULL," /* the queue id that the client was told */
       " data BLOB"
       ") STRICT;"

       "CREATE INDEX body_file ON body (id) WHERE start IS NOT NULL;"

       "CREATE TABLE gone ("
       " folder INTEGER NOT NULL,"
       " uidl TEXT NOT NULL,"
       " PRIMARY KEY (folder, uidl)"
       ") STRICT, WITHOUT ROWID;" },

  { 2, "CREATE TABLE collected ("
       " id INTEGER PRIMARY KEY,"
       " account INTEGER NOT NULL,"
       " source INTEGER NOT NULL," /* auth's number of the collection */
       " uidl TEXT NOT NULL,"
       " date INTEGER NOT NULL," /* when it came, seconds since 1970 */
       " missing INTEGER" /* since when the other server lists it no longer; NULL: it does */
       ") STRICT;"
       "CREATE UNIQUE INDEX collected_uidl ON collected (account, source, uidl);" },
  { 3, "ALTER TABLE account ADD COLUMN login_delay INTEGER" }, /* seconds; 0: none; NULL: the option */

  { 4, "CREATE TABLE deleted ("
       " folder INTEGER NOT NULL,"
       " uid INTEGER NOT NULL,"
       " body INTEGER NOT NULL,"
       " size INTEGER NOT NULL,"
       " flags INTEGER NOT NULL,"
       " date INTEGER NOT NULL,"
       " uidl TEXT,"
       " removed INTEGER NOT NULL," /* seconds since 1970 */
       " PRIMARY KEY (folder, uid)"
       ") STRICT, WITHOUT ROWID;"
       "CREATE INDEX deleted_when ON deleted (removed);"
       "ALTER TABLE folder ADD COLUMN deleted INTEGER NOT NULL DEFAULT 0;"
       "ALTER TABLE folder ADD COLUMN deleted_octets INTEGER NOT NULL DEFAULT 0" },

  { 5, "ALTER TABLE entry ADD COLUMN surrogate INTEGER;"
       "ALTER TABLE deleted ADD COLUMN surrogate INTEGER;"
       "CREATE INDEX entry_unmeasured ON entry (folder, uid) WHERE surrogate IS NULL" },

  { 6, "ALTER TABLE account ADD COLUMN expire INTEGER;" /* days; -1: never; NULL: the option */
       "ALTER TABLE entry ADD COLUMN came INTEGER" }, /* into this folder; NULL: at its date */
};
enum { STEPS = sizeof steps / sizeof *steps };

static bool run_step(struct db *db, const struct step *step) {
  if (db_begin(db) != DB_OK) return false;
  if (db_exec(db, step->sql) == DB_OK && db_set_version(db, step->version) == DB_OK && db_commit(db) == DB_OK)
    return true;
  db_rollback(db);
  return false;
}

bool schema_bring_to(struct db *db, int64_t most, struct buf *err) {
  int64_t version = db_version(db);
  if (version < 0) {
    buf_printf(err, "the mail database can't be read: %s", db_error(db));
    return false;
  }
  if (version > steps[STEPS - 1].version) {
    buf_printf(err,
               "the mail database has version %lld, which is newer than this program's %lld: "
               "install the Qasid that wrote it, or a later one",
               (long long)version, (long long)steps[STEPS - 1].version);
    return false;
  }
  for (size_t i = 0; i < STEPS; i++) {
    if (steps[i].version <= version || steps[i].version > most) continue;
    if (run_step(db, &steps[i])) continue;
    buf_printf(err, "the mail database can't be brought to version %lld: %s", (long long)steps[i].version,
               db_error(db));
    return false;
  }
  return true;
}

bool schema_bring_forward(struct db *db, struct buf *err) { return schema_bring_to(db, INT64_MAX, err); }
