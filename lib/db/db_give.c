/* SPDX-License-Identifier: ISC */
/* Space is given back to the file system when the owner of a database has been quiet for a moment
 * (docs/design/space.md): pages that hold nothing are cut off the database, and the log's file is
 * emptied. Each call is one small step: a transaction of at most SHRUNK_A_TURN pages, a checkpoint,
 * or the cut of the log.
 *
 *   much is free --shrink, again and again--> little is free --checkpoint--> the file is short
 *     --cut--> the log is empty: `unknown` is cleared until the next commit
 *
 * Some free pages are kept for what comes next: an eighth of the database; and nothing is done
 * before it is a quarter, so that a database that loses and takes as much does not move its pages
 * about. */
#include "lib/db/db.h"

enum {
  SHRUNK_A_TURN = 64, /* pages, of which each costs some ten microseconds */
  /* SQLite finds the page to be cut off by a search of the list of free ones: with more of them a
   * step has fewer pages. */
  SEARCH_A_TURN = 1024 * 1024,
  /* Octets of the log's file: twice what moves it home when idle. Writing into a file that is
   * there costs a sync less work than making it longer, so a database whose changes come one by one
   * keeps it. */
  LOG_KEPT = 8 * 1024 * 1024,
};

static unsigned step_of(uint64_t free) {
  uint64_t pages = SEARCH_A_TURN / (free + 1);
  return pages < 1 ? 1 : pages > SHRUNK_A_TURN ? SHRUNK_A_TURN : (unsigned)pages;
}

/* Free pages above what is kept; 0: few enough are. */
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
