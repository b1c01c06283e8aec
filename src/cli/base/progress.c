/* SPDX-License-Identifier: ISC */
/* Progress of a long command on standard error (progress.h): a line that is redrawn on a terminal
 * at most every REDRAW_MS, else a line every LINE_MS. Invariant: nothing is written when quiet, and
 * a drawn line is removed before anything else is printed. */
#include "src/cli/base/progress.h"

#include <stdio.h>
#include <unistd.h>

#include "lib/base/sys.h"

enum { REDRAW_MS = 100, LINE_MS = 10000, BAR = 20 };

void progress_size(uint64_t octets, char to[static PROGRESS_SIZE_ROOM]) {
  static const char *const units[] = { "KB", "MB", "GB", "TB", "PB", "EB" };
  double v = (double)octets / 1000;
  unsigned u = 0;
  for (; v >= 999.5 && u < 5; u++) v /= 1000;
  if (octets < 1000)
    snprintf(to, PROGRESS_SIZE_ROOM, "%u octets", (unsigned)octets);
  else
    snprintf(to, PROGRESS_SIZE_ROOM, v < 10 ? "%.1f %s" : "%.0f %s", v, units[u]);
}

void progress_start(struct progress *p, bool quiet, uint64_t all_messages, uint64_t all_octets) {
  *p = (struct progress){ .quiet = quiet,
                          .terminal = isatty(STDERR_FILENO),
                          .all_messages = all_messages,
                          .all_octets = all_octets,
                          .started_ms = sys_mono_ms() };
  p->last_ms = p->started_ms;
}

/* The announced number may be too small. */
static double share(const struct progress *p) {
  bool by_octets = p->all_octets > 0;
  double all = by_octets ? (double)p->all_octets : (double)p->all_messages,
         now = by_octets ? (double)p->octets : (double)p->messages;
  return all <= 0 ? 1 : now >= all ? 1 : now / all;
}

static void put_left(const struct progress *p, uint64_t took_ms, char *to, size_t room) {
  double done = share(p), left = done > 0 ? (double)took_ms / 1000 / done * (1 - done) : 0;
  to[0] = 0;
  if (took_ms < 500 || done <= 0 || done >= 1 || left > 360000) return;
  uint64_t s = (uint64_t)left + 1;
  if (s >= 3600)
    snprintf(to, room, ", %u:%02u:%02u left", (unsigned)(s / 3600), (unsigned)(s / 60 % 60),
             (unsigned)(s % 60));
  else
    snprintf(to, room, ", %u:%02u left", (unsigned)(s / 60), (unsigned)(s % 60));
}

static void draw(struct progress *p, uint64_t now) {
  char octets[PROGRESS_SIZE_ROOM], all[PROGRESS_SIZE_ROOM], rate[PROGRESS_SIZE_ROOM], left[40],
      bar[BAR + 1];
  uint64_t took = now - p->started_ms;
  unsigned full = (unsigned)(share(p) * BAR);
  progress_size(p->octets, octets), progress_size(p->all_octets, all);
  progress_size(took ? p->octets * 1000 / took : 0, rate);
  put_left(p, took, left, sizeof left);
  for (unsigned i = 0; i < BAR; i++) bar[i] = i < full ? '#' : '.';
  bar[BAR] = 0;
  if (p->terminal) fprintf(stderr, "\r[%s] ", bar);
  fprintf(stderr, "%llu", (unsigned long long)p->messages);
  if (p->all_messages) fprintf(stderr, " of %llu", (unsigned long long)p->all_messages);
  fputs(" messages", stderr);
  if (p->all_octets) fprintf(stderr, ", %s of %s, %s/s", octets, all, rate);
  fputs(left, stderr);
  fputs(p->terminal ? "\033[K" : "\n", stderr);
  fflush(stderr);
  p->drawn = p->terminal;
  p->last_ms = now;
}

void progress_step(struct progress *p) {
  uint64_t now = sys_mono_ms();
  if (!p->quiet && now >= p->last_ms + (p->terminal ? REDRAW_MS : LINE_MS)) draw(p, now);
}

void progress_clear(struct progress *p) {
  if (p->drawn) fputs("\r\033[K", stderr), fflush(stderr);
  p->drawn = false;
}
