/* SPDX-License-Identifier: ISC */
/* libunbound's event interface on our loop. An event is a descriptor, a time-out, or both; it fires
 * once unless it persists. libunbound may free an event inside its callback, so the event is not
 * touched after the call. */
#include "lib/dns/events.h"

#include <netinet/in.h>
#include <sys/time.h>

#include <stdlib.h>
#include <unbound.h>
#include <unbound-event.h>

struct base {
  struct ub_event_base super;
  struct loop *loop;
};

struct event {
  struct ub_event super;
  struct loop *loop;
  int fd;
  short bits;
  void (*fn)(int, short, void *);
  void *arg;
  struct loop_io *io;
  struct loop_timer *timer;
  uint64_t timeout_ms; /* of a time-out that is set */
  bool timed;
};

static struct event *of(struct ub_event *e) { return (struct event *)e; }

static void quiet(struct event *e) {
  loop_io_free(&e->io);
  if (e->timer) loop_timer_cancel(e->timer);
}

static void fire(struct event *e, short what) {
  if (!(e->bits & UB_EV_PERSIST))
    quiet(e);
  else if (e->timed && e->timer)
    loop_timer_set(e->timer, loop_now(e->loop) + e->timeout_ms);
  e->fn(e->fd, what, e->arg);
}

static void on_io(void *arg, int ready) {
  fire(arg, (short)((ready & LOOP_READ ? UB_EV_READ : 0) | (ready & LOOP_WRITE ? UB_EV_WRITE : 0)));
}

static void on_timer(void *arg) { fire(arg, UB_EV_TIMEOUT); }

static bool watch(struct event *e) {
  int want = (e->bits & UB_EV_READ ? LOOP_READ : 0) | (e->bits & UB_EV_WRITE ? LOOP_WRITE : 0);
  if (e->fd < 0 || !want) return true;
  if (!e->io) e->io = loop_io_new(e->loop, e->fd, on_io, e);
  if (e->io) loop_io_want(e->io, want);
  return e->io != NULL;
}

static int add(struct ub_event *ev, struct timeval *tv) {
  struct event *e = of(ev);
  e->timed = tv != NULL;
  if (tv) {
    if (!e->timer) e->timer = loop_timer_new(e->loop, on_timer, e);
    if (!e->timer) return -1;
    e->timeout_ms = (uint64_t)tv->tv_sec * 1000 + (uint64_t)tv->tv_usec / 1000;
    loop_timer_set(e->timer, loop_now(e->loop) + e->timeout_ms);
  }
  return watch(e) ? 0 : -1;
}

static int del(struct ub_event *ev) {
  quiet(of(ev));
  return 0;
}

static int add_timer(struct ub_event *ev, struct ub_event_base *base,
                     void (*fn)(int, short, void *), void *arg, struct timeval *tv) {
  (void)base;
  struct event *e = of(ev);
  e->fn = fn;
  e->arg = arg;
  return add(ev, tv);
}

static void add_bits(struct ub_event *ev, short bits) {
  quiet(of(ev));
  of(ev)->bits |= bits;
}

static void del_bits(struct ub_event *ev, short bits) {
  quiet(of(ev));
  of(ev)->bits &= (short)~bits;
}

static void set_fd(struct ub_event *ev, int fd) {
  quiet(of(ev));
  of(ev)->fd = fd;
}

static void event_free(struct ub_event *ev) {
  struct event *e = of(ev);
  loop_io_free(&e->io);
  loop_timer_free(&e->timer);
  free(e);
}

static void no_wait(struct ub_event *ev, int bit) { (void)ev, (void)bit; }

static const struct ub_event_vmt event_vmt = {
  .add_bits = add_bits,
  .del_bits = del_bits,
  .set_fd = set_fd,
  .free = event_free,
  .add = add,
  .del = del,
  .add_timer = add_timer,
  .del_timer = del,
  .add_signal = add,
  .del_signal = del,
  .winsock_unregister_wsaevent = event_free,
  .winsock_tcp_wouldblock = no_wait,
};

static struct ub_event *new_event(struct ub_event_base *base, int fd, short bits,
                                  void (*fn)(int, short, void *), void *arg) {
  struct event *e = calloc(1, sizeof *e);
  if (!e) return NULL;
  *e = (struct event){ .super = { UB_EVENT_MAGIC, (struct ub_event_vmt *)(uintptr_t)&event_vmt },
                       .loop = ((struct base *)base)->loop,
                       .fd = fd,
                       .bits = bits,
                       .fn = fn,
                       .arg = arg };
  return &e->super;
}

/* According to its documentation libunbound never calls these. */
static struct ub_event *no_signal(struct ub_event_base *base, int fd,
                                  void (*fn)(int, short, void *), void *arg) {
  (void)base, (void)fd, (void)fn, (void)arg;
  return NULL;
}
static struct ub_event *no_wsa(struct ub_event_base *base, void *ev, void (*fn)(int, short, void *),
                               void *arg) {
  (void)base, (void)ev, (void)fn, (void)arg;
  return NULL;
}
static void no_free(struct ub_event_base *base) { (void)base; }
static int no_dispatch(struct ub_event_base *base) { return base ? -1 : 0; }
static int no_exit(struct ub_event_base *base, struct timeval *tv) { return base || tv ? 0 : -1; }

static const struct ub_event_base_vmt base_vmt = {
  .free = no_free,
  .dispatch = no_dispatch,
  .loopexit = no_exit,
  .new_event = new_event,
  .new_signal = no_signal,
  .winsock_register_wsaevent = no_wsa,
};

struct ub_event_base *dns_events_new(struct loop *l) {
  struct base *b = calloc(1, sizeof *b);
  if (!b) return NULL;
  *b = (struct base){ .super = { UB_EVENT_MAGIC, (struct ub_event_base_vmt *)(uintptr_t)&base_vmt },
                      .loop = l };
  return &b->super;
}

void dns_events_free(struct ub_event_base **base) {
  free(*base);
  *base = NULL;
}
