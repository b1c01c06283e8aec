/* SPDX-License-Identifier: ISC */
/* `qasid dns lookup`: what the server would get from DNS. */
#include <arpa/inet.h>
#include <stdio.h>
#include <unistd.h>

#include "ipc/ipc.h"
#include "src/cli/admin/commands.h"
#include "src/cli/base/dns.h"
#include "src/cli/link/link.h"
#include "src/cli/base/table.h"

static bool is_text(const struct dns_answer *a) { return a->kind == DNS_TXT || a->kind == DNS_PTR; }

static bool set_columns(struct table *t, const struct dns_answer *a) {
  return table_set_columns(t, is_text(a) ? "text" : "host port priority weight addresses");
}

static void put_addresses(struct buf *text, const struct dns_host *h) {
  for (size_t i = 0; i < h->address_count; i++) {
    char address[DNS_ADDRESS_TEXT];
    dns_address_text(&h->addresses[i], address);
    buf_printf(text, "%s%s", i ? " " : "", address);
  }
  if (!h->address_count) buf_put_str(text, h->later ? "(no answer now)" : "(none)");
}

static bool add_host(struct table *t, const struct dns_host *h) {
  struct buf addresses;
  buf_init(&addresses, DNS_ADDRESSES_MAX * DNS_ADDRESS_TEXT + 64);
  put_addresses(&addresses, h);
  bool ok = TABLE_ROW(t, slice_str(h->name), TABLE_NUMBER(h->port), TABLE_NUMBER(h->priority),
                      TABLE_NUMBER(h->weight), buf_slice(&addresses));
  buf_free(&addresses);
  return ok;
}

static bool add_text(struct table *t, struct slice text) { return TABLE_ROW(t, text); }

/* Who was asked, on one line. */
static void put_asked(const struct dns_settings *settings, struct buf *to) {
  struct buf servers, err;
  buf_init(&servers, DNS_SERVERS_TEXT_MAX);
  buf_init(&err, 256);
  dns_servers(settings, &servers, &err);
  struct slice rest = buf_slice(&servers);
  buf_put_str(to, "name servers:");
  while (rest.n) {
    struct slice server = slice_split(&rest, '\n');
    buf_printf(to, " %.*s", SLICE_ARG(server));
  }
  buf_free(&servers);
  buf_free(&err);
}

static void print_answer(const char *name, const struct dns_answer *a, struct buf *asked) {
  const char *who = buf_cstr(asked);
  fprintf(stderr, "%s: %s%s%s%s%s; %s\n", name, dns_result_name(a->result), a->why[0] ? ": " : "",
          a->why,
          a->implicit && a->result == DNS_FOUND ? " (it has no MX and takes its mail itself)" : "",
          a->secure ? ", proven by DNSSEC" : "", who ? who : "");
}

static int show(struct cli *c, const struct dns_answer *a) {
  struct table t;
  table_init(&t);
  struct slice text;
  bool ok = set_columns(&t, a);
  for (size_t i = 0; ok && i < a->host_count; i++) ok = add_host(&t, &a->hosts[i]);
  for (size_t at = 0; ok && dns_text_next(a, &at, &text);) ok = add_text(&t, text);
  if (ok && (t.row_count || c->json)) table_print(&t, c->json);
  table_free(&t);
  return ok ? cli_dns_code(a) : cli_fail(CLI_EXIT_SYSTEM, "no memory");
}

/* --- who is asked --- */

/* The answer's octets, then the end. */
static int receive_answer(struct cli_link *l, struct dns_answer *ret) {
  struct link_reply reply;
  bool whole = false;
  while (link_next(l, &reply) == LINK_OUTPUT) whole = dns_answer_get(reply.data, ret);
  if (reply.event != LINK_DONE || reply.code != CLI_OK) return link_finish(&reply);
  return whole ? CLI_EXIT_OK
               : cli_fail(CLI_EXIT_PROTOCOL, "the resolver did not answer as this qasid expects");
}

/* False: no server runs, or it has no resolver. */
static bool ask_running(struct cli *c, const char *name, enum dns_kind kind, struct dns_answer *ret,
                        int *ret_code) {
  struct slice words[] = { SLICE("dns"), SLICE("lookup"), slice_str(name),
                           slice_str(dns_kind_name(kind)) };
  if (cli_given(c, "direct") || !c->conf || !link_probe(c)) return false;
  struct cli_link *l = link_open_running(c, ROLE_RESOLVER, 0, ret_code);
  if (!l) return *ret_code != CLI_EXIT_NOT_FOUND;
  *ret_code = link_ask(l, words, 4)
                  ? receive_answer(l, ret)
                  : cli_fail(CLI_EXIT_TEMPORARY, "the server did not accept the question");
  link_free(&l);
  return true;
}

/* The name to look up: for an address, that of its PTR record. */
static const char *name_to_ask(const char *text, enum dns_kind kind,
                               char reverse[static DNS_NAME_MAX + 1]) {
  struct dns_address a = { .n = 0 };
  if (inet_pton(AF_INET, text, a.octets) == 1)
    a.n = 4;
  else if (inet_pton(AF_INET6, text, a.octets) == 1)
    a.n = 16;
  if (kind != DNS_PTR || !a.n) return text;
  dns_reverse_name(&a, reverse);
  return reverse;
}

int cmd_dns_lookup(struct cli *c) {
  static struct dns_answer answer;
  struct dns_settings settings;
  struct buf asked;
  char reverse[DNS_NAME_MAX + 1];
  int code;
  enum dns_kind kind = c->arg_count > 1 ? dns_kind_named(slice_str(c->args[1])) : DNS_ADDRESS;
  if (kind == DNS_KINDS)
    return cli_fail(CLI_EXIT_USAGE, "%s: address, srv, mx, txt or ptr is meant", c->args[1]);
  if (!cli_dns_settings(c, &settings)) return CLI_EXIT_CONFIG;
  buf_init(&asked, DNS_SERVERS_TEXT_MAX + 64);
  const char *name = name_to_ask(c->args[0], kind, reverse);
  if (ask_running(c, name, kind, &answer, &code)) {
    buf_put_str(&asked, "asked by the running server");
  } else {
    code = cli_dns_ask(&settings, name, kind, &answer);
    put_asked(&settings, &asked);
  }
  if (code == CLI_EXIT_OK) {
    print_answer(c->args[0], &answer, &asked);
    code = show(c, &answer);
  }
  buf_free(&asked);
  return code;
}
