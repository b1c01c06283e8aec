/* SPDX-License-Identifier: ISC */
/* The real disk: everything below one folder, which is held open.
 *
 *   1. A name never leads out of the folder and never through a symbolic link: openat2(2) with
 *      RESOLVE_BENEATH and RESOLVE_NO_SYMLINKS opens files and, for the calls that work on names,
 *      the folder a name is in. Where the kernel has no openat2 (ENOSYS) each component is
 *      opened by itself with O_NOFOLLOW.
 *   2. A sync is tried once. If it fails for whatever reason, the file (or, for sync_all, the disk)
 *      is poisoned: Linux reports a failed write-back once, drops the octets and marks the pages
 *      clean, so a second fsync would succeed falsely. The clean pages are dropped from the
 *      cache, so that the next opening of the file reads what the disk has.
 *   3. Files are 0600, folders 0700, whatever the umask allows.
 *   4. Files are examined only by descriptor, never by name: the sandbox does not allow stat(2)
 *      of a path, which Landlock does not restrict (runtime/sandbox/profiles.c).
 *
 * struct disk_file keeps its name only to open it once more, read-only, for another process. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "lib/base/fd.h"
#include "lib/disk/disk.h"

/* Long enough for every name the server makes, with room; a longer one is a mistake. */
enum { NAME_LONGEST = 255, LIST_OCTETS = 32 * 1024 };

struct disk_posix {
  struct disk disk; /* first: a struct disk * is a struct disk_posix * */
  int fd;
  atomic_bool poisoned;
};

struct disk_file {
  struct disk_posix *on;
  int fd;
  bool writable;
  atomic_bool poisoned;
  char name[];
};

static struct disk_posix *posix_of(struct disk *d) { return (struct disk_posix *)(void *)d; }

/* A full quota is a full disk to us; so is the process's own limit of file size. */
static int failed(void) { return errno == EDQUOT || errno == EFBIG ? -ENOSPC : -errno; }

/* -- names -- */

static bool good_octet(int c) {
  return ascii_is_alnum(c) || c == '.' || c == '_' || c == '-' || c == '/';
}

static bool good_name(struct slice name) {
  if (name.n == 0 || name.n > NAME_LONGEST) return false;
  for (size_t i = 0; i < name.n; i++)
    if (!good_octet(name.p[i])) return false;
  while (name.p) {
    struct slice part = slice_split(&name, '/');
    if (part.n == 0 || slice_eq(part, SLICE("..")) || slice_eq(part, SLICE("."))) return false;
  }
  return true;
}

/* One component at a time, each without following a link. */
static int open_by_parts(int root, const char *name, int flags) {
  char path[NAME_LONGEST + 1];
  struct slice rest = slice_str(name);
  int dir = root;
  while (slice_find(rest, '/') >= 0) {
    struct slice part = slice_split(&rest, '/');
    memcpy(path, part.p, part.n);
    path[part.n] = 0;
    int next = openat(dir, path, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    int e = errno;
    if (dir != root) close(dir);
    errno = e;
    if (next < 0) return -1;
    dir = next;
  }
  int fd = openat(dir, (const char *)rest.p, flags | O_NOFOLLOW | O_CLOEXEC, 0600);
  int e = errno;
  if (dir != root) close(dir);
  errno = e;
  return fd;
}

/* A descriptor or a negative errno. `name` was found good, or is ".". */
static int open_below(struct disk_posix *d, const char *name, int flags) {
  struct open_how how = { .flags = (uint64_t)(flags | O_CLOEXEC),
                          .mode = flags & O_CREAT ? 0600 : 0,
                          .resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS };
  int fd;
  do {
    fd = (int)syscall(SYS_openat2, d->fd, name, &how, sizeof how);
    /* EAGAIN: a rename somewhere in the file system came between. */
  } while (fd < 0 && (errno == EINTR || errno == EAGAIN));
  if (fd < 0 && errno == ENOSYS) fd = open_by_parts(d->fd, name, flags);
  return fd < 0 ? failed() : fd;
}

/* The folder a name is in, and what is left of the name. */
struct disk_place {
  int fd;
  bool own; /* fd is to be closed */
  char leaf[NAME_LONGEST + 1];
};

static int place_of(struct disk_posix *d, const char *name, struct disk_place *ret) {
  struct slice s = slice_str(name);
  if (!good_name(s)) return -EINVAL;
  ptrdiff_t cut = slice_rfind(s, '/');
  struct slice leaf = slice_from(s, (size_t)(cut + 1));
  memcpy(ret->leaf, leaf.p, leaf.n);
  ret->leaf[leaf.n] = 0;
  ret->fd = d->fd;
  ret->own = cut >= 0;
  if (!ret->own) return 0;
  char folder[NAME_LONGEST + 1];
  memcpy(folder, s.p, (size_t)cut);
  folder[cut] = 0;
  ret->fd = open_below(d, folder, O_PATH | O_DIRECTORY);
  return ret->fd < 0 ? ret->fd : 0;
}

static void place_done(struct disk_place *p) {
  if (p->own) close(p->fd);
}

/* -- files -- */

static int posix_open(struct disk *disk, const char *name, enum disk_open how,
                      struct disk_file **ret) {
  static const int flags[] = { [DISK_READ] = O_RDONLY,
                               [DISK_WRITE] = O_RDWR | O_CREAT,
                               [DISK_CREATE] = O_RDWR | O_CREAT | O_EXCL };
  struct disk_posix *d = posix_of(disk);
  size_t n = strlen(name);
  if (!good_name(slice_of(name, n))) return -EINVAL;
  struct disk_file *f = calloc(1, sizeof *f + n + 1);
  if (!f) return -ENOMEM;
  /* O_NONBLOCK: a FIFO in that place must not block us; it has no effect on a file. */
  f->fd = open_below(d, name, flags[how] | O_NOCTTY | O_NONBLOCK);
  struct stat st;
  bool ours = how == DISK_CREATE; /* what O_EXCL made is a file */
  int e = f->fd < 0             ? f->fd
          : ours                ? 0
          : fd_stat(f->fd, &st) ? -errno
          : S_ISREG(st.st_mode) ? 0
                                : -EINVAL;
  if (e) {
    if (f->fd >= 0) close(f->fd);
    free(f);
    return e;
  }
  f->on = d;
  f->writable = how != DISK_READ;
  memcpy(f->name, name, n + 1);
  *ret = f;
  return 0;
}

static void posix_close(struct disk_file **f) {
  if (!*f) return;
  close((*f)->fd);
  free(*f);
  *f = NULL;
}

static int64_t posix_read(struct disk_file *f, void *to, size_t n, uint64_t at) {
  size_t done = 0;
  while (done < n) {
    ssize_t got = pread(f->fd, (uint8_t *)to + done, n - done, (off_t)(at + done));
    if (got == 0) break;
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return -errno;
    done += (size_t)got;
  }
  return (int64_t)done;
}

/* A full disk may have room later; anything else makes the file one not to be written again. */
static int write_failed(struct disk_file *f) {
  int e = failed();
  if (e != -ENOSPC) atomic_store(&f->poisoned, true);
  return e;
}

static int posix_write(struct disk_file *f, struct slice s, uint64_t at) {
  if (atomic_load(&f->poisoned)) return -EIO;
  while (s.n > 0) {
    ssize_t put = pwrite(f->fd, s.p, s.n, (off_t)at);
    if (put < 0 && errno == EINTR) continue;
    if (put < 0) return write_failed(f);
    s = slice_from(s, (size_t)put);
    at += (uint64_t)put;
  }
  return 0;
}

static int posix_truncate(struct disk_file *f, uint64_t size) {
  if (atomic_load(&f->poisoned)) return -EIO;
  int e;
  do e = ftruncate(f->fd, (off_t)size);
  while (e && errno == EINTR);
  return e ? write_failed(f) : 0;
}

static int64_t posix_size(struct disk_file *f) {
  struct stat st;
  return fd_stat(f->fd, &st) ? -errno : (int64_t)st.st_size;
}

static int posix_sync(struct disk_file *f) {
  if (atomic_load(&f->poisoned)) return -EIO;
  if (fdatasync(f->fd) == 0) return 0;
  atomic_store(&f->poisoned, true);
  posix_fadvise(f->fd, 0, 0, POSIX_FADV_DONTNEED);
  return -EIO;
}

static int posix_sync_all(struct disk *disk) {
  struct disk_posix *d = posix_of(disk);
  if (atomic_load(&d->poisoned)) return -EIO;
  if (syncfs(d->fd) == 0) return 0;
  atomic_store(&d->poisoned, true);
  return -EIO;
}

/* For a file opened read-only the descriptor itself serves. Otherwise it is opened again by name,
 * and only if the name still means the same file: a writable descriptor never leaves the process.
 */
static int posix_share(struct disk_file *f) {
  if (!f->writable) {
    int same = fcntl(f->fd, F_DUPFD_CLOEXEC, 0);
    return same < 0 ? -errno : same;
  }
  int fd = open_below(f->on, f->name, O_RDONLY | O_NOCTTY | O_NONBLOCK);
  if (fd < 0) return fd == -ENOENT ? -ESTALE : fd;
  struct stat ours, found;
  if (fd_stat(f->fd, &ours) == 0 && fd_stat(fd, &found) == 0 && ours.st_dev == found.st_dev &&
      ours.st_ino == found.st_ino)
    return fd;
  close(fd);
  return -ESTALE;
}

/* A lock of the open file description: it conflicts with the locks of other processes like a POSIX
 * lock (sqlite3 takes those), but is not lost when some other descriptor of the file is closed. */
static int posix_lock(struct disk_file *f, uint64_t at, uint64_t n) {
  struct flock l = {
    .l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = (off_t)at, .l_len = (off_t)n
  };
  if (fcntl(f->fd, F_OFD_SETLK, &l) == 0) return 0;
  return errno == EAGAIN || errno == EACCES ? -EBUSY : -errno;
}

/* -- names in folders -- */

static int posix_rename(struct disk *disk, const char *from, const char *to) {
  struct disk_posix *d = posix_of(disk);
  struct disk_place a, b;
  int e = place_of(d, from, &a);
  if (e) return e;
  e = place_of(d, to, &b);
  if (!e) {
    e = renameat(a.fd, a.leaf, b.fd, b.leaf) ? failed() : 0;
    place_done(&b);
  }
  place_done(&a);
  return e;
}

static int posix_remove(struct disk *disk, const char *name) {
  struct disk_place p;
  int e = place_of(posix_of(disk), name, &p);
  if (e) return e;
  e = unlinkat(p.fd, p.leaf, 0) ? failed() : 0;
  place_done(&p);
  return e;
}

/* 0, or a negative errno. The link itself where it is one. */
static int look_at(const struct disk_place *p, struct stat *ret) {
  int fd = openat(p->fd, p->leaf, O_PATH | O_NOFOLLOW | O_CLOEXEC);
  if (fd < 0) return -errno;
  int e = fd_stat(fd, ret) ? -errno : 0;
  close(fd);
  return e;
}

static int posix_exists(struct disk *disk, const char *name) {
  struct disk_place p;
  struct stat st;
  int e = place_of(posix_of(disk), name, &p);
  if (e) return e == -ENOENT ? 0 : e;
  e = look_at(&p, &st);
  place_done(&p);
  return e == 0 ? 1 : e == -ENOENT ? 0 : e;
}

static int posix_make_dir(struct disk *disk, const char *name) {
  struct disk_place p;
  struct stat st;
  int e = place_of(posix_of(disk), name, &p);
  if (e) return e;
  if (mkdirat(p.fd, p.leaf, 0700) != 0) e = failed();
  if (e == -EEXIST && look_at(&p, &st) == 0 && S_ISDIR(st.st_mode)) e = 0;
  place_done(&p);
  return e;
}

static int open_folder(struct disk *disk, const char *name) {
  struct slice s = slice_str(name);
  if (!slice_eq(s, SLICE(".")) && !good_name(s)) return -EINVAL;
  return open_below(posix_of(disk), name, O_RDONLY | O_DIRECTORY);
}

static int posix_sync_dir(struct disk *disk, const char *name) {
  struct disk_posix *d = posix_of(disk);
  if (atomic_load(&d->poisoned)) return -EIO;
  int fd = open_folder(disk, name);
  if (fd < 0) return fd;
  int e = fsync(fd) ? -EIO : 0;
  if (e) atomic_store(&d->poisoned, true);
  close(fd);
  return e;
}

static void list_entries(const char *mem, ssize_t n, void (*fn)(void *arg, const char *entry),
                         void *arg) {
  for (ssize_t at = 0; at < n;) {
    const struct dirent64 *entry = (const struct dirent64 *)(const void *)(mem + at);
    if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0) fn(arg, entry->d_name);
    at += entry->d_reclen;
  }
}

static int posix_list(struct disk *disk, const char *name, void (*fn)(void *arg, const char *entry),
                      void *arg) {
  int fd = open_folder(disk, name);
  if (fd < 0) return fd;
  char *mem = malloc(LIST_OCTETS);
  ssize_t n = -1;
  errno = ENOMEM;
  while (mem && (n = getdents64(fd, mem, LIST_OCTETS)) > 0) list_entries(mem, n, fn, arg);
  int e = n < 0 ? -errno : 0;
  free(mem);
  close(fd);
  return e;
}

static int64_t posix_free_space(struct disk *disk) {
  struct statvfs v;
  if (fstatvfs(posix_of(disk)->fd, &v)) return -errno;
  return (int64_t)(v.f_bavail * v.f_frsize);
}

static const struct disk_ops posix_ops = {
  .open = posix_open,
  .close = posix_close,
  .read = posix_read,
  .write = posix_write,
  .truncate = posix_truncate,
  .size = posix_size,
  .sync = posix_sync,
  .sync_all = posix_sync_all,
  .rename = posix_rename,
  .remove = posix_remove,
  .exists = posix_exists,
  .make_dir = posix_make_dir,
  .sync_dir = posix_sync_dir,
  .list = posix_list,
  .share = posix_share,
  .free_space = posix_free_space,
  .lock = posix_lock,
};

struct disk *disk_posix_open(const char *path, int *ret_errno) {
  struct disk_posix *d = calloc(1, sizeof *d);
  if (!d) {
    *ret_errno = ENOMEM;
    return NULL;
  }
  d->disk.ops = &posix_ops;
  d->fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (d->fd < 0) {
    *ret_errno = errno;
    free(d);
    return NULL;
  }
  return &d->disk;
}

void disk_posix_close(struct disk **disk) {
  if (!*disk) return;
  struct disk_posix *d = posix_of(*disk);
  close(d->fd);
  free(d);
  *disk = NULL;
}
