/* SPDX-License-Identifier: ISC */
/* Group commit.
 *
 *   waiting jobs --begin, run each, flush, sync_all, commit--> durable --settle each
 *        |                    | an error
 *        |                    v
 *        +---- rollback, undo each; then each job alone in a transaction of its own
 *
 * A disk failure (DB_IOERR) ends everything: the state of the disk is no longer known, so every job
 * is answered "try later" and the process starts again from what can be read back. */
#include "lib/base/array.h"
#include "src/store/sql/engine.h"

#include <stdlib.h>

#include "src/store/sql/schema.h"
#include "src/store/sql/work.h"

enum {
  WRITER_CACHE_KIB = 16 * 1024,
  READER_CACHE_KIB = 3 * 1024,
  FOLDERS_REMEMBERED = 16384,
  FREED_A_TURN = 64, /* files removed in one call of store_idle */
  FREED_URGENT = 4096,
  /* Octets in the log: checkpointed when idle, and under load. */
  LOG_IDLE = 4 * 1024 * 1024,
  LOG_URGENT = 32 * 1024 * 1024,
  SLICE_MS = 8,
  SLICE_ITEMS = 200, /* without a clock */
};

/* --- lists of ids --- */

bool id_list_add(struct id_list *l, uint64_t id) {
  if (!array_reserve(&l->ids, &l->cap, l->count + 1, sizeof *l->ids)) return false;
  l->ids[l->count++] = id;
  return true;
}

void id_list_free(struct id_list *l) {
  free(l->ids);
  *l = (struct id_list){ 0 };
}

/* --- folders --- */

static void forget_folders(struct store_engine *e) {
  uint64_t id, f;
  for (size_t i = 0; map_each(&e->folders, &i, &id, &f);) free((struct folder *)(uintptr_t)f);
  map_free(&e->folders);
  map_init(&e->folders);
  e->dirty = NULL;
}

static struct folder *read_folder(struct db_stmt *s, uint64_t id) {
  struct folder *f = calloc(1, sizeof *f);
  if (!f) return NULL;
  f->id = id;
  f->account = (uint64_t)db_int(s, 0);
  f->uidvalidity = (uint32_t)db_int(s, 1);
  f->uidnext = (uint64_t)db_int(s, 2);
  f->modseq = (uint64_t)db_int(s, 3);
  f->messages = (uint64_t)db_int(s, 4);
  f->octets = (uint64_t)db_int(s, 5);
  f->deleted = (uint64_t)db_int(s, 6);
  f->deleted_octets = (uint64_t)db_int(s, 7);
  return f;
}

enum db_result engine_folder(struct store_engine *e, uint64_t id, struct folder **ret) {
  *ret = map_ptr(&e->folders, id);
  if (*ret) return DB_OK;
  struct db_stmt *s = db_prepare(
      e->db,
      "SELECT account, uidvalidity, uidnext, modseq, messages, octets, deleted, deleted_octets"
      " FROM folder WHERE id = ?");
  db_bind_int(s, 1, (int64_t)id);
  enum db_result r = db_step(s);
  if (r != DB_ROW) return r;
  struct folder *f = read_folder(s, id);
  db_reset(s);
  if (!f || !map_put_ptr(&e->folders, id, f)) {
    free(f);
    return DB_NOMEM;
  }
  *ret = f;
  return DB_OK;
}

void engine_touch(struct store_engine *e, struct folder *f) {
  if (f->dirty) return;
  f->dirty = true;
  f->modseq++;
  f->next_dirty = e->dirty;
  e->dirty = f;
}

void folder_shrink(struct store_engine *e, struct folder *f, uint64_t messages, uint64_t octets) {
  engine_touch(e, f);
  f->messages -= messages < f->messages ? messages : f->messages;
  f->octets -= octets < f->octets ? octets : f->octets;
}

void engine_drop_folder(struct store_engine *e, uint64_t id) {
  struct folder *f = map_ptr(&e->folders, id);
  if (!f) return;
  for (struct folder **at = &e->dirty; *at; at = &(*at)->next_dirty)
    if (*at == f) {
      *at = f->next_dirty;
      break;
    }
  map_remove(&e->folders, id);
  free(f);
}

static enum db_result flush_folders(struct store_engine *e) {
  while (e->dirty) {
    struct folder *f = e->dirty;
    struct db_stmt *s = db_prepare(
        e->db, "UPDATE folder SET uidnext = ?, modseq = ?, messages = ?, octets = ?, deleted = ?,"
               " deleted_octets = ? WHERE id = ?");
    db_bind_int(s, 1, (int64_t)f->uidnext);
    db_bind_int(s, 2, (int64_t)f->modseq);
    db_bind_int(s, 3, (int64_t)f->messages);
    db_bind_int(s, 4, (int64_t)f->octets);
    db_bind_int(s, 5, (int64_t)f->deleted);
    db_bind_int(s, 6, (int64_t)f->deleted_octets);
    db_bind_int(s, 7, (int64_t)f->id);
    enum db_result r = db_run(s);
    if (r != DB_OK) return r;
    f->dirty = false;
    e->dirty = f->next_dirty;
  }
  return DB_OK;
}

uint32_t engine_new_uidvalidity(struct store_engine *e, int64_t now_s) {
  uint32_t now = (uint32_t)now_s;
  e->uidvalidity = now > e->uidvalidity ? now : e->uidvalidity + 1;
  return e->uidvalidity;
}

static enum db_result flush_numbers(struct store_engine *e) {
  if (e->next_body == e->next_body_saved && e->uidvalidity == e->uidvalidity_saved) return DB_OK;
  struct db_stmt *s = db_prepare(e->db, "UPDATE store SET next_body = ?, uidvalidity = ?");
  db_bind_int(s, 1, (int64_t)e->next_body);
  db_bind_int(s, 2, e->uidvalidity);
  return db_run(s);
}

static enum db_result read_numbers(struct store_engine *e) {
  struct db_stmt *s = db_prepare(e->db, "SELECT next_body, uidvalidity FROM store");
  enum db_result r = db_step(s);
  if (r != DB_ROW) return r == DB_OK ? DB_CORRUPT : r;
  e->next_body = e->next_body_saved = (uint64_t)db_int(s, 0);
  e->uidvalidity = e->uidvalidity_saved = (uint32_t)db_int(s, 1);
  db_reset(s);
  return DB_OK;
}

/* --- bodies --- */

enum db_result engine_unref_body(struct store_engine *e, uint64_t body) {
  struct db_stmt *s = db_prepare(e->db, "SELECT refs, start IS NOT NULL FROM body WHERE id = ?");
  db_bind_int(s, 1, (int64_t)body);
  enum db_result r = db_step(s);
  if (r != DB_ROW)
    return r; /* no such body: `check` reports it; the entry is removed all the same */
  bool last = db_int(s, 0) <= 1, in_file = db_int(s, 1);
  db_reset(s);
  s = last ? db_prepare(e->db, "DELETE FROM body WHERE id = ?")
           : db_prepare(e->db, "UPDATE body SET refs = refs - 1 WHERE id = ?");
  db_bind_int(s, 1, (int64_t)body);
  r = db_run(s);
  if (r == DB_OK && last && in_file && !id_list_add(&e->freed_now, body)) r = DB_NOMEM;
  return r;
}

bool engine_low_space(struct store_engine *e, struct store_job *j) {
  if (!j->free_least) return false;
  if (j->now_s != e->space_checked_s) {
    e->space = e->disk->ops->free_space(e->disk);
    e->space_checked_s = j->now_s;
  }
  j->low_space = e->space >= 0 && (uint64_t)e->space < j->free_least;
  return j->low_space;
}

/* --- slices --- */

void store_engine_set_clock(struct store_engine *e, uint64_t (*clock_ms)(void)) {
  e->clock_ms = clock_ms;
}

void engine_slice_begins(struct store_engine *e) {
  if (e->clock_ms) e->slice_ms = e->clock_ms();
}

bool engine_slice_is_over(const struct store_engine *e, size_t items) {
  return e->clock_ms ? e->clock_ms() - e->slice_ms >= SLICE_MS : items >= SLICE_ITEMS;
}

/* --- transactions --- */

static void committed(struct store_engine *e) {
  e->next_body_saved = e->next_body;
  e->uidvalidity_saved = e->uidvalidity;
  engine_forget_queue(e);
  e->giving.unknown = true;
  /* Without memory for the list the files stay until the sweep at the next start. */
  for (size_t i = 0; i < e->freed_now.count; i++) id_list_add(&e->freed, e->freed_now.ids[i]);
  if (e->folders.count > FOLDERS_REMEMBERED) forget_folders(e);
}

static void rolled_back(struct store_engine *e) {
  e->next_body = e->next_body_saved;
  e->uidvalidity = e->uidvalidity_saved;
  engine_forget_queue(e);
  forget_folders(e);
}

static enum db_result run_jobs(struct store_engine *e, struct store_job *first,
                               struct store_job *end, struct store_job **ret_stopped) {
  enum db_result r = db_begin(e->db);
  struct store_job *j = first;
  for (; r == DB_OK && j != end; j = j->next) {
    j->result = JOB_DONE;
    j->group = e->groups;
    r = work_of(j)->run(e, j);
  }
  *ret_stopped = j;
  if (r == DB_OK) r = flush_folders(e);
  if (r == DB_OK) r = flush_numbers(e);
  if (r == DB_OK) r = engine_flush_queue(e);
  if (r == DB_OK && e->files_moved) {
    int failed = e->disk->ops->sync_all(e->disk);
    r = failed ? DB_IOERR : DB_OK; /* the state of the octets on the disk is unknown now */
  }
  return r == DB_OK ? db_commit(e->db) : r;
}

/* Jobs [first, end) as one transaction. */
static enum db_result transaction(struct store_engine *e, struct store_job *first,
                                  struct store_job *end) {
  struct store_job *stopped;
  e->files_moved = false;
  e->freed_now.count = 0;
  e->groups++;
  enum db_result r = run_jobs(e, first, end, &stopped);
  if (r == DB_OK) {
    committed(e);
    return DB_OK;
  }
  db_rollback(e->db);
  rolled_back(e);
  /* After DB_IOERR the next start may find the transaction committed all the same: its files stay
   * where they are, and the sweep removes them if it does not. */
  for (struct store_job *j = first; r != DB_IOERR && j != stopped; j = j->next)
    if (work_of(j)->undo) work_of(j)->undo(e, j);
  for (struct store_job *j = first; j != end; j = j->next) j->result = job_result_of(r);
  return r;
}

static void settle(struct store_engine *e, struct store_job *first, struct store_job *end) {
  for (struct store_job *j = first; j != end; j = j->next)
    if (work_of(j)->settle) work_of(j)->settle(e, j);
}

static void fail_all(struct store_engine *e, struct store_job *first) {
  e->broken = true;
  for (struct store_job *j = first; j; j = j->next) j->result = JOB_TROUBLE;
  settle(e, first, NULL);
}

static bool one_by_one(struct store_engine *e, struct store_job *jobs) {
  for (struct store_job *j = jobs; j; j = j->next) {
    if (transaction(e, j, j->next) == DB_IOERR) {
      fail_all(e, j);
      return false;
    }
    settle(e, j, j->next);
  }
  return true;
}

bool store_write_group(struct store_engine *e, struct store_job *jobs) {
  if (!jobs) return !e->broken;
  if (e->broken) {
    fail_all(e, jobs);
    return false;
  }
  enum db_result r = transaction(e, jobs, NULL);
  if (r == DB_IOERR) {
    fail_all(e, jobs);
    return false;
  }
  if (r != DB_OK && jobs->next) return one_by_one(e, jobs);
  settle(e, jobs, NULL);
  return true;
}

void store_read(struct store_engine *e, struct store_job *j) {
  j->result = JOB_DONE;
  enum db_result r = work_of(j)->run(e, j);
  if (r != DB_OK) j->result = job_result_of(r);
  if (r == DB_IOERR) e->broken = true;
}

bool store_engine_broken(const struct store_engine *e) { return e->broken; }

/* --- what is done when nothing waits --- */

struct sweep {
  struct id_list found;
};

static void sweep_found(void *arg, uint64_t id, const char *entry) {
  struct sweep *s = arg;
  if (id) id_list_add(&s->found, id);
}

static enum db_result body_has_file(struct store_engine *e, uint64_t id, bool *ret) {
  struct db_stmt *s = db_prepare(e->db, "SELECT 1 FROM body WHERE id = ? AND start IS NOT NULL");
  db_bind_int(s, 1, (int64_t)id);
  enum db_result r = db_step(s);
  if (r != DB_ROW && r != DB_OK) return r;
  *ret = r == DB_ROW;
  db_reset(s);
  return DB_OK;
}

/* Files that a crash left without their row. Only the writer puts files there, so between two
 * groups every file without a row is one. */
static bool sweep_one_folder(struct store_engine *e) {
  struct sweep s = { 0 };
  unsigned folder = e->sweep_folder++;
  int listed = bodies_list(e->disk, folder, sweep_found, &s);
  enum db_result r = db_result_of(listed);
  for (size_t i = 0; r == DB_OK && i < s.found.count; i++) {
    bool kept = true;
    r = body_has_file(e, s.found.ids[i], &kept);
    if (r == DB_OK && !kept) r = db_result_of(body_remove(e->disk, s.found.ids[i]));
  }
  id_list_free(&s.found);
  return r != DB_IOERR;
}

static bool remove_freed(struct store_engine *e) {
  for (int i = 0; i < FREED_A_TURN && e->freed.count; i++) {
    int r = body_remove(e->disk, e->freed.ids[e->freed.count - 1]);
    if (db_result_of(r) == DB_IOERR) return false;
    e->freed.count--;
  }
  if (!e->freed.count) id_list_free(&e->freed);
  return true;
}

/* Octets that a checkpoint would move. After one that moved all, the log begins anew with the next
 * commit, so fewer pages than were moved means that it did. */
static uint64_t log_growth(struct store_engine *e) {
  unsigned pages = db_wal_pages(e->db);
  if (pages < e->checkpointed) e->checkpointed = 0;
  return (uint64_t)(pages - e->checkpointed) * e->page;
}

/* Checkpoints the log. */
static bool checkpoint(struct store_engine *e) {
  enum db_result r = db_checkpoint(e->db, false);
  e->checkpointed = db_wal_pages(e->db);
  return r != DB_IOERR;
}

enum store_housekeeping_when store_housekeeping_when(struct store_engine *e) {
  if (e->broken) return STORE_NO_CHORES;
  uint64_t growth = log_growth(e);
  if (growth >= LOG_URGENT || (e->freed.count >= FREED_URGENT && !e->holds))
    return STORE_HOUSEKEEPING_NOW;
  bool some = growth >= LOG_IDLE ||
              ((e->freed.count || e->sweep_folder < STORE_BODY_FOLDERS) && !e->holds) ||
              e->unmeasured || e->unsummed;
  return some                ? STORE_HOUSEKEEPING_IDLE
         : e->giving.unknown ? STORE_HOUSEKEEPING_QUIET
                             : STORE_NO_CHORES;
}

bool store_idle(struct store_engine *e) {
  bool fine = !e->broken;
  enum store_housekeeping_when when = store_housekeeping_when(e);
  if (fine && log_growth(e) >= LOG_IDLE) fine = checkpoint(e);
  if (fine && !e->holds && e->freed.count)
    fine = remove_freed(e);
  else if (fine && !e->holds && e->sweep_folder < STORE_BODY_FOLDERS)
    fine = sweep_one_folder(e);
  else if (fine && e->unmeasured)
    fine = engine_measure(e);
  else if (fine && e->unsummed)
    fine = engine_sum(e);
  else if (fine && when == STORE_HOUSEKEEPING_QUIET)
    fine = engine_give_back(e);
  if (!fine) e->broken = true;
  return fine;
}

/* --- opening and closing --- */

static bool log_open_failed(struct buf *err, enum db_result r, struct db *db) {
  if (r == DB_BUSY)
    buf_put_str(err, "another program holds the mail database: is a second server running?");
  else
    buf_printf(err, "the mail database can't be opened: %s", db ? db_error(db) : db_result_text(r));
  return false;
}

static bool engine_start(struct store_engine *e, struct buf *err) {
  struct db_options options = { .page_size = STORE_PAGE,
                                .cache_kib = e->writer ? WRITER_CACHE_KIB : READER_CACHE_KIB,
                                .read_only = !e->writer };
  enum db_result r = db_open(e->disk, STORE_DATABASE, &options, &e->db);
  struct db_space space = { .page = STORE_PAGE };
  if (r == DB_OK) r = db_space(e->db, &space);
  e->page = (unsigned)space.page;
  if (r == DB_OK && e->writer) r = read_numbers(e);
  if (r == DB_OK && e->writer) r = engine_forget_measures(e);
  return r == DB_OK || log_open_failed(err, r, e->db);
}

struct store_engine *store_engine_open(struct disk *disk, const struct conf *conf, bool writer,
                                       struct buf *err) {
  struct store_engine *e = calloc(1, sizeof *e);
  if (!e) {
    buf_put_str(err, "out of memory");
    return NULL;
  }
  e->disk = disk;
  e->writer = writer;
  e->body_threshold = conf->body_threshold;
  e->surrogates =
      conf->pop3_surrogates == CONF_POP3_SURROGATES_RFC6858 ? SURROGATE_6858 : SURROGATE_6857;
  e->space_checked_s = -1;
  e->unmeasured = e->unsummed = writer;
  e->giving = (struct db_giving){ .unknown = writer, .least = DB_GIVE_LEAST };
  map_init(&e->folders);
  if (!engine_start(e, err)) store_engine_close(&e);
  return e;
}

void store_engine_close(struct store_engine **e) {
  struct store_engine *x = *e;
  if (!x) return;
  if (x->db && x->writer && !x->broken) db_checkpoint(x->db, true);
  db_close(&x->db);
  db_close(&x->history);
  forget_folders(x);
  map_free(&x->folders);
  id_list_free(&x->freed);
  id_list_free(&x->freed_now);
  free(x);
  *e = NULL;
}
