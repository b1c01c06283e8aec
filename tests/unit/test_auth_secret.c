/* SPDX-License-Identifier: ISC */
/* Logins by recoverable secret: RFC 1939 §7 (APOP), RFC 2195 (CRAM-MD5), RFC 5802 (SCRAM); how it
 * is kept. */
#include "tests/unit/auth_kit.h"

/* --- secrets --- */

static uint64_t apop(unsigned from, const char *name, struct slice secret) {
  uint8_t digest[DIGEST_MAX];
  struct slice stamp = SLICE("<1896.697170952@dbc.mtview.ca.us>"), parts[] = { stamp, secret };
  struct buf b;
  buf_init(&b, 2048);
  assert_true(digest_parts(DIGEST_MD5, parts, 2, digest));
  auth_apop_put(&b, &(struct auth_apop){ slice_str(name), stamp, slice_of(digest, 16),
                                         peer_of(from), false, SLICE("pop3") });
  assert_true(tell(ROLE_POP3D, FRONT, auth_apop_type, ++tags, &b));
  buf_free(&b);
  return tags;
}

static void test_apop(void **state) {
  add_legacy();
  uint64_t t = apop(1, "tim@example.org", SLICE(SECRET));
  run();
  assert_int_equal(answer(t), YES);
  const struct trace wrong = trace(apop(1, "tim@example.org", SLICE("x")));
  const struct trace none = trace(apop(2, "tom@example.org", SLICE(SECRET)));
  const struct trace unknown = trace(apop(3, "nobody@example.org", SLICE(SECRET)));
  assert_int_equal(wrong.said, AUTH_WRONG);
  assert_memory_equal(&wrong, &none, sizeof wrong);
  assert_memory_equal(&wrong, &unknown, sizeof wrong);
}

static uint64_t cram(unsigned from, struct slice name, struct slice secret) {
  struct sasl_client c;
  struct buf out;
  buf_init(&out, 2048);
  uint64_t t = start_sasl(from, "CRAM-MD5", false, SLICE_NONE, false);
  sasl_client_start(&c, sasl_find(SLICE("CRAM-MD5")), name, secret, SLICE_NONE, SLICE("n"));
  assert_int_equal(sasl_client_step(&c, true, challenge(t), &out), SASL_SEND);
  step_sasl(t, buf_slice(&out));
  sasl_client_end(&c);
  buf_free(&out);
  return t;
}

static void test_cram(void **state) {
  add_legacy();
  assert_int_equal(answer(cram(1, SLICE("tim@example.org"), SLICE(SECRET))), YES);
  const struct trace wrong = trace(cram(1, SLICE("tim@example.org"), SLICE("x")));
  const struct trace none = trace(cram(2, SLICE("tom@example.org"), SLICE(SECRET)));
  const struct trace unknown = trace(cram(3, SLICE("nobody@example.org"), SLICE(SECRET)));
  assert_memory_equal(&wrong, &none, sizeof wrong);
  assert_memory_equal(&wrong, &unknown, sizeof wrong);
}

/* Ends with the client's proof sent. The client stays for what follows. */
static uint64_t scram(struct sasl_client *c, unsigned from, const char *mech, struct slice name,
                      struct slice secret) {
  struct buf out;
  buf_init(&out, 2048);
  sasl_client_start(c, sasl_find(slice_str(mech)), name, secret, SLICE_NONE, SLICE("NONCE"));
  assert_int_equal(sasl_client_step(c, false, SLICE_NONE, &out), SASL_SEND);
  uint64_t t = start_sasl(from, mech, true, buf_slice(&out), false);
  buf_reset(&out);
  assert_int_equal(sasl_client_step(c, true, challenge(t), &out), SASL_SEND);
  step_sasl(t, buf_slice(&out));
  buf_free(&out);
  return t;
}

static void test_scram(void **state) {
  struct sasl_client c;
  struct buf out;
  buf_init(&out, 2048);
  add_legacy();
  static const char *const mechs[] = { "SCRAM-SHA-256", "SCRAM-SHA-1" };
  for (int i = 0; i < 2; i++) {
    uint64_t t = scram(&c, 1, mechs[i], SLICE("tim@example.org"), SLICE(SECRET));
    assert_int_equal(run(), 0); /* nothing to be hashed: the verifiers are there */
    assert_int_equal(sasl_client_step(&c, true, challenge(t), &out), SASL_SEND);
    assert_true(sasl_client_believes(&c));
    assert_int_equal(answer(t), NOTHING);
    step_sasl(t, SLICE_NONE);
    assert_int_equal(answer(t), YES);
    sasl_client_end(&c);
    clean_address();
  }
  size_t before = said_n;
  uint64_t t = scram(&c, 1, "SCRAM-SHA-256", SLICE("tim@example.org"), SLICE("x"));
  const struct trace wrong = trace(t);
  for (size_t i = before; i < said_n; i++) /* nothing signed with the server's key */
    assert_false(said[i].type == auth_challenge_type &&
                 slice_search(slice_of(said[i].payload, said[i].n), SLICE("v=")) >= 0);
  sasl_client_end(&c);
  const struct trace none =
      trace(scram(&c, 2, "SCRAM-SHA-256", SLICE("tom@example.org"), SLICE(SECRET)));
  sasl_client_end(&c);
  const struct trace unknown =
      trace(scram(&c, 3, "SCRAM-SHA-256", SLICE("nobody@example.org"), SLICE(SECRET)));
  sasl_client_end(&c);
  assert_int_equal(wrong.said, AUTH_WRONG);
  assert_memory_equal(&wrong, &none, sizeof wrong);
  assert_memory_equal(&wrong, &unknown, sizeof wrong);
  buf_free(&out);
}

/* auth gets the channel's bindings and checks the proof against them (RFC 5802 §6). `seen` is the
 * binding that the client used. Returns the final answer. */
static int bound(const char *mech, bool secure, struct slice exporter, struct slice seen) {
  struct sasl_client c;
  struct buf out, b;
  buf_init(&out, 2048), buf_init(&b, 16384);
  sasl_client_start(&c, sasl_find(slice_str(mech)), SLICE("tim@example.org"), SLICE(SECRET),
                    SLICE_NONE, SLICE("NONCE"));
  sasl_client_bind(&c, "tls-exporter", seen);
  assert_int_equal(sasl_client_step(&c, false, SLICE_NONE, &out), SASL_SEND);
  auth_start_put(&b, &(struct auth_start){ .mechanism = slice_str(mech),
                                           .has_response = true,
                                           .response = buf_slice(&out),
                                           .peer = peer_of(1),
                                           .secure = secure,
                                           .exporter = exporter,
                                           .service = SLICE("submission") });
  assert_true(tell(ROLE_SMTPD, MX, auth_start_type, ++tags, &b));
  uint64_t t = tags;
  if (answer(t) == NOTHING) {
    buf_reset(&out);
    assert_int_equal(sasl_client_step(&c, true, challenge(t), &out), SASL_SEND);
    step_sasl(t, buf_slice(&out));
    run();
    if (answer(t) == NOTHING) step_sasl(t, SLICE_NONE);
  }
  for (int i = 0; i < 20 && answer(t) == NOTHING; i++) at(now + 1000);
  int said_last = answer(t);
  sasl_client_end(&c);
  buf_free(&out), buf_free(&b);
  clean_address();
  return said_last;
}

static void test_channel_binding(void **state) {
  static const char *named[] = { "SCRAM-SHA-256", "SCRAM-SHA-256-PLUS" };
  const struct conf_list before = conf->auth_mechanisms;
  struct slice ours = SLICE("0123456789abcdef0123456789abcdef"),
               theirs = SLICE("0123456789abcdef0123456789abcdeF");
  add_legacy();
  assert_int_equal(bound("SCRAM-SHA-256-PLUS", true, ours, ours), YES);
  assert_int_equal(bound("SCRAM-SHA-256-PLUS", true, ours, theirs), AUTH_WRONG);
  assert_int_equal(bound("SCRAM-SHA-256-PLUS", true, SLICE_NONE, ours), AUTH_UNAVAILABLE);
  assert_int_equal(bound("SCRAM-SHA-256-PLUS", false, ours, ours), AUTH_UNAVAILABLE);
  conf->auth_mechanisms = (struct conf_list){ named, 1 };
  /* "y", and nothing was announced */
  assert_int_equal(bound("SCRAM-SHA-256", true, ours, ours), YES);
  conf->auth_mechanisms = (struct conf_list){ named, 2 };
  assert_int_equal(bound("SCRAM-SHA-256", true, ours, ours), AUTH_WRONG); /* "y", and it was */
  /* not where it can't be */
  assert_int_equal(bound("SCRAM-SHA-256", true, SLICE_NONE, ours), YES);
  conf->auth_mechanisms = before;
}

/* A right proof does not wait for a stranger's failures at the same address; a wrong one does. */
static void test_scram_does_not_wait(void **state) {
  struct sasl_client c;
  add_legacy();
  fail_once(1, "x");
  uint64_t t = scram(&c, 1, "SCRAM-SHA-256", SLICE("tim@example.org"), SLICE(SECRET));
  run();
  assert_true(slice_starts(challenge(t), SLICE("v=")));
  sasl_client_end(&c);
  t = scram(&c, 1, "SCRAM-SHA-256", SLICE("tim@example.org"), SLICE("wrong"));
  size_t before = said_n;
  run();
  assert_int_equal(said_n, before);
  at(now + 4000);
  assert_int_equal(answer(t), AUTH_WRONG);
  sasl_client_end(&c);
}

/* Between SCRAM's proof and its last, empty response the account is disabled, its password changed,
 * or it is deleted: the exchange that it began does not let it in. */
static void test_scram_ends_with_the_account(void **state) {
  static const char *const commands[] = { "disable", "passwd", "delete" };
  add_legacy();
  for (size_t i = 0; i < 3; i++) {
    struct sasl_client c;
    uint64_t t = scram(&c, 1, "SCRAM-SHA-256", SLICE("tim@example.org"), SLICE(SECRET));
    run();
    assert_true(slice_starts(challenge(t), SLICE("v=")));
    assert_int_equal(i == 1 ? admin("account", commands[i], "tim@example.org", SECRET)
                            : admin("account", commands[i], "tim@example.org"),
                     CLI_OK);
    step_sasl(t, SLICE_NONE);
    assert_int_equal(answer(t), AUTH_WRONG);
    sasl_client_end(&c);
    if (i == 0) assert_int_equal(admin("account", "enable", "tim@example.org"), CLI_OK);
    clean_address();
  }
}

/* auth_mechanisms and require_tls_login: what they leave out is refused, announced or not. */
static void test_only_what_is_offered(void **state) {
  static const char *named[] = { "PLAIN", "SCRAM-SHA-256" };
  const struct conf_list before = conf->auth_mechanisms;
  struct buf b;
  uint8_t digest[16] = { 1 };
  add_legacy();
  conf->auth_mechanisms = (struct conf_list){ named, 2 };
  static const char *const refused[] = { "CRAM-MD5", "LOGIN", "SCRAM-SHA-1", "SCRAM-SHA-256-PLUS" };
  for (size_t i = 0; i < 4; i++)
    assert_int_equal(answer(start_sasl(1, refused[i], false, SLICE_NONE, true)), AUTH_UNAVAILABLE);
  assert_int_equal(answer(start_sasl(1, "SCRAM-SHA-256", false, SLICE_NONE, false)), NOTHING);
  conf->require_tls_login = true;
  assert_int_equal(answer(start_sasl(1, "SCRAM-SHA-256", false, SLICE_NONE, false)),
                   AUTH_UNAVAILABLE);
  assert_int_equal(answer(start_sasl(1, "SCRAM-SHA-256", false, SLICE_NONE, true)), NOTHING);
  for (int secure = 0; secure < 2; secure++) {
    buf_init(&b, 2048);
    auth_apop_put(&b,
                  &(struct auth_apop){ SLICE("tim@example.org"), SLICE("<1@x>"),
                                       slice_of(digest, 16), peer_of(1), secure, SLICE("pop3s") });
    assert_true(tell(ROLE_POP3D, FRONT, auth_apop_type, ++tags, &b));
    assert_int_equal(answer(tags), secure ? NOTHING : AUTH_UNAVAILABLE);
    buf_free(&b);
  }
  conf->plaintext_auth = true; /* where passwords may be sent, so may the others */
  assert_int_equal(answer(start_sasl(2, "SCRAM-SHA-256", false, SLICE_NONE, false)), NOTHING);
  conf->auth_mechanisms = before;
}

/* An unknown name always gets the same salt, as an account does. */
static void test_scram_salt_is_steady(void **state) {
  static const struct slice first = { (const uint8_t *)"n,,n=nobody@x,r=abc", 19 };
  struct slice a = slice_from(challenge(start_sasl(1, "SCRAM-SHA-256", true, first, true)), 5 + 24);
  uint8_t kept[256];
  memcpy(kept, a.p, a.n);
  auth_free(&auth);
  open_auth();
  struct slice b = slice_from(challenge(start_sasl(1, "SCRAM-SHA-256", true, first, true)), 5 + 24);
  assert_true(slice_starts(b, SLICE(",s=")));
  assert_true(slice_eq(slice_of(kept, a.n), b));
}

static size_t file_holds(const char *name, struct slice what) {
  char path[128];
  static uint8_t content[1 << 20];
  snprintf(path, sizeof path, "%s/%s", folder, name);
  FILE *f = fopen(path, "rb");
  if (!f) return 0;
  struct slice all = slice_of(content, fread(content, 1, sizeof content, f));
  fclose(f);
  return slice_search(all, what) >= 0;
}

static void test_sealed_on_disk(void **state) {
  char path[128];
  struct stat st;
  add_legacy();
  assert_false(file_holds("auth.db", SLICE(SECRET)) || file_holds("auth.db-wal", SLICE(SECRET)));
  snprintf(path, sizeof path, "%s/auth.key", folder);
  assert_int_equal(stat(path, &st), 0);
  assert_int_equal(st.st_mode & 0777, 0600);
  assert_int_equal(st.st_size, SEAL_KEY);
  auth_free(&auth);
  open_auth();
  uint64_t t = apop(1, "tim@example.org", SLICE(SECRET));
  assert_true((run(), answer(t)) == YES);
  auth_free(&auth); /* the key is lost: passwords still work, secrets fail like any other */
  assert_int_equal(unlink(path), 0);
  open_auth();
  t = apop(2, "tim@example.org", SLICE(SECRET));
  run();
  at(now + 2000);
  assert_int_equal(answer(t), AUTH_WRONG);
  assert_int_equal(warned, 1);
  t = login(1, "tim@example.org", SECRET);
  run();
  assert_int_equal(answer(t), YES);
}

static void test_damaged_key(void **state) {
  char path[128];
  struct auth_shell shell = { NULL, say, enqueue, fill, wall, warn, 0 };
  struct buf err;
  buf_init(&err, 1024);
  auth_free(&auth);
  snprintf(path, sizeof path, "%s/auth.key", folder);
  assert_int_equal(truncate(path, 31), 0);
  assert_null(auth_new(disk, conf, &shell, &err));
  assert_true(slice_search(buf_slice(&err), SLICE("auth.key")) >= 0);
  buf_free(&err);
}

static void test_secret_follows_password(void **state) {
  add_legacy();
  assert_int_equal(admin("account", "passwd", "tim@example.org", "another one"), CLI_OK);
  uint64_t t = apop(1, "tim@example.org", SLICE("another one"));
  assert_true((run(), answer(t)) == YES);
  t = apop(1, "tim@example.org", SLICE(SECRET));
  run();
  at(now + 2000);
  assert_int_equal(answer(t), AUTH_WRONG);
  clean_address();
  assert_int_equal(admin("account", "legacy", "tim@example.org", "off"), CLI_OK);
  t = apop(1, "tim@example.org", SLICE("another one"));
  run();
  at(now + 2000);
  assert_int_equal(answer(t), AUTH_WRONG);
  clean_address();
  assert_int_equal(admin("account", "legacy", "tim@example.org", "on", "not it"), CLI_USAGE);
  assert_int_equal(admin("account", "legacy", "tim@example.org", "on", "another one"), CLI_OK);
  t = apop(1, "tim@example.org", SLICE("another one"));
  assert_true((run(), answer(t)) == YES);
}

/* --- SCRAM's verifiers, without any password kept --- */

/* Does SCRAM succeed with that password? */
static bool scram_works(const char *mech, const char *name, struct slice secret) {
  struct sasl_client c;
  struct buf out;
  buf_init(&out, 2048);
  uint64_t t = scram(&c, 1, mech, slice_str(name), secret);
  run();
  if (answer(t) == NOTHING && slice_starts(challenge(t), SLICE("v="))) {
    assert_int_equal(sasl_client_step(&c, true, challenge(t), &out), SASL_SEND);
    step_sasl(t, SLICE_NONE);
  }
  for (int i = 0; i < 20 && answer(t) == NOTHING; i++) at(now + 1000);
  bool yes = answer(t) == YES;
  sasl_client_end(&c);
  buf_free(&out);
  clean_address();
  return yes;
}

static size_t sealed_length(const char *name) {
  struct account row;
  assert_int_equal(accounts_find(&auth->accounts, slice_str(name), &row), ACCOUNT_OK);
  return row.sealed_n;
}

static void test_verifiers(void **state) {
  assert_int_equal(admin("account", "add", "tim@example.org", "42", "--scram", SECRET), CLI_OK);
  assert_int_equal(sealed_length("tim@example.org"), 0);
  assert_true(scram_works("SCRAM-SHA-256", "tim@example.org", SLICE(SECRET)));
  assert_true(scram_works("SCRAM-SHA-1", "TIM@Example.ORG", SLICE(SECRET)));
  assert_false(scram_works("SCRAM-SHA-256", "tim@example.org", SLICE("x")));
  uint64_t t = apop(1, "tim@example.org", SLICE(SECRET));
  at(now + 3000);
  assert_int_equal(answer(t), AUTH_WRONG);
  clean_address();
  /* they follow it */
  assert_int_equal(admin("account", "passwd", "tim@example.org", "another"), CLI_OK);
  assert_false(scram_works("SCRAM-SHA-256", "tim@example.org", SLICE(SECRET)));
  assert_true(scram_works("SCRAM-SHA-256", "tim@example.org", SLICE("another")));
  auth_free(&auth);
  open_auth();
  assert_true(scram_works("SCRAM-SHA-1", "tim@example.org", SLICE("another")));
  assert_int_equal(admin("account", "passwd", "tim@example.org", "--no-scram", "third"), CLI_OK);
  assert_false(scram_works("SCRAM-SHA-256", "tim@example.org", SLICE("third")));
  conf->scram = true; /* the account's own setting takes precedence */
  t = login(1, "tim@example.org", "third");
  assert_true((run(), answer(t)) == YES);
  assert_false(scram_works("SCRAM-SHA-256", "tim@example.org", SLICE("third")));
}

/* With the option, an account that has none gets them from its next right password, and from no
 * wrong one. */
static void test_verifiers_from_a_login(void **state) {
  add_tim();
  uint64_t t = login(1, "tim@example.org", SECRET);
  assert_true((run(), answer(t)) == YES);
  assert_false(scram_works("SCRAM-SHA-256", "tim@example.org", SLICE(SECRET)));
  conf->scram = true;
  auth_free(&auth); /* forgets the password that was right */
  open_auth();
  fail_once(1, "x");
  clean_address();
  assert_false(scram_works("SCRAM-SHA-256", "tim@example.org", SLICE("x")));
  t = login(1, "tim@example.org", SECRET);
  assert_true((run(), answer(t)) == YES);
  assert_true(scram_works("SCRAM-SHA-256", "tim@example.org", SLICE(SECRET)));
  t = login(2, "tim@example.org", SECRET); /* what was remembered of the account still is */
  assert_true((run(), answer(t)) == YES);
  assert_int_equal(auth->count.cache_hits, 1);
}

static void test_verifiers_are_prepared(void **state) {
  assert_int_equal(admin("account", "add", "tim@example.org", "42", "--scram", "p\x07ss"),
                   CLI_USAGE);
  assert_int_equal(admin("account", "add", "tim@example.org", "42", "--no", "pass"), CLI_USAGE);
  assert_int_equal(admin("account", "add", "tim@example.org", "42", "--scram", "pa\xcc\x88ss"),
                   CLI_OK);
  assert_true(scram_works("SCRAM-SHA-256", "tim@example.org", SLICE("p\xc3\xa4ss")));
  assert_true(scram_works("SCRAM-SHA-1", "tim@example.org", SLICE("pa\xcc\x88ss")));
  assert_false(scram_works("SCRAM-SHA-1", "tim@example.org", SLICE("pass")));
  conf->scram = true;
  /* without SCRAM */
  assert_int_equal(admin("account", "passwd", "tim@example.org", "p\x07ss"), CLI_OK);
  uint64_t t = login(1, "tim@example.org", "p\x07ss");
  assert_true((run(), answer(t)) == YES);
}

/* RFC 8265 §3.3: one account, and a second one cannot be made; nor one that could not be told
 * apart. */
static void test_names_are_prepared(void **state) {
  conf->auth_penalty_most = 0;
  static const char *const same[] = { "j\xc3\xbcrgen@example.org", "ju\xcc\x88rgen@example.org",
                                      "J\xc3\x9cRGEN@Example.ORG",
                                      "\xef\xbd\x8a\xc3\xbcrgen@example.org" };
  assert_int_equal(
      admin("account", "add", "Ju\xcc\x88rgen@Example.org", "42", "--legacy-auth", SECRET), CLI_OK);
  for (size_t i = 0; i < sizeof same / sizeof *same; i++) {
    uint64_t t = login(1, same[i], SECRET);
    assert_true((run(), answer(t)) == YES);
    assert_true(scram_works("SCRAM-SHA-256", same[i], SLICE(SECRET)));
    assert_int_equal(admin("account", "add", same[i], "43", SECRET), CLI_EXISTS);
  }
  uint64_t t = login(1, "jurgen@example.org", SECRET);
  assert_true((run(), answer(t)) == AUTH_WRONG);
  assert_int_equal(admin("account", "add",
                         "a\xe2\x80\x8b"
                         "b@example.org",
                         "43", SECRET),
                   CLI_USAGE);
  assert_int_equal(admin("account", "rename", same[0], same[2]), CLI_OK); /* how it is shown */
  assert_true(scram_works("SCRAM-SHA-256", same[1], SLICE(SECRET)));
  assert_int_equal(admin("account", "delete", same[1]), CLI_OK);
  assert_int_equal(admin("account", "add", same[0], "43", SECRET), CLI_OK);
}

/* The secret of CRAM-MD5 is kept as it was typed; a client may prepare it. */
static void test_secret_is_prepared(void **state) {
  conf->auth_penalty_most = 0;
  uint64_t t;
  assert_int_equal(
      admin("account", "add", "tim@example.org", "42", "--legacy-auth", "pa\xcc\x88ss"), CLI_OK);
  assert_int_equal(answer(cram(1, SLICE("tim@example.org"), SLICE("p\xc3\xa4ss"))), YES);
  assert_int_equal(answer(cram(1, SLICE("tim@example.org"), SLICE("pa\xcc\x88ss"))), YES);
  assert_int_equal((t = cram(1, SLICE("tim@example.org"), SLICE("pass")), run(), answer(t)),
                   AUTH_WRONG);
}

/* What a stranger is told about a name's salt does not change when an account of it comes, changes
 * or goes. */
static void test_salt_tells_nothing(void **state) {
  static const struct slice first = { (const uint8_t *)"n,,n=tim@example.org,r=abc", 26 };
  uint8_t kept[256];
  struct slice a = slice_from(challenge(start_sasl(1, "SCRAM-SHA-256", true, first, true)), 5 + 24);
  memcpy(kept, a.p, a.n);
  for (int i = 0; i < 3; i++) {
    if (i == 0)
      assert_int_equal(admin("account", "add", "tim@example.org", "42", "--scram", SECRET), CLI_OK);
    if (i == 1) assert_int_equal(admin("account", "passwd", "tim@example.org", "another"), CLI_OK);
    if (i == 2) assert_int_equal(admin("account", "delete", "tim@example.org"), CLI_OK);
    struct slice b =
        slice_from(challenge(start_sasl(1, "SCRAM-SHA-256", true, first, true)), 5 + 24);
    assert_true(slice_eq(slice_of(kept, a.n), b));
  }
}

/* RFC 5802 §5 and RFC 7677 §3, from their salts and counts. */
static void test_verifiers_are_the_rfcs(void **state) {
  struct scram_verifiers v = { .sha1.iterations = 4096, .sha256.iterations = 4096 }, again;
  struct buf b;
  buf_init(&b, SCRAM_PACKED_MAX);
  assert_true(base64_decode(&b, SLICE("W22ZaJ0SNY7soEsUEjb6gQ==")));
  memcpy(v.sha256.salt, buf_slice(&b).p, SCRAM_SALT);
  assert_true(scram_derive(&v, SLICE("pencil")));
  buf_reset(&b);
  base64_put(&b, slice_of(v.sha256.keys.stored, 32));
  assert_true(slice_eq(buf_slice(&b), SLICE("WG5d8oPm3OtcPnkdi4Uo7BkeZkBFzpcXkuLmtbsT4qY=")));
  buf_reset(&b);
  base64_put(&b, slice_of(v.sha256.keys.server, 32));
  assert_true(slice_eq(buf_slice(&b), SLICE("wfPLwcE6nTWhTAmQ7tl2KeoiWGPlZqQxSrmfPwDl2dU=")));
  buf_reset(&b);
  scram_pack(&v, &b);
  assert_true(scram_unpack(buf_slice(&b), &again));
  assert_memory_equal(v.sha256.keys.stored, again.sha256.keys.stored, 32);
  assert_memory_equal(v.sha1.keys.server, again.sha1.keys.server, 20);
  assert_int_equal(again.sha256.iterations, 4096);
  assert_false(scram_unpack(slice_first(buf_slice(&b), 100), &again));
  buf_free(&b);
}

/* A database of the first version, and one of a version that is not known yet. */
/* Rows of a version that folded ASCII only, with the keys and seals it made: each goes on as it
 * was, also two that are one name by now; and one that has its prepared name to itself is found by
 * every spelling. */
static void test_names_of_before(void **state) {
  conf->auth_penalty_most = 0;
  static const struct db_options options = { .page_size = 4096, .cache_kib = 256 };
  static const char nfc[] = "\xc3\xbc"
                            "a@example.org",
                    nfd[] = "u\xcc\x88"
                            "a@example.org",
                    old[] = "\xc3\x9c"
                            "b@example.org";
  struct db *db = NULL;
  assert_int_equal(admin("account", "add", "x1@example.org", "1", "one"), CLI_OK);
  assert_int_equal(admin("account", "add", "x2@example.org", "2", "two"), CLI_OK);
  assert_int_equal(admin("account", "add", "x3@example.org", "3", "--legacy-auth", "three"),
                   CLI_OK);
  auth_free(&auth);
  assert_int_equal(db_open(disk, "auth.db", &options, &db), DB_OK);
  static const char back[] =
      "UPDATE account SET key = 'x3@example.org', name = 'x3@example.org' WHERE id = 3;"
      "UPDATE account SET key = CAST(x'c3bc61406578616d706c652e6f7267' AS TEXT), name = "
      "CAST(x'c3bc61406578616d706c652e6f7267' AS TEXT) WHERE id = 1;"
      "UPDATE account SET key = CAST(x'75cc8861406578616d706c652e6f7267' AS TEXT), name = "
      "CAST(x'75cc8861406578616d706c652e6f7267' AS TEXT) WHERE id = 2;"
      "DROP INDEX account_prep; ALTER TABLE account DROP COLUMN prep";
  static const char third[] = "UPDATE account SET sealed = NULL, scram = NULL,"
                              " key = CAST(x'c39c62406578616d706c652e6f7267' AS TEXT), name = "
                              "CAST(x'c39c62406578616d706c652e6f7267' AS TEXT) WHERE id = 3";
  assert_int_equal(db_exec(db, back), DB_OK);
  assert_int_equal(db_exec(db, third), DB_OK);
  assert_int_equal(db_set_version(db, 6), DB_OK);
  db_close(&db);
  open_auth();
  uint64_t t;
#define WORKS(name, password) (t = login(1, name, password), run(), answer(t) == YES)
  assert_true(WORKS(nfc, "one"));
  assert_true(WORKS(nfd, "two"));
  assert_false(WORKS(nfc, "two"));
  assert_true(WORKS(old, "three"));
  assert_true(WORKS("\xc3\xbc"
                    "b@example.org",
                    "three"));
  assert_true(WORKS("U\xcc\x88"
                    "B@example.org",
                    "three"));
  assert_int_equal(admin("account", "add",
                         "\xc3\xbc"
                         "b@example.org",
                         "9", "nine"),
                   CLI_EXISTS);
  assert_int_equal(admin("account", "passwd",
                         "\xc3\xbc"
                         "b@example.org",
                         "four"),
                   CLI_OK);
  assert_true(WORKS(old, "four"));
  assert_int_equal(admin("account", "passwd", nfd, "five"), CLI_OK);
  assert_true(WORKS(nfd, "five") && WORKS(nfc, "one"));
  assert_int_equal(admin("account", "rename", old,
                         "\xc3\xbc"
                         "b@example.org"),
                   CLI_OK);
  assert_true(WORKS(old, "four"));
  assert_int_equal(admin("account", "delete", nfd), CLI_OK);
  assert_true(WORKS(nfd, "one")); /* by now the only one of that name */
#undef WORKS
}

static void test_schema_steps(void **state) {
  static const struct db_options options = { .page_size = 4096, .cache_kib = 256 };
  struct db *db = NULL;
  struct buf err;
  struct auth_shell shell = { NULL, say, enqueue, fill, wall, warn, 0 };
  add_tim();
  auth_free(&auth);
  assert_int_equal(db_open(disk, "auth.db", &options, &db), DB_OK);
  static const char back[] =
      "DROP INDEX account_secret; DROP TRIGGER certificate_goes; DROP TABLE certificate; DROP "
      "TABLE collection;"
      "DROP INDEX account_prep; ALTER TABLE account DROP COLUMN prep;"
      "ALTER TABLE account DROP COLUMN scram; ALTER TABLE account DROP COLUMN scram_wish";
  assert_int_equal(db_exec(db, back), DB_OK);
  assert_int_equal(db_set_version(db, 1), DB_OK);
  db_close(&db);
  open_auth();
  conf->scram = true;
  uint64_t t = login(1, "tim@example.org", SECRET);
  assert_true((run(), answer(t)) == YES);
  assert_true(scram_works("SCRAM-SHA-256", "tim@example.org", SLICE(SECRET)));
  auth_free(&auth);
  assert_int_equal(db_open(disk, "auth.db", &options, &db), DB_OK);
  assert_int_equal(db_set_version(db, 1000), DB_OK);
  db_close(&db);
  buf_init(&err, 1024);
  assert_null(auth_new(disk, conf, &shell, &err));
  assert_true(slice_search(buf_slice(&err), SLICE("newer")) >= 0);
  buf_free(&err);
}

int main(void) {
  const struct CMUnitTest tests[] = {
    T(test_apop),
    T(test_cram),
    T(test_scram),
    T(test_channel_binding),
    T(test_scram_does_not_wait),
    T(test_scram_ends_with_the_account),
    T(test_only_what_is_offered),
    T(test_scram_salt_is_steady),
    T(test_verifiers),
    T(test_verifiers_from_a_login),
    T(test_verifiers_are_prepared),
    T(test_names_are_prepared),
    T(test_secret_is_prepared),
    T(test_salt_tells_nothing),
    T(test_verifiers_are_the_rfcs),
    T(test_schema_steps),
    T(test_names_of_before),
    T(test_sealed_on_disk),
    T(test_damaged_key),
    T(test_secret_follows_password),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
