/* backup: a ustar archive of the database as it was at one moment and of the body files it names.
 *
 *   COPY       the database is copied to the spool, some pages a slice
 *   DATABASE   the copy is sent
 *   FILES      body files are sent, one after another
 *   (end)      two zero blocks */
#include <stdio.h>
#include <stdlib.h>

#include "lib/tar/tar.h"
#include "src/store/admin_whole.h"
#include "src/store/schema.h"

enum {
  PAGES_A_SLICE = 256,
  SENT_A_SLICE = 1024 * 1024,
};

struct backup {
  struct whole whole;
  enum { COPY, DATABASE, FILES } stage;
  struct db_backup *copying;
  char copy[BODY_NAME_MAX];
  bool named;             /* the copy's file may be there */
  struct disk_file *file; /* being sent */
  uint64_t at, size;
  uint64_t body; /* the last one begun */
};

static void backup_end(struct whole *w) {
  struct backup *b = (struct backup *)w;
  if (b->copying) db_backup_end(&b->copying);
  if (b->file) w->disk->ops->close(&b->file);
  if (b->named) w->disk->ops->remove(w->disk, b->copy);
}

static enum db_result copy_some(struct backup *b) {
  enum db_result r = DB_OK;
  if (!b->copying) {
    spool_backup_name(b->copy, b->whole.number);
    b->named = true;
    r = db_backup_start(b->whole.db, b->whole.disk, b->copy, &b->copying);
  }
  if (r == DB_OK) r = db_backup_step(b->copying, PAGES_A_SLICE);
  if (r == DB_ROW) return DB_OK;
  b->stage = DATABASE; /* `copying` is ended last: until then the connection sees the copy's moment */
  return r;
}

static enum db_result put_head(struct backup *b, struct admin_job *a, const char *name) {
  struct tar_entry e = { .mode = 0600, .size = b->size, .mtime = a->job.now_s };
  struct buf head;
  buf_init(&head, TAR_BLOCK);
  snprintf(e.path, sizeof e.path, "%s", name);
  bool fine = tar_put_header(&head, &e);
  if (fine) admin_output(a, buf_slice(&head));
  buf_free(&head);
  return fine ? DB_OK : DB_NOMEM;
}

/* Opens `from` and puts its head into the archive as `name`. */
static enum db_result begin_file(struct backup *b, struct admin_job *a, const char *from, const char *name) {
  struct disk *d = b->whole.disk;
  int failed = d->ops->open(d, from, DISK_READ, &b->file);
  int64_t size = failed ? -1 : d->ops->size(b->file);
  if (size < 0) return admin_say(a, CLI_DAMAGE, "%s can't be read: qasid check", name);
  b->at = 0;
  b->size = (uint64_t)size;
  return put_head(b, a, name);
}

static enum db_result send_some(struct backup *b, struct admin_job *a) {
  static const uint8_t zeros[TAR_BLOCK];
  uint8_t chunk[IPC_CHUNK];
  struct disk *d = b->whole.disk;
  size_t n = b->size - b->at < sizeof chunk ? (size_t)(b->size - b->at) : sizeof chunk;
  int64_t got = n ? d->ops->read(b->file, chunk, n, b->at) : 0;
  if (got != (int64_t)n) return admin_say(a, CLI_DAMAGE, "a file could not be read to its end: qasid check");
  if (n) admin_output(a, slice_of(chunk, n));
  b->at += n;
  if (b->at < b->size) return DB_OK;
  d->ops->close(&b->file);
  if (tar_padding(b->size)) admin_output(a, slice_of(zeros, tar_padding(b->size)));
  if (b->stage == DATABASE) b->stage = FILES;
  return DB_OK;
}

/* The next body that is a file. *ret_more false: there is none left. */
static enum db_result next_body(struct backup *b, struct admin_job *a, bool *ret_more) {
  char name[BODY_NAME_MAX];
  struct db_stmt *s = db_prepare(
      b->whole.db,
      "SELECT id FROM body INDEXED BY body_file WHERE start IS NOT NULL AND id > ? ORDER BY id LIMIT 1");
  db_bind_int(s, 1, (int64_t)b->body);
  enum db_result r = db_step(s);
  *ret_more = r == DB_ROW;
  if (r != DB_ROW) return r;
  b->body = (uint64_t)db_int(s, 0);
  db_reset(s);
  body_name(name, b->body);
  return begin_file(b, a, name, name);
}

static enum db_result work(struct backup *b, struct admin_job *a, bool *ret_more) {
  if (b->stage == COPY) return copy_some(b);
  if (b->file) return send_some(b, a);
  if (b->stage == DATABASE) return begin_file(b, a, b->copy, STORE_DATABASE);
  return next_body(b, a, ret_more);
}

static void put_end(struct admin_job *a) {
  struct buf end;
  buf_init(&end, 2 * TAR_BLOCK);
  tar_put_end(&end);
  admin_output(a, buf_slice(&end));
  buf_free(&end);
}

enum db_result backup_run(struct store_engine *e, struct admin_job *a) {
  struct backup *b = a->state;
  if (!b || e->writer) {
    b = (struct backup *)whole_begin(e, a, sizeof *b);
    if (b) b->whole.end = backup_end;
    return b ? DB_OK : DB_NOMEM;
  }
  enum db_result r = whole_connect(&b->whole);
  bool more = true, copying = b->stage == COPY;
  while (r == DB_OK && more && a->code == CLI_OK && buf_len(&a->out) < SENT_A_SLICE) {
    r = work(b, a, &more);
    if (copying) break;
  }
  if (r == DB_OK && !more) put_end(a);
  a->job.again = r == DB_OK && more && a->code == CLI_OK;
  return r;
}
