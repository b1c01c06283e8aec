/* SPDX-License-Identifier: ISC */
/* The rules of maildrops: limits of an account's own, the delay between two logins, what is
 * announced of it; and a store that an older Qasid left. */
#include "tests/unit/store_kit.h"

#include "src/store/sql/schema.h"

static uint32_t wait_of(struct kit *k, uint64_t tag, uint64_t account) {
  assert_true(KIT_SAY(k, ROLE_AUTH, AUTH, auth_grant, 5, POP3D, tag, account));
  struct auth_granted g = KIT_HEAR(k, auth_granted);
  assert_true(g.known);
  return g.wait_s;
}

static struct pop_rules_are rules(struct kit *k) {
  assert_true(KIT_SAY(k, ROLE_POP3D, POP3D, pop_rules, 900, ));
  return KIT_HEAR(k, pop_rules_are);
}

/* A login that came to be begins the delay; one that was refused does not; it outlives no restart.
 */
static void login_delay(struct kit *k, uint64_t account) {
  struct drop d;
  assert_int_equal(wait_of(k, 1, account), 0);
  assert_int_equal(kit_drop_open(k, POP3D, 1, &d), POP_DONE);
  assert_int_equal(d.opened.login_delay, 60);
  assert_int_equal(wait_of(k, 2, account), 60);
  kit_quit(k, 1);
  k->now_s += 59;
  assert_int_equal(wait_of(k, 2, account), 1);
  /* What was refused was not granted: to open it all the same is a breach. */
  assert_false(KIT_SAY(k, ROLE_POP3D, POP3D, pop_open, 2, ));
  k->now_s++;
  assert_int_equal(wait_of(k, 2, account), 0);
  assert_int_equal(kit_drop_open(k, POP3D, 2, &d), POP_DONE);
  kit_quit(k, 2);
}

static void logins_have_to_wait(struct kit *k, uint64_t account) {
  k->conf->login_delay = 60;
  store_reconfigure(k->store, k->conf);
  login_delay(k, account);
  k->now_s -= 3600; /* a clock that is set back holds nobody up */
  assert_int_equal(wait_of(k, 3, account), 0);
  assert_true(KIT_SAY(k, ROLE_POP3D, POP3D, pop_close, 3, ));
}

static void a_delay(void **state) {
  struct kit *k = *state;
  uint64_t account = alice(k);
  logins_have_to_wait(k, account);
}

static void announced(void **state) {
  struct kit *k = *state;
  struct drop d;
  uint64_t account = alice(k), bob = kit_account(k, "bob@example.org");
  assert_int_equal(rules(k).login_delay, POP_NO_DELAY);
  assert_int_equal(k->rules_changed, 0);
  assert_int_equal(kit_command(k, "account set bob@example.org login-delay 2m").code, CLI_OK);
  assert_int_equal(k->rules_changed, 1); /* once for whoever was told them */
  assert_int_equal(rules(k).login_delay, 120);
  assert_true(rules(k).login_delay_differs);
  kit_grant(k, POP3D, 1, account);
  assert_int_equal(kit_drop_open(k, POP3D, 1, &d), POP_DONE);
  assert_int_equal(d.opened.login_delay, 0);
  kit_quit(k, 1);
  kit_grant(k, POP3D, 2, bob);
  assert_int_equal(kit_drop_open(k, POP3D, 2, &d), POP_DONE);
  assert_int_equal(d.opened.login_delay, 120);
  kit_quit(k, 2);
  kit_reopen(k);
  assert_int_equal(rules(k).login_delay, 120);
  assert_int_equal(kit_command(k, "account delete bob@example.org").code, CLI_OK);
  assert_int_equal(rules(k).login_delay, POP_NO_DELAY);
  k->conf->login_delay = 30;
  unsigned before = k->rules_changed;
  store_reconfigure(k->store, k->conf);
  store_reconfigure(k->store, k->conf);
  assert_int_equal(k->rules_changed, before + 1); /* nobody asked in between */
  assert_int_equal(rules(k).login_delay, 30);
  assert_false(rules(k).login_delay_differs);
}

static void days(void **state) {
  struct kit *k = *state;
  struct drop d;
  uint64_t account = alice(k), bob = kit_account(k, "bob@example.org");
  assert_int_equal(rules(k).expire, POP_NEVER);
  assert_false(rules(k).expire_differs);
  assert_int_equal(kit_command(k, "account set bob@example.org expire 7").code, CLI_OK);
  assert_int_equal(rules(k).expire, 7);
  assert_true(rules(k).expire_differs);
  kit_grant(k, POP3D, 1, account);
  assert_int_equal(kit_drop_open(k, POP3D, 1, &d), POP_DONE);
  assert_int_equal(d.opened.expire, POP_NEVER);
  kit_quit(k, 1);
  kit_grant(k, POP3D, 2, bob);
  assert_int_equal(kit_drop_open(k, POP3D, 2, &d), POP_DONE);
  assert_int_equal(d.opened.expire, 7);
  kit_quit(k, 2);
  k->conf->pop3_expire = 3;
  store_reconfigure(k->store, k->conf);
  assert_int_equal(rules(k).expire, 3);
  assert_int_equal(kit_command(k, "account set bob@example.org expire never").code, CLI_OK);
  assert_int_equal(rules(k).expire, 3);
  assert_true(rules(k).expire_differs);
  kit_reopen(k);
  assert_true(rules(k).expire_differs);
}

/* The first three: those of its maildrop. */
static void assert_limits(struct kit *k, const char *want) {
  struct answer a = kit_command(k, "account limits alice@example.org");
  if (!slice_starts(slice_str(a.rows), slice_str(want))) fail_msg("%s, and not %s", a.rows, want);
}

static void limits(void **state) {
  struct kit *k = *state;
  alice(k);
  static const struct {
    const char *words;
    enum cli_code code;
    const char *after;
  } cases[] = {
    { "login-delay 90", CLI_OK, "quota default\nlogin-delay 90\nexpire default\n" },
    { "login-delay 1h", CLI_OK, "quota default\nlogin-delay 3600\nexpire default\n" },
    { "login-delay 0", CLI_OK, "quota default\nlogin-delay none\nexpire default\n" },
    { "login-delay 2d", CLI_USAGE, "quota default\nlogin-delay none\nexpire default\n" },
    { "login-delay soon", CLI_USAGE, "quota default\nlogin-delay none\nexpire default\n" },
    { "login-delay 5x", CLI_USAGE, "quota default\nlogin-delay none\nexpire default\n" },
    { "login-delay s", CLI_USAGE, "quota default\nlogin-delay none\nexpire default\n" },
    { "login-delay -1", CLI_USAGE, "quota default\nlogin-delay none\nexpire default\n" },
    { "quota 2M", CLI_OK, "quota 2097152\nlogin-delay none\nexpire default\n" },
    { "quota none", CLI_OK, "quota none\nlogin-delay none\nexpire default\n" },
    { "login-delay default", CLI_OK, "quota none\nlogin-delay default\nexpire default\n" },
    { "expire 30", CLI_OK, "quota none\nlogin-delay default\nexpire 30\n" },
    { "expire 0", CLI_OK, "quota none\nlogin-delay default\nexpire 0\n" },
    { "expire none", CLI_USAGE, "quota none\nlogin-delay default\nexpire 0\n" },
    { "expire 40000", CLI_USAGE, "quota none\nlogin-delay default\nexpire 0\n" },
    { "expire Never", CLI_OK, "quota none\nlogin-delay default\nexpire never\n" },
    { "quota never", CLI_USAGE, "quota none\nlogin-delay default\nexpire never\n" },
    { "expire default", CLI_OK, "quota none\nlogin-delay default\nexpire default\n" },
    { "colour red", CLI_USAGE, "quota none\nlogin-delay default\nexpire default\n" },
    { "quota", CLI_USAGE, "quota none\nlogin-delay default\nexpire default\n" },
  };
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    char words[128];
    snprintf(words, sizeof words, "account set alice@example.org %s", cases[i].words);
    assert_int_equal(kit_command(k, words).code, cases[i].code);
    assert_limits(k, cases[i].after);
  }
  assert_int_equal(kit_command(k, "account set nobody@example.org quota 1").code, CLI_NOT_FOUND);
  assert_int_equal(kit_command(k, "account limits nobody@example.org").code, CLI_NOT_FOUND);
  assert_int_equal(kit_command(k, "account quota alice@example.org 1").code, CLI_OK);
  assert_int_equal(kit_rcpt(k, "alice@example.org", 10), RCPT_TOO_BIG);
}

/* --- a store of version 1 --- */

static void old_store(struct kit *k) {
  struct db *db = NULL;
  struct db_options options = { .page_size = STORE_PAGE };
  struct buf err;
  buf_init(&err, 1000);
  kit_close(k);
  assert_int_equal(k->disk->ops->remove(k->disk, STORE_DATABASE), 0);
  k->disk->ops->remove(k->disk, STORE_DATABASE "-wal");
  assert_int_equal(db_open(k->disk, STORE_DATABASE, &options, &db), DB_OK);
  assert_true(schema_bring_to(db, 1, &err));
  assert_int_equal(
      db_exec(db, "INSERT INTO domain VALUES (1, 'example.org');"
                  "INSERT INTO account VALUES (7, 'alice@example.org', 1, 5000);"
                  "INSERT INTO address VALUES (1, 'alice', 7);"
                  "INSERT INTO folder VALUES (3, 7, 'INBOX', 1600000000, 12, 40, 2, 44);"
                  "UPDATE store SET next_body = 6, uidvalidity = 1600000000;"
                  "INSERT INTO body VALUES (4, 1, 22, 0, NULL, 'Q', cast("
                  "'Subject: 1' || x'0d0a0d0a' || 'octets' || x'0d0a' AS BLOB));"
                  "INSERT INTO body VALUES (5, 1, 22, 0, NULL, 'Q', cast("
                  "'Subject: 2' || x'0d0a0d0a' || 'octets' || x'0d0a' AS BLOB));"
                  "INSERT INTO entry VALUES (3, 8, 4, 22, 0, 1600000100, 30, NULL);"
                  "INSERT INTO entry VALUES (3, 11, 5, 22, 0, 1600000200, 40, 'their-uidl');"
                  "INSERT INTO gone VALUES (3, 'an-older-uidl')"),
      DB_OK);
  assert_int_equal(db_version(db), 1);
  db_close(&db);
  buf_free(&err);
  kit_open(k);
}

static void an_old_store(void **state) {
  struct kit *k = *state;
  struct buf whole;
  buf_init(&whole, 1000);
  old_store(k);
  struct answer check = kit_command(k, "check");
  if (check.code != CLI_OK) fail_msg("%s %s", check.rows, check.text);
  assert_limits(k, "quota 5000\nlogin-delay default\nexpire default\n");
  struct drop *d = kit_open_drop(k, 1, 7);
  assert_int_equal(d->opened.count, 2);
  assert_string_equal(d->uidl[0], "5f5e100000000008");
  assert_string_equal(d->uidl[1], "their-uidl");
  assert_int_equal(kit_read(k, 1, 11, &whole), POP_DONE);
  assert_true(slice_eq(buf_slice(&whole), SLICE("Subject: 2\r\n\r\noctets\r\n")));
  buf_free(&whole);
  kit_delete(k, 1, 8);
  assert_int_equal(kit_quit(k, 1).deleted, 1);
  assert_int_equal(kit_deliver(k, "alice@example.org", SLICE("Subject: 3\r\n\r\nnew\r\n")),
                   COMMIT_DONE);
  assert_int_equal(kit_open_drop(k, 2, 7)->uid[1], 12);
  kit_quit(k, 2);
  kit_reopen(k);
  assert_int_equal(kit_command(k, "check").code, CLI_OK);
}

#define TEST(fn) cmocka_unit_test_setup_teardown(fn, kit_setup, kit_teardown)

int main(void) {
  const struct CMUnitTest tests[] = { TEST(a_delay), TEST(announced), TEST(days), TEST(limits),
                                      TEST(an_old_store) };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
