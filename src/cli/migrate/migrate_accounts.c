/* SPDX-License-Identifier: ISC */
/* The file of accounts of a migration (migrate.h): read whole, cut into lines and fields in place,
 * sorted copies compared to find an address that is listed twice. Invariant: the text, which has
 * passwords, is allocated once and wiped at the end. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "src/cli/migrate/migrate.h"

enum {
  FILE_MAX = 64 * 1024 * 1024,
  MEMORY_MAX = 512 * 1024 * 1024,
  PIPE_ROOM = 1024 * 1024, /* full size at once, so that growing leaves no copies of passwords */
  ADDRESS_MAX = 320,
};

void migrate_accounts_free(struct migrate_accounts *a) {
  buf_wipe(&a->text);
  arena_reset(&a->mem);
}

static bool is_blank(struct slice line) {
  line = slice_trim(line);
  return line.n == 0 || line.p[0] == '#';
}

static bool wrong(struct buf *err, unsigned line, const char *why) {
  buf_printf(err, "line %u: %s", line, why);
  return false;
}

static bool take_line(struct migrate_accounts *a, unsigned number, struct slice line,
                      struct buf *err) {
  struct slice rest = line, address = slice_split(&rest, '\t'), login = slice_split(&rest, '\t');
  for (size_t i = 0; i < address.n; i++)
    if (address.p[i] <= ' ' || address.p[i] == ',' || address.p[i] == ';')
      return wrong(err, number, "ADDRESS, LOGIN and PASSWORD are separated by one tab each");
  if (slice_find(line, '\r') >= 0 || slice_find(line, 0) >= 0)
    return wrong(
        err, number,
        "it has a carriage return or a NUL in it, which no login and no password can have");
  if (slice_find(address, '@') <= 0 || address.n > ADDRESS_MAX)
    return wrong(err, number, "it does not begin with an address such as alice@example.org");
  if (rest.p && rest.n == 0)
    return wrong(err, number, "the password behind the second tab is empty");
  struct migrate_account *m = &a->list[a->count++];
  m->line = number;
  m->address = arena_cstr(&a->mem, address);
  m->login = login.n ? login : address;
  m->password = rest;
  return m->address || wrong(err, number, "no memory");
}

static int by_address(const void *x, const void *y) {
  const struct migrate_account *a = *(struct migrate_account *const *)x,
                               *b = *(struct migrate_account *const *)y;
  int order = strcasecmp(a->address, b->address);
  return order ? order : (a->line > b->line) - (a->line < b->line);
}

/* An account that is listed twice would be migrated by two processes at once. */
static bool are_different(struct migrate_accounts *a, struct buf *err) {
  struct migrate_account **sorted = arena_alloc(&a->mem, (a->count + 1) * sizeof *sorted);
  if (!sorted) return wrong(err, 1, "no memory");
  for (size_t i = 0; i < a->count; i++) sorted[i] = &a->list[i];
  qsort(sorted, a->count, sizeof *sorted, by_address);
  for (size_t i = 1; i < a->count; i++) {
    if (strcasecmp(sorted[i]->address, sorted[i - 1]->address) != 0) continue;
    buf_printf(err, "line %u: %s stands in line %u already", sorted[i]->line, sorted[i]->address,
               sorted[i - 1]->line);
    return false;
  }
  return true;
}

bool migrate_accounts_parse(struct migrate_accounts *a, struct buf *err) {
  struct slice text = buf_slice(&a->text);
  size_t lines = 1;
  unsigned number = 0;
  if (slice_starts(text, SLICE("\xef\xbb\xbf"))) text = slice_from(text, 3);
  for (size_t i = 0; i < text.n; i++) lines += text.p[i] == '\n';
  arena_init(&a->mem, MEMORY_MAX);
  a->list = arena_alloc(&a->mem, lines * sizeof *a->list);
  a->count = 0;
  if (!a->list) return wrong(err, 1, "no memory");
  while (text.n) {
    struct slice line = slice_split(&text, '\n');
    number++;
    if (line.n && line.p[line.n - 1] == '\r') line.n--;
    if (!is_blank(line) && !take_line(a, number, line, err)) return false;
  }
  return are_different(a, err);
}

static bool read_all(struct buf *text, int fd) {
  struct stat st;
  size_t room = PIPE_ROOM;
  if (fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && st.st_size < FILE_MAX)
    room = (size_t)st.st_size + 1;
  for (;;) {
    uint8_t *at = buf_reserve(text, room);
    ssize_t n = at ? read(fd, at, room) : -1;
    if (n < 0 && at && errno == EINTR) continue;
    if (n <= 0) return n == 0;
    buf_added(text, (size_t)n);
    room = room > (size_t)n ? room - (size_t)n : PIPE_ROOM;
  }
}

bool migrate_accounts_read(struct migrate_accounts *a, const char *path, struct buf *err) {
  bool standard = strcmp(path, "-") == 0;
  *a = (struct migrate_accounts){ .count = 0 };
  buf_init(&a->text, FILE_MAX);
  arena_init(&a->mem, MEMORY_MAX);
  int fd = standard ? STDIN_FILENO : open(path, O_RDONLY | O_CLOEXEC);
  errno = fd < 0 ? errno : EFBIG;
  bool ok = fd >= 0 && read_all(&a->text, fd);
  if (!ok) buf_printf(err, "%s: %s", path, strerror(errno));
  if (!standard && fd >= 0) close(fd);
  size_t before = buf_len(err);
  if (ok) buf_printf(err, "%s: ", path);
  ok = ok && migrate_accounts_parse(a, err);
  if (ok) buf_truncate(err, before);
  return ok;
}
