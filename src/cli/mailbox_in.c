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

#include "src/cli/cyrus.h"
#include "src/cli/mailbox.h"
#include "src/cli/mbox.h"
#include "src/cli/uidls.h"

enum { IN_MEMORY_MAX = 1024 * 1024 * 1024 };
#define CYRUS_INDEX "cyrus.index"

enum uidl_kind {
  UIDL_OF_LIST, /* or none */
  UIDL_OF_NAME,
  UIDL_OF_HEADER,
  UIDL_OF_CYRUS,
};

struct mailbox_in {
  enum uidl_kind kind;
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
    struct mail_meta meta; /* Cyrus's; else it is made when the file is read */
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

/* --- where UIDLs are --- */

/* The first row whose file is in the folder is taken when nothing is said. */
static const struct uidl_source {
  const char *word;
  enum uidl_kind kind;
  const char *file;
  bool (*read)(struct uidl_list *l, struct slice text, struct buf *err);
  enum cyrus_form form;
} sources[] = {
  { "dovecot", UIDL_OF_LIST, "dovecot-uidlist", uidls_read_dovecot, 0 },
  { "courier", UIDL_OF_LIST, "courierpop3dsizelist", uidls_read_courier, 0 },
  { "name", UIDL_OF_NAME, NULL, NULL, 0 },
  { "x-uidl", UIDL_OF_HEADER, NULL, NULL, 0 },
  { "cyrus", UIDL_OF_CYRUS, CYRUS_INDEX, NULL, CYRUS_FORM_CYRUS },
  { "cyrus-uidonly", UIDL_OF_CYRUS, NULL, NULL, CYRUS_FORM_UIDONLY },
  { "cyrus-dovecot", UIDL_OF_CYRUS, NULL, NULL, CYRUS_FORM_DOVECOT },
  { "cyrus-courier", UIDL_OF_CYRUS, NULL, NULL, CYRUS_FORM_COURIER },
};
enum { SOURCES = sizeof sources / sizeof *sources };

void mailbox_put_uidl_words(struct buf *out) {
  for (size_t i = 0; i < SOURCES; i++) buf_printf(out, "%s%s", i ? ", " : "", sources[i].word);
}

static const struct uidl_source *source_named(const char *word) {
  for (size_t i = 0; i < SOURCES; i++)
    if (strcmp(word, sources[i].word) == 0) return &sources[i];
  return NULL;
}

/* NULL with a sentence in `err`, or without when there is none. */
static const struct uidl_source *source_there(int folder, struct buf *err) {
  const struct uidl_source *found = NULL;
  for (size_t i = 0; i < SOURCES; i++) {
    if (!sources[i].file || faccessat(folder, sources[i].file, F_OK, 0) != 0) continue;
    if (!found) {
      found = &sources[i];
      continue;
    }
    buf_printf(err, "%s and %s are both there: --uidl-from says whose UIDLs clients have seen", found->file,
               sources[i].file);
    return NULL;
  }
  return found;
}

/* `file` is in the folder `at`. */
static bool read_uidls(struct mailbox_in *in, int at, const char *path,
                       bool (*read)(struct uidl_list *l, struct slice text, struct buf *err),
                       struct buf *err) {
  struct slice text;
  struct stat st;
  if (!map_file(at, path, &text, &st)) {
    buf_printf(err, "%s: %s", path, strerror(errno));
    return false;
  }
  size_t before = buf_len(err);
  buf_printf(err, "%s: ", path);
  bool ok = read(&in->uidls, text, err);
  if (ok) buf_truncate(err, before);
  in->has_uidls = true;
  unmap(&text);
  return ok;
}

/* The field X-UIDL of the header, as qpopper and its like keep it. */
static struct slice uidl_in_header(struct slice raw) {
  while (raw.n) {
    struct slice line = slice_split(&raw, '\n');
    if (line.n && line.p[line.n - 1] == '\r') line.n--;
    if (!line.n) break;
    if (!slice_case_starts(line, SLICE("X-UIDL:"))) continue;
    struct slice value = slice_trim(slice_from(line, 7));
    return slice_split(&value, ' ');
  }
  return SLICE_NONE;
}

/* Of a Maildir's file (base), or of a message of an mbox. */
static struct slice uidl_of(struct mailbox_in *in, struct slice base, struct slice raw) {
  const struct uidl_entry *known = in->has_uidls ? uidls_find(&in->uidls, base) : NULL;
  struct slice uidl = known ? known->uidl : SLICE_NONE;
  if (in->kind == UIDL_OF_NAME) uidl = base;
  if (in->kind == UIDL_OF_HEADER) uidl = uidl_in_header(raw);
  return uidls_is_valid(uidl) ? uidl : SLICE_NONE;
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
  snprintf(path, n, "%s%s%s", folder, *folder ? "/" : "", name);
  struct slice base = maildir_base_name(slice_str(path));
  const struct uidl_entry *known = in->has_uidls ? uidls_find(&in->uidls, base) : NULL;
  in->files[in->count++] = (struct file){ .path = path, .base = base, .uid = known ? known->uid : 0 };
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

/* The digits that a name begins with: the time of delivery. */
static uint64_t time_in(struct slice base) {
  uint64_t n = 0;
  for (size_t i = 0; i < base.n && i < 18 && ascii_is_digit(base.p[i]); i++)
    n = 10 * n + (uint64_t)(base.p[i] - '0');
  return n;
}

/* By Dovecot's UID where it is known, then by the time in the name, then by name: Courier's order too. */
static int by_age(const void *a, const void *b) {
  const struct file *x = a, *y = b;
  if (x->uid != y->uid) return !x->uid ? 1 : !y->uid ? -1 : x->uid < y->uid ? -1 : 1;
  uint64_t earlier = time_in(x->base), later = time_in(y->base);
  if (earlier != later) return earlier < later ? -1 : 1;
  return slice_cmp(x->base, y->base);
}

static bool open_maildir(struct mailbox_in *in, const char *file, const struct uidl_source *source,
                         struct buf *err) {
  bool list = !file && source && source->kind == UIDL_OF_LIST;
  bool ok = file   ? read_uidls(in, AT_FDCWD, file, uidls_read_plain, err)
            : list ? read_uidls(in, in->folder, source->file, source->read, err)
                   : true;
  if (ok && file && in->uidls.count && !in->uidls.named) {
    buf_printf(err, "%s: for a Maildir each line must have a file's name behind the UIDL and a tab", file);
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
  struct stat st;
  if (!map_file(in->folder, f->path, &in->map, &st)) {
    buf_printf(err, "%s: %s", f->path, strerror(errno));
    return false;
  }
  *ret = (struct mail_item){ .raw = in->map, .name = f->path };
  ret->meta = (struct mail_meta){ (int64_t)st.st_mtime, maildir_flags(slice_str(f->path)), SLICE_NONE };
  if (in->kind == UIDL_OF_CYRUS)
    ret->meta = f->meta;
  else
    ret->meta.uidl = uidl_of(in, f->base, in->map);
  return true;
}

/* --- Cyrus --- */

/* A message's file is its UID and a dot. */
static bool add_cyrus(struct mailbox_in *in, const struct cyrus_index *x, const struct cyrus_message *m,
                      enum cyrus_form form) {
  char name[16];
  struct buf uidl;
  snprintf(name, sizeof name, "%u.", m->uid);
  if (!add_file(in, "", name)) return false;
  buf_init(&uidl, 64);
  cyrus_put_uidl(&uidl, x, form, m->uid);
  struct mail_meta *meta = &in->files[in->count - 1].meta;
  *meta = (struct mail_meta){ m->date, m->flags, arena_copy(&in->mem, buf_slice(&uidl)) };
  buf_free(&uidl);
  return meta->uidl.p != NULL;
}

static bool open_cyrus(struct mailbox_in *in, enum cyrus_form form, struct buf *err) {
  struct slice text;
  struct stat st;
  struct cyrus_index x;
  struct cyrus_message m;
  if (!map_file(in->folder, CYRUS_INDEX, &text, &st)) {
    buf_printf(err, CYRUS_INDEX ": %s", strerror(errno));
    return false;
  }
  size_t before = buf_len(err);
  buf_put_str(err, CYRUS_INDEX ": ");
  bool ok = cyrus_open(&x, text, err), room = true;
  while (ok && room && cyrus_next(&x, &m)) room = add_cyrus(in, &x, &m, form);
  if (!room) buf_put_str(err, "no memory");
  if (ok && room) buf_truncate(err, before);
  unmap(&text);
  return ok && room;
}

static bool open_folder(struct mailbox_in *in, const char *path, const struct mailbox_uidls *uidls,
                        const struct uidl_source *source, struct buf *err) {
  in->folder = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (in->folder < 0) {
    buf_printf(err, "%s: %s", path, strerror(errno));
    return false;
  }
  if (!source && !uidls->file) source = source_there(in->folder, err);
  if (buf_len(err)) return false;
  if (source) in->kind = source->kind;
  return in->kind == UIDL_OF_CYRUS ? open_cyrus(in, source->form, err)
                                   : open_maildir(in, uidls->file, source, err);
}

/* --- mbox --- */

static bool open_mbox(struct mailbox_in *in, const char *path, const char *uidls, struct buf *err) {
  struct stat st;
  if (in->kind != UIDL_OF_LIST && in->kind != UIDL_OF_HEADER) {
    buf_printf(err, "%s: a file's UIDLs can be in its headers (x-uidl), or in a list", path);
    return false;
  }
  if (!map_file(AT_FDCWD, path, &in->map, &st)) {
    buf_printf(err, "%s: %s", path, strerror(errno));
    return false;
  }
  in->rest = in->map;
  if (!uidls || !read_uidls(in, AT_FDCWD, uidls, uidls_read_plain, err)) return !uidls;
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
  struct slice uidl =
      in->at < in->uidls.count ? in->uidls.entries[in->at].uidl : uidl_of(in, SLICE_NONE, m.raw);
  in->at++;
  *ret = (struct mail_item){ .meta = { m.date, 0, uidl }, .name = "", .raw = m.raw, .unquote = true };
  return true;
}

/* --- either --- */

struct mailbox_in *mailbox_in_open(const char *path, const struct mailbox_uidls *uidls, struct buf *err) {
  static const struct mailbox_uidls none;
  struct stat st;
  if (!uidls) uidls = &none;
  const struct uidl_source *source = uidls->from ? source_named(uidls->from) : NULL;
  if (uidls->from && !source) {
    buf_printf(err, "--uidl-from %s: it is one of ", uidls->from);
    mailbox_put_uidl_words(err);
    return NULL;
  }
  struct mailbox_in *in = calloc(1, sizeof *in);
  if (!in || stat(path, &st) != 0) {
    buf_printf(err, "%s: %s", path, strerror(errno));
    free(in);
    return NULL;
  }
  in->folder = -1;
  arena_init(&in->mem, IN_MEMORY_MAX);
  if (source) in->kind = source->kind;
  bool ok =
      S_ISDIR(st.st_mode) ? open_folder(in, path, uidls, source, err) : open_mbox(in, path, uidls->file, err);
  if (ok) return in;
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
