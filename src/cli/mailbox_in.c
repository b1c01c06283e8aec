/* The octets of a mailbox are mapped, not copied; a mailbox of many gigabytes is read with little
 * memory. Nothing else may shorten a file meanwhile. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "src/cli/mailbox.h"
#include "src/cli/mbox.h"
#include "src/cli/uidls.h"

enum { IN_MEMORY_MAX = 1024 * 1024 * 1024 };

struct mailbox_in {
  struct uidl_list uidls;
  bool has_uidls;
  struct arena mem;
  size_t at;         /* how many messages were given */
  struct slice rest; /* mbox: what is still to be read */
  struct slice map;  /* the mbox, or the Maildir's present file */
  int folder;        /* Maildir; -1: mbox */
  struct file {
    const char *path; /* new/NAME or cur/NAME */
    struct slice base;
    uint64_t uid;
  } * files;
  size_t count, room;
};

/* --- names --- */

struct slice maildir_base_name(struct slice name) {
  name = slice_from(name, (size_t)(slice_rfind(name, '/') + 1));
  ptrdiff_t colon = slice_find(name, ':');
  return colon < 0 ? name : slice_first(name, (size_t)colon);
}

uint32_t maildir_flags(struct slice name) {
  ptrdiff_t at = slice_search(name, SLICE(":2,"));
  uint32_t flags = 0;
  for (struct slice s = at < 0 ? SLICE_NONE : slice_from(name, (size_t)at + 3); s.n; s = slice_from(s, 1)) {
    switch (s.p[0]) {
    case 'D': flags |= MAIL_DRAFT; break;
    case 'F': flags |= MAIL_FLAGGED; break;
    case 'R': flags |= MAIL_ANSWERED; break;
    case 'S': flags |= MAIL_SEEN; break;
    case 'T': flags |= MAIL_DELETED; break;
    }
  }
  return flags;
}

/* --- files --- */

static bool map_file(int at, const char *path, struct slice *ret, struct stat *st) {
  int fd = openat(at, path, O_RDONLY | O_CLOEXEC);
  if (fd < 0) return false;
  bool ok = fstat(fd, st) == 0 && S_ISREG(st->st_mode);
  if (!ok) errno = EINVAL;
  void *p = ok && st->st_size ? mmap(NULL, (size_t)st->st_size, PROT_READ, MAP_PRIVATE, fd, 0) : NULL;
  close(fd);
  if (!ok || p == MAP_FAILED) return false;
  *ret = slice_of(p, (size_t)st->st_size);
  return true;
}

static void unmap(struct slice *map) {
  if (map->n) munmap((void *)(uintptr_t)map->p, map->n);
  *map = SLICE_NONE;
}

static bool read_uidls(struct mailbox_in *in, int at, const char *path, bool dovecot, struct buf *err) {
  struct slice text;
  struct stat st;
  if (!map_file(at, path, &text, &st)) {
    if (dovecot && errno == ENOENT) return true;
    buf_printf(err, "%s: %s", path, strerror(errno));
    return false;
  }
  size_t before = buf_len(err);
  buf_printf(err, "%s: ", path);
  bool ok = dovecot ? uidls_read_dovecot(&in->uidls, text, err) : uidls_read_plain(&in->uidls, text, err);
  if (ok) buf_truncate(err, before);
  in->has_uidls = true;
  unmap(&text);
  return ok;
}

/* --- Maildir --- */

static bool add_file(struct mailbox_in *in, const char *folder, const char *name) {
  if (in->count == in->room) {
    size_t room = in->room ? 2 * in->room : 256;
    struct file *files = realloc(in->files, room * sizeof *files);
    if (!files) return false;
    in->files = files;
    in->room = room;
  }
  size_t n = strlen(folder) + strlen(name) + 2;
  char *path = arena_alloc(&in->mem, n);
  if (!path) return false;
  snprintf(path, n, "%s/%s", folder, name);
  struct slice base = maildir_base_name(slice_str(path));
  const struct uidl_entry *known = in->has_uidls ? uidls_find(&in->uidls, base) : NULL;
  in->files[in->count++] = (struct file){ path, base, known ? known->uid : 0 };
  return true;
}

static bool list_folder(struct mailbox_in *in, const char *name, struct buf *err) {
  int fd = openat(in->folder, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  DIR *d = fd < 0 ? NULL : fdopendir(fd);
  if (!d) {
    buf_printf(err, "%s: %s; a Maildir has the folders cur, new and tmp", name, strerror(errno));
    if (fd >= 0) close(fd);
    return false;
  }
  bool ok = true;
  for (struct dirent *e; ok && (e = readdir(d));)
    if (e->d_name[0] != '.') ok = add_file(in, name, e->d_name);
  if (!ok) buf_put_str(err, "no memory");
  closedir(d);
  return ok;
}

/* By Dovecot's UID where it is known, then by name, which begins with the time of delivery. */
static int by_age(const void *a, const void *b) {
  const struct file *x = a, *y = b;
  if (x->uid != y->uid) return !x->uid ? 1 : !y->uid ? -1 : x->uid < y->uid ? -1 : 1;
  return slice_cmp(x->base, y->base);
}

static bool open_maildir(struct mailbox_in *in, const char *path, const char *uidls, struct buf *err) {
  in->folder = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (in->folder < 0) {
    buf_printf(err, "%s: %s", path, strerror(errno));
    return false;
  }
  bool ok = uidls ? read_uidls(in, AT_FDCWD, uidls, false, err)
                  : read_uidls(in, in->folder, "dovecot-uidlist", true, err);
  if (ok && in->has_uidls && uidls && in->uidls.count && !in->uidls.named) {
    buf_printf(err, "%s: for a Maildir each line must have a file's name behind the UIDL and a tab", uidls);
    return false;
  }
  if (!ok || !list_folder(in, "cur", err) || !list_folder(in, "new", err)) return false;
  if (in->count) qsort(in->files, in->count, sizeof *in->files, by_age);
  return true;
}

static bool next_file(struct mailbox_in *in, struct mail_item *ret, struct buf *err) {
  unmap(&in->map);
  if (in->at == in->count) return false;
  const struct file *f = &in->files[in->at++];
  const struct uidl_entry *known = in->has_uidls ? uidls_find(&in->uidls, f->base) : NULL;
  struct stat st;
  if (!map_file(in->folder, f->path, &in->map, &st)) {
    buf_printf(err, "%s: %s", f->path, strerror(errno));
    return false;
  }
  *ret = (struct mail_item){ .raw = in->map, .name = f->path };
  ret->meta = (struct mail_meta){ (int64_t)st.st_mtime, maildir_flags(slice_str(f->path)),
                                  known ? known->uidl : SLICE_NONE };
  return true;
}

/* --- mbox --- */

static bool open_mbox(struct mailbox_in *in, const char *path, const char *uidls, struct buf *err) {
  struct stat st;
  if (!map_file(AT_FDCWD, path, &in->map, &st)) {
    buf_printf(err, "%s: %s", path, strerror(errno));
    return false;
  }
  in->rest = in->map;
  if (!uidls || !read_uidls(in, AT_FDCWD, uidls, false, err)) return !uidls;
  if (in->uidls.named)
    buf_printf(err, "%s: for an mbox each line has a UIDL alone, in the messages' order", uidls);
  return !in->uidls.named;
}

static bool next_in_mbox(struct mailbox_in *in, struct mail_item *ret, struct buf *err) {
  struct mbox_message m;
  if (!mbox_next(&in->rest, &m)) {
    if (in->rest.n) buf_put_str(err, "this is no mbox: it does not begin with \"From \"");
    return false;
  }
  struct slice uidl = in->at < in->uidls.count ? in->uidls.entries[in->at].uidl : SLICE_NONE;
  in->at++;
  *ret = (struct mail_item){ .meta = { m.date, 0, uidl }, .name = "", .raw = m.raw, .unquote = true };
  return true;
}

/* --- either --- */

struct mailbox_in *mailbox_in_open(const char *path, const char *uidls, struct buf *err) {
  struct stat st;
  struct mailbox_in *in = calloc(1, sizeof *in);
  if (!in || stat(path, &st) != 0) {
    buf_printf(err, "%s: %s", path, strerror(errno));
    free(in);
    return NULL;
  }
  in->folder = -1;
  arena_init(&in->mem, IN_MEMORY_MAX);
  if (S_ISDIR(st.st_mode) ? open_maildir(in, path, uidls, err) : open_mbox(in, path, uidls, err)) return in;
  mailbox_in_free(&in);
  return NULL;
}

bool mailbox_in_next(struct mailbox_in *in, struct mail_item *ret, struct buf *err) {
  return in->folder >= 0 ? next_file(in, ret, err) : next_in_mbox(in, ret, err);
}

void mailbox_in_free(struct mailbox_in **in) {
  if (!*in) return;
  unmap(&(*in)->map);
  if ((*in)->folder >= 0) close((*in)->folder);
  if ((*in)->has_uidls) uidls_free(&(*in)->uidls);
  arena_reset(&(*in)->mem);
  free((*in)->files);
  free(*in);
  *in = NULL;
}
