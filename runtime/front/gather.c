/* SPDX-License-Identifier: ISC */
/* The log lines of a turn, gathered into one write: each write costs a system call here and a wake-
 * up of the parent, and a message has two or three lines.
 *
 * Invariants:
 *   1. The gathered lines fit PIPE_BUF: the pipe takes them whole or not at all; then they are
 *      counted as lost.
 *   2. A warning or an error is written at once, together with what was gathered before it. A
 *      process that dies in the middle of a turn loses the other lines of this turn. */
#include <errno.h>
#include <unistd.h>

#include "runtime/front/private.h"

static void write_gathered(struct front *f) {
  struct front_gathered *g = &f->gathered;
  ssize_t n = 0;
  if (!g->n) return;
  do n = write(f->process->log.fd, g->octets, g->n);
  while (n < 0 && errno == EINTR);
  if (n != (ssize_t)g->n) f->process->log.lost += g->records;
  g->n = g->records = 0;
}

static void on_turn(void *arg) { write_gathered(arg); }

static void take(void *arg, struct slice record) {
  struct front *f = arg;
  struct front_gathered *g = &f->gathered;
  if (g->n + record.n > sizeof g->octets) write_gathered(f);
  memcpy(g->octets + g->n, record.p, record.n);
  g->n += record.n;
  g->records++;
  if (log_events[record.p[3]].level >= LOG_WARN_)
    write_gathered(f);
  else
    loop_later(f->process->loop, &g->later);
}

void front_gather_logs(struct front *f) {
  f->gathered.later = (struct loop_later){ .fn = on_turn, .arg = f };
  f->process->log.arg = f;
  f->process->log.take = take;
}

void front_gather_end(struct front *f) {
  if (!f->process || f->process->log.take != take) return; /* the process never started */
  write_gathered(f);
  f->process->log.take = NULL;
  loop_later_cancel(f->process->loop, &f->gathered.later);
}
