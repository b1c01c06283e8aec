/* SPDX-License-Identifier: ISC */
/* auth's part of a backup: copies the database as of one moment to a file beside it, sends a ustar
 * archive of that copy and of auth.key, and removes the copy. Invariant: the buffer that held the
 * key is wiped. */
#include "src/auth/backup.h"

#include "lib/tar/tar.h"

#include <stdio.h>
#include <stdlib.h>

#define COPY_NAME "backup.db"

struct archive {
  void (*put)(void *arg, struct slice octets);
  void *arg;
  size_t piece;
  uint8_t *room; /* `piece` octets */
};

static bool copy_database(struct accounts *a) {
  struct db_backup *b = NULL;
  if (!accounts_ready(a)) return false;
  a->disk->ops->remove(a->disk, COPY_NAME);
  if (db_backup_start(a->db, a->disk, COPY_NAME, &b) != DB_OK) return false;
  enum db_result r;
  while ((r = db_backup_step(b, 1024)) == DB_ROW) {
  }
  db_backup_end(&b);
  return r == DB_OK;
}

static bool put_octets(struct archive *x, const struct disk_ops *ops, struct disk_file *f,
                       uint64_t size) {
  for (uint64_t at = 0; at < size;) {
    size_t n = size - at < x->piece ? (size_t)(size - at) : x->piece;
    if (ops->read(f, x->room, n, at) != (int64_t)n) return false;
    x->put(x->arg, slice_of(x->room, n));
    at += n;
  }
  return true;
}

static bool put_file(struct archive *x, struct accounts *a, const char *from, const char *name,
                     int64_t now_s) {
  static const uint8_t zeros[TAR_BLOCK];
  const struct disk_ops *ops = a->disk->ops;
  struct disk_file *f = NULL;
  struct tar_entry e = { .mode = 0600, .mtime = now_s };
  struct buf head;
  if (ops->open(a->disk, from, DISK_READ, &f) != 0) return false;
  int64_t size = ops->size(f);
  snprintf(e.path, sizeof e.path, "%s", name);
  e.size = size > 0 ? (uint64_t)size : 0;
  buf_init(&head, TAR_BLOCK);
  bool ok = size >= 0 && tar_put_header(&head, &e);
  if (ok) x->put(x->arg, buf_slice(&head));
  ok = ok && put_octets(x, ops, f, e.size);
  if (ok && tar_padding(e.size)) x->put(x->arg, slice_of(zeros, tar_padding(e.size)));
  buf_free(&head);
  ops->close(&f);
  return ok;
}

static bool put_end(struct archive *x) {
  struct buf end;
  buf_init(&end, 2 * TAR_BLOCK);
  tar_put_end(&end);
  bool ok = !end.failed;
  if (ok) x->put(x->arg, buf_slice(&end));
  buf_free(&end);
  return ok;
}

bool backup_put(struct accounts *a, int64_t now_s, size_t piece,
                void (*put)(void *arg, struct slice octets), void *arg, struct buf *err) {
  struct archive x = { put, arg, piece, malloc(piece) };
  bool ok = x.room && copy_database(a) && put_file(&x, a, COPY_NAME, "auth.db", now_s) &&
            put_file(&x, a, "auth.key", "auth.key", now_s) && put_end(&x);
  a->disk->ops->remove(a->disk, COPY_NAME);
  if (x.room) explicit_bzero(x.room, piece); /* it contained the key */
  free(x.room);
  if (!ok)
    buf_put_str(err, "the accounts could not be copied: the disk is full or reports an error");
  return ok;
}
