/* SPDX-License-Identifier: ISC */
/* A database on a `struct disk`. Implemented with SQLite, whose types appear only in lib/db.
 *
 * A database created here keeps a map of its pages (auto_vacuum=INCREMENTAL), so that db_shrink()
 * can return its free ones; one created by an earlier version has no map until db_compact().
 *
 * One process opens a database, with any number of connections, one per thread. Journal mode WAL,
 * synchronous=FULL: a commit that returned DB_OK is durable. The VFS is ours (vfs.c): it runs on
 * the real and on the simulated disk alike, combines the write-ahead log's writes of one commit
 * into one, keeps the shared index in memory, and locks the file for as long as it is open, so that
 * no other program can open it.
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
  DB_ROW,  /* db_step: a row is there */
  DB_FULL, /* the disk is full; nothing changed after the rollback. Reading continues; writing works
              again when there is space, and so does deleting, which needs space in the log */
  DB_IOERR,      /* the disk failed: reopen */
  DB_CORRUPT,    /* a page is damaged: this query fails, others may not */
  DB_CONSTRAINT, /* a UNIQUE or other constraint of the schema */
  DB_NOMEM,
  DB_BUSY,     /* another program holds the database (at open) */
  DB_CANTOPEN, /* missing, or not permitted (at open) */
  DB_ERROR,    /* a mistake of ours: bad SQL, misuse */
};

/* The meaning of a result in words, for a log. */
const char *db_result_text(enum db_result r);

struct db;      /* a connection; used by one thread at a time */
struct db_stmt; /* a prepared statement, owned by its connection, freed with it */

struct db_options {
  unsigned page_size; /* octets, when the database is made; 0: 4096 */
  unsigned cache_kib; /* page cache of this connection */
  bool read_only;
  unsigned log_kept; /* octets of the log's file to keep when its next round begins; 0: 48 MB */
};

/* Opens (and unless read_only creates) the database file `name` on `disk`. All connections of one
 * process must be opened on the same `struct disk`. *ret is set on success only. */
enum db_result db_open(struct disk *disk, const char *name, const struct db_options *options,
                       struct db **ret);
void db_close(struct db **db);
/* The last error in words, for a log; "" if there was none. Valid until the next error. */
const char *db_error(struct db *db);

/* One or more statements without parameters or rows. */
enum db_result db_exec(struct db *db, const char *sql);
/* The prepared form of `sql` (one statement), made at first use and kept; a row that it still holds
 * is released. `sql` must be a string literal: its address is the key. Never NULL: when it cannot
 * be prepared, the returned statement accepts every bind and gives the error at the first step. */
struct db_stmt *db_prepare(struct db *db, const char *sql);
/* Parameters count from 1. The octets must stay valid until the next db_reset. */
void db_bind_int(struct db_stmt *s, int at, int64_t v);
void db_bind_text(struct db_stmt *s, int at, struct slice v);
void db_bind_blob(struct db_stmt *s, int at, struct slice v);
void db_bind_null(struct db_stmt *s, int at);
/* DB_ROW, or DB_OK at the end (the statement is then reset), or an error. */
enum db_result db_step(struct db_stmt *s);
/* Columns count from 0, of the current row; slices are valid until the next step or reset. */
int64_t db_int(struct db_stmt *s, int at);
struct slice db_bytes(struct db_stmt *s, int at);
bool db_is_null(struct db_stmt *s, int at);
/* Releases the row and clears the bindings. To be called when a statement is not stepped to its
 * end. */
void db_reset(struct db_stmt *s);
/* Steps a statement that returns no row. */
enum db_result db_run(struct db_stmt *s);

int64_t db_changes(struct db *db);

/* Write transaction (takes the write lock at once; waits a few seconds for another writer). */
enum db_result db_begin(struct db *db);
/* A read snapshot over several statements, as of the first of them. Ends with db_commit or
 * db_rollback. */
enum db_result db_begin_read(struct db *db);
/* Both release all rows. A commit that does not return DB_OK has changed nothing, except that after
 * DB_IOERR the outcome is known only from the reopened database; db_rollback is still to be
 * called. */
enum db_result db_commit(struct db *db);
void db_rollback(struct db *db);
/* Sets a savepoint inside a write transaction; savepoints nest. Rolling back to one also clears a
 * sticky error, unless the whole transaction is lost (DB_FULL, DB_IOERR, often DB_NOMEM). */
enum db_result db_savepoint(struct db *db);
/* Keeps the changes since the newest savepoint, and removes the savepoint. */
enum db_result db_release(struct db *db);
/* Undoes the changes since the newest savepoint, and removes the savepoint. */
enum db_result db_rollback_to(struct db *db);

/* Reads `n` octets from `at` of a blob without loading all of it. DB_ERROR when the blob is
 * shorter, or there is no such row. */
enum db_result db_blob_read(struct db *db, const char *table, const char *column, int64_t rowid,
                            void *to, size_t n, uint64_t at);
/* Moves the write-ahead log's pages into the database, as far as readers' snapshots allow; the
 * log's file keeps its size and is used again from its start. To be called outside a transaction,
 * from any thread's connection. `all`: wait (some seconds, then DB_BUSY) for readers, and empty the
 * file. */
enum db_result db_checkpoint(struct db *db, bool all);
/* Truncates the log's file to zero if all of it is in the database and nobody reads from it;
 * DB_BUSY otherwise, without waiting. */
enum db_result db_cut_log(struct db *db);
/* Pages in the write-ahead log not known to be in the database, as of this connection's last commit
 * or checkpoint. */
unsigned db_wal_pages(struct db *db);

struct db_space {
  uint64_t page;        /* octets */
  uint64_t pages, free; /* in the database, and the free ones among them */
  uint64_t log;         /* octets of the log's file */
  bool shrinks;         /* db_shrink() works: the database has a map of its pages */
};
/* As of the last commit. */
enum db_result db_space(struct db *db, struct db_space *ret);
/* Moves used pages from the end of the database into free ones and cuts off up to `pages`, in a
 * transaction of its own. The file gets shorter at the next checkpoint. */
enum db_result db_shrink(struct db *db, unsigned pages);
/* The state that db_give_back() keeps for a database. */
struct db_giving {
  bool unknown;   /* there may be space to return: the owner sets it with each commit */
  bool shrinking; /* the database is being shrunk, step by step */
  unsigned least; /* free pages that are always kept: DB_GIVE_LEAST, or fewer in tests */
};
enum { DB_GIVE_LEAST = 256 };
/* Called when idle: takes one step of returning space to the file system, or finds that there is
 * none to return, which clears `unknown`. Outside a transaction. */
enum db_result db_give_back(struct db *db, struct db_giving *g);
/* The observer of a long operation: `advances` is called each time that progress was made, from
 * within db_compact(), and may use no database. NULL: none. */
struct db_watch {
  void (*advances)(void *arg);
  void *arg;
};
/* Rewrites the database `name`, which nobody may have open, without free pages, with a map of its
 * pages, in pages of options->page_size: into `copy` beside it, which is synced and renamed. That
 * needs as much space on the disk as is in use. Whatever happens, `name` is either the old file or
 * the new one, complete; a leftover `copy` is removed by the next call. `watch` and `err` may be
 * NULL; `err` gets a sentence when the result is not DB_OK. */
enum db_result db_compact(struct disk *disk, const char *name, const char *copy,
                          const struct db_options *options, const struct db_watch *watch,
                          struct buf *err);

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
