/* SPDX-License-Identifier: ISC */
/* A Maildir, an mbox or standard output. In a Maildir a message waits in tmp/ until the fetcher has
 * recorded it, so it becomes visible once even if the process is killed; an mbox that a killed
 * process wrote to may have the last messages twice. */
#include <stdlib.h>
#include <sys/stat.h>

#include "src/cli/client/dest.h"
#include "src/cli/mailbox/mailbox.h"

enum { NAMES_MAX = 4 * 1024 * 1024 };

struct dest_mailbox {
  struct dest d;
  struct mailbox_out *out;
  bool maildir;
  struct buf names; /* file names of hidden messages, one per line */
};

static struct dest_mailbox *of(struct dest *d) { return (struct dest_mailbox *)d; }

static bool failed(struct dest *d) {
  return dest_fail(d, CLI_EXIT_IO, "%s", mailbox_out_error(of(d)->out));
}

static bool begin(struct dest *d) {
  struct mail_meta meta = { 0 };
  return mailbox_out_begin(of(d)->out, &meta) || failed(d);
}

static bool put(struct dest *d, struct slice piece) {
  return mailbox_out_put(of(d)->out, piece) || failed(d);
}

static enum dest_end end(struct dest *d, struct slice id, struct buf *mark) {
  struct dest_mailbox *m = of(d);
  if (!mailbox_out_end(m->out)) return failed(d), DEST_BROKEN;
  if (!m->maildir) return DEST_TAKEN;
  buf_put_str(mark, mailbox_out_name(m->out));
  buf_printf(&m->names, "%s\n", mailbox_out_name(m->out));
  return m->names.failed ? dest_fail(d, CLI_EXIT_SYSTEM, "no memory"), DEST_BROKEN : DEST_TAKEN;
}

static void cut(struct dest *d) { mailbox_out_cut(of(d)->out); }

static bool ready(struct dest *d, bool *safe, size_t count) {
  return of(d)->maildir || mailbox_out_sync(of(d)->out) || failed(d);
}

static bool show(struct dest *d) {
  struct dest_mailbox *m = of(d);
  struct slice names = buf_slice(&m->names);
  while (names.n) {
    struct slice name = slice_split(&names, '\n');
    if (mailbox_out_show(m->out, name) == MAILBOX_SHOWN) continue;
    if (mailbox_out_error(m->out)[0]) return failed(d);
    return dest_fail(d, CLI_EXIT_IO, "tmp/%.*s is gone from the Maildir", SLICE_ARG(name));
  }
  buf_reset(&m->names);
  return !m->maildir || mailbox_out_sync(m->out) || failed(d);
}

static enum dest_finish finish(struct dest *d, struct slice mark) {
  switch (mailbox_out_show(of(d)->out, mark)) {
  case MAILBOX_SHOWN: return DEST_SHOWN;
  case MAILBOX_LOST: return DEST_LOST;
  default: return failed(d), DEST_FAILED;
  }
}

static void free_all(struct dest *d) {
  mailbox_out_free(&of(d)->out);
  buf_free(&of(d)->names);
  free(d);
}

static const struct dest_ops ops = { begin, put, end, cut, ready, show, finish, free_all };

/* An existing file, "-" and names ending in .mbox are an mbox; anything else is a Maildir. */
static bool is_maildir(const char *place) {
  struct slice name = slice_str(place);
  struct stat st;
  if (slice_eq(name, SLICE("-"))) return false;
  if (stat(place, &st) == 0) return S_ISDIR(st.st_mode);
  return name.n < 5 || !slice_eq(slice_from(name, name.n - 5), SLICE(".mbox"));
}

struct dest *dest_mailbox_open(const char *place, int *ret_code) {
  struct dest_mailbox *m = calloc(1, sizeof *m);
  struct buf err;
  *ret_code = CLI_EXIT_IO;
  if (!m) return cli_fail(*ret_code = CLI_EXIT_SYSTEM, "no memory"), NULL;
  m->d.ops = &ops;
  m->d.forgetful = strcmp(place, "-") == 0;
  m->maildir = is_maildir(place);
  buf_init(&err, 4096), buf_init(&m->names, NAMES_MAX);
  m->out = mailbox_out_open(m->maildir, place, true, &err);
  struct dest *d = &m->d;
  if (m->out)
    mailbox_out_hide(m->out);
  else
    cli_fail(CLI_EXIT_IO, "%.*s", SLICE_ARG(buf_slice(&err))), dest_free(&d);
  buf_free(&err);
  return d;
}
