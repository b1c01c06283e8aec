/* SPDX-License-Identifier: ISC */
/* SQLite's view of a `struct disk`: inside lib/db only.
 *
 *   vfs.c        the tables SQLite calls; one VFS per disk, registered while one is open
 *   vfs_node.c   a file, opened once for all connections that use it; a failure is permanent
 *   vfs_wal.c    the write-ahead log: its writes combined in memory
 *   vfs_lock.c   locks between our connections, and the shared index of the log, both in memory
 *
 * Lock order: registry (SQLITE_MUTEX_STATIC_APP1), vfs.mu, wal.writing, wal.view. node.mu is a
 * leaf. */
#ifndef QASID_DB_VFS_H
#define QASID_DB_VFS_H

#include <pthread.h>
#include <sqlite3.h>
#include <stdatomic.h>

#include "lib/disk/disk.h"

enum {
  VFS_NAME_MAX = 200,    /* octets of a file's name */
  VFS_SECTOR = 4096,     /* what a power cut may damage around a write: see file_characteristics */
  VFS_WAL_MAX = 4 << 20, /* octets of the log held in memory */
};

enum {
  /* sqlite3_file_control: SQLITE_IOERR when the database must not be used any more, else SQLITE_OK.
   */
  VFS_CONTROL_USABLE = 0x716d,
  /* The connection is retired: it does nothing to its files any more, not even when closed. */
  VFS_CONTROL_RETIRE,
};

struct vfs {
  sqlite3_vfs base; /* first: SQLite's pointer is ours */
  struct disk *disk;
  unsigned users; /* guarded by the registry's mutex */
  pthread_mutex_t mu;
  struct vfs_node *nodes; /* guarded by mu, as is each node's `users` */
  atomic_int last_errno;  /* for sqlite3_system_errno */
  char name[32];
};

/* The write-ahead log's newest octets, on their way to the disk. */
struct vfs_wal {
  pthread_mutex_t writing; /* held by the thread that changes anything here or writes the file */
  pthread_mutex_t view;    /* held, besides, for the moment of each change; and by readers */
  uint8_t *mem;
  size_t n, cap;
  uint64_t at;    /* where mem[0] belongs in the file */
  uint64_t turn;  /* the turn whose transaction writes, or wrote last: vfs_file.turn */
  uint64_t began; /* where its first octet went */
};

struct vfs_node {
  struct vfs_node *next;
  struct vfs *vfs;
  struct vfs_node *db; /* the database this file belongs to; the database itself */
  struct disk_file *file;
  unsigned users;
  bool is_db, is_wal;
  atomic_bool dir_due; /* its name may not be durable yet */
  atomic_bool failed;  /* only a database's counts: it or its log could not be written or synced */
  pthread_mutex_t mu;  /* guards what follows */
  unsigned sharing;    /* connections with any lock */
  int highest;         /* the highest lock that any of them has: SQLITE_LOCK_… */
  struct {
    void **regions;
    int count, users;
    int held[SQLITE_SHM_NLOCK]; /* the number of holders; -1: held exclusively */
    uint64_t turns;             /* how often the log's write lock was taken */
  } shm;
  struct vfs_wal wal;
  char name[VFS_NAME_MAX + 1];
};

/* One connection's opening of a file. */
struct vfs_file {
  sqlite3_file base; /* first */
  struct vfs_node *node;
  struct vfs_file *db; /* the same connection's opening of the database */
  int lock;
  bool shm;
  uint16_t shared, alone; /* bits of the shm locks it has */
  uint64_t turn;          /* the number of its turn while it holds the log's write lock; else 0 */
};

/* The VFS for `disk`, registered if need be: for sqlite3_open_v2. NULL without memory. Each success
 * is to be followed by one vfs_release, when the connection is closed. */
const char *vfs_acquire(struct disk *disk);
void vfs_release(struct disk *disk);

/* All below return an SQLite result code. */
int vnode_open(struct vfs *v, const char *name, int sqlite_flags, struct vfs_node *db,
               struct vfs_node **ret);
void vnode_close(struct vfs_node **node);
/* SQLITE_IOERR when the node's database has failed: no operation on it is attempted any more. */
int vnode_usable(struct vfs_node *n);
/* Turns what a disk operation returned into a result code: -ENOSPC is SQLITE_FULL, anything else
 * `ioerr`. `fatal`: the database is not to be used again. */
int vnode_result(struct vfs_node *n, int64_t result, int ioerr, bool fatal);
int vnode_read(struct vfs_node *n, void *to, int count, uint64_t at);
int vnode_sync(struct vfs_node *n);
int vnode_remove(struct vfs *v, const char *name, bool sync_dir);
/* Does a file of this name hold anything? As SQLite's own VFS, an empty file counts as none. */
int vnode_exists(struct vfs *v, const char *name, int *ret);

bool wal_init(struct vfs_wal *w);
void wal_done(struct vfs_wal *w);
int wal_read(struct vfs_node *n, void *to, int count, uint64_t at);
int wal_write(struct vfs_node *n, uint64_t turn, struct slice s, uint64_t at);
int wal_sync(struct vfs_node *n, uint64_t turn);
int wal_truncate(struct vfs_node *n, uint64_t size);
int64_t wal_size(struct vfs_node *n);

int lock_take(struct vfs_file *f, int want);
int lock_drop(struct vfs_file *f, int to);
bool lock_reserved(struct vfs_file *f);
int shm_map(struct vfs_file *f, int at, int size, bool extend, void volatile **ret);
int shm_lock(struct vfs_file *f, int at, int n, int flags);
void shm_barrier(struct vfs_file *f);
void shm_unmap(struct vfs_file *f);

#endif
