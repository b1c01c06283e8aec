/* SPDX-License-Identifier: ISC */
/* Reads mailboxes in files, message by message. At most a window of each is in memory. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/base/array.h"
#include "mail/uidl.h"
#include "src/cli/mailbox/cyrus.h"
#include "src/cli/mailbox/mailbox.h"
#include "src/cli/mailbox/mbox.h"
#include "src/cli/mailbox/place.h"
#include "src/cli/mailbox/uidls.h"

enum { IN_MEMORY_MAX = 1024 * 1024 * 1024, LIST_MAX = 256 * 1024 * 1024, PIECE = 64 * 1024 };
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
  size_t at;              /* messages returned so far */
  struct mbox_scan *scan; /* NULL: a folder */
  int fd;                 /* the mbox, or the folder's current file; -1: none */
  int folder;             /* -1: mbox */
  uid_t owner;            /* the folder's */
  int inside[2];          /* cur and new; -1: there are none */
  uid_t owners[2];
  struct file {
    const char *path; /* new/NAME, cur/NAME, or Cyrus's NAME */
    int folder;
    uid_t owner; /* the folder's */
    struct slice base;
    uint64_t uid;
    struct mail_meta meta; /* from Cyrus; otherwise filled in when the file is read */
  } * files;
  size_t count, cap;
  char uidl[72]; /* of the current item */
  bool failed;   /* the mbox cannot be read further; that was returned as an item */
};

/* --- names --- */

struct slice maildir_base_name(struct slice name) {
  name = slice_from(name, (size_t)(slice_rfind(name, '/') + 1));
  ptrdiff_t colon = slice_find(name, ':');
  return colon < 0 ? name : slice_first(name, (size_t)colon);
}

/* Its flags. */
static uint32_t maildir_flags(struct slice name) {
  ptrdiff_t at = slice_search(name, SLICE(":2,"));
  uint32_t flags = 0;
  for (struct slice s = at < 0 ? SLICE_NONE : slice_from(name, (size_t)at + 3); s.n;
       s = slice_from(s, 1)) {
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

/* --- where UIDLs are --- */

/* Without a choice, the first row whose file is in the folder is used. */
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

/* "dovecot, courier, …", for an unknown word. */
static void mailbox_put_uidl_words(struct buf *out) {
  for (size_t i = 0; i < SOURCES; i++) buf_printf(out, "%s%s", i ? ", " : "", sources[i].word);
}

static const struct uidl_source *source_named(const char *word) {
  for (size_t i = 0; i < SOURCES; i++)
    if (strcmp(word, sources[i].word) == 0) return &sources[i];
  return NULL;
}

/* NULL with a sentence in `err`, or without if there is none. */
static const struct uidl_source *source_there(int folder, struct buf *err) {
  const struct uidl_source *found = NULL;
  for (size_t i = 0; i < SOURCES; i++) {
    if (!sources[i].file || faccessat(folder, sources[i].file, F_OK, 0) != 0) continue;
    if (!found) {
      found = &sources[i];
      continue;
    }
    buf_printf(err,
               "%s and %s both exist: choose the one whose UIDLs clients have seen by --uidl-from",
               found->file, sources[i].file);
    return NULL;
  }
  return found;
}

/* Reads a list from an open file, which is closed. */
static bool read_uidls(struct mailbox_in *in, int fd, const char *path,
                       bool (*read)(struct uidl_list *l, struct slice text, struct buf *err),
                       struct buf *err) {
  struct buf text;
  buf_init(&text, LIST_MAX);
  bool ok = fd >= 0 && place_read(fd, &text);
  if (!ok) buf_printf(err, "%s: %s", path, place_why(errno));
  if (fd >= 0) close(fd);
  size_t before = buf_len(err);
  if (ok) {
    buf_printf(err, "%s: ", path);
    in->has_uidls = true;
    ok = read(&in->uidls, buf_slice(&text), err);
  }
  if (ok) buf_truncate(err, before);
  buf_free(&text);
  return ok;
}

static bool read_given_uidls(struct mailbox_in *in, const char *path, struct buf *err) {
  struct stat st;
  return read_uidls(in, place_open_file(path, &st), path, uidls_read_plain, err);
}

static bool read_own_uidls(struct mailbox_in *in, const struct uidl_source *source,
                           struct buf *err) {
  struct stat st;
  return read_uidls(in, place_open_in(in->folder, source->file, in->owner, &st), source->file,
                    source->read, err);
}

/* --- octets --- */

static ssize_t read_at(int fd, uint64_t at, void *to, size_t n) {
  ssize_t r;
  do r = pread(fd, to, n, (off_t)at);
  while (r < 0 && errno == EINTR);
  return r;
}

static ssize_t read_octets(void *arg, uint64_t at, void *to, size_t n) {
  return read_at(*(int *)arg, at, to, n);
}

bool mail_item_read(const struct mail_item *item, bool (*take)(void *arg, struct slice wire),
                    void *arg, uint64_t *ret_crs) {
  struct to_wire w = to_wire_open(item->quoting);
  struct buf out;
  uint8_t piece[PIECE];
  buf_init(&out, 2 * PIECE + TO_WIRE_HELD);
  bool ok = true;
  for (uint64_t at = 0; ok && at < item->size;) {
    uint64_t left = item->size - at;
    ssize_t n = read_at(item->fd, item->at + at, piece, left < PIECE ? (size_t)left : PIECE);
    if (n == 0) errno = ENODATA; /* it was truncated meanwhile */
    ok = n > 0;
    if (!ok) break;
    to_wire_put(&w, slice_of(piece, (size_t)n), &out);
    ok = !out.failed && take(arg, buf_slice(&out));
    buf_reset(&out);
    at += (uint64_t)n;
  }
  if (ok) to_wire_end(&w, &out);
  ok = ok && (!buf_len(&out) || take(arg, buf_slice(&out)));
  *ret_crs = w.crs;
  buf_free(&out);
  return ok;
}

/* The header field X-UIDL, as qpopper and others store it. */
static void read_header(struct mailbox_in *in, uint64_t size, struct mbox_fields *ret) {
  struct mbox_line line;
  struct mbox_scan *s = malloc(sizeof *s);
  *ret = (struct mbox_fields){ .length = 0 };
  if (!s) return;
  mbox_scan_open(s, (struct octets_in){ read_octets, &in->fd, size }, MBOX_CL2);
  s->eol = '\n';
  while (mbox_scan_line(s, &line) && line.text.n) mbox_fields_put(ret, line.text);
  free(s);
}

/* For a Maildir's file, or for an mbox's message by its number. */
static struct slice known_uidl(const struct mailbox_in *in, struct slice name) {
  const struct uidl_entry *known = in->has_uidls ? uidls_find(&in->uidls, name) : NULL;
  return known && uidl_is_valid(known->uidl) ? known->uidl : SLICE_NONE;
}

/* The item keeps its own copy if nothing else does. */
static struct slice kept_uidl(struct mailbox_in *in, const char *uidl) {
  snprintf(in->uidl, sizeof in->uidl, "%s", uidl);
  return slice_str(in->uidl);
}

static struct slice uidl_of_file(struct mailbox_in *in, const struct file *f, uint64_t size) {
  struct mbox_fields fields;
  switch (in->kind) {
  case UIDL_OF_NAME: return uidl_is_valid(f->base) ? f->base : SLICE_NONE;
  case UIDL_OF_HEADER: return read_header(in, size, &fields), kept_uidl(in, fields.uidl);
  default: return known_uidl(in, f->base);
  }
}

/* --- Maildir --- */

static bool add_file(struct mailbox_in *in, const char *folder, int fd, uid_t owner,
                     const char *name) {
  if (!array_reserve(&in->files, &in->cap, in->count + 1, sizeof *in->files)) return false;
  size_t n = strlen(folder) + strlen(name) + 2;
  char *path = arena_alloc(&in->mem, n);
  if (!path) return false;
  snprintf(path, n, "%s%s%s", folder, *folder ? "/" : "", name);
  struct slice base = maildir_base_name(slice_str(path));
  const struct uidl_entry *known = in->has_uidls ? uidls_find(&in->uidls, base) : NULL;
  in->files[in->count++] = (struct file){
    .path = path, .folder = fd, .owner = owner, .base = base, .uid = known ? known->uid : 0
  };
  return true;
}

static bool list_folder(struct mailbox_in *in, size_t which, const char *name, struct buf *err) {
  in->inside[which] = place_open_folder_in(in->folder, name, in->owner, &in->owners[which]);
  int fd = in->inside[which] < 0
               ? -1
               : openat(in->inside[which], ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  DIR *d = fd < 0 ? NULL : fdopendir(fd);
  if (!d) {
    buf_printf(err, "%s: %s; a Maildir has the folders cur, new and tmp", name, place_why(errno));
    if (fd >= 0) close(fd);
    return false;
  }
  bool ok = true;
  for (struct dirent *e; ok && (e = readdir(d));)
    if (e->d_name[0] != '.')
      ok = add_file(in, name, in->inside[which], in->owners[which], e->d_name);
  if (!ok) buf_put_str(err, "no memory");
  closedir(d);
  return ok;
}

/* The leading digits of a name: the time of delivery. */
static uint64_t time_in(struct slice base) {
  uint64_t n = 0;
  for (size_t i = 0; i < base.n && i < 18 && ascii_is_digit(base.p[i]); i++)
    n = 10 * n + (uint64_t)(base.p[i] - '0');
  return n;
}

/* By Dovecot's UID if known, then by the time in the name, then by name: the same order as
 * Courier's. */
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
  bool ok = file ? read_given_uidls(in, file, err) : list ? read_own_uidls(in, source, err) : true;
  if (ok && file && in->uidls.count && !in->uidls.named) {
    buf_printf(err, "%s: for a Maildir each line must have a file's name after the UIDL and a tab",
               file);
    return false;
  }
  if (!ok || !list_folder(in, 0, "cur", err) || !list_folder(in, 1, "new", err)) return false;
  if (in->count) qsort(in->files, in->count, sizeof *in->files, by_age);
  return true;
}

static void close_file(struct mailbox_in *in) {
  if (in->fd >= 0) close(in->fd);
  in->fd = -1;
}

static bool next_file(struct mailbox_in *in, struct mail_item *ret) {
  close_file(in);
  if (in->at == in->count) return false;
  const struct file *f = &in->files[in->at++];
  struct stat st = { 0 };
  const char *name = in->kind == UIDL_OF_CYRUS ? f->path : strchr(f->path, '/') + 1;
  *ret = (struct mail_item){ .fd = -1, .quoting = MBOX_QUOTES_NONE };
  snprintf(ret->name, sizeof ret->name, "%s", f->path);
  ret->fd = in->fd = place_open_in(f->folder, name, f->owner, &st);
  if (in->fd < 0) {
    ret->left_out = place_why(errno);
    return true;
  }
  ret->size = (uint64_t)st.st_size;
  ret->meta =
      (struct mail_meta){ (int64_t)st.st_mtime, maildir_flags(slice_str(f->path)), SLICE_NONE };
  if (in->kind == UIDL_OF_CYRUS)
    ret->meta = f->meta;
  else
    ret->meta.uidl = uidl_of_file(in, f, ret->size);
  return true;
}

/* --- Cyrus --- */

/* A message's file name is its UID and a dot. */
static bool add_cyrus(struct mailbox_in *in, const struct cyrus_index *x,
                      const struct cyrus_message *m, enum cyrus_form form) {
  char name[16];
  struct buf uidl;
  snprintf(name, sizeof name, "%u.", m->uid);
  if (!add_file(in, "", in->folder, in->owner, name)) return false;
  buf_init(&uidl, 64);
  cyrus_put_uidl(&uidl, x, form, m->uid);
  struct mail_meta *meta = &in->files[in->count - 1].meta;
  *meta = (struct mail_meta){ m->date, m->flags, arena_copy(&in->mem, buf_slice(&uidl)) };
  buf_free(&uidl);
  return meta->uidl.p != NULL;
}

static bool add_all_cyrus(struct mailbox_in *in, struct slice index, enum cyrus_form form,
                          struct buf *err) {
  struct cyrus_index x;
  struct cyrus_message m;
  size_t before = buf_len(err);
  buf_put_str(err, CYRUS_INDEX ": ");
  bool ok = cyrus_open(&x, index, err), room = true;
  while (ok && room && cyrus_next(&x, &m)) room = add_cyrus(in, &x, &m, form);
  if (!room) buf_put_str(err, "no memory");
  if (ok && room) buf_truncate(err, before);
  return ok && room;
}

static bool open_cyrus(struct mailbox_in *in, enum cyrus_form form, struct buf *err) {
  struct buf text;
  struct stat st;
  buf_init(&text, LIST_MAX);
  int fd = place_open_in(in->folder, CYRUS_INDEX, in->owner, &st);
  bool ok = fd >= 0 && place_read(fd, &text);
  if (!ok) buf_printf(err, CYRUS_INDEX ": %s", place_why(errno));
  if (fd >= 0) close(fd);
  ok = ok && add_all_cyrus(in, buf_slice(&text), form, err);
  buf_free(&text);
  return ok;
}

static bool open_folder(struct mailbox_in *in, const struct mailbox_how *how,
                        const struct uidl_source *source, struct buf *err) {
  if (!source && !how->uidl_file) source = source_there(in->folder, err);
  if (buf_len(err)) return false;
  if (source) in->kind = source->kind;
  return in->kind == UIDL_OF_CYRUS ? open_cyrus(in, source->form, err)
                                   : open_maildir(in, how->uidl_file, source, err);
}

/* --- mbox --- */

static bool open_mbox(struct mailbox_in *in, const char *path, uint64_t size,
                      const struct mailbox_how *how, struct buf *err) {
  if (in->kind != UIDL_OF_LIST && in->kind != UIDL_OF_HEADER) {
    buf_printf(err, "%s: a file's UIDLs can be in its headers (x-uidl), or in a list", path);
    return false;
  }
  in->scan = malloc(sizeof *in->scan);
  if (!in->scan) return buf_put_str(err, "no memory"), false;
  mbox_scan_open(in->scan, (struct octets_in){ read_octets, &in->fd, size }, how->form);
  return !how->uidl_file || read_given_uidls(in, how->uidl_file, err);
}

/* By its number in the file: in a list with names, that is its name, as `qasid export --uidl`
 * writes it. */
static struct slice uidl_in_mbox(struct mailbox_in *in, const struct mbox_message *m) {
  char number[24];
  if (in->kind == UIDL_OF_HEADER) return kept_uidl(in, m->fields.uidl);
  if (!in->has_uidls) return SLICE_NONE;
  if (!in->uidls.named)
    return in->at <= in->uidls.count ? in->uidls.entries[in->at - 1].uidl : SLICE_NONE;
  snprintf(number, sizeof number, "%zu", in->at);
  return known_uidl(in, slice_str(number));
}

/* The file ended too early; returns what was read of it. */
static bool mbox_ended(struct mailbox_in *in, struct mail_item *ret, struct buf *err) {
  if (in->scan->error && !in->failed) {
    in->failed = true;
    snprintf(ret->name, sizeof ret->name, "the file from octet %llu on",
             (unsigned long long)in->scan->at);
    ret->left_out = in->scan->error == ENODATA ? "it became shorter while it was read"
                                               : strerror(in->scan->error);
    return true;
  }
  if (!in->failed && in->scan->at < in->scan->in.size)
    buf_put_str(err, "this is not an mbox: it does not begin with \"From \"");
  return false;
}

static bool next_in_mbox(struct mailbox_in *in, struct mail_item *ret, struct buf *err) {
  struct mbox_message m;
  *ret = (struct mail_item){ .fd = in->fd };
  if (in->failed || !mbox_scan_next(in->scan, &m)) return mbox_ended(in, ret, err);
  ret->internal = m.fields.has_subject && m.fields.has_state;
  if (ret->internal) {
    ret->left_out = "it is the folder's own data, no mail";
    snprintf(ret->name, sizeof ret->name, "the message at octet %llu", (unsigned long long)m.at);
    return true;
  }
  in->at++;
  snprintf(ret->name, sizeof ret->name, "message %zu", in->at);
  ret->meta = (struct mail_meta){ m.date, m.fields.flags, uidl_in_mbox(in, &m) };
  ret->at = m.at, ret->size = m.size, ret->quoting = m.quoting, ret->doubtful = m.doubtful;
  return true;
}

/* --- either --- */

/* The file or folder, whatever it is; false with a sentence. */
static bool open_place(struct mailbox_in *in, const char *path, struct stat *st, struct buf *err) {
  int fd = place_open(path, O_RDONLY, 0);
  if (fd >= 0 && fstat(fd, st) == 0 && S_ISDIR(st->st_mode)) {
    in->folder = fd;
    in->owner = st->st_uid;
    return true;
  }
  int error = errno;
  if (fd >= 0) close(fd);
  errno = error;
  if (fd >= 0) in->fd = place_open_file(path, st);
  if (in->fd < 0) buf_printf(err, "%s: %s", path, place_why(errno));
  return in->fd >= 0;
}

struct mailbox_in *mailbox_in_open(const char *path, const struct mailbox_how *how,
                                   struct buf *err) {
  static const struct mailbox_how none;
  struct stat st;
  if (!how) how = &none;
  const struct uidl_source *source = how->uidl_from ? source_named(how->uidl_from) : NULL;
  if (how->uidl_from && !source) {
    buf_printf(err, "--uidl-from %s: it is one of ", how->uidl_from);
    mailbox_put_uidl_words(err);
    return NULL;
  }
  struct mailbox_in *in = calloc(1, sizeof *in);
  if (!in) return buf_put_str(err, "no memory"), NULL;
  in->folder = in->fd = in->inside[0] = in->inside[1] = -1;
  arena_init(&in->mem, IN_MEMORY_MAX);
  if (source) in->kind = source->kind;
  bool ok = open_place(in, path, &st, err) &&
            (in->folder >= 0 ? open_folder(in, how, source, err)
                             : open_mbox(in, path, (uint64_t)st.st_size, how, err));
  if (ok) return in;
  mailbox_in_free(&in);
  return NULL;
}

bool mailbox_in_next(struct mailbox_in *in, struct mail_item *ret, struct buf *err) {
  return in->scan ? next_in_mbox(in, ret, err) : next_file(in, ret);
}

struct mailbox_progress mailbox_in_progress(const struct mailbox_in *in) {
  if (!in->scan) return (struct mailbox_progress){ .all_messages = in->count };
  return (struct mailbox_progress){ .octets = in->scan->at, .all_octets = in->scan->in.size };
}

uint64_t mailbox_in_left_text(const struct mailbox_in *in) {
  return in->scan ? in->scan->left_text : 0;
}

bool mailbox_in_uidls_differ(const struct mailbox_in *in) {
  return in->scan && in->has_uidls && in->uidls.count != in->at;
}

void mailbox_in_free(struct mailbox_in **in) {
  struct mailbox_in *i = *in;
  if (!i) return;
  close_file(i);
  if (i->folder >= 0) close(i->folder);
  for (size_t at = 0; at < 2; at++)
    if (i->inside[at] >= 0) close(i->inside[at]);
  if (i->has_uidls) uidls_free(&i->uidls);
  arena_reset(&i->mem);
  free(i->scan);
  free(i->files);
  free(i);
  *in = NULL;
}
