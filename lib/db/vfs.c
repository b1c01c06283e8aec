/* SPDX-License-Identifier: ISC */
/* The tables SQLite calls: methods of a file, methods of the VFS; and the registry of VFSes.
 *
 * 1. There is one VFS per disk, named after the disk's address, registered while any connection
 *    to a database on it is open. SQLite's own list is the registry; no global of ours.
 * 2. A name is passed to the disk as it is. Files without a name (SQLite's temporary ones) are
 *    refused: connections run with temp_store=MEMORY, and nothing temporary ever touches a disk.
 * 3. No memory mapping (the methods' version is 2, which has no xFetch).
 *
 * SQLite seeds its random numbers once, from the VFS that is the default then. The newest one is,
 * so that they come from getrandom(2), not from a path opened behind our back in a sandboxed
 * process. */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "lib/base/sys.h"
#include "lib/db/vfs.h"

static struct vfs_file *file_of(sqlite3_file *f) { return (struct vfs_file *)(void *)f; }

static struct vfs *vfs_of(sqlite3_vfs *v) { return (struct vfs *)(void *)v; }

/* -- a file -- */

static int file_close(sqlite3_file *file) {
  struct vfs_file *f = file_of(file);
  shm_unmap(f);
  lock_drop(f, SQLITE_LOCK_NONE);
  vnode_close(&f->node);
  return SQLITE_OK;
}

static int file_read(sqlite3_file *file, void *to, int n, sqlite3_int64 at) {
  struct vfs_node *node = file_of(file)->node;
  int rc = vnode_usable(node);
  if (rc != SQLITE_OK) return rc;
  return node->is_wal ? wal_read(node, to, n, (uint64_t)at) : vnode_read(node, to, n, (uint64_t)at);
}

static int file_write(sqlite3_file *file, const void *from, int n, sqlite3_int64 at) {
  struct vfs_file *f = file_of(file);
  struct slice s = slice_of(from, (size_t)n);
  if (f->node->is_wal) return wal_write(f->node, f->db->turn, s, (uint64_t)at);
  int rc = vnode_usable(f->node);
  if (rc != SQLITE_OK) return rc;
  int e = f->node->vfs->disk->ops->write(f->node->file, s, (uint64_t)at);
  return vnode_result(f->node, e, SQLITE_IOERR_WRITE, true);
}

static int file_truncate(sqlite3_file *file, sqlite3_int64 size) {
  struct vfs_node *n = file_of(file)->node;
  if (n->is_wal) return wal_truncate(n, (uint64_t)size);
  int rc = vnode_usable(n);
  if (rc != SQLITE_OK) return rc;
  return vnode_result(n, n->vfs->disk->ops->truncate(n->file, (uint64_t)size),
                      SQLITE_IOERR_TRUNCATE, true);
}

static int file_sync(sqlite3_file *file, int flags) {
  struct vfs_file *f = file_of(file);
  return f->node->is_wal ? wal_sync(f->node, f->db->turn) : vnode_sync(f->node);
}

static int file_size(sqlite3_file *file, sqlite3_int64 *ret) {
  struct vfs_node *n = file_of(file)->node;
  int64_t size = n->is_wal ? wal_size(n) : n->vfs->disk->ops->size(n->file);
  if (size >= 0) *ret = size;
  return vnode_result(n, size, SQLITE_IOERR_FSTAT, false);
}

static int file_lock(sqlite3_file *file, int want) { return lock_take(file_of(file), want); }

static int file_unlock(sqlite3_file *file, int to) { return lock_drop(file_of(file), to); }

static int file_check_reserved(sqlite3_file *file, int *ret) {
  *ret = lock_reserved(file_of(file));
  return SQLITE_OK;
}

static int file_control(sqlite3_file *file, int op, void *arg) {
  struct vfs_node *n = file_of(file)->node;
  if (op == VFS_CONTROL_RETIRE) atomic_store(&n->db->failed, true);
  return op == VFS_CONTROL_RETIRE   ? SQLITE_OK
         : op == VFS_CONTROL_USABLE ? vnode_usable(n)
                                    : SQLITE_NOTFOUND;
}

static int file_sector_size(sqlite3_file *file) { return VFS_SECTOR; }

/* No promise at all. In particular not POWERSAFE_OVERWRITE, which SQLite's own VFS makes: that a
 * power cut during a write leaves the octets around it as they were. A commit ends somewhere inside
 * a sector, the next one rewrites that sector, and whether a disk cut off in the middle of it keeps
 * the old octets, the maker does not say; a 4096-octet sector behind a 512-octet interface is read,
 * changed and written by the disk itself. Without the promise SQLite repeats the last page of
 * a commit up to the next sector's edge and syncs exactly up to there, so that no synced sector is
 * ever written again before it is no longer needed. The price is one page more in the log for a
 * group of commits. */
static int file_characteristics(sqlite3_file *file) { return 0; }

static int file_shm_map(sqlite3_file *file, int at, int size, int extend, void volatile **ret) {
  return shm_map(file_of(file), at, size, extend, ret);
}

static int file_shm_lock(sqlite3_file *file, int at, int n, int flags) {
  return shm_lock(file_of(file), at, n, flags);
}

static void file_shm_barrier(sqlite3_file *file) { shm_barrier(file_of(file)); }

static int file_shm_unmap(sqlite3_file *file, int delete) {
  shm_unmap(file_of(file));
  return SQLITE_OK;
}

static const sqlite3_io_methods file_methods = {
  .iVersion = 2,
  .xClose = file_close,
  .xRead = file_read,
  .xWrite = file_write,
  .xTruncate = file_truncate,
  .xSync = file_sync,
  .xFileSize = file_size,
  .xLock = file_lock,
  .xUnlock = file_unlock,
  .xCheckReservedLock = file_check_reserved,
  .xFileControl = file_control,
  .xSectorSize = file_sector_size,
  .xDeviceCharacteristics = file_characteristics,
  .xShmMap = file_shm_map,
  .xShmLock = file_shm_lock,
  .xShmBarrier = file_shm_barrier,
  .xShmUnmap = file_shm_unmap,
};

/* -- the disk -- */

static int vfs_open(sqlite3_vfs *v, const char *name, sqlite3_file *file, int flags,
                    int *ret_flags) {
  struct vfs_file *f = file_of(file);
  *f = (struct vfs_file){ .lock = SQLITE_LOCK_NONE };
  if (!name || !(flags & (SQLITE_OPEN_MAIN_DB | SQLITE_OPEN_MAIN_JOURNAL | SQLITE_OPEN_WAL)))
    return SQLITE_CANTOPEN;
  bool is_db = flags & SQLITE_OPEN_MAIN_DB;
  f->db = is_db ? f : file_of(sqlite3_database_file_object(name));
  int rc = vnode_open(vfs_of(v), name, flags, is_db ? NULL : f->db->node, &f->node);
  if (rc != SQLITE_OK) return rc;
  f->base.pMethods = &file_methods;
  if (ret_flags) *ret_flags = flags;
  return SQLITE_OK;
}

static int vfs_delete(sqlite3_vfs *v, const char *name, int sync_dir) {
  return vnode_remove(vfs_of(v), name, sync_dir);
}

static int vfs_access(sqlite3_vfs *v, const char *name, int flags, int *ret) {
  return vnode_exists(vfs_of(v), name, ret);
}

static int vfs_full_pathname(sqlite3_vfs *v, const char *name, int n, char *ret) {
  int len = snprintf(ret, (size_t)n, "%s", name);
  return len >= 0 && len < n ? SQLITE_OK : SQLITE_CANTOPEN;
}

static int vfs_randomness(sqlite3_vfs *v, int n, char *ret) {
  sys_random(ret, (size_t)n);
  return n;
}

static int vfs_sleep(sqlite3_vfs *v, int us) {
  struct timespec t = { us / 1000000, (long)(us % 1000000) * 1000 };
  nanosleep(&t, NULL);
  return us;
}

/* Milliseconds since the Julian epoch. */
static int vfs_time_ms(sqlite3_vfs *v, sqlite3_int64 *ret) {
  *ret = 210866760000000 + sys_wall_us() / 1000;
  return SQLITE_OK;
}

static int vfs_time(sqlite3_vfs *v, double *ret) {
  sqlite3_int64 ms;
  vfs_time_ms(v, &ms);
  *ret = (double)ms / 86400000.0;
  return SQLITE_OK;
}

static int vfs_last_error(sqlite3_vfs *v, int n, char *ret) {
  return atomic_load(&vfs_of(v)->last_errno);
}

static const sqlite3_vfs vfs_methods = {
  .iVersion = 2,
  .szOsFile = sizeof(struct vfs_file),
  .mxPathname = VFS_NAME_MAX,
  .xOpen = vfs_open,
  .xDelete = vfs_delete,
  .xAccess = vfs_access,
  .xFullPathname = vfs_full_pathname,
  .xRandomness = vfs_randomness,
  .xSleep = vfs_sleep,
  .xCurrentTime = vfs_time,
  .xGetLastError = vfs_last_error,
  .xCurrentTimeInt64 = vfs_time_ms,
};

/* -- the registry -- */

static void name_of(struct disk *disk, char *ret, size_t n) {
  snprintf(ret, n, "qasid-%p", (void *)disk);
}

static struct vfs *vfs_new(struct disk *disk) {
  struct vfs *v = calloc(1, sizeof *v);
  if (!v) return NULL;
  v->base = vfs_methods;
  v->disk = disk;
  name_of(disk, v->name, sizeof v->name);
  v->base.zName = v->name;
  pthread_mutex_init(&v->mu, NULL);
  uint8_t seeded;
  if (sqlite3_vfs_register(&v->base, 1) == SQLITE_OK) {
    sqlite3_randomness(sizeof seeded, &seeded);
    return v;
  }
  pthread_mutex_destroy(&v->mu);
  free(v);
  return NULL;
}

const char *vfs_acquire(struct disk *disk) {
  char name[32];
  name_of(disk, name, sizeof name);
  sqlite3_mutex *registry = sqlite3_mutex_alloc(SQLITE_MUTEX_STATIC_APP1);
  sqlite3_mutex_enter(registry);
  sqlite3_vfs *known = sqlite3_vfs_find(name);
  struct vfs *v = known ? vfs_of(known) : vfs_new(disk);
  if (v) v->users++;
  sqlite3_mutex_leave(registry);
  return v ? v->name : NULL;
}

void vfs_release(struct disk *disk) {
  char name[32];
  name_of(disk, name, sizeof name);
  sqlite3_mutex *registry = sqlite3_mutex_alloc(SQLITE_MUTEX_STATIC_APP1);
  sqlite3_mutex_enter(registry);
  struct vfs *v = vfs_of(sqlite3_vfs_find(name));
  if (--v->users == 0) {
    sqlite3_vfs_unregister(&v->base);
    pthread_mutex_destroy(&v->mu);
    free(v);
  }
  sqlite3_mutex_leave(registry);
}
