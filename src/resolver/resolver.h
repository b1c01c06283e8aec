/* SPDX-License-Identifier: ISC */
/* The resolver without its socket to the parent: passes the questions of processes that make
 * connections to lib/dns.
 *
 * Invariants:
 *  1. Each question is answered once, unless its asker is gone.
 *  2. A process sends a kind and at most 254 octets; the answers were parsed and checked here, so
 *     that no other process reads DNS packets from strangers.
 *  3. An asker's open questions and new questions a second are limited (struct resolver_limits): a
 *     compromised one neither takes the others' share nor makes this process flood the name
 *     servers. The sender never reaches its limit: it limits itself, since mail for thousands of
 *     destinations must not be delayed because names were asked for too fast.
 *  4. Of all DNS_OPEN_MAX places, the others together leave the sender's share free. */
#ifndef QASID_RESOLVER_H
#define QASID_RESOLVER_H

#include "ipc/roles.h"
#include "lib/dns/dns.h"

enum {
  RESOLVER_ASKERS_MAX = 64,
  RESOLVER_BURST = 4, /* seconds' worth of questions at once */
  /* open questions of the sender in addition to its next hops': plans, its own addresses */
  RESOLVER_SENDER_MORE = 32,
};

struct conf;

struct resolver;

/* Since the start. */
struct resolver_counts {
  uint64_t open; /* now */
  uint64_t answered[DNS_RESULTS], turned_away;
};

/* Called with an answer. */
typedef void resolver_reply(void *arg, enum role kind, uint32_t number, uint64_t tag,
                            const struct dns_answer *answer);

/* `conf` (the limits) is borrowed. */
struct resolver *resolver_new(struct dns *dns, const struct conf *conf, resolver_reply *reply,
                              void *arg);
/* Open questions are dropped. `dns` still belongs to the caller. */
void resolver_free(struct resolver **r);
/* A question of that asker; one beyond its limits is answered at once. */
void resolver_ask(struct resolver *r, enum role kind, uint32_t number, uint64_t tag,
                  struct slice name, enum dns_kind what, uint64_t now_ms);
const struct resolver_counts *resolver_counts(const struct resolver *r);
/* That asker is gone, with its questions. */
void resolver_asker_lost(struct resolver *r, enum role kind, uint32_t number);

#endif
