/* SPDX-License-Identifier: ISC */
/* Locks between the connections of one database, and the shared index of its write-ahead log.
 *
 * Both live in memory: the database's node has SQLite's lock octets in the file for itself
 * (vfs_node.c), so nobody but our own connections can take part, and a transaction costs no system
 * call for locks. The rules are those of SQLite's own VFS, https://www.sqlite.org/lockingv3.html:
 *
 *   SHARED     any number; none new while somebody has PENDING or EXCLUSIVE
 *   RESERVED   one, beside any number of SHARED
 *   PENDING    one that wants EXCLUSIVE and waits for the readers to leave
 *   EXCLUSIVE  one, alone
 *
 * `sharing` counts the connections with any lock, `highest` is the highest among them. The shm
 * locks are eight slots, each shared by many or held by one. No call waits; SQLite asks again. */
#include <stdlib.h>

#include "lib/db/vfs.h"

/* https://www.sqlite.org/walformat.html#locks: the slot that makes a connection the log's writer.
 */
enum { WAL_WRITE_LOCK = 0 };

/* With mu held. */
static int take(struct vfs_node *n, struct vfs_file *f, int want) {
  bool other = n->highest != f->lock; /* another connection has the highest lock */
  if (other && (n->highest >= SQLITE_LOCK_PENDING ||
                (want > SQLITE_LOCK_SHARED && n->highest > SQLITE_LOCK_SHARED)))
    return SQLITE_BUSY;
  if (want == SQLITE_LOCK_SHARED) {
    n->sharing++;
    if (n->highest < want) n->highest = want;
    f->lock = want;
    return SQLITE_OK;
  }
  bool alone = want != SQLITE_LOCK_EXCLUSIVE || n->sharing == 1;
  if (!alone && f->lock < SQLITE_LOCK_RESERVED) return SQLITE_BUSY;
  n->highest = f->lock = alone ? want : SQLITE_LOCK_PENDING;
  return alone ? SQLITE_OK : SQLITE_BUSY;
}

int lock_take(struct vfs_file *f, int want) {
  struct vfs_node *n = f->node;
  if (f->lock >= want) return SQLITE_OK;
  int rc = vnode_usable(n);
  if (rc != SQLITE_OK) return rc;
  pthread_mutex_lock(&n->mu);
  rc = take(n, f, want);
  pthread_mutex_unlock(&n->mu);
  return rc;
}

int lock_drop(struct vfs_file *f, int to) {
  struct vfs_node *n = f->node;
  if (f->lock <= to) return SQLITE_OK;
  pthread_mutex_lock(&n->mu);
  if (f->lock > SQLITE_LOCK_SHARED) n->highest = SQLITE_LOCK_SHARED;
  if (to == SQLITE_LOCK_NONE && --n->sharing == 0) n->highest = SQLITE_LOCK_NONE;
  f->lock = to;
  pthread_mutex_unlock(&n->mu);
  return SQLITE_OK;
}

bool lock_reserved(struct vfs_file *f) {
  struct vfs_node *n = f->node;
  pthread_mutex_lock(&n->mu);
  bool reserved = n->highest > SQLITE_LOCK_SHARED;
  pthread_mutex_unlock(&n->mu);
  return reserved;
}

/* -- the shared index -- */

/* With mu held. */
static int add_regions(struct vfs_node *n, int count, int size) {
  void **more = realloc(n->shm.regions, (size_t)count * sizeof *more);
  if (!more) return SQLITE_IOERR_NOMEM;
  n->shm.regions = more;
  while (n->shm.count < count) {
    void *region = calloc(1, (size_t)size);
    if (!region) return SQLITE_IOERR_NOMEM;
    more[n->shm.count++] = region;
  }
  return SQLITE_OK;
}

/* A region never moves: SQLite keeps its address. `size` is always the same. */
int shm_map(struct vfs_file *f, int at, int size, bool extend, void volatile **ret) {
  struct vfs_node *n = f->node;
  int rc = vnode_usable(n);
  *ret = NULL;
  pthread_mutex_lock(&n->mu);
  if (!f->shm) {
    f->shm = true;
    n->shm.users++;
  }
  if (rc == SQLITE_OK && at >= n->shm.count && extend) rc = add_regions(n, at + 1, size);
  if (rc == SQLITE_OK && at < n->shm.count) *ret = n->shm.regions[at];
  pthread_mutex_unlock(&n->mu);
  return rc;
}

static bool may_take(const int *held, int at, int count, bool shared) {
  for (int i = at; i < at + count; i++)
    if (shared ? held[i] < 0 : held[i] != 0) return false;
  return true;
}

/* With mu held. The slots are those of `bits`. SQLite never upgrades one it shares. */
static int shm_take(struct vfs_node *n, struct vfs_file *f, int at, int count, bool shared) {
  uint16_t bits = (uint16_t)(((1u << count) - 1) << at);
  if ((shared ? f->shared : f->alone) & bits) return SQLITE_OK;
  if (!may_take(n->shm.held, at, count, shared)) return SQLITE_BUSY;
  for (int i = at; i < at + count; i++) n->shm.held[i] = shared ? n->shm.held[i] + 1 : -1;
  if (shared)
    f->shared |= bits;
  else
    f->alone |= bits;
  if (!shared && at == WAL_WRITE_LOCK) f->turn = ++n->shm.turns;
  return SQLITE_OK;
}

/* With mu held. Releases those of the slots that the connection holds, shared or exclusive. */
static void shm_drop(struct vfs_node *n, struct vfs_file *f, int at, int count) {
  for (int i = at; i < at + count; i++) {
    uint16_t bit = (uint16_t)(1u << i);
    if (f->alone & bit) n->shm.held[i] = 0;
    if (f->shared & bit) n->shm.held[i]--;
    f->alone &= (uint16_t)~bit;
    f->shared &= (uint16_t)~bit;
  }
  if (at == WAL_WRITE_LOCK) f->turn = 0;
}

int shm_lock(struct vfs_file *f, int at, int count, int flags) {
  struct vfs_node *n = f->node;
  int rc = SQLITE_OK;
  pthread_mutex_lock(&n->mu);
  if (flags & SQLITE_SHM_UNLOCK)
    shm_drop(n, f, at, count);
  else
    rc = shm_take(n, f, at, count, flags & SQLITE_SHM_SHARED);
  pthread_mutex_unlock(&n->mu);
  return rc;
}

/* A thread that passes here later sees everything that this thread wrote to the index before. */
void shm_barrier(struct vfs_file *f) {
  atomic_thread_fence(memory_order_seq_cst);
  pthread_mutex_lock(&f->node->mu);
  pthread_mutex_unlock(&f->node->mu);
}

/* The last user frees the index; the next connection builds it from the log. */
void shm_unmap(struct vfs_file *f) {
  struct vfs_node *n = f->node;
  if (!f->shm) return;
  pthread_mutex_lock(&n->mu);
  shm_drop(n, f, 0, SQLITE_SHM_NLOCK);
  f->shm = false;
  if (--n->shm.users == 0) {
    for (int i = 0; i < n->shm.count; i++) free(n->shm.regions[i]);
    free(n->shm.regions);
    n->shm.regions = NULL;
    n->shm.count = 0;
  }
  pthread_mutex_unlock(&n->mu);
}
