/* SPDX-License-Identifier: ISC */
/* Computes checksums for bodies that an earlier version stored without one. The writer does this
 * when nothing waits, some at a time, a transaction each. Damage that happened before that cannot
 * be recognised. */
#include <errno.h>

#include "lib/base/crc32c.h"
#include "src/store/sql/engine.h"

enum { SUMMED_A_TURN = 32, OCTETS_A_TURN = 4 * 1024 * 1024, NEVER = -1 };

struct summed {
  int64_t body, sum;
};

static void add(void *arg, struct slice piece) {
  uint32_t *sum = arg;
  *sum = crc32c(*sum, piece);
}

int body_sum(struct disk *d, const struct body_place *b, uint32_t *ret) {
  *ret = 0;
  return body_read(d, b, add, ret);
}

/* The row is id, start, size, data. DB_OK: its sum is known, or NEVER will be. */
static enum db_result sum_of(struct store_engine *e, struct db_stmt *row, int64_t *ret) {
  const struct body_place place = { (uint64_t)db_int(row, 0), (uint64_t)db_int(row, 1),
                                    (uint64_t)db_int(row, 2) };
  uint32_t sum;
  *ret = NEVER;
  if (db_is_null(row, 1)) {
    struct slice data = db_bytes(row, 3);
    if (data.n == place.size) *ret = crc32c(0, data);
    return DB_OK;
  }
  int r = body_sum(e->disk, &place, &sum);
  if (r == 0) *ret = sum;
  return r == 0 || r == -EIO || body_is_damage(r) ? DB_OK : db_result_of_body(r);
}

static enum db_result sum_some(struct store_engine *e, struct summed *found, size_t *ret_count) {
  struct db_stmt *s =
      db_prepare(e->db, "SELECT id, start, size, data FROM body INDEXED BY body_unsummed"
                        " WHERE sum IS NULL ORDER BY id LIMIT ?");
  db_bind_int(s, 1, SUMMED_A_TURN);
  enum db_result r = DB_ROW;
  uint64_t octets = 0;
  *ret_count = 0;
  while (octets < OCTETS_A_TURN && (r = db_step(s)) == DB_ROW) {
    struct summed *one = &found[*ret_count];
    one->body = db_int(s, 0);
    octets += (uint64_t)db_int(s, 2);
    r = sum_of(e, s, &one->sum);
    if (r != DB_OK) break;
    ++*ret_count;
  }
  db_reset(s);
  return r == DB_ROW ? DB_OK : r;
}

static enum db_result keep(struct store_engine *e, const struct summed *found, size_t count) {
  enum db_result r = db_begin(e->db);
  for (size_t i = 0; r == DB_OK && i < count; i++) {
    struct db_stmt *s = db_prepare(e->db, "UPDATE body SET sum = ? WHERE id = ?");
    db_bind_int(s, 1, found[i].sum);
    db_bind_int(s, 2, found[i].body);
    r = db_run(s);
  }
  if (r == DB_OK) r = db_commit(e->db);
  if (r != DB_OK) db_rollback(e->db);
  return r;
}

/* A body that cannot be read now for a reason other than damage of its own (no space, no
 * descriptors, a damaged page) is left for the next start. */
bool engine_sum(struct store_engine *e) {
  struct summed found[SUMMED_A_TURN];
  size_t count = 0;
  enum db_result r = sum_some(e, found, &count), kept = count ? keep(e, found, count) : DB_OK;
  if (kept != DB_OK) r = kept;
  if (r != DB_OK || !count) e->unsummed = false;
  return r != DB_IOERR;
}
