/* SPDX-License-Identifier: ISC */
/* The history's database (history.h): re-created if damaged, for it holds no mail. A job of the
 * history never fails the writer's group in which it runs; what cannot be stored is counted as
 * lost. */
#include "src/store/sql/history.h"

#include "src/store/jobs/history.h"
#include "src/store/sql/schema.h"
#include "src/store/sql/work.h"

enum {
  HISTORY_CACHE_KIB = 512,
  TRIM_EVERY = 32, /* jobs */
  TRIM_ROWS = 500, /* at a time */
  TRIM_ROUNDS = 20,
  LOG_PAGES = 512, /* at this size the log is checkpointed */
  PAGE = 4096,
  SHRUNK_A_TURN = 64, /* pages */
  HISTORY_VERSION = 1,
};

static const char schema[] =
    "CREATE TABLE event ("
    " id INTEGER PRIMARY KEY,"
    " at INTEGER NOT NULL,"
    " kind INTEGER NOT NULL,"
    " account INTEGER NOT NULL,"
    " folder INTEGER NOT NULL,"
    " uid INTEGER NOT NULL,"
    " name TEXT, message_id TEXT, sender TEXT, recipient TEXT, text TEXT"
    ") STRICT;"
    "CREATE INDEX event_name ON event (name) WHERE name IS NOT NULL;"
    "CREATE INDEX event_message_id ON event (message_id) WHERE message_id IS NOT NULL;"
    "CREATE INDEX event_sender ON event (sender) WHERE sender IS NOT NULL;"
    "CREATE INDEX event_recipient ON event (recipient) WHERE recipient IS NOT NULL;"
    "CREATE INDEX event_entry ON event (folder, uid) WHERE folder <> 0";

static bool make(struct db *db) {
  return db_begin(db) == DB_OK && db_exec(db, schema) == DB_OK &&
         db_set_version(db, HISTORY_VERSION) == DB_OK && db_commit(db) == DB_OK;
}

/* DB_OK with *ret NULL: it has to be re-created. */
static enum db_result open_once(struct store_engine *e, struct db **ret) {
  const struct db_options options = { .page_size = PAGE, .cache_kib = HISTORY_CACHE_KIB };
  struct db *db = NULL;
  enum db_result r = db_open(e->disk, HISTORY_DATABASE, &options, &db);
  *ret = NULL;
  if (r != DB_OK) return r == DB_CORRUPT || r == DB_ERROR ? DB_OK : r;
  int64_t version = db_version(db);
  if (version == HISTORY_VERSION || (version == 0 && e->writer && make(db))) {
    *ret = db;
    return DB_OK;
  }
  db_close(&db);
  return version == 0 ? DB_IOERR : DB_OK; /* a reader finds no history yet */
}

struct db *history_db(struct store_engine *e) {
  if (e->history) return e->history;
  enum db_result r = open_once(e, &e->history);
  if (r != DB_OK || e->history || !e->writer) return e->history;
  e->disk->ops->remove(e->disk, HISTORY_DATABASE);
  e->disk->ops->remove(e->disk, HISTORY_DATABASE "-wal");
  open_once(e, &e->history);
  return e->history;
}

/* --- the job --- */

static void bind_or_null(struct db_stmt *s, int at, struct slice v) {
  if (v.n)
    db_bind_text(s, at, v);
  else
    db_bind_null(s, at);
}

/* The account's address, by which its events can be found. */
static struct slice account_of(struct store_engine *e, uint64_t account,
                               uint8_t to[static HISTORY_FIELD_MAX]) {
  struct db_stmt *s = db_prepare(e->db, "SELECT name FROM account WHERE id = ?");
  db_bind_int(s, 1, (int64_t)account);
  struct slice name =
      db_step(s) == DB_ROW ? slice_first(db_bytes(s, 0), HISTORY_FIELD_MAX) : SLICE_NONE;
  if (name.n) memcpy(to, name.p, name.n);
  db_reset(s);
  return slice_of(to, name.n);
}

static enum db_result insert(struct db *db, const struct history_event *e) {
  struct db_stmt *s = db_prepare(db, "INSERT INTO event (at, kind, account, folder, uid, name, "
                                     "message_id, sender, recipient, text)"
                                     " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)");
  db_bind_int(s, 1, e->at_s);
  db_bind_int(s, 2, e->kind);
  db_bind_int(s, 3, (int64_t)e->account);
  db_bind_int(s, 4, (int64_t)e->folder);
  db_bind_int(s, 5, e->uid);
  bind_or_null(s, 6, e->name);
  bind_or_null(s, 7, e->message_id);
  bind_or_null(s, 8, e->sender);
  bind_or_null(s, 9, e->recipient);
  bind_or_null(s, 10, e->text);
  return db_run(s);
}

/* Removes the oldest events: those past their time, and as many as exceed the size. */
static enum db_result trim(struct db *db, const struct history_write *h) {
  enum db_result r = DB_OK;
  for (int i = 0; r == DB_OK && i < TRIM_ROUNDS; i++) {
    struct db_space space;
    r = db_space(db, &space);
    if (r != DB_OK) break;
    uint64_t used = (space.pages - space.free) * space.page;
    struct db_stmt *s = db_prepare(
        db, "DELETE FROM event WHERE id IN"
            " (SELECT id FROM (SELECT id, at FROM event ORDER BY id LIMIT ?2) part WHERE at < ?1)");
    db_bind_int(s, 1, used > h->most ? INT64_MAX : h->before_s);
    db_bind_int(s, 2, TRIM_ROWS);
    r = db_run(s);
    if (db_changes(db) < TRIM_ROWS) break;
  }
  return r;
}

/* Returns space freed by lowering `history_size`, or by trimming when idle, some pages at a
 * time. */
static enum db_result give_back(struct db *db) {
  struct db_space space;
  enum db_result r = db_space(db, &space);
  bool much = r == DB_OK && space.shrinks && space.free > space.pages / 4;
  return much ? db_shrink(db, SHRUNK_A_TURN) : r;
}

static enum db_result write_all(struct store_engine *e, struct db *db,
                                const struct history_write *h) {
  struct wire w = wire_open(h->events);
  struct history_event x;
  uint8_t address[HISTORY_FIELD_MAX];
  enum db_result r = db_begin(db);
  while (r == DB_OK && history_get_event(&w, &x)) {
    if (x.kind == HISTORY_MAILBOX) x.recipient = account_of(e, x.account, address);
    r = insert(db, &x);
  }
  bool trimmed = r == DB_OK && e->history_jobs++ % TRIM_EVERY == 0;
  if (trimmed) r = trim(db, h);
  if (r == DB_OK) r = db_commit(db);
  if (r != DB_OK) db_rollback(db);
  if (r == DB_OK && db_wal_pages(db) > LOG_PAGES) r = db_checkpoint(db, false);
  return r == DB_OK && trimmed ? give_back(db) : r;
}

static uint64_t count_events(struct slice events) {
  struct wire w = wire_open(events);
  struct history_event x;
  uint64_t n = 0;
  while (history_get_event(&w, &x)) n++;
  return n;
}

/* Whatever the result, the group continues. */
enum db_result history_run(struct store_engine *e, struct store_job *j) {
  struct history_write *h = (struct history_write *)j;
  if (h->tried) return DB_OK;
  h->tried = true;
  struct db *db = history_db(e);
  if (db && write_all(e, db, h) == DB_OK) return DB_OK;
  db_close(&e->history);
  h->lost = count_events(h->events);
  return DB_OK;
}
