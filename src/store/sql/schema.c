/* SPDX-License-Identifier: ISC */
/* Versions only go forward: step n brings a database of version n-1 to version n, in one durable
 * transaction together with the number. A step that was ever released is never edited. */
#include "src/store/sql/schema.h"

#include "src/store/sql/directory.h"

struct schema_step {
  int64_t version;
  const char *sql;
  enum db_result (*fill)(struct db *db); /* what SQL cannot express; NULL: nothing */
};

static enum db_result set_prep(struct db *db, struct slice local, struct slice domain) {
  struct buf text, prep;
  buf_init(&text, 2 * DIR_ADDRESS_MAX);
  buf_init(&prep, DIR_ADDRESS_MAX);
  buf_put(&text, local), buf_put_u8(&text, '@'), buf_put(&text, domain);
  dir_fold(&prep, buf_slice(&text));
  enum db_result r = DB_OK;
  if (!prep.failed && !slice_eq(buf_slice(&prep), buf_slice(&text))) {
    struct db_stmt *s = db_prepare(db, "UPDATE address SET prep = ?1 WHERE local = ?2"
                                       " AND domain = (SELECT id FROM domain WHERE name = ?3)");
    db_bind_text(s, 1, buf_slice(&prep));
    db_bind_text(s, 2, local);
    db_bind_text(s, 3, domain);
    r = db_run(s);
  }
  buf_free(&text), buf_free(&prep);
  return r;
}

/* Older addresses whose spelling differs from their prepared form. */
static enum db_result fill_prep(struct db *db) {
  struct buf texts;
  buf_init(&texts, SIZE_MAX / 4);
  struct db_stmt *s = db_prepare(db, "SELECT x.local, d.name FROM address x JOIN domain d"
                                     " ON d.id = x.domain WHERE x.local GLOB '*[^ -~]*'");
  enum db_result r;
  while ((r = db_step(s)) == DB_ROW)
    for (int i = 0; i < 2; i++) buf_put(&texts, db_bytes(s, i)), buf_put_u8(&texts, 0);
  db_reset(s);
  if (r == DB_OK && texts.failed) r = DB_NOMEM;
  for (struct slice rest = buf_slice(&texts); r == DB_OK && rest.n;) {
    struct slice local = slice_split(&rest, 0);
    r = set_prep(db, local, slice_split(&rest, 0));
  }
  buf_free(&texts);
  return r;
}

static const struct schema_step steps[] = {
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
       " dots INTEGER NOT NULL," /* earlier versions wrote 1; nothing reads it */
       " start INTEGER,"
       " name TEXT NOT NULL," /* the queue id that the client was given */
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
       " missing INTEGER"        /* since when the other server lists it no longer; NULL: it does */
       ") STRICT;"
       "CREATE UNIQUE INDEX collected_uidl ON collected (account, source, uidl);" },
  /* seconds; 0: none; NULL: the option */
  { 3, "ALTER TABLE account ADD COLUMN login_delay INTEGER" },

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
       "ALTER TABLE entry ADD COLUMN came INTEGER" },   /* into this folder; NULL: at its date */

  { 7, "ALTER TABLE body ADD COLUMN sum INTEGER;" /* CRC-32C; NULL: not yet; -1: can't be read */
       "CREATE INDEX body_unsummed ON body (id) WHERE sum IS NULL" },

  { 8, "ALTER TABLE collected ADD COLUMN size INTEGER;"   /* as the other server lists it; NULL: not
                                                             known */
       "ALTER TABLE collected ADD COLUMN octets INTEGER;" /* as came: fewer when it was cut short */
       "ALTER TABLE collected ADD COLUMN digest BLOB;"    /* SHA-256 of those */
       "ALTER TABLE collected ADD COLUMN tries INTEGER NOT NULL DEFAULT 1;" /* how often it came */
       "ALTER TABLE collected ADD COLUMN tried INTEGER;"                    /* when it came last */
       "DROP INDEX collected_uidl;"
       "CREATE INDEX collected_uidl ON collected (account, source, uidl, size)" },

  /* The queue: queue.h. */
  { 9, "CREATE TABLE letter ("
       " body INTEGER PRIMARY KEY,"
       " return_path TEXT NOT NULL,"
       " envid TEXT,"
       " ret INTEGER NOT NULL,"
       " flags INTEGER NOT NULL,"
       " account INTEGER NOT NULL,"
       " came INTEGER NOT NULL"
       ") STRICT;"
       "CREATE TABLE recipient ("
       " id INTEGER PRIMARY KEY AUTOINCREMENT,"
       " body INTEGER NOT NULL,"
       " destination TEXT NOT NULL,"
       " address TEXT NOT NULL,"
       " orcpt TEXT,"
       " notify INTEGER NOT NULL,"
       " state INTEGER NOT NULL," /* 0: waiting, 1: held */
       " due INTEGER NOT NULL,"
       " expires INTEGER NOT NULL,"
       " tries INTEGER NOT NULL DEFAULT 0,"
       " delay INTEGER NOT NULL DEFAULT 0," /* seconds; chosen at the last try */
       " warned INTEGER NOT NULL DEFAULT 0,"
       " code INTEGER NOT NULL DEFAULT 0," /* of the last try's reply */
       " reply TEXT"
       ") STRICT;"
       "CREATE INDEX recipient_due ON recipient (state, destination, due, id);"
       "CREATE INDEX recipient_body ON recipient (body);"
       "CREATE INDEX recipient_expires ON recipient (expires);"
       "CREATE TABLE attempt ("
       " id INTEGER PRIMARY KEY,"
       " at INTEGER NOT NULL,"
       " name TEXT NOT NULL,"
       " return_path TEXT NOT NULL,"
       " address TEXT NOT NULL,"
       " what INTEGER NOT NULL,"
       " stage INTEGER NOT NULL,"
       " code INTEGER NOT NULL,"
       " enhanced INTEGER NOT NULL,"
       " reply TEXT NOT NULL,"
       " host TEXT NOT NULL,"
       " ip TEXT NOT NULL,"
       " tls TEXT NOT NULL,"
       " due INTEGER" /* NULL: it ended */
       ") STRICT;"
       "CREATE INDEX attempt_at ON attempt (at);"
       "CREATE INDEX attempt_name ON attempt (name);"
       "CREATE INDEX attempt_address ON attempt (address)" },

  { 10, "UPDATE entry SET surrogate = NULL WHERE surrogate > 1;" /* they come out differently, and
                                                                    tell their way */
        "UPDATE deleted SET surrogate = NULL WHERE surrogate > 1;"
        "CREATE INDEX entry_surrogates ON entry (surrogate & 1) WHERE surrogate > 1" },

  /* Identifies a deleted message: its octets, and their CRC-32C. NULL: unknown. */
  { 11, "ALTER TABLE gone ADD COLUMN size INTEGER;"
        "ALTER TABLE gone ADD COLUMN sum INTEGER" },

  /* of the last try's reply: mail/smtp/class.h; NULL: none */
  { 12, "ALTER TABLE recipient ADD COLUMN class TEXT" },

  { 13, "ALTER TABLE recipient ADD COLUMN forwarder TEXT;" /* the address here that leads there;
                                                              NULL: none */
        "ALTER TABLE store ADD COLUMN secret BLOB NOT NULL DEFAULT x'';" /* mail/srs.h */
        "UPDATE store SET secret = randomblob(32)" },

  { 14, "ALTER TABLE letter ADD COLUMN name TEXT;" /* the body's: to be found by it */
        "UPDATE letter SET name = (SELECT name FROM body WHERE id = letter.body);"
        "CREATE INDEX letter_name ON letter (name);"
        "CREATE INDEX letter_path ON letter (return_path);"
        "CREATE INDEX letter_account ON letter (account);"
        "CREATE INDEX letter_came ON letter (came);"
        "CREATE INDEX recipient_address ON recipient (address);"
        "CREATE INDEX recipient_class ON recipient (class) WHERE class IS NOT NULL;"
        "CREATE INDEX recipient_held ON recipient (state) WHERE state = 1" },

  /* The addresses that accounts may send as besides their own, and how much: directory.h,
   * send_limits.h. */
  { 15, "CREATE TABLE sendas ("
        " account INTEGER NOT NULL,"
        " address TEXT NOT NULL," /* local@domain, @domain, or <> */
        " PRIMARY KEY (account, address)"
        ") STRICT, WITHOUT ROWID;"
        "CREATE TABLE sent ("
        " account INTEGER PRIMARY KEY,"
        " hour INTEGER NOT NULL," /* when the present hour began */
        " hour_messages INTEGER NOT NULL,"
        " hour_recipients INTEGER NOT NULL,"
        " day INTEGER NOT NULL,"
        " day_messages INTEGER NOT NULL,"
        " day_recipients INTEGER NOT NULL,"
        " day_new INTEGER NOT NULL"
        ") STRICT;"
        "CREATE TABLE correspondent ("
        " account INTEGER NOT NULL,"
        " address INTEGER NOT NULL," /* a hash of it */
        " sent INTEGER NOT NULL,"    /* when last, in days since 1970 */
        " PRIMARY KEY (account, address)"
        ") STRICT, WITHOUT ROWID;"
        "ALTER TABLE account ADD COLUMN messages_per_hour INTEGER;" /* 0: any number; NULL: the
                                                                       option */
        "ALTER TABLE account ADD COLUMN recipients_per_hour INTEGER;"
        "ALTER TABLE account ADD COLUMN messages_per_day INTEGER;"
        "ALTER TABLE account ADD COLUMN recipients_per_day INTEGER;"
        "ALTER TABLE account ADD COLUMN new_recipients_per_day INTEGER;"
        /* enum queue_held_by */
        "ALTER TABLE recipient ADD COLUMN held_by INTEGER NOT NULL DEFAULT 0" },
  /* domains that are none come out differently */
  { 16, "UPDATE entry SET surrogate = NULL WHERE surrogate > 1;"
        "UPDATE deleted SET surrogate = NULL WHERE surrogate > 1" },
  /* Addresses whose TLS failed: tls_failures.h */
  { 17, "CREATE TABLE no_tls ("
        " address BLOB NOT NULL,"
        " port INTEGER NOT NULL,"
        " destination BLOB NOT NULL," /* whose mail was going there */
        " why BLOB NOT NULL,"
        " until INTEGER NOT NULL," /* seconds since 1970 */
        " PRIMARY KEY (address, port)"
        ") STRICT, WITHOUT ROWID" },
  /* Attempts without a decisive reply to the end of data: the message may have been taken. */
  { 18, "ALTER TABLE recipient ADD COLUMN doubts INTEGER NOT NULL DEFAULT 0" },

  /* What the directory and the rules ask is found by an index: docs/design/directory.md. */
  { 19,
    "ALTER TABLE address ADD COLUMN prep TEXT;" /* all of it as it would be prepared by now, where
                                                   it is kept in another spelling; else NULL */
    "CREATE INDEX address_prep ON address (prep) WHERE prep IS NOT NULL;"
    "CREATE INDEX address_postmaster ON address (domain) WHERE local = 'postmaster';"
    "CREATE INDEX account_quota ON account (id) WHERE quota IS NOT NULL;"
    "CREATE INDEX account_delay ON account (login_delay) WHERE login_delay IS NOT NULL;"
    "CREATE INDEX account_expire ON account (expire) WHERE expire IS NOT NULL;"
    "CREATE INDEX folder_kept ON folder (deleted_octets) WHERE deleted_octets > 0",
    fill_prep },

  /* The queue is counted: queue_count.h. */
  { 20,
    "ALTER TABLE letter ADD COLUMN waiting INTEGER NOT NULL DEFAULT 0;" /* recipients */
    "ALTER TABLE letter ADD COLUMN held INTEGER NOT NULL DEFAULT 0;"
    "ALTER TABLE letter ADD COLUMN limited INTEGER NOT NULL DEFAULT 0;"
    "ALTER TABLE letter ADD COLUMN failing INTEGER NOT NULL DEFAULT 0;"
    "UPDATE letter SET waiting = c.waiting, held = c.held, limited = c.limited, failing = c.failing"
    " FROM (SELECT body, sum(state = 0) AS waiting,"
    " sum(state = 1 AND expires <> -1 AND held_by = 0) AS held,"
    " sum(state = 1 AND expires <> -1 AND held_by <> 0) AS limited,"
    " sum(state = 1 AND expires = -1) AS failing FROM recipient GROUP BY body) c"
    " WHERE c.body = letter.body;"
    "CREATE TABLE queue_count ("
    " kind INTEGER NOT NULL,"    /* enum queue_kind */
    " account INTEGER NOT NULL," /* 0 where kind is 0, too */
    " recipients INTEGER NOT NULL,"
    " messages INTEGER NOT NULL,"
    " PRIMARY KEY (kind, account)"
    ") STRICT, WITHOUT ROWID;"
    "INSERT INTO queue_count SELECT 0, 0, sum(waiting), count(*) FROM letter WHERE waiting > 0"
    " GROUP BY 1;"
    "INSERT INTO queue_count SELECT 1, account, sum(held), count(*) FROM letter WHERE held > 0"
    " GROUP BY account;"
    "INSERT INTO queue_count SELECT 2, account, sum(limited), count(*) FROM letter"
    " WHERE limited > 0 GROUP BY account;"
    "INSERT INTO queue_count SELECT 3, account, sum(failing), count(*) FROM letter"
    " WHERE failing > 0 GROUP BY account" },

  /* Recipients that have a message of the drop folder: dropped.h. */
  { 21, "CREATE TABLE dropped ("
        " n INTEGER PRIMARY KEY,"
        " name BLOB NOT NULL,"
        " who INTEGER NOT NULL,"
        " UNIQUE (name, who)"
        ") STRICT" },

  /* The fields prepended by this server: docs/design/message.md; NULL: none */
  { 22, "ALTER TABLE body ADD COLUMN head BLOB" },

  /* The UIDL of ours that a restored message had at first: deleted.c; NULL: none */
  { 23, "ALTER TABLE entry ADD COLUMN shown TEXT;"
        "ALTER TABLE deleted ADD COLUMN shown TEXT;"
        "CREATE UNIQUE INDEX entry_shown ON entry (folder, shown) WHERE shown IS NOT NULL;"
        "CREATE UNIQUE INDEX deleted_shown ON deleted (folder, shown) WHERE shown IS NOT NULL" },

  /* The reverse-path's domain, in lower case, for the selector from=DOMAIN; NULL: it has none. */
  { 24,
    "ALTER TABLE letter ADD COLUMN domain TEXT;"
    "UPDATE letter SET domain = " SCHEMA_DOMAIN_OF(
        "return_path") " WHERE return_path LIKE '%@%';"
                       "CREATE INDEX letter_domain ON letter (domain) WHERE domain IS NOT NULL" },
};
enum { STEPS = sizeof steps / sizeof *steps };

static bool run_step(struct db *db, const struct schema_step *step) {
  if (db_begin(db) != DB_OK) return false;
  if (db_exec(db, step->sql) == DB_OK && (!step->fill || step->fill(db) == DB_OK) &&
      db_set_version(db, step->version) == DB_OK && db_commit(db) == DB_OK)
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
    buf_printf(err, "the mail database can't be brought to version %lld: %s",
               (long long)steps[i].version, db_error(db));
    return false;
  }
  return true;
}

bool schema_bring_forward(struct db *db, struct buf *err) {
  return schema_bring_to(db, INT64_MAX, err);
}
