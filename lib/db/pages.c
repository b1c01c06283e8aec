/* SPDX-License-Identifier: ISC */
/* SQLite's file format, read page by page without its library (pages.h; [n] are sections of the
 * format description). Invariants: nothing is written; every offset and length from the file is
 * checked before it is used, for the file is damaged; a page is taken from the log only if its
 * frame is committed and its checksum is right; a chain of pages ends after as many as the file
 * has. */
#include "lib/db/pages.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
  FILE_HEAD = 100, /* [1.3] */
  LOG_HEAD = 32,   /* [4.1] */
  FRAME_HEAD = 24,
  PAGE_LEAST = 512,
  PAGE_MOST = 65536,
  ROW_HEAD_MAX = 4096, /* of the types in front of a row's values */
  GUESSED_PAGES = 4096,
  LOCK_OCTET = 0x40000000, /* [1.4] */
};
enum { INNER_INDEX = 2, INNER_TABLE = 5, LEAF_INDEX = 10, LEAF_TABLE = 13 }; /* [1.6] */
#define PAYLOAD_MAX (UINT64_C(1) << 31) /* SQLite's own limit */

/* --- numbers, the most significant octet first --- */

static uint64_t number(struct slice s, size_t at, size_t octets) {
  uint64_t n = 0;
  for (size_t i = 0; i < octets; i++) n = n << 8 | (uint64_t)(slice_at(s, at + i) & 0xff);
  return n;
}

/* [1.6] A varint cut off `*s`. False when it goes beyond. */
static bool varint(struct slice *s, uint64_t *ret) {
  uint64_t n = 0;
  for (size_t i = 0; i < 9; i++) {
    int c = slice_at(*s, i);
    if (c < 0) return false;
    n = i == 8 ? n << 8 | (uint64_t)c : n << 7 | (uint64_t)(c & 0x7f);
    if (i == 8 || c < 0x80) {
      *s = slice_from(*s, i + 1);
      *ret = n;
      return true;
    }
  }
  return false;
}

/* --- the write-ahead log [4] --- */

static uint32_t word(struct slice s, size_t at, bool big) {
  uint32_t n = (uint32_t)number(s, at, 4);
  return big ? n : __builtin_bswap32(n);
}

static void checksum(struct slice s, bool big, uint32_t sum[2]) {
  for (size_t i = 0; i + 8 <= s.n; i += 8) {
    sum[0] += word(s, i, big) + sum[1];
    sum[1] += word(s, i + 4, big) + sum[0];
  }
}

static bool holds(struct slice head, size_t at, const uint32_t sum[2]) {
  return number(head, at, 4) == sum[0] && number(head, at + 4, 4) == sum[1];
}

struct log_walk {
  uint32_t size, sum[2];
  bool big;
  uint64_t salts;
};

static bool log_open(struct slice log, uint32_t size, struct log_walk *w) {
  uint32_t magic = (uint32_t)number(log, 0, 4);
  if (log.n < LOG_HEAD || (magic & ~1u) != 0x377f0682 || number(log, 8, 4) != size) return false;
  *w = (struct log_walk){ .size = size, .big = magic & 1, .salts = number(log, 16, 8) };
  checksum(slice_first(log, 24), w->big, w->sum);
  return holds(log, 24, w->sum);
}

/* 1: the frame is whole; 0: it is damaged, and the next may be whole; -1: the log ends before it.
 */
static int log_frame(struct log_walk *w, struct slice frame) {
  if (frame.n < FRAME_HEAD + w->size || number(frame, 8, 8) != w->salts) return -1;
  uint32_t sum[2] = { w->sum[0], w->sum[1] };
  checksum(slice_first(frame, 8), w->big, sum);
  checksum(slice_first(slice_from(frame, FRAME_HEAD), w->size), w->big, sum);
  /* Each sum goes on from the one before: with what is written a damaged frame does not spoil those
   * behind it. */
  w->sum[0] = (uint32_t)number(frame, 16, 4), w->sum[1] = (uint32_t)number(frame, 20, 4);
  return holds(frame, 16, sum);
}

/* The number of pages after the last commit, 0 without one; *ret_end: where the last commit ends. A
 * damaged frame in the very last transaction is one that was being written when the power went:
 * that transaction never was. One with whole transactions behind it is damage. */
static uint32_t log_commit(struct pages *p, uint64_t *ret_end) {
  struct log_walk w;
  /* before: as of the last frame that ends a transaction */
  uint32_t count = 0, broken = 0, before = 0;
  *ret_end = 0;
  if (!log_open(p->log, p->size, &w)) return 0;
  for (uint64_t at = LOG_HEAD; at < p->log.n; at += FRAME_HEAD + p->size) {
    struct slice frame = slice_from(p->log, at);
    int whole = log_frame(&w, frame);
    if (whole < 0) break;
    broken += !whole;
    uint32_t pages = whole ? (uint32_t)number(frame, 4, 4) : 0;
    if (pages && broken == before) count = pages, *ret_end = at, p->log_broken = broken;
    if (pages) before = broken;
  }
  return count;
}

static void log_index(struct pages *p, uint64_t end) {
  struct log_walk w;
  if (!end || !log_open(p->log, p->size, &w)) return;
  for (uint64_t at = LOG_HEAD; at <= end; at += FRAME_HEAD + p->size) {
    struct slice frame = slice_from(p->log, at);
    uint64_t page = number(frame, 0, 4);
    if (log_frame(&w, frame) == 1 && page >= 1 && page <= p->count)
      p->in_log[page] = at + FRAME_HEAD;
  }
}

/* --- pages --- */

static struct slice page_of(const struct pages *p, uint32_t page) {
  if (page < 1 || page > p->count) return SLICE_NONE;
  if (p->in_log[page]) return slice_first(slice_from(p->log, p->in_log[page]), p->size);
  struct slice s = slice_first(slice_from(p->file, (uint64_t)(page - 1) * p->size), p->size);
  return s.n == p->size ? s : SLICE_NONE;
}

/* [1.5] Trunk pages, each with the next one's number and a list. */
static void mark_free(struct pages *p) {
  struct slice first = page_of(p, 1);
  if (!slice_starts(first, SLICE("SQLite format 3"))) return;
  uint32_t trunk = (uint32_t)number(first, 32, 4);
  uint64_t left = number(first, 36, 4);
  while (trunk && left) {
    struct slice s = page_of(p, trunk);
    uint64_t n = number(s, 4, 4);
    if (!s.n || p->seen[trunk] || n > p->size / 4 - 2 || n + 1 > left) return;
    p->seen[trunk] = PAGE_FREE;
    for (uint64_t i = 0; i < n; i++) {
      uint64_t page = number(s, 8 + 4 * i, 4);
      if (page >= 2 && page <= p->count) p->seen[page] = PAGE_FREE;
    }
    left -= n + 1;
    trunk = (uint32_t)number(s, 0, 4);
  }
  p->free_known = !trunk && !left;
}

static bool is_page_size(uint64_t size) {
  return size >= PAGE_LEAST && size <= PAGE_MOST && (size & (size - 1)) == 0;
}

/* Whether a page of that size is there, by the places of its cells. */
static bool looks_like_rows(struct slice page) {
  int kind = slice_at(page, 0);
  size_t cells = (size_t)number(page, 3, 2), end = 8 + 2 * cells;
  if ((kind != LEAF_INDEX && kind != LEAF_TABLE) || !cells || end > page.n) return false;
  for (size_t i = 0; i < cells; i++) {
    size_t at = (size_t)number(page, 8 + 2 * i, 2);
    if (at < end || at >= page.n) return false;
  }
  return true;
}

static uint32_t guess_size(struct slice file) {
  static const uint32_t used[] = { 4096, 16384 };
  uint64_t best = 0;
  uint32_t size = used[0];
  for (size_t i = 0; i < sizeof used / sizeof *used; i++) {
    uint64_t fit = 0, at = used[i];
    for (unsigned n = 0; n < GUESSED_PAGES && at < file.n; n++, at += used[i])
      fit += looks_like_rows(slice_first(slice_from(file, at), used[i]));
    if (fit > best) best = fit, size = used[i];
  }
  return size;
}

static uint32_t page_size(struct slice file, struct slice log) {
  uint32_t size = (uint32_t)number(file, 16, 2);
  if (size == 1) size = PAGE_MOST;
  if (slice_starts(file, SLICE("SQLite format 3")) && is_page_size(size)) return size;
  size = (uint32_t)number(log, 8, 4);
  return log.n >= LOG_HEAD && is_page_size(size) ? size : guess_size(file);
}

/* [1.8] Which pages are the map: all databases in pages of 4 KB have one, so page 1 is asked only
 * when it can be read. */
static void find_map(struct pages *p) {
  struct slice first = page_of(p, 1);
  bool known = slice_starts(first, SLICE("SQLite format 3"));
  bool has = known ? number(first, 52, 4) != 0 : p->size == 4096;
  p->map_every = has ? p->size / 5 + 1 : 0;
}

/* [1.4] Never used. */
static uint32_t lock_page(const struct pages *p) { return LOCK_OCTET / p->size + 1; }

static bool is_map(const struct pages *p, uint32_t page) {
  uint32_t lock = lock_page(p);
  if (!p->map_every || page < 2 || page == lock) return false;
  uint32_t place = (page - 2) % p->map_every;
  return place == 0 || (place == 1 && page - 1 == lock);
}

bool pages_take(struct pages *p, struct slice file, struct slice log) {
  uint64_t end;
  *p = (struct pages){ .file = file, .log = log, .size = page_size(file, log) };
  uint64_t in_file = (file.n + p->size - 1) / p->size;
  uint32_t count = log_commit(p, &end);
  p->count = count > in_file            ? count
             : in_file > UINT32_MAX - 1 ? UINT32_MAX - 1
                                        : (uint32_t)in_file;
  p->in_log = calloc((size_t)p->count + 1, sizeof *p->in_log);
  p->seen = calloc((size_t)p->count + 1, 1);
  if (!p->in_log || !p->seen) {
    pages_close(p);
    errno = ENOMEM;
    return false;
  }
  log_index(p, end);
  find_map(p);
  mark_free(p);
  return true;
}

static bool map(const char *path, struct slice *ret) {
  struct stat st;
  int fd = open(path, O_RDONLY | O_CLOEXEC);
  bool ok = fd >= 0 && fstat(fd, &st) == 0;
  *ret = SLICE_NONE;
  if (ok && st.st_size) {
    void *at = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
    ok = at != MAP_FAILED;
    if (ok) *ret = slice_of(at, (size_t)st.st_size);
  }
  int why = errno;
  if (fd >= 0) close(fd);
  errno = why;
  return ok;
}

bool pages_open(struct pages *p, const char *path) {
  char log_path[4200];
  struct slice file, log;
  *p = (struct pages){ .size = 0 };
  if (!map(path, &file)) return false;
  snprintf(log_path, sizeof log_path, "%s-wal", path);
  if (!map(log_path, &log)) log = SLICE_NONE;
  return pages_take(p, file, log);
}

/* The mapping stays until the process ends: slices into it are everywhere. */
void pages_close(struct pages *p) {
  free(p->in_log);
  free(p->seen);
  *p = (struct pages){ .size = 0 };
}

/* --- rows [1.6, 2] --- */

/* How much of a payload is on the page itself. */
static uint64_t local_part(uint64_t usable, uint64_t payload, bool table) {
  uint64_t most = table ? usable - 35 : (usable - 12) * 64 / 255 - 23;
  uint64_t least = (usable - 12) * 32 / 255 - 23;
  if (payload <= most) return payload;
  uint64_t n = least + (payload - least) % (usable - 4);
  return n <= most ? n : least;
}

static int64_t signed_number(struct slice s, size_t at, size_t width) {
  uint64_t n = number(s, at, width);
  if (width && width < 8 && n >> (8 * width - 1)) n |= ~UINT64_C(0) << 8 * width;
  return (int64_t)n;
}

static bool take_column(uint64_t type, struct slice local, uint64_t *at, struct column *c) {
  static const uint8_t widths[] = { 0, 1, 2, 3, 4, 6, 8, 8, 0, 0 };
  *c = (struct column){ .at = *at };
  if (type == 10 || type == 11) return false;
  if (type >= 12) {
    c->kind = type % 2 ? COLUMN_TEXT : COLUMN_BLOB;
    c->n = (type - 12) / 2;
    *at += c->n;
    return true;
  }
  c->kind = type == 0 ? COLUMN_NULL : type == 7 ? COLUMN_REAL : COLUMN_INT;
  size_t width = widths[type];
  if (*at + width > local.n) {
    if (type == 7) return false; /* in no table of ours */
    c->kind = COLUMN_FAR;
    c->n = width;
  } else {
    c->number = type == 8 ? 0 : type == 9 ? 1 : signed_number(local, *at, width);
  }
  *at += width;
  return true;
}

static bool take_columns(struct page_row *r) {
  struct slice head = r->local;
  uint64_t size, type;
  if (!varint(&head, &size) || size > r->local.n || size > ROW_HEAD_MAX) return false;
  size_t used = r->local.n - head.n;
  if (size < used) return false;
  uint64_t at = size;
  head = slice_first(head, size - used);
  while (head.n) {
    struct column c;
    if (!varint(&head, &type) || type > 2 * PAYLOAD_MAX || !take_column(type, r->local, &at, &c))
      return false;
    if (r->columns < COLUMNS_MAX) r->column[r->columns++] = c;
  }
  return at == r->payload;
}

static bool take_cell(const struct pages *p, struct slice page, int kind, size_t at,
                      struct page_row *r) {
  struct slice s = slice_from(page, kind == INNER_INDEX ? at + 4 : at);
  uint64_t id = 0;
  if (!varint(&s, &r->payload) || r->payload > PAYLOAD_MAX) return false;
  if (kind == LEAF_TABLE && !varint(&s, &id)) return false;
  uint64_t local = local_part(p->size, r->payload, kind == LEAF_TABLE);
  bool spills = local < r->payload;
  if (s.n < local + (spills ? 4 : 0)) return false;
  r->has_id = kind == LEAF_TABLE;
  r->id = (int64_t)id;
  r->local = slice_first(s, local);
  r->overflow = spills ? (uint32_t)number(s, local, 4) : 0;
  r->columns = 0;
  return take_columns(r);
}

/* The kind of a page that has rows, 0 when it is none; where its list of cells begins, and how
 * many. */
static int open_page(const struct pages *p, uint32_t number_of_page, struct slice *ret_page,
                     size_t *ret_list, size_t *ret_cells) {
  struct slice page = page_of(p, number_of_page);
  size_t head = number_of_page == 1 ? FILE_HEAD : 0;
  int kind = slice_at(page, head);
  if (kind != INNER_INDEX && kind != INNER_TABLE && kind != LEAF_INDEX && kind != LEAF_TABLE)
    return 0;
  *ret_page = page;
  *ret_cells = (size_t)number(page, head + 3, 2);
  *ret_list = head + (kind == INNER_INDEX || kind == INNER_TABLE ? 12 : 8);
  return *ret_list + 2 * *ret_cells <= page.n ? kind : 0;
}

bool pages_row(struct pages *p, uint32_t page, uint32_t cell, struct page_row *ret) {
  struct slice s;
  size_t list, cells;
  int kind = open_page(p, page, &s, &list, &cells);
  *ret = (struct page_row){ .page = page, .cell = cell };
  if (!kind || kind == INNER_TABLE || cell >= cells) return false;
  size_t at = (size_t)number(s, list + 2 * cell, 2);
  return at >= list + 2 * cells && at < s.n && take_cell(p, s, kind, at, ret);
}

static void page_rows(struct pages *p, uint32_t page,
                      void (*take)(void *arg, const struct page_row *r), void *arg) {
  struct slice s;
  struct page_row r;
  size_t list, cells;
  int kind = open_page(p, page, &s, &list, &cells);
  if (!kind) return;
  p->seen[page] = PAGE_ROWS;
  for (uint32_t i = 0; kind != INNER_TABLE && i < cells; i++) {
    if (pages_row(p, page, i, &r))
      take(arg, &r);
    else
      p->seen[page] = PAGE_ROWS_DAMAGED;
  }
}

void pages_rows(struct pages *p, void (*take)(void *arg, const struct page_row *r), void *arg) {
  for (uint32_t page = 1; page <= p->count; page++)
    if (is_map(p, page))
      p->seen[page] = PAGE_MAP;
    else if (p->seen[page] != PAGE_FREE)
      page_rows(p, page, take, arg);
}

bool pages_octets(struct pages *p, const struct page_row *r, const struct column *c,
                  bool (*put)(void *arg, struct slice piece), void *arg) {
  struct slice piece = r->local;
  uint64_t at = 0, end = c->at + c->n;
  uint32_t next = r->overflow;
  while (at < end) {
    uint64_t skip = c->at > at ? c->at - at : 0;
    struct slice wanted =
        slice_first(slice_from(piece, skip), end - at - (skip < end - at ? skip : end - at));
    if (wanted.n && !put(arg, wanted)) return false;
    at += piece.n;
    if (at >= end) break;
    struct slice page = page_of(p, next);
    if (!page.n || p->seen[next] == PAGE_FREE || p->seen[next] == PAGE_ROWS ||
        p->seen[next] == PAGE_MAP)
      return false;
    p->seen[next] = PAGE_OVERFLOW;
    piece = slice_first(slice_from(page, 4), r->payload - at);
    next = (uint32_t)number(page, 0, 4);
    bool last = at + piece.n >= r->payload;
    if (last != (next == 0)) return false; /* a chain that ends too early or too late */
  }
  return true;
}

static bool gather(void *arg, struct slice piece) {
  buf_put(arg, piece);
  return true;
}

bool pages_number(struct pages *p, const struct page_row *r, size_t column, int64_t *ret) {
  const struct column *c = column < r->columns ? &r->column[column] : NULL;
  struct buf b;
  if (c && c->kind == COLUMN_INT) *ret = c->number;
  if (!c || c->kind != COLUMN_FAR) return c && c->kind == COLUMN_INT;
  buf_init(&b, 8);
  bool fine = pages_octets(p, r, c, gather, &b) && !b.failed && buf_len(&b) == c->n;
  if (fine) *ret = signed_number(buf_slice(&b), 0, c->n);
  buf_free(&b);
  return fine;
}

struct slice pages_text(const struct page_row *r, size_t column) {
  if (column >= r->columns) return SLICE_NONE;
  const struct column *c = &r->column[column];
  if (c->kind != COLUMN_TEXT || c->at + c->n > r->local.n) return SLICE_NONE;
  return slice_first(slice_from(r->local, c->at), c->n);
}

void pages_damage(const struct pages *p, struct pages_damage *ret) {
  *ret = (struct pages_damage){ .log = p->log_broken, .free_list = p->count && !p->free_known };
  for (uint32_t page = 1; page <= p->count; page++) {
    bool not_seen = p->seen[page] == PAGE_NOT_SEEN && page != lock_page(p);
    if (!not_seen && p->seen[page] != PAGE_ROWS_DAMAGED) continue;
    if (!ret->pages++) ret->first = page;
  }
}
