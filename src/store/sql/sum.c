/* SPDX-License-Identifier: ISC */
/* Computes checksums for bodies that an earlier version stored without one. The writer does this
 * when idle, some at a time, a transaction each. Damage that happened before that cannot be
 * detected. */
#include <errno.h>

#include "src/store/sql/body_row.h"
#include "src/store/sql/engine.h"

enum { SUMMED_A_TURN = 32, OCTETS_A_TURN = 4 * 1024 * 1024, NEVER = -1 };

struct summed {
  int64_t body, sum;
};

/* DB_OK: its sum is known, or NEVER will be. */
static enum db_result sum_of(struct store_engine *e, const struct body_row *b, int64_t *ret) {
  uint32_t sum;
  int r = body_row_sum(e->disk, b, &sum);
  *ret = r == 0 ? (int64_t)sum : NEVER;
  return r == 0 || r == -EIO || body_is_damage(r) ? DB_OK : db_result_of_body(r);
}

static enum db_result sum_some(struct store_engine *e, struct summed *found, size_t *ret_count) {
  struct db_stmt *s = db_prepare(e->db, "SELECT " BODY_ROW " FROM body b"
                                        " WHERE b.sum IS NULL ORDER BY b.id LIMIT ?");
  db_bind_int(s, 1, SUMMED_A_TURN);
  enum db_result r = DB_ROW;
  uint64_t octets = 0;
  *ret_count = 0;
  while (octets < OCTETS_A_TURN && (r = db_step(s)) == DB_ROW) {
    struct summed *one = &found[*ret_count];
    struct body_row b;
    body_row_get(&b, s, 0);
    one->body = (int64_t)b.id;
    octets += b.size;
    r = sum_of(e, &b, &one->sum);
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

/* A body that cannot be read now for a reason other than its own damage (no space, no descriptors,
 * a damaged page) is left for the next start. */
bool engine_sum(struct store_engine *e) {
  struct summed found[SUMMED_A_TURN];
  size_t count = 0;
  enum db_result r = sum_some(e, found, &count), kept = count ? keep(e, found, count) : DB_OK;
  if (kept != DB_OK) r = kept;
  if (r != DB_OK || !count) e->unsummed = false;
  return r != DB_IOERR;
}
