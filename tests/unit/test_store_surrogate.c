/* SPDX-License-Identifier: ISC */
/* The store and the sizes of surrogates: told by who hands a message in, measured later where
 * nobody told. */
#include "lib/db/db.h"
#include "src/store/sql/schema.h"
#include "tests/unit/store_kit.h"

#define HIGH "Subject: \xc3\xa9\r\n\r\nx\r\n"
enum { HIGH_MORE = sizeof "=?UTF-8?Q?=C3=A9?=" - 1 - 2 /* octets that the surrogate has more */ };
/* as mail/surrogate.h tells the size of RFC 6857's */
#define TOLD(size) (2 * ((uint64_t)(size) + HIGH_MORE))

static int set_up(void **state) { return kit_setup(state); }

static enum commit_outcome deliver(struct kit *k, struct slice tail, const char *from,
                                   uint64_t surrogate) {
  struct buf list;
  kit_rcpts(&list, "alice@example.org");
  assert_true(KIT_SAY(k, ROLE_SMTPD, SMTPD, smtp_commit, 7,
                      .envelope = { .return_path = slice_str(from), .rcpts = buf_slice(&list) },
                      .end = { .id = SLICE("Q1"), .surrogate = surrogate, .tail = tail }));
  buf_free(&list);
  return KIT_HEAR(k, smtp_committed).outcome;
}

static void told_sizes_are_kept(void **state) {
  struct kit *k = *state;
  uint64_t id = alice(k);
  size_t n = sizeof HIGH - 1;
  assert_int_equal(deliver(k, SLICE(HIGH), "a@b.example", TOLD(n)), COMMIT_DONE);
  assert_int_equal(deliver(k, SLICE(HIGH), "a@b.example", SURROGATE_SAME), COMMIT_DONE);
  /* two octets are added */
  assert_int_equal(deliver(k, SLICE("Subject: \xc3\xa9\r\n"), "a@b.example", TOLD(13)),
                   COMMIT_DONE);
  /* These can't be: they are not known. */
  assert_int_equal(deliver(k, SLICE(HIGH), "a@b.example", UINT64_MAX), COMMIT_DONE);
  assert_int_equal(deliver(k, SLICE(HIGH), "a@b.example", 2 * n * 1000), COMMIT_DONE);
  assert_int_equal(deliver(k, SLICE(HIGH), "\xc3\xa9@b.example", TOLD(n)), COMMIT_DONE);
  /* the other way's */
  assert_int_equal(deliver(k, SLICE(HIGH), "a@b.example", TOLD(n) + 1), COMMIT_DONE);
  struct drop *d = kit_open_drop(k, 1, id);
  assert_int_equal(d->opened.count, 7);
  assert_int_equal(d->surrogate[0], TOLD(d->size[0]));
  assert_int_equal(d->surrogate[1], SURROGATE_SAME);
  assert_int_equal(d->surrogate[2], TOLD(d->size[2]));
  for (int i = 3; i < 7; i++) assert_int_equal(d->surrogate[i], SURROGATE_UNKNOWN);
  kit_quit(k, 1);
  /* ... until it is looked at. */
  kit_idle(k);
  d = kit_open_drop(k, 2, id);
  for (int i = 3; i < 5; i++) assert_int_equal(d->surrogate[i], TOLD(d->size[i]));
  assert_true(d->surrogate[5] > TOLD(d->size[5])); /* its Return-Path too */
  assert_int_equal(d->surrogate[0], TOLD(d->size[0]));
  assert_int_equal(d->surrogate[6], TOLD(d->size[6]));
}

static void imports_may_tell(void **state) {
  struct kit *k = *state;
  uint64_t id = alice(k);
  struct buf list, input;
  size_t n = sizeof HIGH - 1;
  kit_list(&list, "import alice@example.org");
  buf_init(&input, 4096);
  buf_printf(&input,
             "%zu 1 0 -\n" HIGH "%zu 1 0 - %zu\n" HIGH "%zu 1 0 uidl 1\n" HIGH "4 1 0 -\na:b\n", n,
             n, (size_t)TOLD(n), n);
  assert_true(KIT_SAY(k, ROLE_CLI, CLI, cli_command, 0, buf_slice(&list)));
  assert_true(KIT_SAY(k, ROLE_CLI, CLI, cli_input, 0, buf_slice(&input)));
  assert_true(KIT_SAY(k, ROLE_CLI, CLI, cli_input_end, 0, ));
  assert_int_equal(kit_answer(k, NULL).code, CLI_OK);
  buf_free(&list);
  buf_free(&input);
  struct drop *d = kit_open_drop(k, 1, id);
  const uint64_t want[] = { SURROGATE_UNKNOWN, TOLD(n), SURROGATE_SAME, SURROGATE_UNKNOWN };
  for (int i = 0; i < 4; i++) assert_int_equal(d->surrogate[i], want[i]);
  kit_quit(k, 1);
  kit_idle(k);
  d = kit_open_drop(k, 2, id);
  assert_int_equal(d->surrogate[0], TOLD(n));
  assert_int_equal(d->surrogate[3], SURROGATE_SAME);
}

/* Messages of a store that knew of no surrogates, in the database and in files, many and damaged
 * ones. */
static void old_messages_are_measured(void **state) {
  struct kit *k = *state;
  uint64_t id = alice(k);
  static char big[200 * 1024];
  memset(big, 'a', sizeof big);
  memcpy(big, HIGH, sizeof HIGH - 1);
  memcpy(big + sizeof big - 2, "\r\n", 2);
  for (int i = 0; i < 100; i++)
    assert_int_equal(deliver(k, i % 2 ? SLICE(HIGH) : SLICE("A: b\r\n\r\n"), "", 1), COMMIT_DONE);
  for (int i = 0; i < 2; i++) {
    assert_true(KIT_SAY(k, ROLE_SMTPD, SMTPD, smtp_spool, 7, slice_of(big, IPC_CHUNK)));
    assert_int_equal(KIT_HEAR(k, smtp_spooled).outcome, COMMIT_DONE);
    assert_int_equal(deliver(k, slice_of(big + IPC_CHUNK, IPC_CHUNK), "", 1), COMMIT_DONE);
  }
  kit_close(k);
  struct db *db = NULL;
  struct db_options options = { .page_size = STORE_PAGE };
  assert_int_equal(db_open(k->disk, STORE_DATABASE, &options, &db), DB_OK);
  assert_int_equal(db_exec(db, "UPDATE entry SET surrogate = NULL"), DB_OK);
  db_close(&db);
  assert_int_equal(k->disk->ops->remove(k->disk, "bodies/66/102"), 0);
  kit_open(k);
  struct drop *d = kit_open_drop(k, 1, id);
  for (int i = 0; i < 102; i++) assert_int_equal(d->surrogate[i], SURROGATE_UNKNOWN);
  kit_quit(k, 1);
  kit_idle(k);
  assert_int_equal(store_housekeeping_when(k->writer), STORE_NO_CHORES);
  d = kit_open_drop(k, 2, id);
  for (int i = 0; i < 100; i++)
    assert_int_equal(d->surrogate[i], i % 2 ? TOLD(d->size[i]) : SURROGATE_SAME);
  assert_int_equal(d->surrogate[100], TOLD(d->size[100]));
  assert_int_equal(d->surrogate[101], SURROGATE_SAME); /* can't be read: it is never sent */
}

/* The option pop3_surrogates: sizes of the other way are forgotten at the start, and taken anew. */
static void the_other_way_is_measured(void **state) {
  struct kit *k = *state;
  uint64_t id = alice(k);
  size_t n = sizeof HIGH - 1;
  assert_int_equal(deliver(k, SLICE(HIGH), "a@b.example", TOLD(n)), COMMIT_DONE);
  assert_int_equal(deliver(k, SLICE("A: b\r\n\r\n"), "a@b.example", SURROGATE_SAME), COMMIT_DONE);
  for (int way = SURROGATE_6858; way >= SURROGATE_6857; way--) {
    kit_close(k);
    k->conf->pop3_surrogates =
        way == SURROGATE_6858 ? CONF_POP3_SURROGATES_RFC6858 : CONF_POP3_SURROGATES_RFC6857;
    kit_open(k);
    struct drop *d = kit_open_drop(k, 1, id);
    assert_int_equal(d->surrogate[0], SURROGATE_UNKNOWN);
    assert_int_equal(d->surrogate[1], SURROGATE_SAME);
    kit_quit(k, 1);
    kit_idle(k);
    d = kit_open_drop(k, 2, id);
    assert_int_equal(d->surrogate[0], TOLD(d->size[0]) + (way == SURROGATE_6858));
    kit_quit(k, 2);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
    cmocka_unit_test_setup_teardown(told_sizes_are_kept, set_up, kit_teardown),
    cmocka_unit_test_setup_teardown(the_other_way_is_measured, set_up, kit_teardown),
    cmocka_unit_test_setup_teardown(imports_may_tell, set_up, kit_teardown),
    cmocka_unit_test_setup_teardown(old_messages_are_measured, set_up, kit_teardown),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
