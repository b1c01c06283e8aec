/* SPDX-License-Identifier: ISC */
/* Prepared statements, in a hash table keyed by the address of the literal they were made from.
 *
 * Invariants: a statement belongs to its connection and is freed with it; a connection has at most
 * DB_STMTS_MAX; an error at a step or bind is noted in the connection, where it sticks inside a
 * transaction. */
#include <stdlib.h>

#include "lib/db/db_inside.h"

static size_t slot_of(const char *sql) {
  return (size_t)(((uintptr_t)sql * UINT64_C(0x9e3779b97f4a7c15)) >> 32) & (DB_STMT_SLOTS - 1);
}

static struct db_stmt *broken(struct db *db, enum db_result r) {
  db->broken = (struct db_stmt){ .db = db, .result = r };
  return &db->broken;
}

/* More than one statement in a literal would silently lose all but the first. */
static bool only_one(const char *tail) {
  while (*tail == ';' || *tail == ' ' || *tail == '\n') tail++;
  return *tail == 0;
}

static int compile(struct db *db, struct db_stmt *s, const char *sql) {
  const char *tail = "";
  int rc = sqlite3_prepare_v3(db->h, sql, -1, SQLITE_PREPARE_PERSISTENT, &s->h, &tail);
  return rc == SQLITE_OK && (!s->h || !only_one(tail)) ? SQLITE_MISUSE : rc;
}

static struct db_stmt *make(struct db *db, const char *sql, size_t slot) {
  if (db->stmt_count >= DB_STMTS_MAX) return broken(db, db_mistake(db, "too many statements"));
  struct db_stmt *s = calloc(1, sizeof *s);
  if (!s) return broken(db, db_note(db, SQLITE_NOMEM));
  s->db = db;
  s->sql = sql;
  int rc = compile(db, s, sql);
  if (rc != SQLITE_OK) {
    enum db_result r = db_note(db, rc);
    sqlite3_finalize(s->h);
    free(s);
    return broken(db, r);
  }
  db->stmts[slot] = s;
  db->stmt_count++;
  return s;
}

struct db_stmt *db_prepare(struct db *db, const char *sql) {
  enum db_result r = db_stuck(db);
  if (r != DB_OK) return broken(db, r);
  size_t at = slot_of(sql);
  while (db->stmts[at] && db->stmts[at]->sql != sql) at = (at + 1) & (DB_STMT_SLOTS - 1);
  struct db_stmt *s = db->stmts[at];
  if (!s) return make(db, sql, at);
  /* The same address with other words: not a literal. */
  if (strcmp(sqlite3_sql(s->h), sql) != 0)
    return broken(db, db_mistake(db, "a statement that is no literal"));
  if (s->row || s->bound != SQLITE_OK) db_reset(s);
  return s;
}

/* -- parameters -- */

/* A statement that still holds a row accepts no parameters: binding starts it anew. */
static sqlite3_stmt *to_bind(struct db_stmt *s) {
  if (s->row) db_reset(s);
  return s->h;
}

static void bound(struct db_stmt *s, int rc) {
  if (s->bound == SQLITE_OK) s->bound = rc;
}

void db_bind_int(struct db_stmt *s, int at, int64_t v) {
  if (to_bind(s)) bound(s, sqlite3_bind_int64(s->h, at, v));
}

/* An empty value is not NULL, which SQLite would take a null pointer for. */
static const void *not_null(struct slice v) { return v.n ? (const void *)v.p : ""; }

void db_bind_text(struct db_stmt *s, int at, struct slice v) {
  if (to_bind(s))
    bound(s, sqlite3_bind_text64(s->h, at, not_null(v), v.n, SQLITE_STATIC, SQLITE_UTF8));
}

void db_bind_blob(struct db_stmt *s, int at, struct slice v) {
  if (to_bind(s)) bound(s, sqlite3_bind_blob64(s->h, at, not_null(v), v.n, SQLITE_STATIC));
}

void db_bind_null(struct db_stmt *s, int at) {
  if (to_bind(s)) bound(s, sqlite3_bind_null(s->h, at));
}

/* -- steps -- */

void db_reset(struct db_stmt *s) {
  if (!s->h) return;
  sqlite3_reset(s->h);
  sqlite3_clear_bindings(s->h);
  s->row = false;
  s->bound = SQLITE_OK;
}

enum db_result db_step(struct db_stmt *s) {
  if (!s->h) return s->result;
  enum db_result r = db_stuck(s->db);
  if (r == DB_OK) r = db_note(s->db, s->bound != SQLITE_OK ? s->bound : sqlite3_step(s->h));
  s->row = r == DB_ROW;
  if (!s->row) db_reset(s);
  return r;
}

enum db_result db_run(struct db_stmt *s) {
  enum db_result r = db_step(s);
  if (r != DB_ROW) return r;
  db_reset(s);
  return db_mistake(s->db, "a row from a statement that should return none");
}

/* -- columns -- */

int64_t db_int(struct db_stmt *s, int at) { return s->row ? sqlite3_column_int64(s->h, at) : 0; }

struct slice db_bytes(struct db_stmt *s, int at) {
  if (!s->row) return SLICE_NONE;
  const void *p = sqlite3_column_blob(s->h, at); /* before the length: it may convert */
  return slice_of(p, p ? (size_t)sqlite3_column_bytes(s->h, at) : 0);
}

bool db_is_null(struct db_stmt *s, int at) {
  return !s->row || sqlite3_column_type(s->h, at) == SQLITE_NULL;
}

/* -- all of them -- */

void db_stmts_reset(struct db *db) {
  for (size_t i = 0; i < DB_STMT_SLOTS; i++)
    if (db->stmts[i] && db->stmts[i]->row) db_reset(db->stmts[i]);
}

void db_stmts_free(struct db *db) {
  for (size_t i = 0; i < DB_STMT_SLOTS; i++) {
    if (!db->stmts[i]) continue;
    sqlite3_finalize(db->stmts[i]->h);
    free(db->stmts[i]);
    db->stmts[i] = NULL;
  }
  db->stmt_count = 0;
}
