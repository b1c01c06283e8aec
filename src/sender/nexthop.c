/* SPDX-License-Identifier: ISC */
/* A next hop (`struct nexthop`): the queue of letters for it, its servers, and the connections to
 * them.
 *
 *   WAITS_FOR_DNS → ASKS → READY ⇄ (links) → at rest → freed
 *
 * Letters with equal routes share a next hop: the same host, TLS and login. So a connection only
 * carries mail whose route has its login. The number of connections grows with deliveries and
 * shrinks with failures; a next hop whose servers cannot be reached returns all its letters at
 * once, so that they do not take up room needed for others. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ipc/dialer_resolver.h"
#include "lib/base/bug.h"
#include "src/sender/sender.h"

/* --- which next hop --- */

void nexthop_put_name(const struct route *r, struct slice destination,
                      char to[static SEND_DESTINATION_MAX + 1]) {
  if (r->direct)
    snprintf(to, SEND_DESTINATION_MAX + 1, "%.*s",
             SLICE_ARG(slice_first(destination, SEND_DESTINATION_MAX)));
  else
    snprintf(to, SEND_DESTINATION_MAX + 1, "[%.240s]:%u", r->srv[0] ? r->srv : r->host, r->port);
}

static struct nexthop *find(const struct sender *s, const char *name, const struct route *r) {
  struct nexthop *l = map_ptr(&s->nexthops, slice_hash(slice_str(name)));
  while (l && (strcmp(l->name, name) != 0 || !route_is_same(&l->route, r))) l = l->next;
  return l;
}

const struct nexthop *nexthop_for(const struct sender *s, const struct route *r,
                                  struct slice destination) {
  char name[SEND_DESTINATION_MAX + 1];
  nexthop_put_name(r, destination, name);
  return find(s, name, r);
}

static struct nexthop *nexthop_new(struct sender *s, const char *name, const struct route *r) {
  uint64_t hash = slice_hash(slice_str(name));
  struct nexthop *l = calloc(1, sizeof *l);
  if (!l) return NULL;
  snprintf(l->name, sizeof l->name, "%s", name);
  l->sender = s;
  l->route = *r;
  l->last = &l->first;
  l->want = NEXTHOP_CONNECTIONS_FIRST;
  l->next = map_ptr(&s->nexthops, hash);
  if (!map_put_ptr(&s->nexthops, hash, l)) {
    free(l);
    return NULL;
  }
  l->older = s->newest;
  *(s->newest ? &s->newest->newer : &s->oldest) = l;
  s->newest = l;
  return l;
}

static void remove_from_map(struct nexthop *l) {
  struct sender *s = l->sender;
  uint64_t hash = slice_hash(slice_str(l->name));
  struct nexthop *first = map_ptr(&s->nexthops, hash);
  if (first == l && l->next)
    map_put_ptr(&s->nexthops, hash, l->next);
  else if (first == l)
    map_remove(&s->nexthops, hash);
  else {
    while (first->next != l) first = first->next;
    first->next = l->next;
  }
}

static void forget_question(struct nexthop *l) {
  struct sender *s = l->sender;
  if (l->state == NEXTHOP_ASKS) {
    map_remove(&s->asking, l->question);
    s->questions--;
  }
  if (l->state != NEXTHOP_WAITS_FOR_DNS) return;
  for (struct nexthop **at = &s->first_asking; *at; at = &(*at)->next_asking) {
    if (*at != l) continue;
    *at = l->next_asking;
    if (s->last_asking == &l->next_asking) s->last_asking = at;
    return;
  }
}

static void unmark(struct nexthop *l) {
  struct nexthop **at = &l->sender->marked;
  while (l->marked && *at != l) at = &(*at)->next_marked;
  if (l->marked) *at = l->next_marked;
  l->marked = false;
}

void nexthop_free(struct nexthop *l) {
  struct sender *s = l->sender;
  unmark(l);
  while (l->links) {
    struct link *k = l->links;
    l->links = k->next;
    sender_link_free(k);
  }
  forget_question(l);
  remove_from_map(l);
  *(l->older ? &l->older->newer : &s->oldest) = l->newer;
  *(l->newer ? &l->newer->older : &s->newest) = l->older;
  free(l);
}

/* --- the queues --- */

static struct letter *take_first(struct nexthop *l) {
  struct letter *x = l->first;
  if (!x) return NULL;
  l->first = x->next;
  if (!l->first) l->last = &l->first;
  l->waiting--;
  x->next = NULL;
  return x;
}

static bool may_take(const struct link *k, const struct letter *x) {
  return (x->refused & k->avoids) == x->refused;
}

static struct letter *take_picky(struct link *k) {
  struct letter **at = &k->nexthop->picky, *x;
  while (*at && !may_take(k, *at)) at = &(*at)->next;
  x = *at;
  if (x) *at = x->next;
  if (x) x->next = NULL;
  return x;
}

/* Any link of the next hop. */
static struct letter *take_any(struct nexthop *l) {
  struct letter *x = l->picky;
  if (!x) return take_first(l);
  l->picky = x->next;
  x->next = NULL;
  return x;
}

struct letter *nexthop_next(struct link *k) {
  return k->avoids ? take_picky(k) : take_first(k->nexthop);
}

bool nexthop_has_work(const struct link *k) {
  if (!k->avoids) return k->nexthop->first != NULL;
  for (const struct letter *x = k->nexthop->picky; x; x = x->next)
    if (may_take(k, x)) return true;
  return false;
}

_Static_assert(NEXTHOP_ADDRESSES_MAX <= 16, "a bit of letter.refused for each address");

bool nexthop_has_other_family(const struct nexthop *l, const struct letter *x, uint8_t family) {
  for (size_t i = 0; i < l->hosts.count; i++)
    if (l->hosts.addresses[i].at.n != family && !(x->refused >> i & 1)) return true;
  return false;
}

bool nexthop_has_other_host(const struct nexthop *l, const struct letter *x, const char *host) {
  for (size_t i = 0; i < l->hosts.count; i++)
    if (!(x->refused >> i & 1) && strcmp(l->hosts.names[l->hosts.addresses[i].host], host) != 0)
      return true;
  return false;
}

void nexthop_refused(struct nexthop *l, struct letter *x, const char *host, uint8_t family) {
  bool left = false;
  for (size_t i = 0; i < l->hosts.count; i++) {
    const struct nexthop_address *a = &l->hosts.addresses[i];
    if (family ? a->at.n == family : strcmp(l->hosts.names[a->host], host) == 0)
      x->refused |= (uint16_t)(1u << i);
    left |= !(x->refused >> i & 1);
  }
  if (left || !x->refused) {
    struct letter **end = &l->picky;
    while (*end) end = &(*end)->next;
    *end = x;
    l->rest_ms = 0;
    nexthop_mark(l);
  } else if (x->obstacles & 1u << SMTP_LACKS_8BITMIME && !x->seven) {
    x->nexthop = NULL;
    sign_convert(x);
  } else {
    letter_give_up(x, "");
  }
}

void nexthop_put_back(struct nexthop *l, struct letter *x) {
  if (x->refused) {
    x->next = l->picky;
    l->picky = x;
    nexthop_mark(l);
    return;
  }
  x->next = l->first;
  l->first = x;
  if (!x->next) l->last = &x->next;
  l->waiting++;
  l->rest_ms = 0;
  nexthop_mark(l);
}

/* True if one of its sessions has been ready. */
static bool link_worked(const struct link *k) {
  return k->worked || (k->client && k->client->ready);
}

void nexthop_failed(struct link *k) {
  struct nexthop *l = k->nexthop;
  struct letter *x;
  if (!k->avoids && l->want > 1) l->want /= 2;
  for (const struct link *other = l->links; other; other = other->next)
    /* another link serves the queue */
    if (!other->over && link_worked(other) && other->avoids == k->avoids) return;
  while ((x = nexthop_next(k)) != NULL) {
    snprintf(x->host, sizeof x->host, "%s", k->why_host);
    snprintf(x->address, sizeof x->address, "%s", k->why_address);
    x->unreachable = !k->avoids;
    letter_put_off(x, &k->why);
    letter_report(x);
  }
}

/* --- names --- */

static void not_found(struct nexthop *l, const struct hosts_verdict *v) {
  struct letter *x;
  while ((x = take_any(l)) != NULL) {
    x->unreachable = v->found != HOSTS_NEVER;
    letter_decide(x, v->found == HOSTS_NEVER ? SEND_PERMANENT : SEND_TEMPORARY, SMTP_STAGE_CONNECT,
                  0, v->enhanced, slice_str(v->why));
    letter_report(x);
  }
}

/* The hosts that refused it may have changed, or be in another order. */
static void forget_refusals(struct nexthop *l) {
  struct letter *x;
  while ((x = l->picky) != NULL) {
    l->picky = x->next;
    x->refused = 0;
    nexthop_put_back(l, x);
  }
}

/* WAITS_FOR_DNS → ASKS → READY → WAITS_FOR_DNS; without DNS at once READY; ASKS → WAITS_FOR_DNS
 * when the resolver was lost. */
static void nexthop_to(struct nexthop *l, enum nexthop_state to) {
  BUG_IF(to == NEXTHOP_ASKS && l->state != NEXTHOP_WAITS_FOR_DNS,
         "%s goes from state %d to %d: question %ju, %zu wait, %u connections", l->name, l->state,
         to, (uintmax_t)l->question, l->waiting, l->connections);
  l->state = to;
}

/* Does whatever is to be done: connects, asks DNS, wakes links. */
static void nexthop_go(struct nexthop *l);

static void found(struct nexthop *l, const struct dns_answer *a) {
  struct hosts_verdict v = hosts_of_answer(l->sender, a, &l->route, l->name, &l->hosts);
  nexthop_to(l, NEXTHOP_READY);
  l->forgotten = false;
  l->found_ms = loop_now(l->sender->process->loop);
  if (v.found != HOSTS_FOUND) not_found(l, &v);
  forget_refusals(l);
  nexthop_go(l);
}

/* A route to an address needs no DNS. */
static bool is_address(struct nexthop *l) {
  struct dial_address a;
  if (l->route.direct || l->route.srv[0] || !dial_address_parse(l->route.host, l->route.port, &a))
    return false;
  l->forgotten = false;
  l->hosts = (struct hosts){ .name_count = 1, .count = 1 };
  snprintf(l->hosts.names[0], sizeof l->hosts.names[0], "%s", l->route.host);
  l->hosts.addresses[0] = (struct nexthop_address){ a, 0 };
  l->found_ms = loop_now(l->sender->process->loop);
  nexthop_to(l, NEXTHOP_READY);
  return true;
}

static void ask(struct nexthop *l) {
  struct sender *s = l->sender;
  const char *name;
  enum dns_kind kind = route_question(&l->route, l->name, &name);
  struct buf b;
  buf_init(&b, 512);
  l->question = ++s->question;
  dns_ask_put(&b,
              &(struct dns_ask){ (uint8_t)kind, slice_first(slice_str(name), DNS_NAME_MAX + 1) });
  if (b.failed || !map_put_ptr(&s->asking, l->question, l)) {
    process_fail(s->process, "no memory for a question");
  } else {
    nexthop_to(l, NEXTHOP_ASKS);
    s->questions++;
    process_send(s->process, ROLE_RESOLVER, s->resolver, dns_ask_type, l->question, buf_slice(&b),
                 -1);
  }
  buf_free(&b);
}

void nexthop_ask_next(struct sender *s) {
  const struct conf *c = s->process->conf;
  while (s->first_asking && s->resolver && s->questions < c->dns_sender_open_questions &&
         s->asked < c->dns_sender_questions_per_second) {
    s->asked++;
    struct nexthop *l = s->first_asking;
    s->first_asking = l->next_asking;
    if (!s->first_asking) s->last_asking = &s->first_asking;
    l->next_asking = NULL;
    ask(l);
  }
}

static void wait_for_dns(struct nexthop *l) {
  struct sender *s = l->sender;
  nexthop_to(l, NEXTHOP_WAITS_FOR_DNS);
  *s->last_asking = l;
  s->last_asking = &l->next_asking;
}

/* The destination is an address itself. */
static void take_literal(struct nexthop *l) {
  struct hosts_verdict v = hosts_of_literal(l->sender, &l->route, l->name, &l->hosts);
  l->forgotten = false;
  l->found_ms = loop_now(l->sender->process->loop);
  l->state = NEXTHOP_READY;
  if (v.found != HOSTS_FOUND) not_found(l, &v);
}

static void resolve(struct nexthop *l) {
  if (is_address(l)) return;
  if (hosts_is_literal(&l->route, l->name)) {
    take_literal(l);
    return;
  }
  wait_for_dns(l);
  nexthop_ask_next(l->sender);
}

void nexthop_answer(struct sender *s, uint64_t question, const struct dns_answer *a) {
  struct nexthop *l = map_ptr(&s->asking, question);
  if (!l) return; /* it gave up */
  map_remove(&s->asking, question);
  s->questions--;
  l->resolvers_lost = 0;
  nexthop_ask_next(s);
  found(l, a);
}

/* A question is put to the next resolver, but not endlessly: the question itself may be what
 * crashes them. */
void nexthops_resolver_lost(struct sender *s) {
  static const struct dns_answer later = { .kind = DNS_MX,
                                           .result = DNS_LATER,
                                           .why = "the resolver was restarted" };
  uint64_t key, value;
  for (size_t i = 0; map_each(&s->asking, &i, &key, &value); i = 0) {
    struct nexthop *l = (struct nexthop *)(uintptr_t)value;
    if (l->resolvers_lost++ >= NEXTHOP_RESOLVERS_MAX) {
      nexthop_answer(s, key, &later);
      continue;
    }
    forget_question(l);
    wait_for_dns(l);
  }
}

/* --- letters and connections --- */

void nexthops_forget_hosts(struct sender *s) {
  for (struct nexthop *l = s->oldest; l; l = l->newer) l->forgotten = true;
}

static bool is_stale(const struct nexthop *l) {
  if (l->state != NEXTHOP_READY) return false;
  return l->forgotten || !l->hosts.count ||
         loop_now(l->sender->process->loop) - l->found_ms >= NEXTHOP_HOSTS_MS;
}

void nexthop_take(struct sender *s, struct letter *x) {
  static const uint8_t config[3] = { 4, 3, 5 }; /* RFC 3463 §3.4: system incorrectly configured */
  char name[SEND_DESTINATION_MAX + 1];
  struct route r;
  if (!route_for(s, &x->way, &r)) {
    letter_decide(x, SEND_TEMPORARY, SMTP_STAGE_CONNECT, 0, config,
                  SLICE("the option routes has a wrong line for this mail"));
    letter_report(x);
    return;
  }
  nexthop_put_name(&r, x->way.destination, name);
  struct nexthop *l = find(s, name, &r);
  bool fresh = !l;
  if (fresh) l = nexthop_new(s, name, &r);
  if (!l) {
    process_fail(s->process, "no memory for a destination");
    return;
  }
  x->nexthop = l;
  *l->last = x;
  l->last = &x->next;
  l->waiting++;
  l->rest_ms = 0;
  if (fresh || is_stale(l)) resolve(l);
  nexthop_mark(l);
}

static unsigned idle_links(struct nexthop *l) {
  unsigned n = 0;
  for (struct link *k = l->links; k; k = k->next)
    n += !k->over && !k->avoids && k->client && k->client->idle;
  return n;
}

static void rest(struct nexthop *l) {
  if (!l->rest_ms) l->rest_ms = loop_now(l->sender->process->loop) + NEXTHOP_REST_MS;
}

static bool has_link(const struct nexthop *l, const struct letter *x) {
  for (const struct link *k = l->links; k; k = k->next)
    if (!k->over && k->avoids && may_take(k, x)) return true;
  return false;
}

/* Opens a link for a picky letter that no existing link will take, beside those that serve the
 * others. Waking a link may remove letters from the list, finish them and insert others, so no
 * pointer into it is kept across; links are freed in update_nexthop() only. */
static void go_picky(struct nexthop *l) {
  struct sender *s = l->sender;
  for (struct link *k = l->links; k; k = k->next)
    if (!k->over && k->avoids && k->client && k->client->idle && nexthop_has_work(k))
      sender_link_wake(k);
  const struct letter *x = l->picky;
  while (x && has_link(l, x)) x = x->next;
  if (!x) return;
  s->starved |= s->connections >= s->process->conf->sender_connections;
  /* the letters after it get their turn when the next hop is next examined */
  if (!s->starved) sender_link_open(l, x->refused);
}

static void nexthop_go(struct nexthop *l) {
  struct sender *s = l->sender;
  if (l->state != NEXTHOP_READY || !l->hosts.count || s->ending) return;
  if (l->picky) go_picky(l);
  if (!l->first) return;
  unsigned idle = idle_links(l);
  for (struct link *k = l->links; idle && k; k = k->next)
    if (!k->over && !k->avoids && k->client && k->client->idle) sender_link_wake(k);
  unsigned most = l->want < s->process->conf->destination_connections
                      ? l->want
                      : (unsigned)s->process->conf->destination_connections;
  size_t wanted = l->waiting > idle ? l->waiting - idle : 0;
  for (; wanted && l->connections < most; wanted--) {
    if (s->connections >= s->process->conf->sender_connections) {
      s->starved = true;
      return;
    }
    if (!sender_link_open(l, 0)) return;
  }
}

/* --- turns and sweeps --- */

void nexthop_mark(struct nexthop *l) {
  struct sender *s = l->sender;
  if (l->marked) return;
  l->marked = true;
  l->next_marked = s->marked;
  s->marked = l;
  sender_turn(s);
}

static void update_nexthop(struct nexthop *l) {
  for (struct link **at = &l->links; *at;) {
    struct link *k = *at;
    if (k->again && !k->over) sender_link_go(k);
    if (!k->over) {
      at = &k->next;
      continue;
    }
    *at = k->next;
    sender_link_free(k);
  }
  nexthop_go(l);
  if (!l->first && !l->picky && !l->links) rest(l);
}

void nexthops_turn(struct sender *s) {
  struct nexthop *l = s->marked;
  s->marked = NULL;
  while (l) {
    struct nexthop *next = l->next_marked;
    l->marked = false;
    update_nexthop(l);
    l = next;
  }
}

void nexthop_drop_letters(struct nexthop *l) {
  struct letter *x;
  while ((x = take_any(l)) != NULL) letter_free(x);
}

void nexthops_finish(struct sender *s) {
  for (struct nexthop *l = s->oldest; l; l = l->newer) {
    struct letter *x;
    while ((x = take_any(l)) != NULL) letter_return(x);
    for (struct link *k = l->links; k; k = k->next) sender_link_finish(k);
  }
}

void nexthops_cut(struct sender *s, bool end) {
  for (struct nexthop *l = s->oldest; l; l = l->newer)
    for (struct link *k = l->links; k; k = k->next)
      if (!k->over && (end || !k->client || !smtp_client_at_end(k->client))) sender_link_cut(k);
}

void nexthops_sweep(struct sender *s) {
  uint64_t now = loop_now(s->process->loop);
  s->starved = false;
  for (struct nexthop *l = s->oldest, *next; l; l = next) {
    next = l->newer;
    if (l->first || l->picky || l->links)
      nexthop_mark(l);
    else if (l->rest_ms && now >= l->rest_ms)
      nexthop_free(l);
  }
}
