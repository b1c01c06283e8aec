/* SPDX-License-Identifier: ISC */
/* What db.c, db_stmt.c and db_backup.c share: the insides of a connection. */
#ifndef QASID_DB_INSIDE_H
#define QASID_DB_INSIDE_H

#include <sqlite3.h>

#include "lib/db/db.h"

enum {
  DB_STMTS_MAX = 256,  /* statements of one connection: more means they are not literals */
  DB_STMT_SLOTS = 512, /* a power of two, twice as many */
};

struct db_stmt {
  struct db *db;
  sqlite3_stmt *h;       /* NULL: could not be prepared */
  const char *sql;       /* the literal */
  bool row;              /* holds a row */
  int bound;             /* the first failure to bind */
  enum db_result result; /* of the preparation */
};

struct db {
  sqlite3 *h;
  struct disk *disk;
  bool in_transaction;
  bool dead;             /* DB_IOERR was returned */
  enum db_result sticky; /* DB_OK: none */
  unsigned wal_pages;
  struct db_stmt *stmts[DB_STMT_SLOTS]; /* open addressing by the literal's address */
  unsigned stmt_count;
  struct db_stmt broken; /* stands in for a statement that could not be prepared */
  char words[256];
};

/* An SQLite result code in our terms. */
enum db_result db_translate(int rc);
/* The same, after putting the words for it into `words`, and whatever must stick into the
 * connection. */
enum db_result db_note(struct db *db, int rc);
/* A mistake found by ourselves. */
enum db_result db_mistake(struct db *db, const char *words);
/* The words for the last error of `h`. */
void db_words(sqlite3 *h, int rc, char *to, size_t n);
/* What every call returns without trying: DB_OK to go on. */
enum db_result db_stuck(const struct db *db);
/* SQLite's handle for a file of a disk, and its end. */
int db_sqlite_open(struct disk *disk, const char *name, int flags, sqlite3 **ret);
void db_sqlite_close(struct disk *disk, sqlite3 **h);

/* All statements let go of their rows; all are freed. */
void db_stmts_reset(struct db *db);
void db_stmts_free(struct db *db);

#endif
