/* SPDX-License-Identifier: ISC */
/* The addresses that a destination's mail goes to (RFC 5321 §5.1), without our own and those that
 * are not public.
 *
 * Hosts come in the order of their preference, in random order within one preference. Mail to a
 * host that is this server, or that has no better preference than this server, would come back:
 * those hosts are left out. */
#include "src/sender/sender.h"

#include <arpa/inet.h>
#include <ifaddrs.h>
#include <netinet/in.h>
#include <stdio.h>

#include "lib/base/num.h"

/* --- our own addresses --- */

static void add_own(struct sender *s, const struct sockaddr *a) {
  struct dial_address *to = &s->own[s->own_count];
  if (!a || s->own_count == OWN_ADDRESSES_MAX) return;
  if (a->sa_family == AF_INET) {
    *to = (struct dial_address){ .n = 4 };
    memcpy(to->octets, &((const struct sockaddr_in *)(const void *)a)->sin_addr, 4);
  } else if (a->sa_family == AF_INET6) {
    *to = (struct dial_address){ .n = 16 };
    memcpy(to->octets, &((const struct sockaddr_in6 *)(const void *)a)->sin6_addr, 16);
  } else {
    return;
  }
  s->own_count++;
}

void hosts_read_own(struct sender *s) {
  struct ifaddrs *list;
  if (getifaddrs(&list) != 0) return;
  for (struct ifaddrs *i = list; i; i = i->ifa_next) add_own(s, i->ifa_addr);
  freeifaddrs(list);
}

/* True if we accept mail at that port ourselves: "*:25", "[::]:25", "192.0.2.1:25". */
static bool listens_at(const struct conf *c, uint16_t port) {
  for (size_t i = 0; i < c->listen_smtp.count; i++) {
    struct slice text = slice_str(c->listen_smtp.items[i]);
    uint64_t n;
    ptrdiff_t colon = slice_rfind(text, ':');
    if (colon >= 0 && num_parse(slice_from(text, (size_t)colon + 1), 65535, &n) && n == port)
      return true;
  }
  return false;
}

static bool is_own(const struct sender *s, const struct dial_address *a) {
  if (!listens_at(s->process->conf, a->port)) return false;
  for (size_t i = 0; i < s->own_count; i++)
    if (s->own[i].n == a->n && memcmp(s->own[i].octets, a->octets, a->n) == 0) return true;
  return false;
}

/* --- an answer --- */

static struct dial_address address_of(const struct dns_address *from, uint16_t port) {
  struct dial_address a = { .n = from->n, .port = port };
  memcpy(a.octets, from->octets, sizeof a.octets);
  return a;
}

static bool is_us(const struct sender *s, const struct dns_host *h, uint16_t port) {
  if (slice_caseeq(slice_str(h->name), slice_str(s->process->conf->hostname)) &&
      listens_at(s->process->conf, port))
    return true;
  for (size_t i = 0; i < h->address_count; i++) {
    struct dial_address a = address_of(&h->addresses[i], port);
    if (is_own(s, &a)) return true;
  }
  return false;
}

/* This server's own preference; 65536: it is not among the hosts. */
static uint32_t own_preference(const struct sender *s, const struct dns_answer *a, uint16_t port) {
  uint32_t own = 65536;
  for (size_t i = 0; i < a->host_count; i++)
    if (is_us(s, &a->hosts[i], port) && a->hosts[i].priority < own) own = a->hosts[i].priority;
  return own;
}

/* One host's addresses, in order; or the host as a whole. */
static void walk_host(const struct sender *s, const struct dns_host *h, const struct route *r,
                      const char *nexthop, hosts_fn *fn, void *arg) {
  const struct source *source;
  bool any = s->process->conf->send_private_addresses || !r->direct;
  if (h->later || !h->address_count)
    fn(arg, &(struct hosts_line){ .host = h, .fate = h->later ? HOST_NO_ANSWER : HOST_NO_ADDRESS });
  for (size_t i = 0; i < h->address_count; i++) {
    struct hosts_line line = { h, address_of(&h->addresses[i], r->port), HOST_TRIED };
    if (r->srv[0] && h->port != r->port)
      line.fate = HOST_OTHER_PORT;
    else if (!any && !dial_address_is_public(&line.at))
      line.fate = HOST_PRIVATE;
    else if (!source_for(s, nexthop, line.at.n, &source))
      line.fate = HOST_NO_SOURCE;
    fn(arg, &line);
  }
}

void hosts_walk(const struct sender *s, const struct dns_answer *a, const struct route *r,
                const char *nexthop, hosts_fn *fn, void *arg) {
  uint32_t own = r->direct ? own_preference(s, a, r->port) : 65536;
  for (size_t i = 0; i < a->host_count; i++) {
    const struct dns_host *h = &a->hosts[i];
    if (h->priority >= own)
      fn(arg, &(struct hosts_line){ .host = h,
                                    .fate = is_us(s, h, r->port) ? HOST_OURS : HOST_NO_BETTER });
    else
      walk_host(s, h, r, nexthop, fn, arg);
  }
}

static struct hosts_verdict verdict(enum hosts_found found, const char enhanced[static 5],
                                    const char *name, const char *why) {
  struct hosts_verdict v = { .found = found };
  for (int i = 0; i < 3; i++) v.enhanced[i] = (uint8_t)(enhanced[2 * i] - '0');
  snprintf(v.why, sizeof v.why, "%s: %s", name, why);
  return v;
}

bool hosts_is_literal(const struct route *r, const char *name) {
  return r->direct && name[0] == '[';
}

struct hosts_verdict hosts_of_literal(const struct sender *s, const struct route *r,
                                      const char *name, struct hosts *ret) {
  const struct conf *c = s->process->conf;
  struct slice text = slice_from(slice_str(name), 1);
  char address[64];
  struct dial_address at;
  if (text.n) text.n--; /* "]" */
  if (slice_caseeq(slice_first(text, 5), SLICE("IPv6:"))) text = slice_from(text, 5);
  snprintf(address, sizeof address, "%.*s", SLICE_ARG(slice_first(text, sizeof address - 1)));
  *ret = (struct hosts){ 0 };
  if (!c->send_address_literals)
    return verdict(HOSTS_NEVER, "5.1.2", name,
                   "mail is not sent to an address in place of a domain (send_address_literals)");
  if (!dial_address_parse(address, r->port, &at))
    return verdict(HOSTS_NEVER, "5.1.2", name, "it is no address");
  if (!dial_address_is_public(&at) && !c->send_private_addresses)
    return verdict(HOSTS_NEVER, "5.1.2", name, "it is an address of a private network");
  if (is_own(s, &at)) return verdict(HOSTS_NEVER, "5.4.6", name, "it is this server");
  ret->name_count = ret->count = 1;
  snprintf(ret->names[0], sizeof ret->names[0], "%s", name);
  ret->addresses[0] = (struct nexthop_address){ at, 0 };
  return (struct hosts_verdict){ .found = HOSTS_FOUND };
}

static struct hosts_verdict not_found(const struct dns_answer *a, const struct route *r,
                                      const char *name) {
  bool no_service = a->result == DNS_NO_NAME || a->result == DNS_NONE || a->result == DNS_REFUSED;
  /* a mistake in the configuration or in the zone: no reason to return mail */
  if (r->srv[0] && no_service)
    return verdict(HOSTS_LATER, "4.4.4", r->srv, "its SRV records name no server");
  switch (a->result) {
  case DNS_NO_NAME: return verdict(HOSTS_NEVER, "5.1.2", name, "there is no such domain");
  case DNS_NONE:
    return verdict(HOSTS_NEVER, "5.1.2", name, "the domain has neither MX nor address records");
  case DNS_REFUSED: { /* RFC 7505 §4.2: X.1.10 */
    struct hosts_verdict v =
        verdict(HOSTS_NEVER, "5.1.1", name, "the domain says that it takes no mail (null MX)");
    v.enhanced[2] = 10;
    return v;
  }
  case DNS_BAD_NAME: return verdict(HOSTS_NEVER, "5.1.2", name, "this is not a domain name");
  case DNS_BOGUS:
    return verdict(HOSTS_LATER, "4.4.3", name, "its DNS answer is not authentic (DNSSEC)");
  default: break;
  }
  return verdict(HOSTS_LATER, "4.4.3", name, a->why[0] ? a->why : "DNS did not answer");
}

struct collecting {
  struct hosts *to;
  const struct dns_host *last; /* whose addresses were added last */
  bool seen[HOST_FATES];
};

bool hosts_add(struct hosts *to, const struct hosts_line *x, const struct dns_host **last) {
  bool same = *last == x->host;
  if (to->count == NEXTHOP_ADDRESSES_MAX || (!same && to->name_count == NEXTHOP_HOSTS_MAX))
    return false;
  if (!same) snprintf(to->names[to->name_count++], sizeof to->names[0], "%s", x->host->name);
  to->addresses[to->count++] = (struct nexthop_address){ x->at, (uint8_t)(to->name_count - 1) };
  *last = x->host;
  return true;
}

static void collect(void *arg, const struct hosts_line *x) {
  struct collecting *c = arg;
  c->seen[x->fate] = true;
  if (x->fate == HOST_TRIED) hosts_add(c->to, x, &c->last);
}

struct hosts_verdict hosts_of_answer(const struct sender *s, const struct dns_answer *a,
                                     const struct route *r, const char *name, struct hosts *ret) {
  struct collecting c = { .to = ret };
  *ret = (struct hosts){ 0 };
  if (a->result != DNS_FOUND) return not_found(a, r, name);
  hosts_walk(s, a, r, name, collect, &c);
  if (ret->count) return (struct hosts_verdict){ .found = HOSTS_FOUND };
  if (c.seen[HOST_NO_ANSWER])
    return verdict(HOSTS_LATER, "4.4.3", name,
                   "the addresses of its servers could not be looked up");
  if (c.seen[HOST_NO_SOURCE])
    return verdict(HOSTS_LATER, "4.4.4", name,
                   "none of source_addresses may be used for the addresses of its servers");
  if (c.seen[HOST_OTHER_PORT])
    return verdict(HOSTS_LATER, "4.4.4", r->srv,
                   "its SRV records name no server at the route's port");
  if (c.seen[HOST_OURS])
    return verdict(HOSTS_NEVER, "5.4.6", name,
                   "its mail would loop back to this server, which does not know the domain");
  if (c.seen[HOST_PRIVATE])
    return verdict(HOSTS_NEVER, "5.4.4", name,
                   "DNS names only addresses of private networks for it");
  return verdict(HOSTS_NEVER, "5.4.4", name, "none of its servers has an address");
}
