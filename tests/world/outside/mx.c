/* SPDX-License-Identifier: ISC */
#include "tests/world/outside/mx.h"

#include <stdarg.h>
#include <stdio.h>

#include "lib/base/codec.h"
#include "lib/base/num.h"
#include "tests/world/must.h"

enum { MX_BODY_MAX = 1 << 20, MX_RCPTS = 16, NEVER = 1 << 30 };

enum step { GREETING, COMMANDS, DATA, SECURING, SILENCE };

struct mx_conn {
  struct mx *mx;
  struct mx_host *host;
  struct net_conn *net;
  enum step step;
  struct buf line, body;
  char path[300], rcpts[MX_RCPTS][100];
  unsigned rcpt_count, put_off;
  bool mail, secure, odd;   /* odd: it has sent a reply that no client can parse */
  unsigned cut_out, cut_in; /* octets until the connection is cut */
  unsigned stall_at;        /* commands until it stops answering */
  bool cut_resets;
  struct {
    struct post_copy *copy;
    uint64_t total;
  } owed[MX_RCPTS]; /* 250s that we have not read yet */
  unsigned owed_count;
  char later; /* name of an event */
  /* waits: it reads no further; kept: it has accepted the message but not replied yet */
  bool dead, waits, kept;
  struct buf behind; /* what arrived meanwhile */
};

static struct rng *rng_of(struct mx_conn *c) { return &c->mx->rng; }
static bool may(struct mx_conn *c, unsigned of, unsigned in) {
  return !c->mx->calm && rng_chance(rng_of(c), of, in);
}

/* --- tempers --- */

static void set_temper(struct mx *m, struct mx_host *h) {
  static const enum temper often[] = { WELL,  WELL,  WELL, WELL, FLAKY, FLAKY,
                                       FLAKY, SURLY, ODD,  GREY, DEAD,  SILENT };
  if (world_now(m->w) < h->until_ms) return;
  h->temper = often[rng_below(&m->rng, sizeof often / sizeof *often)];
  h->until_ms = world_now(m->w) + rng_between(&m->rng, 1000, TEMPER_MS);
  h->pipelining = rng_chance(&m->rng, 2, 3);
  h->tls = rng_chance(&m->rng, 1, 2);
  h->size = rng_chance(&m->rng, 1, 2);
  h->dsn = rng_chance(&m->rng, 1, 3);
  h->eight_bit = !rng_chance(&m->rng, 1, 12);
  h->enhanced = rng_chance(&m->rng, 1, 2);
  h->esmtp = !rng_chance(&m->rng, 1, 12);
}

static enum temper temper_of(struct mx *m, struct mx_host *h) {
  set_temper(m, h);
  return m->calm ? WELL : h->temper;
}

void mx_init(struct mx *m, struct world *w, struct post *post, uint64_t seed) {
  *m = (struct mx){ .w = w, .post = post, .rng = rng_from(seed) };
}

/* --- replies --- */

static void end(struct mx_conn *c, bool reset) {
  if (c->dead) return;
  if (c->mx->verbose)
    fprintf(stderr, "%8llu %p ends\n", (unsigned long long)world_now(c->mx->w), (void *)c);
  c->dead = true;
  world_cancel(c->mx->w, &c->later);
  net_end(c->net, reset);
}

static void show(const struct mx_conn *c, char direction, struct slice s) {
  if (c->mx->verbose)
    fprintf(stderr, "%8llu mx%zu %p %c: %.*s\n", (unsigned long long)world_now(c->mx->w),
            (size_t)(c->host - c->mx->hosts), (const void *)c, direction,
            SLICE_ARG(slice_first(s, 100)));
}

/* Sends `s`, or as much of it as fits before the connection is cut. */
static void put(struct mx_conn *c, struct slice s) {
  if (c->dead) return;
  show(c, 'S', s);
  if (s.n >= c->cut_out) {
    net_put(c->net, slice_first(s, c->cut_out));
    c->mx->cuts++;
    end(c, c->cut_resets);
    return;
  }
  if (c->cut_out < NEVER) c->cut_out -= (unsigned)s.n;
  net_put(c->net, s);
}

__attribute__((format(printf, 2, 3))) static void say(struct mx_conn *c, const char *fmt, ...) {
  char text[600];
  va_list ap;
  va_start(ap, fmt);
  int n = vsnprintf(text, sizeof text - 2, fmt, ap);
  va_end(ap);
  memcpy(text + n, "\r\n", 2);
  put(c, slice_of((const uint8_t *)text, (size_t)n + 2));
}

static void say_rubbish(struct mx_conn *c) {
  /* No client may take one for a positive reply: it would count as done what was not done. */
  static const char *const rubbish[] = {
    "hello?", "2",       "25", "250-one\r\n550 two", "999 what", "\x01\x02\xff\xfe", "-ERR",
    "25O OK", " 250 OK", "",   "354 go on", /* the last is excluded where DATA may be next: there it
                                               is positive */
  };
  size_t i = rng_below(rng_of(c), sizeof rubbish / sizeof *rubbish - (c->rcpt_count > 0));
  c->odd = true;
  say(c, "%s", rubbish[i]);
}

static void say_defer(struct mx_conn *c) {
  static const char *const words[] = { "451 4.3.0 Try again later",
                                       "450 4.2.0 Greylisted, try again",
                                       "452 4.3.1 No space now",
                                       "451 later",
                                       "450-4.2.1 busy\r\n450 4.2.1 still busy",
                                       "452 4.2.2 Mailbox full" };
  c->mx->deferred++;
  say(c, "%s", words[rng_below(rng_of(c), sizeof words / sizeof *words)]);
}

static void say_refuse(struct mx_conn *c) {
  static const char *const words[] = { "550 5.1.1 No such user", "554 5.7.1 Not wanted here",
                                       "553 no", "550-5.7.1 read\r\n550 5.7.1 https://example.net/",
                                       "552 5.2.2 Over quota" };
  c->mx->refused++;
  say(c, "%s", words[rng_below(rng_of(c), sizeof words / sizeof *words)]);
}

/* May send a failure, according to the host's temper, in place of a positive reply; true if it did.
 * client.example receives the reports and never rejects one permanently. */
static bool trouble(struct mx_conn *c, bool permanent) {
  switch (temper_of(c->mx, c->host)) {
  case FLAKY:
    if (may(c, 1, 12)) return say_defer(c), true;
    if (may(c, 1, 40)) return say(c, "421 4.3.2 Going down"), end(c, false), true;
    return false;
  case SURLY:
    if (permanent && may(c, 1, 3)) return say_refuse(c), true;
    return false;
  case ODD:
    if (may(c, 1, 6)) return say_rubbish(c), true;
    if (may(c, 1, 12)) return say(c, "421 whatever"), true;
    return false;
  default: return false;
  }
}

/* --- commands --- */

/* The hosts of client.example, which get the reports: a report that fails permanently is lost. */
static bool takes_reports(const struct mx_conn *c) {
  size_t host = (size_t)(c->host - c->mx->hosts);
  return host == POST_DOMAINS || host == (POST_DOMAINS + 3) % MX_HOSTS;
}

static void say_hello(struct mx_conn *c, bool extended) {
  const struct mx_host *h = c->host;
  c->mail = false;
  c->rcpt_count = 0;
  if (extended && !h->esmtp && !takes_reports(c)) {
    say(c, "502 5.5.1 what is that");
    return;
  }
  if (!extended) {
    say(c, "250 mx.test");
    return;
  }
  say(c, "250-mx.test greets you");
  if (h->pipelining) say(c, "250-PIPELINING");
  if (h->size) say(c, "250-SIZE %s", !takes_reports(c) && may(c, 1, 8) ? "1000" : "0");
  if (h->tls && !c->secure) say(c, "250-STARTTLS");
  if (h->dsn) say(c, "250-DSN");
  if (h->eight_bit || takes_reports(c)) say(c, "250-8BITMIME");
  if (h->enhanced) say(c, "250-ENHANCEDSTATUSCODES");
  say(c, "250 HELP");
}

static bool is_client(struct slice address) {
  return slice_search(address, SLICE("@client.example")) >= 0;
}

static struct slice path_of(struct slice line) {
  ptrdiff_t open = slice_find(line, '<'), close = slice_find(line, '>');
  return open >= 0 && close > open
             ? slice_first(slice_from(line, (size_t)open + 1), (size_t)(close - open - 1))
             : SLICE_NONE;
}

static void on_mail(struct mx_conn *c, struct slice line) {
  /* never rejects a report permanently: it would be lost */
  bool report = !path_of(line).n;
  if (trouble(c, !report)) return;
  c->mail = true;
  c->rcpt_count = c->put_off = 0;
  snprintf(c->path, sizeof c->path, "%.*s",
           SLICE_ARG(slice_first(path_of(line), sizeof c->path - 1)));
  say(c, "250 2.1.0 OK");
}

static void on_rcpt(struct mx_conn *c, struct slice line) {
  struct slice to = path_of(line);
  if (!c->mail) {
    say(c, "503 5.5.1 MAIL first");
    return;
  }
  if (temper_of(c->mx, c->host) == GREY && may(c, 2, 3)) {
    c->put_off++;
    say(c, "451 4.7.1 Greylisted, please try again in 60 seconds");
    return;
  }
  if (c->rcpt_count && (c->rcpt_count == MX_RCPTS || may(c, 1, 10))) {
    c->put_off++;
    say(c, "452 4.5.3 Too many recipients");
    return;
  }
  if (trouble(c, !is_client(to))) {
    c->put_off++;
    return;
  }
  snprintf(c->rcpts[c->rcpt_count++], sizeof c->rcpts[0], "%.*s", SLICE_ARG(slice_first(to, 99)));
  say(c, "250 2.1.5 OK");
}

static void on_data(struct mx_conn *c) {
  if (!c->mail || !c->rcpt_count) {
    say(c, "554 5.5.1 No valid recipients");
    return;
  }
  if (trouble(c, c->path[0] != 0)) return;
  c->step = DATA;
  buf_reset(&c->body);
  say(c, "354 Go on");
}

static void on_command(struct mx_conn *c, struct slice line) {
  show(c, 'C', line);
  if (c->stall_at && !--c->stall_at) {
    c->step = SILENCE;
    return;
  }
  if (slice_case_starts(line, SLICE("EHLO")))
    say_hello(c, true);
  else if (slice_case_starts(line, SLICE("HELO")))
    say_hello(c, false);
  else if (slice_case_starts(line, SLICE("MAIL")))
    on_mail(c, line);
  else if (slice_case_starts(line, SLICE("RCPT")))
    on_rcpt(c, line);
  else if (slice_caseeq(line, SLICE("DATA")))
    on_data(c);
  else if (slice_caseeq(line, SLICE("RSET"))) {
    c->mail = false;
    c->rcpt_count = 0;
    say(c, "250 2.0.0 OK");
  } else if (slice_caseeq(line, SLICE("STARTTLS"))) {
    if (trouble(c, true)) return;
    c->step = SECURING;
    say(c, "220 2.0.0 Go on");
  } else if (slice_caseeq(line, SLICE("QUIT"))) {
    say(c, "221 2.0.0 Bye");
    end(c, false);
  } else {
    say(c, "500 5.5.2 What?");
  }
}

/* --- a message --- */

/* Accepts the message: from here on it counts as delivered, even if the reply is lost. */
static void keep(struct mx_conn *c) {
  for (unsigned i = 0; i < c->rcpt_count; i++) {
    struct post_copy *copy = post_arrived(c->mx->post, buf_slice(&c->body), slice_str(c->path),
                                          slice_str(c->rcpts[i]), c->put_off);
    if (!copy || c->owed_count == MX_RCPTS) continue;
    c->owed[c->owed_count].total = UINT64_MAX;
    c->owed[c->owed_count++].copy = copy;
  }
  c->rcpt_count = 0;
  c->kept = true;
}

static void say_kept(struct mx_conn *c) {
  unsigned before = c->kept ? 0 : c->owed_count;
  if (!c->kept) keep(c);
  c->kept = false;
  say(c, "%s", may(c, 1, 6) ? "250-2.0.0 thank\r\n250 2.0.0 you" : "250 2.0.0 Ok: queued as 4XyZ");
  for (unsigned i = before; i < c->owed_count && !c->dead && !c->odd; i++)
    if (c->owed[i].total == UINT64_MAX) c->owed[i].total = net_put_total(c->net);
  if (may(c, 1, 20)) end(c, may(c, 1, 2)); /* 250 and dead */
}

static void take(struct mx_conn *c, struct slice octets);

static void say_late(void *arg) {
  struct mx_conn *c = (struct mx_conn *)(void *)((char *)arg - offsetof(struct mx_conn, later));
  struct buf behind = c->behind;
  buf_init(&c->behind, MX_BODY_MAX);
  c->waits = false;
  say_kept(c);
  take(c, buf_slice(&behind));
  buf_free(&behind);
}

static void on_message(struct mx_conn *c) {
  bool flaky = temper_of(c->mx, c->host) == FLAKY;
  c->step = COMMANDS;
  c->mail = false;
  if (flaky && may(c, 1, 6)) { /* it replies late, sometimes after the client's timeout */
    c->waits = true;
    if (may(c, 1, 2)) keep(c);
    world_after(c->mx->w, rng_between(rng_of(c), 1000, may(c, 1, 3) ? 15 * 60 * 1000 : 20000),
                say_late, &c->later);
  } else if (flaky && may(c, 1, 12)) { /* it accepts the message and dies before it replies */
    keep(c);
    end(c, may(c, 1, 2));
  } else if (!trouble(c, c->path[0] != 0)) {
    say_kept(c);
  }
}

/* "..x" is ".x"; "." ends it (RFC 5321 §4.5.2). */
static void on_body_line(struct mx_conn *c, struct slice line) {
  if (slice_eq(line, SLICE("."))) {
    on_message(c);
    return;
  }
  buf_put(&c->body, slice_from(line, slice_at(line, 0) == '.'));
  buf_put(&c->body, SLICE("\r\n"));
  if (c->body.failed) world_fail(c->mx->w, "a message without end was sent");
}

static void on_line(struct mx_conn *c, struct slice line) {
  if (c->step == DATA)
    on_body_line(c, line);
  else if (c->step == COMMANDS)
    on_command(c, line);
}

static void take(struct mx_conn *c, struct slice octets) {
  while (octets.n && !c->dead) {
    if (c->waits) {
      buf_put(&c->behind, octets);
      return;
    }
    ptrdiff_t at = slice_find(octets, '\n');
    size_t n = at < 0 ? octets.n : (size_t)at + 1;
    buf_put(&c->line, slice_first(octets, n));
    octets = slice_from(octets, n);
    if (at < 0) continue;
    struct slice line = buf_slice(&c->line);
    if (slice_find(line, '\r') != (ptrdiff_t)line.n - 2)
      world_fail(c->mx->w, "a bare CR or LF was sent: \"%.*s\"", SLICE_ARG(slice_first(line, 80)));
    on_line(c, slice_first(line, line.n - 2));
    buf_reset(&c->line);
  }
}

/* --- the network's calls --- */

static void greet(void *arg) {
  struct mx_conn *c = (struct mx_conn *)(void *)((char *)arg - offsetof(struct mx_conn, later));
  c->step = COMMANDS;
  if (may(c, 1, 30))
    say(c, "554 5.3.2 No service here");
  else if (may(c, 1, 30))
    say(c, "421 4.3.2 Too busy");
  else if (may(c, 1, 20))
    say(c, "220-mx.test\r\n220-says a lot\r\n220 ESMTP");
  else
    say(c, "220 mx.test ESMTP");
}

static void plan(struct mx_conn *c) {
  c->cut_out = c->cut_in = NEVER;
  if (temper_of(c->mx, c->host) != FLAKY) return;
  if (may(c, 1, 4))
    c->cut_out = (unsigned)rng_below(rng_of(c), may(c, 1, 2) ? 150 : 600);
  else if (may(c, 1, 4))
    c->cut_in = (unsigned)rng_below(rng_of(c), may(c, 1, 2) ? 200 : may(c, 1, 2) ? 5000 : 200000);
  if (may(c, 1, 8)) c->stall_at = (unsigned)rng_between(rng_of(c), 1, 8);
  c->cut_resets = may(c, 1, 2);
}

static enum net_says on_connect(void *arg, const struct dial_address *to, struct net_conn *net,
                                void **ret) {
  struct mx *m = arg;
  uint32_t ip = to->n == 4 ? (uint32_t)to->octets[0] << 24 | (uint32_t)to->octets[1] << 16 |
                                 (uint32_t)to->octets[2] << 8 | to->octets[3]
                           : 0;
  m->connections++;
  if (to->n == 4 && (ip == MX_OWN_ADDRESS || !dial_address_is_public(to)))
    world_fail(m->w, "the sender dials %u.%u.%u.%u", to->octets[0], to->octets[1], to->octets[2],
               to->octets[3]);
  unsigned host = to->octets[3];
  if (to->n != 4 || to->octets[0] != 8 || host >= MX_HOSTS) return NET_REFUSES;
  switch (temper_of(m, &m->hosts[host])) {
  case DEAD: return rng_chance(&m->rng, 1, 3) ? NET_UNREACHABLE : NET_REFUSES;
  case SILENT: return NET_SILENT;
  default: break;
  }
  struct mx_conn *c = must_alloc(sizeof *c);
  c->mx = m;
  c->host = &m->hosts[host];
  c->net = net;
  buf_init(&c->line, MX_BODY_MAX);
  buf_init(&c->body, MX_BODY_MAX);
  buf_init(&c->behind, MX_BODY_MAX);
  plan(c);
  *ret = c;
  return NET_TAKES;
}

static void on_open(void *actor) {
  struct mx_conn *c = actor;
  world_after(c->mx->w, rng_below(rng_of(c), may(c, 1, 10) ? 60000 : 30), greet, &c->later);
}

static void on_input(void *actor, struct slice octets) {
  struct mx_conn *c = actor;
  bool cut = c->cut_in < NEVER && octets.n >= c->cut_in;
  if (cut) octets = slice_first(octets, c->cut_in);
  if (c->cut_in < NEVER) c->cut_in -= (unsigned)octets.n;
  take(c, octets);
  if (!cut || c->dead) return;
  c->mx->cuts++;
  end(c, c->cut_resets);
}

static enum net_tls on_hello(void *actor) {
  struct mx_conn *c = actor;
  if (may(c, 1, 10)) return NET_STALLS;
  if (may(c, 1, 8)) return NET_NOT_SECURE;
  c->secure = true;
  c->step = COMMANDS;
  return NET_SECURE;
}

static void on_taken(void *actor, uint64_t octets) {
  struct mx_conn *c = actor;
  unsigned kept = 0;
  for (unsigned i = 0; i < c->owed_count; i++) {
    if (octets >= c->owed[i].total)
      post_sure(c->mx->post, c->owed[i].copy);
    else
      c->owed[kept++] = c->owed[i];
  }
  c->owed_count = kept;
}

static void on_gone(void *actor) {
  struct mx_conn *c = actor;
  world_cancel(c->mx->w, &c->later);
  buf_free(&c->line), buf_free(&c->body), buf_free(&c->behind);
  free(c);
}

struct net_far mx_far(struct mx *m) {
  return (struct net_far){ on_connect, on_open, on_input, on_hello, on_taken, on_gone, m };
}

/* --- DNS --- */

static void add_host(struct dns_answer *a, unsigned host, uint16_t priority) {
  struct dns_host *h = &a->hosts[a->host_count++];
  snprintf(h->name, sizeof h->name, "mx%u.test", host);
  h->priority = priority;
  h->address_count = 1;
  h->addresses[0] = (struct dns_address){ 4, { 8, 8, 0, (uint8_t)host } };
}

/* Puts in an address that the sender must not connect to. */
static void lie(struct mx *m, struct dns_answer *a) {
  static const uint8_t lies[][4] = { { 127, 0, 0, 1 },   { 5, 9, 0, 1 }, { 10, 0, 0, 1 },
                                     { 192, 168, 1, 1 }, { 0, 0, 0, 0 }, { 169, 254, 1, 1 } };
  struct dns_host *h = &a->hosts[rng_below(&m->rng, a->host_count)];
  m->lies++;
  if (rng_chance(&m->rng, 1, 6))
    snprintf(h->name, sizeof h->name, "%s", world_conf(m->w)->hostname);
  memcpy(h->addresses[0].octets, lies[rng_below(&m->rng, sizeof lies / sizeof *lies)], 4);
}

void mx_answer(struct mx *m, const char *name, enum dns_kind kind, struct dns_answer *ret) {
  *ret = (struct dns_answer){ .kind = kind, .result = DNS_FOUND };
  uint64_t n = 0;
  bool client = strcmp(name, "client.example") == 0;
  if (!client &&
      (name[0] != 'd' ||
       !num_parse(slice_split(&(struct slice){ (const uint8_t *)name + 1, strlen(name) - 1 }, '.'),
                  POST_DOMAINS - 1, &n))) {
    ret->result = DNS_NO_NAME;
    return;
  }
  unsigned first = client ? POST_DOMAINS : (unsigned)n;
  add_host(ret, first, 10);
  if (first % 2 == 0) add_host(ret, (first + 3) % MX_HOSTS, 20); /* another domain's first too */
  if (m->calm) return;
  switch (rng_below(&m->rng, 24)) {
  case 0:
  case 1:
    *ret =
        (struct dns_answer){ .kind = kind, .result = DNS_LATER, .why = "no name server answers" };
    break;
  case 2:
    if (!client) *ret = (struct dns_answer){ .kind = kind, .result = DNS_NO_NAME };
    break;
  case 3:
    if (!client) *ret = (struct dns_answer){ .kind = kind, .result = DNS_REFUSED };
    break;
  case 4:
    *ret = (struct dns_answer){ .kind = kind, .result = DNS_BOGUS, .why = "no signature" };
    break;
  case 5:
  case 6:
    if (!client) lie(m, ret);
    break;
  case 7:
    if (!client) ret->hosts[0].address_count = 0, ret->hosts[0].later = true;
    break;
  default: break;
  }
}
