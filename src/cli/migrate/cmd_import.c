/* SPDX-License-Identifier: ISC */
/* `qasid import`: imports a mailbox in files into an account.
 *
 *   source → wire form, in kernel memory → already present? → the store
 *
 * Everything that is not imported is counted, reported on standard error, and determines the exit
 * code. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "mail/measure.h"
#include "src/cli/link/importer.h"
#include "src/cli/migrate/commands.h"
#include "src/cli/migrate/known.h"
#include "src/cli/base/progress.h"
#include "src/cli/link/spooled.h"
#include "src/cli/base/terminal.h"

enum {
  NAMES_MAX = 64 * 1024 * 1024, /* for messages in progress: the window holds far fewer */
  PIECE_MAX = 4 * 1024 * 1024,  /* twice one of mail_item_read() */
};

struct import_run {
  struct cli *c;
  struct importer to;
  struct known known;
  struct mailbox_in *in;
  bool again;
  /* names of the messages sent to the store and not yet answered, each with a NUL */
  struct buf names;
  struct progress progress;
  uint64_t there;    /* known without asking the store */
  uint64_t gone;     /* likewise */
  uint64_t left_out; /* unreadable, or not a message */
  uint64_t internal, marked, renamed, without, with;
  int code; /* what ended it */
  /* the message under way */
  struct spooled wire;
  struct mail_measure measure;
  struct digest_run *digest;
  struct mail_clean clean;
  struct buf piece; /* of it, clean */
  bool eight_bit;
};

/* --- messages to the user --- */

static void print_note(struct import_run *i, const char *name, const char *what) {
  struct buf line, safe;
  progress_clear(&i->progress);
  buf_init(&line, 8192), buf_init(&safe, 64 * 1024);
  buf_printf(&line, "%s: %s", name, what);
  text_put_safe(&safe, buf_slice(&line));
  cli_fail(0, "%.*s", SLICE_ARG(buf_slice(&safe)));
  buf_free(&line), buf_free(&safe);
}

static const char *const gone_words =
    "not added: it was here and its owner deleted it (--again adds it)";

/* The answer for one of the messages sent, in order. */
static void answered(void *arg, enum importer_outcome outcome) {
  static const char *const words[IMPORTER_OUTCOMES] = {
    [IMPORTER_THERE] = "not added: its UIDL came from elsewhere meanwhile; import again",
    [IMPORTER_GONE] = gone_words,
    [IMPORTER_NO_SPACE] = "not added: there is no space",
    [IMPORTER_TROUBLE] = "not added: the store had trouble with it",
  };
  struct import_run *i = arg;
  struct slice name = buf_slice(&i->names);
  ptrdiff_t end = slice_find(name, 0);
  if (end < 0) return;
  if (words[outcome]) print_note(i, (const char *)name.p, words[outcome]);
  buf_drop(&i->names, (size_t)end + 1);
}

/* --- one message --- */

/* Whole lines, or a part of one without its end. It is normalized before it is compared, so that
 * the next import recognizes the same file. */
static bool take_piece(void *arg, struct slice octets) {
  struct import_run *i = arg;
  buf_reset(&i->piece);
  mail_clean_put(&i->clean, octets, &i->piece);
  struct slice wire = buf_slice(&i->piece);
  for (size_t at = 0; !i->eight_bit && at < wire.n; at++) i->eight_bit = wire.p[at] >= 0x80;
  mail_measure_put(&i->measure, wire);
  digest_put(i->digest, wire);
  return !i->piece.failed && spooled_put(&i->wire, wire);
}

/* It is in i->wire, complete; *ret_size: as the store will keep it. False: the reason was
 * printed. */
static bool read_message(struct import_run *i, const struct mail_item *m, uint64_t *ret_size,
                         uint8_t digest[static DIGEST_MAX]) {
  uint8_t unused[DIGEST_MAX];
  uint64_t crs = 0;
  i->eight_bit = false;
  i->clean = (struct mail_clean){ .octets = 0 };
  mail_measure_open(&i->measure);
  digest_end(&i->digest, unused);
  i->digest = digest_begin(DIGEST_SHA256);
  if (!spooled_reset(&i->wire) || !mail_item_read(m, take_piece, i, &crs)) {
    i->left_out++;
    print_note(i, m->name,
               errno == ENODATA ? "left out: it became shorter while it was read"
                                : strerror(errno));
    return false;
  }
  i->clean.changed.crs += crs;
  *ret_size = mail_measure_end(&i->measure);
  digest_put(i->digest, slice_first(SLICE("\r\n\r\n"), (size_t)(*ret_size - i->measure.octets)));
  if (digest_end(&i->digest, digest)) return true;
  i->code = cli_fail(CLI_EXIT_SYSTEM, "no memory");
  return false;
}

/* True if the store is to get it. */
static bool is_new(struct import_run *i, const struct mail_item *m, uint64_t size,
                   const uint8_t *digest, struct slice *uidl) {
  enum known_verdict verdict;
  struct slice had = *uidl;
  i->code = known_put(&i->known, size, known_wants_digest(&i->known, size) ? digest : NULL, uidl,
                      &verdict);
  if (i->code != CLI_EXIT_OK) return false;
  if (had.n && !uidl->n && verdict == KNOWN_NEW) {
    i->renamed++;
    print_note(i, m->name, "note: its UIDL is another message's; it is added with one of its own");
  }
  i->there += verdict == KNOWN_THERE;
  i->gone += verdict == KNOWN_GONE;
  if (verdict == KNOWN_GONE) print_note(i, m->name, gone_words);
  return verdict == KNOWN_NEW;
}

/* False: stop. */
static bool put_message(struct import_run *i, const struct mail_item *m) {
  uint8_t digest[DIGEST_MAX];
  uint64_t size;
  struct mail_meta meta = m->meta;
  if (!read_message(i, m, &size, digest)) return i->code == CLI_EXIT_OK;
  if (m->doubtful)
    print_note(
        i, m->name,
        "note: by its Content-Length it has a line that could begin a message (--mbox-form rd)");
  if (!i->again && !is_new(i, m, size, digest, &meta.uidl)) return i->code == CLI_EXIT_OK;
  *(meta.uidl.n ? &i->with : &i->without) += 1;
  i->marked += (meta.flags & MAIL_DELETED) != 0;
  buf_put(&i->names, slice_of(m->name, strlen(m->name) + 1));
  return importer_put_file(&i->to, i->wire.fd, i->wire.size, i->eight_bit, &i->clean.changed,
                           &meta);
}

static bool put_item(struct import_run *i, const struct mail_item *m) {
  if (!m->left_out) return put_message(i, m);
  *(m->internal ? &i->internal : &i->left_out) += 1;
  char words[200];
  snprintf(words, sizeof words, "left out: %s", m->left_out);
  print_note(i, m->name, words);
  return true;
}

/* --- the whole --- */

static void step(struct import_run *i) {
  struct mailbox_progress p = mailbox_in_progress(i->in);
  i->progress.messages++;
  i->progress.octets = p.octets;
  progress_step(&i->progress);
}

static void put_notes(const struct import_run *i) {
  uint64_t text = mailbox_in_left_text(i->in);
  if (i->without > i->renamed && (i->with || cli_given(i->c, "uidl-from")))
    fprintf(stderr, "note: %llu of them had no UIDL there: clients will fetch those once\n",
            (unsigned long long)(i->without - i->renamed));
  if (i->renamed)
    fprintf(stderr,
            "note: %llu of them had the UIDL of another message: clients will fetch those once\n",
            (unsigned long long)i->renamed);
  if (i->marked)
    fprintf(stderr, "note: %llu of them are marked as deleted there\n",
            (unsigned long long)i->marked);
  if (text)
    fprintf(stderr, "note: %llu lines \"From …\" without a date were taken as text\n",
            (unsigned long long)text);
}

static void report(const struct import_run *i) {
  uint64_t counts[IMPORTER_OUTCOMES];
  memcpy(counts, i->to.counts, sizeof counts);
  counts[IMPORTER_THERE] += i->there;
  counts[IMPORTER_GONE] += i->gone;
  if (i->c->json) {
    printf("{");
    for (size_t n = 0; n < IMPORTER_OUTCOMES; n++)
      printf("\"%s\": %llu, ", importer_words[n], (unsigned long long)counts[n]);
    printf("\"left-out\": %llu, \"renamed\": %llu}\n", (unsigned long long)i->left_out,
           (unsigned long long)i->renamed);
    return;
  }
  printf("%llu message%s added", (unsigned long long)counts[0], counts[0] == 1 ? "" : "s");
  for (size_t n = 1; n < IMPORTER_OUTCOMES; n++)
    if (counts[n]) printf(", %llu %s", (unsigned long long)counts[n], importer_words[n]);
  if (i->left_out) printf(", %llu left out", (unsigned long long)i->left_out);
  printf("\n");
}

/* The exit code if the import is incomplete for no worse reason. */
static int shortfall(const struct import_run *i) {
  if (i->to.counts[IMPORTER_THERE])
    return cli_fail(CLI_EXIT_TEMPORARY, "another import was under way; import again");
  if (i->left_out + i->gone + i->to.counts[IMPORTER_GONE])
    return cli_fail(CLI_EXIT_DATA, "not everything was imported; see above");
  if (mailbox_in_uidls_differ(i->in))
    return cli_fail(CLI_EXIT_DATA,
                    "the list of UIDLs has another number of lines than there are messages: "
                    "some have perhaps the UIDL of another");
  return CLI_EXIT_OK;
}

static int import(struct import_run *i, struct buf *err) {
  struct mail_item m;
  struct mailbox_progress p = mailbox_in_progress(i->in);
  uint8_t unused[DIGEST_MAX];
  progress_start(&i->progress, i->c->json, p.all_messages, p.all_octets);
  i->to.answered = answered, i->to.arg = i, i->to.again = i->again;
  while (mailbox_in_next(i->in, &m, err) && put_item(i, &m)) step(i);
  int code = importer_end(&i->to);
  progress_clear(&i->progress);
  importer_print_changes(&i->to);
  digest_end(&i->digest, unused);
  put_notes(i);
  if (buf_len(err)) code = cli_fail(CLI_EXIT_DATA, "%.*s", SLICE_ARG(buf_slice(err)));
  if (i->code != CLI_EXIT_OK) code = i->code;
  if (code == CLI_EXIT_OK) code = shortfall(i);
  report(i);
  return code;
}

static int begin(struct import_run *i, struct buf *err) {
  int code = CLI_EXIT_OK;
  if (!spooled_open(&i->wire)) return cli_fail(CLI_EXIT_SYSTEM, "no memory: %s", strerror(errno));
  if (!i->again) code = known_begin(&i->known, i->c, i->c->args[0]);
  if (code == CLI_EXIT_OK && importer_begin(&i->to, i->c, i->c->args[0], &code))
    code = import(i, err);
  importer_free(&i->to);
  if (!i->again) known_free(&i->known);
  spooled_close(&i->wire);
  return code;
}

static int take_options(const struct cli *c, struct mailbox_how *how) {
  const char *form = cli_given(c, "mbox-form");
  *how = (struct mailbox_how){ .uidl_file = cli_given(c, "uidl"),
                               .uidl_from = cli_given(c, "uidl-from") };
  if (how->uidl_file && how->uidl_from)
    return cli_fail(CLI_EXIT_USAGE, "--uidl and --uidl-from are two ways; choose one");
  if (form) how->form = mbox_form_named(form);
  if (how->form == MBOX_FORMS) return cli_fail(CLI_EXIT_USAGE, "--mbox-form is rd, o, cl or cl2");
  return CLI_EXIT_OK;
}

int cmd_import(struct cli *c) {
  struct import_run i = { .c = c, .again = cli_given(c, "again") != NULL };
  struct mailbox_how how;
  struct buf err;
  int code = take_options(c, &how);
  if (code != CLI_EXIT_OK) return code;
  buf_init(&err, 4096), buf_init(&i.names, NAMES_MAX), buf_init(&i.piece, PIECE_MAX);
  i.in = mailbox_in_open(c->args[1], &how, &err);
  code = i.in ? begin(&i, &err) : cli_fail(CLI_EXIT_NO_INPUT, "%.*s", SLICE_ARG(buf_slice(&err)));
  mailbox_in_free(&i.in);
  buf_free(&err), buf_free(&i.names), buf_free(&i.piece);
  return code;
}
