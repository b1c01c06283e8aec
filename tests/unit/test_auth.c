/* SPDX-License-Identifier: ISC */
/* Logins, the cache, processes that go, administration. attacks.md: AU-4, AU-5 */
#include "tests/unit/auth_kit.h"

/* --- logins --- */

static void test_login(void **state) {
  assert_int_equal(admin("account", "add", "Tim@Example.ORG", "42", SECRET), CLI_OK);
  uint64_t t = login(1, "tim@example.org", SECRET);
  store_answers = false;
  assert_int_equal(run(), 1);
  assert_int_equal(answer(t), NOTHING); /* not before store has the grant */
  struct said g = said[said_n - 1];
  struct auth_grant m;
  assert_int_equal(g.kind, ROLE_STORE);
  assert_true(auth_grant_get(slice_of(g.payload, g.n), &m));
  assert_int_equal(m.front, FRONT);
  assert_int_equal(m.session, t);
  assert_int_equal(m.account, 42);
  store_answers = true;
  answer_grants();
  assert_int_equal(answer(t), YES);
  struct auth_ok ok;
  assert_true(auth_ok_get(slice_of(said[said_n - 1].payload, said[said_n - 1].n), &ok));
  assert_true(slice_eq(ok.name, SLICE("Tim@example.org")));
  t = login(1, "TIM@EXAMPLE.org", "tanstaaftanstaaF");
  run();
  at(now + 2000);
  assert_int_equal(answer(t), AUTH_WRONG);
  t = login(2, "tim", SECRET); /* full names only */
  run();
  at(now + 2000);
  assert_int_equal(answer(t), AUTH_WRONG);
}

/* store gets the grant of a submitting account before the session gets its answer, as it does when
 * an account opens a maildrop. */
static void test_smtp_is_granted(void **state) {
  add_tim();
  size_t before = said_n;
  uint64_t t = start_sasl(1, "PLAIN", true, SLICE("\0tim@example.org\0" SECRET), true);
  run();
  assert_int_equal(answer(t), YES);
  assert_int_equal(said_n, before + 2);
  assert_int_equal(said[before].kind, ROLE_STORE);
  struct auth_grant m;
  assert_int_equal(said[before].type, auth_grant_type);
  assert_true(auth_grant_get(slice_of(said[before].payload, said[before].n), &m));
  assert_int_equal(m.service, GRANT_SUBMISSION);
}

/* How many grants a store that was started again gets, the last of them for that session. */
static size_t repeated(uint64_t session) {
  size_t before = said_n;
  auth_process_connected(auth, ROLE_STORE, STORE);
  for (size_t i = before; i < said_n; i++) {
    struct auth_grant m;
    assert_int_equal(said[i].kind, ROLE_STORE);
    assert_int_equal(said[i].type, auth_grant_type);
    assert_true(auth_grant_get(slice_of(said[i].payload, said[i].n), &m));
    assert_int_equal(m.front, MX);
    assert_int_equal(m.session, session);
    assert_int_equal(m.account, 42);
    assert_int_equal(m.service, GRANT_SUBMISSION);
  }
  return said_n - before;
}

/* A session that has logged in stays so for the next store until it is over; a maildrop not. */
static void test_grants_are_repeated(void **state) {
  struct buf b;
  add_tim();
  login(1, "tim@example.org", SECRET);
  run();
  assert_int_equal(repeated(0), 0);
  uint64_t t = start_sasl(1, "PLAIN", true, SLICE("\0tim@example.org\0" SECRET), true);
  run();
  assert_int_equal(answer(t), YES);
  for (int i = 0; i < 2; i++) {
    assert_int_equal(repeated(t), 1);
    auth_process_lost(auth, ROLE_STORE, STORE);
  }
  buf_init(&b, 32);
  auth_over_put(&b, &(struct auth_over){ MX, t + 1 });
  assert_true(tell(ROLE_STORE, STORE, auth_over_type, 0, &b)); /* another's */
  assert_int_equal(repeated(t), 1);
  buf_reset(&b);
  auth_over_put(&b, &(struct auth_over){ MX, t });
  assert_true(tell(ROLE_STORE, STORE, auth_over_type, 0, &b));
  assert_int_equal(repeated(t), 0);
  t = start_sasl(1, "PLAIN", true, SLICE("\0tim@example.org\0" SECRET), true);
  run();
  assert_int_equal(repeated(t), 1);
  auth_process_lost(auth, ROLE_SMTPD, MX);
  assert_int_equal(repeated(t), 0);
  buf_free(&b);
}

static void test_login_mechanism(void **state) {
  add_tim();
  uint64_t t = start_sasl(1, "LOGIN", false, SLICE_NONE, true);
  assert_true(slice_eq(challenge(t), SLICE("Username:")));
  step_sasl(t, SLICE("tim@example.org"));
  assert_true(slice_eq(challenge(t), SLICE("Password:")));
  step_sasl(t, SLICE(SECRET));
  run();
  assert_int_equal(answer(t), YES);
}

/* AU-4: nobody acts for anybody else, whatever the password. */
static void test_authzid(void **state) {
  add_tim();
  assert_int_equal(admin("account", "import", "eve@example.org", "43", MD5_SECRET), CLI_OK);
  uint64_t t =
      start_sasl(1, "PLAIN", true, SLICE("tim@example.org\0eve@example.org\0" SECRET), true);
  run();
  at(now + 2000);
  assert_int_equal(answer(t), AUTH_WRONG);
  /* That was no wrong password: the right one without it is taken, at once and from there. */
  t = start_sasl(1, "PLAIN", true, SLICE("\0eve@example.org\0" SECRET), true);
  run();
  assert_int_equal(answer(t), YES);
  /* no oracle */
  t = start_sasl(1, "PLAIN", true, SLICE("tim@example.org\0eve@example.org\0wrong"), true);
  assert_int_equal(run(), 0);
  at(now + 2000);
  assert_int_equal(answer(t), AUTH_WRONG);
  t = start_sasl(1, "PLAIN", true, SLICE("EVE@example.org\0eve@example.org\0" SECRET), true);
  run();
  assert_int_equal(answer(t), YES);
}

static void test_refused_mechanisms(void **state) {
  add_tim();
  assert_int_equal(answer(start_sasl(1, "PLAIN", true, SLICE("\0a\0b"), false)), AUTH_UNAVAILABLE);
  assert_int_equal(answer(start_sasl(1, "LOGIN", false, SLICE_NONE, false)), AUTH_UNAVAILABLE);
  assert_int_equal(answer(start_sasl(1, "GSSAPI", false, SLICE_NONE, true)), AUTH_UNAVAILABLE);
  assert_int_equal(answer(start_sasl(1, "SCRAM-SHA-256-PLUS", false, SLICE_NONE, true)),
                   AUTH_UNAVAILABLE);
  assert_int_equal(answer(start_sasl(1, "CRAM-MD5", true, SLICE("x"), false)), AUTH_MALFORMED);
  assert_int_equal(answer(start_sasl(1, "PLAIN", true, SLICE("nothing"), true)), AUTH_MALFORMED);
  conf->plaintext_auth = true;
  uint64_t t = start_sasl(1, "PLAIN", true, SLICE("\0tim@example.org\0" SECRET), false);
  run();
  assert_int_equal(answer(t), YES);
}

/* --- indistinguishable --- */

static void test_unknown_is_wrong(void **state) {
  assert_int_equal(admin("account", "add", "tim@example.org", "42", SECRET), CLI_OK);
  assert_int_equal(admin("account", "add", "off@example.org", "43", SECRET), CLI_OK);
  assert_int_equal(admin("account", "disable", "off@example.org"), CLI_OK);
  const struct trace wrong = trace(login(1, "tim@example.org", "x"));
  const struct trace unknown = trace(login(2, "tom@example.org", "x"));
  const struct trace off = trace(login(3, "off@example.org", SECRET));
  const struct trace odd = trace(login(4, "' OR 1=1 --", "x"));
  assert_int_equal(wrong.said, AUTH_WRONG);
  assert_int_equal(wrong.after_ms, 2000);
  assert_int_equal(wrong.jobs, 1);
  assert_string_equal(wrong.scheme, "$y$j9T$");
  assert_memory_equal(&wrong, &unknown, sizeof wrong);
  assert_memory_equal(&wrong, &off, sizeof wrong);
  assert_memory_equal(&wrong, &odd, sizeof wrong);
}

/* AU-5 */
static void test_odd_names(void **state) {
  static const char *const names[] = {
    "", "@", "a@", "@b", "%{a}$'\")(*\\,@x", "a\r\nb@c", "\xff@x", "../../etc/passwd@x"
  };
  for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
    uint64_t t = login((unsigned)i + 1, names[i], "x");
    run();
    at(now + 2000);
    assert_int_equal(answer(t), AUTH_WRONG);
  }
  char name[AUTH_NAME_MAX + 1];
  memset(name, 'a', sizeof name - 1);
  name[sizeof name - 1] = 0;
  uint64_t t = login(99, name, "x");
  run();
  at(now + 2000);
  assert_int_equal(answer(t), AUTH_WRONG);
}

/* --- the cache --- */

static void test_cache(void **state) {
  add_tim();
  login(1, "tim@example.org", SECRET);
  assert_int_equal(run(), 1);
  for (int i = 0; i < 5; i++) {
    uint64_t t = login(2, "tim@example.org", SECRET);
    assert_int_equal(run(), 0);
    assert_int_equal(answer(t), YES);
  }
  now += conf->auth_cache_time * 1000; /* hits do not make it last */
  login(1, "tim@example.org", SECRET);
  assert_int_equal(run(), 1);
  login(3, "tim@example.org", "tanstaaftanstaa");
  assert_int_equal(run(), 1);
}

static void test_cache_drops_on_change(void **state) {
  add_tim();
  login(1, "tim@example.org", SECRET);
  assert_int_equal(run(), 1);
  assert_int_equal(auth->cache.places.count, 1);
  assert_int_equal(admin("account", "passwd", "tim@example.org", "another one"), CLI_OK);
  assert_int_equal(auth->cache.places.count, 0);
  uint64_t t = login(1, "tim@example.org", SECRET);
  assert_int_equal(run(), 1);
  at(now + 2000);
  assert_int_equal(answer(t), AUTH_WRONG);
  clean_address();
  t = login(1, "tim@example.org", "another one");
  run();
  assert_int_equal(answer(t), YES);
  assert_int_equal(admin("account", "disable", "tim@example.org"), CLI_OK);
  t = login(1, "tim@example.org", "another one");
  run();
  at(now + 2000);
  assert_int_equal(answer(t), AUTH_WRONG);
  clean_address();
  assert_int_equal(admin("account", "enable", "tim@example.org"), CLI_OK);
  t = login(1, "tim@example.org", "another one");
  run();
  assert_int_equal(answer(t), YES);
  assert_int_equal(admin("account", "delete", "tim@example.org"), CLI_OK);
  add_tim(); /* made again under the same name and number */
  t = login(1, "tim@example.org", "another one");
  run();
  at(now + 2000);
  assert_int_equal(answer(t), AUTH_WRONG);
}

static void test_cache_is_bounded(void **state) {
  conf->auth_cache_size = 4;
  auth_reconfigure(auth, conf);
  for (int i = 0; i < 12; i++) {
    char name[48], id[16];
    snprintf(name, sizeof name, "u%d@example.org", i);
    snprintf(id, sizeof id, "%d", i + 1);
    assert_int_equal(admin("account", "import", name, id, MD5_SECRET), CLI_OK);
    uint64_t t = login(1, name, SECRET);
    assert_int_equal(run(), 1);
    assert_int_equal(answer(t), YES);
    login(1, "u0@example.org", SECRET); /* what is used stays */
    assert_int_equal(run(), 0);
  }
  assert_int_equal(auth->cache.places.count, 4);
  conf->auth_cache_size = 0;
  auth_reconfigure(auth, conf);
  login(1, "u0@example.org", SECRET);
  assert_int_equal(run(), 1);
  login(1, "u0@example.org", SECRET);
  assert_int_equal(run(), 1);
}

/* Two that ask the same at once: the second finds what the first has proved. */
static void test_same_at_once(void **state) {
  add_tim();
  uint64_t t[6];
  for (int i = 0; i < 6; i++) t[i] = login(1, "tim@example.org", SECRET);
  assert_true(run() <= 2); /* what was at the shell already */
  for (int i = 0; i < 6; i++) assert_int_equal(answer(t[i]), YES);
}

/* Grants that are in vain are taken back: the session may be over before, while or after store
 * answers. */
static size_t revoked(uint64_t tag) {
  size_t n = 0;
  for (size_t i = 0; i < said_n; i++) {
    struct auth_revoke m;
    if (said[i].kind != ROLE_STORE || said[i].type != auth_revoke_type) continue;
    assert_true(auth_revoke_get(slice_of(said[i].payload, said[i].n), &m));
    n += m.front == FRONT && m.session == tag;
  }
  return n;
}

static void test_grants_in_vain(void **state) {
  add_tim();
  uint64_t t = login(1, "tim@example.org", SECRET); /* over before its hash is known */
  cancel(ROLE_POP3D, FRONT, t);
  run();
  assert_int_equal(revoked(t), 0);
  store_answers = false;
  t = login(1, "tim@example.org", SECRET); /* while store is asked */
  run();
  cancel(ROLE_POP3D, FRONT, t);
  assert_int_equal(revoked(t), 1);
  t = login(1, "tim@example.org", SECRET); /* store is too slow */
  run();
  at(now + AUTH_GRANT_MS);
  assert_int_equal(answer(t), AUTH_TROUBLE);
  assert_int_equal(revoked(t), 1);
  store_answers = true;
  t = login(1, "tim@example.org", SECRET); /* the session is cancelled after auth sent YES */
  run();
  assert_int_equal(answer(t), YES);
  assert_int_equal(revoked(t), 0);
  cancel(ROLE_POP3D, FRONT, t);
  assert_int_equal(revoked(t), 1);
}

/* --- processes that go --- */

static void test_front_lost(void **state) {
  add_tim();
  store_answers = false;
  login(1, "tim@example.org", SECRET); /* will be granting */
  run();
  login(2, "tim@example.org", "x"); /* will be held */
  run();
  login(3, "tim@example.org", "y"); /* hashing */
  login(4, "tim@example.org", "z");
  login(5, "tim@example.org", "waits");
  auth_process_lost(auth, ROLE_POP3D, FRONT);
  assert_null(auth->fronts);
  assert_int_equal(said[said_n - 1].type, auth_revoke_type); /* to store */
  size_t before = said_n;
  run();
  at(now + 60000);
  assert_int_equal(said_n, before); /* the next process with that number gets no answer */
  assert_int_equal(auth->delayed.count, 0);
  assert_int_equal(auth->grants.count, 0);
}

static void test_store_lost(void **state) {
  add_tim();
  store_answers = false;
  uint64_t t = login(1, "tim@example.org", SECRET);
  run();
  assert_int_equal(answer(t), NOTHING);
  auth_process_lost(auth, ROLE_STORE, STORE);
  assert_int_equal(answer(t), AUTH_TROUBLE);
  t = login(1, "tim@example.org", SECRET); /* store does not answer */
  run();
  at(now + AUTH_GRANT_MS - 1);
  assert_int_equal(answer(t), NOTHING);
  at(now + 1);
  assert_int_equal(answer(t), AUTH_TROUBLE);
  t = login(1, "tim@example.org", SECRET);
  struct buf b;
  buf_init(&b, 16);
  auth_granted_put(&b, &(struct auth_granted){ false });
  assert_true(tell(ROLE_STORE, STORE, auth_granted_type, said[said_n - 1].tag, &b));
  assert_int_equal(answer(t), AUTH_TROUBLE);
  assert_int_equal(warned, 1);
  assert_true(tell(ROLE_STORE, STORE, auth_granted_type, 999999, &b)); /* late: nothing */
  buf_free(&b);
}

static void test_changed_while_held(void **state) {
  add_tim();
  fail_once(1, "x");
  uint64_t t = login(1, "tim@example.org", SECRET);
  run();
  assert_int_equal(admin("account", "disable", "tim@example.org"), CLI_OK);
  at(now + 2000);
  assert_int_equal(answer(t), AUTH_WRONG);
}

static void test_malformed_messages(void **state) {
  struct buf b;
  buf_init(&b, 64);
  buf_put_str(&b, "nonsense");
  assert_false(tell(ROLE_POP3D, FRONT, auth_login_type, 1, &b));
  assert_false(tell(ROLE_POP3D, FRONT, auth_start_type, 1, &b));
  assert_false(tell(ROLE_POP3D, FRONT, auth_apop_type, 1, &b));
  assert_false(tell(ROLE_STORE, STORE, auth_granted_type, 1, &b));
  assert_false(tell(ROLE_CLI, CLI, cli_command_type, 0, &b));
  assert_false(tell(ROLE_KEYS, 1, auth_start_type, 1, &b));
  assert_false(tell(ROLE_POP3D, FRONT, auth_ok_type, 1, &b));
  buf_free(&b);
}

/* --- administration --- */

static void test_admin(void **state) {
  assert_int_equal(admin("account", "add", "tim@example.org", "1", "x"), CLI_OK);
  assert_int_equal(admin("account", "add", "TIM@example.org", "2", "x"), CLI_EXISTS);
  assert_int_equal(admin("account", "passwd", "tom@example.org", "x"), CLI_NOT_FOUND);
  assert_int_equal(admin("account", "delete", "tom@example.org"), CLI_NOT_FOUND);
  assert_int_equal(admin("account", "legacy", "tom@example.org", "off"), CLI_NOT_FOUND);
  assert_int_equal(admin("account", "delete", "Tim@example.org"), CLI_OK);
  assert_int_equal(admin("account", "delete", "tim@example.org"), CLI_NOT_FOUND);
  assert_int_equal(admin("account"), CLI_USAGE);
  assert_int_equal(admin("account", "add"), CLI_USAGE);
  assert_int_equal(admin("account", "add", "a@b", "1", "--what", "x"), CLI_USAGE);
  assert_int_equal(admin("account", "add", "a@b", "1", "--legacy-auth", "x", "y"), CLI_USAGE);
  assert_int_equal(admin("a", "b", "c", "d", "e", "f", "g", "h", "i", "j"), CLI_USAGE);
  assert_int_equal(admin("account", "passwd", "a@b", ""), CLI_NOT_FOUND);
  static const char *const bad[] = { "", "tim", "@x", "a@", "a b@x", "a\n@x", "\xff@x", "a\x7f@x" };
  for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
    assert_int_equal(admin("account", "add", bad[i], "1", "x"), CLI_USAGE);
  static const char *const ids[] = { "", "0", "-1", "x", "99999999999999999999" };
  for (size_t i = 0; i < sizeof ids / sizeof *ids; i++)
    assert_int_equal(admin("account", "add", "a@b", ids[i], "x"), CLI_USAGE);
  assert_int_equal(admin("account", "add", "a@b", "1", ""), CLI_USAGE);
  assert_int_equal(admin("account", "import", "a@b", "1", "{SSHA}xyz"), CLI_USAGE);
  assert_int_equal(admin("account", "import", "a@b", "1", "$y$j9T$!!!!$x"), CLI_USAGE);
  /* a digest of another length, and one with a character that is none */
  assert_int_equal(admin("account", "import", "a@b", "1", "$1$abcdefgh$irWbblnpmw.5z7wgBnprh"),
                   CLI_USAGE);
  assert_int_equal(admin("account", "import", "a@b", "1", "$1$abcdefgh$irWbblnpmw.5z7wgBnpr!0"),
                   CLI_USAGE);
  assert_int_equal(admin("account", "import", "a@b", "1", "{PLAIN}clear"), CLI_OK);
  uint64_t t = login(1, "a@b", "clear");
  run();
  assert_int_equal(answer(t), YES);
}

static void test_admin_list(void **state) {
  add_legacy();
  size_t from = said_n;
  assert_int_equal(admin("account", "list"), CLI_OK);
  assert_int_equal(said_n - from, 4); /* columns, two rows, done */
  struct cli_row m;
  struct slice v;
  assert_true(cli_row_get(slice_of(said[from + 1].payload, said[from + 1].n), &m));
  static const char *const want[] = {
    "tim@example.org",     "42", "yes", "yes", "yes", "yescrypt", "2023-11-14T22:13:20Z",
    "2023-11-14T22:13:20Z"
  };
  for (size_t i = 0; i < sizeof want / sizeof *want; i++) {
    assert_true(ipc_list_next(&m.values, &v));
    assert_true(slice_eq(v, slice_str(want[i])));
  }
  assert_int_equal(admin("status"), CLI_OK);
}

/* The command line disconnects before its hash is computed: auth executes the command without
 * sending an answer. */
static void test_admin_lost(void **state) {
  struct buf list, b;
  buf_init(&list, 512);
  buf_init(&b, 512);
  static const char *const words[] = { "account", "add", "tim@example.org", "42", SECRET };
  for (size_t i = 0; i < 5; i++) ipc_list_put(&list, slice_str(words[i]));
  cli_command_put(&b, &(struct cli_command){ buf_slice(&list) });
  assert_true(tell(ROLE_CLI, CLI, cli_command_type, 0, &b));
  auth_process_lost(auth, ROLE_CLI, CLI);
  size_t before = said_n;
  assert_int_equal(run(), 1);
  assert_int_equal(said_n, before);
  uint64_t t = login(1, "tim@example.org", SECRET);
  assert_true((run(), answer(t)) == YES);
  buf_free(&list);
  buf_free(&b);
}

static void test_reopen(void **state) {
  add_legacy();
  auth_free(&auth);
  open_auth();
  uint64_t t = login(1, "tim@example.org", SECRET);
  run();
  assert_int_equal(answer(t), YES);
}

static int64_t octets_of(const char *name) {
  char path[128];
  struct stat st;
  snprintf(path, sizeof path, "%s/%s", folder, name);
  return stat(path, &st) ? 0 : st.st_size;
}

static void many_accounts(bool come) {
  struct account row = { .hash = "x", .hash_n = 1, .enabled = true };
  char name[64];
  assert_int_equal(accounts_begin(&auth->accounts), ACCOUNT_OK);
  for (unsigned i = 0; i < 20000; i++) {
    snprintf(name, sizeof name, "a-rather-long-name-%u@example.org", i);
    row.id = i + 1;
    account_set_name(&row, slice_str(name));
    enum account_result r = come ? accounts_add(&auth->accounts, &row)
                                 : accounts_delete(&auth->accounts, slice_str(name));
    assert_int_equal(r, ACCOUNT_OK);
  }
  assert_int_equal(accounts_end(&auth->accounts, ACCOUNT_OK), ACCOUNT_OK);
}

/* While nothing changes: steps until there is nothing to do. Returns how many. */
static unsigned quiet(void) {
  unsigned steps = 0;
  for (uint64_t due; (due = auth_quiet(auth, now)); steps++) {
    assert_true(due > now && steps < 10000);
    now = due;
  }
  return steps;
}

/* The log is moved home, and what accounts took that are deleted goes back to the file system, once
 * nothing changes. */
static void test_space(void **state) {
  many_accounts(true);
  assert_true(auth_quiet(auth, now) >= now + 250);
  assert_int_equal(auth_quiet(auth, now + 249), now + 250);
  quiet();
  int64_t full = octets_of("auth.db"), log = octets_of("auth.db-wal");
  assert_in_range(full, 2000000, 20000000);
  /* the log begins anew */
  assert_int_equal(admin("account", "add", "tim@example.org", "20001", SECRET), CLI_OK);
  assert_int_equal(octets_of("auth.db-wal"), log);
  many_accounts(false);
  auth_quiet(auth, now);
  assert_int_equal(octets_of("auth.db"), full);
  assert_in_range(quiet(), 3, 10000);
  assert_in_range(octets_of("auth.db"), 1, full / 2);
  assert_in_range(octets_of("auth.db-wal"), 0, 8 * 1024 * 1024);
  assert_int_equal(auth_quiet(auth, now + 100000), 0);
  assert_int_equal(accounts_count(&auth->accounts), 1);
}

int main(void) {
  const struct CMUnitTest tests[] = {
    T(test_login),
    T(test_smtp_is_granted),
    T(test_grants_are_repeated),
    T(test_login_mechanism),
    T(test_authzid),
    T(test_refused_mechanisms),
    T(test_unknown_is_wrong),
    T(test_odd_names),
    T(test_cache),
    T(test_cache_drops_on_change),
    T(test_cache_is_bounded),
    T(test_same_at_once),
    T(test_grants_in_vain),
    T(test_front_lost),
    T(test_store_lost),
    T(test_changed_while_held),
    T(test_malformed_messages),
    T(test_admin),
    T(test_admin_list),
    T(test_admin_lost),
    T(test_reopen),
    T(test_space),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
