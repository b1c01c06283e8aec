/* SPDX-License-Identifier: ISC */
/* Answers: the words of results and kinds, the order of hosts, the encoding between processes.
 * Pure. */
#include "lib/dns/dns.h"

#include "lib/base/wire.h"

#include <arpa/inet.h>
#include <stdio.h>

static const char *const kinds[DNS_KINDS] = { "address", "srv", "mx", "txt", "ptr" };
static const char *const results[DNS_RESULTS] = {
  [DNS_FOUND] = "found",
  [DNS_NONE] = "nothing of that kind",
  [DNS_REFUSED] = "no such service here",
  [DNS_NO_NAME] = "no such name",
  [DNS_LATER] = "no answer now",
  [DNS_BOGUS] = "the answer is forged or its signatures are broken (DNSSEC)",
  [DNS_BAD_NAME] = "not a host name",
};

enum dns_kind dns_kind_named(struct slice word) {
  enum dns_kind kind = 0;
  while (kind < DNS_KINDS && !slice_caseeq(word, slice_str(kinds[kind]))) kind++;
  return kind;
}

const char *dns_kind_name(enum dns_kind kind) { return kind < DNS_KINDS ? kinds[kind] : "unknown"; }

const char *dns_result_name(enum dns_result result) {
  return result < DNS_RESULTS ? results[result] : "unknown";
}

void dns_address_text(const struct dns_address *a, char to[static DNS_ADDRESS_TEXT]) {
  to[0] = 0;
  inet_ntop(a->n == 4 ? AF_INET : AF_INET6, a->octets, to, DNS_ADDRESS_TEXT);
}

/* --- texts: a length of two octets in front of each --- */

void dns_text_add(struct dns_answer *a, struct slice text) {
  if (text.n + 2 > sizeof a->texts - a->texts_n) return;
  a->texts[a->texts_n++] = (uint8_t)(text.n >> 8);
  a->texts[a->texts_n++] = (uint8_t)text.n;
  if (text.n) memcpy(a->texts + a->texts_n, text.p, text.n);
  a->texts_n = (uint16_t)(a->texts_n + text.n);
}

bool dns_text_next(const struct dns_answer *a, size_t *at, struct slice *ret) {
  struct slice rest = slice_from(slice_of(a->texts, a->texts_n), *at);
  if (rest.n < 2) return false;
  size_t n = (size_t)rest.p[0] << 8 | rest.p[1];
  if (n > rest.n - 2) return false;
  *ret = slice_first(slice_from(rest, 2), n);
  *at += 2 + n;
  return true;
}

void dns_reverse_name(const struct dns_address *a, char to[static DNS_NAME_MAX + 1]) {
  size_t at = 0;
  for (size_t i = a->n; i > 0; i--) {
    unsigned c = a->octets[i - 1];
    int n = a->n == 4 ? snprintf(to + at, DNS_NAME_MAX + 1 - at, "%u.", c)
                      : snprintf(to + at, DNS_NAME_MAX + 1 - at, "%x.%x.", c & 15, c >> 4);
    at += (size_t)n;
  }
  snprintf(to + at, DNS_NAME_MAX + 1 - at, "%s", a->n == 4 ? "in-addr.arpa" : "ip6.arpa");
}

/* --- order --- */

static void sort_by_priority(struct dns_host *hosts, size_t n) {
  for (size_t i = 1; i < n; i++) {
    struct dns_host host = hosts[i];
    size_t at = i;
    for (; at > 0 && hosts[at - 1].priority > host.priority; at--) hosts[at] = hosts[at - 1];
    hosts[at] = host;
  }
}

/* A number below `end`, from one below 2^32. */
static uint32_t scale(uint32_t chance, uint64_t end) { return (uint32_t)(chance * end >> 32); }

/* RFC 2782: those of weight 0 stand first, a number from 0 to the sum of weights is drawn, the
 * first whose running sum reaches it is next: so a host of weight 0 has a very small chance beside
 * others. Without weights, as with MX, each has the same chance. */
static size_t draw(const struct dns_host *hosts, size_t n, uint32_t chance) {
  uint32_t sum = 0, running = 0;
  for (size_t i = 0; i < n; i++) sum += hosts[i].weight;
  if (sum == 0) return scale(chance, n);
  uint32_t drawn = scale(chance, (uint64_t)sum + 1);
  for (size_t i = 0; drawn == 0 && i < n; i++)
    if (hosts[i].weight == 0) return i;
  for (size_t i = 0; i < n; i++) {
    running += hosts[i].weight;
    if (hosts[i].weight && running >= drawn) return i;
  }
  return 0;
}

void dns_order(struct dns_answer *a, const uint32_t chance[static DNS_HOSTS_MAX]) {
  struct dns_host *hosts = a->hosts;
  sort_by_priority(hosts, a->host_count);
  for (size_t i = 0, end = 0; i < a->host_count; i++) {
    while (end < a->host_count && hosts[end].priority == hosts[i].priority) end++;
    size_t next = i + draw(&hosts[i], end - i, chance[i]);
    struct dns_host host = hosts[next];
    for (; next > i; next--) hosts[next] = hosts[next - 1];
    hosts[i] = host;
  }
}

/* --- between processes --- */

static void put_host(struct buf *b, const struct dns_host *h) {
  wire_put_bytes(b, slice_str(h->name));
  wire_put_u16(b, h->port);
  wire_put_u16(b, h->priority);
  wire_put_u16(b, h->weight);
  wire_put_bool(b, h->later);
  buf_put_u8(b, h->address_count);
  for (size_t i = 0; i < h->address_count; i++)
    wire_put_bytes(b, slice_of(h->addresses[i].octets, h->addresses[i].n));
}

void dns_answer_put(struct buf *b, const struct dns_answer *a) {
  buf_put_u8(b, (uint8_t)a->kind);
  buf_put_u8(b, (uint8_t)a->result);
  wire_put_bool(b, a->secure);
  wire_put_bool(b, a->implicit);
  wire_put_bytes(b, slice_str(a->why));
  buf_put_u8(b, a->host_count);
  for (size_t i = 0; i < a->host_count; i++) put_host(b, &a->hosts[i]);
  wire_put_bytes(b, slice_of(a->texts, a->texts_n));
}

static void get_text(struct wire *w, char *to, size_t most) {
  struct slice s = wire_get_bytes(w, most);
  for (size_t i = 0; i < s.n; i++) {
    if (!ascii_is_print(s.p[i])) w->bad = true;
    to[i] = (char)s.p[i];
  }
  to[s.n] = 0;
}

static void get_address(struct wire *w, struct dns_address *a) {
  struct slice s = wire_get_bytes(w, sizeof a->octets);
  if (s.n != 4 && s.n != 16) w->bad = true;
  a->n = s.n == 4 ? 4 : 16;
  if (s.n) memcpy(a->octets, s.p, s.n);
}

static void get_texts(struct wire *w, struct dns_answer *a) {
  struct slice s = wire_get_bytes(w, sizeof a->texts), text;
  size_t at = 0;
  if (s.n) memcpy(a->texts, s.p, s.n);
  a->texts_n = (uint16_t)s.n;
  while (dns_text_next(a, &at, &text)) {
  }
  w->bad |= at != s.n;
}

static void get_host(struct wire *w, struct dns_host *h) {
  char name[DNS_NAME_MAX + 1];
  get_text(w, name, DNS_NAME_MAX);
  if (w->bad || !dns_name_check(slice_str(name), h->name)) w->bad = true;
  h->port = wire_get_u16(w);
  h->priority = wire_get_u16(w);
  h->weight = wire_get_u16(w);
  h->later = wire_get_bool(w);
  h->address_count = wire_get_enum(w, DNS_ADDRESSES_MAX + 1);
  for (size_t i = 0; i < h->address_count && !w->bad; i++) get_address(w, &h->addresses[i]);
}

bool dns_answer_get(struct slice s, struct dns_answer *ret) {
  struct wire w = wire_open(s);
  memset(ret, 0, sizeof *ret);
  ret->kind = wire_get_enum(&w, DNS_KINDS);
  ret->result = wire_get_enum(&w, DNS_RESULTS);
  ret->secure = wire_get_bool(&w);
  ret->implicit = wire_get_bool(&w);
  get_text(&w, ret->why, DNS_WHY_MAX);
  ret->host_count = wire_get_enum(&w, DNS_HOSTS_MAX + 1);
  for (size_t i = 0; i < ret->host_count && !w.bad; i++) get_host(&w, &ret->hosts[i]);
  if (!w.bad) get_texts(&w, ret);
  bool texts = ret->kind == DNS_TXT || ret->kind == DNS_PTR;
  bool some = texts ? ret->texts_n > 0 : ret->host_count > 0,
       others = texts ? ret->host_count > 0 : ret->texts_n > 0;
  return wire_done(&w) && (ret->result == DNS_FOUND) == some && !others;
}
