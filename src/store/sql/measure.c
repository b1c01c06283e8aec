/* SPDX-License-Identifier: ISC */
/* Measures the surrogates of unmeasured messages: those of older versions, of backups made by them,
 * and of processes that deliver messages without a measurement. The writer does this when idle,
 * some at a time, a transaction each. Until then pop3d has to treat such a message as
 * unmeasured. */
#include <errno.h>

#include "mail/surrogate.h"
#include "src/store/sql/body_row.h"
#include "src/store/sql/engine.h"

enum { MEASURED_A_TURN = 32, OCTETS_A_TURN = 4 * 1024 * 1024 };

struct measured {
  uint64_t folder, uid, surrogate;
};

static void put(void *arg, struct slice piece) { surrogate_put(arg, piece, NULL); }

/* A damaged message is never sent, so any value will do. 0: not now. */
static uint64_t measure(struct store_engine *e, const struct body_row *b) {
  struct surrogate s;
  surrogate_open(&s, e->surrogates);
  int r = body_row_each(e->disk, b, put, &s);
  surrogate_end(&s, NULL);
  if (r == 0) return surrogate_size(&s);
  return r == -EIO || body_is_damage(r) ? SURROGATE_SAME : SURROGATE_UNKNOWN;
}

static enum db_result measure_some(struct store_engine *e, struct measured *found,
                                   size_t *ret_count) {
  struct db_stmt *s = db_prepare(e->db, "SELECT e.folder, e.uid, e.size, " BODY_ROW
                                        " FROM entry e LEFT JOIN body b ON b.id = e.body"
                                        " WHERE e.surrogate IS NULL LIMIT ?");
  db_bind_int(s, 1, MEASURED_A_TURN);
  enum db_result r;
  uint64_t octets = 0, size = 1;
  *ret_count = 0;
  while (size && octets < OCTETS_A_TURN && (r = db_step(s)) == DB_ROW) {
    struct body_row b;
    body_row_get(&b, s, 3);
    size = measure(e, &b);
    struct measured one = { (uint64_t)db_int(s, 0), (uint64_t)db_int(s, 1), size };
    if (size) found[(*ret_count)++] = one;
    octets += (uint64_t)db_int(s, 2);
  }
  db_reset(s);
  return !size ? DB_NOMEM : r == DB_ROW ? DB_OK : r;
}

static enum db_result keep(struct store_engine *e, const struct measured *found, size_t count) {
  enum db_result r = db_begin(e->db);
  for (size_t i = 0; r == DB_OK && i < count; i++) {
    struct db_stmt *s =
        db_prepare(e->db, "UPDATE entry SET surrogate = ? WHERE folder = ? AND uid = ?");
    db_bind_int(s, 1, (int64_t)found[i].surrogate);
    db_bind_int(s, 2, (int64_t)found[i].folder);
    db_bind_int(s, 3, (int64_t)found[i].uid);
    r = db_run(s);
  }
  if (r == DB_OK) r = db_commit(e->db);
  if (r != DB_OK) db_rollback(e->db);
  return r;
}

enum db_result engine_forget_measures(struct store_engine *e) {
  struct db_stmt *s = db_prepare(e->db, "UPDATE entry SET surrogate = NULL"
                                        " WHERE surrogate > 1 AND (surrogate & 1) = ?");
  db_bind_int(s, 1, e->surrogates != SURROGATE_6858);
  return db_run(s);
}

/* A message that cannot be read for a reason other than its own damage (no space, a damaged page)
 * is left for the next start. */
bool engine_measure(struct store_engine *e) {
  struct measured found[MEASURED_A_TURN];
  size_t count = 0;
  enum db_result r = measure_some(e, found, &count), kept = count ? keep(e, found, count) : DB_OK;
  if (r == DB_OK) r = kept;
  if (r != DB_OK || !count) e->unmeasured = false;
  return r != DB_IOERR;
}
