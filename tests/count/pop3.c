/* SPDX-License-Identifier: ISC */
/* POP3 sessions, as pop3d runs them. */
#include "tests/unit/pop3_world.h"
#include "tests/count/count.h"

enum { MESSAGES = 10 };

static struct pop3_world *world(size_t size, uint32_t count) {
  struct pop3_world *w = malloc(sizeof *w);
  count_must(w != NULL, "no memory");
  world_init(w);
  w->start.secure = true;
  w->service.name = "pop3s";
  for (uint32_t i = 0; i < count; i++) world_message(w, count_message(size));
  return w;
}

static void *begin_ten(void) { return world(4096, MESSAGES); }
static void *begin_50k(void) { return world(51200, MESSAGES); }
static void end(void *arg) {
  world_free(arg);
  free(arg);
}

static void connect_and(struct pop3_world *w, const char *commands) {
  w->closed = false;
  w->p = pop3d_session_ops.new(&w->service, &w->start);
  count_must(w->p != NULL, "no memory");
  world_run(w);
  world_send(w, SLICE("USER mrose\r\nPASS tanstaaf\r\n"));
  world_send(w, slice_str(commands));
  world_send(w, SLICE("QUIT\r\n"));
  struct slice said = buf_slice(&w->said);
  count_must(w->closed && !memmem(said.p, said.n, "-ERR", 4), "a command was refused");
  pop3d_session_ops.free(&w->p);
  buf_reset(&w->said);
  buf_reset(&w->asked);
}

static void lists(void *arg) { connect_and(arg, "STAT\r\nUIDL\r\nLIST\r\n"); }
static void ten_one_by_one(void *arg) {
  connect_and(arg, "RETR 1\r\nRETR 2\r\nRETR 3\r\nRETR 4\r\nRETR 5\r\nRETR 6\r\nRETR 7\r\n"
                   "RETR 8\r\nRETR 9\r\nRETR 10\r\n");
}
static void deletes(void *arg) {
  connect_and(arg, "DELE 1\r\nDELE 2\r\nDELE 3\r\nDELE 4\r\nDELE 5\r\nDELE 6\r\nDELE 7\r\n"
                   "DELE 8\r\nDELE 9\r\nDELE 10\r\n");
  ((struct pop3_world *)arg)->marked = 0;
}

const struct count_unit count_pop3[] = {
  { "pop3-session-lists-10", 1, begin_ten, lists, end },
  { "pop3-session-retr-10x50k", 1, begin_50k, ten_one_by_one, end },
  { "pop3-session-dele-10", 1, begin_ten, deletes, end },
  { .name = NULL },
};
