/* SPDX-License-Identifier: ISC */
/* Files of message bodies and of the spool. bodies.h has a file's states; every function works
 * through struct disk, so that the simulated world can fail each step. Invariants: no file stays
 * open between two writes; a body file is complete before its row is committed, so that a crash
 * leaves at most a file without a row, which bodies_list() finds. */
#include "src/store/sql/bodies.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>

#include "lib/base/crc32c.h"
#include "lib/base/num.h"

void spool_backup_name(char out[BODY_NAME_MAX], uint64_t number) {
  snprintf(out, BODY_NAME_MAX, "spool/backup-%" PRIu64, number);
}

static void spool_name(char out[BODY_NAME_MAX], uint64_t number) {
  snprintf(out, BODY_NAME_MAX, "spool/%" PRIu64, number);
}

void body_name(char out[BODY_NAME_MAX], uint64_t id) {
  snprintf(out, BODY_NAME_MAX, STORE_BODY_FILE, STORE_BODY_AT(id));
}

static void folder_name(char out[BODY_NAME_MAX], unsigned folder) {
  snprintf(out, BODY_NAME_MAX, STORE_BODY_FOLDER, folder % STORE_BODY_FOLDERS);
}

/* --- at start --- */

static int make_folders(struct disk *d) {
  char name[BODY_NAME_MAX];
  int r = d->ops->make_dir(d, "spool");
  if (r == 0) r = d->ops->make_dir(d, STORE_BODIES);
  if (r < 0) return r;
  folder_name(name, STORE_BODY_FOLDERS - 1);
  int had = d->ops->exists(d, name);
  for (unsigned i = 0; i < STORE_BODY_FOLDERS; i++) {
    folder_name(name, i);
    r = d->ops->make_dir(d, name);
    if (r < 0) return r;
  }
  return had == 1 ? 0 : d->ops->sync_all(d);
}

enum { LEFTOVERS = 64 };
struct leftovers {
  char names[LEFTOVERS][BODY_NAME_MAX];
  size_t count;
};

static void note_leftover(void *arg, const char *entry) {
  struct leftovers *l = arg;
  if (l->count == LEFTOVERS || strlen(entry) > BODY_NAME_MAX - sizeof "spool/") return;
  snprintf(l->names[l->count++], BODY_NAME_MAX, "spool/%s", entry);
}

/* Names are listed before any is removed, some at a time. */
static int empty_spool(struct disk *d) {
  for (;;) {
    struct leftovers l = { .count = 0 };
    int r = d->ops->list(d, "spool", note_leftover, &l);
    if (r < 0 || !l.count) return r;
    for (size_t i = 0; i < l.count; i++) {
      r = d->ops->remove(d, l.names[i]);
      if (r < 0 && r != -ENOENT) return r;
    }
  }
}

int bodies_prepare(struct disk *d) {
  int r = make_folders(d);
  return r < 0 ? r : empty_spool(d);
}

/* --- the spool --- */

int spool_open(struct disk *d, struct spool *s, struct disk_file **ret) {
  char name[BODY_NAME_MAX];
  spool_name(name, s->number);
  int r = d->ops->open(d, name, s->made ? DISK_WRITE : DISK_CREATE, ret);
  s->made |= r >= 0;
  return r < 0 ? r : 0;
}

int spool_write(struct disk *d, struct disk_file *f, struct spool *s, struct slice octets) {
  int r = d->ops->write(f, octets, s->size);
  if (r < 0) return r;
  if (!s->size) mail_measure_open(&s->measure);
  s->size += octets.n;
  s->sum = crc32c(s->sum, octets);
  mail_measure_put(&s->measure, octets);
  return 0;
}

void spool_drop(struct disk *d, struct spool *s) {
  if (!s->made) return;
  char name[BODY_NAME_MAX];
  spool_name(name, s->number);
  s->made = false;
  d->ops->remove(d, name);
}

/* --- bodies --- */

int body_take_spool(struct disk *d, struct spool *s, uint64_t id, struct slice tail) {
  char from[BODY_NAME_MAX], to[BODY_NAME_MAX];
  struct disk_file *f = NULL;
  spool_name(from, s->number);
  int r = tail.n ? d->ops->open(d, from, DISK_WRITE, &f) : 0;
  if (r == 0 && tail.n) r = d->ops->write(f, tail, s->size);
  if (f) d->ops->close(&f);
  if (r < 0) return r;
  body_name(to, id);
  return d->ops->rename(d, from, to);
}

int body_return_spool(struct disk *d, struct spool *s, uint64_t id) {
  char from[BODY_NAME_MAX], to[BODY_NAME_MAX];
  body_name(from, id);
  spool_name(to, s->number);
  return d->ops->rename(d, from, to);
}

int body_write(struct disk *d, uint64_t id, struct slice octets) {
  char name[BODY_NAME_MAX];
  struct disk_file *f = NULL;
  body_name(name, id);
  int r = d->ops->open(d, name, DISK_CREATE, &f);
  bool new = r != -EEXIST;
  if (!new) r = d->ops->open(d, name, DISK_WRITE, &f); /* left by a crash, without a row */
  if (r < 0) return r;
  if (!new) r = d->ops->truncate(f, 0);
  if (r == 0) r = d->ops->write(f, octets, 0);
  d->ops->close(&f);
  if (r < 0) d->ops->remove(d, name);
  return r;
}

int body_read_some(struct disk *d, uint64_t id, uint64_t at, size_t n, struct buf *out) {
  char name[BODY_NAME_MAX];
  struct disk_file *f = NULL;
  uint8_t *to = buf_reserve(out, n);
  if (!to) return -ENOMEM;
  body_name(name, id);
  int r = d->ops->open(d, name, DISK_READ, &f);
  if (r < 0) return r;
  int64_t got = d->ops->read(f, to, n, at);
  d->ops->close(&f);
  if (got < 0) return (int)got;
  if ((uint64_t)got < n) return -ENOENT;
  buf_added(out, n);
  return 0;
}

int body_remove(struct disk *d, uint64_t id) {
  char name[BODY_NAME_MAX];
  body_name(name, id);
  int r = d->ops->remove(d, name);
  return r == -ENOENT ? 0 : r;
}

int body_open(struct disk *d, const struct body_place *b, struct disk_file **ret) {
  char name[BODY_NAME_MAX];
  body_name(name, b->id);
  int r = d->ops->open(d, name, DISK_READ, ret);
  if (r < 0) return r;
  int64_t size = d->ops->size(*ret);
  if (size >= 0 && (uint64_t)size >= b->start + b->size) return 0;
  d->ops->close(ret);
  return size < 0 ? (int)size : -ENODATA;
}

enum { READ_PIECE = 64 * 1024 };

int body_read(struct disk *d, const struct body_place *b,
              void (*put)(void *arg, struct slice piece), void *arg) {
  struct disk_file *f = NULL;
  struct buf piece;
  int r = body_open(d, b, &f);
  if (r < 0) return r;
  buf_init(&piece, READ_PIECE);
  uint8_t *to = buf_reserve(&piece, READ_PIECE);
  if (!to) r = -ENOMEM;
  for (uint64_t at = 0; r == 0 && at < b->size;) {
    size_t n = b->size - at < READ_PIECE ? (size_t)(b->size - at) : READ_PIECE;
    int64_t got = d->ops->read(f, to, n, b->start + at);
    if (got == (int64_t)n)
      put(arg, slice_of(to, n));
    else
      r = got < 0 ? (int)got : -ENODATA;
    at += n;
  }
  d->ops->close(&f);
  buf_free(&piece);
  return r;
}

bool body_is_damage(int error) { return error == -ENOENT || error == -ENODATA; }

struct listing {
  void (*fn)(void *arg, uint64_t id, const char *entry);
  void *arg;
  unsigned folder;
};

static void listed(void *arg, const char *entry) {
  struct listing *l = arg;
  uint64_t id;
  bool ours =
      num_parse(slice_str(entry), INT64_MAX, &id) && id && id % STORE_BODY_FOLDERS == l->folder;
  l->fn(l->arg, ours ? id : 0, entry);
}

int bodies_list(struct disk *d, unsigned folder,
                void (*fn)(void *arg, uint64_t id, const char *entry), void *arg) {
  char name[BODY_NAME_MAX];
  struct listing l = { fn, arg, folder % STORE_BODY_FOLDERS };
  folder_name(name, folder);
  return d->ops->list(d, name, listed, &l);
}

/* --- errors --- */

enum db_result db_result_of(int negative_errno) {
  switch (negative_errno) {
  case 0: return DB_OK;
  case -ENOSPC:
  case -EDQUOT: return DB_FULL;
  case -ENOMEM: return DB_NOMEM;
  case -EIO: return DB_IOERR;
  default: return DB_ERROR;
  }
}

enum db_result db_result_of_body(int negative_errno) {
  if (body_is_damage(negative_errno)) return DB_CORRUPT;
  return negative_errno == 0 ? DB_OK : negative_errno == -ENOMEM ? DB_NOMEM : DB_ERROR;
}
