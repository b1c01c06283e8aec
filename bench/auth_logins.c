/* SPDX-License-Identifier: ISC */
/* What a login costs auth, and whether its time tells who exists. A report, never a test.
 *
 *   auth_logins [SAMPLES]    default 300; attacks.md AU-2 asks for 10000 (six minutes)
 *
 * The core runs in this process with its database on a real disk and its hashes inline; penalties
 * are off, so that the bare time is seen. Channels and threads are not part of the figures. */
#include "ipc/auth_store.h"
#include "ipc/cli_process.h"
#include "ipc/front_auth.h"
#include "lib/base/sys.h"
#include "src/auth/auth.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

static struct auth *core;
static uint64_t grant_tag;
static unsigned yes, no;

static void send_it(void *arg, enum role kind, uint32_t number, uint16_t type, uint64_t tag,
                    struct slice payload) {
  if (kind == ROLE_STORE) grant_tag = tag;
  yes += kind == ROLE_POP3D && type == auth_ok_type;
  no += kind == ROLE_POP3D && type == auth_fail_type;
}

static void inline_job(void *arg, struct auth_job *job) {
  auth_work(job);
  auth_finish(core, job, sys_mono_ms());
}

static void random_octets(void *arg, void *to, size_t n) { sys_random(to, n); }

static void tell(enum role kind, uint16_t type, uint64_t tag, struct buf *payload) {
  struct ipc_msg m = { .type = type, .tag = tag, .payload = buf_slice(payload), .fd = -1 };
  auth_message(core, kind, kind == ROLE_STORE ? 1 : 2, &m, sys_mono_ms());
  buf_reset(payload);
}

static void login(struct buf *b, const char *name, struct slice password) {
  static uint64_t tag;
  static const uint8_t peer[4] = { 127, 0, 0, 1 };
  grant_tag = 0;
  auth_login_put(b, &(struct auth_login){ slice_str(name), password, slice_of(peer, 4), true });
  tell(ROLE_POP3D, auth_login_type, ++tag, b);
  if (!grant_tag) return;
  auth_granted_put(b, &(struct auth_granted){ true });
  tell(ROLE_STORE, auth_granted_type, grant_tag, b);
}

static double clock_us(clockid_t id) {
  struct timespec t;
  clock_gettime(id, &t);
  return (double)t.tv_sec * 1e6 + (double)t.tv_nsec / 1e3;
}

static void cost(struct buf *b, struct conf *conf, const char *what, uint64_t cache_time,
                 unsigned n) {
  conf->auth_cache_time = cache_time;
  auth_reconfigure(core, conf);
  login(b, "tim@example.org", SLICE("tanstaaftanstaaf"));
  yes = 0;
  double cpu = clock_us(CLOCK_PROCESS_CPUTIME_ID);
  for (unsigned i = 0; i < n; i++) login(b, "tim@example.org", SLICE("tanstaaftanstaaf"));
  cpu = clock_us(CLOCK_PROCESS_CPUTIME_ID) - cpu;
  printf("%-34s %10.1f us of CPU a login   (%u logins)\n", what, cpu / n, yes);
}

struct sample {
  double sum, squares, n;
};

static void measure(struct buf *b, const char *name, unsigned nth, struct sample *s) {
  char password[32];
  /* a new one: one known to be wrong costs no hash */
  snprintf(password, sizeof password, "wrong-%u", nth);
  double us = clock_us(CLOCK_MONOTONIC);
  login(b, name, slice_str(password));
  us = clock_us(CLOCK_MONOTONIC) - us;
  s->sum += us;
  s->squares += us * us;
  s->n++;
}

static double variance(const struct sample *s) {
  return (s->squares - s->sum * s->sum / s->n) / (s->n - 1);
}

/* Welch's t: beyond about 3 the two could be told apart with this many samples. */
static void compare(struct buf *b, unsigned n) {
  struct sample known = { 0 }, unknown = { 0 };
  for (unsigned i = 0; i < n; i++) {
    measure(b, i % 2 ? "tim@example.org" : "tom@example.org", 2 * i, i % 2 ? &known : &unknown);
    measure(b, i % 2 ? "tom@example.org" : "tim@example.org", 2 * i + 1, i % 2 ? &unknown : &known);
  }
  double a = known.sum / n, c = unknown.sum / n;
  printf("%-34s %10.1f us, standard deviation %.1f\n", "a wrong password takes", a,
         sqrt(variance(&known)));
  printf("%-34s %10.1f us, standard deviation %.1f\n", "an unknown name takes", c,
         sqrt(variance(&unknown)));
  printf("%-34s %10.2f   (%u samples each)\n", "Welch's t",
         (a - c) / sqrt(variance(&known) / n + variance(&unknown) / n), n);
}

static void add_account(struct buf *b) {
  static const char *const words[] = { "account", "add", "tim@example.org", "1",
                                       "tanstaaftanstaaf" };
  struct buf list;
  buf_init(&list, 1024);
  for (size_t i = 0; i < 5; i++) ipc_list_put(&list, slice_str(words[i]));
  cli_command_put(b, &(struct cli_command){ buf_slice(&list) });
  tell(ROLE_CLI, cli_command_type, 0, b);
  buf_free(&list);
}

int main(int argc, char **argv) {
  char folder[] = "/tmp/qasid-bench-XXXXXX", command[64];
  unsigned n = argc > 1 ? (unsigned)strtoul(argv[1], NULL, 10) : 300;
  int error = 0;
  struct buf b;
  buf_init(&b, 4096);
  struct disk *disk = mkdtemp(folder) ? disk_posix_open(folder, &error) : NULL;
  struct conf *conf = conf_defaults();
  const struct auth_shell shell = { .send = send_it,
                                    .enqueue = inline_job,
                                    .random = random_octets };
  if (!disk || !conf || !n) return 1;
  conf->auth_penalty_most = 0;
  core = auth_new(disk, conf, &shell, &b);
  if (!core) return 1;
  add_account(&b);
  cost(&b, conf, "right password, not remembered", 0, n);
  cost(&b, conf, "right password, remembered", 300, 200000);
  compare(&b, n);
  auth_free(&core);
  disk_posix_close(&disk);
  conf_free(&conf);
  buf_free(&b);
  snprintf(command, sizeof command, "rm -r %s", folder);
  return system(command);
}
