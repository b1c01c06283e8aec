/* SPDX-License-Identifier: ISC */
/* The command line's requests to the sender: where mail for a destination would go, and what is
 * remembered about servers.
 *
 * A plan follows the path of a letter (route, hosts, addresses, TLS) with the same functions, and
 * connects to nothing. It has one question open at the resolver; when the command line disconnects,
 * its plan is freed. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ipc/dialer_resolver.h"
#include "lib/base/sys.h"
#include "runtime/admin/admin.h"
#include "src/sender/sender.h"

struct plan {
  struct plan *next;
  uint32_t cli;
  uint64_t question;
  struct route route;
  char name[SEND_DESTINATION_MAX + 1];
  /* while its answer is written */
  struct sender *sender;
  struct hosts hosts;
  const struct dns_host *last;
};

static void admin_done(struct sender *s, uint32_t number, enum cli_code code, const char *text) {
  const struct admin_answer to = admin_answer_of(s->process, number);
  admin_answer_done(&to, code, slice_str(text));
}

/* --- a plan --- */

struct plan_line {
  const char *step, *name, *state, *host;
  uint16_t port; /* 0: none */
  const char *tls;
  const struct source *from; /* NULL: the system's choice */
};

static void plan_put(struct plan *p, const struct plan_line *l, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
static void plan_put(struct plan *p, const struct plan_line *l, const char *fmt, ...) {
  char what[600], port[8] = "";
  va_list args;
  va_start(args, fmt);
  vsnprintf(what, sizeof what, fmt, args);
  va_end(args);
  struct buf source;
  buf_init(&source, 64);
  if (l->from) dial_address_put(&l->from->at, &source);
  if (l->port) snprintf(port, sizeof port, "%u", l->port);
  struct slice row[] = { slice_str(l->step),
                         slice_str(l->name),
                         slice_str(l->state),
                         slice_str(what),
                         slice_str(l->host ? l->host : ""),
                         slice_str(port),
                         slice_str(l->tls ? l->tls : ""),
                         buf_slice(&source),
                         slice_str(l->from ? l->from->hello : p->sender->process->conf->hostname) };
  const struct admin_answer to = admin_answer_of(p->sender->process, p->cli);
  admin_answer_row(&to, row, sizeof row / sizeof *row);
  buf_free(&source);
}

static enum dns_kind plan_question(const struct plan *p, const char **ret_name) {
  return route_question(&p->route, p->name, ret_name);
}

/* The TLS that would be used there. */
static const char *plan_tls(const struct plan *p, const struct dial_address *at,
                            const struct no_tls **ret_memory) {
  *ret_memory = p->route.tls == ROUTE_OPPORTUNISTIC ? sender_no_tls(p->sender, at) : NULL;
  return *ret_memory ? "none" : route_tls_word(&p->route);
}

static void plan_address(struct plan *p, const struct hosts_line *x, const char *text) {
  const struct no_tls *memory;
  struct plan_line l = { "address",  text,
                         "tried",    route_certificate(&p->route, x->host->name),
                         x->at.port, plan_tls(p, &x->at, &memory),
                         NULL };
  char nexthop[SEND_DESTINATION_MAX + 1];
  nexthop_put_name(&p->route, slice_str(p->name), nexthop);
  source_for(p->sender, nexthop, x->at.n, &l.from);
  if (!hosts_add(&p->hosts, x, &p->last)) {
    l.state = "left-out";
    plan_put(p, &l, "more servers or addresses than are tried (%d, %d)", NEXTHOP_HOSTS_MAX,
             NEXTHOP_ADDRESSES_MAX);
  } else if (memory) {
    plan_put(p, &l, "no. %zu; TLS failed there (%s) and is tried again in %llu s", p->hosts.count,
             memory->why,
             (unsigned long long)(memory->until_ms - loop_now(p->sender->process->loop)) / 1000);
  } else {
    plan_put(p, &l, "no. %zu%s%s", p->hosts.count, p->route.srv[0] ? ": " : "",
             p->route.srv[0] ? x->host->name : "");
  }
}

static void plan_line(void *arg, const struct hosts_line *x) {
  static const char *const whys[HOST_FATES] = {
    [HOST_PRIVATE] = "an address of a private network, which a domain's DNS may not name "
                     "(send_private_addresses)",
    [HOST_OURS] = "it is this server",
    [HOST_NO_BETTER] = "its preference is no better than that of this server",
    [HOST_OTHER_PORT] = "its SRV record has another port than the route (a port behind the "
                        "service's name allows it)",
    [HOST_NO_SOURCE] = "source_addresses has none of this family that may be used",
    [HOST_NO_ADDRESS] = "it has no address",
    [HOST_NO_ANSWER] = "its addresses could not be looked up now",
  };
  struct plan *p = arg;
  struct buf b;
  buf_init(&b, 64);
  if (x->at.n) dial_address_put(&x->at, &b);
  const char *text = buf_len(&b) ? buf_cstr(&b) : x->host->name;
  if (!text) text = "";
  if (x->fate == HOST_TRIED)
    plan_address(p, x, text);
  else
    plan_put(p,
             &(struct plan_line){ .step = x->at.n ? "address" : "host",
                                  .name = text,
                                  .state = "left-out",
                                  .host = x->host->name,
                                  .port = x->at.port },
             "%s", whys[x->fate]);
  buf_free(&b);
}

static void plan_verdict(struct plan *p, const struct hosts_verdict *v) {
  struct plan_line l = { "end", p->name, v->found == HOSTS_NEVER ? "returned" : "waits", NULL, 0,
                         NULL,  NULL };
  plan_put(p, &l, "%u.%u.%u %s", v->enhanced[0], v->enhanced[1], v->enhanced[2], v->why);
}

static void plan_answer(struct plan *p, const struct dns_answer *a) {
  struct hosts hosts; /* the result; plan_line() writes the lines */
  struct sender *s = p->sender;
  const char *name;
  enum dns_kind kind = plan_question(p, &name);
  plan_put(p,
           &(struct plan_line){ .step = "dns", .name = name, .state = dns_result_name(a->result) },
           "%s%s%s%s%s",
           kind == DNS_MX    ? "MX"
           : kind == DNS_SRV ? "SRV"
                             : "addresses",
           a->implicit ? ": there is none, so the name itself takes its mail" : "",
           a->secure ? ", proven by DNSSEC" : "", a->why[0] ? ": " : "", a->why);
  hosts_walk(s, a, &p->route, name, plan_line, p);
  struct hosts_verdict v = hosts_of_answer(s, a, &p->route, name, &hosts);
  if (v.found != HOSTS_FOUND) plan_verdict(p, &v);
  admin_done(s, p->cli, CLI_OK, "");
}

static void plan_route(struct plan *p) {
  struct buf b;
  buf_init(&b, 1024);
  route_put(&p->route, p->sender->process->conf, &b);
  const char *words = buf_cstr(&b);
  const struct plan_line line = { .step = "route",
                                  .name = p->name,
                                  .state = p->route.lmtp     ? "lmtp"
                                           : p->route.direct ? "direct"
                                                             : "smarthost",
                                  .host = p->route.direct ? NULL : p->route.host,
                                  .port = p->route.port,
                                  .tls = route_tls_word(&p->route) };
  plan_put(p, &line, "%s", words ? words : "");
  buf_free(&b);
  if (p->route.port == p->sender->process->conf->remote_port &&
      blocked_is(&p->sender->blocked, loop_now(p->sender->process->loop)))
    plan_put(p,
             &(struct plan_line){
                 .step = "port", .name = p->name, .state = "blocked", .port = p->route.port },
             "no server elsewhere answers at this port: the provider seems to block it; send "
             "through a smarthost (the option routes)");
  const struct nexthop *l = nexthop_for(p->sender, &p->route, slice_str(p->name));
  if (l)
    plan_put(
        p,
        &(struct plan_line){ .step = "nexthop",
                             .name = p->name,
                             .state = l->state == NEXTHOP_READY ? "ready" : "waiting-for-dns" },
        "%zu messages wait in the sender for %u connections", l->waiting, l->connections);
}

/* A route to an address needs no DNS. */
static void plan_literal(struct plan *p) {
  struct hosts hosts;
  struct hosts_verdict v = hosts_of_literal(p->sender, &p->route, p->name, &hosts);
  struct dns_host host = { .name = "" };
  snprintf(host.name, sizeof host.name, "%.*s", DNS_NAME_MAX, p->name);
  if (v.found == HOSTS_FOUND)
    plan_line(p, &(struct hosts_line){ &host, hosts.addresses[0].at, HOST_TRIED });
  else
    plan_verdict(p, &v);
}

static bool plan_is_address(struct plan *p) {
  struct dial_address at;
  if (hosts_is_literal(&p->route, p->name)) {
    plan_literal(p);
    admin_done(p->sender, p->cli, CLI_OK, "");
    return true;
  }
  if (p->route.direct || p->route.srv[0] || !dial_address_parse(p->route.host, p->route.port, &at))
    return false;
  struct dns_host host = { .name = "" };
  snprintf(host.name, sizeof host.name, "%.*s", DNS_NAME_MAX, p->route.host);
  plan_line(p, &(struct hosts_line){ &host, at, HOST_TRIED });
  admin_done(p->sender, p->cli, CLI_OK, "");
  return true;
}

static bool plan_ask(struct plan *p) {
  struct sender *s = p->sender;
  struct buf b;
  buf_init(&b, 512);
  const char *name;
  enum dns_kind kind = plan_question(p, &name);
  p->question = ++s->question;
  dns_ask_put(&b,
              &(struct dns_ask){ (uint8_t)kind, slice_first(slice_str(name), DNS_NAME_MAX + 1) });
  bool fine = !b.failed;
  if (fine)
    process_send(s->process, ROLE_RESOLVER, s->resolver, dns_ask_type, p->question, buf_slice(&b),
                 -1);
  buf_free(&b);
  return fine;
}

static void plan_free(struct sender *s, struct plan **at) {
  struct plan *p = *at;
  *at = p->next;
  s->plan_count--;
  free(p);
}

static void plan_begin(void *arg, const struct admin_command *c) {
  struct sender *s = arg;
  uint32_t number = c->to.number;
  struct slice destination = c->args[0];
  const struct conf_route_asked asked = { destination, c->count > 1 ? c->args[1] : SLICE_NONE,
                                          c->count > 2 ? c->args[2] : SLICE_NONE };
  struct plan *p = NULL;
  if (!destination.n || destination.n > SEND_DESTINATION_MAX)
    admin_done(s, number, CLI_USAGE, "a domain is meant");
  else if (s->plan_count == PLANS_MAX || !(p = calloc(1, sizeof *p)))
    admin_done(s, number, CLI_TROUBLE, "the sender has too much to do");
  if (!p) return;
  *p = (struct plan){ .next = s->plans, .cli = number, .sender = s };
  snprintf(p->name, sizeof p->name, "%.*s", SLICE_ARG(destination));
  s->plans = p;
  s->plan_count++;
  admin_answer_columns(&c->to, "step name state what host port tls source hello");
  if (!route_for(s, &asked, &p->route)) {
    plan_put(p, &(struct plan_line){ .step = "route", .name = p->name, .state = "wrong" },
             "the option routes has a wrong line for this mail, or one with a login that "
             "route_passwords does not have: it waits");
    admin_done(s, number, CLI_OK, "");
    plan_free(s, &s->plans);
    return;
  }
  plan_route(p);
  bool over = plan_is_address(p);
  if (!over && !s->resolver)
    admin_done(s, number, CLI_TROUBLE, "the resolver does not run now");
  else if (!over && plan_ask(p))
    return;
  else if (!over)
    admin_done(s, number, CLI_TROUBLE, "memory ran out");
  plan_free(s, &s->plans);
}

bool sender_plan_answer(struct sender *s, uint64_t question, const struct dns_answer *a) {
  for (struct plan **at = &s->plans; *at; at = &(*at)->next) {
    if ((*at)->question != question) continue;
    plan_answer(*at, a);
    plan_free(s, at);
    return true;
  }
  return false;
}

void sender_plans_resolver_lost(struct sender *s) {
  for (; s->plans; plan_free(s, &s->plans))
    admin_done(s, s->plans->cli, CLI_TROUBLE, "the resolver was restarted");
}

void sender_plans_drop(struct sender *s, uint32_t number) {
  for (struct plan **at = &s->plans; *at;) {
    if (!number || (*at)->cli == number)
      plan_free(s, at);
    else
      at = &(*at)->next;
  }
}

/* --- what is remembered of TLS --- */

/* "DOMAIN [from:DOMAIN] [account:NAME]": the properties of mail that select its route. */
static struct conf_route_asked tls_mail(struct slice way) {
  const struct slice from = SLICE("from:"), account = SLICE("account:");
  struct conf_route_asked q = { .destination = slice_split(&way, ' ') };
  if (slice_starts(way, from)) q.sender = slice_from(slice_split(&way, ' '), from.n);
  if (slice_starts(way, account)) q.account = slice_from(way, account.n);
  return q;
}

/* `word`: an address, or the properties of mail whose next hop has it, or had it when it failed. */
static bool tls_is_about(const struct sender *s, const struct no_tls *t, struct slice address,
                         struct slice word) {
  struct route r;
  if (slice_eq(word, address)) return true;
  const struct conf_route_asked q = tls_mail(word);
  if (slice_find(q.destination, ':') >= 0 || !q.destination.n || !route_for(s, &q, &r))
    return false;
  if (r.tls != ROUTE_OPPORTUNISTIC) return false; /* what is remembered does not apply to it */
  char nexthop[SEND_DESTINATION_MAX + 1];
  nexthop_put_name(&r, q.destination, nexthop);
  if (slice_caseeq(slice_str(nexthop), slice_str(t->nexthop))) return true;
  const struct nexthop *l = nexthop_for(s, &r, q.destination);
  for (size_t i = 0; l && i < l->hosts.count; i++)
    if (sender_no_tls(s, &l->hosts.addresses[i].at) == t) return true;
  return false;
}

static bool tls_is_wanted(const struct sender *s, const struct no_tls *t, struct slice address,
                          const struct admin_command *c) {
  for (size_t i = 0; i < c->count; i++)
    if (tls_is_about(s, t, address, c->args[i])) return true;
  return !c->count;
}

static void tls_memory(void *arg, const struct admin_command *c) {
  const struct sender *s = arg;
  uint64_t now = loop_now(s->process->loop);
  admin_answer_columns(&c->to, "address port next why");
  for (size_t i = 0; i < s->no_tls_count; i++) {
    const struct no_tls *t = &s->no_tls[i];
    struct buf b;
    char port[8], next[24];
    buf_init(&b, 64);
    dial_address_put(&t->at, &b);
    snprintf(port, sizeof port, "%u", t->at.port);
    uint64_t left_ms = now < t->until_ms ? t->until_ms - now : 0;
    snprintf(next, sizeof next, "%ju", (uintmax_t)sys_wall_s() + left_ms / 1000);
    struct slice row[] = { buf_slice(&b), slice_str(port), slice_str(next), slice_str(t->why) };
    if (now < t->until_ms && tls_is_wanted(s, t, row[0], c))
      admin_answer_row(&c->to, row, sizeof row / sizeof *row);
    buf_free(&b);
  }
  admin_answer_done(&c->to, CLI_OK, SLICE_NONE);
}

/* --- status --- */

static void sender_status(void *arg, const struct admin_command *c) {
  struct sender *s = arg;
  const char *process = s->process->name;
  uint64_t now = loop_now(s->process->loop), no_tls = 0;
  bool blocked = blocked_is(&s->blocked, now);
  for (size_t i = 0; i < s->no_tls_count; i++) no_tls += now < s->no_tls[i].until_ms;
  admin_answer_columns(&c->to, ADMIN_COUNTER_COLUMNS);
  admin_answer_counter(&c->to, process, "letters", s->letters.count, "messages in hand");
  admin_answer_counter(&c->to, process, "connections", s->connections,
                       "connections to other servers, and on their way to one");
  admin_answer_counter(&c->to, process, "no-tls", no_tls,
                       "servers whose TLS failed within three days (qasid queue show, qasid plan)");
  admin_answer_counter(
      &c->to, process, "port-blocked", blocked,
      blocked ? "no server elsewhere answers at the mail port: the provider seems to block "
                "it; send through a smarthost (the option routes)"
              : "1: no server elsewhere answers at the mail port");
  alarm_status(s, c);
  for (size_t i = 0; i < s->source_count; i++) {
    struct buf b, what;
    char name[80];
    buf_init(&b, 64), buf_init(&what, 700);
    dial_address_put(&s->sources[i].at, &b);
    source_put(&s->sources[i], &what);
    snprintf(name, sizeof name, "source %.*s", SLICE_ARG(buf_slice(&b)));
    const char *words = buf_cstr(&what);
    admin_answer_counter(&c->to, process, name, source_is_used(&s->sources[i]), words ? words : "");
    buf_free(&b), buf_free(&what);
  }
  admin_answer_done(&c->to, CLI_OK, SLICE_NONE);
}

/* --- the commands --- */

static const struct admin_row rows[] = {
  { "plan", "DOMAIN [ACCOUNT SENDER-DOMAIN]", 1, 3, plan_begin },
  { "status", "", 0, 0, sender_status },
  { "tls", "[ADDRESS|\"DOMAIN [from:DOMAIN] [account:NAME]\" …]", 0, ADMIN_ARGS_MAX, tls_memory },
};

bool sender_admin(struct sender *s, uint32_t number, const struct ipc_msg *msg) {
  const struct admin_answer to = admin_answer_of(s->process, number);
  return admin_run(rows, sizeof rows / sizeof *rows, s, &to, msg);
}
