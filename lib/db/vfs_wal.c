/* SPDX-License-Identifier: ISC */
/* The write-ahead log's writes, combined.
 *
 * SQLite writes a commit as many small pieces: 24 octets of frame header, a page, and so on, then
 * syncs. Here adjacent pieces are gathered in `mem` and go to the disk as one write when SQLite
 * syncs, when a piece does not continue the others, or when the buffer is full. Nothing is promised
 * before the sync, so nothing is lost by waiting.
 *
 *   1. Octets [at, at+n) of the file are those in `mem`, whatever the disk has. Readers look here
 *      first: SQLite fills the sector behind a commit with a copy of its last page (see
 *      file_characteristics), whose end stays in memory until the next commit is written. The disk
 *      can do without it: the commit itself is complete before.
 *   2. A turn is the time a connection holds the log's write lock: one transaction. Only the
 *      connection whose turn it is writes the buffer to the disk. A checkpoint's sync from another
 *      connection finds all that was ever promised in the file (synchronous=FULL: a commit is
 *      synced before a reader can see it) and leaves the unfinished transaction alone.
 *   3. When the disk is full the transaction is refused as a whole. Some of it may be in the file,
 *      even its commit, and must not reappear after a crash when the writer was told "full". So
 *      refuse() truncates the file where the transaction began, durably, before the error is
 *      returned. What else was behind that place is from an older round of the log and is not read.
 *   4. A write at 0 starts the log's next round; the buffer still holds octets of the last one, of
 *      which every page is in the database, durable.
 *
 * `writing` is held by the writer or by a checkpoint. Readers take only `view`; no disk write or
 * sync happens under it. */
#include <errno.h>
#include <stdlib.h>

#include "lib/db/vfs.h"

enum { FIRST_CAP = 256 << 10 };

bool wal_init(struct vfs_wal *w) {
  if (pthread_mutex_init(&w->writing, NULL) != 0) return false;
  if (pthread_mutex_init(&w->view, NULL) == 0) return true;
  pthread_mutex_destroy(&w->writing);
  return false;
}

void wal_done(struct vfs_wal *w) {
  pthread_mutex_destroy(&w->view);
  pthread_mutex_destroy(&w->writing);
  free(w->mem);
}

static uint64_t end_of(const struct vfs_wal *w) { return w->at + w->n; }

/* Forgets the octets from `at` on. */
static void cut(struct vfs_wal *w, uint64_t at) {
  pthread_mutex_lock(&w->view);
  if (end_of(w) > at) w->n = at > w->at ? (size_t)(at - w->at) : 0;
  pthread_mutex_unlock(&w->view);
}

/* The disk is full: makes sure that no recovery will find anything of this turn's transaction. */
static int refuse(struct vfs_node *n) {
  const struct disk_ops *ops = n->vfs->disk->ops;
  uint64_t began = n->wal.began;
  cut(&n->wal, began);
  int64_t size = ops->size(n->file);
  if (size >= 0 && (uint64_t)size <= began) return SQLITE_FULL;
  int e = size < 0 ? (int)size : ops->truncate(n->file, began);
  if (!e) e = ops->sync(n->file);
  return e ? vnode_result(n, -EIO, SQLITE_IOERR_WRITE, true) : SQLITE_FULL;
}

/* With `writing` held, by the connection whose turn it is. */
static int flush(struct vfs_node *n) {
  struct vfs_wal *w = &n->wal;
  if (w->n == 0) return SQLITE_OK;
  int rc = n->vfs->disk->ops->write(n->file, slice_of(w->mem, w->n), w->at);
  rc = vnode_result(n, rc, SQLITE_IOERR_WRITE, true);
  if (rc == SQLITE_FULL) return refuse(n);
  if (rc == SQLITE_OK) cut(w, w->at);
  return rc;
}

/* Room for the buffer to be `n` octets long. */
static bool grow(struct vfs_wal *w, size_t n) {
  size_t cap = w->cap ? w->cap : FIRST_CAP;
  while (cap < n) cap *= 2;
  if (cap == w->cap) return true;
  pthread_mutex_lock(&w->view);
  uint8_t *mem = realloc(w->mem, cap);
  if (mem) {
    w->mem = mem;
    w->cap = cap;
  }
  pthread_mutex_unlock(&w->view);
  return mem;
}

/* What an earlier turn left behind where this one begins was rolled back. */
static void begin_turn(struct vfs_wal *w, uint64_t turn, uint64_t at) {
  w->turn = turn;
  w->began = at;
  cut(w, at);
}

/* With `writing` held. */
static int put(struct vfs_node *n, struct slice s, uint64_t at) {
  struct vfs_wal *w = &n->wal;
  bool joins = w->n > 0 && at >= w->at && at <= end_of(w) && at - w->at + s.n <= VFS_WAL_MAX;
  if (!joins) {
    int rc = flush(n);
    if (rc != SQLITE_OK) return rc;
  }
  size_t skip = joins ? (size_t)(at - w->at) : 0;
  if (!grow(w, skip + s.n)) return SQLITE_IOERR_NOMEM;
  pthread_mutex_lock(&w->view);
  if (!joins) w->at = at;
  memcpy(w->mem + skip, s.p, s.n);
  if (w->n < skip + s.n) w->n = skip + s.n;
  pthread_mutex_unlock(&w->view);
  return SQLITE_OK;
}

int wal_write(struct vfs_node *n, uint64_t turn, struct slice s, uint64_t at) {
  struct vfs_wal *w = &n->wal;
  int rc = vnode_usable(n);
  if (rc != SQLITE_OK) return rc;
  pthread_mutex_lock(&w->writing);
  if (w->turn != turn) begin_turn(w, turn, at);
  if (at == 0) cut(w, 0);
  rc = put(n, s, at);
  pthread_mutex_unlock(&w->writing);
  return rc;
}

/* Lays the buffered octets over what was read of [at, at+count). With `view` held. Returns how many
 * octets from `at` on are now known to be right. */
static int64_t overlay(const struct vfs_wal *w, uint8_t *to, int64_t got, uint64_t count,
                       uint64_t at) {
  uint64_t from = at > w->at ? at : w->at;
  uint64_t till = at + count < end_of(w) ? at + count : end_of(w);
  if (from >= till) return got;
  memcpy(to + (from - at), w->mem + (from - w->at), (size_t)(till - from));
  return (int64_t)(till - at) > got ? (int64_t)(till - at) : got;
}

int wal_read(struct vfs_node *n, void *to, int count, uint64_t at) {
  struct vfs_wal *w = &n->wal;
  uint64_t till = at + (uint64_t)count;
  pthread_mutex_lock(&w->view);
  bool apart = w->n == 0 || till <= w->at || at >= end_of(w);
  if (apart) {
    pthread_mutex_unlock(&w->view);
    return vnode_read(n, to, count, at);
  }
  int rc = SQLITE_OK;
  if (at < w->at || till > end_of(w)) rc = vnode_read(n, to, count, at);
  if (rc != SQLITE_IOERR_READ) {
    int64_t known =
        overlay(w, to, rc == SQLITE_OK && till > end_of(w) ? count : 0, (uint64_t)count, at);
    rc = known >= count ? SQLITE_OK : SQLITE_IOERR_SHORT_READ;
  }
  pthread_mutex_unlock(&w->view);
  return rc;
}

int wal_sync(struct vfs_node *n, uint64_t turn) {
  int rc = vnode_usable(n);
  if (rc != SQLITE_OK) return rc;
  pthread_mutex_lock(&n->wal.writing);
  if (turn != 0 && turn == n->wal.turn) rc = flush(n);
  pthread_mutex_unlock(&n->wal.writing);
  return rc == SQLITE_OK ? vnode_sync(n) : rc;
}

int wal_truncate(struct vfs_node *n, uint64_t size) {
  struct vfs_wal *w = &n->wal;
  int rc = vnode_usable(n);
  if (rc != SQLITE_OK) return rc;
  pthread_mutex_lock(&w->writing);
  cut(w, size);
  rc = vnode_result(n, n->vfs->disk->ops->truncate(n->file, size), SQLITE_IOERR_TRUNCATE, true);
  pthread_mutex_unlock(&w->writing);
  return rc;
}

int64_t wal_size(struct vfs_node *n) {
  struct vfs_wal *w = &n->wal;
  pthread_mutex_lock(&w->view);
  int64_t size = n->vfs->disk->ops->size(n->file);
  if (size >= 0 && w->n > 0 && end_of(w) > (uint64_t)size) size = (int64_t)end_of(w);
  pthread_mutex_unlock(&w->view);
  return size;
}
