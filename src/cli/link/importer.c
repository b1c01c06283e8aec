/* SPDX-License-Identifier: ISC */
/* Sends messages to the store's `import` over a link (importer.h). Invariants: never more than
 * CLI_IMPORT_WINDOW octets are sent beyond what the store has processed; answers are read whenever
 * available, so neither side blocks the other; a message's size is sent first, so it is normalized
 * and measured before. */
#include "src/cli/link/importer.h"

#include <errno.h>
#include <stdio.h>
#include <unistd.h>

#include "lib/base/crc32c.h"
#include "lib/base/num.h"
#include "mail/measure.h"
#include "mail/surrogate.h"

enum { PIECE = 32 * 1024, LINE_ROOM = 256 };

const char *const importer_words[IMPORTER_OUTCOMES] = { "added", "there", "gone", "no-space",
                                                        "trouble" };

/* --- the store's answers --- */

/* outcome, uid, taken; see ipc/cli_process.h. */
static bool take_row(struct importer *x, struct slice values) {
  struct slice outcome, uid, number;
  uint64_t taken;
  if (!ipc_list_next(&values, &outcome) || !ipc_list_next(&values, &uid) ||
      !ipc_list_next(&values, &number))
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

/* Reads the store's outcome for one message. False: there are no more. */
static bool receive_reply(struct importer *x) {
  struct link_reply reply;
  enum link_event event = link_next(x->link, &reply);
  if (event == LINK_COLUMNS || event == LINK_OUTPUT ||
      (event == LINK_ROW && take_row(x, reply.data)))
    return true;
  x->ended = true;
  x->last = reply;
  if (event == LINK_ROW)
    x->last = (struct link_reply){ LINK_LOST, SLICE("the store's answer is not understood"),
                                   CLI_TROUBLE };
  return false;
}

/* --- sending --- */

/* Sends it and reads the answers that have come; waits while it would exceed the window. */
static bool send_all(struct importer *x, struct slice s) {
  while (link_received(x->link) || x->sent + s.n > x->taken + CLI_IMPORT_WINDOW)
    if (!receive_reply(x)) return false;
  x->sent += s.n;
  return link_input(x->link, s);
}

static bool send_octets(struct importer *x, struct slice s) {
  bool ok = true;
  for (; ok && s.n; s = slice_from(s, IPC_CHUNK)) ok = send_all(x, slice_first(s, IPC_CHUNK));
  return ok;
}

static bool send_line(struct importer *x, uint64_t size, const struct mail_meta *meta,
                      uint64_t surrogate) {
  char line[LINE_ROOM];
  struct slice uidl = meta->uidl.n ? meta->uidl : SLICE("-");
  int n = snprintf(line, sizeof line, "%llu %lld %u %.*s %llu%s\n", (unsigned long long)size,
                   (long long)meta->date, meta->flags, SLICE_ARG(uidl),
                   (unsigned long long)surrogate, x->again ? " again" : "");
  return n > 0 && (size_t)n < sizeof line && send_all(x, slice_of(line, (size_t)n));
}

/* A message where it is: in memory, or (fd not below 0) in a file. */
struct import_source {
  int fd;
  struct slice memory;
  uint64_t size;
};

/* Passes its octets to `take`, some at a time, as long as it returns true. */
static bool each_piece(const struct import_source *from,
                       bool (*take)(void *arg, struct slice piece), void *arg) {
  uint8_t room[PIECE];
  for (uint64_t at = 0; at < from->size;) {
    struct slice piece = slice_first(slice_from(from->memory, (size_t)at), PIECE);
    if (from->fd >= 0) {
      ssize_t n = pread(from->fd, room, from->size - at < PIECE ? (size_t)(from->size - at) : PIECE,
                        (off_t)at);
      if (n < 0 && errno == EINTR) continue;
      if (n <= 0) return false;
      piece = slice_of(room, (size_t)n);
    }
    if (!take(arg, piece)) return false;
    at += piece.n;
  }
  return true;
}

/* Passes the output of mail/clean.h on to `take`; NULL: it is only counted. */
struct door {
  struct mail_clean clean;
  struct buf out;
  bool (*take)(void *arg, struct slice piece);
  void *arg;
};

static bool put_cleaned(struct door *d) {
  bool ok = !d->out.failed && (!buf_len(&d->out) || d->take(d->arg, buf_slice(&d->out)));
  buf_reset(&d->out);
  return ok;
}

static bool through(void *arg, struct slice piece) {
  struct door *d = arg;
  mail_clean_put(&d->clean, piece, d->take ? &d->out : NULL);
  return !d->take || put_cleaned(d);
}

static bool each_clean_piece(const struct import_source *from, struct door *d) {
  buf_init(&d->out, 2 * PIECE + MAIL_CLEAN_ROOM);
  bool ok = each_piece(from, through, d);
  mail_clean_end(&d->clean, d->take ? &d->out : NULL);
  ok = ok && (!d->take || put_cleaned(d));
  buf_free(&d->out);
  return ok;
}

static bool send_piece(void *arg, struct slice piece) { return send_octets(arg, piece); }

static bool measure_piece(void *arg, struct slice piece) {
  surrogate_put(arg, piece, NULL);
  return true;
}

/* --- the whole --- */

bool importer_begin(struct importer *x, struct cli *c, const char *address, int *ret_code) {
  struct slice words[] = { SLICE("import"), slice_str(address) };
  *x = (struct importer){ .sent = 0 };
  x->link = link_open(c, ROLE_STORE, 0, ret_code);
  if (!x->link) {
    if (*ret_code == CLI_EXIT_NOT_FOUND)
      *ret_code = cli_fail(CLI_EXIT_UNAVAILABLE, "the store does not run now");
    return false;
  }
  *ret_code = CLI_EXIT_OK;
  if (link_ask(x->link, words, 2)) return true;
  *ret_code = cli_fail(CLI_EXIT_TEMPORARY, "the store did not accept the command");
  return false;
}

/* Its size for a POP3 client without UTF8. */
static uint64_t measure(const struct import_source *from) {
  struct surrogate s;
  surrogate_open(&s, SURROGATE_6857); /* if the other kind is configured, store measures it */
  struct door d = { .take = measure_piece, .arg = &s };
  bool good = each_clean_piece(from, &d);
  surrogate_end(&s, NULL);
  return good ? surrogate_size(&s) : SURROGATE_UNKNOWN;
}

/* Its size is sent before its octets: the cleaned message is counted first. */
static bool put_from(struct importer *x, const struct import_source *from, bool eight_bit,
                     const struct mail_changes *before, const struct mail_meta *meta) {
  struct door count = { .take = NULL }, d = { .take = send_piece, .arg = x };
  if (x->ended || !each_clean_piece(from, &count)) return false;
  bool clean = !mail_changes_any(&count.clean.changed);
  uint64_t surrogate = eight_bit || count.clean.changed.nuls ? measure(from) : SURROGATE_SAME;
  bool ok = send_line(x, count.clean.octets, meta, surrogate) &&
            (clean ? each_piece(from, send_piece, x) : each_clean_piece(from, &d));
  x->changed_messages += !clean || mail_changes_any(before);
  mail_changes_add(&x->changed, before);
  mail_changes_add(&x->changed, &count.clean.changed);
  return ok;
}

bool importer_put(struct importer *x, struct slice message, const struct mail_meta *meta) {
  const struct import_source from = { -1, message, message.n };
  return put_from(x, &from, surrogate_wants(message), &(struct mail_changes){ 0 }, meta);
}

bool importer_put_file(struct importer *x, int fd, uint64_t size, bool eight_bit,
                       const struct mail_changes *before, const struct mail_meta *meta) {
  const struct import_source from = { fd, SLICE_NONE, size };
  return put_from(x, &from, eight_bit, before, meta);
}

static bool keep_piece(void *arg, struct slice piece) {
  buf_put(arg, piece);
  return true;
}

bool importer_keeps(struct slice message, struct importer_kept *ret) {
  const struct import_source from = { -1, message, message.n };
  struct mail_measure m;
  struct buf copy;
  uint64_t size;
  buf_init(&copy, 2 * (message.n + PIECE));
  struct door d = { .take = keep_piece, .arg = &copy };
  bool clean = mail_is_clean(message, &size), ok = clean || each_clean_piece(&from, &d);
  struct slice kept = clean ? message : buf_slice(&copy);
  mail_measure_open(&m);
  mail_measure_put(&m, kept);
  struct slice parts[] = { kept, slice_first(SLICE("\r\n\r\n"),
                                             (size_t)(mail_measure_end(&m) - m.octets)) };
  ok = ok && !copy.failed && digest_parts(DIGEST_SHA256, parts, 2, ret->digest);
  ret->changed = d.clean.changed;
  ret->size = parts[0].n + parts[1].n;
  ret->sum = crc32c(crc32c(0, parts[0]), parts[1]);
  buf_free(&copy);
  return ok;
}

bool importer_wait(struct importer *x, uint64_t messages) {
  for (;;) {
    uint64_t answered = 0;
    for (size_t i = 0; i < IMPORTER_OUTCOMES; i++) answered += x->counts[i];
    if (answered >= messages) return true;
    if (x->ended || !receive_reply(x)) return false;
  }
}

void importer_print_changes(const struct importer *x) {
  struct buf b;
  if (!x->changed_messages) return;
  buf_init(&b, 256);
  mail_changes_report(&b, x->changed_messages, &x->changed);
  cli_fail(0, "%.*s", SLICE_ARG(buf_slice(&b)));
  buf_free(&b);
}

int importer_end(struct importer *x) {
  bool ok = !x->ended && link_input_end(x->link);
  while (!x->ended && receive_reply(x)) {
  }
  int code = link_finish(&x->last);
  if (code != CLI_EXIT_OK) return code;
  if (x->counts[IMPORTER_NO_SPACE])
    return cli_fail(CLI_EXIT_TEMPORARY,
                    "there is not enough space for all of it; import again when there is");
  if (x->counts[IMPORTER_TROUBLE])
    return cli_fail(CLI_EXIT_TEMPORARY, "not all of it could be added; import again");
  if (!ok)
    return cli_fail(CLI_EXIT_TEMPORARY, "not all of the messages could be sent to the store");
  return CLI_EXIT_OK;
}

void importer_free(struct importer *x) { link_free(&x->link); }
