/* SPDX-License-Identifier: ISC */
/* Which line of `routes` decides, and contradictions between lines.
 *
 * A line's first word selects mail. Of the lines that match, the one with the highest rank decides,
 * whatever their order:
 *
 *   example.org         mail for that domain
 *   .example.org        mail for all its subdomains; the longest first
 *   account:NAME        submitted by that account
 *   from:example.org    mail whose sender is in that domain
 *   *                   all mail
 *
 * Selectors of recipients rank before those of senders: a line for a destination says how that
 * destination can be reached, which is true for every sender. No two lines have the same
 * selector. */
#include "conf/internal.h"

#include "lib/base/num.h"

enum { RANK_ANY = 1, RANK_SENDER, RANK_ACCOUNT, RANK_BELOW, RANK_DOMAIN = RANK_BELOW + 256 };

static const struct {
  const char *prefix;
  enum conf_route_by by;
} prefixes[] = { { "account:", CONF_ROUTE_ACCOUNT }, { "from:", CONF_ROUTE_SENDER } };

struct slice conf_route_word(struct slice *line) {
  struct slice word;
  do word = slice_split(line, ' ');
  while (!word.n && line->p);
  return word;
}

enum conf_route_by conf_route_by(struct slice selector, struct slice *ret_value) {
  *ret_value = selector;
  if (slice_eq(selector, SLICE("*"))) return CONF_ROUTE_ANY;
  for (size_t i = 0; i < sizeof prefixes / sizeof *prefixes; i++) {
    struct slice prefix = slice_str(prefixes[i].prefix);
    if (!slice_starts(selector, prefix)) continue;
    *ret_value = slice_from(selector, prefix.n);
    return prefixes[i].by;
  }
  return slice_at(selector, 0) == '.' ? CONF_ROUTE_BELOW : CONF_ROUTE_DOMAIN;
}

/* The rank of a selector for that mail; 0: it does not match. */
static size_t rank_of(struct slice selector, const struct conf_route_asked *q) {
  struct slice value;
  switch (conf_route_by(selector, &value)) {
  case CONF_ROUTE_ANY: return RANK_ANY;
  case CONF_ROUTE_SENDER: return value.n && slice_caseeq(value, q->sender) ? RANK_SENDER : 0;
  case CONF_ROUTE_ACCOUNT: return value.n && slice_caseeq(value, q->account) ? RANK_ACCOUNT : 0;
  case CONF_ROUTE_BELOW:
    if (q->destination.n <= value.n) return 0;
    return slice_caseeq(slice_from(q->destination, q->destination.n - value.n), value)
               ? RANK_BELOW + (value.n < 255 ? value.n : 255)
               : 0;
  case CONF_ROUTE_DOMAIN: break;
  }
  return slice_caseeq(value, q->destination) ? RANK_DOMAIN : 0;
}

size_t conf_route_find(const struct conf_list *routes, const struct conf_route_asked *q) {
  size_t best = 0, line = 0;
  for (size_t i = 0; i < routes->count; i++) {
    struct slice text = slice_str(routes->items[i]), selector = conf_route_word(&text);
    size_t rank = selector.n ? rank_of(selector, q) : 0;
    if (rank <= best) continue;
    best = rank;
    line = i + 1;
  }
  return line;
}

struct slice conf_route_sender(const struct conf_list *routes, const struct conf_route_asked *q) {
  size_t line = q->account.n || q->sender.n ? conf_route_find(routes, q) : 0;
  if (!line) return SLICE_NONE;
  struct slice text = slice_str(routes->items[line - 1]), selector = conf_route_word(&text), value;
  enum conf_route_by by = conf_route_by(selector, &value);
  return by == CONF_ROUTE_ACCOUNT || by == CONF_ROUTE_SENDER ? selector : SLICE_NONE;
}

struct slice conf_route_login(struct slice line) {
  const struct slice key = SLICE("login=");
  while (line.p) {
    struct slice word = conf_route_word(&line);
    if (slice_starts(word, key)) return slice_from(word, key.n);
  }
  return SLICE_NONE;
}

/* "_submission._tcp.example.org[:PORT]": the given port, otherwise the service's usual one. */
static uint16_t port_of_service(struct slice text, uint64_t given) {
  static const struct {
    const char *service;
    uint16_t port;
  } known[] = { { "_submission", 587 }, { "_submissions", 465 }, { "_smtp", 25 }, { "_lmtp", 24 } };
  struct slice domain = text, service = slice_split(&domain, '.'),
               protocol = slice_split(&domain, '.');
  if (slice_at(service, 0) != '_' || !slice_caseeq(protocol, SLICE("_tcp")) || !domain.n) return 0;
  for (size_t i = 0; !given && i < sizeof known / sizeof *known; i++)
    if (slice_caseeq(service, slice_str(known[i].service))) given = known[i].port;
  return (uint16_t)given;
}

uint16_t conf_route_port(struct slice line, uint16_t usual) {
  conf_route_word(&line);
  struct slice host = conf_route_word(&line);
  bool service = slice_starts(host, SLICE("srv:"));
  if (service) host = slice_from(host, 4);
  ptrdiff_t colon = slice_rfind(host, ':'), close = slice_rfind(host, ']');
  uint64_t port = 0;
  if (colon > close) {
    if (!num_parse(slice_from(host, (size_t)colon + 1), 65535, &port) || !port) return 0;
    host = slice_first(host, (size_t)colon);
  }
  if (service) return port_of_service(host, port);
  return !host.n || host.n > 255 ? 0 : port ? (uint16_t)port : usual;
}

size_t conf_route_ports(const struct conf *c, uint16_t ret[CONF_DIALS_MAX]) {
  size_t count = 0;
  for (size_t i = 0; i <= c->routes.count; i++) {
    uint16_t usual = (uint16_t)c->remote_port, port = usual;
    if (i) port = conf_route_port(slice_str(c->routes.items[i - 1]), usual);
    bool known = false;
    for (size_t n = 0; n < count && n < CONF_DIALS_MAX; n++) known |= ret[n] == port;
    if (known || !port) continue;
    if (count == CONF_DIALS_MAX) return CONF_DIALS_MAX + i;
    ret[count++] = port;
  }
  return count;
}

size_t conf_route_double(const struct conf_list *routes, size_t place) {
  struct slice text = slice_str(routes->items[place]), selector = conf_route_word(&text);
  for (size_t i = 0; i < place; i++) {
    struct slice other = slice_str(routes->items[i]);
    if (slice_caseeq(conf_route_word(&other), selector)) return i + 1;
  }
  return 0;
}
