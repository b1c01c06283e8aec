/* SPDX-License-Identifier: ISC */
/* `qasid trace`: the lines of one client's session as they happen, from every front-end at once. */
#include <arpa/inet.h>
#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "lib/base/num.h"
#include "lib/base/sys.h"
#include "lib/base/units.h"
#include "src/cli/admin/commands.h"
#include "src/cli/link/ask.h"
#include "src/cli/base/terminal.h"

enum { TRACE_LINKS_MAX = 128 };

struct watched {
  struct cli_link *links[TRACE_LINKS_MAX];
  size_t count;
  char filter[64];
};

static int watch_kind(struct cli *c, enum role kind, struct watched *w) {
  struct slice words[] = { SLICE("trace"), slice_str(w->filter) };
  for (unsigned index = 0; index < 64 && w->count < TRACE_LINKS_MAX; index++) {
    int code;
    struct cli_link *l = link_open_running(c, kind, (uint8_t)index, &code);
    if (!l) return code == CLI_EXIT_NOT_FOUND ? CLI_EXIT_OK : code;
    w->links[w->count++] = l;
    if (!link_ask(l, words, 2)) return cli_fail(CLI_EXIT_UNAVAILABLE, "the server did not answer");
  }
  return CLI_EXIT_OK;
}

/* Microseconds since 1970 → "2026-11-28T22:58:25.538Z" as in the log, or its time alone. */
static void put_time(struct slice us, bool whole, char to[static 40]) {
  uint64_t n = 0;
  struct tm tm;
  num_parse(us, INT64_MAX, &n);
  time_t seconds = (time_t)(n / 1000000);
  gmtime_r(&seconds, &tm);
  size_t used = strftime(to, 32, whole ? "%Y-%m-%dT%H:%M:%S" : "%H:%M:%S", &tm);
  snprintf(to + used, 40 - used, ".%03u%s", (unsigned)(n / 1000 % 1000), whole ? "Z" : "");
}

/* A row is time, session, from ("C", "S", "*": a remark), line. */
static void print_row(struct cli *c, struct slice row) {
  struct slice us = SLICE_NONE, session = SLICE_NONE, from = SLICE_NONE, line = SLICE_NONE;
  char time[40];
  struct buf out;
  ipc_list_next(&row, &us);
  ipc_list_next(&row, &session);
  ipc_list_next(&row, &from);
  ipc_list_next(&row, &line);
  put_time(us, c->json, time);
  if (c->json) {
    struct table t;
    table_init(&t);
    table_set_columns(&t, "time session from line");
    TABLE_ROW(&t, slice_str(time), session, from, line);
    table_print_lines(&t);
    table_free(&t);
  } else {
    buf_init(&out, 64 * 1024);
    buf_printf(&out, "%s ", time);
    text_put_safe(&out, session);
    buf_printf(&out, " %s",
               terminal_tint(stdout, slice_eq(from, SLICE("C")) ? TINT_CYAN : TINT_GREEN));
    text_put_safe(&out, from);
    buf_put_str(&out, ": ");
    text_put_safe(&out, line);
    buf_printf(&out, "%s\n", terminal_tint(stdout, TINT_NONE));
    out_put(&out);
    buf_free(&out);
  }
  fflush(stdout);
}

/* Everything received on the link. */
static int read_link(struct cli *c, struct cli_link *l) {
  struct link_reply reply;
  do {
    switch (link_next(l, &reply)) {
    case LINK_ROW: print_row(c, reply.data); break;
    case LINK_COLUMNS:
    case LINK_OUTPUT: break;
    case LINK_DONE:
    case LINK_LOST: return reply.code == CLI_OK ? CLI_EXIT_UNAVAILABLE : link_finish(&reply);
    }
  } while (link_received(l));
  return CLI_EXIT_OK;
}

/* An address in the front-ends' form, or a session's name as in the log: three hexadecimal
 * numbers. */
static bool take_filter(const char *typed, char to[static 64]) {
  struct slice rest = slice_str(typed), part;
  uint8_t address[16];
  int parts = 0;
  for (int family = 0; family < 2; family++)
    if (inet_pton(family ? AF_INET6 : AF_INET, typed, address) == 1)
      return inet_ntop(family ? AF_INET6 : AF_INET, address, to, 64) != NULL;
  if (rest.n >= 64) return false;
  for (; rest.p; parts++) {
    part = slice_split(&rest, '-');
    if (!part.n) return false;
    for (size_t i = 0; i < part.n; i++)
      if (!ascii_is_digit(part.p[i]) && (part.p[i] < 'a' || part.p[i] > 'f')) return false;
  }
  memcpy(to, typed, strlen(typed) + 1);
  return parts == 3;
}

/* Until that time; 0: for ever. */
static int watch(struct cli *c, struct watched *w, uint64_t end_ms) {
  struct pollfd fds[TRACE_LINKS_MAX];
  for (size_t i = 0; i < w->count; i++)
    fds[i] = (struct pollfd){ .fd = link_fd(w->links[i]), .events = POLLIN };
  for (;;) {
    uint64_t now = sys_mono_ms();
    if (end_ms && now >= end_ms) return CLI_EXIT_OK;
    uint64_t left = end_ms ? end_ms - now : 0;
    int n = poll(fds, w->count, !end_ms ? -1 : left < INT_MAX ? (int)left : INT_MAX);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return cli_fail(CLI_EXIT_SYSTEM, "poll: %s", strerror(errno));
    for (size_t i = 0; i < w->count; i++) {
      int code = fds[i].revents ? read_link(c, w->links[i]) : CLI_EXIT_OK;
      if (code != CLI_EXIT_OK) return code;
    }
  }
}

int cmd_trace(struct cli *c) {
  struct watched w = { .count = 0 };
  const char *span = cli_given(c, "for");
  uint64_t seconds = 0;
  if (span && (!units_time(slice_str(span), &seconds) || !seconds || seconds > INT32_MAX))
    return cli_fail(CLI_EXIT_USAGE, "--for %s: a time such as 30s, 10m, 2h is meant", span);
  if (!take_filter(c->args[0], w.filter))
    return cli_fail(CLI_EXIT_USAGE,
                    "%s is neither an IP address nor the name of a session, such as 6b0b5c8f-8-2 "
                    "(qasid ps shows them)",
                    c->args[0]);
  signal(SIGINT, SIG_DFL); /* the only way to end it, even if the shell's "&" made us ignore it */
  int code = watch_kind(c, ROLE_SMTPD, &w);
  if (code == CLI_EXIT_OK) code = watch_kind(c, ROLE_POP3D, &w);
  if (code == CLI_EXIT_OK) code = watch(c, &w, seconds ? sys_mono_ms() + seconds * 1000 : 0);
  for (size_t i = 0; i < w.count; i++) link_free(&w.links[i]);
  return code;
}
