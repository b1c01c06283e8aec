/* `qasid trace`: the lines of one client's session as they happen, from every front-end at once. */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "src/cli/ask.h"
#include "src/cli/terminal.h"

enum { TRACE_LINKS_MAX = 128 };

struct watched {
  struct link *links[TRACE_LINKS_MAX];
  size_t count;
};

static int watch_kind(struct cli *c, enum room_kind kind, struct watched *w) {
  struct slice words[] = { SLICE("trace"), slice_str(c->args[0]) };
  for (unsigned index = 0; index < 64 && w->count < TRACE_LINKS_MAX; index++) {
    int code;
    struct link *l = link_open_running(c, kind, (uint8_t)index, &code);
    if (!l) return code == CLI_EXIT_NOT_FOUND ? CLI_EXIT_OK : code;
    w->links[w->count++] = l;
    if (!link_ask(l, words, 2)) return cli_fail(CLI_EXIT_UNAVAILABLE, "the server did not answer");
  }
  return CLI_EXIT_OK;
}

/* A row is session, from ("C" or "S"), line. */
static void print_row(struct cli *c, struct slice row) {
  struct slice session = SLICE_NONE, from = SLICE_NONE, line = SLICE_NONE;
  struct buf out;
  ipc_list_next(&row, &session);
  ipc_list_next(&row, &from);
  ipc_list_next(&row, &line);
  if (c->json) {
    struct table t;
    struct buf list;
    buf_init(&out, 64 * 1024), buf_init(&list, 64 * 1024);
    table_init(&t);
    ipc_list_put(&list, SLICE("session")), ipc_list_put(&list, SLICE("from")),
        ipc_list_put(&list, SLICE("line"));
    table_columns(&t, buf_slice(&list));
    buf_reset(&list);
    ipc_list_put(&list, session), ipc_list_put(&list, from), ipc_list_put(&list, line);
    table_add(&t, buf_slice(&list));
    table_print_lines(&t);
    table_free(&t);
    buf_free(&list), buf_free(&out);
  } else {
    buf_init(&out, 64 * 1024);
    text_put_safe(&out, session);
    buf_printf(&out, " %s", tint(stdout, slice_eq(from, SLICE("C")) ? TINT_CYAN : TINT_GREEN));
    text_put_safe(&out, from);
    buf_put_str(&out, ": ");
    text_put_safe(&out, line);
    buf_printf(&out, "%s\n", tint(stdout, TINT_NONE));
    out_put(&out);
    buf_free(&out);
  }
  fflush(stdout);
}

/* All that has been said on the link. */
static int read_link(struct cli *c, struct link *l) {
  struct link_said said;
  do {
    switch (link_next(l, &said)) {
    case LINK_ROW: print_row(c, said.data); break;
    case LINK_COLUMNS:
    case LINK_OUTPUT: break;
    case LINK_DONE:
    case LINK_LOST: return said.code == CLI_OK ? CLI_EXIT_UNAVAILABLE : link_finish(&said);
    }
  } while (link_heard(l));
  return CLI_EXIT_OK;
}

static int watch(struct cli *c, struct watched *w) {
  struct pollfd fds[TRACE_LINKS_MAX];
  for (size_t i = 0; i < w->count; i++)
    fds[i] = (struct pollfd){ .fd = link_fd(w->links[i]), .events = POLLIN };
  for (;;) {
    int n = poll(fds, w->count, -1);
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
  signal(SIGINT, SIG_DFL); /* it is the only end, also where a shell's "&" made us ignore it */
  int code = watch_kind(c, ROOM_SMTPD, &w);
  if (code == CLI_EXIT_OK) code = watch_kind(c, ROOM_POP3D, &w);
  if (code == CLI_EXIT_OK) code = watch(c, &w);
  for (size_t i = 0; i < w.count; i++) link_free(&w.links[i]);
  return code;
}
