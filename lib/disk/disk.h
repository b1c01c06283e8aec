/* SPDX-License-Identifier: ISC */
/* The disk as the store sees it: a table of operations with two implementations, the real file
 * system (disk_posix.c) and the simulated one (tests/world/disk_sim.c), which loses what was not
 * synced, tears writes, fills up and fails at a chosen operation. The store opens files in no other
 * way.
 *
 * Names are relative to the data folder, of the characters [A-Za-z0-9._/-], without ".."; "." is
 * the data folder itself, for sync_dir and list. Each call returns 0 or a negative errno; -ENOSPC
 * is a full disk, -EIO a disk that must not be trusted any further: after it nothing is retried on
 * the same descriptor. A file whose sync has failed refuses every later write and sync with -EIO:
 * the kernel drops what it could not write, so a second sync would succeed without it. Operations
 * on the real disk may be called from several threads at once, also on one file. */
#ifndef QASID_DISK_H
#define QASID_DISK_H

#include "lib/base/slice.h"

struct disk_file;

enum disk_open {
  DISK_READ,   /* must exist */
  DISK_WRITE,  /* read and write, created when missing */
  DISK_CREATE, /* read and write, must not exist */
};

struct disk {
  const struct disk_ops *ops;
};

struct disk_ops {
  int (*open)(struct disk *d, const char *name, enum disk_open how, struct disk_file **ret);
  void (*close)(struct disk_file **f);
  /* Octets read (short only at the end of the file), or a negative errno. */
  int64_t (*read)(struct disk_file *f, void *to, size_t n, uint64_t at);
  /* Writes all of it. */
  int (*write)(struct disk_file *f, struct slice s, uint64_t at);
  int (*truncate)(struct disk_file *f, uint64_t size);
  /* Size in octets, or a negative errno. */
  int64_t (*size)(struct disk_file *f);
  /* The file's octets and size are durable when it returns 0. */
  int (*sync)(struct disk_file *f);
  /* All files of the data folder's file system, and its directory entries: syncfs(2). One call for
   * the files of a whole group. */
  int (*sync_all)(struct disk *d);
  /* Atomic; durable after sync_dir or sync_all. */
  int (*rename)(struct disk *d, const char *from, const char *to);
  int (*remove)(struct disk *d, const char *name);
  int (*exists)(struct disk *d, const char *name);   /* 1, 0 or a negative errno */
  int (*make_dir)(struct disk *d, const char *name); /* 0 also when it exists */
  int (*sync_dir)(struct disk *d, const char *name);
  /* Calls fn for each name in a folder, in no order. */
  int (*list)(struct disk *d, const char *name, void (*fn)(void *arg, const char *entry),
              void *arg);
  /* A read-only descriptor of the same file for another process, to be closed by the caller, or
   * -ENOTSUP (the simulated disk), or -ESTALE when the file no longer has the name it was opened
   * by. */
  int (*share)(struct disk_file *f);
  /* Octets available to this process, or a negative errno. */
  int64_t (*free_space)(struct disk *d);
  /* Locks octets [at, at+n) for this open file until it is closed, without waiting: -EBUSY when any
   * other opening of the file, here or in another process, has locked some of them. The file must
   * be writable. NULL on a disk that no other process can reach. */
  int (*lock)(struct disk_file *f, uint64_t at, uint64_t n);
};

/* Opens the data folder at `path`; every name is resolved below it with openat2(2) or the
 * equivalent (no symbolic link is followed). NULL with *ret_errno set when it cannot be opened. */
struct disk *disk_posix_open(const char *path, int *ret_errno);
void disk_posix_close(struct disk **d);

#endif
