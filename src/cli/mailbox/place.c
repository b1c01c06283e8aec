/* SPDX-License-Identifier: ISC */
/* Opens files in folders where others can write (place.h has the rules). A path is walked name by
 * name, each opened relative to the folder before it with O_NOFOLLOW, and links are followed here,
 * after their owner was checked. Invariant: files are checked through their descriptor, never by
 * name, so nothing can be exchanged in between. */
#include "src/cli/mailbox/place.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum {
  LINKS_MAX = 40 /* as the kernel's own limit, path_resolution(7) */,
  READ_PIECE = 256 * 1024
};

const char *place_why(int error) {
  switch (error) {
  case ELOOP: return "it is a link";
  case EISDIR: return "it is a folder";
  case EINVAL: return "it is not a file";
  case EPERM: return "it belongs to somebody else than its folder";
  case EMLINK: return "it has other names, perhaps somebody else's";
  case EFBIG: return "it is too large";
  }
  return strerror(error);
}

/* --- the way to a name --- */

struct mailbox_form {
  int folder;          /* reached so far */
  char rest[PATH_MAX]; /* still to go */
  char name[NAME_MAX + 1];
  unsigned links;
};

static bool stopped(struct mailbox_form *w, int error) {
  if (w->folder >= 0) close(w->folder);
  w->folder = -1;
  errno = error;
  return false;
}

static bool step_to(struct mailbox_form *w, int fd) {
  if (w->folder >= 0) close(w->folder);
  w->folder = fd;
  return fd >= 0;
}

/* Takes the next name off the path. False: there is none, and w->name stays. */
static bool take_name(struct mailbox_form *w) {
  char *from = w->rest + strspn(w->rest, "/");
  size_t n = strcspn(from, "/");
  if (!n || n > NAME_MAX) return false;
  memcpy(w->name, from, n);
  w->name[n] = 0;
  memmove(w->rest, from + n, strlen(from + n) + 1);
  return true;
}

/* The link's text is prepended to the rest of the path. */
static bool follow(struct mailbox_form *w, int link, const struct stat *st) {
  char text[PATH_MAX], rest[PATH_MAX];
  ssize_t n = readlinkat(link, "", text, sizeof text - 1);
  int error = errno;
  close(link);
  if (n < 0) return stopped(w, error);
  text[n] = 0;
  if ((st->st_uid != 0 && st->st_uid != geteuid()) || ++w->links > LINKS_MAX)
    return stopped(w, ELOOP);
  if (snprintf(rest, sizeof rest, "%s/%s", text, w->rest) >= (int)sizeof rest)
    return stopped(w, ENAMETOOLONG);
  memcpy(w->rest, rest, sizeof rest);
  if (text[0] != '/') return true;
  return step_to(w, open("/", O_PATH | O_DIRECTORY | O_CLOEXEC)) || stopped(w, errno);
}

static bool is_last(const struct mailbox_form *w) { return w->rest[strspn(w->rest, "/")] == 0; }

/* One name further. *ret_there: the last name is in w->name, and is not a link. */
static bool step_into(struct mailbox_form *w, bool *ret_there) {
  struct stat st;
  if (!take_name(w)) return stopped(w, is_last(w) ? ENOENT : ENAMETOOLONG);
  int fd = openat(w->folder, w->name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
  if (fd < 0 && errno == ENOENT && is_last(w)) return *ret_there = true;
  if (fd < 0 || fstat(fd, &st) != 0) return stopped(w, errno);
  if (S_ISLNK(st.st_mode)) return follow(w, fd, &st);
  if (is_last(w)) {
    close(fd);
    return *ret_there = true;
  }
  return step_to(w, fd);
}

/* The folder that contains the last name of the path; -1 with errno. */
static int open_parent(const char *path, char name[static NAME_MAX + 1]) {
  struct mailbox_form w = { .folder =
                                open(*path == '/' ? "/" : ".", O_PATH | O_DIRECTORY | O_CLOEXEC) };
  bool there = false;
  if (w.folder < 0) return -1;
  if (snprintf(w.rest, sizeof w.rest, "%s", path) >= (int)sizeof w.rest)
    return stopped(&w, ENAMETOOLONG), -1;
  if (is_last(&w)) snprintf(w.rest, sizeof w.rest, "."); /* "/" itself */
  while (!there)
    if (!step_into(&w, &there)) return -1;
  memcpy(name, w.name, NAME_MAX + 1);
  return w.folder;
}

enum { ALWAYS = O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC };

static int refuse(int fd, int error) {
  if (fd >= 0) close(fd);
  errno = error;
  return -1;
}

static bool is_trusted(uid_t folder) { return folder == 0 || folder == geteuid(); }

int place_open(const char *path, int flags, mode_t mode) {
  char name[NAME_MAX + 1];
  struct stat above, st;
  int folder = open_parent(path, name),
      fd = folder < 0 ? -1 : openat(folder, name, flags | ALWAYS, mode);
  if (fd >= 0 && (fstat(folder, &above) != 0 || fstat(fd, &st) != 0)) fd = refuse(fd, errno);
  if (fd >= 0 && S_ISREG(st.st_mode) && st.st_nlink > 1 && !is_trusted(above.st_uid))
    fd = refuse(fd, EMLINK);
  int error = errno;
  if (folder >= 0) close(folder);
  errno = error;
  return fd;
}

/* --- files --- */

/* The descriptor, if it is a regular file. */
static int regular(int fd, struct stat *ret) {
  if (fd < 0) return -1;
  if (fstat(fd, ret) != 0) return refuse(fd, errno);
  if (S_ISDIR(ret->st_mode)) return refuse(fd, EISDIR);
  return S_ISREG(ret->st_mode) ? fd : refuse(fd, EINVAL);
}

/* One's own files are always opened; root's are what an attacker would want to have opened. */
static bool is_owners(uid_t file, uid_t folder) {
  return file == folder || (file == geteuid() && file != 0);
}

int place_open_file(const char *path, struct stat *ret) {
  char name[NAME_MAX + 1];
  struct stat above;
  int folder = open_parent(path, name);
  if (folder < 0) return -1;
  int fd = fstat(folder, &above) == 0 ? openat(folder, name, O_RDONLY | ALWAYS) : -1;
  fd = fd < 0 ? refuse(fd, errno) : regular(fd, ret);
  if (fd >= 0 && !is_trusted(above.st_uid) && !is_owners(ret->st_uid, above.st_uid))
    fd = refuse(fd, EPERM);
  int error = errno;
  close(folder);
  errno = error;
  return fd;
}

int place_open_in(int folder, const char *name, uid_t owner, struct stat *ret) {
  int fd = regular(openat(folder, name, O_RDONLY | ALWAYS), ret);
  return fd >= 0 && !is_owners(ret->st_uid, owner) ? refuse(fd, EPERM) : fd;
}

int place_open_folder_in(int folder, const char *name, uid_t owner, uid_t *ret_owner) {
  struct stat st;
  int fd = openat(folder, name, O_RDONLY | O_DIRECTORY | ALWAYS);
  if (fd < 0) return -1;
  if (fstat(fd, &st) != 0) return refuse(fd, errno);
  *ret_owner = st.st_uid;
  return st.st_uid == owner || is_trusted(st.st_uid) ? fd : refuse(fd, EPERM);
}

int place_make_folder(const char *path, mode_t mode, uid_t *ret_owner) {
  char name[NAME_MAX + 1];
  struct stat st;
  int above = open_parent(path, name);
  if (above < 0) return -1;
  int fd = -1;
  if (mkdirat(above, name, mode) == 0 || errno == EEXIST)
    fd = openat(above, name, O_RDONLY | O_DIRECTORY | ALWAYS);
  if (fd >= 0 && fstat(fd, &st) != 0) fd = refuse(fd, errno);
  int error = errno;
  close(above);
  errno = error;
  if (fd >= 0) *ret_owner = st.st_uid;
  return fd;
}

bool place_read(int fd, struct buf *to) {
  for (;;) {
    size_t room = buf_room(to) < READ_PIECE ? buf_room(to) : READ_PIECE;
    uint8_t over = 0, *at = room ? buf_reserve(to, room) : &over;
    if (!at) return errno = ENOMEM, false;
    ssize_t n = read(fd, at, room ? room : 1);
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return n == 0;
    if (!room) return errno = EFBIG, false;
    buf_added(to, (size_t)n);
  }
}
