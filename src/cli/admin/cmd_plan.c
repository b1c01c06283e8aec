/* SPDX-License-Identifier: ISC */
/* `qasid plan`: previews the handling of a message to an address. The store says whom it leads to,
 * the sender where it would be sent; --probe asks the servers. One table, which is printed for
 * people or as JSON. */
#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

#include "lib/base/num.h"
#include "src/cli/admin/commands.h"
#include "src/cli/link/ask.h"
#include "src/cli/client/probe.h"
#include "src/cli/base/terminal.h"

enum { PLAN_SENDER_ASKED_MAX = 20 /* remote recipients whose servers are looked up */ };

struct plan_print {
  struct cli *c;
  struct table out; /* recipient step name state what host port tls source */
  struct slice recipient;
};

struct plan_cells {
  struct slice step, name, state, what, host, port, tls, source;
};

static void plan_add(struct plan_print *p, const struct plan_cells *x) {
  if (!TABLE_ROW(&p->out, p->recipient, x->step, x->name, x->state, x->what, x->host, x->port,
                 x->tls, x->source))
    cli_fail(CLI_EXIT_SYSTEM, "no memory for the plan");
}

static void plan_set_columns(struct table *t) {
  table_set_columns(t, "recipient step name state what host port tls source");
}

/* --- the servers are asked --- */

static void plan_reply(void *arg, const char *command, unsigned code, struct slice text) {
  char state[16] = "";
  if (code) snprintf(state, sizeof state, "%u", code);
  plan_add(arg, &(struct plan_cells){ SLICE("probe"), slice_str(command), slice_str(state), text,
                                      SLICE(""), SLICE(""), SLICE(""), SLICE("") });
}

static bool plan_take_address(struct slice text, struct dns_address *ret) {
  char address[DNS_ADDRESS_TEXT];
  snprintf(address, sizeof address, "%.*s", SLICE_ARG(slice_first(text, sizeof address - 1)));
  *ret = (struct dns_address){ .n = 4 };
  if (inet_pton(AF_INET, address, ret->octets) == 1) return true;
  ret->n = 16;
  return inet_pton(AF_INET6, address, ret->octets) == 1;
}

/* A cell as a string of its own. */
static const char *plan_text(struct slice cell, char *to, size_t room) {
  snprintf(to, room, "%.*s", SLICE_ARG(slice_first(cell, room - 1)));
  return to;
}

static bool plan_probe_one(struct plan_print *p, const struct table *t, const struct table_row *r,
                           const char *from, bool lmtp) {
  char host[256], tls[32], to[1024], hello[256];
  uint64_t port;
  struct probe x = { .hello = plan_text(table_cell(t, r, "hello"), hello, sizeof hello),
                     .from = from,
                     .to = plan_text(p->recipient, to, sizeof to),
                     .host = plan_text(table_cell(t, r, "host"), host, sizeof host),
                     .tls = plan_text(table_cell(t, r, "tls"), tls, sizeof tls),
                     .lmtp = lmtp,
                     .say = plan_reply,
                     .arg = p };
  if (!plan_take_address(table_cell(t, r, "name"), &x.address) ||
      !num_parse(table_cell(t, r, "port"), 65535, &port))
    return false;
  x.port = (uint16_t)port;
  if (!hello[0]) x.hello = "localhost";
  if (!plan_take_address(table_cell(t, r, "source"), &x.source)) x.source.n = 0;
  plan_add(p, &(struct plan_cells){ SLICE("probe"), table_cell(t, r, "name"), SLICE("connecting"),
                                    SLICE(""), table_cell(t, r, "host"), table_cell(t, r, "port"),
                                    SLICE(""), table_cell(t, r, "source") });
  return probe_run(p->c, &x);
}

/* Stops after the first server that replies to RCPT. */
static void plan_probe(struct plan_print *p, const struct table *t, struct slice path) {
  char from[600];
  bool lmtp = false, replied = false;
  plan_text(path, from, sizeof from);
  for (const struct table_row *r = t->first; r; r = r->next)
    lmtp |= slice_eq(table_cell(t, r, "step"), SLICE("route")) &&
            slice_eq(table_cell(t, r, "state"), SLICE("lmtp"));
  for (const struct table_row *r = t->first; r && !replied; r = r->next)
    if (slice_eq(table_cell(t, r, "step"), SLICE("address")) &&
        slice_eq(table_cell(t, r, "state"), SLICE("tried")))
      replied = plan_probe_one(p, t, r, from, lmtp);
}

/* --- a recipient elsewhere --- */

/* The recipient's domain, the reverse-path, and the account and domain that select routes. */
struct plan_asked {
  struct slice destination, path, account, sender;
};

static int plan_ask_sender(struct plan_print *p, const struct plan_asked *q, struct table *t) {
  const struct slice words[] = { SLICE("plan"), q->destination, q->account, q->sender };
  int code;
  struct cli_link *l = link_probe(p->c) ? link_open_running(p->c, ROLE_SENDER, 0, &code) : NULL;
  if (!l) {
    plan_add(p, &(struct plan_cells){ SLICE("route"), q->destination, SLICE("no-sender"),
                                      SLICE("no sender runs, so the route is not known"), SLICE(""),
                                      SLICE(""), SLICE(""), SLICE("") });
    return CLI_EXIT_TEMPORARY;
  }
  code = link_ask(l, words, 4)
             ? ask_answer(l, t, NULL)
             : cli_fail(CLI_EXIT_TEMPORARY, "the server did not accept the command");
  link_free(&l);
  return code;
}

static int plan_elsewhere(struct plan_print *p, const struct plan_asked *q) {
  struct table t;
  table_init(&t);
  int code = plan_ask_sender(p, q, &t);
  for (const struct table_row *r = t.first; r; r = r->next)
    plan_add(p, &(struct plan_cells){ table_cell(&t, r, "step"), table_cell(&t, r, "name"),
                                      table_cell(&t, r, "state"), table_cell(&t, r, "what"),
                                      table_cell(&t, r, "host"), table_cell(&t, r, "port"),
                                      table_cell(&t, r, "tls"), table_cell(&t, r, "source") });
  if (code == CLI_EXIT_OK && cli_given(p->c, "probe")) plan_probe(p, &t, q->path);
  table_free(&t);
  return code;
}

/* --- the whole --- */

static int plan_gather(struct plan_print *p, const struct table *t) {
  int code = CLI_EXIT_OK;
  size_t asked = 0;
  for (const struct table_row *r = t->first; r; r = r->next) {
    struct slice step = table_cell(t, r, "step"), state = table_cell(t, r, "state"),
                 path = table_cell(t, r, "path");
    bool elsewhere = slice_eq(step, SLICE("elsewhere")), queue = slice_eq(step, SLICE("queue"));
    if (!queue) p->recipient = table_cell(t, r, "name");
    plan_add(p,
             &(struct plan_cells){ step, table_cell(t, r, "name"), state, table_cell(t, r, "what"),
                                   SLICE(""), SLICE(""), SLICE(""), SLICE("") });
    if (elsewhere)
      plan_add(p,
               &(struct plan_cells){ SLICE("envelope"), path.n ? path : SLICE("<>"), SLICE("from"),
                                     SLICE("the reverse-path with which it leaves"), SLICE(""),
                                     SLICE(""), SLICE(""), SLICE("") });
    if (slice_eq(state, SLICE("unknown"))) code = CLI_EXIT_NOT_FOUND;
    if (!elsewhere || asked++ >= PLAN_SENDER_ASKED_MAX) continue;
    int one = plan_elsewhere(p, &(struct plan_asked){ table_cell(t, r, "destination"), path,
                                                      table_cell(t, r, "account"),
                                                      table_cell(t, r, "sender") });
    if (one != CLI_EXIT_OK) code = one;
  }
  return code;
}

static void plan_put(struct buf *line, const char *before, struct slice cell, const char *after) {
  if (!cell.n) return;
  buf_put_str(line, before);
  text_put_safe(line, cell);
  buf_put_str(line, after);
}

static void plan_print_text(const struct table *t) {
  struct buf line;
  struct slice last = SLICE_NONE;
  buf_init(&line, 64 * 1024);
  for (const struct table_row *r = t->first; r; r = r->next) {
    struct slice recipient = table_cell(t, r, "recipient");
    bool same = slice_eq(recipient, last);
    last = recipient;
    buf_reset(&line);
    if (!same) plan_put(&line, "", recipient, "\n");
    buf_printf(&line, "  %-10.*s", SLICE_ARG(table_cell(t, r, "step")));
    plan_put(&line, "", table_cell(t, r, "state"), "  ");
    if (!slice_eq(table_cell(t, r, "name"), recipient))
      plan_put(&line, "", table_cell(t, r, "name"), "  ");
    if (!slice_eq(table_cell(t, r, "host"), table_cell(t, r, "name")))
      plan_put(&line, "(", table_cell(t, r, "host"), ")  ");
    plan_put(&line, "port ", table_cell(t, r, "port"), "  ");
    plan_put(&line, "tls=", table_cell(t, r, "tls"), "  ");
    plan_put(&line, "from ", table_cell(t, r, "source"), "  ");
    plan_put(&line, "", table_cell(t, r, "what"), "");
    buf_put_str(&line, "\n");
    out_put(&line);
  }
  buf_free(&line);
}

static bool plan_is_clean(const char *text) {
  for (; *text; text++)
    if (ascii_is_control((uint8_t)*text) || strchr(" <>", *text)) return false;
  return true;
}

int cmd_plan(struct cli *c) {
  struct plan_print p = { .c = c };
  const char *from = cli_given(c, "from") ? cli_given(c, "from") : "";
  const char *account = cli_given(c, "account") ? cli_given(c, "account") : "";
  const struct slice words[] = { SLICE("plan"), slice_str(c->args[0]), slice_str(from),
                                 slice_str(account) };
  struct table t;
  if (!plan_is_clean(c->args[0]) || !plan_is_clean(from) || !plan_is_clean(account))
    return cli_fail(CLI_EXIT_USAGE, "an address is meant, without < and >");
  table_init(&t), table_init(&p.out);
  plan_set_columns(&p.out);
  int code = ask_table(c, ROLE_STORE, words, 4, &t, NULL);
  if (code == CLI_EXIT_OK) {
    code = plan_gather(&p, &t);
    if (c->json)
      table_print(&p.out, true);
    else
      plan_print_text(&p.out);
  }
  table_free(&t), table_free(&p.out);
  return code;
}
