/* SPDX-License-Identifier: ISC */
/* The process around the store's core: the loop, the threads with the database, the folder.
 *
 * If the disk fails, the process answers every outstanding job with "try later" and exits; the
 * parent starts it again from what is on the disk. */
#include <stdlib.h>
#include <string.h>

#include "lib/base/sys.h"
#include "runtime/role/process.h"
#include "src/roles.h"
#include "src/store/workers.h"

enum {
  /* A command whose output the command line has not read yet waits, and is checked every
   * PARKED_MS. */
  BACKLOG_MAX = 4 * 1024 * 1024,
  PARKED_MS = 10,
};

struct store_process {
  struct process *process;
  struct disk *disk;
  struct store *store;
  struct workers *workers;
  struct loop_io *wake;
  struct loop_timer *timer, *housekeeping, *due, *tick;
  bool ticking;
  struct loop_later later, broken;
  struct job_line writes, reads, slow; /* of this turn */
  struct job_line parked;
};

/* --- what the core asks for --- */

static void core_send(void *arg, enum role kind, uint32_t number, uint16_t type, uint64_t tag,
                      struct slice payload, int fd) {
  struct store_process *s = arg;
  process_send(s->process, kind, number, type, tag, payload, fd);
}

static void core_set_state(void *arg, enum role kind, uint32_t number, uint64_t tag,
                           uint8_t state) {
  struct store_process *s = arg;
  struct channel *ch = process_channel_to(s->process, kind, number);
  if (ch) channel_set_state(ch, tag, state);
}

static bool must_wait(struct store_process *s, const struct store_job *job) {
  uint32_t number = store_job_command_line(job);
  struct channel *ch = number ? process_channel_to(s->process, ROLE_CLI, number) : NULL;
  return ch && channel_backlog(ch) > BACKLOG_MAX;
}

static void core_enqueue(void *arg, struct store_job *job, bool is_write) {
  struct store_process *s = arg;
  if (!is_write && store_job_is_slow(job) && must_wait(s, job)) {
    if (!s->parked.first) loop_timer_set(s->timer, loop_now(s->process->loop) + PARKED_MS);
    job_line_put(&s->parked, job);
    return;
  }
  job_line_put(is_write ? &s->writes : store_job_is_slow(job) ? &s->slow : &s->reads, job);
  loop_later(s->process->loop, &s->later);
}

static void core_wake_at(void *arg, int64_t at_s) {
  struct store_process *s = arg;
  int64_t wait_s = at_s - sys_wall_s();
  if (!s->due) return;
  if (at_s == INT64_MAX)
    loop_timer_cancel(s->due);
  else
    loop_timer_set(s->due, loop_now(s->process->loop) + (uint64_t)(wait_s > 0 ? wait_s : 0) * 1000);
}

static void core_random(void *arg, void *to, size_t n) { sys_random(to, n); }

/* --- the loop --- */

/* At the end of a turn: hands all jobs of the turn to the threads together. */
static void hand_over(void *arg) {
  struct store_process *s = arg;
  workers_put(s->workers, &s->writes, &s->reads, &s->slow);
}

static void unpark(void *arg) {
  struct store_process *s = arg;
  struct store_job *job = s->parked.first, *next;
  s->parked = (struct job_line){ NULL, NULL };
  for (; job; job = next) {
    next = store_job_next(job);
    core_enqueue(s, job, false);
  }
}

static void on_housekeeping(void *arg) {
  struct store_process *s = arg;
  store_housekeeping(s->store, sys_wall_s());
  loop_timer_set(s->housekeeping, loop_now(s->process->loop) + STORE_TIDY_EVERY_S * 1000);
}

static void on_due(void *arg) {
  struct store_process *s = arg;
  store_due(s->store, sys_wall_s());
}

static void on_tick(void *arg);

/* While a login waits for a maildrop there is a tick each second. */
static void look_at_waiters(struct store_process *s) {
  if (s->ticking || !store_waits(s->store)) return;
  s->ticking = true;
  loop_timer_set(s->tick, loop_now(s->process->loop) + 1000);
}

static void on_tick(void *arg) {
  struct store_process *s = arg;
  s->ticking = false;
  store_tick(s->store);
  look_at_waiters(s);
}

static void finish_done(struct store_process *s) {
  for (struct store_job *job = workers_done(s->workers), *next; job; job = next) {
    next = store_job_next(job);
    store_finish(s->store, job);
  }
}

/* Waits until every outstanding job was answered. Commands in progress are ended early. */
static void drain(struct store_process *s) {
  store_stop(s->store);
  while (store_jobs_out(s->store)) {
    unpark(s);
    hand_over(s);
    workers_wait(s->workers);
    finish_done(s);
  }
}

static void stop_if_broken(struct store_process *s) {
  if (!workers_broken(s->workers) && !store_broken(s->store)) return;
  drain(s);
  process_fail(s->process,
               "the disk of the mail failed: the store starts again from what can be read back");
}

static void restart_if_asked(struct store_process *s) {
  if (!store_restarts(s->store) || s->process->over) return;
  drain(s);
  process_again(s->process, "the store starts again to compact its databases, as was asked for");
}

static void on_wake(void *arg, int ready) {
  struct store_process *s = arg;
  finish_done(s);
  stop_if_broken(s);
  restart_if_asked(s);
}

/* Not inside the message that met the failure. */
static void on_broken(void *arg) { stop_if_broken(arg); }

/* --- the process --- */

static bool start_threads(struct store_process *s, struct buf *err) {
  s->workers = workers_new(s->disk, s->process->conf, err);
  if (!s->workers) return false;
  s->timer = loop_timer_new(s->process->loop, unpark, s);
  s->wake = loop_io_new(s->process->loop, workers_fd(s->workers), on_wake, s);
  s->housekeeping = loop_timer_new(s->process->loop, on_housekeeping, s);
  s->due = loop_timer_new(s->process->loop, on_due, s);
  s->tick = loop_timer_new(s->process->loop, on_tick, s);
  if (!s->timer || !s->wake || !s->housekeeping || !s->due || !s->tick) {
    buf_put_str(err, "out of memory");
    return false;
  }
  loop_timer_set(s->housekeeping, loop_now(s->process->loop) + STORE_TIDY_EVERY_S * 1000);
  return true;
}

static void core_advances(void *arg) { process_advances(((struct store_process *)arg)->process); }

static bool start(struct process *r, struct buf *err) {
  struct store_process *s = r->arg;
  const struct store_shell shell = { s,       core_send,    core_enqueue, core_set_state,
                                     &r->log, core_wake_at, core_random,  core_advances };
  int error = 0;
  s->process = r;
  s->later = (struct loop_later){ .fn = hand_over, .arg = s };
  s->broken = (struct loop_later){ .fn = on_broken, .arg = s };
  s->disk = disk_posix_open(r->folder, &error);
  if (!s->disk) {
    buf_printf(err, "the folder of the mail can't be opened: %s", strerror(error));
    return false;
  }
  s->store = store_new(s->disk, r->conf, &shell, err);
  return s->store && start_threads(s, err);
}

static bool message(struct process *r, enum role kind, uint32_t number, const struct ipc_msg *msg,
                    uint8_t state) {
  struct store_process *s = r->arg;
  bool good = store_message(s->store, kind, number, msg, sys_wall_s());
  look_at_waiters(s);
  if (store_broken(s->store)) loop_later(s->process->loop, &s->broken);
  return good;
}

static void peer_lost(struct process *r, enum role kind, uint32_t number) {
  struct store_process *s = r->arg;
  /* not before the start, not after the stop */
  if (s->store) store_process_lost(s->store, kind, number);
}

static void reload(struct process *r, const struct conf *before) {
  struct store_process *s = r->arg;
  store_reconfigure(s->store, r->conf);
}

static void stop(struct process *r) {
  struct store_process *s = r->arg;
  drain(s);
  loop_later_cancel(r->loop, &s->later);
  loop_later_cancel(r->loop, &s->broken);
  loop_io_free(&s->wake);
  loop_timer_free(&s->timer);
  loop_timer_free(&s->housekeeping);
  loop_timer_free(&s->due);
  loop_timer_free(&s->tick);
  workers_free(&s->workers);
  store_free(&s->store);
  disk_posix_close(&s->disk);
  process_exit(r, 0);
}

int store_main(int argc, char **argv) {
  static const struct role_ops ops = {
    .kind = ROLE_STORE,
    .start = start,
    .message = message,
    .peer_lost = peer_lost,
    .reload = reload,
    .stop = stop,
  };
  struct store_process s = { 0 };
  return process_run(&ops, &s);
}
