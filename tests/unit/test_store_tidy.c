/* SPDX-License-Identifier: ISC */
/* Deleted mail that can be brought back, and what goes by the clock. */
#include "src/store/sql/schema.h"
#include "tests/unit/store_kit.h"

static uint64_t scene(struct kit *k, uint64_t undelete_time) {
  k->conf->undelete_time = undelete_time;
  return alice(k);
}

/* `count` messages of a few hundred octets, the last a file. */
static void fill(struct kit *k, unsigned count) {
  static uint8_t large[50000];
  for (unsigned i = 1; i < count; i++)
    assert_int_equal(kit_deliver(k, "alice@example.org", SLICE("Subject: small\r\n\r\nx\r\n")),
                     COMMIT_DONE);
  memset(large, 'a', sizeof large);
  memcpy(large, "Subject: l\r\n\r\n", 14);
  memcpy(large + sizeof large - 2, "\r\n", 2);
  assert_int_equal(kit_deliver(k, "alice@example.org", slice_of(large, sizeof large)), COMMIT_DONE);
}

static void delete_all(struct kit *k, uint64_t account) {
  struct drop *d = kit_open_drop(k, 77, account);
  for (uint32_t i = 0; i < d->opened.count; i++) kit_delete(k, 77, d->uid[i]);
  assert_int_equal(kit_quit(k, 77).deleted, d->opened.count);
}

static uint32_t listed(struct kit *k, uint64_t account) {
  uint32_t count = kit_open_drop(k, 78, account)->opened.count;
  kit_quit(k, 78);
  return count;
}

static void housekeeping(struct kit *k, int64_t seconds) {
  k->now_s += seconds;
  store_housekeeping(k->store, k->now_s);
  kit_pump(k);
}

static void sql(struct kit *k, const char *text) {
  struct db_options options = { .page_size = 4096, .cache_kib = 64 };
  struct db *db = NULL;
  assert_int_equal(db_open(k->disk, STORE_DATABASE, &options, &db), DB_OK);
  assert_int_equal(db_exec(db, text), DB_OK);
  db_close(&db);
}

static uint64_t fact(struct kit *k, const char *name) {
  struct answer a = kit_command(k, "status");
  const char *at = strstr(a.rows, name);
  assert_non_null(at);
  return strtoull(at + strlen(name), NULL, 10);
}

static unsigned files(struct kit *k) {
  char command[300];
  snprintf(command, sizeof command, "find %s/bodies -type f | wc -l", k->path);
  FILE *p = popen(command, "r");
  unsigned n = 99;
  assert_int_equal(fscanf(p, "%u", &n), 1);
  pclose(p);
  return n;
}

static void kept_for_a_while(void **state) {
  struct kit *k = *state;
  uint64_t account = scene(k, 3600);
  fill(k, 3);
  delete_all(k, account);
  assert_int_equal(listed(k, account), 0);
  assert_int_equal(fact(k, "\nmessages "), 0);
  assert_int_equal(fact(k, "deleted-kept "), 3);
  assert_int_equal(kit_command(k, "mail deleted alice@example.org").count, 3);
  assert_sound(k);
  housekeeping(k, 3599);
  kit_idle(k);
  assert_int_equal(fact(k, "deleted-kept "), 3);
  assert_int_equal(files(k), 1);
  housekeeping(k, 1);
  kit_idle(k);
  assert_int_equal(fact(k, "deleted-kept "), 0);
  assert_int_equal(fact(k, "deleted-purged "), 3);
  assert_int_equal(files(k), 0);
  assert_int_equal(kit_command(k, "mail undelete alice@example.org --all").count, 0);
  assert_sound(k);
}

static void off_by_default(void **state) {
  struct kit *k = *state;
  uint64_t account = scene(k, 0);
  fill(k, 2);
  delete_all(k, account);
  assert_int_equal(kit_command(k, "mail deleted alice@example.org").count, 0);
  kit_idle(k);
  assert_int_equal(files(k), 0);
  assert_sound(k);
}

/* What was kept under another configuration goes with the next round. */
static void switched_off(void **state) {
  struct kit *k = *state;
  uint64_t account = scene(k, 3600);
  fill(k, 2);
  delete_all(k, account);
  k->conf->undelete_time = 0;
  kit_reopen(k);
  assert_int_equal(fact(k, "deleted-kept "), 2);
  housekeeping(k, 0);
  assert_int_equal(fact(k, "deleted-kept "), 0);
  assert_sound(k);
}

/* Where in the maildrop that UIDL is, once; and the place is the list's end if it is not there. */
static uint32_t place_of(const struct drop *d, const char *uidl) {
  uint32_t at = d->opened.count;
  for (uint32_t i = 0; i < d->opened.count; i++) {
    if (strcmp(d->uidl[i], uidl) != 0) continue;
    assert_int_equal(at, d->opened.count);
    at = i;
  }
  return at;
}

/* Each message has the UIDL that it had (RFC 1939 §7), and a uid that none had (RFC 9051
 * §2.3.1.1). */
static void has_new_uids(struct kit *k, uint64_t account, const struct drop *before,
                         uint32_t last_uid) {
  struct drop *d = kit_open_drop(k, 1, account);
  assert_int_equal(d->opened.count, before->opened.count);
  assert_int_equal(d->opened.octets, before->opened.octets);
  assert_int_equal(d->opened.uidvalidity, before->opened.uidvalidity);
  for (uint32_t i = 0; i < before->opened.count; i++) {
    uint32_t at = place_of(d, before->uidl[i]);
    assert_true(at < d->opened.count);
    assert_int_equal(d->size[at], before->size[i]);
    assert_true(d->uid[at] > last_uid);
  }
  kit_quit(k, 1);
  assert_sound(k);
}

static void brought_back(void **state) {
  struct kit *k = *state;
  uint64_t account = scene(k, 3600);
  struct drop before;
  fill(k, 300);
  before = *kit_open_drop(k, 1, account);
  kit_quit(k, 1);
  delete_all(k, account);
  k->now_s += 100;
  assert_int_equal(kit_command(k, "mail undelete alice@example.org --since 60").count, 0);
  assert_int_equal(kit_command(k, "mail undelete alice@example.org 7 9").count, 2);
  assert_int_equal(kit_command(k, "mail undelete alice@example.org 8 9").code, CLI_NOT_FOUND);
  assert_int_equal(kit_command(k, "mail undelete alice@example.org 8 8").code, CLI_NOT_FOUND);
  assert_int_equal(listed(k, account), 2);
  assert_sound(k);
  assert_int_equal(kit_command(k, "mail undelete alice@example.org --since 2m").count, 298);
  has_new_uids(k, account, &before, 300);
  assert_int_equal(fact(k, "\nmessages "), 300);
  assert_int_equal(fact(k, "deleted-brought-back "), 300);
  housekeeping(k, 7200);
  assert_int_equal(listed(k, account), 300);
  kit_reopen(k);
  assert_int_equal(fact(k, "\nmessages "), 300);
  /* and again, of which the first uids are long gone */
  delete_all(k, account);
  assert_int_equal(kit_command(k, "mail undelete alice@example.org --all").count, 300);
  has_new_uids(k, account, &before, 600);
}

static void uids_run_out(void **state) {
  struct kit *k = *state;
  uint64_t account = scene(k, 3600);
  fill(k, 3);
  delete_all(k, account);
  kit_close(k);
  sql(k, "UPDATE folder SET uidnext = 4294967293");
  kit_open(k);
  assert_int_equal(kit_command(k, "mail undelete alice@example.org --all").code, CLI_REFUSED);
  assert_int_equal(listed(k, account), 0);
  assert_int_equal(kit_command(k, "mail undelete alice@example.org 1 2").count, 2);
  assert_int_equal(kit_command(k, "mail undelete alice@example.org 3").code, CLI_REFUSED);
  assert_sound(k);
}

static void wrong_commands(void **state) {
  struct kit *k = *state;
  scene(k, 3600);
  static const char *const usages[] = { "mail undelete alice@example.org",
                                        "mail undelete alice@example.org --all 3",
                                        "mail undelete alice@example.org --since",
                                        "mail undelete alice@example.org x",
                                        "mail undelete alice@example.org --since soon",
                                        "mail undelete alice@example.org 99999999999" };
  for (size_t i = 0; i < sizeof usages / sizeof *usages; i++)
    assert_int_equal(kit_command(k, usages[i]).code, CLI_USAGE);
  assert_int_equal(kit_command(k, "mail undelete bob@example.org --all").code, CLI_NOT_FOUND);
  assert_int_equal(kit_command(k, "mail deleted bob@example.org").code, CLI_NOT_FOUND);
}

/* Two recipients of one body: each has his own. */
static void a_shared_body(void **state) {
  struct kit *k = *state;
  uint64_t alice = scene(k, 3600), bob = kit_account(k, "bob@example.org");
  assert_int_equal(
      kit_deliver(k, "alice@example.org bob@example.org", SLICE("Subject: both\r\n\r\nx\r\n")),
      COMMIT_DONE);
  delete_all(k, alice);
  delete_all(k, bob);
  assert_sound(k);
  assert_int_equal(kit_command(k, "mail undelete bob@example.org --all").count, 1);
  housekeeping(k, 3600);
  assert_int_equal(listed(k, bob), 1);
  assert_int_equal(kit_command(k, "mail undelete alice@example.org --all").count, 0);
  assert_sound(k);
}

/* A UIDL whose message can come back is given to no other. */
static const char *import_one(struct kit *k, const char *uidl) {
  static char outcome[32];
  struct buf input;
  buf_init(&input, 1000);
  buf_printf(&input, "23 1600000000 0 %s\nSubject: i\r\n\r\n1234567\r\n", uidl);
  struct buf list;
  kit_list(&list, "import alice@example.org");
  assert_true(KIT_SAY(k, ROLE_CLI, CLI, cli_command, 0, buf_slice(&list)));
  assert_true(KIT_SAY(k, ROLE_CLI, CLI, cli_input, 0, buf_slice(&input)));
  assert_true(KIT_SAY(k, ROLE_CLI, CLI, cli_input_end, 0, ));
  struct answer a = kit_answer(k, NULL);
  assert_int_equal(a.code, CLI_OK);
  snprintf(outcome, sizeof outcome, "%.*s", (int)strcspn(a.rows, " "), a.rows);
  buf_free(&list);
  buf_free(&input);
  return outcome;
}

static void uidls_stay_unique(void **state) {
  struct kit *k = *state;
  uint64_t account = scene(k, 3600);
  assert_string_equal(import_one(k, "theirs"), "added");
  delete_all(k, account);
  assert_string_equal(import_one(k, "theirs"), "gone");
  assert_int_equal(kit_command(k, "mail undelete alice@example.org 1").count, 1);
  assert_string_equal(import_one(k, "theirs"), "there");
  assert_sound(k);
  delete_all(k, account);
  housekeeping(k, 3601);
  assert_string_equal(import_one(k, "theirs"), "gone");
  assert_sound(k);
}

/* What a migration is told of a message that was restored: it came here, whatever UIDL it has. So
 * nobody takes it for one that the old server has deleted, and it is not imported a second time. */
static void restored_is_not_imported(void **state) {
  struct kit *k = *state;
  uint64_t account = scene(k, 3600);
  char own[80], row[100];
  fill(k, 1);
  assert_string_equal(import_one(k, "theirs"), "added");
  snprintf(own, sizeof own, "%s", kit_open_drop(k, 1, account)->uidl[0]);
  kit_quit(k, 1);
  for (int round = 0; round < 2; round++) {
    delete_all(k, account);
    assert_string_equal(import_one(k, own), "gone");
    assert_string_equal(import_one(k, "theirs"), "gone");
    assert_int_equal(kit_command(k, "mail undelete alice@example.org --all").count, 2);
    assert_string_equal(import_one(k, own), "there");
    assert_string_equal(import_one(k, "theirs"), "there");
    assert_sound(k);
  }
  struct answer uidls = kit_command(k, "mail uidls alice@example.org");
  snprintf(row, sizeof row, "%s 5 no ", own);
  assert_non_null(strstr(uidls.rows, row));
  assert_non_null(strstr(uidls.rows, "theirs 6 yes "));
  assert_string_equal(kit_command(k, "mail drop alice@example.org 5").rows, "0\n");
  assert_int_equal(listed(k, account), 2);
  /* No message has its present uid in text form as UIDL. */
  uint32_t validity = kit_open_drop(k, 1, account)->opened.uidvalidity;
  kit_quit(k, 1);
  snprintf(own, sizeof own, "%08x%08x", (unsigned)validity, 5u);
  assert_string_equal(import_one(k, own), "gone");
  delete_all(k, account);
  housekeeping(k, 3601);
  snprintf(own, sizeof own, "%08x%08x", (unsigned)validity, 1u);
  assert_string_equal(import_one(k, own), "gone");
  assert_sound(k);
}

/* No quota counts it, but undelete_space bounds it. */
static void its_space_is_bounded(void **state) {
  struct kit *k = *state;
  uint64_t account = scene(k, 3600);
  fill(k, 500);
  uint64_t octets = fact(k, "\noctets ");
  k->conf->undelete_space = 50200;
  delete_all(k, account);
  assert_int_equal(fact(k, "deleted-kept-octets "), octets);
  housekeeping(k, 1);
  assert_true(fact(k, "deleted-kept-octets ") <= 50200);
  assert_true(fact(k, "deleted-kept-octets ") > 49000);
  assert_sound(k);
}

static void account_delete_takes_it_along(void **state) {
  struct kit *k = *state;
  uint64_t account = scene(k, 3600);
  fill(k, 700);
  delete_all(k, account);
  fill(k, 30);
  assert_int_equal(kit_command(k, "account delete alice@example.org").code, CLI_OK);
  assert_int_equal(fact(k, "deleted-kept "), 0);
  kit_idle(k);
  assert_int_equal(files(k), 0);
  housekeeping(k, 3600);
  assert_sound(k);
}

/* --- EXPIRE --- */

static void set_expire(struct kit *k, uint64_t days) {
  k->conf->pop3_expire = days;
  store_reconfigure(k->store, k->conf);
}

static void old_mail_goes(struct kit *k, uint64_t account) {
  set_expire(k, 2);
  fill(k, 400);
  k->now_s += 86400;
  fill(k, 300);
  housekeeping(k, 86400 - 1);
  assert_int_equal(listed(k, account), 700);
  housekeeping(k, 3600);
  assert_int_equal(listed(k, account), 300);
  assert_int_equal(fact(k, "messages-expired "), 400);
  assert_int_equal(fact(k, "\nmessages "), 300);
  assert_sound(k);
  housekeeping(k, 86400);
  assert_int_equal(listed(k, account), 0);
  kit_reopen(k);
  assert_int_equal(fact(k, "\noctets "), 0);
  assert_sound(k);
}

static void expires(void **state) {
  struct kit *k = *state;
  uint64_t account = scene(k, 0);
  old_mail_goes(k, account);
  assert_int_equal(fact(k, "deleted-kept "), 0);
}

static void expires_and_is_kept(void **state) {
  struct kit *k = *state;
  uint64_t account = scene(k, 7 * 86400);
  old_mail_goes(k, account);
  assert_int_equal(fact(k, "deleted-kept "), 700);
  set_expire(k, CONF_NEVER);
  assert_int_equal(kit_command(k, "mail undelete alice@example.org --all").count, 700);
  assert_sound(k);
}

/* Days of an imported message begin when it is imported, not when it was written. */
static void imports_have_their_days(void **state) {
  struct kit *k = *state;
  uint64_t account = scene(k, 0);
  set_expire(k, 2);
  assert_string_equal(import_one(k, "theirs"), "added");
  housekeeping(k, 86400);
  assert_int_equal(listed(k, account), 1);
  housekeeping(k, 86400);
  assert_int_equal(listed(k, account), 0);
  assert_sound(k);
}

static void run_reads(struct kit *k) {
  struct store_job *reads = k->reads;
  k->reads = NULL;
  for (struct store_job *j = reads; j; j = store_job_next(j)) store_read(k->reader, j);
  kit_finish_all(k, reads);
}

/* Nothing goes from an open maildrop; and one that is opened while old mail goes waits for that. */
static void open_maildrops_stay(void **state) {
  struct kit *k = *state;
  struct buf whole;
  uint64_t account = scene(k, 0);
  set_expire(k, 1);
  fill(k, 20);
  struct drop *d = kit_open_drop(k, 5, account);
  housekeeping(k, 2 * 86400);
  buf_init(&whole, 100000);
  assert_int_equal(kit_read(k, 5, d->uid[19], &whole), POP_DONE);
  kit_quit(k, 5);
  k->now_s += 3600;
  store_housekeeping(k->store, k->now_s);
  run_reads(k); /* the account is found, its job waits in the kit */
  assert_non_null(k->writes);
  kit_grant(k, POP3D, 6, account);
  kit_pump(k);
  kit_forget_said(k);
  fill(k, 3);
  k->now_s += 90000;
  store_housekeeping(k->store, k->now_s);
  run_reads(k);
  struct store_job *writes = k->writes;
  assert_non_null(writes);
  k->writes = NULL;
  kit_pump(k); /* what the outgoing queue reads by the same clock */
  k->writes = writes;
  assert_true(KIT_SAY(k, ROLE_POP3D, POP3D, pop_open, 6, ));
  assert_null(k->reads); /* parked */
  assert_int_equal(KIT_HEAR(k, pop_opened).count, 0);
  assert_true(KIT_HEAR(k, pop_listing).last);
  kit_quit(k, 6);
  buf_free(&whole);
  assert_sound(k);
}

/* The session went while its open job was parked. */
static void a_parked_session_goes(void **state) {
  struct kit *k = *state;
  uint64_t account = scene(k, 0);
  set_expire(k, 1);
  fill(k, 3);
  k->now_s += 90000;
  kit_grant(k, POP3D, 6, account);
  store_housekeeping(k->store, k->now_s);
  run_reads(k);
  assert_non_null(k->writes);
  assert_true(KIT_SAY(k, ROLE_POP3D, POP3D, pop_open, 6, ));
  assert_true(KIT_SAY(k, ROLE_POP3D, POP3D, pop_close, 6, ));
  kit_pump(k);
  assert_null(k->said);
  assert_int_equal(listed(k, account), 0);
  assert_int_equal(store_jobs_out(k->store), 0);
}

#define TEST(fn) cmocka_unit_test_setup_teardown(fn, kit_setup, kit_teardown)

int main(void) {
  const struct CMUnitTest tests[] = {
    TEST(kept_for_a_while),
    TEST(off_by_default),
    TEST(switched_off),
    TEST(brought_back),
    TEST(uids_run_out),
    TEST(restored_is_not_imported),
    TEST(wrong_commands),
    TEST(a_shared_body),
    TEST(uidls_stay_unique),
    TEST(its_space_is_bounded),
    TEST(account_delete_takes_it_along),
    TEST(expires),
    TEST(expires_and_is_kept),
    TEST(imports_have_their_days),
    TEST(open_maildrops_stay),
    TEST(a_parked_session_goes),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
