/* SPDX-License-Identifier: ISC */
/* src/store/format.h against a database and a folder that the store has made. */
#include "tests/unit/store_kit.h"

#include "src/store/format.h"
#include "src/store/sql/bodies.h"

#define NAME(constant, name, shape) name,
#define SHAPE(constant, name, shape) shape

struct format {
  const char *table;
  const char *const *names;
  size_t count;
  const char *shape;
};

#define TABLE(table, COLUMNS)                                                           \
  {                                                                                     \
#table, (const char *const[]){                                                      \
      COLUMNS(NAME) }, sizeof((const char *const[]){ COLUMNS(NAME) }) / sizeof(char *), \
      COLUMNS(SHAPE)                                                                    \
  }

static const struct format tables[] = {
  TABLE(body, STORE_BODY_COLUMNS),       TABLE(folder, STORE_FOLDER_COLUMNS),
  TABLE(account, STORE_ACCOUNT_COLUMNS), TABLE(entry, STORE_ENTRY_COLUMNS),
  TABLE(deleted, STORE_DELETED_COLUMNS),
};

static struct db *open_read(struct kit *k) {
  struct db_options options = { .page_size = STORE_PAGE, .cache_kib = 64, .read_only = true };
  struct db *db = NULL;
  assert_int_equal(db_open(k->disk, STORE_DATABASE, &options, &db), DB_OK);
  return db;
}

/* What a value of that column can be: its type, and whether NULL is one. */
static char shape_of(struct slice type, bool not_null, bool is_rowid) {
  if (is_rowid) return 'n';
  if (slice_eq(type, SLICE("INTEGER"))) return not_null ? 'i' : 'I';
  if (slice_eq(type, SLICE("TEXT"))) return not_null ? 't' : 'T';
  return 'b';
}

/* Of `account` the limits, which nobody else reads, are left out. */
static void columns_have_their_order(void **state) {
  struct db *db = open_read(*state);
  for (size_t t = 0; t < sizeof tables / sizeof *tables; t++) {
    const struct format *f = &tables[t];
    struct db_stmt *s = db_prepare(db, "SELECT x.name, x.type, x.\"notnull\", x.pk,"
                                       " m.sql LIKE '%WITHOUT ROWID%' FROM sqlite_master m"
                                       " JOIN pragma_table_info(m.name) x"
                                       " WHERE m.name = ? ORDER BY x.cid");
    db_bind_text(s, 1, slice_str(f->table));
    size_t i = 0;
    for (; i < f->count && db_step(s) == DB_ROW; i++) {
      if (!slice_eq(db_bytes(s, 0), slice_str(f->names[i])))
        fail_msg("%s: %.*s stands where %s is said", f->table, SLICE_ARG(db_bytes(s, 0)),
                 f->names[i]);
      bool is_rowid = db_int(s, 3) && !db_int(s, 4);
      if (i < strlen(f->shape))
        assert_int_equal(shape_of(db_bytes(s, 1), db_int(s, 2), is_rowid), f->shape[i]);
    }
    assert_int_equal(i, f->count);
    assert_true(strcmp(f->table, "account") == 0 || db_step(s) == DB_OK);
    db_reset(s);
  }
  db_close(&db);
}

static void bodies_have_their_names(void **state) {
  struct kit *k = *state;
  static uint8_t large[50000];
  char path[300];
  memset(large, 'a', sizeof large);
  memcpy(large, "Subject: l\r\n\r\n", 14);
  memcpy(large + sizeof large - 2, "\r\n", 2);
  assert_int_equal(kit_command(k, "domain add example.org").code, CLI_OK);
  kit_account(k, "alice@example.org");
  assert_int_equal(kit_deliver(k, "alice@example.org", slice_of(large, sizeof large)), COMMIT_DONE);
  snprintf(path, sizeof path, "%s/" STORE_BODY_FILE, k->path, STORE_BODY_AT(UINT64_C(1)));
  assert_int_equal(access(path, R_OK), 0);
  snprintf(path, sizeof path, "%s/" STORE_DATABASE, k->path);
  assert_int_equal(access(path, R_OK), 0);
}

int main(void) {
#define T(fn) cmocka_unit_test_setup_teardown(fn, kit_setup, kit_teardown)
  const struct CMUnitTest tests[] = {
    T(columns_have_their_order),
    T(bodies_have_their_names),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
