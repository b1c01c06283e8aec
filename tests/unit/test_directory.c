/* SPDX-License-Identifier: ISC */
/* spec: RFC 8265 §3.3: an address is found however it is spelled, and what was kept in another
 * spelling stays. And that what the directory remembers is what the tables say. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "src/store/sql/directory.h"
#include "src/store/sql/schema.h"
#include "tests/world/disk_sim.h"

#define NFC  \
  "\xc3\xbc" \
  "a@example.org"
#define NFD   \
  "u\xcc\x88" \
  "a@example.org"
#define CAPITAL \
  "\xc3\x9c"    \
  "a@example.org"

static struct disk_sim *sim;
static struct db *writer, *reader;
static struct directory d;
static struct dir_found f;

static void sql(const char *text) { assert_int_equal(db_exec(writer, text), DB_OK); }

static struct db *open_database(bool read_only) {
  struct db_options options = { .page_size = 4096, .cache_kib = 64, .read_only = read_only };
  struct db *db = NULL;
  assert_int_equal(db_open(disk_sim_disk(sim), "directory.sqlite", &options, &db), DB_OK);
  return db;
}

/* Three accounts of example.org, whose addresses the tests put there. */
static int setup(void **state) {
  struct buf err;
  buf_init(&err, 1000);
  sim = disk_sim_new(1);
  writer = open_database(false);
  assert_true(schema_bring_forward(writer, &err));
  sql("INSERT INTO domain (id, name) VALUES (1, 'example.org')");
  sql("INSERT INTO account (id, name, made) VALUES (1, 'a1', 1), (2, 'a2', 1), (3, 'a3', 1)");
  sql("INSERT INTO folder (id, account, name, uidvalidity, uidnext, modseq, messages, octets)"
      " VALUES (11, 1, 'INBOX', 1, 1, 1, 0, 0), (12, 2, 'INBOX', 2, 1, 1, 0, 0)");
  reader = open_database(true);
  dir_init(&d, DIR_REMEMBERS_MUCH);
  dir_found_init(&f);
  assert_int_equal(dir_open(&d, reader), DB_OK);
  return 0;
}

static int teardown(void **state) {
  dir_found_free(&f);
  dir_free(&d);
  db_close(&reader);
  db_close(&writer);
  disk_sim_free(&sim);
  return 0;
}

/* account 0: an alias. As the commands do it: the owner hears of it when it is durable. */
static void put(const char *text, int64_t account, const char *target) {
  struct slice rest = slice_str(text), local = slice_split(&rest, '@');
  struct db_stmt *s = db_prepare(writer, "INSERT INTO address (domain, local, account)"
                                         " VALUES (1, ?1, nullif(?2, 0))"
                                         " ON CONFLICT (domain, local) DO NOTHING");
  db_bind_text(s, 1, local);
  db_bind_int(s, 2, account);
  assert_int_equal(db_run(s), DB_OK);
  s = db_prepare(writer, "INSERT INTO target (domain, local, target) VALUES (1, ?1, ?2)");
  db_bind_text(s, 1, local);
  db_bind_text(s, 2, slice_str(target));
  if (*target)
    assert_int_equal(db_run(s), DB_OK);
  else
    db_reset(s);
  dir_changed_address(&d, slice_str(text));
}

static void drop(const char *text) {
  struct slice rest = slice_str(text);
  struct db_stmt *s = db_prepare(writer, "DELETE FROM address WHERE domain = 1 AND local = ?1");
  db_bind_text(s, 1, slice_split(&rest, '@'));
  assert_int_equal(db_run(s), DB_OK);
  dir_changed_address(&d, slice_str(text));
}

/* As a former version kept it, and as the step to this one fills it in. */
static void put_of_before(const char *text, int64_t account) {
  struct slice rest = slice_str(text);
  put(text, account, "");
  struct db_stmt *s = db_prepare(writer, "UPDATE address SET prep = ?2 WHERE local = ?1");
  db_bind_text(s, 1, slice_split(&rest, '@'));
  db_bind_text(s, 2, SLICE(NFC));
  assert_int_equal(db_run(s), DB_OK);
  assert_int_equal(dir_open(&d, reader), DB_OK);
}

static enum dir_result resolve(const char *address) {
  return dir_resolve(&d, slice_str(address), "+", &f);
}

/* The account's number; 0: none. */
static uint64_t reaches(const char *address) {
  dir_begin(&f);
  return resolve(address) == DIR_FOUND && f.count == 1 ? f.accounts[0] : 0;
}

static void every_spelling(void **state) {
  put(NFC, 1, "");
  assert_int_equal(reaches(NFC), 1);
  assert_int_equal(reaches(NFD), 1);
  assert_int_equal(reaches(CAPITAL), 1);
  assert_int_equal(reaches("U\xcc\x88"
                           "A+tag@EXAMPLE.org"),
                   1);
  assert_int_equal(reaches("ua@example.org"), 0);
}

/* Two texts of before that are one by now, and one that stands alone. */
static void of_before(void **state) {
  put_of_before(NFD, 2);
  assert_int_equal(reaches(NFC), 2);
  put(NFC, 1, "");
  put_of_before(CAPITAL, 3);
  assert_int_equal(reaches(NFC), 1);
  assert_int_equal(reaches(NFD), 2);
  assert_int_equal(reaches(CAPITAL), 3);
  /* none's own text: the prepared one */
  assert_int_equal(reaches("\xef\xbc\xb5\xcc\x88"
                           "a@example.org"),
                   1);
  drop(NFC);
  assert_true(reaches("\xef\xbc\xb5\xcc\x88"
                      "a@example.org") > 1);
  drop(NFD);
  assert_int_equal(reaches(NFC), 3);
  drop(CAPITAL);
  assert_int_equal(reaches(NFC), 0);
}

static void grants(void **state) {
  sql("INSERT INTO sendas (account, address) VALUES (1, '" NFD "')");
  assert_true(dir_is_granted(&d, 1, SLICE(CAPITAL), "+"));
  assert_true(dir_is_granted(&d, 1,
                             SLICE("\xc3\xbc"
                                   "a+x@example.org"),
                             "+"));
  assert_false(dir_is_granted(&d, 1, SLICE("ua@example.org"), "+"));
  assert_false(dir_is_granted(&d, 2, SLICE(NFD), "+"));
  assert_false(dir_is_granted(&d, 1, SLICE(""), "+"));
  sql("INSERT INTO sendas (account, address) VALUES (2, '@example.com'), (2, '<>')");
  assert_true(dir_is_granted(&d, 2, SLICE("any@EXAMPLE.com"), "+"));
  assert_true(dir_is_granted(&d, 2, SLICE(""), "+"));
  sql("DELETE FROM sendas");
  assert_false(dir_is_granted(&d, 1, SLICE(NFD), "+"));
}

/* Aliases that lead nowhere: of the directory alone, since no command makes them. */
static void dead_aliases(void **state) {
  sql("UPDATE account SET name = 'alice@example.org' WHERE id = 1");
  put("alice@example.org", 1, "");
  put("dead@example.org", 0, "gone@example.org");
  put("a@example.org", 0, "b@example.org");
  put("b@example.org", 0, "a@example.org");
  /* Another address of the same message does not make up for it, nor does asking twice. */
  dir_begin(&f);
  assert_int_equal(resolve("alice@example.org"), DIR_FOUND);
  for (int i = 0; i < 2; i++) {
    assert_int_equal(resolve("dead@example.org"), DIR_UNKNOWN);
    assert_int_equal(resolve("a@example.org"), DIR_UNKNOWN);
  }
  /* RFC 5321 §4.5.1: postmaster reaches somebody all the same. */
  assert_int_equal(reaches("Postmaster"), 1);
  put("postmaster@example.org", 0, "gone@example.org");
  assert_int_equal(reaches("postmaster@example.org"), 1);
  assert_int_equal(reaches("Postmaster"), 1);
}

/* Each is asked for before and after each change: what was remembered is forgotten, known and
 * unknown alike, and the same however often it is asked. */
static void changes_are_seen(void **state) {
  for (int i = 0; i < 3; i++) assert_int_equal(reaches("x@example.org"), 0);
  put("x@example.org", 1, "");
  for (int i = 0; i < 3; i++) assert_int_equal(reaches("x@example.org"), 1);
  put("y@example.org", 2, "");
  put("x@example.org", 1, "y@example.org"); /* forwarded */
  for (int i = 0; i < 3; i++) assert_int_equal(reaches("x@example.org"), 2);
  put("x@example.org", 1, "x@example.org"); /* and kept */
  dir_begin(&f);
  assert_int_equal(resolve("x+tag@example.org"), DIR_FOUND);
  assert_int_equal(f.count, 2);
  assert_int_equal(reaches("z@example.org"), 0);
  put("@example.org", 0, "y@example.org");
  for (int i = 0; i < 2; i++) assert_int_equal(reaches("z@example.org"), 2);
  drop("@example.org");
  assert_int_equal(reaches("z@example.org"), 0);
  drop("y@example.org");
  assert_int_equal(reaches("x@example.org"), 1);
  drop("x@example.org");
  assert_int_equal(reaches("x@example.org"), 0);
  dir_begin(&f);
  assert_int_equal(resolve("x@example.com"), DIR_ELSEWHERE);
  assert_int_equal(resolve("x@example.com"), DIR_ELSEWHERE);
  sql("INSERT INTO domain (id, name) VALUES (2, 'example.com')");
  dir_changed_domain(&d, SLICE("example.com"));
  assert_int_equal(resolve("x@example.com"), DIR_UNKNOWN);
}

/* A transaction that is rolled back was never seen, though it was asked for meanwhile; one that is
 * committed is seen by the job at once and by the owner when it has ended. */
static void only_what_is_committed(void **state) {
  struct directory job;
  struct dir_found found;
  dir_init(&job, DIR_REMEMBERS_NOTHING);
  dir_found_init(&found);
  assert_int_equal(db_begin(writer), DB_OK);
  assert_int_equal(dir_open(&job, writer), DB_OK);
  sql("INSERT INTO address (domain, local, account) VALUES (1, 'new', 1)");
  assert_int_equal(dir_resolve(&job, SLICE("new@example.org"), "+", &found), DIR_FOUND);
  assert_int_equal(found.accounts[0], 1);
  assert_int_equal(reaches("new@example.org"), 0);
  db_rollback(writer);
  assert_int_equal(reaches("new@example.org"), 0);
  assert_int_equal(db_begin(writer), DB_OK);
  sql("INSERT INTO address (domain, local, account) VALUES (1, 'new', 1)");
  assert_int_equal(reaches("new@example.org"), 0);
  assert_int_equal(db_commit(writer), DB_OK);
  dir_changed_address(&d, SLICE("new@example.org"));
  assert_int_equal(reaches("new@example.org"), 1);
  dir_found_free(&found);
  dir_free(&job);
}

/* More accounts of one message than are looked through one by one, each once. */
static void many_accounts_of_one_message(void **state) {
  char text[64], target[64];
  for (int64_t i = 1; i <= 40; i++) {
    snprintf(text, sizeof text, "u%d@example.org", (int)i);
    put(text, 100 + i, "");
    put("all@example.org", 0, text);
  }
  dir_begin(&f);
  assert_int_equal(resolve("u7@example.org"), DIR_FOUND);
  for (int i = 0; i < 2; i++) {
    assert_int_equal(resolve("all@example.org"), DIR_FOUND);
    assert_int_equal(f.count, 40);
  }
  snprintf(target, sizeof target, "elsewhere@example.net");
  put("all@example.org", 0, target);
  dir_begin(&f);
  for (int i = 0; i < 2; i++) assert_int_equal(resolve("all@example.org"), DIR_FOUND);
  assert_int_equal(f.elsewhere_count, 1);
  assert_true(slice_eq(f.elsewhere[0].target, slice_str(target)));
  assert_true(slice_eq(f.elsewhere[0].forwarder, SLICE("all@example.org")));
}

/* A database of a former version: the step fills in what its spellings are prepared to. */
static void an_older_database(void **state) {
  struct db_options options = { .page_size = 4096, .cache_kib = 64 };
  struct buf err;
  buf_init(&err, 1000);
  db_close(&reader);
  db_close(&writer);
  assert_int_equal(db_open(disk_sim_disk(sim), "older.sqlite", &options, &writer), DB_OK);
  assert_true(schema_bring_to(writer, 18, &err));
  sql("INSERT INTO domain (id, name) VALUES (1, 'example.org')");
  sql("INSERT INTO address (domain, local, account) VALUES (1, '\xc3\x9c"
      "a', 1), (1, 'a', 2), (1, '\xc3\xa9', 3)");
  assert_true(schema_bring_forward(writer, &err));
  dir_free(&d);
  dir_init(&d, DIR_REMEMBERS_MUCH);
  assert_int_equal(dir_open(&d, writer), DB_OK);
  assert_true(d.odd);
  assert_int_equal(reaches(NFC), 1);
  assert_int_equal(reaches(CAPITAL), 1);
  assert_int_equal(reaches("a@example.org"), 2);
  sql("DELETE FROM address WHERE account = 1");
  assert_int_equal(dir_open(&d, writer), DB_OK);
  assert_false(d.odd);
}

static void accounts_and_their_limits(void **state) {
  struct dir_account a;
  assert_int_equal(dir_account(&d, 1, &a), DIR_FOUND);
  assert_int_equal(a.inbox, 11);
  assert_true(a.limits.quota == DIR_QUOTA_DEFAULT && a.limits.expire == DIR_DEFAULT);
  assert_false(dir_has_quotas(&d));
  sql("UPDATE account SET quota = 5, expire = -1, login_delay = 7 WHERE id = 1");
  dir_changed_account(&d, 1);
  assert_int_equal(dir_account(&d, 1, &a), DIR_FOUND);
  assert_true(a.limits.quota == 5 && a.limits.expire == DIR_NEVER && a.limits.login_delay == 7);
  assert_true(dir_has_quotas(&d));
  assert_int_equal(dir_account(&d, 9, &a), DIR_UNKNOWN);
}

int main(void) {
#define T(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)
  const struct CMUnitTest tests[] = {
    T(every_spelling),
    T(of_before),
    T(grants),
    T(dead_aliases),
    T(changes_are_seen),
    T(only_what_is_committed),
    T(many_accounts_of_one_message),
    T(accounts_and_their_limits),
    T(an_older_database),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
