/* SPDX-License-Identifier: ISC */
/* The process around auth's core: the loop, the threads that hash, the folder. */
#include "lib/base/sys.h"
#include "lib/json/json.h"
#include "lib/jwt/keys.h"
#include "runtime/role/process.h"
#include "src/auth/auth.h"
#include "src/auth/pool.h"
#include "src/roles.h"

#include <arpa/inet.h>
#include <sched.h>
#include <string.h>
#include <time.h>

struct auth_process {
  struct process *process;
  struct disk *disk;
  struct auth *auth;
  struct pool *pool;
  struct loop_io *wake;
  struct loop_timer *timer;
  uint64_t timer_at;
  struct buf token_keys; /* of the issuer, as read by the parent */
  unsigned processors;   /* counted before the process is confined: afterwards /sys cannot be
                          * read */
};

/* --- what the core asks for --- */

static void core_send(void *arg, enum role kind, uint32_t number, uint16_t type, uint64_t tag,
                      struct slice payload) {
  struct auth_process *s = arg;
  if (kind == ROLE_STORE) number = process_single(s->process, ROLE_STORE);
  process_send(s->process, kind, number, type, tag, payload, -1);
}

static void core_enqueue(void *arg, struct auth_job *job) {
  struct auth_process *s = arg;
  pool_put(s->pool, job);
}

static void core_random(void *arg, void *to, size_t n) { sys_random(to, n); }
static int64_t core_wall(void *arg) { return sys_wall_s(); }

static void core_warn(void *arg, const char *what, struct slice name) {
  struct auth_process *s = arg;
  struct log_line l;
  log_open(&l, &s->process->log, LOG_E_ACCOUNT);
  log_str(&l, LOG_F_NAME, name);
  log_cstr(&l, LOG_F_WHAT, what);
  log_end(&l);
}

static void core_refused(void *arg, const struct auth_refusal *r) {
  struct auth_process *s = arg;
  struct log_line l;
  char session[PROCESS_SESSION_NAME], address[INET6_ADDRSTRLEN] = "";
  process_session_name(s->process, r->front, r->session, session);
  inet_ntop(r->peer.n == 4 ? AF_INET : AF_INET6, r->peer.p, address, sizeof address);
  log_open(&l, &s->process->log, LOG_E_LOGIN_FAILED);
  log_cstr(&l, LOG_F_SESSION, session);
  log_cstr(&l, LOG_F_SERVICE, r->service);
  log_cstr(&l, LOG_F_CLIENT, address);
  log_str(&l, LOG_F_NAME, r->name);
  log_cstr(&l, LOG_F_MECHANISM, r->mechanism);
  log_cstr(&l, LOG_F_WHY, r->why);
  log_end(&l);
}

/* --- the loop --- */

/* To be called after everything that may have changed the due times. */
static void set_tick_timer(struct auth_process *s) {
  uint64_t now = loop_now(s->process->loop), due = auth_tick(s->auth, now);
  uint64_t quiet = auth_quiet(s->auth, now);
  if (quiet && (!due || quiet < due)) due = quiet;
  if (due == s->timer_at) return;
  s->timer_at = due;
  if (due)
    loop_timer_set(s->timer, due);
  else
    loop_timer_cancel(s->timer);
}

static void on_timer(void *arg) {
  struct auth_process *s = arg;
  s->timer_at = 0;
  set_tick_timer(s);
}

static void take_done(struct auth_process *s) {
  struct auth_job *job;
  while ((job = pool_done(s->pool))) auth_finish(s->auth, job, loop_now(s->process->loop));
}

static void on_wake(void *arg, int ready) {
  struct auth_process *s = arg;
  take_done(s);
  set_tick_timer(s);
}

/* --- the process --- */

static bool start_pool(struct auth_process *s, struct buf *err) {
  const struct conf *conf = s->process->conf;
  s->pool = pool_new(conf->auth_threads ? (unsigned)conf->auth_threads : s->processors);
  s->timer = loop_timer_new(s->process->loop, on_timer, s);
  if (s->pool) s->wake = loop_io_new(s->process->loop, pool_fd(s->pool), on_wake, s);
  if (s->pool && s->timer && s->wake) return true;
  buf_put_str(err, "the threads for password hashes could not be started");
  return false;
}

/* A key set with errors is logged and the former one stays: password logins continue. */
static void use_token_keys(struct auth_process *s) {
  struct buf err;
  buf_init(&err, 512);
  if (!auth_token_keys(s->auth, buf_slice(&s->token_keys), &err))
    process_refused(s->process, LOG_E_OAUTH_KEYS, "%.*s", SLICE_ARG(buf_slice(&err)));
  buf_free(&err);
}

static bool start(struct process *r, struct buf *err) {
  struct auth_process *s = r->arg;
  int error = 0;
  s->process = r;
  s->disk = disk_posix_open(r->folder, &error);
  if (!s->disk) {
    buf_printf(err, "the folder of the accounts can't be opened: %s", strerror(error));
    return false;
  }
  if (!start_pool(s, err)) return false;
  const struct auth_shell shell = {
    .arg = s,
    .send = core_send,
    .enqueue = core_enqueue,
    .random = core_random,
    .wall = core_wall,
    .warn = core_warn,
    .refused = core_refused,
    .threads = pool_threads(s->pool),
  };
  s->auth = auth_new(s->disk, r->conf, &shell, err);
  if (s->auth) use_token_keys(s);
  return s->auth != NULL;
}

static void token_keys(struct process *r, struct slice keys) {
  struct auth_process *s = r->arg;
  buf_reset(&s->token_keys);
  buf_put(&s->token_keys, keys);
  if (s->auth) use_token_keys(s);
}

static bool message(struct process *r, enum role kind, uint32_t number, const struct ipc_msg *msg,
                    uint8_t state) {
  struct auth_process *s = r->arg;
  bool ok = auth_message(s->auth, kind, number, msg, loop_now(r->loop));
  set_tick_timer(s);
  return ok;
}

static void peer_connected(struct process *r, enum role kind, uint32_t number, int fd) {
  struct auth_process *s = r->arg;
  if (s->auth) auth_process_connected(s->auth, kind, number);
}

static void peer_lost(struct process *r, enum role kind, uint32_t number) {
  struct auth_process *s = r->arg;
  auth_process_lost(s->auth, kind, number);
  set_tick_timer(s);
}

static void reload(struct process *r, const struct conf *before) {
  struct auth_process *s = r->arg;
  auth_reconfigure(s->auth, r->conf);
}

/* Hashes being computed are finished and answered; logins that only wait are answered "try
 * later". */
static void stop(struct process *r) {
  struct auth_process *s = r->arg;
  struct auth_job *job;
  while (pool_stop(s->pool), (job = pool_done(s->pool)))
    auth_finish(s->auth, job, loop_now(r->loop)); /* which may enqueue the next one */
  auth_free(&s->auth);
  loop_io_free(&s->wake);
  loop_timer_free(&s->timer);
  pool_free(&s->pool);
  disk_posix_close(&s->disk);
  buf_free(&s->token_keys);
  process_exit(r, 0);
}

/* Everything that reads files at its first use is used once before the process can no longer open
 * any: OpenSSL's configuration, the time zone. */
static void warm_up(struct auth_process *s) {
  uint8_t key[SEAL_KEY] = { 0 }, nonce[SEAL_NONCE] = { 0 }, digest[DIGEST_MAX];
  struct buf b;
  cpu_set_t cpus;
  buf_init(&b, 64);
  seal_put(key, nonce, SLICE_NONE, SLICE("x"), &b);
  digest_pbkdf2(DIGEST_SHA256, SLICE("x"), SLICE("x"), 1, digest);
  buf_free(&b);
  uint64_t seed;
  sys_random(&seed, sizeof seed);
  json_start(seed);
  tzset();
  int n = sched_getaffinity(0, sizeof cpus, &cpus) == 0 ? CPU_COUNT(&cpus) : 1;
  s->processors = n > 0 ? (unsigned)n : 1;
}

int auth_main(int argc, char **argv) {
  static const struct role_ops ops = {
    .kind = ROLE_AUTH,
    .start = start,
    .message = message,
    .peer_connected = peer_connected,
    .peer_lost = peer_lost,
    .token_keys = token_keys,
    .reload = reload,
    .stop = stop,
  };
  struct auth_process s = { 0 };
  buf_init(&s.token_keys, JWT_KEYS_TEXT_MAX);
  warm_up(&s);
  return process_run(&ops, &s);
}
