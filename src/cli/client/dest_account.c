/* SPDX-License-Identifier: ISC */
/* A local account: the store is given each message as it came, its trace lines untouched, with the
 * message's id as its UIDL. So the store itself knows which messages it has had: a message is
 * delivered once, whatever process is killed, and one that its owner deleted does not come back. */
#include <errno.h>
#include <stdlib.h>

#include "lib/base/sys.h"
#include "src/cli/client/dest.h"
#include "src/cli/link/importer.h"
#include "src/cli/link/spooled.h"

struct dest_account {
  struct dest d;
  struct importer to;
  struct spooled message;
  uint64_t given;      /* messages in all */
  struct buf outcomes; /* outcomes that came before they were wanted */
};

static struct dest_account *of(struct dest *d) { return (struct dest_account *)d; }

static bool no_room(struct dest *d) {
  return dest_fail(d, CLI_EXIT_SYSTEM, "a message does not fit into memory: %s", strerror(errno));
}

/* The store's last answer, and why. */
static bool store_over(struct dest *d) {
  struct dest_account *a = of(d);
  int code = a->to.ended ? link_finish(&a->to.last) : CLI_EXIT_OK;
  return dest_fail(d, code != CLI_EXIT_OK ? code : CLI_EXIT_TEMPORARY,
                   "the store took no more of it");
}

static void answered(void *arg, enum importer_outcome outcome) {
  struct dest_account *a = arg;
  buf_put_u8(&a->outcomes, outcome <= IMPORTER_GONE);
}

static bool begin(struct dest *d) { return spooled_reset(&of(d)->message) || no_room(d); }

static bool put(struct dest *d, struct slice piece) {
  return spooled_put(&of(d)->message, piece) || no_room(d);
}

static enum dest_end end(struct dest *d, struct slice id, struct buf *mark) {
  struct dest_account *a = of(d);
  struct mail_meta meta = { .date = sys_wall_s(), .uidl = id };
  struct slice octets;
  if (!spooled_get(&a->message, &octets)) return no_room(d), DEST_BROKEN;
  if (!octets.n) return dest_fail(d, CLI_EXIT_DATA, "it is empty"), DEST_REFUSED;
  if (!importer_put(&a->to, octets, &meta)) return store_over(d), DEST_BROKEN;
  a->given++;
  return DEST_TAKEN;
}

static void cut(struct dest *d) { spooled_reset(&of(d)->message); }

/* A message that was refused for lack of space stays at the server. */
static bool ready(struct dest *d, bool *safe, size_t count) {
  struct dest_account *a = of(d);
  bool all = importer_wait(&a->to, a->given);
  struct slice outcomes = buf_slice(&a->outcomes);
  for (size_t i = 0; i < count; i++) safe[i] = slice_at(outcomes, i) == 1;
  buf_reset(&a->outcomes);
  return all || store_over(d);
}

static bool show(struct dest *d) { return true; }

static void free_all(struct dest *d) {
  struct dest_account *a = of(d);
  importer_print_changes(&a->to);
  if (a->to.link && !a->to.ended) importer_end(&a->to);
  importer_free(&a->to);
  spooled_close(&a->message);
  buf_free(&a->outcomes);
  free(a);
}

static const struct dest_ops ops = { begin, put, end, cut, ready, show, NULL, free_all };

struct dest *dest_account_open(struct cli *c, const char *address, int *ret_code) {
  struct dest_account *a = calloc(1, sizeof *a);
  *ret_code = CLI_EXIT_SYSTEM;
  if (!a) return cli_fail(CLI_EXIT_SYSTEM, "no memory"), NULL;
  a->d.ops = &ops;
  buf_init(&a->outcomes, 1 << 20);
  if (!spooled_open(&a->message))
    cli_fail(CLI_EXIT_SYSTEM, "no memory: %s", strerror(errno));
  else if (importer_begin(&a->to, c, address, ret_code)) {
    a->to.answered = answered, a->to.arg = a;
    return &a->d;
  }
  struct dest *d = &a->d;
  dest_free(&d);
  return NULL;
}
