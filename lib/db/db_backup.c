/* SPDX-License-Identifier: ISC */
/* A copy of a database that is in use.
 *
 * The source's connection holds a read snapshot for the whole copy, so that writers on other
 * connections do not restart it, and the copy is of one moment. The copy is written without a
 * journal: an incomplete copy is useless, and is removed. The last step syncs the file and its
 * name. An error of the copy is returned, but does not make the source's connection unusable. */
#include <stdio.h>
#include <stdlib.h>

#include "lib/db/db_inside.h"

struct db_backup {
  struct db *from;
  struct disk *to;
  sqlite3 *h; /* the copy; NULL when it is closed */
  sqlite3_backup *b;
  bool complete;
  enum db_result failed;
  char name[];
};

static enum db_result note(struct db_backup *b, int rc) {
  enum db_result r = db_translate(rc);
  if (r == DB_OK || r == DB_ROW) return r;
  char words[160];
  db_words(b->h, rc, words, sizeof words);
  snprintf(b->from->words, sizeof b->from->words, "the copy: %s", words);
  return b->failed = r;
}

static void close_copy(struct db_backup *b) {
  sqlite3_backup_finish(b->b);
  b->b = NULL;
  if (b->h) db_sqlite_close(b->to, &b->h);
}

static enum db_result take_snapshot(struct db *db) {
  enum db_result r = db_begin_read(db);
  if (r != DB_OK) return r;
  r = db_exec(db, "SELECT count(*) FROM sqlite_schema");
  if (r != DB_OK) db_rollback(db);
  return r;
}

static enum db_result open_copy(struct db_backup *b) {
  int rc = db_sqlite_open(b->to, b->name, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE, &b->h);
  if (rc == SQLITE_OK)
    rc = sqlite3_exec(b->h,
                      "PRAGMA temp_store=MEMORY; PRAGMA journal_mode=OFF; PRAGMA synchronous=FULL;",
                      NULL, NULL, NULL);
  if (rc == SQLITE_OK) {
    b->b = sqlite3_backup_init(b->h, "main", b->from->h, "main");
    if (!b->b) rc = sqlite3_extended_errcode(b->h);
  }
  return note(b, rc);
}

enum db_result db_backup_start(struct db *db, struct disk *to, const char *name,
                               struct db_backup **ret) {
  enum db_result r = db_stuck(db);
  if (r != DB_OK) return r;
  if (to->ops->exists(to, name) != 0)
    return db_mistake(db, "the copy's file exists, or can't be looked for");
  size_t n = strlen(name) + 1;
  struct db_backup *b = calloc(1, sizeof *b + n);
  if (!b) return DB_NOMEM;
  b->from = db;
  b->to = to;
  memcpy(b->name, name, n);
  r = take_snapshot(db);
  if (r != DB_OK) {
    free(b);
    return r;
  }
  r = open_copy(b);
  if (r == DB_OK)
    *ret = b;
  else
    db_backup_end(&b);
  return r;
}

enum db_result db_backup_step(struct db_backup *b, int pages) {
  if (b->failed != DB_OK) return b->failed;
  if (b->complete) return DB_OK;
  int rc = sqlite3_backup_step(b->b, pages);
  if (rc == SQLITE_OK) return DB_ROW;
  if (rc != SQLITE_DONE) return note(b, rc);
  rc = sqlite3_backup_finish(b->b);
  b->b = NULL;
  if (rc != SQLITE_OK) return note(b, rc);
  b->complete = true;
  close_copy(b);
  return DB_OK;
}

void db_backup_end(struct db_backup **backup) {
  struct db_backup *b = *backup;
  *backup = NULL;
  if (!b) return;
  close_copy(b);
  if (!b->complete) b->to->ops->remove(b->to, b->name);
  db_rollback(b->from);
  free(b);
}
