/* SPDX-License-Identifier: ISC */
/* The history of mail (history.h): events gather in the owner's memory as octets, one write job at
 * a time stores them in a database of its own, a reader looks them up for `qasid why`. Invariants:
 * a failure here never fails the group of the writer in which the job runs; what cannot be stored
 * is counted as lost; a damaged history database is made anew, for it holds no mail. */
#include "src/store/history.h"

#include <stdlib.h>

#include "lib/base/wire.h"
#include "mail/header.h"
#include "src/store/owner.h"

enum {
  HISTORY_CACHE_KIB = 512,
  TRIM_EVERY = 32, /* jobs */
  TRIM_ROWS = 500, /* at a time */
  TRIM_ROUNDS = 20,
  LOG_PAGES = 128, /* then the log's pages go home */
  PAGE = 16384,
  HISTORY_GROUP = 64 * 1024, /* octets that are written within the second too */
  FIELD_MAX = 1024,
  EVENT_MAX = 8 * 1024,
  HISTORY_VERSION = 1,
};

/* --- events as octets --- */

static void put_event(struct buf *b, const struct history_event *e) {
  const struct slice fields[] = { e->name, e->message_id, e->sender, e->recipient, e->text };
  buf_put_u8(b, e->kind);
  wire_put_u64(b, (uint64_t)e->at_s);
  wire_put_u64(b, e->account);
  wire_put_u64(b, e->folder);
  wire_put_u32(b, e->uid);
  for (size_t i = 0; i < sizeof fields / sizeof *fields; i++)
    wire_put_bytes(b, slice_first(fields[i], FIELD_MAX));
}

static bool get_event(struct wire *w, struct history_event *e) {
  if (!w->rest.n) return false;
  *e = (struct history_event){ .kind = wire_get_u8(w) };
  e->at_s = (int64_t)wire_get_u64(w);
  e->account = wire_get_u64(w);
  e->folder = wire_get_u64(w);
  e->uid = wire_get_u32(w);
  struct slice *const fields[] = { &e->name, &e->message_id, &e->sender, &e->recipient, &e->text };
  for (size_t i = 0; i < sizeof fields / sizeof *fields; i++)
    *fields[i] = wire_get_bytes(w, FIELD_MAX);
  return !w->bad;
}

/* --- the database --- */

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

/* DB_OK with *ret NULL: it has to be begun anew. */
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

struct history_write {
  struct store_job job;
  struct slice events; /* behind the job */
  int64_t before_s;    /* older rows go */
  uint64_t most;       /* octets */
  bool tried;
  uint64_t lost; /* result: events that were not written */
};

static void bind_or_null(struct db_stmt *s, int at, struct slice v) {
  if (v.n)
    db_bind_text(s, at, v);
  else
    db_bind_null(s, at);
}

/* The account's address, by which its events can be found. */
static struct slice account_of(struct store_engine *e, uint64_t account,
                               uint8_t to[static FIELD_MAX]) {
  struct db_stmt *s = db_prepare(e->db, "SELECT name FROM account WHERE id = ?");
  db_bind_int(s, 1, (int64_t)account);
  struct slice name = db_step(s) == DB_ROW ? slice_first(db_bytes(s, 0), FIELD_MAX) : SLICE_NONE;
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

static int64_t number(struct db *db, const char *sql) {
  struct db_stmt *s = db_prepare(db, sql);
  int64_t n = db_step(s) == DB_ROW ? db_int(s, 0) : 0;
  db_reset(s);
  return n;
}

/* Removes the oldest events: those past their time, and as many as exceed the size. */
static enum db_result trim(struct db *db, const struct history_write *h) {
  enum db_result r = DB_OK;
  for (int i = 0; r == DB_OK && i < TRIM_ROUNDS; i++) {
    uint64_t used =
        (uint64_t)(number(db, "PRAGMA page_count") - number(db, "PRAGMA freelist_count")) * PAGE;
    struct db_stmt *s = db_prepare(
        db, "DELETE FROM event WHERE id IN"
            " (SELECT id FROM (SELECT id, at FROM event ORDER BY id LIMIT ?2) WHERE at < ?1)");
    db_bind_int(s, 1, used > h->most ? INT64_MAX : h->before_s);
    db_bind_int(s, 2, TRIM_ROWS);
    r = db_run(s);
    if (db_changes(db) < TRIM_ROWS) break;
  }
  return r;
}

static enum db_result write_all(struct store_engine *e, struct db *db,
                                const struct history_write *h) {
  struct wire w = wire_open(h->events);
  struct history_event x;
  uint8_t address[FIELD_MAX];
  enum db_result r = db_begin(db);
  while (r == DB_OK && get_event(&w, &x)) {
    if (x.kind == HISTORY_MAILBOX) x.recipient = account_of(e, x.account, address);
    r = insert(db, &x);
  }
  if (r == DB_OK && e->history_jobs++ % TRIM_EVERY == 0) r = trim(db, h);
  if (r == DB_OK) r = db_commit(db);
  if (r != DB_OK) db_rollback(db);
  if (r == DB_OK && db_wal_pages(db) > LOG_PAGES) db_checkpoint(db, false);
  return r;
}

static uint64_t count_events(struct slice events) {
  struct wire w = wire_open(events);
  struct history_event x;
  uint64_t n = 0;
  while (get_event(&w, &x)) n++;
  return n;
}

/* Whatever the result, the group goes on. */
static enum db_result history_run(struct store_engine *e, struct store_job *j) {
  struct history_write *h = (struct history_write *)j;
  if (h->tried) return DB_OK;
  h->tried = true;
  struct db *db = history_db(e);
  if (db && write_all(e, db, h) == DB_OK) return DB_OK;
  db_close(&e->history);
  h->lost = count_events(h->events);
  return DB_OK;
}

/* --- the owner's side --- */

void history_init(struct history *h) {
  *h = (struct history){ 0 };
  buf_init(&h->pending, HISTORY_PENDING);
}

void history_free(struct history *h) { buf_free(&h->pending); }

static void flush(struct store *s, int64_t now_s, bool now);

static void history_finish(struct store *s, struct store_job *j) {
  s->history.lost += ((struct history_write *)j)->lost;
  s->history.out = false;
  if (!s->stopping) flush(s, j->now_s, false);
}

static const struct job_kind history_write_kind = {
  .name = "history", .is_write = true, .run = history_run, .finish = history_finish
};

static void flush(struct store *s, int64_t now_s, bool now) {
  struct history *h = &s->history;
  struct slice events = buf_slice(&h->pending);
  bool due = now || h->flushed_s != now_s || events.n > HISTORY_GROUP;
  if (h->out || !events.n || !due) return;
  struct history_write *j = job_new(&history_write_kind, sizeof *j + events.n, NULL, now_s);
  if (!j) return; /* with the next */
  memcpy(j + 1, events.p, events.n);
  j->events = slice_of(j + 1, events.n);
  j->before_s = now_s - (int64_t)s->conf->queue_history;
  j->most = s->conf->history_size;
  buf_reset(&h->pending);
  h->out = true;
  h->flushed_s = now_s;
  s->jobs_out++;
  s->shell.enqueue(s->shell.arg, &j->job, true);
}

static void add(struct store *s, const struct history_event *e) {
  if (!s->conf->history_size || s->stopping) return;
  if (buf_room(&s->history.pending) < EVENT_MAX) {
    s->history.lost++;
    return;
  }
  put_event(&s->history.pending, e);
  if (s->history.pending.failed) { /* no memory */
    s->history.lost += 1;
    buf_free(&s->history.pending);
    buf_init(&s->history.pending, HISTORY_PENDING);
  }
}

void history_note(struct store *s, const struct history_event *e) {
  add(s, e);
  flush(s, e->at_s, false);
}

void history_flush(struct store *s, int64_t now_s) { flush(s, now_s, true); }

void history_refused(struct store *s, struct slice sender, struct slice recipient, const char *why,
                     int64_t now_s) {
  struct history *h = &s->history;
  if (h->second != now_s) h->refusals = 0;
  h->second = now_s;
  if (++h->refusals > HISTORY_REFUSALS_A_SECOND) {
    h->lost++;
    return;
  }
  history_note(s, &(struct history_event){ .kind = HISTORY_REFUSED,
                                           .at_s = now_s,
                                           .sender = sender,
                                           .recipient = recipient,
                                           .text = slice_str(why) });
}

/* Puts it on one line, of at most `most` octets. */
static size_t keep(struct slice body, uint8_t *to, size_t most) {
  struct buf b;
  buf_init(&b, 8192);
  header_unfold(&b, slice_first(body, 4096));
  struct slice line = slice_first(buf_slice(&b), most);
  for (size_t i = 0; i < line.n; i++) to[i] = line.p[i] == '\t' ? ' ' : line.p[i];
  size_t n = line.n;
  buf_free(&b);
  return n;
}

struct history_arrival *history_arrival_of(struct slice octets) {
  struct history_arrival *a = calloc(1, sizeof *a);
  struct header_field f;
  struct slice rest = octets;
  if (!a) return NULL;
  if (header_next(&rest, &f) && slice_caseeq(f.name, SLICE("Received"))) {
    ptrdiff_t end = slice_rfind(f.body, ';');
    a->text_n = keep(end >= 0 ? slice_first(f.body, (size_t)end) : f.body, a->text, sizeof a->text);
  }
  if (header_find(octets, SLICE("Message-ID"), &f)) a->id_n = keep(f.body, a->id, sizeof a->id);
  return a;
}

void history_delivered(struct store *s, const struct deliver_job *d,
                       const struct history_arrival *from) {
  static const size_t label = sizeof "Return-Path: <" - 1;
  struct slice path = d->head.n >= label + 3
                          ? slice_first(slice_from(d->head, label), d->head.n - label - 3)
                          : SLICE_NONE;
  struct history_event e = { .kind = HISTORY_ARRIVED,
                             .at_s = d->job.now_s,
                             .account = d->login,
                             .name = d->name,
                             .sender = path.n ? path : SLICE("<>"),
                             .text = SLICE("made here: a delivery report") };
  if (!s->conf->history_size) return;
  if (from)
    e.text = slice_of(from->text, from->text_n), e.message_id = slice_of(from->id, from->id_n);
  add(s, &e);
  e = (struct history_event){ .kind = HISTORY_MAILBOX, .at_s = d->job.now_s, .name = d->name };
  for (size_t i = 0; i < d->count; i++) {
    e.account = d->places[i].account;
    e.folder = d->places[i].folder;
    e.uid = d->places[i].uid;
    add(s, &e);
  }
  e = (struct history_event){ .kind = HISTORY_QUEUED, .at_s = d->job.now_s, .name = d->name };
  for (size_t i = 0; i < d->elsewhere_count; i++) {
    e.recipient = d->elsewhere[i].address;
    add(s, &e);
  }
  flush(s, d->job.now_s, false);
}
