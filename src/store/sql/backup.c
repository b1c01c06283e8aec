/* SPDX-License-Identifier: ISC */
/* backup: a ustar archive of the database as it was at one moment and of the body files it refers
 * to.
 *
 *   COPY       the database is copied to the spool, some pages a slice
 *   DATABASE   the copy is sent
 *   BODIES     the octets of bodies in the database are checked against their checksums; body files
 *              are sent, one after another, and checked against theirs
 *   (end)      two zero blocks */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/crc32c.h"
#include "lib/tar/tar.h"
#include "src/store/sql/admin_whole.h"
#include "src/store/sql/body_row.h"
#include "src/store/sql/schema.h"

enum {
  PAGES_A_SLICE = 256,
  BODIES_A_SLICE = 500,
  SENT_A_SLICE = 1024 * 1024,
};

struct backup {
  struct whole whole;
  enum { COPY, DATABASE, BODIES } stage;
  struct db_backup *copying;
  char copy[BODY_NAME_MAX];
  bool named;             /* the copy's file may exist */
  struct disk_file *file; /* being sent */
  uint64_t at, size;
  uint64_t body;  /* the last one begun */
  uint64_t start; /* offset in its file where the octets begin */
  int64_t sum;    /* its checksum; below 0: unknown */
  uint32_t sum_head, sum_sent;
  uint64_t damaged, missing;      /* messages */
  char first[BODY_NAME_MAX + 32]; /* of them */
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
  /* `copying` is ended last: until then the connection sees the snapshot of the copy */
  b->stage = DATABASE;
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

/* Opens `from` and puts its header into the archive as `name`. */
static int begin_file(struct backup *b, struct admin_job *a, const char *from, const char *name,
                      enum db_result *ret) {
  struct disk *d = b->whole.disk;
  int failed = d->ops->open(d, from, DISK_READ, &b->file);
  int64_t size = failed ? failed : d->ops->size(b->file);
  *ret = DB_OK;
  if (size < 0 && b->file) d->ops->close(&b->file);
  if (size < 0) return (int)size;
  b->at = 0;
  b->size = (uint64_t)size;
  b->sum_sent = b->sum_head;
  *ret = put_head(b, a, name);
  return 0;
}

static enum db_result begin_database(struct backup *b, struct admin_job *a) {
  enum db_result r;
  b->sum = -1;
  b->sum_head = 0;
  int failed = begin_file(b, a, b->copy, STORE_DATABASE, &r);
  return failed ? admin_send(a, CLI_TROUBLE, "the copy of the database can't be read: %s",
                             strerror(-failed))
                : r;
}

/* A damaged message is included as it is; one whose file is missing cannot be. Both are counted,
 * and the backup continues. */
static void found_damage(struct backup *b, uint64_t *count) {
  if (!(b->damaged + b->missing))
    snprintf(b->first, sizeof b->first, "%llu", (unsigned long long)b->body);
  ++*count;
}

static void add_to_sum(struct backup *b, struct slice chunk) {
  uint64_t before = b->start > b->at ? b->start - b->at : 0;
  b->sum_sent = crc32c(b->sum_sent, slice_from(chunk, before < chunk.n ? (size_t)before : chunk.n));
}

static enum db_result send_some(struct backup *b, struct admin_job *a) {
  static const uint8_t zeros[TAR_BLOCK];
  uint8_t chunk[IPC_CHUNK];
  struct disk *d = b->whole.disk;
  size_t n = b->size - b->at < sizeof chunk ? (size_t)(b->size - b->at) : sizeof chunk;
  int64_t got = n ? d->ops->read(b->file, chunk, n, b->at) : 0;
  if (got != (int64_t)n)
    return admin_send(a, CLI_DAMAGE, "a file could not be read to its end: qasid check");
  if (n) admin_output(a, slice_of(chunk, n));
  add_to_sum(b, slice_of(chunk, n));
  b->at += n;
  if (b->at < b->size) return DB_OK;
  d->ops->close(&b->file);
  if (tar_padding(b->size)) admin_output(a, slice_of(zeros, tar_padding(b->size)));
  if (b->sum >= 0 && b->sum != b->sum_sent) found_damage(b, &b->damaged);
  if (b->stage == DATABASE) b->stage = BODIES;
  return DB_OK;
}

static enum db_result begin_body(struct backup *b, struct admin_job *a) {
  char name[BODY_NAME_MAX];
  enum db_result r;
  body_name(name, b->body);
  int failed = begin_file(b, a, name, name, &r);
  if (body_is_damage(failed))
    found_damage(b, &b->missing);
  else if (failed)
    return admin_send(a, CLI_TROUBLE, "%s can't be read now: %s", name, strerror(-failed));
  return r;
}

/* True for a message in the database that is intact, or of unknown checksum. */
static bool is_right(const struct backup *b, const struct body_row *row) {
  uint32_t sum;
  return b->sum < 0 || (body_row_sum(b->whole.disk, row, &sum) == 0 && sum == b->sum);
}

/* The next bodies up to one in a file. *ret_more false: there are no more. */
static enum db_result next_bodies(struct backup *b, struct admin_job *a, bool *ret_more) {
  struct db_stmt *s = db_prepare(b->whole.db, "SELECT b.sum, " BODY_ROW
                                              " FROM body b WHERE b.id > ? ORDER BY b.id LIMIT ?");
  db_bind_int(s, 1, (int64_t)b->body);
  db_bind_int(s, 2, BODIES_A_SLICE);
  enum db_result r = DB_OK;
  bool in_file = false;
  size_t n = 0;
  for (; !in_file && (r = db_step(s)) == DB_ROW; n++) {
    struct body_row row;
    body_row_get(&row, s, 1);
    b->body = row.id;
    in_file = row.in_file;
    b->start = row.start;
    b->sum_head = crc32c(0, row.head);
    b->sum = db_is_null(s, 0) ? -1 : db_int(s, 0);
    if (!in_file && !is_right(b, &row)) found_damage(b, &b->damaged);
  }
  db_reset(s);
  *ret_more = in_file || n == BODIES_A_SLICE;
  if (in_file) return begin_body(b, a);
  return r == DB_ROW ? DB_OK : r;
}

static enum db_result work(struct backup *b, struct admin_job *a, bool *ret_more) {
  if (b->stage == COPY) return copy_some(b);
  if (b->file) return send_some(b, a);
  if (b->stage == DATABASE) return begin_database(b, a);
  return next_bodies(b, a, ret_more);
}

/* The archive itself is complete, even if messages in it are damaged. */
static enum db_result report_damage(struct backup *b, struct admin_job *a) {
  if (!(b->damaged + b->missing)) return DB_OK;
  return admin_send(a, CLI_DAMAGE,
                    "the backup is complete, but %llu messages in it are damaged and the files of "
                    "%llu are missing, the "
                    "first is body %s: qasid check names all",
                    (unsigned long long)b->damaged, (unsigned long long)b->missing, b->first);
}

static void put_end(struct admin_job *a) {
  struct buf end;
  buf_init(&end, 2 * TAR_BLOCK);
  tar_put_end(&end);
  admin_output(a, buf_slice(&end));
  buf_free(&end);
}

enum db_result verb_backup(struct store_engine *e, struct admin_job *a) {
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
  return r == DB_OK && !more ? report_damage(b, a) : r;
}
