#include "src/cli/importer.h"

#include <stdio.h>

#include "lib/base/num.h"
#include "lib/mail/surrogate.h"
#include "src/cli/mbox.h"

enum { PIECE = 32 * 1024, LINE_ROOM = 256 };

const char *const importer_words[IMPORTER_OUTCOMES] = { "added", "there", "gone", "no-space", "trouble" };

/* --- what the store says --- */

/* outcome, uid, taken; see ipc/cli_room.h. */
static bool take_row(struct importer *x, struct slice values) {
  struct slice outcome, uid, number;
  uint64_t taken;
  if (!ipc_list_next(&values, &outcome) || !ipc_list_next(&values, &uid) || !ipc_list_next(&values, &number))
    return false;
  if (!num_parse(number, x->sent, &taken)) return false;
  x->taken = taken;
  for (unsigned i = 0; i < IMPORTER_OUTCOMES; i++) {
    if (!slice_eq(outcome, slice_str(importer_words[i]))) continue;
    x->counts[i]++;
    if (x->answered) x->answered(x->arg, (enum importer_outcome)i);
  }
  return true;
}

/* One thing it says. False: it has said its last. */
static bool hear(struct importer *x) {
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
static bool say(struct importer *x, struct slice s) {
  while (link_heard(x->link) || x->sent + s.n > x->taken + CLI_IMPORT_WINDOW)
    if (!hear(x)) return false;
  x->sent += s.n;
  return link_input(x->link, s);
}

static bool say_octets(struct importer *x, struct slice s) {
  bool ok = true;
  for (; ok && s.n; s = slice_from(s, IPC_CHUNK)) ok = say(x, slice_first(s, IPC_CHUNK));
  return ok;
}

static bool say_line(struct importer *x, uint64_t size, const struct mail_meta *meta, uint64_t surrogate) {
  char line[LINE_ROOM];
  struct slice uidl = meta->uidl.n ? meta->uidl : SLICE("-");
  int n = snprintf(line, sizeof line, "%llu %lld %u %.*s %llu\n", (unsigned long long)size,
                   (long long)meta->date, meta->flags, SLICE_ARG(uidl), (unsigned long long)surrogate);
  return n > 0 && (size_t)n < sizeof line && say(x, slice_of(line, (size_t)n));
}

/* Gives `take` the message in wire form, some at a time, as long as it says true. */
static bool each_piece(struct slice raw, bool unquote, bool (*take)(void *arg, struct slice piece),
                       void *arg) {
  struct to_wire w = to_wire_open(raw, unquote);
  struct buf piece;
  bool ok = true;
  buf_init(&piece, raw.n + PIECE + 1024); /* a line may be as long as the message */
  while (ok && to_wire_next(&w, &piece, PIECE)) {
    ok = !piece.failed && take(arg, buf_slice(&piece));
    buf_reset(&piece);
  }
  buf_free(&piece);
  return ok;
}

static bool say_piece(void *arg, struct slice piece) { return say_octets(arg, piece); }

static bool measure_piece(void *arg, struct slice piece) {
  surrogate_put(arg, piece, NULL);
  return true;
}

/* What a POP3 client without UTF8 will get of it; where there is only ASCII that is quickly said. */
static uint64_t measure(struct slice raw, enum importer_form form) {
  struct surrogate s;
  if (!surrogate_wants(raw)) return SURROGATE_SAME;
  surrogate_open(&s);
  bool good = form == IMPORTER_WIRE ? measure_piece(&s, raw)
                                    : each_piece(raw, form == IMPORTER_MBOX, measure_piece, &s);
  surrogate_end(&s, NULL);
  return good ? surrogate_size(&s) : SURROGATE_UNKNOWN;
}

/* --- the whole --- */

bool importer_begin(struct importer *x, struct cli *c, const char *address, int *ret_code) {
  struct slice words[] = { SLICE("import"), slice_str(address) };
  *x = (struct importer){ .sent = 0 };
  x->link = link_open(c, ROOM_STORE, 0, ret_code);
  if (!x->link) {
    if (*ret_code == CLI_EXIT_NOT_FOUND)
      *ret_code = cli_fail(CLI_EXIT_UNAVAILABLE, "the store does not run now");
    return false;
  }
  *ret_code = CLI_EXIT_OK;
  if (link_ask(x->link, words, 2)) return true;
  *ret_code = cli_fail(CLI_EXIT_TEMPORARY, "the store did not take the command");
  return false;
}

bool importer_put(struct importer *x, struct slice raw, enum importer_form form,
                  const struct mail_meta *meta) {
  bool unquote = form == IMPORTER_MBOX;
  uint64_t size = form == IMPORTER_WIRE ? raw.n : to_wire_size(raw, unquote);
  if (x->ended) return false;
  if (!size) return true;
  return say_line(x, size, meta, measure(raw, form)) &&
         (form == IMPORTER_WIRE ? say_octets(x, raw) : each_piece(raw, unquote, say_piece, x));
}

bool importer_wait(struct importer *x, uint64_t messages) {
  for (;;) {
    uint64_t answered = 0;
    for (size_t i = 0; i < IMPORTER_OUTCOMES; i++) answered += x->counts[i];
    if (answered >= messages) return true;
    if (x->ended || !hear(x)) return false;
  }
}

int importer_end(struct importer *x) {
  bool ok = !x->ended && link_input_end(x->link);
  while (!x->ended && hear(x)) {
  }
  int code = link_finish(&x->last);
  if (code != CLI_EXIT_OK) return code;
  if (x->counts[IMPORTER_NO_SPACE])
    return cli_fail(CLI_EXIT_TEMPORARY, "there is no space for all of it; import again when there is");
  if (x->counts[IMPORTER_TROUBLE])
    return cli_fail(CLI_EXIT_TEMPORARY, "not all of it could be added; import again");
  if (!ok) return cli_fail(CLI_EXIT_TEMPORARY, "not all of the messages could be sent to the store");
  return CLI_EXIT_OK;
}

void importer_free(struct importer *x) { link_free(&x->link); }
