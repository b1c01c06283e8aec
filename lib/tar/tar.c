/* SPDX-License-Identifier: ISC */
/* ustar header blocks, written and read. Pure: one block at a time; the caller moves the files'
 * contents.
 * Invariant: tar_read_header() returns no path that is absolute or has an empty, "." or ".."
 * part, and no entry but a regular file or a folder. */
#include "lib/tar/tar.h"

#include <stdio.h>

/* Where the fields of a header stand. */
struct tar_field {
  size_t at, n;
};
static const struct tar_field f_name = { 0, 100 }, f_mode = { 100, 8 }, f_uid = { 108, 8 },
                              f_gid = { 116, 8 }, f_size = { 124, 12 }, f_mtime = { 136, 12 },
                              f_sum = { 148, 8 }, f_type = { 156, 1 }, f_magic = { 257, 8 },
                              f_prefix = { 345, 155 };

static void put_text(uint8_t *block, struct tar_field f, struct slice text) {
  if (text.n) memcpy(block + f.at, text.p, text.n);
}

/* Octal digits, as many as fit before a NUL. */
static void put_octal(uint8_t *block, struct tar_field f, uint64_t n) {
  for (size_t i = f.n - 1; i-- > 0; n /= 8) block[f.at + i] = (uint8_t)('0' + n % 8);
  block[f.at + f.n - 1] = 0;
}

/* A size that octal digits cannot hold is a number in base 256 with the highest bit set, as GNU
 * tar, libarchive and later POSIX tools have it. */
static void put_size(uint8_t *block, uint64_t n) {
  if (n <= TAR_SIZE_MAX) {
    put_octal(block, f_size, n);
    return;
  }
  for (size_t i = f_size.n; i-- > 1; n >>= 8) block[f_size.at + i] = (uint8_t)n;
  block[f_size.at] = 0x80;
}

static unsigned sum_of(const uint8_t *block) {
  unsigned sum = 0;
  for (size_t i = 0; i < TAR_BLOCK; i++)
    sum += i >= f_sum.at && i < f_sum.at + f_sum.n ? ' ' : block[i];
  return sum;
}

/* A long path is cut at a "/": what is before it goes into the prefix. */
static bool put_path(uint8_t *block, struct slice path) {
  if (path.n <= f_name.n) {
    put_text(block, f_name, path);
    return path.n > 0;
  }
  for (size_t i = path.n - f_name.n - 1; i < path.n && i <= f_prefix.n; i++) {
    if (path.p[i] != '/' || i == 0 || i + 1 == path.n) continue;
    put_text(block, f_prefix, slice_first(path, i));
    put_text(block, f_name, slice_from(path, i + 1));
    return true;
  }
  return false;
}

bool tar_put_header(struct buf *out, const struct tar_entry *e) {
  uint8_t block[TAR_BLOCK] = { 0 };
  if (!put_path(block, slice_str(e->path))) return false;
  put_octal(block, f_mode, e->mode & 07777);
  put_octal(block, f_uid, 0);
  put_octal(block, f_gid, 0);
  put_size(block, e->size);
  put_octal(block, f_mtime, e->mtime > 0 ? (uint64_t)e->mtime & TAR_SIZE_MAX : 0);
  block[f_type.at] = e->folder ? '5' : '0';
  put_text(block, f_magic, slice_of("ustar\00000", f_magic.n));
  put_octal(block, (struct tar_field){ f_sum.at, 7 }, sum_of(block));
  block[f_sum.at + 7] = ' ';
  buf_put(out, slice_of(block, sizeof block));
  return !out->failed;
}

void tar_put_end(struct buf *out) {
  uint8_t zeros[2 * TAR_BLOCK] = { 0 };
  buf_put(out, slice_of(zeros, sizeof zeros));
}

/* --- reading --- */

/* Up to the first NUL. */
static struct slice get_text(const uint8_t *block, struct tar_field f) {
  struct slice s = slice_of(block + f.at, f.n);
  ptrdiff_t end = slice_find(s, 0);
  return end < 0 ? s : slice_first(s, (size_t)end);
}

static bool get_octal(const uint8_t *block, struct tar_field f, uint64_t *ret) {
  struct slice s = slice_of(block + f.at, f.n);
  uint64_t n = 0;
  while (s.n && s.p[0] == ' ') s = slice_from(s, 1);
  size_t digits = 0;
  for (; digits < s.n && s.p[digits] >= '0' && s.p[digits] <= '7'; digits++)
    n = n * 8 + (uint64_t)(s.p[digits] - '0');
  if (digits == 0 || (digits < s.n && s.p[digits] != 0 && s.p[digits] != ' ')) return false;
  *ret = n;
  return true;
}

static bool get_size(const uint8_t *block, uint64_t *ret) {
  if (!(block[f_size.at] & 0x80)) return get_octal(block, f_size, ret);
  uint64_t n = 0;
  for (size_t i = 0; i < f_size.n; i++) {
    uint8_t c = block[f_size.at + i];
    if (i < 4 && c != (i ? 0 : 0x80)) return false;
    n = n << 8 | (i ? c : 0);
  }
  *ret = n;
  return n <= INT64_MAX;
}

static bool safe_path(struct slice path) {
  if (path.n == 0 || slice_find(path, '\\') >= 0) return false;
  while (path.p) {
    struct slice part = slice_split(&path, '/');
    if (part.n == 0 || slice_eq(part, SLICE(".")) || slice_eq(part, SLICE(".."))) return false;
  }
  return true;
}

static bool get_path(const uint8_t *block, struct tar_entry *e) {
  struct slice prefix = get_text(block, f_prefix), name = get_text(block, f_name);
  if (e->folder && name.n && name.p[name.n - 1] == '/') name.n--;
  int n = snprintf(e->path, sizeof e->path, "%.*s%s%.*s", SLICE_ARG(prefix), prefix.n ? "/" : "",
                   SLICE_ARG(name));
  return n > 0 && (size_t)n < sizeof e->path && safe_path(slice_str(e->path));
}

static bool all_zero(const uint8_t *block) {
  for (size_t i = 0; i < TAR_BLOCK; i++)
    if (block[i]) return false;
  return true;
}

enum tar_read tar_read_header(const uint8_t block[TAR_BLOCK], struct tar_entry *ret) {
  uint64_t sum, mode, mtime;
  struct tar_entry e = { .folder = block[f_type.at] == '5' };
  if (all_zero(block)) return TAR_END;
  if (!slice_eq(slice_of(block + f_magic.at, 5), SLICE("ustar"))) return TAR_BAD;
  if (!get_octal(block, f_sum, &sum) || sum != sum_of(block)) return TAR_BAD;
  if (!e.folder && block[f_type.at] != '0' && block[f_type.at] != 0) return TAR_BAD;
  if (!get_size(block, &e.size) || !get_octal(block, f_mode, &mode) ||
      !get_octal(block, f_mtime, &mtime))
    return TAR_BAD;
  if (!get_path(block, &e)) return TAR_BAD;
  e.mode = (unsigned)mode & 07777;
  e.mtime = (int64_t)mtime;
  if (e.folder) e.size = 0;
  *ret = e;
  return TAR_ENTRY;
}
