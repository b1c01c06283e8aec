/* SPDX-License-Identifier: ISC */
/* What failed logins cost a client, and that other clients are not delayed by them. attacks.md:
 * AU-1, AU-6 */
#include "tests/unit/auth_kit.h"

/* --- penalties --- */

static void test_penalty_grows(void **state) {
  add_tim();
  static const uint64_t want[] = { 2000, 4000, 8000, 15000, 15000 };
  for (size_t i = 0; i < 5; i++) {
    char password[24];
    snprintf(password, sizeof password, "no%zu", i);
    assert_int_equal(fail_once(1, password), want[i]);
  }
  uint64_t other = login(2, "tim@example.org", SECRET); /* no delay for others */
  run();
  assert_int_equal(answer(other), YES);
  uint64_t t = login(1, "tim@example.org", SECRET); /* cached: no hash */
  assert_int_equal(answer(t), NOTHING);
  assert_int_equal(run(), 0);
  assert_int_equal(answer(t), YES);
  at(now + 29000); /* forgotten */
  t = login(1, "tim@example.org", SECRET);
  run();
  assert_int_equal(answer(t), YES);
  assert_int_equal(fail_once(1, "again"), 2000);
}

/* Answers leave in the order of their times, not of their questions. */
static void test_held_in_order(void **state) {
  static const unsigned failures[] = { 3, 0, 2, 1, 3, 0, 1, 2 };
  uint64_t t[8], asked, due;
  add_tim();
  for (unsigned i = 0; i < 8; i++)
    for (unsigned n = 0; n < failures[i]; n++) {
      char password[24];
      snprintf(password, sizeof password, "no%u", n);
      login(i + 1, "tim@example.org", password);
      run();
    }
  asked = now;
  for (unsigned i = 0; i < 8; i++) t[i] = login(i + 1, "tim@example.org", "last");
  run();
  while ((due = auth_tick(auth, now))) {
    now = due;
    run();
    for (unsigned i = 0; i < 8; i++) {
      static const uint64_t wait[] = { 2000, 4000, 8000, 15000 };
      assert_int_equal(answer(t[i]), now - asked >= wait[failures[i]] ? AUTH_WRONG : NOTHING);
    }
  }
  assert_int_equal(now - asked, 15000);
}

/* An office behind one address: an account that has logged in from there still gets in. */
static void test_penalty_spares_the_proved(void **state) {
  add_tim();
  uint64_t t = login(1, "tim@example.org", SECRET);
  run();
  fail_once(1, "a");
  fail_once(1, "b");
  t = login(1, "tim@example.org", SECRET);
  run();
  assert_int_equal(answer(t), YES);
  fail_once(2, "a");
  t = login(2, "tim@example.org", SECRET); /* the same cached password from another address */
  assert_int_equal(run(), 0);
  assert_int_equal(answer(t), YES);
}

/* A right password that is not cached is delayed like a wrong one if the account has never logged
 * in from that address. If it has, the login is not delayed, although it costs a hash. */
static void test_strangers_wait(void **state) {
  add_tim();
  assert_int_equal(admin("account", "import", "tom@example.org", "43", MD5_SECRET), CLI_OK);
  uint64_t t = login(1, "tim@example.org", SECRET);
  run();
  assert_int_equal(answer(t), YES);
  now += conf->auth_cache_time * 1000;
  for (int i = 0; i < 3; i++) {
    char password[24];
    snprintf(password, sizeof password, "no%d", i);
    fail_once(1, password);
  }
  uint64_t tom = login(1, "tom@example.org", SECRET), tim = login(1, "tim@example.org", SECRET);
  assert_int_equal(run(), 2);
  assert_int_equal(answer(tim), YES);
  assert_int_equal(answer(tom), NOTHING);
  at(now + 7999);
  assert_int_equal(answer(tom), NOTHING);
  at(now + 1);
  assert_int_equal(answer(tom), YES);
  fail_once(1, "again");
  now += conf->auth_cache_time * 1000; /* the address now knows tom */
  fail_once(1, "and again");
  tom = login(1, "tom@example.org", SECRET);
  assert_int_equal(run(), 1);
  assert_int_equal(answer(tom), YES);
}

/* A stranger's guesses fill every queue place of the address. An account whose password is cached,
 * or that has a place of its own, gets in; an account that never logged in from there does not. The
 * account's own place is limited too, so a guesser cannot use it without end. */
static void test_full_address_locks_nobody_out(void **state) {
  add_tim();
  assert_int_equal(admin("account", "import", "tom@example.org", "43", MD5_SECRET), CLI_OK);
  uint64_t t = login(1, "tim@example.org", SECRET);
  run();
  assert_int_equal(answer(t), YES);
  fail_once(1, "first");
  for (int i = 0; i < 200; i++) { /* half of them for tim's account */
    char password[24];
    snprintf(password, sizeof password, "no%d", i);
    login(1, i % 2 ? "tim@example.org" : "nobody@example.org", password);
  }
  run();
  assert_int_equal(answer(login(1, "tom@example.org", SECRET)), AUTH_TROUBLE);
  t = login(1, "tim@example.org", SECRET); /* remembered */
  run();
  assert_int_equal(answer(t), YES);
  at(now + 15000);
  now += conf->auth_cache_time * 1000;
  fail_once(1, "second");
  for (int i = 0; i < 200; i++) {
    char password[24];
    snprintf(password, sizeof password, "neither%d", i);
    login(1, "nobody@example.org", password);
  }
  run();
  /* no longer cached: tim's own place is used, and the password is hashed */
  t = login(1, "tim@example.org", SECRET);
  assert_int_equal(answer(t), NOTHING);
  assert_int_equal(run(), 1);
  assert_int_equal(answer(t), YES);
  for (int i = 0; i < 2 * VISIT_LOOKS; i++) {
    char password[24];
    snprintf(password, sizeof password, "look%d", i);
    login(1, "tim@example.org", password);
  }
  /* the account's own place is used up until VISIT_LOOKS_MS have passed */
  assert_int_equal(answer(login(1, "tim@example.org", SECRET)), AUTH_TROUBLE);
  now += VISIT_LOOKS_MS;
  t = login(1, "tim@example.org", SECRET);
  assert_int_equal(answer(t), NOTHING);
  answer_grants();
  assert_int_equal(answer(t), YES);
}

/* auth_trusted_networks: a webmail server, whose users all come from one address. */
static void test_trusted_networks(void **state) {
  add_tim();
  assert_int_equal(admin("account", "import", "tom@example.org", "43", MD5_SECRET), CLI_OK);
  char *items[] = { (char *)"127.0.0.9" };
  struct conf_list before = conf->auth_trusted_networks;
  conf->auth_trusted_networks = (struct conf_list){ .items = (void *)items, .count = 1 };
  for (int i = 0; i < 200; i++) {
    char password[24];
    snprintf(password, sizeof password, "no%d", i);
    uint64_t t = login(9, "tim@example.org", password);
    run();
    assert_int_equal(answer(t), AUTH_WRONG);
  }
  uint64_t t = login(9, "tom@example.org", SECRET);
  run();
  assert_int_equal(answer(t), YES);
  assert_int_equal(fail_once(8, "x"), 2000); /* the address next to it is counted */
  conf->auth_trusted_networks = before;
}

static void test_penalty_by_network(void **state) {
  add_tim();
  uint8_t a[16] = { 0x20, 0x01, 0x0d, 0xb8, 0, 1, 0, 1 },
          b[16] = { 0x20, 0x01, 0x0d, 0xb8, 0, 1, 0, 1, 1 };
  uint8_t c[16] = { 0x20, 0x01, 0x0d, 0xb8, 0, 1, 0, 2 },
          mapped[16] = { [10] = 0xff, [11] = 0xff, [12] = 127, [15] = 5 };
  login_from(slice_of(a, 16), "tim@example.org", "x");
  run();
  uint64_t same = login_from(slice_of(b, 16), "tim@example.org", SECRET);
  uint64_t other = login_from(slice_of(c, 16), "tim@example.org", SECRET);
  run();
  assert_int_equal(answer(same), NOTHING);
  assert_int_equal(answer(other), YES);
  assert_int_equal(network_of(slice_of(mapped, 16)), network_of(peer_of(5)));
  assert_int_equal(network_of(SLICE("abc")), 0);
  uint8_t loopback[16] = { [15] = 1 };
  assert_int_not_equal(network_of(slice_of(loopback, 16)), 0);
  assert_int_equal(network_wide(network_of(slice_of(mapped, 16))), 0);
  assert_int_equal(network_wide(network_of(slice_of(a, 16))),
                   network_wide(network_of(slice_of(c, 16))));
}

/* A guesser has a /48 and uses a fresh /64 for each try: after sixteen of them the /48 counts as
 * one network. The next /48 is not affected, and the rule ends after an hour. */
static void test_many_of_a_wide_network(void **state) {
  add_tim();
  uint8_t p[16] = { 0x20, 0x01, 0x0d, 0xb8, 0, 1 }, other[16] = { 0x20, 0x01, 0x0d, 0xb8, 0, 2 };
  for (int i = 0; i < AUTH_WIDE_BAD; i++) {
    p[7] = (uint8_t)i;
    login_from(slice_of(p, 16), "tim@example.org", "x");
    run();
    at(now + 2000);
  }
  at(now + 60 * 1000); /* each /64's failure has expired; the /48's count has not */
  uint64_t t[6];
  for (int i = 0; i < 5; i++) {
    char password[24];
    snprintf(password, sizeof password, "no%d", i);
    p[7] = (uint8_t)(100 + i);
    t[i] = login_from(slice_of(p, 16), "tim@example.org", password);
    run();
  }
  at(now + 8000);
  assert_int_equal(answer(t[2]), AUTH_WRONG);
  assert_int_equal(answer(t[3]), NOTHING);
  p[7] = 200;
  t[5] = login_from(slice_of(p, 16), "tim@example.org", SECRET);
  run();
  assert_int_equal(answer(t[5]), NOTHING);
  uint64_t next = login_from(slice_of(other, 16), "tim@example.org", SECRET);
  run();
  assert_int_equal(answer(next), YES);
  at(now + ADDRESS_BAD_MS);
  assert_int_equal(answer(t[5]), YES);
  now += conf->auth_cache_time * 1000;
  p[7] = 201;
  login_from(slice_of(p, 16), "tim@example.org", "x");
  run();
  p[7] = 202;
  t[5] = login_from(slice_of(p, 16), "tim@example.org", SECRET);
  run();
  assert_int_equal(answer(t[5]), YES);
}

/* A wrong password is cached for ten minutes only. */
static void test_wrong_ends_in_time(void **state) {
  add_tim();
  fail_once(1, "old");
  at(now + ADDRESS_WRONG_MS - 5000);
  login(1, "tim@example.org", "old");
  assert_int_equal(run(), 0);
  at(now + 5000);
  login(1, "tim@example.org", "old");
  assert_int_equal(run(), 1);
}

/* A front-end that was taken over: new addresses, new names, each cancelled at once. */
static void test_left_logins_are_bounded(void **state) {
  add_tim();
  size_t most = 0;
  for (unsigned i = 0; i < 3 * AUTH_LEFT_PER_FRONT; i++) {
    struct buf b;
    buf_init(&b, 2048);
    uint8_t digest[16] = { 1 };
    auth_apop_put(&b, &(struct auth_apop){ SLICE("tim@example.org"), SLICE("<1@x>"),
                                           slice_of(digest, 16), peer_of(1000 + i), false,
                                           SLICE("pop3") });
    assert_true(tell(ROLE_POP3D, FRONT, auth_apop_type, ++tags, &b));
    buf_free(&b);
    cancel(ROLE_POP3D, FRONT, tags);
    if (auth->delayed.count > most) most = auth->delayed.count;
  }
  assert_int_equal(most, AUTH_LEFT_PER_FRONT);
  assert_int_equal(auth->left, AUTH_LEFT_PER_FRONT);
  /* another one has its own */
  uint64_t t = start_sasl(1, "PLAIN", true, SLICE("\0tim@example.org\0x"), true);
  run();
  cancel(ROLE_SMTPD, MX, t);
  assert_int_equal(auth->left, AUTH_LEFT_PER_FRONT + 1);
  auth_process_lost(auth, ROLE_POP3D, FRONT);
  at(now + 2000);
  assert_int_equal(auth->left, 0);
  assert_int_equal(auth->delayed.count, 0);
}

/* A forgotten client retries an old password: each answer is delayed, the delay does not grow, and
 * no hash is computed. */
static void test_same_wrong_again(void **state) {
  add_tim();
  assert_int_equal(fail_once(1, "old"), 2000);
  for (int i = 0; i < 5; i++) {
    uint64_t t = login(1, "tim@example.org", "old");
    assert_int_equal(run(), 0);
    assert_int_equal(answer(t), NOTHING);
    at(now + 2000);
    assert_int_equal(answer(t), AUTH_WRONG);
  }
  clean_address();
  assert_int_equal(admin("account", "passwd", "tim@example.org", "old"), CLI_OK);
  uint64_t t = login(1, "tim@example.org", "old");
  assert_int_equal(run(), 1);
  assert_int_equal(answer(t), YES);
}

/* AU-1: one address can neither fill the queue nor guess faster by asking at once or hanging up. */
static void test_one_address_is_bounded(void **state) {
  add_tim();
  uint64_t t[200];
  size_t refused = 0;
  for (int i = 0; i < 200; i++) {
    char password[24];
    snprintf(password, sizeof password, "no%d", i);
    t[i] = login(1, "tim@example.org", password);
  }
  for (int i = 0; i < 200; i++) refused += answer(t[i]) == AUTH_TROUBLE;
  assert_int_equal(refused, 200 - AUTH_PENDING);
  assert_int_equal(run(), AUTH_PENDING);
  for (int i = 0; i < 200; i++) cancel(ROLE_POP3D, FRONT, t[i]);
  assert_int_equal(answer(login(1, "tim@example.org", SECRET)), AUTH_TROUBLE);
  at(now + 15000);
  uint64_t ok = login(1, "tim@example.org", SECRET);
  run();
  assert_int_equal(answer(ok), NOTHING);
  at(now + 15000);
  assert_int_equal(answer(ok), YES);
  assert_int_equal(auth->delayed.count, 0);
}

/* AU-1: ten thousand addresses guess; an account that logged in before does not queue behind
 * them. */
static void test_fair_order(void **state) {
  add_tim();
  uint64_t t = login(1, "tim@example.org", SECRET);
  run();
  now += conf->auth_cache_time * 1000;
  for (unsigned i = 0; i < 10000; i++) login(1000 + i, "tim@example.org", "guess");
  assert_int_equal(auth->queue.count, AUTH_WAITING);
  t = login(1, "tim@example.org", SECRET);
  assert_int_equal(auth->queue.count, AUTH_WAITING);
  size_t n = 0;
  while (answer(t) == NOTHING && n < 8) {
    struct auth_job *j = jobs[0];
    memmove(jobs, jobs + 1, --jobs_n * sizeof *jobs);
    auth_work(j);
    auth_finish(auth, j, now);
    answer_grants();
    n++;
  }
  assert_int_equal(answer(t), YES);
  assert_true(n <= 4);
}

static void test_addresses_take_turns(void **state) {
  add_tim();
  for (int i = 0; i < 40; i++) {
    char password[24];
    snprintf(password, sizeof password, "no%d", i);
    login(1, "tim@example.org", password);
  }
  uint64_t t = login(2, "tim@example.org", SECRET);
  for (int i = 0; i < 5; i++) {
    struct auth_job *j = jobs[0];
    memmove(jobs, jobs + 1, --jobs_n * sizeof *jobs);
    auth_work(j);
    auth_finish(auth, j, now);
    answer_grants();
  }
  assert_int_equal(answer(t), YES);
  run();
}

/* AU-6 */
static void test_half_open_disturbs_nobody(void **state) {
  add_tim();
  uint64_t open[1000];
  for (int i = 0; i < 1000; i++)
    open[i] = start_sasl(1, i % 2 ? "LOGIN" : "CRAM-MD5", false, SLICE_NONE, true);
  uint64_t t = start_sasl(1, "PLAIN", true, SLICE("\0tim@example.org\0" SECRET), true);
  run();
  assert_int_equal(answer(t), YES);
  for (int i = 0; i < 1000; i++) cancel(ROLE_SMTPD, MX, open[i]);
  assert_int_equal(auth->fronts->logins.count, 0);
}

int main(void) {
  const struct CMUnitTest tests[] = {
    T(test_penalty_grows),
    T(test_held_in_order),
    T(test_penalty_spares_the_proved),
    T(test_penalty_by_network),
    T(test_strangers_wait),
    T(test_full_address_locks_nobody_out),
    T(test_trusted_networks),
    T(test_many_of_a_wide_network),
    T(test_wrong_ends_in_time),
    T(test_left_logins_are_bounded),
    T(test_same_wrong_again),
    T(test_one_address_is_bounded),
    T(test_fair_order),
    T(test_addresses_take_turns),
    T(test_half_open_disturbs_nobody),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
