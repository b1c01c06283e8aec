/* SPDX-License-Identifier: ISC */
/* The real disk, in a fresh folder: names stay below it, contents, sync, locks. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <signal.h>

#include "lib/base/buf.h"
#include "lib/disk/disk.h"

struct fixture {
  char path[64];
  struct disk *d;
};

static int set_up(void **state) {
  static struct fixture f;
  snprintf(f.path, sizeof f.path, "/tmp/qasid-disk-XXXXXX");
  if (!mkdtemp(f.path)) return -1;
  int e;
  f.d = disk_posix_open(f.path, &e);
  *state = &f;
  return f.d ? 0 : -1;
}

static int tear_down(void **state) {
  struct fixture *f = *state;
  disk_posix_close(&f->d);
  char command[96];
  snprintf(command, sizeof command, "rm -rf %s", f->path);
  return system(command);
}

static struct disk_file *must_open(struct disk *d, const char *name, enum disk_open how) {
  struct disk_file *f = NULL;
  assert_int_equal(d->ops->open(d, name, how, &f), 0);
  return f;
}

static void make(struct disk *d, const char *name, const char *text) {
  struct disk_file *f = must_open(d, name, DISK_CREATE);
  assert_int_equal(d->ops->write(f, slice_str(text), 0), 0);
  assert_int_equal(d->ops->sync(f), 0);
  d->ops->close(&f);
  assert_null(f);
}

static void contents(void **state) {
  struct disk *d = ((struct fixture *)*state)->d;
  struct disk_file *f = NULL;
  assert_int_equal(d->ops->open(d, "a", DISK_READ, &f), -ENOENT);
  f = must_open(d, "a", DISK_CREATE);
  struct disk_file *again = NULL;
  assert_int_equal(d->ops->open(d, "a", DISK_CREATE, &again), -EEXIST);
  assert_int_equal(d->ops->write(f, SLICE("hello"), 0), 0);
  assert_int_equal(d->ops->write(f, SLICE("there"), 8), 0);
  assert_int_equal(d->ops->size(f), 13);
  char got[20];
  assert_int_equal(d->ops->read(f, got, sizeof got, 0), 13);
  assert_memory_equal(got, "hello\0\0\0there", 13);
  assert_int_equal(d->ops->read(f, got, 4, 100), 0);
  assert_int_equal(d->ops->truncate(f, 5), 0);
  assert_int_equal(d->ops->size(f), 5);
  assert_int_equal(d->ops->sync(f), 0);
  assert_int_equal(d->ops->sync_dir(d, "."), 0);
  assert_int_equal(d->ops->sync_all(d), 0);
  d->ops->close(&f);
  f = must_open(d, "a", DISK_READ);
  assert_int_equal(d->ops->write(f, SLICE("x"), 0), -EBADF);
  d->ops->close(&f);
  assert_true(d->ops->free_space(d) > 0);
}

static void bad_names(void **state) {
  struct disk *d = ((struct fixture *)*state)->d;
  static const char *const bad[] = { "",       "/",    "/etc/passwd", "..",       "../x",
                                     "a/../b", "a//b", "a/",          "./a",      "a/./b",
                                     "a b",    "a\nb", "a:b",         "\303\244", "a\\b" };
  for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
    struct disk_file *f = NULL;
    assert_int_equal(d->ops->open(d, bad[i], DISK_WRITE, &f), -EINVAL);
    assert_int_equal(d->ops->remove(d, bad[i]), -EINVAL);
    assert_int_equal(d->ops->rename(d, "x", bad[i]), -EINVAL);
    assert_int_equal(d->ops->make_dir(d, bad[i]), -EINVAL);
    assert_int_equal(d->ops->exists(d, bad[i]), -EINVAL);
  }
  char longest[300] = { 0 };
  memset(longest, 'a', 256);
  assert_int_equal(d->ops->exists(d, longest), -EINVAL);
  assert_int_equal(d->ops->exists(d, "a..b"), 0);
}

/* A symbolic link is never followed, as a file or as a folder, inside the data folder or out of it.
 */
static void links(void **state) {
  struct fixture *fx = *state;
  struct disk *d = fx->d;
  char path[128];
  assert_int_equal(d->ops->make_dir(d, "real"), 0);
  make(d, "real/file", "x");
  snprintf(path, sizeof path, "%s/link", fx->path);
  assert_int_equal(symlink("real/file", path), 0);
  snprintf(path, sizeof path, "%s/folder", fx->path);
  assert_int_equal(symlink("real", path), 0);
  snprintf(path, sizeof path, "%s/out", fx->path);
  assert_int_equal(symlink("/tmp", path), 0);
  struct disk_file *f = NULL;
  assert_int_equal(d->ops->open(d, "link", DISK_READ, &f), -ELOOP);
  assert_int_equal(d->ops->open(d, "folder/file", DISK_READ, &f), -ELOOP);
  assert_int_equal(d->ops->open(d, "out/file", DISK_WRITE, &f), -ELOOP);
  assert_int_equal(d->ops->remove(d, "folder/file"), -ELOOP);
  assert_int_equal(d->ops->rename(d, "real/file", "out/file"), -ELOOP);
  assert_int_equal(d->ops->make_dir(d, "out/folder"), -ELOOP);
  assert_int_equal(d->ops->exists(d, "real/file"), 1);
}

static void fifo_is_refused(void **state) {
  struct fixture *fx = *state;
  char path[128];
  snprintf(path, sizeof path, "%s/fifo", fx->path);
  assert_int_equal(mkfifo(path, 0600), 0);
  struct disk_file *f = NULL;
  assert_true(fx->d->ops->open(fx->d, "fifo", DISK_READ, &f) < 0);
  assert_true(fx->d->ops->open(fx->d, "fifo", DISK_WRITE, &f) < 0);
}

static void collect(void *arg, const char *entry) {
  struct buf *b = arg;
  buf_put_str(b, entry);
  buf_put_u8(b, ' ');
}

static void folders(void **state) {
  struct disk *d = ((struct fixture *)*state)->d;
  assert_int_equal(d->ops->make_dir(d, "q"), 0);
  assert_int_equal(d->ops->make_dir(d, "q"), 0);
  assert_int_equal(d->ops->make_dir(d, "no/such"), -ENOENT);
  make(d, "q/one", "1");
  assert_int_equal(d->ops->make_dir(d, "q/one"), -EEXIST);
  assert_int_equal(d->ops->rename(d, "q/one", "q/two"), 0);
  assert_int_equal(d->ops->exists(d, "q/one"), 0);
  assert_int_equal(d->ops->exists(d, "q/two"), 1);
  assert_int_equal(d->ops->exists(d, "nowhere/two"), 0);
  struct buf b;
  buf_init(&b, 1000);
  assert_int_equal(d->ops->list(d, "q", collect, &b), 0);
  assert_string_equal(buf_cstr(&b), "two ");
  buf_reset(&b);
  assert_int_equal(d->ops->list(d, ".", collect, &b), 0);
  assert_string_equal(buf_cstr(&b), "q ");
  buf_free(&b);
  assert_int_equal(d->ops->sync_dir(d, "q"), 0);
  assert_int_equal(d->ops->remove(d, "q"), -EISDIR);
  assert_int_equal(d->ops->remove(d, "q/two"), 0);
  assert_int_equal(d->ops->remove(d, "q/two"), -ENOENT);
}

static void modes(void **state) {
  struct fixture *fx = *state;
  mode_t old = umask(0);
  make(fx->d, "file", "x");
  assert_int_equal(fx->d->ops->make_dir(fx->d, "folder"), 0);
  umask(old);
  struct stat st;
  char path[128];
  snprintf(path, sizeof path, "%s/file", fx->path);
  assert_int_equal(stat(path, &st), 0);
  assert_int_equal(st.st_mode & 07777, 0600);
  snprintf(path, sizeof path, "%s/folder", fx->path);
  assert_int_equal(stat(path, &st), 0);
  assert_int_equal(st.st_mode & 07777, 0700);
}

static void shared_is_read_only(void **state) {
  struct disk *d = ((struct fixture *)*state)->d;
  struct disk_file *f = must_open(d, "s", DISK_CREATE);
  assert_int_equal(d->ops->write(f, SLICE("abc"), 0), 0);
  int fd = d->ops->share(f);
  assert_true(fd >= 0);
  char got[3];
  assert_int_equal(pread(fd, got, 3, 0), 3);
  assert_int_equal(pwrite(fd, "x", 1, 0), -1);
  assert_true(fcntl(fd, F_GETFD) & FD_CLOEXEC);
  close(fd);
  make(d, "other", "z");
  assert_int_equal(d->ops->rename(d, "other", "s"), 0);
  assert_int_equal(d->ops->share(f), -ESTALE);
  d->ops->close(&f);
  f = must_open(d, "s", DISK_READ);
  fd = d->ops->share(f);
  assert_int_equal(pwrite(fd, "x", 1, 0), -1);
  close(fd);
  d->ops->close(&f);
}

/* A lock is between openings, here and in other processes, and against POSIX locks. */
static void locks(void **state) {
  struct fixture *fx = *state;
  struct disk *d = fx->d;
  struct disk_file *a = must_open(d, "l", DISK_CREATE), *b = must_open(d, "l", DISK_WRITE);
  assert_int_equal(d->ops->lock(a, 100, 10), 0);
  assert_int_equal(d->ops->lock(b, 109, 10), -EBUSY);
  assert_int_equal(d->ops->lock(b, 110, 10), 0);
  char path[128];
  snprintf(path, sizeof path, "%s/l", fx->path);
  int fd = open(path, O_RDWR | O_CLOEXEC);
  struct flock l = { .l_type = F_RDLCK, .l_whence = SEEK_SET, .l_start = 105, .l_len = 1 };
  assert_int_equal(fcntl(fd, F_SETLK, &l), -1);
  close(fd); /* drops POSIX locks of the process; ours must stay */
  struct disk_file *c = must_open(d, "l", DISK_WRITE);
  assert_int_equal(d->ops->lock(c, 100, 1), -EBUSY);
  d->ops->close(&a);
  assert_int_equal(d->ops->lock(c, 100, 1), 0);
  d->ops->close(&b);
  d->ops->close(&c);
}

/* A write that the kernel cuts short and then refuses: the process's limit of file size. */
static void full(void **state) {
  struct disk *d = ((struct fixture *)*state)->d;
  struct disk_file *f = must_open(d, "big", DISK_CREATE);
  struct rlimit was, small = { 1000, RLIM_INFINITY };
  assert_int_equal(getrlimit(RLIMIT_FSIZE, &was), 0);
  signal(SIGXFSZ, SIG_IGN);
  small.rlim_max = was.rlim_max;
  assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
  char data[2000] = { 0 };
  int e = d->ops->write(f, slice_of(data, sizeof data), 0);
  assert_int_equal(setrlimit(RLIMIT_FSIZE, &was), 0);
  assert_int_equal(e, -ENOSPC);
  assert_int_equal(d->ops->size(f), 1000);
  assert_int_equal(d->ops->write(f, slice_of(data, sizeof data), 0), 0);
  d->ops->close(&f);
}

/* A sync that fails is not tried again. /dev/full and friends are no regular files, so the file's
 * descriptor is closed behind its back: fdatasync fails with EBADF once, and then works again. */
static void failed_sync_poisons(void **state) {
  struct fixture *fx = *state;
  struct disk *d = fx->d;
  int next = dup(0); /* the number that the file will get */
  close(next);
  struct disk_file *f = must_open(d, "p", DISK_CREATE);
  assert_int_equal(d->ops->write(f, SLICE("abc"), 0), 0);
  int spare = dup(next);
  close(next);
  assert_int_equal(d->ops->sync(f), -EIO);
  assert_int_equal(dup2(spare, next), next);
  close(spare);
  assert_int_equal(d->ops->sync(f), -EIO);
  assert_int_equal(d->ops->write(f, SLICE("abc"), 0), -EIO);
  assert_int_equal(d->ops->truncate(f, 0), -EIO);
  char got[3];
  assert_int_equal(d->ops->read(f, got, 3, 0), 3);
  d->ops->close(&f);
  f = must_open(d, "p", DISK_WRITE);
  assert_int_equal(d->ops->sync(f), 0);
  d->ops->close(&f);
}

static void no_such_folder(void **state) {
  int e = 0;
  assert_null(disk_posix_open("/nonexistent/folder", &e));
  assert_int_equal(e, ENOENT);
}

#define WITH_DISK(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void) {
  const struct CMUnitTest tests[] = {
    WITH_DISK(contents),
    WITH_DISK(bad_names),
    WITH_DISK(links),
    WITH_DISK(fifo_is_refused),
    WITH_DISK(folders),
    WITH_DISK(modes),
    WITH_DISK(shared_is_read_only),
    WITH_DISK(locks),
    WITH_DISK(full),
    WITH_DISK(failed_sync_poisons),
    cmocka_unit_test(no_such_folder),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
