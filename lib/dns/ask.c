/* SPDX-License-Identifier: ISC */
/* Questions. States of one: NEW → MAIN (all but ADDRESS: its own records are queried) → HOSTS (the
 * addresses of its hosts, some at a time) → answered. turn() makes every step, at the end of a turn
 * of the loop, so that no callback of libunbound calls back into it, and no answer comes before
 * dns_ask() returned.
 *
 * A query to libunbound outlives a question that was cancelled or ran out of time: it then has no
 * owner, and its reply is discarded. */
#include "lib/dns/unbound.h"

#include "lib/base/sys.h"
#include "lib/dns/files.h"

#include <stdlib.h>

enum { HOSTS_AT_ONCE = 4 };

enum dns_open_state { Q_NEW, Q_MAIN, Q_HOSTS, Q_ANSWERED };

struct query {
  struct unbound_query super;
  struct query *next;
  struct dns_question *owner; /* NULL: the question was cancelled */
  struct dns *dns;
  uint8_t host;
  enum dns_type type;
};

struct dns_question {
  struct dns_question *next;
  struct dns *dns;
  enum dns_open_state state;
  dns_fn *fn;
  void *arg;
  char name[DNS_NAME_MAX + 1];
  struct dns_answer answer;
  struct dns_found six[DNS_HOSTS_MAX], four[DNS_HOSTS_MAX];
  unsigned next_host, pending;
  unsigned missing; /* replies that the name does not exist */
  unsigned replies;
  bool bogus, late;
  struct loop_timer *timer;
  struct loop_later turn;
};

struct dns {
  struct loop *loop;
  struct unbound *unbound;
  struct dns_hosts *hosts;
  char *server_text;
  const char *servers[DNS_SERVERS_MAX + 1];
  size_t server_count;
  unsigned timeout_ms;
  struct dns_question *questions;
  struct query *queries;
  size_t open;
};

/* --- the end of a question --- */

static void forget_queries(struct dns_question *q) {
  for (struct query *s = q->dns->queries; s; s = s->next)
    if (s->owner == q) s->owner = NULL;
}

static void unlink_question(struct dns_question *q) {
  struct dns_question **at = &q->dns->questions;
  while (*at != q) at = &(*at)->next;
  *at = q->next;
  q->dns->open--;
  if (q->pending) forget_queries(q);
  loop_timer_free(&q->timer);
  loop_later_cancel(q->dns->loop, &q->turn);
}

static void put_why(struct dns_answer *a, struct slice why) {
  size_t n = 0;
  if (a->why[0]) return; /* the first reason is the nearest */
  for (; n < why.n && n < DNS_WHY_MAX; n++)
    a->why[n] = ascii_is_print(why.p[n]) ? (char)why.p[n] : '?';
  a->why[n] = 0;
}

/* IPv6 and IPv4 in turn (RFC 8305 §4), as many as fit. */
static void gather_addresses(struct dns_question *q, size_t i) {
  struct dns_host *h = &q->answer.hosts[i];
  for (size_t k = 0; k < DNS_ADDRESSES_MAX; k++) {
    if (k < q->six[i].count && h->address_count < DNS_ADDRESSES_MAX)
      h->addresses[h->address_count++] = q->six[i].addresses[k];
    if (k < q->four[i].count && h->address_count < DNS_ADDRESSES_MAX)
      h->addresses[h->address_count++] = q->four[i].addresses[k];
  }
  if (h->address_count) h->later = false;
}

static enum dns_result addresses_result(const struct dns_question *q) {
  bool any = false, later = q->late;
  for (size_t i = 0; i < q->answer.host_count; i++) {
    any |= q->answer.hosts[i].address_count > 0;
    later |= q->answer.hosts[i].later;
  }
  if (any) return DNS_FOUND;
  if (q->bogus) return DNS_BOGUS;
  if (later) return DNS_LATER;
  bool itself = q->answer.kind == DNS_ADDRESS || q->answer.implicit;
  return itself && q->replies && q->missing == q->replies ? DNS_NO_NAME : DNS_NONE;
}

static void finish(struct dns_question *q) {
  struct dns_answer *a = &q->answer;
  if (q->state == Q_HOSTS) {
    for (size_t i = 0; i < a->host_count; i++) gather_addresses(q, i);
    a->result = addresses_result(q);
  }
  if (a->result != DNS_FOUND) a->host_count = 0, a->texts_n = 0;
  if (a->result == DNS_LATER && q->late) put_why(a, SLICE("no answer in time"));
  if (a->result == DNS_FOUND) a->why[0] = 0;
  if (a->result == DNS_LATER || a->result == DNS_BOGUS || a->result == DNS_BAD_NAME)
    a->secure = false;
  unlink_question(q);
  q->fn(q->arg, a);
  free(q);
}

static void answer_now(struct dns_question *q, enum dns_result result) {
  q->answer.result = result;
  q->state = Q_ANSWERED;
}

/* A partial result is better than none. */
static void on_timeout(void *arg) {
  struct dns_question *q = arg;
  q->late = true;
  if (q->state != Q_HOSTS)
    answer_now(q, DNS_LATER);
  else
    for (size_t i = 0; i < q->answer.host_count; i++)
      if (!q->six[i].count && !q->four[i].count) q->answer.hosts[i].later = true;
  finish(q);
}

/* --- replies --- */

static void receive_addresses(struct dns_question *q, const struct query *s,
                              const struct unbound_reply *reply) {
  struct dns_host *h = &q->answer.hosts[s->host];
  struct dns_found *to = s->type == DNS_TYPE_A ? &q->four[s->host] : &q->six[s->host];
  enum dns_result result = reply->bogus || !reply->packet.n
                               ? DNS_LATER
                               : dns_packet_addresses(reply->packet, h->name, s->type, to);
  if (reply->bogus) q->bogus = true;
  if (result == DNS_LATER) h->later = true;
  q->replies++;
  q->missing += result == DNS_NO_NAME;
}

static void use_name_itself(struct dns_question *q) {
  struct dns_host *h = &q->answer.hosts[0];
  memcpy(h->name, q->name, sizeof h->name);
  q->answer.host_count = 1;
  q->state = Q_HOSTS;
}

static bool wants_texts(const struct dns_question *q) {
  return q->answer.kind == DNS_TXT || q->answer.kind == DNS_PTR;
}

static void receive_hosts(struct dns_question *q, const struct query *s,
                          const struct unbound_reply *reply) {
  uint32_t chance[DNS_HOSTS_MAX];
  if (reply->bogus || !reply->packet.n) {
    answer_now(q, reply->bogus ? DNS_BOGUS : DNS_LATER);
    return;
  }
  enum dns_result result = wants_texts(q)
                               ? dns_packet_texts(reply->packet, q->name, s->type, &q->answer)
                               : dns_packet_hosts(reply->packet, q->name, s->type, &q->answer);
  if (result == DNS_LATER) put_why(&q->answer, SLICE("the answer is of no use"));
  if (result == DNS_NONE && q->answer.kind == DNS_MX) {
    q->answer.implicit = true;
    use_name_itself(q);
  } else if (result == DNS_FOUND && !wants_texts(q)) {
    sys_random(chance, sizeof chance);
    dns_order(&q->answer, chance);
    q->state = Q_HOSTS;
  } else {
    answer_now(q, result);
  }
}

static void on_reply(struct unbound_query *query, const struct unbound_reply *reply) {
  struct query *s = (struct query *)query, **at = &s->dns->queries;
  struct dns_question *q = s->owner;
  while (*at != s) at = &(*at)->next;
  *at = s->next;
  if (q) {
    q->pending--;
    if (!reply->secure) q->answer.secure = false;
    if (reply->bogus || !reply->packet.n) put_why(&q->answer, reply->why);
    if (q->state == Q_MAIN)
      receive_hosts(q, s, reply);
    else
      receive_addresses(q, s, reply);
    loop_later(s->dns->loop, &q->turn);
  }
  free(s);
}

/* --- questions --- */

static bool query(struct dns_question *q, const char *name, enum dns_type type, size_t host) {
  struct dns *d = q->dns;
  struct query *s = malloc(sizeof *s);
  if (!s) return false;
  *s = (struct query){ .super = { on_reply },
                       .next = d->queries,
                       .owner = q,
                       .dns = d,
                       .host = (uint8_t)host,
                       .type = type };
  d->queries = s;
  q->pending++;
  if (unbound_ask(d->unbound, name, type, &s->super)) return true;
  q->pending--;
  d->queries = s->next;
  free(s);
  return false;
}

static void look_up(struct dns_question *q, size_t i) {
  struct dns_host *h = &q->answer.hosts[i];
  dns_hosts_find(q->dns->hosts, h->name, 16, &q->six[i]);
  dns_hosts_find(q->dns->hosts, h->name, 4, &q->four[i]);
  if (q->six[i].count || q->four[i].count)
    q->answer.secure = false;
  else if (!query(q, h->name, DNS_TYPE_AAAA, i) || !query(q, h->name, DNS_TYPE_A, i))
    h->later = true;
}

static const enum dns_type types[DNS_KINDS] = { [DNS_SRV] = DNS_TYPE_SRV,
                                                [DNS_MX] = DNS_TYPE_MX,
                                                [DNS_TXT] = DNS_TYPE_TXT,
                                                [DNS_PTR] = DNS_TYPE_PTR };

static void turn(void *arg) {
  struct dns_question *q = arg;
  if (q->state == Q_NEW && q->answer.kind != DNS_ADDRESS) {
    q->state = Q_MAIN;
    if (query(q, q->name, types[q->answer.kind], 0)) return;
    answer_now(q, DNS_LATER);
  } else if (q->state == Q_NEW) {
    use_name_itself(q);
  }
  while (q->state == Q_HOSTS && q->next_host < q->answer.host_count &&
         q->pending < 2 * HOSTS_AT_ONCE)
    look_up(q, q->next_host++);
  if (!q->pending) finish(q);
}

struct dns_question *dns_ask(struct dns *d, struct slice name, enum dns_kind kind, dns_fn *fn,
                             void *arg) {
  struct dns_question *q = d->open < DNS_OPEN_MAX ? calloc(1, sizeof *q) : NULL;
  if (!q) return NULL;
  *q = (struct dns_question){
    .next = d->questions, .dns = d, .fn = fn, .arg = arg, .turn = { .fn = turn, .arg = q }
  };
  q->answer.kind = kind;
  q->answer.secure = true;
  q->timer = loop_timer_new(d->loop, on_timeout, q);
  if (!q->timer) {
    free(q);
    return NULL;
  }
  d->questions = q;
  d->open++;
  if (!dns_name_check(name, q->name)) answer_now(q, DNS_BAD_NAME);
  loop_timer_set(q->timer, loop_now(d->loop) + d->timeout_ms);
  loop_later(d->loop, &q->turn);
  return q;
}

void dns_cancel(struct dns_question **q) {
  if (!*q) return;
  unlink_question(*q);
  free(*q);
  *q = NULL;
}

/* --- the whole --- */

/* Cuts "IP@port\n…" into strings. */
static void split_servers(struct dns *d) {
  for (char *at = d->server_text; *at && d->server_count < DNS_SERVERS_MAX;) {
    char *end = strchr(at, '\n');
    d->servers[d->server_count++] = at;
    if (!end) break;
    *end = 0;
    at = end + 1;
  }
}

static bool take_servers(struct dns *d, const struct dns_settings *s, struct buf *err) {
  struct buf text;
  buf_init(&text, DNS_SERVERS_TEXT_MAX);
  const char *joined = dns_servers(s, &text, err) ? buf_cstr(&text) : NULL;
  if (joined) d->server_text = strdup(joined);
  if (d->server_text) split_servers(d);
  buf_free(&text);
  return d->server_text != NULL;
}

struct dns *dns_new(struct loop *l, const struct dns_settings *settings, struct buf *err) {
  struct dns *d = calloc(1, sizeof *d);
  const char *anchor =
      settings->trust_anchor && settings->trust_anchor[0] ? settings->trust_anchor : NULL;
  if (d) {
    d->loop = l;
    d->timeout_ms = settings->timeout_ms ? settings->timeout_ms : DNS_TIMEOUT_MS;
    d->hosts = dns_hosts_read(settings->hosts ? settings->hosts : "/etc/hosts");
  }
  if (d && d->hosts && take_servers(d, settings, err))
    d->unbound = unbound_new(l, d->servers, d->server_count, anchor, err);
  if (d && d->unbound) return d;
  if (!buf_len(err)) buf_put_str(err, "no memory");
  dns_free(&d);
  return NULL;
}

void dns_free(struct dns **d) {
  if (!*d) return;
  while ((*d)->questions) {
    struct dns_question *q = (*d)->questions;
    dns_cancel(&q);
  }
  unbound_free(&(*d)->unbound);
  while ((*d)->queries) {
    struct query *s = (*d)->queries;
    (*d)->queries = s->next;
    free(s);
  }
  dns_hosts_free(&(*d)->hosts);
  free((*d)->server_text);
  free(*d);
  *d = NULL;
}
