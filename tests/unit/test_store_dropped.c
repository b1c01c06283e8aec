/* SPDX-License-Identifier: ISC */
/* A message of the drop folder that is submitted again: nobody has it twice, whatever came between
 * (src/store/sql/dropped.h). */
#include "store_kit.h"

#include "lib/db/db.h"
#include "src/store/jobs/deliver.h"
#include "src/store/sql/schema.h"

#define MESSAGE "Subject: hello\r\n\r\nhi\r\n"
#define NAME "0123456789abcdef"

static bool submit(struct kit *k, uint64_t tag, const char *name, const char *to) {
  struct buf list;
  kit_rcpts(&list, to);
  bool fine =
      KIT_SAY(k, ROLE_SMTPD, SMTPD, smtp_commit, tag,
              .envelope = { .return_path = SLICE("root@example.org"), .rcpts = buf_slice(&list) },
              .end = { .id = SLICE("Q1"), .tail = SLICE(MESSAGE) }, .trusted = true, .once = true,
              .print = slice_str(name));
  buf_free(&list);
  return fine;
}

static enum commit_outcome submitted(struct kit *k, const char *name, const char *to) {
  assert_true(submit(k, 7, name, to));
  return KIT_HEAR(k, smtp_committed).outcome;
}

static size_t mails(struct kit *k, uint64_t account) {
  size_t n = kit_open_drop(k, 1, account)->opened.count;
  kit_quit(k, 1);
  return n;
}

static uint64_t queued(struct kit *k) {
  struct answer a = kit_command(k, "queue list");
  size_t n = 0;
  for (const char *at = a.rows; (at = strstr(at, "friend@elsewhere.example")); at++) n++;
  return n;
}

static void once_only(void **state) {
  struct kit *k = *state;
  uint64_t id = alice(k);
  assert_int_equal(submitted(k, NAME, "alice@example.org friend@elsewhere.example"), COMMIT_DONE);
  for (unsigned life = 0; life < 2; life++) {
    assert_int_equal(submitted(k, NAME, "alice@example.org friend@elsewhere.example"), COMMIT_DONE);
    assert_int_equal(mails(k, id), 1);
    assert_int_equal(queued(k), 1);
    kit_reopen(k);
  }
  assert_int_equal(submitted(k, "another one ....", "alice@example.org"), COMMIT_DONE);
  assert_int_equal(mails(k, id), 2);
  assert_int_equal(kit_command(k, "check").code, CLI_OK);
}

/* A session that is lost may still be writing when the next one comes. */
static void while_the_first_is_written(void **state) {
  struct kit *k = *state;
  uint64_t id = alice(k);
  assert_true(submit(k, 7, NAME, "alice@example.org"));
  assert_true(submit(k, 8, NAME, "alice@example.org"));
  assert_int_equal(KIT_HEAR(k, smtp_committed).outcome, COMMIT_DONE);
  assert_int_equal(KIT_HEAR(k, smtp_committed).outcome, COMMIT_TROUBLE);
  assert_int_equal(k->last->tag, 8);
  assert_int_equal(submitted(k, NAME, "alice@example.org"), COMMIT_DONE);
  assert_int_equal(mails(k, id), 1);
}

/* Those who had room have it, also after a restart; the others get it, and it once. */
static void some_were_full(void **state) {
  struct kit *k = *state;
  uint64_t id = alice(k), bob = kit_account(k, "bob@example.org");
  assert_int_equal(kit_command(k, "account quota bob@example.org 10").code, CLI_OK);
  assert_int_equal(submitted(k, NAME, "alice@example.org bob@example.org"), COMMIT_SOME_NEVER);
  kit_reopen(k);
  assert_int_equal(kit_command(k, "account quota bob@example.org none").code, CLI_OK);
  for (unsigned i = 0; i < 2; i++)
    assert_int_equal(submitted(k, NAME, "alice@example.org bob@example.org"), COMMIT_DONE);
  assert_int_equal(mails(k, id), 1);
  assert_int_equal(mails(k, bob), 1);
}

/* --- the table --- */

static struct db *open_closed(struct kit *k) {
  struct db *db = NULL;
  struct db_options options = { .page_size = STORE_PAGE };
  kit_close(k);
  assert_int_equal(db_open(k->disk, STORE_DATABASE, &options, &db), DB_OK);
  return db;
}

static int64_t number(struct db *db, const char *sql) {
  struct db_stmt *q = db_prepare(db, sql);
  assert_int_equal(db_step(q), DB_ROW);
  int64_t n = db_int(q, 0);
  db_reset(q);
  return n;
}

static void the_oldest_are_forgotten(void **state) {
  struct kit *k = *state;
  uint64_t id = alice(k);
  assert_int_equal(submitted(k, NAME, "alice@example.org"), COMMIT_DONE);
  struct db *db = open_closed(k);
  assert_int_equal(
      db_exec(db, "WITH RECURSIVE c(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM c WHERE n < 20000)"
                  " INSERT INTO dropped (name, who) SELECT randomblob(16), n FROM c"),
      DB_OK);
  db_close(&db);
  kit_open(k);
  assert_int_equal(submitted(k, "the newest one..", "alice@example.org"), COMMIT_DONE);
  db = open_closed(k);
  assert_int_equal(number(db, "SELECT count(*) FROM dropped"), DROPPED_MAX);
  db_close(&db);
  kit_open(k);
  assert_int_equal(submitted(k, "the newest one..", "alice@example.org"), COMMIT_DONE);
  assert_int_equal(mails(k, id), 2);
}

/* A store as the version before the table left it, with one message of alice's. */
static void make_older(struct kit *k) {
  struct buf err;
  struct db *db = NULL;
  struct db_options options = { .page_size = STORE_PAGE };
  kit_close(k);
  assert_int_equal(k->disk->ops->remove(k->disk, STORE_DATABASE), 0);
  k->disk->ops->remove(k->disk, STORE_DATABASE "-wal");
  buf_init(&err, 1000);
  assert_int_equal(db_open(k->disk, STORE_DATABASE, &options, &db), DB_OK);
  if (!schema_bring_to(db, 20, &err)) fail_msg("%s", buf_cstr(&err));
  assert_int_equal(
      db_exec(db, "INSERT INTO domain (id, name) VALUES (1, 'example.org');"
                  "INSERT INTO account (id, name, made) VALUES (1, 'alice@example.org', 1);"
                  "INSERT INTO address (domain, local, account) VALUES (1, 'alice', 1);"
                  "INSERT INTO folder (id, account, name, uidvalidity, uidnext, modseq, messages,"
                  " octets) VALUES (1, 1, 'INBOX', 1, 2, 1, 1, 6);"
                  "INSERT INTO body (id, refs, size, dots, name, data)"
                  " VALUES (1, 1, 6, 0, 'Q1', CAST('A: b' || x'0d0a' AS BLOB));"
                  "INSERT INTO entry (folder, uid, body, size, flags, date, modseq, surrogate)"
                  " VALUES (1, 1, 1, 6, 0, 1, 1, 1);"
                  "UPDATE store SET next_body = 2, uidvalidity = 1"),
      DB_OK);
  db_close(&db);
  buf_free(&err);
  kit_open(k);
}

static void a_store_without_the_table(void **state) {
  struct kit *k = *state;
  make_older(k);
  for (unsigned i = 0; i < 2; i++)
    assert_int_equal(submitted(k, NAME, "alice@example.org"), COMMIT_DONE);
  assert_int_equal(mails(k, 1), 2);
  assert_sound(k);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, kit_setup, kit_teardown)

int main(void) {
  const struct CMUnitTest tests[] = {
    TEST(once_only),
    TEST(while_the_first_is_written),
    TEST(some_were_full),
    TEST(the_oldest_are_forgotten),
    TEST(a_store_without_the_table),
  };
  return cmocka_run_group_tests_name("store-dropped", tests, NULL, NULL);
}
