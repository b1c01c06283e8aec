/* `qasid fetch`: a POP3 client for people. What is deleted at the server is first safe here. */
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "src/cli/mailbox.h"
#include "src/cli/pop3_client.h"
#include "src/cli/secret.h"
#include "src/cli/table.h"
#include "src/cli/terminal.h"
#include "ipc/ipc.h"

struct fetch {
  struct pop3_client pop;
  struct mailbox_out *out;
  bool fresh;             /* nothing of the message has come yet */
  uint64_t count, octets; /* of the maildrop, by STAT */
};

/* A file that is there, "-" and what ends in .mbox are an mbox; anything else is a Maildir. */
static bool is_maildir(const char *place) {
  struct slice name = slice_str(place);
  struct stat st;
  if (slice_eq(name, SLICE("-"))) return false;
  if (stat(place, &st) == 0) return S_ISDIR(st.st_mode);
  return name.n < 5 || !slice_eq(slice_from(name, name.n - 5), SLICE(".mbox"));
}

/* --- listing --- */

struct listing {
  struct table t;
  struct table_row *at; /* the UIDL lines come in the same order */
  bool bad;
};

static void take_size(void *arg, struct slice line) {
  struct listing *l = arg;
  uint64_t number, size;
  struct buf list;
  buf_init(&list, 256);
  if (!pop3_reply_pair(line, &number, &size)) l->bad = true;
  ipc_list_put(&list, slice_split(&line, ' '));
  ipc_list_put(&list, line);
  if (!table_add(&l->t, buf_slice(&list))) l->bad = true;
  buf_free(&list);
}

static void take_uidl(void *arg, struct slice line) {
  struct listing *l = arg;
  uint64_t number;
  struct slice uidl;
  if (!l->at || !pop3_reply_uidl(line, &number, &uidl)) {
    l->bad = true;
    return;
  }
  l->at->cells[2] = arena_copy(&l->t.mem, uidl);
  l->at = l->at->next;
}

static int list(struct cli *c, struct fetch *f) {
  struct listing l = { .bad = false };
  struct buf columns;
  int code = CLI_EXIT_PROTOCOL;
  table_init(&l.t);
  buf_init(&columns, 256);
  ipc_list_put(&columns, SLICE("number")), ipc_list_put(&columns, SLICE("size")),
      ipc_list_put(&columns, SLICE("uidl"));
  table_columns(&l.t, buf_slice(&columns));
  bool ok = pop3_client_ask(&f->pop, "LIST", &code) && pop3_client_lines(&f->pop, take_size, &l, &code);
  l.at = l.t.first;
  if (ok && !l.bad && f->pop.uidl)
    ok = pop3_client_ask(&f->pop, "UIDL", &code) && pop3_client_lines(&f->pop, take_uidl, &l, &code);
  if (ok && l.bad)
    code = cli_fail(CLI_EXIT_PROTOCOL, "the server's list is not understood");
  else if (ok)
    code = CLI_EXIT_OK;
  if (code == CLI_EXIT_OK) table_print(&l.t, c->json);
  buf_free(&columns);
  table_free(&l.t);
  return code;
}

/* --- fetching --- */

static bool take_piece(void *arg, struct slice piece) {
  struct fetch *f = arg;
  if (f->fresh) net_show_text(&f->pop.net, "S", piece);
  f->fresh = false;
  return mailbox_out_put(f->out, piece);
}

static int fetch_one(struct fetch *f, uint64_t number) {
  char line[40];
  int code = CLI_EXIT_IO;
  struct mail_meta meta = { 0 };
  snprintf(line, sizeof line, "RETR %llu", (unsigned long long)number);
  if (!pop3_client_ask(&f->pop, line, &code)) return code;
  if (!mailbox_out_begin(f->out, &meta)) return cli_fail(CLI_EXIT_IO, "%s", mailbox_out_error(f->out));
  f->fresh = true;
  bool ok = pop3_client_text(&f->pop, take_piece, f, &code);
  if (ok) net_show(&f->pop.net, "S", SLICE("."));
  if (ok && mailbox_out_end(f->out)) return CLI_EXIT_OK;
  const char *why = mailbox_out_error(f->out);
  return *why ? cli_fail(CLI_EXIT_IO, "%s", why) : code;
}

static int delete_all(struct fetch *f) {
  char line[40];
  int code = CLI_EXIT_OK;
  if (!mailbox_out_sync(f->out))
    return cli_fail(CLI_EXIT_IO, "%s; nothing is deleted at the server", mailbox_out_error(f->out));
  for (uint64_t i = 1; i <= f->count; i++) {
    snprintf(line, sizeof line, "DELE %llu", (unsigned long long)i);
    if (!pop3_client_ask(&f->pop, line, &code)) return code;
  }
  return CLI_EXIT_OK;
}

static int fetch_all(struct cli *c, struct fetch *f) {
  const char *place = cli_given(c, "to");
  struct buf err;
  if (!place) place = "-";
  buf_init(&err, 4096);
  f->out = mailbox_out_open(is_maildir(place), place, true, &err);
  int code = f->out ? CLI_EXIT_OK : cli_fail(CLI_EXIT_IO, "%.*s", SLICE_ARG(buf_slice(&err)));
  buf_free(&err);
  for (uint64_t i = 1; code == CLI_EXIT_OK && i <= f->count; i++) code = fetch_one(f, i);
  if (code == CLI_EXIT_OK && cli_given(c, "delete"))
    code = delete_all(f);
  else if (code == CLI_EXIT_OK && !mailbox_out_sync(f->out))
    code = cli_fail(CLI_EXIT_IO, "%s", mailbox_out_error(f->out));
  mailbox_out_free(&f->out);
  return code;
}

static int work(struct cli *c, struct fetch *f) {
  int code = CLI_EXIT_PROTOCOL;
  if (!pop3_client_ask(&f->pop, "STAT", &code)) return code;
  struct slice text = slice_str(f->pop.text), first = slice_split(&text, ' '),
               second = slice_split(&text, ' ');
  char pair[64];
  snprintf(pair, sizeof pair, "%.*s %.*s", SLICE_ARG(slice_first(first, 20)),
           SLICE_ARG(slice_first(second, 20)));
  if (!pop3_reply_pair(slice_str(pair), &f->count, &f->octets))
    return cli_fail(CLI_EXIT_PROTOCOL, "the server's answer to STAT is not understood");
  code = cli_given(c, "list") ? list(c, f) : fetch_all(c, f);
  int quit = CLI_EXIT_OK;
  /* Without QUIT nothing is deleted (RFC 1939 §6), so after a failure it is not said. */
  if (code == CLI_EXIT_OK && !pop3_client_ask(&f->pop, "QUIT", &quit)) code = quit;
  if (code == CLI_EXIT_OK && !cli_given(c, "list"))
    fprintf(stderr, "%llu message%s, %llu octets%s\n", (unsigned long long)f->count, f->count == 1 ? "" : "s",
            (unsigned long long)f->octets, cli_given(c, "delete") ? ", deleted at the server" : "");
  return code;
}

int cmd_fetch(struct cli *c) {
  struct fetch f = { .count = 0 };
  struct url url;
  struct buf err, password;
  buf_init(&err, 4096), buf_init(&password, SECRET_MAX);
  int code = CLI_EXIT_OK;
  if (!url_parse(c->args[0], "pop3", 110, 995, &url, &err))
    code = cli_fail(CLI_EXIT_USAGE, "%.*s", SLICE_ARG(buf_slice(&err)));
  else if (!url.user[0])
    code = cli_fail(CLI_EXIT_USAGE, "the URL names no user: %s://USER@HOST", url.scheme);
  else
    code = secret_get(c, "Password: ", false, &password);
  if (code == CLI_EXIT_OK) {
    code = pop3_client_open(&f.pop, c, &url);
    if (code == CLI_EXIT_OK)
      code = pop3_client_login(&f.pop, cli_given(c, "auth"), slice_str(url.user), buf_slice(&password));
    if (code == CLI_EXIT_OK) code = work(c, &f);
    pop3_client_close(&f.pop);
  }
  buf_free(&err);
  buf_wipe(&password);
  return code;
}
