/* SPDX-License-Identifier: ISC */
/* The inside of a connection, shared by the files of lib/db that use SQLite. */
#ifndef QASID_DB_INSIDE_H
#define QASID_DB_INSIDE_H

#include <sqlite3.h>

#include "lib/db/db.h"

enum {
  DB_STMTS_MAX = 256,  /* statements of one connection: more means they are not literals */
  DB_STMT_SLOTS = 512, /* a power of two, twice as many */
  DB_PAGE = 4096,      /* octets, of a database that is made */
  DB_BUSY_MS = 5000,
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
  struct db_stmt broken; /* returned in place of a statement that could not be prepared */
  char words[256];
};

/* Translates an SQLite result code. */
enum db_result db_translate(int rc);
/* The same; also stores the error text in `words`, and the sticky state in the connection. */
enum db_result db_note(struct db *db, int rc);
/* A misuse detected by this library, not by SQLite. */
enum db_result db_mistake(struct db *db, const char *words);
/* The words for the last error of `h`. */
void db_words(sqlite3 *h, int rc, char *to, size_t n);
/* The error that every call must return at once; DB_OK: continue. */
enum db_result db_stuck(const struct db *db);
/* Opens SQLite's handle for a file of a disk, and closes it. */
int db_sqlite_open(struct disk *disk, const char *name, int flags, sqlite3 **ret);
void db_sqlite_close(struct disk *disk, sqlite3 **h);

/* db_stmts_reset: all statements release their rows. db_stmts_free: all are freed. */
void db_stmts_reset(struct db *db);
void db_stmts_free(struct db *db);

#endif
