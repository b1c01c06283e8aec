/* SPDX-License-Identifier: ISC */
/* The event loop on libevent's core: descriptors, timers, signals, and work deferred to the end
 * of a turn.
 * Invariants: callbacks run from loop_run() only; each turn waits for events once, runs their
 * callbacks, then runs the deferred list until it is empty (a deferred call may add another);
 * loop_now() is constant within a turn unless loop_refresh() is called. The list's tail pointer
 * always points at its last link. */
#include "lib/ev/loop.h"

#include "lib/base/sys.h"

#include <event2/event.h>
#include <stdlib.h>

struct loop {
  struct event_base *base;
  struct loop_later *later, **later_tail;
  uint64_t now;
  bool fresh; /* `now` was read in this turn */
  bool stop;
  void *scratch;
  size_t scratch_size;
};

struct loop_io {
  struct loop *loop;
  struct event *event;
  void (*fn)(void *, int);
  void *arg;
  int fd, want;
};

struct loop_timer {
  struct loop *loop;
  struct event *event;
  void (*fn)(void *);
  void *arg;
};

struct loop_signal {
  struct loop *loop;
  struct event *event;
  void (*fn)(void *, int);
  void *arg;
};

struct loop *loop_new(void) {
  struct loop *l = calloc(1, sizeof *l);
  struct event_config *cfg = event_config_new();
  if (l && cfg) {
    event_config_set_flag(cfg, EVENT_BASE_FLAG_NOLOCK | EVENT_BASE_FLAG_IGNORE_ENV);
    event_config_require_features(cfg, EV_FEATURE_O1);
    l->base = event_base_new_with_config(cfg);
    l->later_tail = &l->later;
  }
  if (cfg) event_config_free(cfg);
  if (l && !l->base) loop_free(&l);
  return l;
}

void loop_free(struct loop **l) {
  if (!*l) return;
  if ((*l)->base) event_base_free((*l)->base);
  free((*l)->scratch);
  free(*l);
  *l = NULL;
}

static void run_later(struct loop *l) {
  while (l->later) {
    struct loop_later *d = l->later;
    l->later = d->next;
    if (!l->later) l->later_tail = &l->later;
    d->queued = false;
    d->fn(d->arg);
  }
}

void loop_run(struct loop *l) {
  l->stop = false;
  run_later(l);
  while (!l->stop) {
    l->fresh = false;
    if (event_base_loop(l->base, EVLOOP_ONCE) != 0) break;
    run_later(l);
  }
}

void loop_stop(struct loop *l) { l->stop = true; }

void loop_refresh(struct loop *l) {
  l->now = sys_mono_ms();
  l->fresh = true;
}

uint64_t loop_now(struct loop *l) {
  if (!l->fresh) loop_refresh(l);
  return l->now;
}

void *loop_scratch(struct loop *l, size_t n) {
  if (n > l->scratch_size) {
    free(l->scratch);
    l->scratch = malloc(n);
    l->scratch_size = l->scratch ? n : 0;
  }
  return l->scratch;
}

static void on_io(evutil_socket_t fd, short what, void *arg) {
  struct loop_io *io = arg;
  io->fn(io->arg, (what & EV_READ ? LOOP_READ : 0) | (what & EV_WRITE ? LOOP_WRITE : 0));
}

struct loop_io *loop_io_new(struct loop *l, int fd, void (*fn)(void *, int), void *arg) {
  struct loop_io *io = calloc(1, sizeof *io);
  if (!io) return NULL;
  *io = (struct loop_io){ .loop = l, .fn = fn, .arg = arg, .fd = fd };
  io->event = event_new(l->base, fd, EV_READ | EV_PERSIST, on_io, io);
  if (!io->event || event_add(io->event, NULL) != 0) {
    loop_io_free(&io);
    return NULL;
  }
  io->want = LOOP_READ;
  return io;
}

void loop_io_want(struct loop_io *io, int want) {
  if (want == io->want) return;
  if (io->want) event_del(io->event);
  io->want = want;
  if (!want) return;
  short what =
      (short)(EV_PERSIST | (want & LOOP_READ ? EV_READ : 0) | (want & LOOP_WRITE ? EV_WRITE : 0));
  event_assign(io->event, io->loop->base, io->fd, what, on_io, io);
  event_add(io->event, NULL);
}

void loop_io_free(struct loop_io **io) {
  if (!*io) return;
  if ((*io)->event) event_free((*io)->event);
  free(*io);
  *io = NULL;
}

static void on_timer(evutil_socket_t fd, short what, void *arg) {
  struct loop_timer *t = arg;
  t->fn(t->arg);
}

struct loop_timer *loop_timer_new(struct loop *l, void (*fn)(void *), void *arg) {
  struct loop_timer *t = calloc(1, sizeof *t);
  if (!t) return NULL;
  *t = (struct loop_timer){ .loop = l, .fn = fn, .arg = arg };
  t->event = event_new(l->base, -1, 0, on_timer, t);
  if (!t->event) loop_timer_free(&t);
  return t;
}

void loop_timer_set(struct loop_timer *t, uint64_t at_ms) {
  uint64_t now = loop_now(t->loop), wait = at_ms > now ? at_ms - now : 0;
  struct timeval tv = { (time_t)(wait / 1000), (suseconds_t)(wait % 1000 * 1000) };
  event_add(t->event, &tv);
}

void loop_timer_cancel(struct loop_timer *t) { event_del(t->event); }

void loop_timer_free(struct loop_timer **t) {
  if (!*t) return;
  if ((*t)->event) event_free((*t)->event);
  free(*t);
  *t = NULL;
}

static void on_signal(evutil_socket_t signo, short what, void *arg) {
  struct loop_signal *s = arg;
  s->fn(s->arg, (int)signo);
}

struct loop_signal *loop_signal_new(struct loop *l, int signo, void (*fn)(void *, int), void *arg) {
  struct loop_signal *s = calloc(1, sizeof *s);
  if (!s) return NULL;
  *s = (struct loop_signal){ .loop = l, .fn = fn, .arg = arg };
  s->event = evsignal_new(l->base, signo, on_signal, s);
  if (!s->event || event_add(s->event, NULL) != 0) loop_signal_free(&s);
  return s;
}

void loop_signal_free(struct loop_signal **s) {
  if (!*s) return;
  if ((*s)->event) event_free((*s)->event);
  free(*s);
  *s = NULL;
}

void loop_later(struct loop *l, struct loop_later *d) {
  if (d->queued) return;
  d->queued = true;
  d->next = NULL;
  *l->later_tail = d;
  l->later_tail = &d->next;
}

void loop_later_cancel(struct loop *l, struct loop_later *d) {
  if (!d->queued) return;
  struct loop_later **at = &l->later;
  while (*at != d) at = &(*at)->next;
  *at = d->next;
  if (!d->next) l->later_tail = at;
  d->queued = false;
}
