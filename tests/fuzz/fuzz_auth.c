/* SPDX-License-Identifier: ISC */
/* auth behind front-ends that were taken over. Hashes are not computed (they come out as wrong);
 * nobody is let in without a proof, every session gets one answer at most to each question, and
 * when the front-ends are gone nothing is left.
 *
 *   what % 8    0 to 2: the one front-end sends     3, 4: the other     5: jobs run     6: time
 * passes     7: a process dies */
#include "tests/fuzz/hostile.h"

#include "ipc/auth_store.h"
#include "ipc/cli_process.h"
#include "ipc/front_auth.h"
#include "src/auth/core.h"

enum { FRONTS = 2, STORE = 3, CLI = 9, INPUTS = 2000, JOBS = 4096 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct disk *disk;
static struct conf *conf;
static struct auth *auth;
static struct auth_job *jobs[JOBS];
static size_t jobs_n;
static struct hostile fronts[FRONTS] = { { .pair = &ipc_front_auth }, { .pair = &ipc_front_auth } };
static const enum role kinds[FRONTS] = { ROLE_SMTPD, ROLE_POP3D };
static uint64_t now_ms = 1000000;
static enum cli_code done;

static void from_auth(void *arg, enum role kind, uint32_t number, uint16_t type, uint64_t tag,
                      struct slice payload) {
  struct cli_done end;
  for (size_t i = 0; i < FRONTS; i++)
    if (kind == kinds[i]) hostile_answer(&fronts[i], type, tag);
  /* no hash was ever right */
  if (type == auth_ok_type && kind != ROLE_CLI && kind != ROLE_STORE) abort();
  if (kind == ROLE_CLI && type == cli_done_type && cli_done_get(payload, &end))
    done = (enum cli_code)end.code;
}

static void enqueue(void *arg, struct auth_job *job) {
  if (jobs_n == JOBS) abort();
  jobs[jobs_n++] = job;
}

static void fill(void *arg, void *to, size_t n) {
  static uint64_t x = 88172645463325252u;
  for (size_t i = 0; i < n; i++) {
    x ^= x << 13, x ^= x >> 7, x ^= x << 17;
    ((uint8_t *)to)[i] = (uint8_t)(x >> 32);
  }
}

static int64_t wall(void *arg) { return 1700000000 + (int64_t)(now_ms / 1000); }

static void run(void) {
  while (jobs_n) {
    struct auth_job *j = jobs[0];
    memmove(jobs, jobs + 1, --jobs_n * sizeof *jobs);
    auth_finish(auth, j, now_ms);
  }
  auth_tick(auth, now_ms);
}

static void command(const char *words) {
  struct slice rest = slice_str(words);
  struct buf list, b;
  buf_init(&list, 1000), buf_init(&b, 1000);
  while (rest.p) ipc_list_put(&list, slice_split(&rest, ' '));
  cli_command_put(&b, &(struct cli_command){ buf_slice(&list) });
  done = CLI_CODES;
  if (!auth_message(auth, ROLE_CLI, CLI,
                    &(struct ipc_msg){ cli_command_type, 0, buf_slice(&b), -1 }, now_ms))
    abort();
  while (jobs_n) auth_work(jobs[0]), run();
  if (done != CLI_OK) abort();
  buf_free(&list), buf_free(&b);
}

static void open_all(void) {
  static const char *mechanisms[] = { "SCRAM-SHA-256-PLUS",
                                      "SCRAM-SHA-1-PLUS",
                                      "SCRAM-SHA-256",
                                      "SCRAM-SHA-1",
                                      "PLAIN",
                                      "LOGIN",
                                      "CRAM-MD5" };
  struct auth_shell shell = { .send = from_auth, .enqueue = enqueue, .random = fill, .wall = wall };
  struct buf err;
  buf_init(&err, 1024);
  disk = hostile_disk();
  conf = conf_defaults();
  conf->auth_mechanisms = (struct conf_list){ mechanisms, sizeof mechanisms / sizeof *mechanisms };
  auth = auth_new(disk, conf, &shell, &err);
  if (!auth) abort();
  buf_free(&err);
  command("account add a@example.org 42 {MD5-CRYPT}$1$.M0lhmhv$gI8oCFTt6AgX6YzZpeGC6.");
}

static void lost(size_t front) {
  auth_process_lost(auth, kinds[front], (uint32_t)front + 1);
  memset(fronts[front].state, 0, sizeof fronts[front].state);
}

static void take(const struct record *r) {
  struct ipc_msg m;
  unsigned what = r->what % 8;
  size_t front = what < 3 ? 0 : what < 5 ? 1 : r->which % FRONTS;
  if (what < 5) {
    bool ok = hostile_message(&fronts[front], r, &m) &&
              auth_message(auth, kinds[front], (uint32_t)front + 1, &m, now_ms);
    if (!ok) lost(front);
  } else if (what == 5) {
    run();
  } else if (what == 6) {
    now_ms += r->which * 100u;
    run();
  } else {
    lost(front);
  }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  static unsigned inputs;
  struct slice in = slice_of(data, size);
  struct record r;
  if (!auth) open_all();
  while (record_next(&in, &r)) take(&r);
  for (size_t i = 0; i < FRONTS; i++) lost(i);
  run();
  now_ms += 1000000;
  run();
  if (jobs_n || auth->left || auth->grants.count) abort();
  if (++inputs % INPUTS) return 0;
  auth_free(&auth);
  conf->auth_mechanisms = (struct conf_list){ 0 };
  conf_free(&conf);
  disk_posix_close(&disk);
  hostile_remove();
  hostile_path[0] = 0;
  return 0;
}
