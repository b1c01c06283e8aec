/* SPDX-License-Identifier: ISC */
/* Space is given back to the file system when the store has been quiet for a moment
 * (docs/design/space.md): pages that hold nothing are cut off the database, and the log's file is
 * emptied. Each call is one small step: a transaction of at most SHRUNK_A_TURN pages, a checkpoint,
 * or the cut of the log.
 *
 *   much is free --shrink, again and again--> little is free --checkpoint--> the file is short
 *     --cut--> the log is empty: `space_unknown` is cleared until the next group
 *
 * Some free pages are kept for the next mail: an eighth of the database; and nothing is done before
 * it is a quarter, so that a store that loses and takes as much does not move its pages about. */
#include "src/store/sql/engine.h"

enum {
  SHRUNK_A_TURN = 64, /* pages, of which each costs some ten microseconds */
  /* SQLite finds the page to be cut off by a search of the list of free ones: with more of them a
   * step has fewer pages. */
  SEARCH_A_TURN = 1024 * 1024,
  /* Octets of the log's file: twice what moves it home when idle. Writing into a file that is
   * there costs a sync less work than making it longer, so a store whose mail comes one by one
   * keeps it. */
  LOG_KEPT = 8 * 1024 * 1024,
};

static unsigned step_of(uint64_t free) {
  uint64_t pages = SEARCH_A_TURN / (free + 1);
  return pages < 1 ? 1 : pages > SHRUNK_A_TURN ? SHRUNK_A_TURN : (unsigned)pages;
}

/* Free pages above what is kept; 0: few enough are. */
static uint64_t too_many(const struct store_engine *e, const struct db_space *s) {
  uint64_t begin = s->pages / 4, keep = s->pages / 8;
  if (begin < e->space_least) begin = e->space_least;
  if (keep > begin / 2) keep = begin / 2;
  if (!s->shrinks || s->free <= (e->shrinking ? keep : begin)) return 0;
  return s->free - keep;
}

static bool shrink(struct store_engine *e, uint64_t pages, uint64_t free) {
  unsigned step = step_of(free);
  e->shrinking = true;
  enum db_result r = db_shrink(e->db, pages < step ? (unsigned)pages : step);
  if (r != DB_OK) e->space_unknown = e->shrinking = false; /* until the next group */
  return r != DB_IOERR;
}

bool engine_give_back(struct store_engine *e) {
  struct db_space s;
  if (e->holds) { /* a backup reads the database as it was: the log would only grow */
    e->space_unknown = false;
    return true;
  }
  enum db_result r = db_space(e->db, &s);
  uint64_t pages = r == DB_OK ? too_many(e, &s) : 0;
  if (pages) return shrink(e, pages, s.free);
  bool shrunk = e->shrinking;
  e->shrinking = false;
  if (r == DB_OK && shrunk) return engine_checkpoint(e);
  e->space_unknown = false;
  if (r == DB_OK && s.log > LOG_KEPT) r = db_cut_log(e->db);
  return r != DB_IOERR;
}
