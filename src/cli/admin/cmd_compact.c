/* SPDX-License-Identifier: ISC */
/* `qasid compact`: asks the store, which starts again and rewrites its databases before it answers
 * anything, and waits until it does. */
#include <inttypes.h>
#include <stdio.h>
#include <time.h>

#include "lib/base/num.h"
#include "src/cli/admin/commands.h"
#include "src/cli/link/ask.h"

enum { LOOK_MS = 200 };

static uint64_t fact(const struct table *t, const char *name) {
  uint64_t n = 0;
  for (const struct table_row *r = t->first; r; r = r->next)
    if (slice_eq(table_cell(t, r, "what"), slice_str(name)))
      num_parse(table_cell(t, r, "number"), UINT64_MAX, &n);
  return n;
}

enum back { BACK, NOT_YET, NO_SERVER };

/* The store's facts, once it has been restarted. NOT_YET: it is not there (*gone), or is the old
 * process. */
static enum back is_back(struct cli *c, struct table *t, bool *gone) {
  const struct slice words[] = { SLICE("status") };
  if (!link_probe(c)) return NO_SERVER;
  table_init(t);
  bool answered = ask_quietly(c, ROLE_STORE, words, 1, t);
  if (answered && (*gone || fact(t, "compacted"))) return BACK;
  *gone |= !answered;
  table_free(t);
  return NOT_YET;
}

/* Without a time limit: the parent kills a store that makes no progress, and the next one
 * answers. */
static bool wait_for_it(struct cli *c, struct table *t) {
  const struct timespec pause = { 0, LOOK_MS * 1000000L };
  bool gone = false;
  enum back back;
  while ((back = is_back(c, t, &gone)) == NOT_YET) nanosleep(&pause, NULL);
  return back == BACK;
}

static int report(const struct table *t, uint64_t before) {
  uint64_t after = fact(t, "database-octets");
  bool done = fact(t, "compacted") == 1;
  if (!done)
    return cli_fail(CLI_EXIT_TEMPORARY,
                    "not all of it could be rewritten; the server's log says why");
  printf("%" PRIu64 " octets before, %" PRIu64 " now\n", before, after);
  return CLI_EXIT_OK;
}

int cmd_compact(struct cli *c) {
  const struct slice words[] = { SLICE("compact") };
  struct table before, after;
  table_init(&before);
  int code = ask_table(c, ROLE_STORE, words, 1, &before, NULL);
  if (code == CLI_EXIT_OK) {
    fprintf(stderr,
            "%" PRIu64 " MB of %" PRIu64 " MB are in use and are rewritten; until then mail is "
            "answered \"try later\"\n",
            fact(&before, "database-used") >> 20, fact(&before, "database-octets") >> 20);
    bool back = wait_for_it(c, &after);
    code = back ? report(&after, fact(&before, "database-octets"))
                : cli_fail(CLI_EXIT_TEMPORARY,
                           "the server ended before the store was back; its log says why");
    if (back) table_free(&after);
  }
  table_free(&before);
  return code;
}
