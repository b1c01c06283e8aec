/* SPDX-License-Identifier: ISC */
/* Returns space to the file system when the owner of a database has been idle for a moment
 * (docs/design/space.md): free pages are cut off the database, and the log's file is truncated.
 * Each call is one small step: a transaction of at most SHRUNK_A_TURN pages, a checkpoint, or the
 * truncation of the log.
 *
 *   many pages free --shrink, again and again--> few are free --checkpoint--> the file is short
 *     --truncate--> the log is empty: `unknown` is cleared until the next commit
 *
 * An eighth of the database is kept free for what comes next; and nothing is done before a quarter
 * is free, so that a database that gains and loses equally does not move its pages about. */
#include "lib/db/db.h"

enum {
  SHRUNK_A_TURN = 64, /* pages, at some ten microseconds each */
  /* SQLite finds the page to be cut off by searching the list of free ones: the longer the list,
   * the fewer pages a step cuts off. */
  SEARCH_A_TURN = 1024 * 1024,
  /* Octets of the log's file: twice the size at which an idle owner checkpoints. Overwriting an
   * existing file costs a sync less work than extending it, so a database whose changes come one by
   * one keeps it. */
  LOG_KEPT = 8 * 1024 * 1024,
};

static unsigned step_of(uint64_t free) {
  uint64_t pages = SEARCH_A_TURN / (free + 1);
  return pages < 1 ? 1 : pages > SHRUNK_A_TURN ? SHRUNK_A_TURN : (unsigned)pages;
}

/* Free pages above the number to keep; 0: no more than that are free. */
static uint64_t too_many(const struct db_giving *g, const struct db_space *s) {
  uint64_t begin = s->pages / 4, keep = s->pages / 8;
  if (begin < g->least) begin = g->least;
  if (keep > begin / 2) keep = begin / 2;
  if (!s->shrinks || s->free <= (g->shrinking ? keep : begin)) return 0;
  return s->free - keep;
}

static enum db_result shrink(struct db *db, struct db_giving *g, uint64_t pages, uint64_t free) {
  unsigned step = step_of(free);
  g->shrinking = true;
  enum db_result r = db_shrink(db, pages < step ? (unsigned)pages : step);
  if (r != DB_OK) g->unknown = g->shrinking = false; /* until the next commit */
  return r;
}

enum db_result db_give_back(struct db *db, struct db_giving *g) {
  struct db_space s;
  enum db_result r = db_space(db, &s);
  uint64_t pages = r == DB_OK ? too_many(g, &s) : 0;
  if (pages) return shrink(db, g, pages, s.free);
  bool shrunk = g->shrinking;
  g->shrinking = false;
  if (r == DB_OK && shrunk) return db_checkpoint(db, false);
  g->unknown = false;
  return r == DB_OK && s.log > LOG_KEPT ? db_cut_log(db) : r;
}
