/* SPDX-License-Identifier: ISC */
/* A file of a database, as all its connections share it.
 *
 * 1. One `struct disk_file` per name: the real one carries the lock against other programs, which
 *    would be worth nothing with several descriptors.
 * 2. The database's node takes SQLite's lock octets for itself when it is opened and has them until
 *    it is closed, so another program finds the database locked, and we find it busy when another
 *    program (or another of our processes) uses it.
 * 3. After a write or a sync failed for any reason but a full disk, `failed` of the database is set
 *    and every operation on its files is refused, until all connections are closed and the next one
 *    opens it from what the disk has. A failed read spoils only that read. */
#include <errno.h>
#include <stdlib.h>

#include "lib/db/vfs.h"

/* https://www.sqlite.org/fileformat2.html#the_lock_byte_page: PENDING, RESERVED, 510 of SHARED. */
enum { LOCK_AT = 0x40000000, LOCK_COUNT = 512 };

int vnode_usable(struct vfs_node *n) {
  return atomic_load(&n->db->failed) ? SQLITE_IOERR : SQLITE_OK;
}

int vnode_result(struct vfs_node *n, int64_t result, int ioerr, bool fatal) {
  if (result >= 0) return SQLITE_OK;
  atomic_store(&n->vfs->last_errno, (int)-result);
  if (result == -ENOSPC) return SQLITE_FULL;
  if (fatal) atomic_store(&n->db->failed, true);
  return ioerr;
}

static int open_result(struct vfs *v, int e) {
  atomic_store(&v->last_errno, -e);
  switch (e) {
  case 0: return SQLITE_OK;
  case -ENOSPC: return SQLITE_FULL;
  case -EBUSY: return SQLITE_BUSY;
  case -EIO: return SQLITE_IOERR;
  case -ENOMEM: return SQLITE_NOMEM;
  default: return SQLITE_CANTOPEN;
  }
}

static void vnode_free(struct vfs_node *n) {
  if (n->file) n->vfs->disk->ops->close(&n->file);
  if (n->is_wal) wal_done(&n->wal);
  pthread_mutex_destroy(&n->mu);
  free(n);
}

/* Opens the file. Its name counts as not durable even when it was there: a process before us may
 * have made it and died before it could sync the folder. That is one sync more for each start. */
static int open_file(struct vfs_node *n, bool create) {
  const struct disk_ops *ops = n->vfs->disk->ops;
  int there = ops->exists(n->vfs->disk, n->name);
  if (there < 0) return there;
  if (!there && !create) return -ENOENT;
  int e = ops->open(n->vfs->disk, n->name, DISK_WRITE, &n->file);
  if (e) return e;
  atomic_store(&n->dir_due, true);
  return n->is_db && ops->lock ? ops->lock(n->file, LOCK_AT, LOCK_COUNT) : 0;
}

static struct vfs_node *vnode_new(struct vfs *v, const char *name, int flags, struct vfs_node *db) {
  struct vfs_node *n = calloc(1, sizeof *n);
  if (!n) return NULL;
  n->vfs = v;
  n->db = db ? db : n;
  n->is_db = !db;
  n->is_wal = flags & SQLITE_OPEN_WAL;
  memcpy(n->name, name, strlen(name) + 1);
  pthread_mutex_init(&n->mu, NULL);
  if (n->is_wal && !wal_init(&n->wal)) {
    n->is_wal = false;
    vnode_free(n);
    return NULL;
  }
  return n;
}

static struct vfs_node *find(struct vfs *v, const char *name) {
  struct vfs_node *n = v->nodes;
  while (n && strcmp(n->name, name) != 0) n = n->next;
  return n;
}

int vnode_open(struct vfs *v, const char *name, int flags, struct vfs_node *db,
               struct vfs_node **ret) {
  if (strlen(name) > VFS_NAME_MAX) return SQLITE_CANTOPEN;
  pthread_mutex_lock(&v->mu);
  int rc = SQLITE_OK;
  struct vfs_node *n = find(v, name);
  if (n) {
    rc = vnode_usable(n);
  } else if (!(n = vnode_new(v, name, flags, db))) {
    rc = SQLITE_NOMEM;
  } else {
    rc = open_result(v, open_file(n, flags & SQLITE_OPEN_CREATE));
    if (rc != SQLITE_OK) {
      vnode_free(n);
    } else {
      n->next = v->nodes;
      v->nodes = n;
    }
  }
  if (rc == SQLITE_OK) {
    n->users++;
    *ret = n;
  }
  pthread_mutex_unlock(&v->mu);
  return rc;
}

void vnode_close(struct vfs_node **node) {
  struct vfs_node *n = *node;
  *node = NULL;
  if (!n) return;
  struct vfs *v = n->vfs;
  pthread_mutex_lock(&v->mu);
  if (--n->users == 0) {
    struct vfs_node **at = &v->nodes;
    while (*at != n) at = &(*at)->next;
    *at = n->next;
    vnode_free(n);
  }
  pthread_mutex_unlock(&v->mu);
}

int vnode_read(struct vfs_node *n, void *to, int count, uint64_t at) {
  int64_t got = n->vfs->disk->ops->read(n->file, to, (size_t)count, at);
  int rc = vnode_result(n, got, SQLITE_IOERR_READ, false);
  if (rc != SQLITE_OK) return SQLITE_IOERR_READ;
  if (got == count) return SQLITE_OK;
  /* SQLite counts on the missing octets being zero. */
  memset((uint8_t *)to + got, 0, (size_t)(count - got));
  return SQLITE_IOERR_SHORT_READ;
}

/* The name of the folder a file is in. */
static const char *folder_of(const char *name, char *space) {
  const char *cut = strrchr(name, '/');
  if (!cut) return ".";
  memcpy(space, name, (size_t)(cut - name));
  space[cut - name] = 0;
  return space;
}

/* A failed sync is fatal even when the error is a full disk: the octets to be synced are lost. */
static int fatal_sync(struct vfs_node *n, int e, int ioerr) {
  return vnode_result(n, e ? -EIO : 0, ioerr, true);
}

int vnode_sync(struct vfs_node *n) {
  struct disk *d = n->vfs->disk;
  int rc = vnode_usable(n);
  if (rc == SQLITE_OK) rc = fatal_sync(n, d->ops->sync(n->file), SQLITE_IOERR_FSYNC);
  if (rc != SQLITE_OK || !atomic_load(&n->dir_due)) return rc;
  char space[VFS_NAME_MAX + 1];
  rc = fatal_sync(n, d->ops->sync_dir(d, folder_of(n->name, space)), SQLITE_IOERR_DIR_FSYNC);
  if (rc == SQLITE_OK) atomic_store(&n->dir_due, false);
  return rc;
}

static int64_t size_by_name(struct disk *d, const char *name) {
  struct disk_file *f;
  int e = d->ops->open(d, name, DISK_READ, &f);
  if (e) return e == -ENOENT ? 0 : e;
  int64_t size = d->ops->size(f);
  d->ops->close(&f);
  return size;
}

int vnode_exists(struct vfs *v, const char *name, int *ret) {
  pthread_mutex_lock(&v->mu);
  struct vfs_node *n = find(v, name);
  int64_t size = !n          ? size_by_name(v->disk, name)
                 : n->is_wal ? wal_size(n)
                             : v->disk->ops->size(n->file);
  pthread_mutex_unlock(&v->mu);
  if (size < 0) {
    atomic_store(&v->last_errno, (int)-size);
    return SQLITE_IOERR_ACCESS;
  }
  *ret = size > 0;
  return SQLITE_OK;
}

int vnode_remove(struct vfs *v, const char *name, bool sync) {
  struct disk *d = v->disk;
  int e = d->ops->remove(d, name);
  if (e == -ENOENT) return SQLITE_IOERR_DELETE_NOENT;
  char space[VFS_NAME_MAX + 1];
  if (!e && sync && d->ops->sync_dir(d, folder_of(name, space))) return SQLITE_IOERR_DIR_FSYNC;
  if (!e) return SQLITE_OK;
  atomic_store(&v->last_errno, -e);
  return SQLITE_IOERR_DELETE;
}
