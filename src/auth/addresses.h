/* What is remembered of the networks that logins come from: an IPv4 address or an IPv6 /48.
 *
 * The rules:
 *  1. The n-th failed login of a network is answered 2, 4, 8, 15 s after it was asked (at most
 *     auth_penalty_most), and a right one after n failures waits 0, 2, 4, 8, 15 s: were only failures held
 *     back, a guesser would hang up on every silence and try the next password.
 *  2. Failures are forgotten together, 29 s after the last (2+4+8+15). A success does not forget them: a
 *     guesser has an account of his own.
 *  3. A password that was proved from this network a short while ago (it is in the cache, from here) is not
 *     held back at all. So an office behind one address goes on working while one of its machines fails;
 *     a guesser elsewhere learns nothing from it.
 *  4. The same wrong password for the same account again (a forgotten client that polls) is answered as
 *     late as before, costs no hash, and does not count again.
 *  5. The time an answer takes counts from the question, not from the hash: it tells nothing of the hash.
 *  6. At most AUTH_PENDING logins of a network are in work or held back, fewer once it fails; the next are
 *     told to try later. A client that hung up keeps its place until its answer would have been due.
 *
 * The table is bounded; the network that was quiet for longest makes room. */
#ifndef QASID_AUTH_ADDRESSES_H
#define QASID_AUTH_ADDRESSES_H

#include "lib/base/map.h"
#include "lib/base/slice.h"

enum {
  AUTH_ADDRESSES = 65536,
  AUTH_PENDING = 64,         /* an office whose clients all start at nine */
  AUTH_PENDING_FAILING = 16, /* about one guess a second at the longest wait */
  ADDRESS_WRONG = 4,         /* wrong passwords remembered a network */
  ADDRESS_WRONG_KEY = 16,
  ADDRESS_GOOD_MS = 24 * 3600 * 1000,  /* a success makes a network trusted in the queue for so long */
  ADDRESS_BAD_MS = 3600 * 1000,        /* a failure makes it less than unknown for so long */
};

struct login;

struct address {
  uint64_t network;
  unsigned failures;
  unsigned pending;
  uint64_t failed_ms, good_ms; /* the last of each; 0: never */
  uint8_t wrong[ADDRESS_WRONG][ADDRESS_WRONG_KEY];
  unsigned wrong_next;
  struct login *first, *last;  /* waiting for a hash (queue.c) */
  struct address *ring_next;
  uint8_t class;
  struct address *older, *newer;
};

struct addresses {
  struct map by_network;
  struct address *oldest, *newest;
};

/* The network of a peer of 4 or 16 octets; 0 for anything else. An IPv4-mapped IPv6 address is IPv4. */
uint64_t network_of(struct slice peer);

void addresses_init(struct addresses *t);
void addresses_free(struct addresses *t);
/* Finds or makes it. NULL: no memory, or every one of AUTH_ADDRESSES has logins pending. */
struct address *addresses_get(struct addresses *t, uint64_t network);
/* Moves it behind all others: it was heard of now. */
void addresses_touch(struct addresses *t, struct address *a);

/* May one more login of it be taken on? */
bool address_has_room(struct address *a, uint64_t most_s, uint64_t now_ms);
/* Notes a failure; `key` identifies what was wrong (or empty). Returns how long the answer waits, ms. */
uint64_t address_failed(struct address *a, struct slice key, uint64_t most_s, uint64_t now_ms);
/* Notes a success and returns how long its answer waits. */
uint64_t address_succeeded(struct address *a, uint64_t most_s, uint64_t now_ms);
bool address_knows_wrong(const struct address *a, struct slice key);
/* Its place in the order of hashes: 0 first. */
uint8_t address_class(const struct address *a, uint64_t now_ms);
enum { ADDRESS_CLASSES = 3 };

#endif
