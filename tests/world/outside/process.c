#include "tests/world/outside/process.h"

#include <stdarg.h>
#include <stdio.h>
#include <unistd.h>

#include "lib/base/sys.h"
#include "tests/world/must.h"
#include "tests/world/outside/net.h"

/* --- turns --- */

bool process_in(struct process *p) { return p->lives && !p->room.over && !world_died(p->world); }

void process_out(struct process *p) {
  struct loop *l = &p->loop;
  for (int i = 0; l->first && !p->room.over; i++) {
    struct loop_later *d = l->first;
    l->first = d->next;
    if (!l->first) l->last = &l->first;
    d->queued = false;
    d->fn(d->arg);
    if (i == LATERS_MAX) {
      world_fail(p->world, "%s: no end of a turn", room_name(p->ops->kind));
      return;
    }
  }
  if (p->room.over) world_kill_soon(p->world, p->ops->kind);
}

/* --- the world's guest --- */

static void boot(void *arg) {
  struct process *p = arg;
  p->loop = (struct loop){ .process = p };
  p->loop.last = &p->loop.first;
  p->room = (struct room){ .ops = p->ops, .kind = p->ops->kind, .number = 1, .loop = &p->loop, .running = true };
  p->room.conf = (struct conf *)(uintptr_t)world_conf(p->world);
  p->room.log = *world_log(p->world);
  p->lives = true;
  p->make(p);
}

static void halt(void *arg) {
  struct process *p = arg;
  if (!p->lives) return;
  p->lives = false;
  p->end(p);
  if (p->loop.first) world_fail(p->world, "%s: something stays on the loop", room_name(p->ops->kind));
  p->room.arg = NULL;
}

static void joined(void *arg, enum room_kind kind, uint32_t number) {
  struct process *p = arg;
  if (!process_in(p)) return;
  if (p->ops->peer_joined) p->ops->peer_joined(&p->room, kind, number, -1);
  process_out(p);
}

static void lost(void *arg, enum room_kind kind, uint32_t number) {
  struct process *p = arg;
  if (!process_in(p)) return;
  if (p->ops->peer_lost) p->ops->peer_lost(&p->room, kind, number);
  process_out(p);
}

static bool message(void *arg, enum room_kind kind, uint32_t number, const struct ipc_msg *msg) {
  struct process *p = arg;
  if (!process_in(p)) return true;
  bool good = p->ops->message(&p->room, kind, number, msg, 0);
  process_out(p);
  return good;
}

void process_join(struct process *p) {
  p->guest = (struct world_guest){ boot, halt, joined, lost, message, p };
  world_guest_add(p->world, p->ops->kind, &p->guest);
}

/* --- lib/room/room.h --- */

static struct process *process_of(struct room *r) {
  return (struct process *)(void *)((char *)r - offsetof(struct process, room));
}

void room_send(struct room *r, enum room_kind kind, uint32_t number, uint16_t type, uint64_t tag, struct slice payload,
               int fd) {
  struct process *p = process_of(r);
  if (fd >= 0) world_fail(p->world, "%s sent a descriptor", room_name(r->kind));
  if (p->lives) world_guest_send(p->world, r->kind, kind, number, type, tag, payload);
}

uint32_t room_single(struct room *r, enum room_kind kind) {
  struct process *p = process_of(r);
  return p->lives ? world_neighbour(p->world, r->kind, kind) : 0;
}

void room_exit(struct room *r, int code) {
  r->exit_code = code;
  r->over = true;
}

/* Memory does not run out here, so a process has no reason to give up. */
void room_fail(struct room *r, const char *fmt, ...) {
  char text[400];
  va_list ap;
  va_start(ap, fmt);
  vsnprintf(text, sizeof text, fmt, ap);
  va_end(ap);
  world_fail(process_of(r)->world, "%s gave up: %s", room_name(r->kind), text);
  room_exit(r, 75);
}

void room_refused(struct room *r, enum log_event event, const char *fmt, ...) { abort(); }
struct channel *room_channel_to(struct room *r, enum room_kind kind, uint32_t number) { abort(); }
void room_session_name(const struct room *r, uint32_t number, uint64_t id, char to[ROOM_SESSION_NAME]) { abort(); }
void room_log_setup(struct log *log, const struct conf *conf) { abort(); }
int room_run(const struct room_ops *ops, void *arg) { abort(); }

/* --- lib/ev/loop.h --- */

uint64_t loop_now(struct loop *l) { return world_now(l->process->world); }
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
  struct process *p = t->loop->process;
  if (!process_in(p)) return;
  t->fn(t->arg);
  process_out(p);
}

struct loop_timer *loop_timer_new(struct loop *l, void (*fn)(void *arg), void *arg) {
  struct loop_timer *t = must_alloc(sizeof *t);
  *t = (struct loop_timer){ l, fn, arg };
  return t;
}

void loop_timer_set(struct loop_timer *t, uint64_t at_ms) {
  struct world *w = t->loop->process->world;
  uint64_t now = world_now(w);
  world_cancel(w, t);
  world_after(w, at_ms > now ? at_ms - now : 0, on_timer, t);
}

void loop_timer_cancel(struct loop_timer *t) { world_cancel(t->loop->process->world, t); }

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

int process_io_wants(const struct loop_io *io) { return io->want; }

void process_io(struct loop_io *io, int ready) {
  struct process *p = io->loop->process;
  if (!process_in(p)) return;
  io->fn(io->arg, ready);
  process_out(p);
}
