/* SPDX-License-Identifier: ISC */
/* Maintenance of auth's database after changes: checkpoints its log and returns free space to the
 * file system, in small steps while nothing changes (lib/db/db_give.c). All on the core's thread,
 * between two messages. */
#include "src/auth/core.h"

enum {
  QUIET_MS = 250, /* without a change, then a step every STEP_MS */
  STEP_MS = 20,
  /* pages in the log: checkpointed when idle, and at once */
  LOG_IDLE = 64,
  LOG_URGENT = 1024,
};

static void step(struct auth *a, enum db_result r) {
  if (r != DB_OK) a->quiet.giving.unknown = false;
  if (r == DB_IOERR) accounts_lost(&a->accounts);
}

uint64_t auth_quiet(struct auth *a, uint64_t now_ms) {
  struct auth_quiet *q = &a->quiet;
  struct db *db = a->accounts.db;
  if (!db || a->accounts.many) return 0; /* a commit follows */
  unsigned log = db_wal_pages(db);
  if (q->seen != a->accounts.commits) {
    q->seen = a->accounts.commits;
    q->giving.unknown = true;
    q->at_ms = now_ms + QUIET_MS;
    if (log >= LOG_URGENT) step(a, db_checkpoint(db, false));
  } else if (q->giving.unknown && now_ms >= q->at_ms) {
    q->at_ms = now_ms + STEP_MS;
    step(a, log >= LOG_IDLE ? db_checkpoint(db, false) : db_give_back(db, &q->giving));
  }
  return q->giving.unknown ? q->at_ms : 0;
}
