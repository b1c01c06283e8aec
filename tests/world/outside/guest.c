/* SPDX-License-Identifier: ISC */
#include "tests/world/outside/guest.h"

#include <stdarg.h>
#include <stdio.h>
#include <unistd.h>

#include "lib/base/sys.h"
#include "tests/world/must.h"
#include "tests/world/outside/net.h"

/* --- turns --- */

/* What it sent before it ended arrives: the kernel keeps it. */
enum { LAST_WORDS_MS = 1000 };

static void has_ended(void *arg) {
  struct guest *p = arg;
  world_kill(p->world, p->ops->kind);
}

bool guest_in(struct guest *p) { return p->lives && !p->process.over && !world_died(p->world); }

void guest_out(struct guest *p) {
  struct loop *l = &p->loop;
  for (int i = 0; l->first && !p->process.over; i++) {
    struct loop_later *d = l->first;
    l->first = d->next;
    if (!l->first) l->last = &l->first;
    d->queued = false;
    d->fn(d->arg);
    if (i == LATERS_MAX) {
      world_fail(p->world, "%s: no end of a turn", role_name(p->ops->kind));
      return;
    }
  }
  if (!p->process.over) return;
  world_cancel(p->world, p);
  if (p->process.exit_code)
    world_kill_soon(p->world, p->ops->kind);
  else
    world_after(p->world, LAST_WORDS_MS, has_ended, p);
}

/* --- the world's guest --- */

static void boot(void *arg) {
  struct guest *p = arg;
  p->loop = (struct loop){ .guest = p };
  p->loop.last = &p->loop.first;
  p->process = (struct process){
    .ops = p->ops, .kind = p->ops->kind, .number = 1, .loop = &p->loop, .running = true
  };
  p->process.conf = (struct conf *)(uintptr_t)world_conf(p->world);
  p->process.log = *world_log(p->world);
  p->lives = true;
  p->make(p);
}

static void halt(void *arg) {
  struct guest *p = arg;
  world_cancel(p->world, p);
  if (!p->lives) return;
  p->lives = false;
  p->end(p);
  if (p->loop.first)
    world_fail(p->world, "%s: something stays on the loop", role_name(p->ops->kind));
  p->process.arg = NULL;
}

static void joined(void *arg, enum role kind, uint32_t number) {
  struct guest *p = arg;
  if (!guest_in(p)) return;
  if (p->ops->peer_connected) p->ops->peer_connected(&p->process, kind, number, -1);
  guest_out(p);
}

static void lost(void *arg, enum role kind, uint32_t number) {
  struct guest *p = arg;
  if (!guest_in(p)) return;
  if (p->ops->peer_lost) p->ops->peer_lost(&p->process, kind, number);
  guest_out(p);
}

static bool message(void *arg, enum role kind, uint32_t number, const struct ipc_msg *msg) {
  struct guest *p = arg;
  if (!guest_in(p)) return true;
  bool good = p->ops->message(&p->process, kind, number, msg, 0);
  guest_out(p);
  return good;
}

void guest_join(struct guest *p) {
  p->guest = (struct world_guest){ boot, halt, joined, lost, message, p };
  world_guest_add(p->world, p->ops->kind, &p->guest);
}

/* --- runtime/role/process.h --- */

static struct guest *guest_of(struct process *r) {
  return (struct guest *)(void *)((char *)r - offsetof(struct guest, process));
}

void process_send(struct process *r, enum role kind, uint32_t number, uint16_t type, uint64_t tag,
                  struct slice payload, int fd) {
  struct guest *p = guest_of(r);
  if (fd >= 0) world_fail(p->world, "%s sent a descriptor", role_name(r->kind));
  if (p->lives) world_guest_send(p->world, r->kind, kind, number, type, tag, payload);
}

uint32_t process_single(struct process *r, enum role kind) {
  struct guest *p = guest_of(r);
  return p->lives ? world_neighbour(p->world, r->kind, kind) : 0;
}

void process_exit(struct process *r, int code) {
  r->exit_code = code;
  r->over = true;
}

/* Memory does not run out here, so a process has no reason to give up. */
void process_fail(struct process *r, const char *fmt, ...) {
  char text[400];
  va_list ap;
  va_start(ap, fmt);
  vsnprintf(text, sizeof text, fmt, ap);
  va_end(ap);
  world_fail(guest_of(r)->world, "%s gave up: %s", role_name(r->kind), text);
  process_exit(r, 75);
}

void process_refused(struct process *r, enum log_event event, const char *fmt, ...) { abort(); }
struct channel *process_channel_to(struct process *r, enum role kind, uint32_t number) {
  abort();
}
void process_session_name(const struct process *r, uint32_t number, uint64_t id,
                          char to[PROCESS_SESSION_NAME]) {
  abort();
}
void process_log_setup(struct log *log, const struct conf *conf) { abort(); }
int process_run(const struct role_ops *ops, void *arg) { abort(); }

/* --- lib/ev/loop.h --- */

uint64_t loop_now(struct loop *l) { return world_now(l->guest->world); }
void loop_refresh(struct loop *l) {}

void loop_later(struct loop *l, struct loop_later *d) {
  if (d->queued) return;
  d->queued = true;
  d->next = NULL;
  *l->last = d;
  l->last = &d->next;
}

void loop_later_cancel(struct loop *l, struct loop_later *d) {
  if (!d->queued) return;
  struct loop_later **at = &l->first;
  while (*at != d) at = &(*at)->next;
  *at = d->next;
  if (!d->next) l->last = at;
  d->queued = false;
}

struct loop_timer {
  struct loop *loop;
  void (*fn)(void *arg);
  void *arg;
};

static void on_timer(void *arg) {
  struct loop_timer *t = arg;
  struct guest *p = t->loop->guest;
  if (!guest_in(p)) return;
  t->fn(t->arg);
  guest_out(p);
}

struct loop_timer *loop_timer_new(struct loop *l, void (*fn)(void *arg), void *arg) {
  struct loop_timer *t = must_alloc(sizeof *t);
  *t = (struct loop_timer){ l, fn, arg };
  return t;
}

void loop_timer_set(struct loop_timer *t, uint64_t at_ms) {
  struct world *w = t->loop->guest->world;
  uint64_t now = world_now(w);
  world_cancel(w, t);
  world_after(w, at_ms > now ? at_ms - now : 0, on_timer, t);
}

void loop_timer_cancel(struct loop_timer *t) { world_cancel(t->loop->guest->world, t); }

void loop_timer_free(struct loop_timer **t) {
  if (!*t) return;
  loop_timer_cancel(*t);
  free(*t);
  *t = NULL;
}

struct loop_io {
  struct loop *loop;
  int fd, want;
  void (*fn)(void *arg, int ready);
  void *arg;
};

struct loop_io *loop_io_new(struct loop *l, int fd, void (*fn)(void *arg, int ready), void *arg) {
  struct loop_io *io = must_alloc(sizeof *io);
  *io = (struct loop_io){ l, fd, LOOP_READ, fn, arg };
  net_watch(fd, io);
  return io;
}

void loop_io_want(struct loop_io *io, int want) {
  io->want = want;
  net_watch(io->fd, io);
}

void loop_io_free(struct loop_io **io) {
  if (!*io) return;
  net_watch((*io)->fd, NULL);
  free(*io);
  *io = NULL;
}

int guest_io_wants(const struct loop_io *io) { return io->want; }

void guest_io(struct loop_io *io, int ready) {
  struct guest *p = io->loop->guest;
  if (!guest_in(p)) return;
  io->fn(io->arg, ready);
  guest_out(p);
}
