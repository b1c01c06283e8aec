/* auth's core with its database on a real disk, jobs run by hand, time as the test says.
 * attacks.md: AU-1, AU-4, AU-5, AU-6; RFC 1939 §7 (APOP), RFC 2195 (CRAM-MD5), RFC 5802 (SCRAM) */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "ipc/auth_store.h"
#include "ipc/cli_room.h"
#include "ipc/front_auth.h"
#include "lib/base/codec.h"
#include "src/auth/core.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

enum { JOBS = 4096, SAID = 16384, FRONT = 7, MX = 8, STORE = 3, CLI = 90 };
#define SECRET "tanstaaftanstaaf"
#define MD5_SECRET "{MD5-CRYPT}$1$.M0lhmhv$gI8oCFTt6AgX6YzZpeGC6."

static struct said {
  enum room_kind kind;
  uint32_t number;
  uint16_t type;
  uint64_t tag;
  uint8_t payload[1024];
  size_t n;
} said[SAID];
static size_t said_n, jobs_n, warned;
static struct auth_job *jobs[JOBS];
static struct auth *auth;
static struct disk *disk;
static struct conf *conf;
static char folder[64];
static uint64_t now;
static bool store_answers;

static size_t run(void);

/* --- the shell --- */

static void say(void *arg, enum room_kind kind, uint32_t number, uint16_t type, uint64_t tag, struct slice payload) {
  assert_true(said_n < SAID && payload.n <= sizeof said->payload);
  struct said *s = &said[said_n++];
  *s = (struct said){ kind, number, type, tag, { 0 }, payload.n };
  if (payload.n) memcpy(s->payload, payload.p, payload.n);
}

static void enqueue(void *arg, struct auth_job *job) {
  assert_true(jobs_n < JOBS);
  jobs[jobs_n++] = job;
}

static void fill(void *arg, void *to, size_t n) {
  static uint64_t x = 88172645463325252u;
  for (size_t i = 0; i < n; i++) {
    x ^= x << 13;
    x ^= x >> 7;
    x ^= x << 17;
    ((uint8_t *)to)[i] = (uint8_t)(x >> 32);
  }
}

static int64_t wall(void *arg) { return 1700000000; }
static void warn(void *arg, const char *what, struct slice name) { warned++; }

static void open_auth(void) {
  struct auth_shell shell = { NULL, say, enqueue, fill, wall, warn, 0 };
  struct buf err;
  buf_init(&err, 1024);
  auth = auth_new(disk, conf, &shell, &err);
  if (!auth) fail_msg("%s", buf_cstr(&err));
  buf_free(&err);
}

static int setup(void **state) {
  int e = 0;
  snprintf(folder, sizeof folder, "/tmp/qasid-auth-XXXXXX");
  assert_non_null(mkdtemp(folder));
  disk = disk_posix_open(folder, &e);
  conf = conf_defaults();
  said_n = jobs_n = warned = 0;
  now = 1000000;
  store_answers = true;
  open_auth();
  return 0;
}

static int teardown(void **state) {
  char command[128];
  if (auth) auth_room_lost(auth, ROOM_POP3D, FRONT); /* those that wait go with it; what is computed is taken back */
  if (auth) run();
  auth_free(&auth);
  disk_posix_close(&disk);
  conf_free(&conf);
  snprintf(command, sizeof command, "rm -r %s", folder);
  return system(command);
}

/* --- what happens --- */

static bool tell(enum room_kind kind, uint32_t number, uint16_t type, uint64_t tag, const struct buf *payload) {
  struct ipc_msg m = { .type = type, .tag = tag, .payload = buf_slice(payload), .fd = -1 };
  return auth_message(auth, kind, number, &m, now);
}

/* store answers what it was asked since `from`. */
static void answer_grants(void) {
  static size_t seen;
  if (seen > said_n) seen = 0;
  for (; store_answers && seen < said_n; seen++) {
    if (said[seen].kind != ROOM_STORE) continue;
    struct buf b;
    buf_init(&b, 16);
    auth_granted_put(&b, &(struct auth_granted){ true });
    assert_true(tell(ROOM_STORE, STORE, auth_granted_type, said[seen].tag, &b));
    buf_free(&b);
  }
}

/* Runs the jobs that wait, and those that follow. Returns how many. */
static size_t run(void) {
  size_t n = 0;
  while (jobs_n) {
    struct auth_job *j = jobs[0];
    memmove(jobs, jobs + 1, --jobs_n * sizeof *jobs);
    auth_work(j);
    auth_finish(auth, j, now);
    n++;
  }
  auth_tick(auth, now);
  answer_grants();
  return n;
}

static void at(uint64_t ms) {
  now = ms;
  run();
}

enum cli_code vadmin(const char *first, ...);
enum cli_code vadmin(const char *first, ...) {
  struct buf list, b;
  struct cli_done m = { 0 };
  va_list ap;
  buf_init(&list, 65536);
  buf_init(&b, 65536);
  va_start(ap, first);
  for (const char *w = first; w; w = va_arg(ap, const char *))
    ipc_list_put(&list, slice_str(w));
  va_end(ap);
  cli_command_put(&b, &(struct cli_command){ buf_slice(&list) });
  size_t from = said_n;
  assert_true(tell(ROOM_CLI, CLI, cli_command_type, 0, &b));
  run();
  buf_free(&list);
  buf_free(&b);
  for (size_t i = from; i < said_n; i++)
    if (said[i].kind == ROOM_CLI && said[i].type == cli_done_type) {
      assert_true(cli_done_get(slice_of(said[i].payload, said[i].n), &m));
      assert_int_equal(i, said_n - 1); /* cli_done is the last word */
      return m.code;
    }
  fail_msg("no cli_done");
  return CLI_CODES;
}
#define admin(...) vadmin(__VA_ARGS__, NULL)

static struct slice peer_of(unsigned n) {
  static uint8_t p[4];
  p[0] = 127;
  p[1] = (uint8_t)(n >> 16);
  p[2] = (uint8_t)(n >> 8);
  p[3] = (uint8_t)n;
  return slice_of(p, 4);
}

static uint64_t tags = 100;

/* POP3's USER and PASS from a front-end; returns the session's tag. */
static uint64_t login_from(struct slice peer, const char *name, const char *password) {
  struct buf b;
  buf_init(&b, 2048);
  auth_login_put(&b, &(struct auth_login){ slice_str(name), slice_str(password), peer, true });
  assert_true(tell(ROOM_POP3D, FRONT, auth_login_type, ++tags, &b));
  buf_free(&b);
  return tags;
}
static uint64_t login(unsigned from, const char *name, const char *password) {
  return login_from(peer_of(from), name, password);
}

static uint64_t start_sasl(unsigned from, const char *mech, bool has, struct slice response, bool secure) {
  struct buf b;
  buf_init(&b, 16384);
  auth_start_put(&b, &(struct auth_start){ slice_str(mech), has, response, peer_of(from), secure });
  assert_true(tell(ROOM_SMTPD, MX, auth_start_type, ++tags, &b));
  buf_free(&b);
  return tags;
}

static void step_sasl(uint64_t tag, struct slice response) {
  struct buf b;
  buf_init(&b, 16384);
  auth_step_put(&b, &(struct auth_step){ response });
  assert_true(tell(ROOM_SMTPD, MX, auth_step_type, tag, &b));
  buf_free(&b);
}

static void cancel(enum room_kind kind, uint32_t number, uint64_t tag) {
  assert_true(tell(kind, number, auth_cancel_type, tag, &(struct buf){ 0 }));
}

enum { NOTHING = 100, YES };

static const struct said *last_said(uint64_t tag) {
  for (size_t i = said_n; i-- > 0;)
    if (said[i].tag == tag && (said[i].kind == ROOM_POP3D || said[i].kind == ROOM_SMTPD)) return &said[i];
  return NULL;
}

/* The answer to a session: YES, an enum auth_failure, or NOTHING. */
static int answer(uint64_t tag) {
  const struct said *s = last_said(tag);
  struct auth_fail f;
  struct auth_ok ok;
  if (!s || s->type == auth_challenge_type) return NOTHING;
  if (s->type == auth_ok_type) {
    assert_true(auth_ok_get(slice_of(s->payload, s->n), &ok));
    return YES;
  }
  assert_int_equal(s->type, auth_fail_type);
  assert_true(auth_fail_get(slice_of(s->payload, s->n), &f));
  return f.why;
}

static struct slice challenge(uint64_t tag) {
  const struct said *s = last_said(tag);
  struct auth_challenge c;
  assert_non_null(s);
  assert_int_equal(s->type, auth_challenge_type);
  assert_true(auth_challenge_get(slice_of(s->payload, s->n), &c));
  return c.challenge;
}

static void clean_address(void) { at(now + 60 * 1000); }

static void add_tim(void) {
  assert_int_equal(admin("account", "import", "tim@example.org", "42", MD5_SECRET), CLI_OK);
}

/* --- logins --- */

static void test_login(void **state) {
  assert_int_equal(admin("account", "add", "Tim@Example.ORG", "42", SECRET), CLI_OK);
  uint64_t t = login(1, "tim@example.org", SECRET);
  store_answers = false;
  assert_int_equal(run(), 1);
  assert_int_equal(answer(t), NOTHING); /* not before store has the grant */
  struct said g = said[said_n - 1];
  struct auth_grant m;
  assert_int_equal(g.kind, ROOM_STORE);
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
  assert_int_equal(ok.account, 42);
  t = login(1, "TIM@EXAMPLE.org", "tanstaaftanstaaF");
  run();
  at(now + 2000);
  assert_int_equal(answer(t), AUTH_WRONG);
  t = login(2, "tim", SECRET); /* full names only */
  run();
  at(now + 2000);
  assert_int_equal(answer(t), AUTH_WRONG);
}

static void test_smtp_needs_no_grant(void **state) {
  add_tim();
  size_t before = said_n;
  uint64_t t = start_sasl(1, "PLAIN", true, SLICE("\0tim@example.org\0" SECRET), true);
  run();
  assert_int_equal(answer(t), YES);
  assert_int_equal(said_n, before + 1);
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
  uint64_t t = start_sasl(1, "PLAIN", true, SLICE("tim@example.org\0eve@example.org\0" SECRET), true);
  run();
  at(now + 2000);
  assert_int_equal(answer(t), AUTH_WRONG);
  clean_address();
  t = start_sasl(1, "PLAIN", true, SLICE("EVE@example.org\0eve@example.org\0" SECRET), true);
  run();
  assert_int_equal(answer(t), YES);
}

static void test_refused_mechanisms(void **state) {
  add_tim();
  assert_int_equal(answer(start_sasl(1, "PLAIN", true, SLICE("\0a\0b"), false)), AUTH_UNAVAILABLE);
  assert_int_equal(answer(start_sasl(1, "LOGIN", false, SLICE_NONE, false)), AUTH_UNAVAILABLE);
  assert_int_equal(answer(start_sasl(1, "GSSAPI", false, SLICE_NONE, true)), AUTH_UNAVAILABLE);
  assert_int_equal(answer(start_sasl(1, "SCRAM-SHA-256-PLUS", false, SLICE_NONE, true)), AUTH_UNAVAILABLE);
  assert_int_equal(answer(start_sasl(1, "CRAM-MD5", true, SLICE("x"), false)), AUTH_MALFORMED);
  assert_int_equal(answer(start_sasl(1, "PLAIN", true, SLICE("nothing"), true)), AUTH_MALFORMED);
  conf->plaintext_auth = true;
  uint64_t t = start_sasl(1, "PLAIN", true, SLICE("\0tim@example.org\0" SECRET), false);
  run();
  assert_int_equal(answer(t), YES);
}

/* --- indistinguishable --- */

/* What a failing login shows: its answer, when it comes, and what it costs. */
struct trace {
  int said;
  uint64_t after_ms;
  size_t jobs;
  char scheme[8];
};

static struct trace trace(uint64_t tag) {
  struct trace t = { 0 };
  uint64_t asked = now;
  if (jobs_n && jobs[0]->kind == JOB_VERIFY) memcpy(t.scheme, jobs[0]->hash.mem, sizeof t.scheme - 1);
  t.jobs = run();
  assert_int_equal(answer(tag), NOTHING);
  now = auth_tick(auth, now);
  t.after_ms = now - asked;
  run();
  t.said = answer(tag);
  clean_address();
  return t;
}

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
  static const char *const names[] = { "", "@", "a@", "@b", "%{a}$'\")(*\\,@x", "a\r\nb@c", "\xff@x", "../../etc/passwd@x" };
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
  for (int i = 0; i < 6; i++)
    t[i] = login(1, "tim@example.org", SECRET);
  assert_true(run() <= 2); /* what was at the shell already */
  for (int i = 0; i < 6; i++)
    assert_int_equal(answer(t[i]), YES);
}

/* --- penalties --- */

static uint64_t fail_once(unsigned from, const char *password) {
  uint64_t t = login(from, "tim@example.org", password), asked = now;
  run();
  assert_int_equal(answer(t), NOTHING);
  now = auth_tick(auth, now);
  run();
  assert_int_equal(answer(t), AUTH_WRONG);
  return now - asked;
}

static void test_penalty_grows(void **state) {
  add_tim();
  static const uint64_t want[] = { 2000, 4000, 8000, 15000, 15000 };
  for (size_t i = 0; i < 5; i++) {
    char password[24];
    snprintf(password, sizeof password, "no%zu", i);
    assert_int_equal(fail_once(1, password), want[i]);
  }
  uint64_t other = login(2, "tim@example.org", SECRET); /* a neighbour pays nothing */
  run();
  assert_int_equal(answer(other), YES);
  uint64_t t = login(1, "tim@example.org", SECRET); /* proved from elsewhere: right, but late */
  run();
  assert_int_equal(answer(t), NOTHING);
  at(now + 14999);
  assert_int_equal(answer(t), NOTHING);
  at(now + 1);
  assert_int_equal(answer(t), YES);
  at(now + 29000); /* forgotten */
  t = login(1, "tim@example.org", SECRET);
  run();
  assert_int_equal(answer(t), YES);
  assert_int_equal(fail_once(1, "again"), 2000);
}

/* An office behind one address: who proved his password from here goes on. */
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
  t = login(2, "tim@example.org", SECRET); /* the same password, remembered, from elsewhere: no oracle */
  run();
  assert_int_equal(answer(t), NOTHING);
}

static void test_penalty_by_network(void **state) {
  add_tim();
  uint8_t a[16] = { 0x20, 0x01, 0x0d, 0xb8, 0, 1, 0, 1 }, b[16] = { 0x20, 0x01, 0x0d, 0xb8, 0, 1, 0xff, 0xff, 1 };
  uint8_t c[16] = { 0x20, 0x01, 0x0d, 0xb8, 0, 2 }, mapped[16] = { [10] = 0xff, [11] = 0xff, [12] = 127, [15] = 5 };
  login_from(slice_of(a, 16), "tim@example.org", "x");
  run();
  uint64_t same = login_from(slice_of(b, 16), "tim@example.org", SECRET);
  uint64_t other = login_from(slice_of(c, 16), "tim@example.org", SECRET);
  run();
  assert_int_equal(answer(same), NOTHING);
  assert_int_equal(answer(other), YES);
  assert_int_equal(network_of(slice_of(mapped, 16)), network_of(peer_of(5)));
  assert_int_equal(network_of(SLICE("abc")), 0);
}

/* A forgotten client with the old password: late each time, never worse, and no hash. */
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
  for (int i = 0; i < 200; i++)
    refused += answer(t[i]) == AUTH_TROUBLE;
  assert_int_equal(refused, 200 - AUTH_PENDING);
  assert_int_equal(run(), AUTH_PENDING);
  for (int i = 0; i < 200; i++)
    cancel(ROOM_POP3D, FRONT, t[i]);
  assert_int_equal(answer(login(1, "tim@example.org", SECRET)), AUTH_TROUBLE);
  at(now + 15000);
  uint64_t ok = login(1, "tim@example.org", SECRET);
  run();
  at(now + 15000);
  assert_int_equal(answer(ok), YES);
  assert_int_equal(auth->hold.count, 0);
}

/* AU-1: ten thousand addresses guess; who logged in before is not behind them. */
static void test_fair_order(void **state) {
  add_tim();
  uint64_t t = login(1, "tim@example.org", SECRET);
  run();
  now += conf->auth_cache_time * 1000;
  for (unsigned i = 0; i < 10000; i++)
    login(1000 + i, "tim@example.org", "guess");
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
  for (int i = 0; i < 1000; i++)
    cancel(ROOM_SMTPD, MX, open[i]);
  assert_int_equal(auth->fronts->logins.count, 0);
}

/* --- rooms that go --- */

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
  size_t before = said_n;
  auth_room_lost(auth, ROOM_POP3D, FRONT);
  assert_null(auth->fronts);
  run();
  at(now + 60000);
  assert_int_equal(said_n, before); /* nothing is said to whoever has that number next */
  assert_int_equal(auth->hold.count, 0);
  assert_int_equal(auth->grants.count, 0);
}

static void test_store_lost(void **state) {
  add_tim();
  store_answers = false;
  uint64_t t = login(1, "tim@example.org", SECRET);
  run();
  assert_int_equal(answer(t), NOTHING);
  auth_room_lost(auth, ROOM_STORE, STORE);
  assert_int_equal(answer(t), AUTH_TROUBLE);
  t = login(1, "tim@example.org", SECRET); /* store says nothing at all */
  run();
  at(now + AUTH_GRANT_MS - 1);
  assert_int_equal(answer(t), NOTHING);
  at(now + 1);
  assert_int_equal(answer(t), AUTH_TROUBLE);
  t = login(1, "tim@example.org", SECRET);
  struct buf b;
  buf_init(&b, 16);
  auth_granted_put(&b, &(struct auth_granted){ false });
  assert_true(tell(ROOM_STORE, STORE, auth_granted_type, said[said_n - 1].tag, &b));
  assert_int_equal(answer(t), AUTH_TROUBLE);
  assert_int_equal(warned, 1);
  assert_true(tell(ROOM_STORE, STORE, auth_granted_type, 999999, &b)); /* late: nothing */
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
  assert_false(tell(ROOM_POP3D, FRONT, auth_login_type, 1, &b));
  assert_false(tell(ROOM_POP3D, FRONT, auth_start_type, 1, &b));
  assert_false(tell(ROOM_POP3D, FRONT, auth_apop_type, 1, &b));
  assert_false(tell(ROOM_STORE, STORE, auth_granted_type, 1, &b));
  assert_false(tell(ROOM_CLI, CLI, cli_command_type, 0, &b));
  assert_false(tell(ROOM_KEYS, 1, auth_start_type, 1, &b));
  assert_false(tell(ROOM_POP3D, FRONT, auth_ok_type, 1, &b));
  buf_free(&b);
}

/* --- secrets --- */

static void add_legacy(void) {
  assert_int_equal(admin("account", "add", "tim@example.org", "42", "--legacy-auth", SECRET), CLI_OK);
  assert_int_equal(admin("account", "import", "tom@example.org", "43", MD5_SECRET), CLI_OK);
}

static uint64_t apop(unsigned from, const char *name, struct slice secret) {
  uint8_t digest[DIGEST_MAX];
  struct slice stamp = SLICE("<1896.697170952@dbc.mtview.ca.us>"), parts[] = { stamp, secret };
  struct buf b;
  buf_init(&b, 2048);
  assert_true(digest_parts(DIGEST_MD5, parts, 2, digest));
  auth_apop_put(&b, &(struct auth_apop){ slice_str(name), stamp, slice_of(digest, 16), peer_of(from), false });
  assert_true(tell(ROOM_POP3D, FRONT, auth_apop_type, ++tags, &b));
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
static uint64_t scram(struct sasl_client *c, unsigned from, const char *mech, struct slice name, struct slice secret) {
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
    assert_int_equal(run(), 1);
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
    assert_false(said[i].type == auth_challenge_type && slice_search(slice_of(said[i].payload, said[i].n), SLICE("v=")) >= 0);
  sasl_client_end(&c);
  const struct trace none = trace(scram(&c, 2, "SCRAM-SHA-256", SLICE("tom@example.org"), SLICE(SECRET)));
  sasl_client_end(&c);
  const struct trace unknown = trace(scram(&c, 3, "SCRAM-SHA-256", SLICE("nobody@example.org"), SLICE(SECRET)));
  sasl_client_end(&c);
  assert_int_equal(wrong.said, AUTH_WRONG);
  assert_memory_equal(&wrong, &none, sizeof wrong);
  assert_memory_equal(&wrong, &unknown, sizeof wrong);
  buf_free(&out);
}

/* A right proof of a network that fails lately is not confirmed before its time either. */
static void test_scram_waits_too(void **state) {
  struct sasl_client c;
  add_legacy();
  fail_once(1, "x");
  uint64_t t = scram(&c, 1, "SCRAM-SHA-256", SLICE("tim@example.org"), SLICE(SECRET));
  size_t before = said_n;
  run();
  assert_int_equal(said_n, before);
  at(now + 2000);
  assert_true(slice_starts(challenge(t), SLICE("v=")));
  sasl_client_end(&c);
}

/* What an unknown name is told about its salt is the same each time, as for an account. */
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
  static const char *const want[] = { "tim@example.org", "42", "yes", "yes", "yescrypt", "2023-11-14T22:13:20Z",
                                      "2023-11-14T22:13:20Z" };
  for (size_t i = 0; i < sizeof want / sizeof *want; i++) {
    assert_true(ipc_list_next(&m.values, &v));
    assert_true(slice_eq(v, slice_str(want[i])));
  }
  assert_false(file_holds("x", SLICE_NONE));
  assert_int_equal(admin("status"), CLI_OK);
}

/* The command line is gone before its hash is done: what it asked for is done, nothing is said. */
static void test_admin_lost(void **state) {
  struct buf list, b;
  buf_init(&list, 512);
  buf_init(&b, 512);
  static const char *const words[] = { "account", "add", "tim@example.org", "42", SECRET };
  for (size_t i = 0; i < 5; i++)
    ipc_list_put(&list, slice_str(words[i]));
  cli_command_put(&b, &(struct cli_command){ buf_slice(&list) });
  assert_true(tell(ROOM_CLI, CLI, cli_command_type, 0, &b));
  auth_room_lost(auth, ROOM_CLI, CLI);
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

int main(void) {
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
  const struct CMUnitTest tests[] = {
    T(test_login), T(test_smtp_needs_no_grant), T(test_login_mechanism), T(test_authzid), T(test_refused_mechanisms),
    T(test_unknown_is_wrong), T(test_odd_names),
    T(test_cache), T(test_cache_drops_on_change), T(test_cache_is_bounded), T(test_same_at_once),
    T(test_penalty_grows), T(test_penalty_spares_the_proved), T(test_penalty_by_network), T(test_same_wrong_again),
    T(test_one_address_is_bounded), T(test_fair_order), T(test_addresses_take_turns), T(test_half_open_disturbs_nobody),
    T(test_front_lost), T(test_store_lost), T(test_changed_while_held), T(test_malformed_messages),
    T(test_apop), T(test_cram), T(test_scram), T(test_scram_waits_too), T(test_scram_salt_is_steady),
    T(test_sealed_on_disk), T(test_damaged_key), T(test_secret_follows_password),
    T(test_admin), T(test_admin_list), T(test_admin_lost), T(test_reopen),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
