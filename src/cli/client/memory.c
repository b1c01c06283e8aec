/* SPDX-License-Identifier: ISC */
/* The memory of `qasid fetch` (memory.h has the file's form and states). The file is read whole at
 * the start, and lines are appended; forgetting writes it anew and renames. Invariants: the file is
 * locked while it is open; nothing counts as noted before memory_sync() was true; a file that is
 * not this memory's is not changed; a line that is not understood is ignored, which at worst costs
 * fetching a message again. */
#include "lib/base/array.h"
#include "src/cli/client/memory.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/base/codec.h"
#include "lib/base/num.h"
#include "mail/uidl.h"
#include "src/cli/base/cli.h"

enum { TEXT_MAX = 512 * 1024 * 1024, OPENS_MAX = 5, PATH_ROOM = 4096 };

struct memory {
  int fd;
  char *path;
  struct buf text;              /* the file as it was opened; entries point into it */
  struct buf added;             /* lines that are not written yet */
  struct memory_entry *entries; /* of earlier runs, by UIDL */
  size_t count;
  struct memory_entry *fresh; /* of this run, in the order in which they came */
  size_t fresh_count, fresh_cap;
  struct arena mem;   /* theirs */
  bool failed;        /* memory ran out for one of them */
  struct slice first; /* the first line */
  int64_t tls;        /* when the server had TLS first; 0: never */
};

static struct slice head(void) { return SLICE("qasid-fetch 2 "); }
static struct slice old_head(void) { return SLICE("qasid-fetch 1 "); }

static bool rewrite(struct memory *m);

/* --- opening --- */

bool memory_make_folders(const char *path) {
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

/* The file under its name, locked. A rename may have replaced it while we waited for the lock. */
static bool open_locked(struct memory *m) {
  struct stat ours, named;
  for (int i = 0; i < OPENS_MAX; i++) {
    m->fd = open(m->path, O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    if (m->fd < 0 || flock(m->fd, LOCK_EX | LOCK_NB) != 0) return false;
    if (fstat(m->fd, &ours) == 0 && stat(m->path, &named) == 0 && ours.st_ino == named.st_ino)
      return true;
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

static bool same_message(const struct memory_entry *a, const struct memory_entry *b) {
  if (a->old || b->old) return a->old && b->old;
  return a->size == b->size && memcmp(a->digest, b->digest, sizeof a->digest) == 0;
}

/* Those with one UIDL by size and digest, and then in the order of the file. */
static int by_all(const void *a, const void *b) {
  const struct memory_entry *x = a, *y = b;
  int order = by_uidl(a, b);
  if (order) return order;
  if (x->old != y->old) return x->old ? -1 : 1;
  if (x->size != y->size) return x->size < y->size ? -1 : 1;
  order = memcmp(x->digest, y->digest, sizeof x->digest);
  return order ? order : x->uidl.p < y->uidl.p ? -1 : 1;
}

/* Of entries recorded with a mark, and later without one, the last counts. Entries recorded twice
 * with the same mark, or without, are copies. */
static void sort(struct memory *m) {
  size_t kept = 0;
  qsort(m->entries, m->count, sizeof *m->entries, by_all);
  for (size_t i = 0; i < m->count; i++) {
    const struct memory_entry *e = &m->entries[i], *next = i + 1 < m->count ? e + 1 : NULL;
    bool again = next && by_uidl(e, next) == 0 && same_message(e, next);
    if (again && (e->old || (e->mark.n && !next->mark.n))) continue;
    m->entries[kept++] = *e;
  }
  m->count = kept;
}

static int nibble(uint8_t c) { return c <= '9' ? c - '0' : (c | 0x20) - 'a' + 10; }

static bool take_digest(struct slice hex, uint8_t digest[MEMORY_DIGEST]) {
  if (hex.n != 2 * MEMORY_DIGEST) return false;
  for (size_t i = 0; i < hex.n; i++)
    if (!isxdigit(hex.p[i])) return false;
  for (size_t i = 0; i < MEMORY_DIGEST; i++)
    digest[i] = (uint8_t)(nibble(hex.p[2 * i]) << 4 | nibble(hex.p[2 * i + 1]));
  return true;
}

static bool take_proof(struct slice *line, struct memory_entry *e) {
  struct slice size = slice_split(line, ' '), octets = slice_split(line, ' '),
               hex = slice_split(line, ' ');
  e->old = slice_eq(size, SLICE("-"));
  return e->old || (num_parse(size, UINT64_MAX, &e->size) &&
                    num_parse(octets, UINT64_MAX, &e->octets) && take_digest(hex, e->digest));
}

static bool take_line(struct slice line, bool first_version, struct memory_entry *ret) {
  uint64_t since;
  if (!num_parse(slice_split(&line, ' '), INT64_MAX, &since)) return false;
  *ret = (struct memory_entry){ .since = (int64_t)since, .old = first_version };
  ret->uidl = slice_split(&line, ' ');
  if (!uidl_is_valid(ret->uidl) || (!first_version && !take_proof(&line, ret))) return false;
  ret->mark = line;
  return true;
}

static bool take_tls(struct memory *m, struct slice line) {
  uint64_t since;
  if (!slice_eq(slice_split(&line, ' '), SLICE("tls")) || !num_parse(line, INT64_MAX, &since))
    return false;
  m->tls = since ? (int64_t)since : 1;
  return true;
}

/* A malformed line is ignored: fetching twice is better than not at all. */
static bool take_lines(struct memory *m, struct slice text, bool first_version) {
  size_t lines = 1;
  for (size_t i = 0; i < text.n; i++) lines += text.p[i] == '\n';
  m->entries = calloc(lines, sizeof *m->entries);
  if (!m->entries) return false;
  while (text.n) {
    struct slice line = slice_split(&text, '\n');
    if (!take_tls(m, line) && take_line(line, first_version, &m->entries[m->count])) m->count++;
  }
  sort(m);
  return true;
}

static bool name_it(struct memory *m, struct slice of) {
  struct buf line;
  buf_init(&line, 64 * 1024);
  buf_put(&line, head());
  buf_put(&line, of);
  buf_put_u8(&line, '\n');
  if (!line.failed) m->first = arena_copy(&m->mem, buf_slice(&line));
  buf_free(&line);
  return m->first.n > 0;
}

static bool begin_file(struct memory *m) {
  buf_put(&m->added, m->first);
  return memory_sync(m);
}

/* A file that is not ours is not changed. `first` may be an incomplete line if there is no
 * other. */
static bool is_ours(struct slice h, struct slice first, bool whole_line, struct slice of) {
  struct slice rest = slice_from(first, h.n);
  if (first.n <= h.n) return !whole_line && slice_starts(h, first);
  return slice_starts(first, h) && (whole_line ? slice_eq(rest, of) : slice_starts(of, rest));
}

/* An incomplete line at the end is cut off, so that the next one begins properly. */
static int take_text(struct memory *m, struct slice of, struct slice was, struct buf *err) {
  struct slice whole = buf_slice(&m->text),
               rest = slice_first(whole, (size_t)(slice_rfind(whole, '\n') + 1));
  struct slice after = rest, first = rest.n ? slice_split(&after, '\n') : whole;
  bool old = was.n && rest.n && is_ours(old_head(), first, true, was);
  if (!old && !is_ours(head(), first, rest.n > 0, of)) {
    buf_printf(err, "%s is the state file of something else: name another file", m->path);
    return CLI_EXIT_USAGE;
  }
  if (rest.n != whole.n && ftruncate(m->fd, (off_t)rest.n) != 0) return CLI_EXIT_IO;
  if (rest.n == 0) {
    buf_reset(&m->text);
    return begin_file(m) ? CLI_EXIT_OK : CLI_EXIT_IO;
  }
  if (!take_lines(m, after, old)) return CLI_EXIT_SYSTEM;
  return !old || rewrite(m) ? CLI_EXIT_OK : CLI_EXIT_IO;
}

struct memory *memory_open(const char *path, struct slice of, struct slice was, int *ret_code,
                           struct buf *err) {
  struct memory *m = calloc(1, sizeof *m);
  *ret_code = CLI_EXIT_SYSTEM;
  if (m) {
    *m = (struct memory){ .fd = -1, .path = strdup(path) };
    buf_init(&m->text, TEXT_MAX), buf_init(&m->added, TEXT_MAX);
    arena_init(&m->mem, TEXT_MAX);
  }
  if (m && m->path) {
    *ret_code = CLI_EXIT_IO;
    if (!name_it(m, of)) {
      *ret_code = CLI_EXIT_SYSTEM;
    } else if (!memory_make_folders(path) || !open_locked(m)) {
      bool taken = errno == EWOULDBLOCK;
      if (taken) *ret_code = CLI_EXIT_TEMPORARY;
      buf_printf(err, "%s: %s", path, taken ? "another fetch is at work with it" : strerror(errno));
    } else if (!read_text(m)) {
      buf_printf(err, "%s: %s", path, strerror(errno));
    } else {
      *ret_code = take_text(m, of, was, err);
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
  buf_free(&(*m)->text), buf_free(&(*m)->added);
  arena_reset(&(*m)->mem);
  free((*m)->entries), free((*m)->fresh);
  free((*m)->path);
  free(*m);
  *m = NULL;
}

/* --- what it knows --- */

const struct memory_entry *memory_all(const struct memory *m, size_t *ret_count) {
  *ret_count = m->count;
  return m->entries;
}

/* The first with this UIDL; the others follow it. */
static struct memory_entry *find(const struct memory *m, struct slice uidl) {
  struct memory_entry key = { .uidl = uidl };
  struct memory_entry *e =
      m->count ? bsearch(&key, m->entries, m->count, sizeof key, by_uidl) : NULL;
  while (e && e > m->entries && by_uidl(e - 1, e) == 0) e--;
  return e;
}

static struct memory_entry *next(const struct memory *m, struct memory_entry *e) {
  return e + 1 < m->entries + m->count && by_uidl(e, e + 1) == 0 ? e + 1 : NULL;
}

bool memory_knows(const struct memory *m, struct slice uidl, uint64_t size, uint32_t alike,
                  int64_t *ret_since) {
  uint32_t n = 0;
  *ret_since = INT64_MIN;
  for (struct memory_entry *e = find(m, uidl); e; e = next(m, e)) {
    if (e->lost || (!e->old && (e->size != size || e->octets < e->size))) continue;
    n += e->old ? alike : 1;
    if (e->since > *ret_since) *ret_since = e->since;
  }
  return n && n >= alike;
}

uint32_t memory_count(const struct memory *m, struct slice uidl, uint64_t size, bool twin) {
  uint32_t n = 0;
  for (struct memory_entry *e = find(m, uidl); e; e = next(m, e))
    n += !e->lost && !e->old && e->size == size;
  for (size_t i = 0; twin && i < m->fresh_count; i++)
    n += !m->fresh[i].lost && m->fresh[i].size == size && slice_eq(m->fresh[i].uidl, uidl);
  return n;
}

static bool has_digest(const struct memory_entry *e, const uint8_t *digest) {
  return !e->lost && !e->old && memcmp(e->digest, digest, MEMORY_DIGEST) == 0;
}

size_t memory_same(const struct memory *m, struct slice uidl, const uint8_t digest[MEMORY_DIGEST],
                   bool twin) {
  for (struct memory_entry *e = find(m, uidl); e; e = next(m, e))
    if (has_digest(e, digest)) return (size_t)(e - m->entries) + 1;
  for (size_t i = 0; twin && i < m->fresh_count; i++)
    if (has_digest(&m->fresh[i], digest) && slice_eq(m->fresh[i].uidl, uidl))
      return m->count + i + 1;
  return 0;
}

static struct memory_entry *at(const struct memory *m, size_t number) {
  return number > m->count ? &m->fresh[number - 1 - m->count] : &m->entries[number - 1];
}

const struct memory_entry *memory_at(const struct memory *m, size_t number) {
  return at(m, number);
}

void memory_lose(struct memory *m, size_t number) { at(m, number)->lost = true; }

void memory_keep(struct memory *m, struct slice uidl, uint64_t size) {
  for (struct memory_entry *e = find(m, uidl); e; e = next(m, e))
    if (e->old || e->size == size) e->there = true;
}

/* --- what is added --- */

static void put_line(struct buf *b, const struct memory_entry *e, struct slice mark) {
  buf_printf(b, "%" PRId64 " ", e->since);
  buf_put(b, e->uidl);
  if (e->old) {
    buf_put_str(b, " - - -");
  } else {
    buf_printf(b, " %" PRIu64 " %" PRIu64 " ", e->size, e->octets);
    hex_put(b, slice_of(e->digest, sizeof e->digest));
  }
  if (mark.n) buf_put_u8(b, ' ');
  buf_put(b, mark);
  buf_put_u8(b, '\n');
}

static void put_tls(const struct memory *m, struct buf *b) {
  if (m->tls) buf_printf(b, "tls %" PRId64 "\n", m->tls);
}

size_t memory_add(struct memory *m, const struct memory_entry *e) {
  put_line(&m->added, e, e->mark);
  if (!array_reserve(&m->fresh, &m->fresh_cap, m->fresh_count + 1, sizeof *m->fresh)) {
    m->failed = true;
    return 0;
  }
  m->fresh[m->fresh_count] = *e;
  m->fresh[m->fresh_count].uidl = arena_copy(&m->mem, e->uidl);
  m->fresh[m->fresh_count++].mark = SLICE_NONE;
  return m->count + m->fresh_count;
}

bool memory_had_tls(const struct memory *m) { return m->tls != 0; }

bool memory_note_tls(struct memory *m, int64_t now) {
  if (m->tls) return true;
  m->tls = now > 0 ? now : 1;
  put_tls(m, &m->added);
  return memory_sync(m);
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
  if (m->added.failed || m->failed || m->mem.failed) return errno = ENOMEM, false;
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

static void put_all(const struct memory *m, bool all, struct buf *out) {
  put_tls(m, out);
  for (size_t i = 0; i < m->count; i++)
    if ((all || m->entries[i].there) && !m->entries[i].lost)
      put_line(out, &m->entries[i], all ? m->entries[i].mark : SLICE_NONE);
  for (size_t i = 0; i < m->fresh_count; i++)
    if (!m->fresh[i].lost) put_line(out, &m->fresh[i], SLICE_NONE);
}

static bool replace(const struct memory *m, struct slice text) {
  char path[PATH_ROOM];
  snprintf(path, sizeof path, "%s.new", m->path);
  int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
  bool ok = fd >= 0 && write_all(fd, text);
  if (fd >= 0) ok = close(fd) == 0 && ok;
  return ok && rename(path, m->path) == 0 && sync_folder(m->path);
}

/* False if there is something to forget. */
static bool is_in_order(const struct memory *m) {
  for (size_t i = 0; i < m->count; i++)
    if (!m->entries[i].there || m->entries[i].lost || m->entries[i].mark.n) return false;
  for (size_t i = 0; i < m->fresh_count; i++)
    if (m->fresh[i].lost) return false;
  return true;
}

bool memory_forget(struct memory *m) {
  struct buf out;
  if (is_in_order(m)) return true;
  buf_init(&out, TEXT_MAX);
  buf_put(&out, m->first);
  put_all(m, false, &out);
  bool ok = !out.failed && replace(m, buf_slice(&out));
  buf_free(&out);
  return ok;
}

/* Converts a file of version 1, under the same name and the same lock. */
static bool rewrite(struct memory *m) {
  struct buf out;
  buf_init(&out, TEXT_MAX);
  buf_put(&out, m->first);
  put_all(m, true, &out);
  bool ok = !out.failed && replace(m, buf_slice(&out));
  buf_free(&out);
  if (!ok) return false;
  close(m->fd);
  return open_locked(m);
}
