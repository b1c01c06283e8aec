/* SPDX-License-Identifier: ISC */
/* Every statement of the store, as the compiler left it in the objects of src/store/sql: none reads
 * all of a table that grows, but for those that are named here; none has a form that only SQLite
 * takes; and no table refers to bodies without being counted. */
#include "tests/unit/store_kit.h"

#include <ctype.h>
#include <dirent.h>

#include "lib/base/arena.h"
#include "src/store/sql/body_refs.h"
#include "src/store/sql/history.h"
#include "src/store/sql/schema.h"

enum { PATH_ROOM = 4200, STATEMENTS_LEAST = 200, STATEMENT_LEAST = 12 };

/* Statements that read all of a table, by how they begin. */
static const struct {
  const char *file, *begins, *reason;
} whole[] = {
  { "check", "", "looks at every row" },
  { "schema", "", "steps from one version to the next" },
  { "admin_account", "SELECT a.id, a.name", "lists all accounts" },
  { "admin_alias", "SELECT t.local", "lists all aliases" },
  { "admin_alias", "WITH RECURSIVE reached", "goes through what it reached" },
  { "admin_directory", "SELECT d.name, count", "lists all domains" },
  { "admin_directory", "SELECT name FROM account ORDER BY", "spellings of before" },
  { "admin_directory", "SELECT t.local || '@' || d.name, t.target FROM", "a domain is added" },
  { "admin_queue", "SELECT came FROM letter WHERE waiting > 0", "ends at the first that waits" },
  { "admin_sendas", "SELECT a.name, x.address", "lists all grants" },
  { "admin_whole", "SELECT", "counts everything" },
  { "admin_why", "SELECT at, coalesce(sender", "the history has no index of beginnings" },
  { "directory_read", "SELECT a.id FROM account a WHERE EXISTS", "ends at the first" },
  { "dropped", "SELECT name, who FROM", "the table keeps a number of rows" },
  { "history", "DELETE FROM event WHERE id IN", "a number of rows from the table's end" },
  { "owner_reads", "SELECT 1 FROM deleted LIMIT 1", "ends at the first" },
  { "tls_failures", "SELECT", "is kept in memory whole" },
};

/* Forms that PostgreSQL has not. instr() it has by another name: schema.h. */
static const char *const sqlite_only[] = {
  "INDEXED BY", "OR IGNORE", "OR REPLACE", "OR ABORT", "OR FAIL",      "ROWID",
  "GLOB ",      "IIF(",      "IFNULL(",    "PRAGMA",   "LAST_INSERT",  "RANDOMBLOB(",
  "STRFTIME(",  "UNIXEPOCH", "JULIANDAY(", "TOTAL(",   "GROUP_CONCAT", "HEX(",
  "CROSS JOIN", " IS NOT ?", " IS ?",      "IS NOT (", "LIMIT -1",     " X'",
};

struct plans {
  struct kit *kit;
  struct db *mail, *history;
  struct arena texts; /* a statement's address is its key in a connection */
  char file[100];     /* without .o */
  size_t statements;
  void (*look)(struct plans *p, const char *sql);
};

/* --- the statements --- */

static bool is_statement(const char *text) {
  static const char *const begin[] = { "SELECT ", "INSERT ", "UPDATE ",  "DELETE ",
                                       "WITH ",   "PRAGMA ", "REPLACE ", "EXPLAIN " };
  for (size_t i = 0; i < sizeof begin / sizeof *begin; i++)
    if (strncmp(text, begin[i], strlen(begin[i])) == 0) return true;
  return false;
}

static uint8_t *read_whole(const char *path, size_t *ret_size) {
  FILE *f = fopen(path, "r");
  assert_non_null(f);
  assert_int_equal(fseek(f, 0, SEEK_END), 0);
  *ret_size = (size_t)ftell(f);
  rewind(f);
  uint8_t *octets = malloc(*ret_size + 1);
  assert_non_null(octets);
  assert_int_equal(fread(octets, 1, *ret_size, f), *ret_size);
  fclose(f);
  return octets;
}

/* A run of printable octets with a NUL behind it. Several statements in one, which are a step of
 * the schema, are none. */
static void look_at_object(struct plans *p, const char *path) {
  size_t size, from = 0;
  uint8_t *octets = read_whole(path, &size);
  for (size_t i = 0; i < size; i++) {
    if (isprint(octets[i])) continue;
    const char *text = (const char *)octets + from;
    bool whole_text = octets[i] == 0 && i - from >= STATEMENT_LEAST;
    from = i + 1;
    if (!whole_text || !is_statement(text) || strchr(text, ';')) continue;
    p->statements++;
    p->look(p, text);
  }
  free(octets);
}

static struct db *open_read(struct kit *k, const char *name) {
  struct db_options options = { .page_size = STORE_PAGE, .cache_kib = 64, .read_only = true };
  struct db *db = NULL;
  assert_int_equal(db_open(k->disk, name, &options, &db), DB_OK);
  return db;
}

/* With connections of its own, which keep a bounded number of statements. */
static void look_at_file(struct plans *p, const char *folder, const char *name) {
  char path[PATH_ROOM];
  snprintf(path, sizeof path, "%.4000s/%.100s", folder, name);
  snprintf(p->file, sizeof p->file, "%.*s", (int)(strlen(name) - 2), name);
  p->mail = open_read(p->kit, STORE_DATABASE);
  p->history = open_read(p->kit, HISTORY_DATABASE);
  arena_init(&p->texts, 1 << 20);
  look_at_object(p, path);
  db_close(&p->mail);
  db_close(&p->history);
  arena_reset(&p->texts);
}

/* The objects lie beside the program, which was linked from them. */
static void each_statement(struct kit *k, void (*look)(struct plans *p, const char *sql)) {
  struct plans p = { .kit = k, .look = look };
  char self[PATH_ROOM - 100], folder[PATH_ROOM];
  ssize_t n = readlink("/proc/self/exe", self, sizeof self - 1);
  assert_true(n > 0);
  self[n] = 0;
  *strrchr(self, '/') = 0;
  snprintf(folder, sizeof folder, "%s/../src/store/sql", self);
  DIR *d = opendir(folder);
  assert_non_null(d);
  assert_non_null(history_db(k->writer));
  for (struct dirent *e; (e = readdir(d));) {
    size_t length = strlen(e->d_name);
    if (length > 2 && strcmp(e->d_name + length - 2, ".o") == 0)
      look_at_file(&p, folder, e->d_name);
  }
  closedir(d);
  assert_true(p.statements > STATEMENTS_LEAST);
}

/* --- plans --- */

static bool is_named(const struct plans *p, const char *sql) {
  for (size_t i = 0; i < sizeof whole / sizeof *whole; i++)
    if (strcmp(p->file, whole[i].file) == 0 &&
        strncmp(sql, whole[i].begins, strlen(whole[i].begins)) == 0)
      return true;
  return false;
}

/* An index of a part of the table has what is looked for and nothing else. */
static bool is_part(struct db *db, struct slice index) {
  struct db_stmt *s =
      db_prepare(db, "SELECT 1 FROM sqlite_master WHERE name = ? AND sql LIKE '% WHERE %'");
  db_bind_text(s, 1, index);
  bool found = db_step(s) == DB_ROW;
  db_reset(s);
  return found;
}

static bool is_small(struct db *db, struct slice step) {
  ptrdiff_t at = slice_search(step, SLICE(" INDEX "));
  if (slice_starts(step, SLICE("SCAN CONSTANT ROW"))) return true;
  if (slice_starts(step, SLICE("SCAN (subquery"))) return true;
  if (slice_eq(step, SLICE("SCAN part"))) return true; /* a subquery's name, by our custom */
  if (slice_eq(step, SLICE("SCAN store"))) return true;
  return at >= 0 && is_part(db, slice_from(step, (size_t)at + strlen(" INDEX ")));
}

/* False: it is no statement of this database. */
static bool look_at_plan(struct plans *p, struct db *db, const char *sql) {
  size_t size = strlen(sql) + 30;
  char *explain = arena_alloc(&p->texts, size);
  assert_non_null(explain);
  snprintf(explain, size, "EXPLAIN QUERY PLAN %s", sql);
  struct db_stmt *s = db_prepare(db, explain);
  enum db_result r;
  while ((r = db_step(s)) == DB_ROW) {
    struct slice step = db_bytes(s, 3);
    bool scans = slice_starts(step, SLICE("SCAN ")) || slice_search(step, SLICE("AUTOMATIC")) >= 0;
    if (scans && !is_small(db, step) && !is_named(p, sql))
      fail_msg("%s.c: %.*s: %s", p->file, SLICE_ARG(step), sql);
  }
  return r == DB_OK;
}

static void look_at_plans(struct plans *p, const char *sql) {
  if (!look_at_plan(p, p->mail, sql) && !look_at_plan(p, p->history, sql))
    fail_msg("%s.c: %s: %s", p->file, db_error(p->mail), sql);
}

static void by_an_index(void **state) { each_statement(*state, look_at_plans); }

/* --- forms --- */

static void look_at_form(struct plans *p, const char *sql) {
  char upper[4096];
  size_t n = strlen(sql);
  if (strcmp(p->file, "schema") == 0) return;
  assert_true(n < sizeof upper);
  for (size_t i = 0; i <= n; i++) upper[i] = (char)toupper((uint8_t)sql[i]);
  for (size_t i = 0; i < sizeof sqlite_only / sizeof *sqlite_only; i++)
    if (strstr(upper, sqlite_only[i])) fail_msg("%s.c: %s: %s", p->file, sqlite_only[i], sql);
}

static void forms_of_both_engines(void **state) { each_statement(*state, look_at_form); }

/* --- references of bodies --- */

static bool is_counted(struct slice table) {
#define COMMA ,
#define NAME(table, columns, numbers, sentence) #table
  static const char *const counted[] = { BODY_REFS(NAME, COMMA) };
  for (size_t i = 0; i < sizeof counted / sizeof *counted; i++)
    if (slice_eq(table, slice_str(counted[i]))) return true;
  return false;
}

/* Of a table with a column of this name each row has a body; but `recipient` has its letter's. */
static void every_reference_is_counted(void **state) {
  struct db *db = open_read(*state, STORE_DATABASE);
  struct db_stmt *s = db_prepare(db, "SELECT m.name FROM sqlite_master m"
                                     " JOIN pragma_table_info(m.name) c ON c.name = 'body'"
                                     " WHERE m.type = 'table' AND m.name <> 'recipient'");
  size_t found = 0;
  for (; db_step(s) == DB_ROW; found++)
    if (!is_counted(db_bytes(s, 0))) fail_msg("%.*s", SLICE_ARG(db_bytes(s, 0)));
  assert_int_equal(found, 3);
  db_close(&db);
}

int main(void) {
#define T(fn) cmocka_unit_test_setup_teardown(fn, kit_setup, kit_teardown)
  const struct CMUnitTest tests[] = {
    T(by_an_index),
    T(forms_of_both_engines),
    T(every_reference_is_counted),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
