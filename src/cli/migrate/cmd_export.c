/* SPDX-License-Identifier: ISC */
/* `qasid export`: the store sends a row for each message, then its octets. */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include "lib/base/num.h"
#include "mail/uidl.h"
#include "src/cli/link/ask.h"
#include "src/cli/mailbox/mailbox.h"
#include "src/cli/mailbox/place.h"
#include "src/cli/base/terminal.h"
#include "src/cli/migrate/commands.h"

struct export {
  struct table columns; /* their names; no rows are kept */
  struct mailbox_out *out;
  FILE *uidls;
  char uidl[80];
  uint64_t left, messages, octets; /* left: of the message under way */
  bool inside;
};

/* "maildir" or "mbox" as requested, or by the place's name. False: it is neither. */
static bool choose_format(const struct cli *c, const char *place, bool *ret_maildir) {
  const char *format = cli_given(c, "format");
  struct slice name = slice_str(place);
  bool mbox = slice_eq(name, SLICE("-")) ||
              (name.n > 5 && slice_eq(slice_from(name, name.n - 5), SLICE(".mbox")));
  *ret_maildir = format ? strcmp(format, "maildir") == 0 : !mbox;
  return !format || *ret_maildir || strcmp(format, "mbox") == 0;
}

static bool end_message(struct export *x) {
  x->inside = false;
  x->messages++;
  if (!mailbox_out_end(x->out)) return false;
  return !x->uidls || fprintf(x->uidls, "%s\t%s\n", x->uidl, mailbox_out_name(x->out)) > 0;
}

static bool cell_number(const struct export *x, const struct table_row *row, const char *name,
                        uint64_t *ret) {
  return num_parse(table_cell(&x->columns, row, name), INT64_MAX, ret);
}

/* The current message is withdrawn. */
static bool maildrop_message(struct export *x, struct slice uid) {
  if (!x->inside) return false;
  x->inside = false;
  x->left = 0;
  bool whole = mailbox_out_cut(x->out);
  cli_fail(0, "message %.*s (UIDL %s) can't be read and is left out%s",
           SLICE_ARG(slice_first(uid, 20)), x->uidl,
           whole ? "" : "; what came of it is in the output");
  return true;
}

static bool is_unreadable(struct export *x, struct slice values) {
  struct slice uid, size;
  return ipc_list_next(&values, &uid) && ipc_list_next(&values, &size) &&
         slice_eq(size, SLICE("unreadable")) && maildrop_message(x, uid);
}

/* False: the store's answer is malformed, or the mailbox cannot be written. */
static bool begin_message(struct export *x, struct slice values) {
  uint64_t size, date, flags;
  struct table one = { .columns = x->columns.columns, .column_count = x->columns.column_count };
  arena_init(&one.mem, 64 * 1024);
  one.end = &one.first;
  bool ok = !x->inside && table_add(&one, values) && cell_number(x, one.first, "size", &size) &&
            cell_number(x, one.first, "date", &date) && cell_number(x, one.first, "flags", &flags);
  if (ok) {
    struct mail_meta meta = { (int64_t)date, (uint32_t)flags, SLICE_NONE };
    snprintf(x->uidl, sizeof x->uidl, "%.*s",
             SLICE_ARG(slice_first(table_cell(&x->columns, one.first, "uidl"), UIDL_MAX)));
    x->left = size;
    x->inside = true;
    ok = mailbox_out_begin(x->out, &meta);
  }
  table_free(&one);
  return ok && (x->left || end_message(x));
}

static bool take_octets(struct export *x, struct slice s) {
  if (!x->inside || s.n > x->left) return false;
  x->left -= s.n;
  x->octets += s.n;
  return mailbox_out_put(x->out, s) && (x->left || end_message(x));
}

static int run(struct export *x, struct cli_link *l) {
  struct link_reply reply;
  for (;;) {
    bool ok = true;
    switch (link_next(l, &reply)) {
    case LINK_COLUMNS: ok = table_columns(&x->columns, reply.data); break;
    case LINK_ROW: ok = is_unreadable(x, reply.data) || begin_message(x, reply.data); break;
    case LINK_OUTPUT: ok = take_octets(x, reply.data); break;
    case LINK_DONE:
      if (reply.code == CLI_OK && x->inside)
        return cli_fail(CLI_EXIT_PROTOCOL, "a message is shorter than was announced");
      return link_finish(&reply);
    case LINK_LOST: return link_finish(&reply);
    }
    if (ok) continue;
    const char *why = mailbox_out_error(x->out);
    return cli_fail(*why ? CLI_EXIT_IO : CLI_EXIT_PROTOCOL, "%s",
                    *why ? why : "the store's answer is not understood");
  }
}

static int export(struct cli *c, struct export *x) {
  int code;
  struct slice words[] = { SLICE("export"), slice_str(c->args[0]) };
  struct cli_link *l = link_open(c, ROLE_STORE, 0, &code);
  if (!l) return code;
  code = link_ask(l, words, 2)
             ? run(x, l)
             : cli_fail(CLI_EXIT_TEMPORARY, "the store did not accept the command");
  link_free(&l);
  if (!mailbox_out_sync(x->out)) code = cli_fail(CLI_EXIT_IO, "%s", mailbox_out_error(x->out));
  if (x->uidls && fflush(x->uidls) != 0)
    code = cli_fail(CLI_EXIT_IO, "the UIDLs cannot be written");
  if (code == CLI_EXIT_OK || code == CLI_EXIT_DATA)
    fprintf(stderr, "%llu message%s, %llu octets\n", (unsigned long long)x->messages,
            x->messages == 1 ? "" : "s", (unsigned long long)x->octets);
  return code;
}

int cmd_export(struct cli *c) {
  struct export x = { .messages = 0 };
  struct buf err;
  bool maildir;
  const char *uidls = cli_given(c, "uidl");
  if (!choose_format(c, c->args[1], &maildir))
    return cli_fail(CLI_EXIT_USAGE, "--format is maildir or mbox");
  buf_init(&err, 4096);
  table_init(&x.columns);
  int code = CLI_EXIT_EXISTS;
  x.out = mailbox_out_open(maildir, c->args[1], false, &err);
  int fd = x.out && uidls ? place_open(uidls, O_WRONLY | O_CREAT | O_EXCL, 0600) : -1;
  if (fd >= 0) x.uidls = fdopen(fd, "w");
  if (!x.out)
    cli_fail(code, "%.*s", SLICE_ARG(buf_slice(&err)));
  else if (uidls && !x.uidls)
    cli_fail(code, "%s cannot be made; it must not exist yet", uidls);
  else
    code = export(c, &x);
  if (x.uidls) fclose(x.uidls);
  mailbox_out_free(&x.out);
  table_free(&x.columns);
  buf_free(&err);
  return code;
}
