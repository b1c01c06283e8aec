/* The resolver without its socket to the parent: questions of rooms that dial, put to lib/dns.
 *
 * Invariants:
 *  1. Each question is answered once, unless its asker is gone.
 *  2. What comes in from a room is a kind and at most 254 octets; what goes out was parsed and checked here, so that
 *     no room behind this one reads a stranger's DNS.
 *  3. An asker has RESOLVER_OPEN_MAX open questions and RESOLVER_PER_SECOND new ones a second, no more: one that was
 *     taken over neither takes the others' share nor makes this room a flood for the name servers. */
#ifndef QASID_RESOLVER_H
#define QASID_RESOLVER_H

#include "ipc/dialer_resolver.h"
#include "ipc/rooms.h"
#include "lib/dns/dns.h"

enum {
  RESOLVER_ASKERS_MAX = 64,
  RESOLVER_OPEN_MAX = 64,   /* of one asker */
  RESOLVER_PER_SECOND = 50, /* of one asker, on average */
  RESOLVER_BURST = 200,
};

struct resolver;

/* Where an answer goes: the payload of a dns_told. */
typedef void resolver_say(void *arg, enum room_kind kind, uint32_t number, uint64_t tag, struct slice payload);

struct resolver *resolver_new(struct dns *dns, resolver_say *say, void *arg);
/* Open questions are dropped. `dns` stays the caller's. */
void resolver_free(struct resolver **r);
/* False: malformed, a breach. */
bool resolver_message(struct resolver *r, enum room_kind kind, uint32_t number, const struct ipc_msg *msg, uint64_t now_ms);
/* That asker is gone, with its questions. */
void resolver_asker_lost(struct resolver *r, enum room_kind kind, uint32_t number);

#endif
