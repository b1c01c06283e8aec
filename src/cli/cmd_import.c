/* `qasid import`: messages to the store, one after another, never more than the window ahead of what
 * it has dealt with. Each is answered once it is durable. */
#include <stdio.h>
#include <string.h>

#include "lib/base/num.h"
#include "src/cli/ask.h"
#include "src/cli/mailbox.h"
#include "src/cli/mbox.h"
#include "src/cli/terminal.h"

enum { PIECE = 32 * 1024, LINE_ROOM = 256 };

/* What became of the messages, by the store's words for it. */
static const char *const outcomes[] = { "added", "there", "gone", "no-space", "trouble" };
enum { OUTCOMES = sizeof outcomes / sizeof *outcomes, OUTCOME_NO_SPACE = 3, OUTCOME_TROUBLE = 4 };

struct import {
  struct link *link;
  uint64_t sent, taken, counts[OUTCOMES];
  bool ended; /* the store has said its last */
  struct link_said last;
};

/* --- what the store says --- */

/* outcome, uid, taken; see ipc/cli_room.h. */
static bool take_row(struct import *x, struct slice values) {
  struct slice outcome, uid, number;
  uint64_t taken;
  if (!ipc_list_next(&values, &outcome) || !ipc_list_next(&values, &uid) || !ipc_list_next(&values, &number))
    return false;
  if (!num_parse(number, x->sent, &taken)) return false;
  for (size_t i = 0; i < OUTCOMES; i++) x->counts[i] += slice_eq(outcome, slice_str(outcomes[i]));
  x->taken = taken;
  return true;
}

/* One thing it says. False: it has said its last. */
static bool hear(struct import *x) {
  struct link_said said;
  enum link_event event = link_next(x->link, &said);
  if (event == LINK_COLUMNS || event == LINK_OUTPUT || (event == LINK_ROW && take_row(x, said.data)))
    return true;
  x->ended = true;
  x->last = said;
  if (event == LINK_ROW)
    x->last = (struct link_said){ LINK_LOST, SLICE("the store's answer is not understood"), CLI_TROUBLE };
  return false;
}

/* --- what we say --- */

/* Sends it, hearing what is said meanwhile; waits while it would pass the window. */
static bool say(struct import *x, struct slice s) {
  while (link_heard(x->link) || x->sent + s.n > x->taken + CLI_IMPORT_WINDOW)
    if (!hear(x)) return false;
  x->sent += s.n;
  return link_input(x->link, s);
}

static bool say_message(struct import *x, const struct mail_item *m) {
  char line[LINE_ROOM];
  struct slice uidl = m->meta.uidl.n ? m->meta.uidl : SLICE("-");
  int n =
      snprintf(line, sizeof line, "%llu %lld %u %.*s\n", (unsigned long long)to_wire_size(m->raw, m->unquote),
               (long long)m->meta.date, m->meta.flags, SLICE_ARG(uidl));
  if (n < 0 || (size_t)n >= sizeof line || !say(x, slice_of(line, (size_t)n))) return false;
  struct to_wire w = to_wire_open(m->raw, m->unquote);
  struct buf piece;
  bool ok = true;
  buf_init(&piece, m->raw.n + PIECE + 1024); /* a line may be as long as the message */
  while (ok && to_wire_next(&w, &piece, PIECE)) {
    ok = !piece.failed;
    for (struct slice s = buf_slice(&piece); ok && s.n; s = slice_from(s, IPC_CHUNK))
      ok = say(x, slice_first(s, IPC_CHUNK));
    buf_reset(&piece);
  }
  buf_free(&piece);
  return ok;
}

/* --- the whole --- */

static int report(struct cli *c, const struct import *x) {
  if (c->json) {
    printf("{");
    for (size_t i = 0; i < OUTCOMES; i++)
      printf("%s\"%s\": %llu", i ? ", " : "", outcomes[i], (unsigned long long)x->counts[i]);
    printf("}\n");
  } else {
    printf("%llu message%s added", (unsigned long long)x->counts[0], x->counts[0] == 1 ? "" : "s");
    for (size_t i = 1; i < OUTCOMES; i++)
      if (x->counts[i]) printf(", %llu %s", (unsigned long long)x->counts[i], outcomes[i]);
    printf("\n");
  }
  if (x->counts[OUTCOME_NO_SPACE])
    return cli_fail(CLI_EXIT_TEMPORARY, "there is no space for all of it; import again when there is");
  if (x->counts[OUTCOME_TROUBLE])
    return cli_fail(CLI_EXIT_TEMPORARY, "not all of it could be added; import again");
  return CLI_EXIT_OK;
}

static int import(struct cli *c, struct import *x, struct mailbox_in *in, struct buf *err) {
  struct mail_item m;
  struct slice words[] = { SLICE("import"), slice_str(c->args[0]) };
  bool ok = link_ask(x->link, words, 2);
  while (ok && mailbox_in_next(in, &m, err)) {
    if (to_wire_size(m.raw, m.unquote)) ok = say_message(x, &m);
  }
  if (!x->ended) ok = link_input_end(x->link) && ok;
  while (!x->ended && hear(x)) {
  }
  int code = link_finish(&x->last);
  if (buf_len(err)) code = cli_fail(CLI_EXIT_DATA, "%.*s", SLICE_ARG(buf_slice(err)));
  if (!ok && code == CLI_EXIT_OK)
    code = cli_fail(CLI_EXIT_TEMPORARY, "not all of the messages could be sent to the store");
  int reported = report(c, x);
  return code ? code : reported;
}

int cmd_import(struct cli *c) {
  struct import x = { .sent = 0 };
  struct buf err;
  buf_init(&err, 4096);
  int code = CLI_EXIT_NO_INPUT;
  struct mailbox_in *in = mailbox_in_open(c->args[1], cli_given(c, "uidl"), &err);
  if (!in)
    cli_fail(code, "%.*s", SLICE_ARG(buf_slice(&err)));
  else
    x.link = link_open(c, ROOM_STORE, 0, &code);
  if (x.link) code = import(c, &x, in, &err);
  link_free(&x.link);
  mailbox_in_free(&in);
  buf_free(&err);
  return code;
}
