/* SPDX-License-Identifier: ISC */
/* The event loop: readiness of descriptors, timers, signals. Implemented with libevent's core,
 * whose types appear only in loop.c. One loop per process, in one thread. Callbacks run from
 * loop_run() only. */
#ifndef QASID_EV_LOOP_H
#define QASID_EV_LOOP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct loop;
struct loop_io;
struct loop_timer;
struct loop_signal;

enum { LOOP_READ = 1, LOOP_WRITE = 2 };

/* NULL when the system provides no epoll. */
struct loop *loop_new(void);
void loop_free(struct loop **l);
/* Runs until loop_stop(). */
void loop_run(struct loop *l);
void loop_stop(struct loop *l);
/* The time of this turn, from the loop's cache: milliseconds that never go back. */
uint64_t loop_now(struct loop *l);
/* Makes loop_now() current after a long computation. */
void loop_refresh(struct loop *l);

/* At least `n` octets of scratch memory that belongs to the loop, for one read or packet at a time:
 * the next call invalidates its contents. NULL without memory. */
void *loop_scratch(struct loop *l, size_t n);

/* Watches `fd` (not owned) for LOOP_READ at first; fn is called with what is ready. */
struct loop_io *loop_io_new(struct loop *l, int fd, void (*fn)(void *arg, int ready), void *arg);
/* Sets what to watch for: LOOP_READ, LOOP_WRITE, both or 0. */
void loop_io_want(struct loop_io *io, int want);
/* Stops watching. To be called before the descriptor is closed; safe inside its own callback. */
void loop_io_free(struct loop_io **io);

struct loop_timer *loop_timer_new(struct loop *l, void (*fn)(void *arg), void *arg);
/* Fires once, at `at_ms` on loop_now()'s scale (at once when that has passed). Replaces what was
 * set. */
void loop_timer_set(struct loop_timer *t, uint64_t at_ms);
void loop_timer_cancel(struct loop_timer *t);
void loop_timer_free(struct loop_timer **t);

struct loop_signal *loop_signal_new(struct loop *l, int signo, void (*fn)(void *arg, int signo),
                                    void *arg);
void loop_signal_free(struct loop_signal **s);

/* Calls fn once at the end of this turn, after every callback that is ready now: channels send
 * their gathered output there. `d` belongs to the caller and must stay in place until then. */
struct loop_later {
  void (*fn)(void *arg);
  void *arg;
  struct loop_later *next;
  bool queued;
};
void loop_later(struct loop *l, struct loop_later *d);
void loop_later_cancel(struct loop *l, struct loop_later *d);

#endif
