/* SPDX-License-Identifier: ISC */
/* `qasid restore`: makes a data folder from a backup. Everything is unpacked and synced beside its
 * final place first, then renamed, so that a partly restored folder is never taken for a complete
 * one. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/base/fd.h"
#include "lib/tar/tar.h"
#include "src/cli/admin/commands.h"
#include "src/cli/link/link.h"

enum { READ_SIZE = 64 * 1024 };

struct restore {
  int from, to; /* the archive, the new folder */
  const char *user;
  char folder[1200];
  bool roles[ROLE_COUNT]; /* roles found in it */
  uint64_t files;
};

static int trouble(const char *what) {
  return cli_fail(CLI_EXIT_IO, "%s: %s", what, strerror(errno));
}

/* Exactly `n` octets. False at an early end, with errno 0, or an error. */
static bool read_all(int fd, void *to, size_t n) {
  for (size_t got = 0; got < n;) {
    ssize_t r = read(fd, (uint8_t *)to + got, n - got);
    if (r < 0 && errno == EINTR) continue;
    if (r == 0) errno = 0;
    if (r <= 0) return false;
    got += (size_t)r;
  }
  return true;
}

/* --- the owners of the files --- */

/* The same choice as the parent's when it is root (src/parent/setup.c): <user>-<process>, else
 * <user>, else a number of its own. */
static bool owner_of(const struct restore *r, enum role kind, uid_t *ret_uid, gid_t *ret_gid) {
  enum { IDENTITY_BASE = 64240 };
  char name[80];
  if (geteuid() != 0) return false;
  snprintf(name, sizeof name, "%s-%s", r->user, role_name(kind));
  struct passwd *pw = getpwnam(name);
  if (!pw) pw = getpwnam(r->user);
  *ret_uid = pw ? pw->pw_uid : (uid_t)(IDENTITY_BASE + kind);
  *ret_gid = pw ? pw->pw_gid : (gid_t)(IDENTITY_BASE + kind);
  return true;
}

/* The role whose folder contains the path; ROLE_COUNT: none. */
static enum role role_of(const char *path) {
  struct slice rest = slice_str(path), first = slice_split(&rest, '/');
  if (slice_eq(first, slice_str(role_name(ROLE_STORE)))) return ROLE_STORE;
  if (slice_eq(first, slice_str(role_name(ROLE_AUTH)))) return ROLE_AUTH;
  return ROLE_COUNT;
}

static bool give_away(const struct restore *r, int fd, enum role kind) {
  uid_t uid;
  gid_t gid;
  return !owner_of(r, kind, &uid, &gid) || fchown(fd, uid, gid) == 0;
}

/* --- unpacking --- */

static bool make_folder(struct restore *r, const char *path, enum role kind) {
  if (mkdirat(r->to, path, 0700) != 0) return errno == EEXIST;
  int fd = openat(r->to, path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
  bool ok = fd >= 0 && give_away(r, fd, kind);
  if (fd >= 0) close(fd);
  return ok;
}

/* Creates every folder above the file, from the outermost on. */
static bool make_folders(struct restore *r, const char *path, enum role kind) {
  char part[TAR_PATH_MAX + 1];
  for (size_t i = 1; path[i]; i++) {
    if (path[i] != '/') continue;
    memcpy(part, path, i);
    part[i] = 0;
    if (!make_folder(r, part, kind)) return false;
  }
  return true;
}

static bool copy_octets(struct restore *r, int fd, uint64_t size) {
  uint8_t block[READ_SIZE];
  while (size) {
    size_t n = size < sizeof block ? (size_t)size : sizeof block;
    if (!read_all(r->from, block, n) || !fd_write_all(fd, slice_of(block, n))) return false;
    size -= n;
  }
  return true;
}

static int unpack_file(struct restore *r, const struct tar_entry *e, enum role kind) {
  uint8_t padding[TAR_BLOCK];
  if (!make_folders(r, e->path, kind)) return trouble(e->path);
  int fd = openat(r->to, e->path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
  bool ok = fd >= 0 && copy_octets(r, fd, e->size) && give_away(r, fd, kind);
  if (fd >= 0 && close(fd) != 0) ok = false;
  if (!ok && errno) return trouble(e->path);
  if (!ok || !read_all(r->from, padding, tar_padding(e->size)))
    return cli_fail(CLI_EXIT_DATA, "the backup ends inside %s", e->path);
  r->files++;
  return CLI_EXIT_OK;
}

static int unpack_entry(struct restore *r, const struct tar_entry *e) {
  enum role kind = role_of(e->path);
  if (kind == ROLE_COUNT)
    return cli_fail(CLI_EXIT_DATA, "%s: this is not a backup made by qasid", e->path);
  r->roles[kind] = true;
  if (!e->folder) return unpack_file(r, e, kind);
  return make_folders(r, e->path, kind) && make_folder(r, e->path, kind) ? CLI_EXIT_OK
                                                                         : trouble(e->path);
}

static int unpack(struct restore *r) {
  uint8_t block[TAR_BLOCK];
  struct tar_entry e;
  for (;;) {
    if (!read_all(r->from, block, sizeof block))
      return cli_fail(CLI_EXIT_DATA, "the backup has no end: it is not whole");
    enum tar_read what = tar_read_header(block, &e);
    if (what == TAR_BAD)
      return cli_fail(CLI_EXIT_DATA, "this is not a backup made by qasid, or it is damaged");
    if (what == TAR_END) break;
    int code = unpack_entry(r, &e);
    if (code != CLI_EXIT_OK) return code;
  }
  if (!r->roles[ROLE_STORE] || !r->roles[ROLE_AUTH])
    return cli_fail(CLI_EXIT_DATA, "the backup has not both mail and accounts");
  return CLI_EXIT_OK;
}

/* --- into its place --- */

/* True if the place is free: no folder, or an empty one. */
static bool is_free(const char *path) {
  DIR *d = opendir(path);
  if (!d) return errno == ENOENT;
  int entries = 0;
  while (readdir(d)) entries++;
  closedir(d);
  return entries <= 2;
}

static bool sync_parent(const char *path) {
  char above[1200];
  snprintf(above, sizeof above, "%s", path);
  char *slash = strrchr(above, '/');
  if (slash && slash > above)
    *slash = 0;
  else
    snprintf(above, sizeof above, "%s", slash ? "/" : ".");
  int fd = open(above, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  bool ok = fd >= 0 && fsync(fd) == 0;
  if (fd >= 0) close(fd);
  return ok;
}

static int restore_to(struct restore *r, const char *place) {
  int n = snprintf(r->folder, sizeof r->folder, "%s.restoring", place);
  if (n < 0 || (size_t)n >= sizeof r->folder)
    return cli_fail(CLI_EXIT_USAGE, "%s: the path is too long", place);
  if (!is_free(place))
    return cli_fail(CLI_EXIT_EXISTS,
                    "%s is not empty; move it away, or name another folder with --to", place);
  if (mkdir(r->folder, geteuid() == 0 ? 0755 : 0700) != 0) return trouble(r->folder);
  r->to = open(r->folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (r->to < 0) return trouble(r->folder);
  int code = unpack(r);
  if (code == CLI_EXIT_OK &&
      (syncfs(r->to) != 0 || rename(r->folder, place) != 0 || !sync_parent(place)))
    code = trouble(place);
  if (code != CLI_EXIT_OK)
    fprintf(stderr, "qasid: what was unpacked so far is in %s\n", r->folder);
  else
    fprintf(stderr, "%llu files are in %s\n", (unsigned long long)r->files, place);
  close(r->to);
  return code;
}

int cmd_restore(struct cli *c) {
  const char *to = cli_given(c, "to"), *file = c->args[0];
  const struct conf *conf = cli_conf(c);
  if (!conf) return CLI_EXIT_CONFIG;
  if (!to && link_probe(c))
    return cli_fail(CLI_EXIT_EXISTS, "the server runs; `qasid stop` stops it");
  struct restore r = { .user = conf->user };
  r.from = strcmp(file, "-") == 0 ? dup(STDIN_FILENO) : open(file, O_RDONLY | O_CLOEXEC);
  if (r.from < 0) return cli_fail(CLI_EXIT_NO_INPUT, "%s: %s", file, strerror(errno));
  int code = restore_to(&r, to ? to : conf->data_dir);
  close(r.from);
  return code;
}
