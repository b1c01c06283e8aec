/* SPDX-License-Identifier: ISC */
/* What the tests of auth's core share: the core with its database on a real disk, a shell that
 * records every message sent, jobs that the test runs by hand, and a clock that the test sets. */
#ifndef QASID_TEST_AUTH_KIT_H
#define QASID_TEST_AUTH_KIT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "ipc/auth_store.h"
#include "ipc/cli_process.h"
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
  enum role kind;
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
static const char *every_mechanism[] = { "SCRAM-SHA-256-PLUS",
                                         "SCRAM-SHA-1-PLUS",
                                         "SCRAM-SHA-256",
                                         "SCRAM-SHA-1",
                                         "PLAIN",
                                         "LOGIN",
                                         "CRAM-MD5" };
static struct conf_list mechanisms_by_default;
static char folder[64];
static uint64_t now;
static bool store_answers;

static inline size_t run(void);

/* --- the shell --- */

static inline void say(void *arg, enum role kind, uint32_t number, uint16_t type, uint64_t tag,
                       struct slice payload) {
  assert_true(said_n < SAID && payload.n <= sizeof said->payload);
  struct said *s = &said[said_n++];
  *s = (struct said){ kind, number, type, tag, { 0 }, payload.n };
  if (payload.n) memcpy(s->payload, payload.p, payload.n);
}

static inline void enqueue(void *arg, struct auth_job *job) {
  assert_true(jobs_n < JOBS);
  jobs[jobs_n++] = job;
}

static inline void fill(void *arg, void *to, size_t n) {
  static uint64_t x = 88172645463325252u;
  for (size_t i = 0; i < n; i++) {
    x ^= x << 13;
    x ^= x >> 7;
    x ^= x << 17;
    ((uint8_t *)to)[i] = (uint8_t)(x >> 32);
  }
}

static inline int64_t wall(void *arg) { return 1700000000; }
static inline void warn(void *arg, const char *what, struct slice name) { warned++; }
static char refused_line[400]; /* the last failed login, in the form of its log line */
static inline void refused(void *arg, const struct auth_refusal *r) {
  snprintf(refused_line, sizeof refused_line, "%s <%.*s> %s %s", r->service, SLICE_ARG(r->name),
           r->mechanism, r->why);
}

static inline void open_auth(void) {
  struct auth_shell shell = { NULL, say, enqueue, fill, wall, warn, 0, refused };
  struct buf err;
  buf_init(&err, 1024);
  auth = auth_new(disk, conf, &shell, &err);
  if (!auth) fail_msg("%s", buf_cstr(&err));
  buf_free(&err);
}

static inline int setup(void **state) {
  int e = 0;
  snprintf(folder, sizeof folder, "/tmp/qasid-auth-XXXXXX");
  assert_non_null(mkdtemp(folder));
  disk = disk_posix_open(folder, &e);
  conf = conf_defaults();
  mechanisms_by_default = conf->auth_mechanisms;
  conf->auth_mechanisms =
      (struct conf_list){ every_mechanism, sizeof every_mechanism / sizeof *every_mechanism };
  said_n = jobs_n = warned = 0;
  now = 1000000;
  store_answers = true;
  open_auth();
  return 0;
}

static inline int teardown(void **state) {
  char command[128];
  if (auth) /* this cancels queued logins and collects the results of running jobs */
    auth_process_lost(auth, ROLE_POP3D, FRONT);
  if (auth) run();
  auth_free(&auth);
  disk_posix_close(&disk);
  conf->auth_mechanisms = mechanisms_by_default;
  conf_free(&conf);
  snprintf(command, sizeof command, "rm -r %s", folder);
  return system(command);
}

/* --- what happens --- */

static inline bool tell(enum role kind, uint32_t number, uint16_t type, uint64_t tag,
                        const struct buf *payload) {
  struct ipc_msg m = { .type = type, .tag = tag, .payload = buf_slice(payload), .fd = -1 };
  return auth_message(auth, kind, number, &m, now);
}

/* Sends the store's answers to the grants that auth has sent since the last call. */
static inline void answer_grants(void) {
  static size_t seen;
  if (seen > said_n) seen = 0;
  for (; store_answers && seen < said_n; seen++) {
    struct auth_grant q;
    if (said[seen].kind != ROLE_STORE || said[seen].type != auth_grant_type) continue;
    assert_true(auth_grant_get(slice_of(said[seen].payload, said[seen].n), &q));
    if (q.service == GRANT_COLLECTION) continue; /* test_auth_collect answers these */
    struct buf b;
    buf_init(&b, 16);
    auth_granted_put(&b, &(struct auth_granted){ true });
    assert_true(tell(ROLE_STORE, STORE, auth_granted_type, said[seen].tag, &b));
    buf_free(&b);
  }
}

/* Runs the queued jobs and those that they enqueue. Returns how many ran. */
static inline size_t run(void) {
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

static inline void at(uint64_t ms) {
  now = ms;
  run();
}

static inline enum cli_code vadmin(const char *first, ...) {
  struct buf list, b;
  struct cli_done m = { 0 };
  va_list ap;
  buf_init(&list, 65536);
  buf_init(&b, 65536);
  va_start(ap, first);
  for (const char *w = first; w; w = va_arg(ap, const char *)) ipc_list_put(&list, slice_str(w));
  va_end(ap);
  cli_command_put(&b, &(struct cli_command){ buf_slice(&list) });
  size_t from = said_n;
  assert_true(tell(ROLE_CLI, CLI, cli_command_type, 0, &b));
  run();
  buf_free(&list);
  buf_free(&b);
  for (size_t i = from; i < said_n; i++)
    if (said[i].kind == ROLE_CLI && said[i].type == cli_done_type) {
      assert_true(cli_done_get(slice_of(said[i].payload, said[i].n), &m));
      /* cli_done is the last message of an answer */
      for (size_t k = i + 1; k < said_n; k++) assert_int_not_equal(said[k].kind, ROLE_CLI);
      return m.code;
    }
  fail_msg("no cli_done");
  return CLI_CODES;
}
#define admin(...) vadmin(__VA_ARGS__, NULL)

static inline struct slice peer_of(unsigned n) {
  static uint8_t p[4];
  p[0] = 127;
  p[1] = (uint8_t)(n >> 16);
  p[2] = (uint8_t)(n >> 8);
  p[3] = (uint8_t)n;
  return slice_of(p, 4);
}

static uint64_t tags = 100;

/* POP3's USER and PASS from a front-end; returns the session's tag. */
static inline uint64_t login_from(struct slice peer, const char *name, const char *password) {
  struct buf b;
  buf_init(&b, 2048);
  auth_login_put(
      &b, &(struct auth_login){ slice_str(name), slice_str(password), peer, true, SLICE("pop3") });
  assert_true(tell(ROLE_POP3D, FRONT, auth_login_type, ++tags, &b));
  buf_free(&b);
  return tags;
}
static inline uint64_t login(unsigned from, const char *name, const char *password) {
  return login_from(peer_of(from), name, password);
}

static inline uint64_t start_sasl(unsigned from, const char *mech, bool has, struct slice response,
                                  bool secure) {
  struct buf b;
  buf_init(&b, 16384);
  auth_start_put(&b, &(struct auth_start){ .mechanism = slice_str(mech),
                                           .has_response = has,
                                           .response = response,
                                           .peer = peer_of(from),
                                           .secure = secure,
                                           .service = SLICE("submission") });
  assert_true(tell(ROLE_SMTPD, MX, auth_start_type, ++tags, &b));
  buf_free(&b);
  return tags;
}

static inline void step_sasl(uint64_t tag, struct slice response) {
  struct buf b;
  buf_init(&b, 16384);
  auth_step_put(&b, &(struct auth_step){ response });
  assert_true(tell(ROLE_SMTPD, MX, auth_step_type, tag, &b));
  answer_grants();
  buf_free(&b);
}

static inline void cancel(enum role kind, uint32_t number, uint64_t tag) {
  assert_true(tell(kind, number, auth_cancel_type, tag, &(struct buf){ 0 }));
}

enum { NOTHING = 100, YES };

static inline const struct said *last_said(uint64_t tag) {
  for (size_t i = said_n; i-- > 0;)
    if (said[i].tag == tag && (said[i].kind == ROLE_POP3D || said[i].kind == ROLE_SMTPD))
      return &said[i];
  return NULL;
}

/* The answer to a session: YES, an enum auth_failure, or NOTHING. */
static inline int answer(uint64_t tag) {
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

static inline struct slice challenge(uint64_t tag) {
  const struct said *s = last_said(tag);
  struct auth_challenge c;
  assert_non_null(s);
  assert_int_equal(s->type, auth_challenge_type);
  assert_true(auth_challenge_get(slice_of(s->payload, s->n), &c));
  return c.challenge;
}

static inline void clean_address(void) { at(now + 60 * 1000); }

static inline void add_tim(void) {
  assert_int_equal(admin("account", "import", "tim@example.org", "42", MD5_SECRET), CLI_OK);
}

/* What a client can observe of a failed login: the answer, its delay, and the work it caused. */
struct trace {
  int said;
  uint64_t after_ms;
  size_t jobs;
  char scheme[8];
};

static inline struct trace trace(uint64_t tag) {
  struct trace t = { 0 };
  uint64_t asked = now;
  if (jobs_n && jobs[0]->kind == JOB_VERIFY)
    memcpy(t.scheme, jobs[0]->hash.mem, sizeof t.scheme - 1);
  t.jobs = run();
  assert_int_equal(answer(tag), NOTHING);
  now = auth_tick(auth, now);
  t.after_ms = now - asked;
  run();
  t.said = answer(tag);
  clean_address();
  return t;
}

static inline uint64_t fail_once(unsigned from, const char *password) {
  uint64_t t = login(from, "tim@example.org", password), asked = now;
  run();
  assert_int_equal(answer(t), NOTHING);
  now = auth_tick(auth, now);
  run();
  assert_int_equal(answer(t), AUTH_WRONG);
  return now - asked;
}

static inline void add_legacy(void) {
  assert_int_equal(admin("account", "add", "tim@example.org", "42", "--legacy-auth", SECRET),
                   CLI_OK);
  assert_int_equal(admin("account", "import", "tom@example.org", "43", MD5_SECRET), CLI_OK);
}

#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

#endif
