/* The resolver without its socket to the parent: questions of rooms that dial, put to lib/dns.
 *
 * Invariants:
 *  1. Each question is answered once, unless its asker is gone.
 *  2. What comes in from a room is a kind and at most 254 octets; what goes out was parsed and checked here,
 * so that no room behind this one reads a stranger's DNS.
 *  3. An asker has RESOLVER_OPEN_MAX open questions and RESOLVER_PER_SECOND new ones a second, no more: one
 * that was taken over neither takes the others' share nor makes this process a flood for the name servers. The sender's
 * are so many that it never meets them: it keeps fewer questions open by itself (QUESTIONS_MAX), and mail for thousands of
 * destinations is not put off because names were asked for too fast. */
#ifndef QASID_RESOLVER_H
#define QASID_RESOLVER_H

#include "ipc/rooms.h"
#include "lib/dns/dns.h"

enum {
  RESOLVER_ASKERS_MAX = 64,
  RESOLVER_OPEN_MAX = 64,   /* of one asker */
  RESOLVER_PER_SECOND = 50, /* of one asker, on average */
  RESOLVER_BURST = 200,
  /* of the sender */
  RESOLVER_SENDER_OPEN_MAX = 128,
  RESOLVER_SENDER_PER_SECOND = 5000,
  RESOLVER_SENDER_BURST = 20000,
};

struct resolver;

/* Since the start. */
struct resolver_counts {
  uint64_t open; /* now */
  uint64_t answered[DNS_RESULTS], turned_away;
};

/* Where an answer goes. */
typedef void resolver_say(void *arg, enum room_kind kind, uint32_t number, uint64_t tag,
                          const struct dns_answer *answer);

struct resolver *resolver_new(struct dns *dns, resolver_say *say, void *arg);
/* Open questions are dropped. `dns` stays the caller's. */
void resolver_free(struct resolver **r);
/* A question of that asker; one it may not ask is answered at once. */
void resolver_ask(struct resolver *r, enum room_kind kind, uint32_t number, uint64_t tag, struct slice name,
                  enum dns_kind what, uint64_t now_ms);
const struct resolver_counts *resolver_counts(const struct resolver *r);
/* That asker is gone, with its questions. */
void resolver_asker_lost(struct resolver *r, enum room_kind kind, uint32_t number);

#endif
