/* SPDX-License-Identifier: ISC */
/* `qasid domain check`: compares the DNS records of our host and our domains with what they should
 * be. Each line is one record: it is right, or the record to publish is below it. */
#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "ipc/ipc.h"
#include "src/cli/admin/commands.h"
#include "src/cli/admin/dkim.h"
#include "src/cli/base/dns.h"
#include "src/cli/admin/spf.h"
#include "src/cli/base/terminal.h"

struct domain_check {
  struct cli *c;
  struct dns_settings settings;
  const struct conf *conf;
  char host[DNS_NAME_MAX + 1];
  struct dns_host addresses;                     /* of our host, according to DNS */
  struct dns_address sources[DNS_ADDRESSES_MAX]; /* of source_addresses: the addresses that mail is
                                                  * sent from */
  size_t source_count;
  const char *domain;
  struct dns_answer answer; /* the last */
  struct table out;
  bool wrong, later;
};

/* --- findings --- */

static void note(struct domain_check *x, const char *state, const char *kind, const char *name,
                 struct slice found, struct slice publish) {
  if (!TABLE_ROW(&x->out, slice_str(state), slice_str(kind), slice_str(name), found, publish))
    cli_fail(CLI_EXIT_SYSTEM, "no memory for what was found");
  x->wrong |= strcmp(state, "missing") == 0 || strcmp(state, "wrong") == 0;
  x->later |= strcmp(state, "unknown") == 0;
}

static void right(struct domain_check *x, const char *kind, const char *name, struct slice found) {
  note(x, "ok", kind, name, found, SLICE(""));
}

/* False: no answer from DNS, which is recorded. */
static bool ask(struct domain_check *x, const char *kind_word, const char *name,
                enum dns_kind kind) {
  int code = cli_dns_ask(&x->settings, name, kind, &x->answer);
  bool unknown =
      code != CLI_EXIT_OK || x->answer.result == DNS_LATER || x->answer.result == DNS_BOGUS;
  if (unknown)
    note(x, "unknown", kind_word, name,
         slice_str(code == CLI_EXIT_OK ? dns_result_name(x->answer.result)
                                       : "DNS could not be asked"),
         SLICE(""));
  return !unknown;
}

static bool ask_spf(void *arg, const char *name, enum dns_kind kind, struct dns_answer *ret) {
  struct domain_check *x = arg;
  return cli_dns_ask(&x->settings, name, kind, ret) == CLI_EXIT_OK;
}

/* --- our host --- */

/* The PTR record of the address must be that name. */
static void check_pointer(struct domain_check *x, const struct dns_address *a, const char *host) {
  char text[DNS_ADDRESS_TEXT], name[DNS_NAME_MAX + 1];
  struct slice found = SLICE(""), pointer;
  struct buf publish;
  bool good = false;
  dns_address_text(a, text);
  dns_reverse_name(a, name);
  if (!ask(x, "PTR", name, DNS_PTR)) return;
  for (size_t at = 0; dns_text_next(&x->answer, &at, &pointer);) {
    if (!good) found = pointer;
    good |= slice_caseeq(pointer, slice_str(host));
  }
  buf_init(&publish, 1024);
  if (!good) buf_printf(&publish, "%s. PTR %s.   (whoever gave you %s sets it)", name, host, text);
  note(x, good ? "ok" : found.n ? "wrong" : "missing", "PTR", text, found, buf_slice(&publish));
  buf_free(&publish);
}

static void check_host(struct domain_check *x) {
  struct buf text;
  buf_init(&text, 1024);
  if (!ask(x, "A", x->host, DNS_ADDRESS)) return;
  if (x->answer.result == DNS_FOUND) {
    x->addresses = x->answer.hosts[0];
    for (size_t i = 0; i < x->addresses.address_count; i++) {
      char one[DNS_ADDRESS_TEXT];
      dns_address_text(&x->addresses.addresses[i], one);
      buf_printf(&text, "%s%s", i ? " " : "", one);
    }
    right(x, "A", x->host, buf_slice(&text));
    for (size_t i = 0; i < x->addresses.address_count; i++)
      check_pointer(x, &x->addresses.addresses[i], x->host);
  } else {
    buf_printf(&text, "%s. A ADDRESS   (this machine's; AAAA for IPv6)", x->host);
    note(x, "missing", "A", x->host, SLICE(""), buf_slice(&text));
  }
  buf_free(&text);
}

/* --- source_addresses --- */

/* The host name used with that source address must resolve to the address, and the address to the
 * name. */
static void check_source(struct domain_check *x, const struct dns_address *a, const char *name) {
  char text[DNS_ADDRESS_TEXT];
  bool there = false;
  struct buf publish;
  dns_address_text(a, text);
  if (!ask(x, "A", name, DNS_ADDRESS)) return;
  const struct dns_host *h = &x->answer.hosts[0];
  for (size_t i = 0; x->answer.result == DNS_FOUND && i < h->address_count; i++)
    there |= h->addresses[i].n == a->n && memcmp(h->addresses[i].octets, a->octets, a->n) == 0;
  buf_init(&publish, 1024);
  if (!there) buf_printf(&publish, "%s. %s %s", name, a->n == 4 ? "A" : "AAAA", text);
  note(x, there ? "ok" : "missing", a->n == 4 ? "A" : "AAAA", name,
       there ? slice_str(text) : SLICE(""), buf_slice(&publish));
  buf_free(&publish);
  check_pointer(x, a, name);
}

static void check_sources(struct domain_check *x) {
  for (size_t i = 0; i < x->conf->source_addresses.count; i++) {
    char text[64], name[DNS_NAME_MAX + 1];
    struct dns_address a = { .n = 4 };
    struct slice rest = slice_str(x->conf->source_addresses.items[i]),
                 address = slice_split(&rest, ' ');
    snprintf(text, sizeof text, "%.*s", SLICE_ARG(slice_first(address, sizeof text - 1)));
    if (!dns_name_check(slice_trim(rest), name)) snprintf(name, sizeof name, "%s", x->host);
    if (inet_pton(AF_INET, text, a.octets) != 1)
      a.n = inet_pton(AF_INET6, text, a.octets) == 1 ? 16 : 0;
    if (!a.n) continue;
    check_source(x, &a, name);
    if (x->source_count < DNS_ADDRESSES_MAX) x->sources[x->source_count++] = a;
  }
}

/* --- a domain --- */

/* Our host among those found; `ports`, two of them, or NULL. */
static const struct dns_host *find_host(const struct domain_check *x, const uint16_t *ports) {
  for (size_t i = 0; i < x->answer.host_count; i++) {
    const struct dns_host *h = &x->answer.hosts[i];
    if (strcmp(h->name, x->host) == 0 && (!ports || h->port == ports[0] || h->port == ports[1]))
      return h;
  }
  return NULL;
}

static void list_hosts(const struct domain_check *x, struct buf *to) {
  for (size_t i = 0; i < x->answer.host_count; i++) {
    buf_printf(to, "%s%s", i ? " " : "", x->answer.hosts[i].name);
    if (x->answer.hosts[i].port) buf_printf(to, ":%u", x->answer.hosts[i].port);
  }
}

static void check_mx(struct domain_check *x) {
  struct buf found, publish;
  if (!ask(x, "MX", x->domain, DNS_MX)) return;
  buf_init(&found, 8192), buf_init(&publish, 1024);
  bool any = x->answer.host_count && !x->answer.implicit, good = any && find_host(x, NULL);
  if (any) list_hosts(x, &found);
  if (x->answer.result == DNS_REFUSED) buf_put_str(&found, ".");
  if (!good) buf_printf(&publish, "%s. MX 10 %s.", x->domain, x->host);
  note(x,
       good              ? "ok"
       : buf_len(&found) ? "wrong"
                         : "missing",
       "MX", x->domain, buf_slice(&found), buf_slice(&publish));
  buf_free(&found), buf_free(&publish);
}

static const char *spf_state(enum spf_result r) {
  static const char *const states[] = {
    [SPF_PASS] = "ok",      [SPF_FAIL] = "wrong",     [SPF_NONE] = "missing",
    [SPF_DOUBLE] = "wrong", [SPF_UNSURE] = "unknown", [SPF_LATER] = "unknown"
  };
  return states[r];
}

/* The worst result over the addresses that we send from; without any, no result can be right. */
static void check_spf(struct domain_check *x) {
  static const struct dns_address nowhere = { .n = 4 };
  struct buf record, publish;
  enum spf_result worst = SPF_PASS;
  const struct dns_address *from = x->source_count ? x->sources : x->addresses.addresses;
  size_t n = x->source_count ? x->source_count : x->addresses.address_count;
  buf_init(&record, 4096), buf_init(&publish, 1024);
  for (size_t i = 0; i < (n ? n : 1) && worst == SPF_PASS; i++) {
    buf_reset(&record);
    worst = spf_check(ask_spf, x, x->domain, n ? &from[i] : &nowhere, &record);
  }
  if (worst == SPF_NONE)
    buf_printf(&publish, "%s. TXT \"v=spf1 mx -all\"", x->domain);
  else if (worst == SPF_DOUBLE)
    buf_put_str(&publish, "one record only: with two, none counts (RFC 7208 section 4.5)");
  else if (worst == SPF_FAIL)
    buf_printf(&publish, "add \"mx\" or \"a:%s\" in front of its \"all\"", x->host);
  note(x, spf_state(worst), "SPF", x->domain, buf_slice(&record), buf_slice(&publish));
  buf_free(&record), buf_free(&publish);
}

static void check_key(struct domain_check *x, const struct table *t, const struct table_row *row) {
  struct slice name = table_cell(t, row, "name"), record = table_cell(t, row, "record"), text,
               found = SLICE("");
  char asked[DNS_NAME_MAX + 1] = "";
  struct buf publish;
  bool good = false;
  memcpy(asked, name.p, name.n < DNS_NAME_MAX ? name.n : DNS_NAME_MAX);
  if (!ask(x, "DKIM", asked, DNS_TXT)) return;
  for (size_t at = 0; dns_text_next(&x->answer, &at, &text);) {
    if (!good) found = text;
    good |= dkim_same_key(text, record);
  }
  buf_init(&publish, 4096);
  if (!good) dkim_zone_line(name, record, &publish);
  note(x, good ? "ok" : found.n ? "wrong" : "missing", "DKIM", asked, found, buf_slice(&publish));
  buf_free(&publish);
}

static int check_keys(struct domain_check *x) {
  struct table t;
  struct buf publish;
  int code = dkim_rows(x->c, x->domain, &t);
  for (const struct table_row *r = t.first; code == CLI_EXIT_OK && r; r = r->next)
    check_key(x, &t, r);
  if (code == CLI_EXIT_OK && !t.row_count) {
    buf_init(&publish, 1024);
    buf_printf(&publish, "what `qasid dkim rotate %s` prints: its mail is not signed yet",
               x->domain);
    note(x, "missing", "DKIM", x->domain, SLICE(""), buf_slice(&publish));
    buf_free(&publish);
  }
  table_free(&t);
  return code;
}

/* At the domain, or above it (RFC 7489 §6.6.3; the organizational domain is taken to be the last
 * two labels). */
static void check_dmarc(struct domain_check *x) {
  struct slice text, found = SLICE("");
  char name[DNS_NAME_MAX + 16];
  struct buf publish;
  for (const char *d = x->domain; d && strchr(d, '.') && !found.n;
       d = strchr(d, '.'), d += d != NULL) {
    snprintf(name, sizeof name, "_dmarc.%s", d);
    if (!ask(x, "DMARC", name, DNS_TXT)) return;
    for (size_t at = 0; dns_text_next(&x->answer, &at, &text) && !found.n;)
      if (slice_case_starts(text, SLICE("v=DMARC1"))) found = text;
  }
  buf_init(&publish, 1024);
  if (!found.n) {
    snprintf(name, sizeof name, "_dmarc.%s", x->domain);
    buf_printf(&publish, "%s. TXT \"v=DMARC1; p=quarantine\"", name);
  }
  note(x, found.n ? "ok" : "missing", "DMARC", name, found, buf_slice(&publish));
  buf_free(&publish);
}

/* RFC 6186, RFC 8314 §5.1: for the services offered here. The port may be the usual one,
 * forwarded. */
static void check_service(struct domain_check *x, const char *service,
                          const struct conf_list *listens, uint16_t usual) {
  char name[DNS_NAME_MAX + 32];
  uint16_t ports[2] = { usual, usual };
  struct slice host;
  struct buf found, publish;
  if (!listens->count) return;
  conf_listen_split(slice_str(listens->items[0]), &host, &ports[1]);
  snprintf(name, sizeof name, "_%s._tcp.%s", service, x->domain);
  if (!ask(x, "SRV", name, DNS_SRV)) return;
  buf_init(&found, 8192), buf_init(&publish, 1024);
  list_hosts(x, &found);
  bool good = find_host(x, ports);
  if (!good) buf_printf(&publish, "%s. SRV 0 1 %u %s.", name, usual, x->host);
  note(x,
       good              ? "ok"
       : buf_len(&found) ? "wrong"
                         : "missing",
       "SRV", name, buf_slice(&found), buf_slice(&publish));
  buf_free(&found), buf_free(&publish);
}

static int check_domain(struct domain_check *x, const char *domain) {
  x->domain = domain;
  check_mx(x);
  check_spf(x);
  int code = check_keys(x);
  check_dmarc(x);
  check_service(x, "submissions", &x->conf->listen_submissions, 465);
  check_service(x, "submission", &x->conf->listen_submission, 587);
  check_service(x, "pop3s", &x->conf->listen_pop3s, 995);
  return code;
}

/* --- the command --- */

/* The domain that was named, or all of ours. */
static int check_domains(struct domain_check *x) {
  struct slice words[] = { SLICE("domain"), SLICE("list") };
  const char *wanted = x->c->arg_count ? x->c->args[0] : NULL;
  struct table t;
  size_t n = 0;
  table_init(&t);
  int code = ask_table(x->c, ROLE_STORE, words, 2, &t, NULL);
  for (const struct table_row *r = t.first; code == CLI_EXIT_OK && r; r = r->next) {
    struct slice name = table_cell(&t, r, "domain");
    char domain[DNS_NAME_MAX + 1] = "";
    if (wanted && !slice_caseeq(name, slice_str(wanted))) continue;
    memcpy(domain, name.p, name.n < DNS_NAME_MAX ? name.n : DNS_NAME_MAX);
    n++;
    code = check_domain(x, domain);
  }
  table_free(&t);
  if (code == CLI_EXIT_OK && !n)
    code = wanted ? cli_fail(CLI_EXIT_NOT_FOUND, "%s is not a domain of this server", wanted)
                  : cli_fail(CLI_EXIT_NOT_FOUND, "there is no domain yet: qasid domain add");
  return code;
}

static void print_cell(const char *before, struct slice cell) {
  struct buf safe;
  if (!cell.n) return;
  buf_init(&safe, 64 * 1024);
  text_put_safe(&safe, cell);
  printf("%s%.*s\n", before, SLICE_ARG(buf_slice(&safe)));
  buf_free(&safe);
}

static void print(const struct domain_check *x) {
  const struct table *t = &x->out;
  if (x->c->json) table_print(t, true);
  for (const struct table_row *r = t->first; !x->c->json && r; r = r->next) {
    bool ok = slice_eq(table_cell(t, r, "state"), SLICE("ok"));
    printf("%-8.*s %-6.*s %.*s\n", SLICE_ARG(table_cell(t, r, "state")),
           SLICE_ARG(table_cell(t, r, "kind")), SLICE_ARG(table_cell(t, r, "name")));
    if (!ok) print_cell("         there is: ", table_cell(t, r, "found"));
    print_cell("         publish:  ", table_cell(t, r, "publish"));
  }
}

static bool name_host(struct domain_check *x) {
  char name[256] = "";
  if (!x->conf->hostname[0]) gethostname(name, sizeof name - 1);
  return dns_name_check(slice_str(x->conf->hostname[0] ? x->conf->hostname : name), x->host);
}

static void set_columns(struct table *t) { table_set_columns(t, "state kind name found publish"); }

int cmd_domain_check(struct cli *c) {
  struct domain_check *x = calloc(1, sizeof *x);
  if (!x) return cli_fail(CLI_EXIT_SYSTEM, "no memory");
  int code = CLI_EXIT_CONFIG;
  x->c = c;
  table_init(&x->out);
  set_columns(&x->out);
  if (cli_dns_settings(c, &x->settings) && (x->conf = cli_conf(c)) != NULL) {
    code = name_host(x)
               ? CLI_EXIT_OK
               : cli_fail(CLI_EXIT_CONFIG, "the option hostname has no name that can stand in DNS");
    if (code == CLI_EXIT_OK) {
      check_host(x);
      check_sources(x);
      code = check_domains(x);
      print(x);
    }
  }
  if (code == CLI_EXIT_OK)
    code = x->wrong ? CLI_EXIT_DATA : x->later ? CLI_EXIT_TEMPORARY : CLI_EXIT_OK;
  table_free(&x->out);
  free(x);
  return code;
}
