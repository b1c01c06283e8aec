/* SPDX-License-Identifier: ISC */
/* A database on a `struct disk`. SQLite behind it; its types appear only in lib/db.
 *
 * One process opens a database, with any number of connections, one a thread. Journal mode WAL,
 * synchronous=FULL: a commit that returned DB_OK is durable. The VFS is ours (vfs.c): it runs on
 * the real and on the simulated disk alike, joins the write-ahead log's writes of one commit into
 * one, keeps the shared index in memory, and holds a lock on the file for as long as it is open, so
 * that no other program can open it meanwhile.
 *
 * Errors are sticky within a transaction: after the first, every call returns the same until
 * db_rollback() or a successful db_commit(). A connection that returned DB_IOERR must not be used
 * again: close it and open the database anew, from what is on the disk. */
#ifndef QASID_DB_H
#define QASID_DB_H

#include "lib/base/buf.h"
#include "lib/disk/disk.h"

enum db_result {
  DB_OK,
  DB_ROW,     /* db_step: a row is there */
  DB_FULL,    /* the disk is full; nothing changed after the rollback. Reading goes on; writing, and
               * deleting too, which needs process in the log, when there is room again */
  DB_IOERR,   /* the disk failed: reopen */
  DB_CORRUPT, /* a page is damaged: this query fails, others may not */
  DB_CONSTRAINT, /* a UNIQUE or other constraint of the schema */
  DB_NOMEM,
  DB_BUSY,     /* another program holds the database (at open) */
  DB_CANTOPEN, /* missing, or not permitted (at open) */
  DB_ERROR,    /* a mistake of ours: bad SQL, misuse */
};

/* What a result means, in words, for a log. */
const char *db_result_text(enum db_result r);

struct db;      /* a connection; used by one thread at a time */
struct db_stmt; /* a prepared statement, owned by its connection, freed with it */

struct db_options {
  unsigned page_size; /* octets, when the database is made: 16384 */
  unsigned cache_kib; /* page cache of this connection */
  bool read_only;
  unsigned log_kept; /* octets of the log's file that stay when its next round begins; 0: 48 MB */
};

/* Opens (and makes, unless read_only) the database file `name` on `disk`. All connections of one
 * process must be opened on the same `struct disk`. *ret is set on success only. */
enum db_result db_open(struct disk *disk, const char *name, const struct db_options *options,
                       struct db **ret);
void db_close(struct db **db);
/* What went wrong last, in words, for a log; "" when nothing did. Valid until the next error. */
const char *db_error(struct db *db);

/* One or more statements without parameters or rows. */
enum db_result db_exec(struct db *db, const char *sql);
/* The prepared form of `sql` (one statement), made at first use and kept; a row it still held is
 * let go. `sql` must be a string literal: its address is the key. Never NULL: when it can't be
 * made, what is returned takes every bind and gives the error at the first step. */
struct db_stmt *db_prepare(struct db *db, const char *sql);
/* Parameters from 1. The octets must stay until the next db_reset. */
void db_bind_int(struct db_stmt *s, int at, int64_t v);
void db_bind_text(struct db_stmt *s, int at, struct slice v);
void db_bind_blob(struct db_stmt *s, int at, struct slice v);
void db_bind_null(struct db_stmt *s, int at);
/* DB_ROW, or DB_OK at the end (the statement is then reset), or an error. */
enum db_result db_step(struct db_stmt *s);
/* Columns from 0, of the current row; slices are valid until the next step or reset. */
int64_t db_int(struct db_stmt *s, int at);
struct slice db_bytes(struct db_stmt *s, int at);
bool db_is_null(struct db_stmt *s, int at);
/* Lets go of the row; bindings are cleared. To be called when a statement is not stepped to its
 * end. */
void db_reset(struct db_stmt *s);
/* Steps a statement that returns no row. */
enum db_result db_run(struct db_stmt *s);

int64_t db_last_id(struct db *db);
int64_t db_changes(struct db *db);

/* Write transaction (takes the write lock at once; waits a few seconds for another writer). */
enum db_result db_begin(struct db *db);
/* A read snapshot over several statements, as of the first of them. Ends with db_commit or
 * db_rollback. */
enum db_result db_begin_read(struct db *db);
/* Both let go of all rows. A commit that does not return DB_OK has changed nothing, except that
 * after DB_IOERR only the reopened database can tell; db_rollback is still to be called. */
enum db_result db_commit(struct db *db);
void db_rollback(struct db *db);
/* Inside a write transaction: a point to go back to; they nest. Going back also takes back a sticky
 * error, unless the whole transaction is lost (DB_FULL, DB_IOERR, often DB_NOMEM). */
enum db_result db_savepoint(struct db *db);
/* Keeps what was done since the newest point, and forgets the point. */
enum db_result db_release(struct db *db);
/* Undoes what was done since the newest point, and forgets the point. */
enum db_result db_rollback_to(struct db *db);

/* Reads `n` octets from `at` of a blob without loading all of it. DB_ERROR when there are not so
 * many, or no such row. */
enum db_result db_blob_read(struct db *db, const char *table, const char *column, int64_t rowid,
                            void *to, size_t n, uint64_t at);
/* Moves the write-ahead log's pages into the database, as far as readers' snapshots allow; the
 * log's file keeps its size and is used again from its start. To be called outside a transaction,
 * from any thread's connection. `all`: wait (some seconds, then DB_BUSY) for readers, and empty the
 * file. */
enum db_result db_checkpoint(struct db *db, bool all);
/* Pages in the write-ahead log not known to be in the database, as of this connection's last commit
 * or checkpoint. */
unsigned db_wal_pages(struct db *db);
/* Copies the database while it is in use, `pages` at a time, to the file `name` on `to`, which must
 * not exist. Call until it returns DB_OK: then the copy is durable; DB_ROW means there is more.
 * The copy is of one moment, the start. `db` is used for nothing else until the copy is complete;
 * from then until db_backup_end it still sees that moment. The log can't be reused meanwhile. An
 * unfinished copy is removed by db_backup_end. */
struct db_backup;
enum db_result db_backup_start(struct db *db, struct disk *to, const char *name,
                               struct db_backup **ret);
enum db_result db_backup_step(struct db_backup *b, int pages);
void db_backup_end(struct db_backup **b);
/* PRAGMA user_version; -1 when it can't be read. */
int64_t db_version(struct db *db);
enum db_result db_set_version(struct db *db, int64_t version);
/* PRAGMA integrity_check: calls fn for each finding. DB_OK also with findings. */
enum db_result db_integrity(struct db *db, void (*fn)(void *arg, const char *finding), void *arg);

#endif
