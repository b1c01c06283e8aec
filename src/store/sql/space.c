/* SPDX-License-Identifier: ISC */
/* Returns space to the file system when the store has been idle for a moment (lib/db/db_give.c,
 * docs/design/space.md). */
#include "src/store/sql/engine.h"

bool engine_give_back(struct store_engine *e) {
  if (e->holds) { /* a backup reads an old snapshot: the log would only grow */
    e->giving.unknown = false;
    return true;
  }
  bool shrunk = e->giving.shrinking;
  enum db_result r = db_give_back(e->db, &e->giving);
  if (shrunk && !e->giving.shrinking) e->checkpointed = db_wal_pages(e->db);
  return r != DB_IOERR;
}
