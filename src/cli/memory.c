#include "src/cli/memory.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/base/num.h"
#include "lib/pop3/reply.h"
#include "src/cli/cli.h"

enum { TEXT_MAX = 512 * 1024 * 1024, OPENS_MAX = 5, PATH_ROOM = 4096 };

struct memory {
  int fd;
  char *path;
  struct buf text;  /* the file as it was opened; entries point into it */
  struct buf added; /* lines that are not written yet */
  struct memory_entry *entries;
  size_t count;
  struct buf fresh; /* lines that were added in this run, for memory_forget() */
};

static struct slice head(void) { return SLICE("qasid-fetch 1 "); }

/* --- opening --- */

/* The folders above a file, readable by nobody else. */
static bool make_folders(const char *path) {
  char part[PATH_ROOM];
  if (strlen(path) >= sizeof part) return errno = ENAMETOOLONG, false;
  for (size_t i = 1; path[i]; i++) {
    if (path[i] != '/') continue;
    memcpy(part, path, i);
    part[i] = 0;
    if (mkdir(part, 0700) != 0 && errno != EEXIST) return false;
  }
  return true;
}

/* The file under its name, locked. A rename may have put another there while we waited for nothing. */
static bool open_locked(struct memory *m) {
  struct stat ours, named;
  for (int i = 0; i < OPENS_MAX; i++) {
    m->fd = open(m->path, O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    if (m->fd < 0 || flock(m->fd, LOCK_EX | LOCK_NB) != 0) return false;
    if (fstat(m->fd, &ours) == 0 && stat(m->path, &named) == 0 && ours.st_ino == named.st_ino) return true;
    close(m->fd);
    m->fd = -1;
  }
  return errno = EWOULDBLOCK, false;
}

static bool read_text(struct memory *m) {
  ssize_t n;
  do {
    uint8_t *to = buf_reserve(&m->text, 64 * 1024);
    n = to ? read(m->fd, to, 64 * 1024) : -1;
    if (n > 0) buf_added(&m->text, (size_t)n);
  } while (n > 0 || (n < 0 && errno == EINTR && !m->text.failed));
  return n == 0;
}

static int by_uidl(const void *a, const void *b) {
  return slice_cmp(((const struct memory_entry *)a)->uidl, ((const struct memory_entry *)b)->uidl);
}

/* Those with one UIDL in the order of the file. */
static int by_uidl_and_place(const void *a, const void *b) {
  const struct memory_entry *x = a, *y = b;
  int order = by_uidl(a, b);
  return order ? order : x->uidl.p < y->uidl.p ? -1 : 1;
}

/* What was noted twice counts as it was noted last. */
static void sort(struct memory *m) {
  size_t kept = 0;
  qsort(m->entries, m->count, sizeof *m->entries, by_uidl_and_place);
  for (size_t i = 0; i < m->count; i++) {
    bool last = i + 1 == m->count || by_uidl(&m->entries[i], &m->entries[i + 1]) != 0;
    if (last) m->entries[kept++] = m->entries[i];
  }
  m->count = kept;
}

static bool take_line(struct slice line, struct memory_entry *ret) {
  uint64_t since;
  if (!num_parse(slice_split(&line, ' '), INT64_MAX, &since)) return false;
  struct slice uidl = slice_split(&line, ' ');
  *ret = (struct memory_entry){ .uidl = uidl, .mark = line, .since = (int64_t)since };
  return pop3_uidl_ok(uidl);
}

/* A line that is not understood is passed over: better fetched twice than not at all. */
static bool take_lines(struct memory *m, struct slice text) {
  size_t lines = 1;
  for (size_t i = 0; i < text.n; i++) lines += text.p[i] == '\n';
  m->entries = calloc(lines, sizeof *m->entries);
  if (!m->entries) return false;
  while (text.n)
    if (take_line(slice_split(&text, '\n'), &m->entries[m->count])) m->count++;
  sort(m);
  return true;
}

static bool begin_file(struct memory *m, struct slice of) {
  buf_put(&m->added, head());
  buf_put(&m->added, of);
  buf_put_u8(&m->added, '\n');
  return memory_sync(m);
}

/* Of a file that is not ours nothing is touched. `first` may be half a line when there is no other. */
static bool is_ours(struct slice first, bool whole_line, struct slice of) {
  struct slice h = head(), rest = slice_from(first, h.n);
  if (first.n <= h.n) return !whole_line && slice_starts(h, first);
  return slice_starts(first, h) && (whole_line ? slice_eq(rest, of) : slice_starts(of, rest));
}

/* Half a line at the end is cut off, so that the next one begins at its beginning. */
static int take_text(struct memory *m, struct slice of, struct buf *err) {
  struct slice whole = buf_slice(&m->text), rest = slice_first(whole, (size_t)(slice_rfind(whole, '\n') + 1));
  struct slice after = rest, first = rest.n ? slice_split(&after, '\n') : whole;
  if (!is_ours(first, rest.n > 0, of)) {
    buf_printf(err, "%s is no memory of this: it must be another file", m->path);
    return CLI_EXIT_USAGE;
  }
  if (rest.n != whole.n && ftruncate(m->fd, (off_t)rest.n) != 0) return CLI_EXIT_IO;
  if (rest.n == 0) {
    buf_reset(&m->text);
    return begin_file(m, of) ? CLI_EXIT_OK : CLI_EXIT_IO;
  }
  return take_lines(m, after) ? CLI_EXIT_OK : CLI_EXIT_SYSTEM;
}

struct memory *memory_open(const char *path, struct slice of, int *ret_code, struct buf *err) {
  struct memory *m = calloc(1, sizeof *m);
  *ret_code = CLI_EXIT_SYSTEM;
  if (m) {
    *m = (struct memory){ .fd = -1, .path = strdup(path) };
    buf_init(&m->text, TEXT_MAX), buf_init(&m->added, TEXT_MAX), buf_init(&m->fresh, TEXT_MAX);
  }
  if (m && m->path) {
    *ret_code = CLI_EXIT_IO;
    if (!make_folders(path) || !open_locked(m)) {
      bool taken = errno == EWOULDBLOCK;
      if (taken) *ret_code = CLI_EXIT_TEMPORARY;
      buf_printf(err, "%s: %s", path, taken ? "another fetch is at work with it" : strerror(errno));
    } else if (!read_text(m)) {
      buf_printf(err, "%s: %s", path, strerror(errno));
    } else {
      *ret_code = take_text(m, of, err);
      if (*ret_code == CLI_EXIT_OK) return m;
      if (!buf_len(err)) buf_printf(err, "%s: %s", path, strerror(errno));
    }
  }
  if (!buf_len(err)) buf_put_str(err, "no memory");
  memory_free(&m);
  return NULL;
}

void memory_free(struct memory **m) {
  if (!*m) return;
  if ((*m)->fd >= 0) close((*m)->fd);
  buf_free(&(*m)->text), buf_free(&(*m)->added), buf_free(&(*m)->fresh);
  free((*m)->entries);
  free((*m)->path);
  free(*m);
  *m = NULL;
}

/* --- what it knows --- */

const struct memory_entry *memory_all(const struct memory *m, size_t *ret_count) {
  *ret_count = m->count;
  return m->entries;
}

static struct memory_entry *find(const struct memory *m, struct slice uidl) {
  struct memory_entry key = { .uidl = uidl };
  return m->count ? bsearch(&key, m->entries, m->count, sizeof key, by_uidl) : NULL;
}

const struct memory_entry *memory_find(const struct memory *m, struct slice uidl) {
  const struct memory_entry *e = find(m, uidl);
  return e && !e->lost ? e : NULL;
}

void memory_lose(struct memory *m, struct slice uidl) {
  struct memory_entry *e = find(m, uidl);
  if (e) e->lost = true;
}

void memory_keep(struct memory *m, struct slice uidl) {
  struct memory_entry *e = find(m, uidl);
  if (e) e->there = true;
}

/* --- what is added --- */

static void put_line(struct buf *b, int64_t since, struct slice uidl, struct slice mark) {
  buf_printf(b, "%" PRId64 " ", since);
  buf_put(b, uidl);
  if (mark.n) buf_put_u8(b, ' ');
  buf_put(b, mark);
  buf_put_u8(b, '\n');
}

void memory_add(struct memory *m, struct slice uidl, struct slice mark, int64_t now) {
  put_line(&m->added, now, uidl, mark);
  put_line(&m->fresh, now, uidl, SLICE_NONE);
}

static bool write_all(int fd, struct slice s) {
  while (s.n) {
    ssize_t n = write(fd, s.p, s.n);
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return false;
    s = slice_from(s, (size_t)n);
  }
  return fsync(fd) == 0;
}

bool memory_sync(struct memory *m) {
  if (m->added.failed) return errno = ENOMEM, false;
  bool ok = buf_len(&m->added) == 0 || write_all(m->fd, buf_slice(&m->added));
  buf_reset(&m->added);
  return ok;
}

/* --- forgetting --- */

static bool sync_folder(const char *path) {
  char folder[PATH_ROOM];
  const char *slash = strrchr(path, '/');
  snprintf(folder, sizeof folder, "%.*s", slash ? (int)(slash - path) + 1 : 1, slash ? path : ".");
  int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  bool ok = fd >= 0 && fsync(fd) == 0;
  if (fd >= 0) close(fd);
  return ok;
}

static void put_all(const struct memory *m, struct buf *out) {
  struct slice text = buf_slice(&m->text);
  if (text.n) {
    buf_put(out, slice_split(&text, '\n'));
    buf_put_u8(out, '\n');
  }
  for (size_t i = 0; i < m->count; i++)
    if (m->entries[i].there && !m->entries[i].lost)
      put_line(out, m->entries[i].since, m->entries[i].uidl, SLICE_NONE);
  buf_put(out, buf_slice(&m->fresh));
}

/* Whether there is anything to forget. */
static bool is_tidy(const struct memory *m) {
  for (size_t i = 0; i < m->count; i++)
    if (!m->entries[i].there || m->entries[i].mark.n) return false;
  return true;
}

bool memory_forget(struct memory *m) {
  char path[PATH_ROOM];
  struct buf out;
  if (is_tidy(m)) return true;
  snprintf(path, sizeof path, "%s.new", m->path);
  buf_init(&out, TEXT_MAX);
  put_all(m, &out);
  int fd = out.failed ? -1 : open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
  bool ok = fd >= 0 && write_all(fd, buf_slice(&out));
  if (fd >= 0) ok = close(fd) == 0 && ok;
  ok = ok && rename(path, m->path) == 0 && sync_folder(m->path);
  buf_free(&out);
  return ok;
}
