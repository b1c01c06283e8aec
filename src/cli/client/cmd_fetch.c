/* SPDX-License-Identifier: ISC */
/* `qasid fetch`: a POP3 client for people. A message is deleted at the server only when it is safe
 * here. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "ipc/ipc.h"
#include "lib/base/num.h"
#include "lib/base/units.h"
#include "lib/base/sys.h"
#include "src/cli/client/commands.h"
#include "src/cli/client/discover.h"
#include "src/cli/client/fetch.h"
#include "src/cli/base/secret.h"
#include "src/cli/base/table.h"
#include "src/cli/base/terminal.h"

/* --- --list --- */

static void put_row(struct table *t, const struct pop3_item *m, bool *ok) {
  *ok = TABLE_ROW(t, TABLE_NUMBER(m->number), TABLE_NUMBER(m->size), m->uidl) && *ok;
}

static enum pop3_sink_verdict list_listed(void *arg, struct pop3_item *items, size_t count) {
  struct cli *c = arg;
  struct table t;
  table_init(&t);
  bool ok = table_set_columns(&t, "number size uidl");
  for (size_t i = 0; i < count; i++) put_row(&t, &items[i], &ok);
  if (ok) table_print(&t, c->json);
  table_free(&t);
  return ok ? POP3_SINK_ON : POP3_SINK_OVER;
}

/* --- --top --- */

struct look {
  uint32_t lines;
  bool any;
};

static enum pop3_sink_verdict look_listed(void *arg, struct pop3_item *items, size_t count) {
  const struct look *l = arg;
  for (size_t i = 0; i < count; i++) items[i].wish = POP3_LOOK, items[i].lines = l->lines;
  return POP3_SINK_ON;
}

static enum pop3_sink_verdict look_begin(void *arg, struct pop3_item *m) {
  struct look *l = arg;
  printf("%s%s--- %" PRIu64 ": %" PRIu64 " octets%s\n", l->any ? "\n" : "",
         terminal_tint(stdout, TINT_BOLD), m->number, m->size, terminal_tint(stdout, TINT_NONE));
  l->any = true;
  return POP3_SINK_ON;
}

/* Control characters are escaped. */
static enum pop3_sink_verdict look_piece(void *arg, struct pop3_item *m, struct slice octets) {
  struct buf safe;
  buf_init(&safe, 8 * POP3_CLIENT_IN);
  while (octets.n) {
    bool last = slice_find(octets, '\n') < 0;
    struct slice line = slice_split(&octets, '\n');
    if (line.n && line.p[line.n - 1] == '\r') line.n--;
    text_put_safe(&safe, line);
    if (!last) buf_put_u8(&safe, '\n');
  }
  out_put(&safe);
  buf_free(&safe);
  return POP3_SINK_ON;
}

static enum pop3_sink_verdict look_end(void *arg, struct pop3_item *m) { return POP3_SINK_ON; }
static void look_cut(void *arg, struct pop3_item *m) {}

/* --- the session --- */

static int run(struct fetch *f, struct slice password, const struct pop3_sink *sink) {
  struct pop3_client_start start = { .user = slice_str(f->user),
                                     .secret = password,
                                     .sink = *sink };
  pop3_shell_start(&f->net, f->c, &start);
  start.policy.delete_short = cli_given(f->c, "delete-short") != NULL;
  start.limits.message = f->largest;
  f->pop = pop3_client_new(&start);
  if (!f->pop) return cli_fail(CLI_EXIT_SYSTEM, "no memory");
  pop3_shell_run(&f->net, f->pop, fetch_settle, f);
  if (f->dest) fetch_settle(f); /* settles what came before the connection was lost */
  progress_clear(&f->progress);
  int code = pop3_shell_report(&f->net, f->pop);
  return f->code != CLI_EXIT_OK ? f->code : code;
}

/* --- connecting --- */

struct fetch_place {
  struct url url;
  struct discovered found; /* no host: the URL was given */
};

static int take_url(struct fetch *f, struct fetch_place *p) {
  struct buf err;
  int code = CLI_EXIT_OK;
  buf_init(&err, 4096);
  if (!url_parse(f->c->args[0], "pop3", 110, 995, &p->url, &err))
    code = cli_fail(CLI_EXIT_USAGE, "%.*s", SLICE_ARG(buf_slice(&err)));
  else if (!p->url.user[0])
    code = cli_fail(CLI_EXIT_USAGE, "the URL names no user: %s://USER@HOST", p->url.scheme);
  buf_free(&err);
  return code;
}

static int find_place(struct fetch *f, struct fetch_place *p) {
  const char *where = f->c->args[0];
  if (strstr(where, "://")) return take_url(f, p);
  if (strlen(where) >= sizeof p->url.user)
    return cli_fail(CLI_EXIT_USAGE, "%s is not an address", where);
  snprintf(p->url.user, sizeof p->url.user, "%s", where);
  int code = discover_pop3(f->c, where, &p->found);
  snprintf(p->url.scheme, sizeof p->url.scheme, p->found.tls ? "pop3s" : "pop3");
  p->url.tls = p->found.tls;
  return code;
}

/* Tries the hosts from DNS until one answers. */
static int connect_to_found(struct fetch *f, struct fetch_place *p) {
  int code = CLI_EXIT_UNAVAILABLE;
  if (!p->found.answer.host_count) return net_open(&f->net, f->c, &p->url, "pop3");
  for (uint8_t i = 0; i < p->found.answer.host_count && code == CLI_EXIT_UNAVAILABLE; i++) {
    const struct dns_host *h = &p->found.answer.hosts[i];
    if (i) net_close(&f->net);
    snprintf(p->url.host, sizeof p->url.host, "%s", h->name);
    p->url.port = h->port;
    code = net_open_at(&f->net, f->c, &p->url, "pop3", h);
  }
  return code;
}

/* --- fetching --- */

static uint64_t count_state(const struct fetch *f, enum pop3_item_state state) {
  uint64_t n = 0;
  for (size_t i = 0; f->pop && i < f->pop->count; i++) n += f->pop->items[i].state == state;
  return n;
}

static void print_count(const char *what, uint64_t n, const char *one, const char *many) {
  if (n) cli_fail(0, "%" PRIu64 " message%s %s", n, n == 1 ? "" : "s", n == 1 ? one : many);
}

static int print_sum(struct fetch *f, int code) {
  char size[PROGRESS_SIZE_ROOM];
  bool done = f->pop && f->pop->end == POP3_END_DONE;
  uint64_t deleted = done ? count_state(f, POP3_DELETED) : 0;
  progress_size(f->fetched_octets, size);
  print_count(
      "", count_state(f, POP3_KEPT_BACK),
      "came shorter than the server had announced, or after such a message, and was left there; "
      "--delete-short deletes it",
      "came shorter than the server had announced, or after such a message, and were left there; "
      "--delete-short deletes "
      "them");
  print_count("", f->too_large, "is larger than --largest, and was left",
              "are larger than --largest, and were left");
  print_count("", f->nameless,
              "has no UIDL that can be remembered, and was left; --delete or --all fetches it",
              "have no UIDL that can be remembered, and were left; --delete or --all fetches them");
  uint64_t failed = f->refused + f->stepped.count;
  if (failed && code == CLI_EXIT_OK)
    code = cli_fail(CLI_EXIT_TEMPORARY, "%" PRIu64 " message%s could not be fetched", failed,
                    failed == 1 ? "" : "s");
  if (cli_given(f->c, "quiet")) return code;
  fprintf(stderr, "%" PRIu64 " message%s, %s", f->fetched, f->fetched == 1 ? "" : "s", size);
  if (f->known) fprintf(stderr, "; %" PRIu64 " fetched before", f->known);
  if (deleted) fprintf(stderr, "; %" PRIu64 " deleted at the server", deleted);
  fprintf(stderr, "\n");
  return code;
}

/* A server that had TLS before and no longer offers it is another one, or an attacker is in
 * between. */
static int look_for_tls(struct fetch *f) {
  if (!f->memory || !f->net.plain || f->net.tls || !memory_had_tls(f->memory)) return CLI_EXIT_OK;
  if (cli_given(f->c, "tls-is-gone")) return CLI_EXIT_OK;
  return cli_fail(
      CLI_EXIT_REFUSED,
      "%s had TLS before: nothing is said to it without; if it has none any more, --tls-is-gone",
      f->net.url.host);
}

/* One session more than there are messages that end one. */
static int run_all(struct fetch *f, struct slice password) {
  struct pop3_sink sink = fetch_sink(f);
  int code = look_for_tls(f);
  if (code != CLI_EXIT_OK) return code;
  for (;;) {
    code = run(f, password, &sink);
    if (!f->pop || !fetch_step_over(f)) return code;
    pop3_client_free(&f->pop);
    net_close(&f->net);
    code = connect_to_found(f, f->place);
    if (code == CLI_EXIT_OK) code = look_for_tls(f);
    if (code != CLI_EXIT_OK) return code;
  }
}

/* The memory is cleaned up when the server has listed everything. */
static int fetch(struct fetch *f, struct slice password) {
  if (!fetch_take_up(f)) return f->code;
  int code = run_all(f, password);
  if (!f->pop) return f->lists ? print_sum(f, code) : code;
  if (f->memory && f->net.tls && (f->pop->logged_in || f->lists))
    memory_note_tls(f->memory, f->now);
  fetch_forget_deleted(f);
  bool whole = f->pop->end == POP3_END_DONE && f->pop->has_uidl && !f->pop->list_cut;
  if (f->memory && whole && !memory_forget(f->memory))
    cli_fail(0, "the memory of what was fetched could not be tidied up; it grows");
  return f->pop->logged_in || f->lists ? print_sum(f, code) : code;
}

static bool take_days(struct fetch *f, const char *text) {
  uint64_t days;
  f->delete_after = -1;
  if (!text) return true;
  if (!units_days(slice_str(text), &days) || days > 36500) return false;
  f->delete_after = (int64_t)days * 24 * 60 * 60;
  return true;
}

static int take_options(struct fetch *f) {
  struct cli *c = f->c;
  const char *largest = cli_given(c, "largest");
  f->remove = cli_given(c, "delete") != NULL;
  f->all = cli_given(c, "all") != NULL;
  f->now = sys_wall_s();
  f->largest = 1ull << 32;
  if (!take_days(f, cli_given(c, "delete-after")))
    return cli_fail(CLI_EXIT_USAGE, "--delete-after takes a number of days, such as 30 or 30d");
  if (largest && (!units_size(slice_str(largest), &f->largest) || !f->largest))
    return cli_fail(CLI_EXIT_USAGE, "--largest takes a size such as 20M");
  if (f->remove && (cli_given(c, "keep") || f->delete_after >= 0))
    return cli_fail(CLI_EXIT_USAGE,
                    "--delete, --delete-after and --keep are three different things");
  if (f->delete_after >= 0 && cli_given(c, "keep"))
    return cli_fail(CLI_EXIT_USAGE, "--keep and --delete-after are two different things");
  return CLI_EXIT_OK;
}

/* Version 1 did not distinguish ports: its entries are taken to be for the usual one. */
static void put_old_name(const struct fetch *f, const char *place, struct buf *out) {
  if (f->net.url.port != (f->net.url.tls ? 995 : 110)) return;
  buf_printf(out, "%s@%s to ", f->user, f->net.url.host);
  text_put_safe(out, slice_str(place));
}

static void take_old_file(struct slice was, const char *path) {
  char old[4096];
  if (was.n && access(path, F_OK) != 0 && fetch_state_path(was, old, sizeof old)) rename(old, path);
}

/* The memory's key: a user who fetches the same mail to another place starts anew. */
static int open_memory(struct fetch *f, const char *place) {
  const char *given = cli_given(f->c, "state");
  char path[4096], here[4096] = "";
  struct buf of, was, err;
  int code = CLI_EXIT_OK;
  if (f->dest->forgetful && !given) {
    if (f->delete_after > 0)
      return cli_fail(CLI_EXIT_USAGE, "--delete-after needs a --state FILE with this --to");
    f->all = true;
    return code;
  }
  buf_init(&of, 16384), buf_init(&was, 16384), buf_init(&err, 8192);
  if (!strstr(place, ":") && !realpath(place, here)) here[0] = 0;
  fetch_put_maildrop(f, &of);
  buf_put_str(&of, " to ");
  text_put_safe(&of, slice_str(here[0] ? here : place));
  put_old_name(f, here[0] ? here : place, &was);
  if (given)
    snprintf(path, sizeof path, "%s", given);
  else if (!fetch_state_path(buf_slice(&of), path, sizeof path))
    code = cli_fail(
        CLI_EXIT_USAGE,
        "there is no home directory for the record of fetched messages; --state FILE names a file");
  if (code == CLI_EXIT_OK) {
    if (!given) take_old_file(buf_slice(&was), path);
    f->memory = memory_open(path, buf_slice(&of), buf_slice(&was), &code, &err);
    if (!f->memory) cli_fail(code, "%.*s", SLICE_ARG(buf_slice(&err)));
  }
  buf_free(&of), buf_free(&was), buf_free(&err);
  return code;
}

static int fetch_to(struct fetch *f, struct slice password) {
  const char *place = cli_given(f->c, "to");
  int code = CLI_EXIT_OK;
  if (!place) place = "-";
  f->dest = dest_open(f->c, place, &code);
  if (!f->dest) return code;
  code = open_memory(f, place);
  if (code == CLI_EXIT_OK) code = fetch(f, password);
  fetched_free(&f->here);
  digest_end(&f->digest, NULL);
  memory_free(&f->memory);
  dest_free(&f->dest);
  return code;
}

static int work(struct fetch *f, struct slice password) {
  const char *top = cli_given(f->c, "top");
  uint64_t lines = 0;
  struct look look = { .any = false };
  struct pop3_sink list = { .listed = list_listed, .arg = f->c };
  struct pop3_sink looker = {
    look_listed, look_begin, look_piece, look_end, look_cut, NULL, &look
  };
  if (cli_given(f->c, "list")) return run(f, password, &list);
  if (!top) return fetch_to(f, password);
  if (!num_parse(slice_str(top), 1000000, &lines))
    return cli_fail(CLI_EXIT_USAGE, "--top takes a number of lines");
  look.lines = (uint32_t)lines;
  return run(f, password, &looker);
}

int cmd_fetch(struct cli *c) {
  struct fetch f = { .c = c, .net.fd = -1 };
  struct fetch_place place = { .found.tls = false };
  f.place = &place;
  fetched_init(&f.here);
  struct buf password;
  buf_init(&password, TOKEN_MAX);
  int code = take_options(&f);
  if (code == CLI_EXIT_OK) code = find_place(&f, &place);
  if (code == CLI_EXIT_OK && secret_is_needed(cli_given(c, "auth")))
    code = secret_get(c, "Password: ", false, &password);
  f.user = place.url.user;
  if (code == CLI_EXIT_OK) code = connect_to_found(&f, &place);
  if (code == CLI_EXIT_OK) code = work(&f, buf_slice(&password));
  pop3_client_free(&f.pop);
  net_close(&f.net);
  buf_wipe(&password);
  return code;
}
