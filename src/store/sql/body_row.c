/* SPDX-License-Identifier: ISC */
/* Reads a message's head, which is in its row, and its octets, which are in the row or in a file,
 * as one sequence (body_row.h). Invariants: a row whose parts do not add up is damage, as is a file
 * that is too short; nothing is put twice. */
#include "src/store/sql/body_row.h"

#include <errno.h>

#include "lib/base/crc32c.h"

void body_row_get(struct body_row *ret, struct db_stmt *s, int column) {
  *ret = (struct body_row){
    .id = (uint64_t)db_int(s, column),
    .size = (uint64_t)db_int(s, column + 1),
    .in_file = !db_is_null(s, column + 2),
    .head = db_bytes(s, column + 3),
  };
  if (ret->in_file)
    ret->start = (uint64_t)db_int(s, column + 2);
  else
    ret->data = db_bytes(s, column + 4);
}

static bool adds_up(const struct body_row *b) {
  return b->in_file ? b->head.n <= b->size : b->head.n + b->data.n == b->size;
}

/* For the octets alone. */
static struct body_place place_of(const struct body_row *b) {
  return (struct body_place){ b->id, b->start, b->size - b->head.n };
}

int body_row_open(struct disk *d, const struct body_row *b, struct disk_file **ret) {
  struct body_place place = place_of(b);
  return adds_up(b) ? body_open(d, &place, ret) : -ENODATA;
}

static int read_open(struct disk *d, struct disk_file *f, uint64_t at, size_t n, struct buf *out) {
  uint8_t *to = buf_reserve(out, n);
  if (!to) return -ENOMEM;
  int64_t got = d->ops->read(f, to, n, at);
  if (got != (int64_t)n) return got < 0 ? (int)got : -ENODATA;
  buf_added(out, n);
  return 0;
}

int body_row_read(struct disk *d, const struct body_row *b, struct disk_file *f, uint64_t at,
                  size_t n, struct buf *out) {
  if (!adds_up(b)) return -ENODATA;
  if (at >= b->size) return 0;
  if (b->size - at < n) n = (size_t)(b->size - at);
  struct slice head = at < b->head.n ? slice_first(slice_from(b->head, (size_t)at), n) : SLICE_NONE;
  buf_put(out, head);
  n -= head.n;
  at += head.n;
  if (!n) return out->failed ? -ENOMEM : 0;
  at -= b->head.n;
  if (b->in_file)
    return f ? read_open(d, f, b->start + at, n, out)
             : body_read_some(d, b->id, b->start + at, n, out);
  buf_put(out, slice_first(slice_from(b->data, (size_t)at), n));
  return out->failed ? -ENOMEM : 0;
}

int body_row_each(struct disk *d, const struct body_row *b,
                  void (*put)(void *arg, struct slice piece), void *arg) {
  struct body_place place = place_of(b);
  if (!adds_up(b)) return -ENODATA;
  if (b->head.n) put(arg, b->head);
  if (b->in_file) return body_read(d, &place, put, arg);
  put(arg, b->data);
  return 0;
}

static void add(void *arg, struct slice piece) {
  uint32_t *sum = arg;
  *sum = crc32c(*sum, piece);
}

int body_row_sum(struct disk *d, const struct body_row *b, uint32_t *ret) {
  *ret = 0;
  return body_row_each(d, b, add, ret);
}
