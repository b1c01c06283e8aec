/* SPDX-License-Identifier: ISC */
/* Writes mailboxes message by message (mailbox.h): a Maildir, an mbox or standard output.
 *
 *   Maildir: tmp/NAME --synced--> (hidden) --> new/NAME or cur/NAME:2,FLAGS
 *   mbox:    end of the file --complete--> stays | --not ended--> cut off again
 *
 * Invariants: a message that was not ended is never left in the mailbox; folders are held open and
 * no link is followed (place.h); an existing mbox is extended only with `append`. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/base/sys.h"
#include "src/cli/mailbox/mailbox.h"
#include "src/cli/mailbox/mbox.h"
#include "src/cli/mailbox/place.h"

enum { OUT_BUFFER = 256 * 1024, OUT_FLUSH = 64 * 1024, NAME_ROOM = 160 };

/* A Maildir's folders: each held open, so that none can be replaced meanwhile. */
enum in { IN_TMP, IN_NEW, IN_CUR, IN_ALL };
static const char *const in_names[IN_ALL] = { "tmp", "new", "cur" };

struct mailbox_out {
  bool maildir, fresh; /* fresh: nothing of the message was put yet */
  bool inside;         /* a message was begun and not ended */
  bool hidden;         /* it stays in tmp/ */
  off_t start;         /* where it begins in the mbox; -1: not a regular file */
  int in[IN_ALL];      /* the Maildir's folders; -1: an mbox */
  int fd;              /* the message's file, or the mbox */
  struct buf buf;
  struct from_wire form;
  struct mail_meta meta;
  unsigned long count;
  char name[NAME_ROOM];
  char error[256];
};

const char *mailbox_out_name(const struct mailbox_out *o) { return o->name; }
const char *mailbox_out_error(const struct mailbox_out *o) { return o->error; }

static bool failed(struct mailbox_out *o, const char *what) {
  if (!o->error[0]) snprintf(o->error, sizeof o->error, "%s: %s", what, place_why(errno));
  return false;
}

/* --- opening --- */

static bool open_maildir(struct mailbox_out *o, const char *path) {
  uid_t owner, inner;
  int folder = place_make_folder(path, 0700, &owner);
  if (folder < 0) return failed(o, path);
  bool ok = true;
  for (int i = 0; ok && i < IN_ALL; i++) {
    ok = mkdirat(folder, in_names[i], 0700) == 0 || errno == EEXIST;
    if (ok) o->in[i] = place_open_folder_in(folder, in_names[i], owner, &inner);
    ok = ok && o->in[i] >= 0;
    if (!ok) failed(o, in_names[i]);
  }
  close(folder);
  return ok;
}

/* A FIFO or a device in a file's place was put there by somebody else; standard output may be
 * one. */
static bool open_mbox(struct mailbox_out *o, const char *path, bool append) {
  struct stat st;
  if (strcmp(path, "-") == 0) return (o->fd = dup(STDOUT_FILENO)) >= 0 || failed(o, path);
  o->fd = place_open(path, O_RDWR | O_CREAT | (append ? O_APPEND : O_EXCL), 0600);
  if (o->fd < 0 || fstat(o->fd, &st) != 0) return failed(o, path);
  errno = EINVAL;
  return S_ISREG(st.st_mode) || failed(o, path);
}

struct mailbox_out *mailbox_out_open(bool maildir, const char *path, bool append, struct buf *err) {
  struct mailbox_out *o = calloc(1, sizeof *o);
  if (!o) {
    buf_put_str(err, "no memory");
    return NULL;
  }
  *o = (struct mailbox_out){ .maildir = maildir, .in = { -1, -1, -1 }, .fd = -1 };
  buf_init(&o->buf, OUT_BUFFER);
  if (maildir ? open_maildir(o, path) : open_mbox(o, path, append)) return o;
  buf_put_str(err, o->error);
  mailbox_out_free(&o);
  return NULL;
}

/* A message that was not ended is removed. */
static bool take_back(struct mailbox_out *o) {
  if (o->maildir) return unlinkat(o->in[IN_TMP], o->name, 0) == 0;
  if (o->start < 0) return false;
  return ftruncate(o->fd, o->start) == 0 || failed(o, "the mailbox has half a message at its end");
}

bool mailbox_out_cut(struct mailbox_out *o) {
  if (!o->inside) return true;
  bool untouched = o->fresh && !o->maildir;
  bool ok = untouched || take_back(o);
  buf_reset(&o->buf);
  if (o->maildir && o->fd >= 0) close(o->fd), o->fd = -1;
  o->inside = false;
  if (ok && !o->maildir) o->count--; /* the next one gets its number */
  return ok;
}

void mailbox_out_free(struct mailbox_out **o) {
  if (!*o) return;
  mailbox_out_cut(*o);
  if ((*o)->fd >= 0) close((*o)->fd);
  for (int i = 0; i < IN_ALL; i++)
    if ((*o)->in[i] >= 0) close((*o)->in[i]);
  buf_free(&(*o)->buf);
  free(*o);
  *o = NULL;
}

/* --- messages --- */

static bool flush(struct mailbox_out *o) {
  while (buf_len(&o->buf)) {
    ssize_t n = write(o->fd, buf_slice(&o->buf).p, buf_len(&o->buf));
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return failed(o, "the mailbox cannot be written");
    buf_drop(&o->buf, (size_t)n);
  }
  return !o->buf.failed || failed(o, "no memory");
}

/* Unique by time, process and count, with the host's name, as Maildir requires. */
static void make_name(struct mailbox_out *o) {
  char host[65] = "localhost";
  gethostname(host, sizeof host - 1);
  for (char *p = host; *p; p++)
    if (*p == '/' || *p == ':') *p = '_';
  int64_t now = sys_wall_us();
  snprintf(o->name, sizeof o->name, "%lld.M%06lldP%dQ%lu.%s", (long long)(now / 1000000),
           (long long)(now % 1000000), (int)getpid(), o->count, host);
}

/* A From line must follow an empty line; an earlier writer may have been killed in the middle of a
 * line. */
static void end_last_line(struct mailbox_out *o) {
  char last[2];
  if (o->start < 2 || pread(o->fd, last, 2, o->start - 2) != 2) return;
  if (last[1] != '\n') buf_put_u8(&o->buf, '\n');
  if (last[1] != '\n' || last[0] != '\n') buf_put_u8(&o->buf, '\n');
}

bool mailbox_out_begin(struct mailbox_out *o, const struct mail_meta *meta) {
  o->meta = *meta;
  o->count++;
  o->fresh = o->inside = true;
  o->form = from_wire_open(!o->maildir);
  if (!o->maildir) {
    snprintf(o->name, sizeof o->name, "%lu", o->count);
    o->start = lseek(o->fd, 0, SEEK_END);
    end_last_line(o);
    return true;
  }
  make_name(o);
  o->fd = openat(o->in[IN_TMP], o->name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
  return o->fd >= 0 || failed(o, o->name);
}

bool mailbox_out_put(struct mailbox_out *o, struct slice piece) {
  if (o->fresh && !o->maildir)
    mbox_put_from(&o->buf, piece, o->meta.date ? o->meta.date : sys_wall_s());
  o->fresh = false;
  for (; piece.n; piece = slice_from(piece, OUT_FLUSH)) {
    from_wire_put(&o->form, slice_first(piece, OUT_FLUSH), &o->buf);
    if (buf_len(&o->buf) >= OUT_FLUSH && !flush(o)) return false;
  }
  return !o->buf.failed || failed(o, "no memory");
}

/* tmp/NAME → new/NAME, or cur/NAME:2,FLAGS when it has some. */
static bool move_in(struct mailbox_out *o) {
  static const struct {
    uint32_t flag;
    char letter;
  } letters[] = { { MAIL_DRAFT, 'D' },
                  { MAIL_FLAGGED, 'F' },
                  { MAIL_ANSWERED, 'R' },
                  { MAIL_SEEN, 'S' },
                  { MAIL_DELETED, 'T' } };
  char to[NAME_ROOM + 16], flags[8];
  size_t n = 0;
  for (size_t i = 0; i < sizeof letters / sizeof *letters; i++)
    if (o->meta.flags & letters[i].flag) flags[n++] = letters[i].letter;
  flags[n] = 0;
  snprintf(to, sizeof to, "%s%s%s", o->name, n ? ":2," : "", flags);
  return renameat(o->in[IN_TMP], o->name, o->in[n ? IN_CUR : IN_NEW], to) == 0 || failed(o, to);
}

static bool end_file(struct mailbox_out *o) {
  struct timespec times[2] = { { .tv_nsec = UTIME_NOW }, { .tv_sec = (time_t)o->meta.date } };
  if (o->meta.date && futimens(o->fd, times) != 0) return failed(o, o->name);
  if (fsync(o->fd) != 0) return failed(o, o->name);
  int r = close(o->fd);
  o->fd = -1;
  return (r == 0 || failed(o, o->name)) && (o->hidden || move_in(o));
}

void mailbox_out_hide(struct mailbox_out *o) { o->hidden = o->maildir; }

/* Its owner may have read it already: "cur/NAME:2,S". */
static bool is_in_cur(struct mailbox_out *o, struct slice name) {
  int fd = openat(o->in[IN_CUR], ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  DIR *d = fd >= 0 ? fdopendir(fd) : NULL;
  bool found = false;
  if (fd >= 0 && !d) close(fd);
  for (struct dirent *e; d && !found && (e = readdir(d));)
    found = slice_eq(maildir_base_name(slice_str(e->d_name)), name);
  if (d) closedir(d);
  return found;
}

enum mailbox_shown mailbox_out_show(struct mailbox_out *o, struct slice name) {
  char plain[NAME_ROOM];
  if (!o->maildir) return MAILBOX_SHOWN;
  if (name.n >= NAME_ROOM || slice_find(name, '/') >= 0 || slice_find(name, 0) >= 0)
    return MAILBOX_LOST;
  snprintf(plain, sizeof plain, "%.*s", SLICE_ARG(name));
  if (renameat(o->in[IN_TMP], plain, o->in[IN_NEW], plain) == 0) return MAILBOX_SHOWN;
  if (errno != ENOENT) return failed(o, plain), MAILBOX_FAILED;
  return faccessat(o->in[IN_NEW], plain, F_OK, AT_SYMLINK_NOFOLLOW) == 0 || is_in_cur(o, name)
             ? MAILBOX_SHOWN
             : MAILBOX_LOST;
}

bool mailbox_out_end(struct mailbox_out *o) {
  if (o->fresh && !mailbox_out_put(o, SLICE_NONE)) return false;
  from_wire_end(&o->form, &o->buf);
  if (!o->maildir) buf_put_u8(&o->buf, '\n');
  bool ok = flush(o) && (!o->maildir || end_file(o));
  o->inside = !ok;
  return ok;
}

static bool sync_folder(struct mailbox_out *o, enum in which) {
  return fsync(o->in[which]) == 0 || failed(o, in_names[which]);
}

bool mailbox_out_sync(struct mailbox_out *o) {
  if (o->maildir) return sync_folder(o, IN_NEW) && sync_folder(o, IN_CUR);
  /* not possible for a pipe or terminal */
  if (fsync(o->fd) == 0 || errno == EINVAL || errno == EROFS) return true;
  return failed(o, "the mailbox cannot be synced");
}
