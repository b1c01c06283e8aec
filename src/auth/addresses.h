/* SPDX-License-Identifier: ISC */
/* What is remembered about the networks that logins come from: an IPv4 address or an IPv6 /64; and
 * an IPv6 /48 as one, while many of its /64s fail.
 *
 * The rules:
 *  1. The n-th failed login of a network is answered 2, 4, 8, 15 s after the request (at most
 *     auth_penalty_most). A right password that needed a hash, of a user who is not known in this
 *     network (visits.h), waits 0, 2, 4, 8, 15 s after n failures: if only failures were delayed, a
 *     guesser would hang up after a moment of silence and try the next password.
 *  2. Failures are forgotten together, 29 s after the last (2+4+8+15). A success does not clear
 *     them: a guesser may have an account of his own.
 *  3. Credentials that were verified by anything cheaper than the delay are not delayed: a password
 *     that is remembered (the cache), SCRAM, CRAM-MD5, APOP, a token, a certificate, or any
 *     mechanism of a user who has logged in from this network before. So an office behind one
 *     address can go on working while one of its machines fails. A guesser gains no tries by this:
 *     each takes a place until its answer would have been due (rule 6).
 *  4. The same wrong password for the same account again (a forgotten client that polls) is
 *     answered as late as before, costs no hash, and does not count again; after ADDRESS_WRONG_MS
 *     it is verified anew. A request to act for another user is refused, late too, but it is not a
 *     wrong password and does not count.
 *  5. The delay counts from the request, not from the hash: it reveals nothing about the hash.
 *  6. At most AUTH_PENDING logins of a network are being verified or delayed, fewer once it fails;
 *     further ones are answered "try later". A client that hung up keeps its place until its answer
 *     would have been due. A user who has logged in from there before has places of his own
 *     (visits.h).
 *  7. Once AUTH_WIDE_BAD /64s of an IPv6 /48 have failed, with less than ADDRESS_BAD_MS between
 *     them, logins from all of it count as one network's.
 *  8. Networks in auth_trusted_networks are not counted and never delayed (webmail: all of its
 *     users come from one address).
 *
 * The table is bounded; the network that was quiet for longest is evicted. */
#ifndef QASID_AUTH_ADDRESSES_H
#define QASID_AUTH_ADDRESSES_H

#include "lib/base/map.h"
#include "lib/base/slice.h"

enum {
  AUTH_ADDRESSES = 65536,
  AUTH_PENDING = 64,         /* an office whose clients all start at nine */
  AUTH_PENDING_FAILING = 16, /* about one guess a second at the longest wait */
  AUTH_WIDE_BAD = 16,        /* failing /64s of a /48 */
  ADDRESS_WRONG = 4,         /* wrong passwords remembered for each network */
  ADDRESS_WRONG_KEY = 16,
  ADDRESS_WRONG_MS = 600 * 1000, /* for so long */
  /* a success puts a network into the best queue class for this long */
  ADDRESS_GOOD_MS = 24 * 3600 * 1000,
  ADDRESS_BAD_MS = 3600 * 1000, /* a failure puts it below unknown networks for this long */
};

struct login;

struct auth_address {
  uint64_t network;
  unsigned failures;
  unsigned pending;            /* logins that refer to it: it is kept while there are any */
  unsigned places;             /* those of them that hold one of its places (rule 6) */
  uint64_t failed_ms, good_ms; /* the last of each; 0: never */
  uint8_t wrong[ADDRESS_WRONG][ADDRESS_WRONG_KEY];
  uint64_t wrong_until_ms[ADDRESS_WRONG];
  unsigned parts; /* of a /48: its /64s that have failed */
  unsigned wrong_next;
  struct login *first, *last; /* waiting for a hash (queue.c) */
  struct auth_address *ring_next;
  uint8_t class;
  struct auth_address *older, *newer;
};

struct addresses {
  struct map by_network;
  struct auth_address *oldest, *newest;
};

/* The network of a peer of 4 or 16 octets; 0 for anything else. An IPv4-mapped IPv6 address is
 * IPv4. */
uint64_t network_of(struct slice peer);
/* The /48 of an IPv6 network; 0 for IPv4. */
uint64_t network_wide(uint64_t network);

void addresses_init(struct addresses *t);
void addresses_free(struct addresses *t);
/* The entry that logins from this network currently count for: its own, or that of its /48 (rule
 * 7). */
struct auth_address *addresses_counting(struct addresses *t, uint64_t network, uint64_t now_ms);
/* To be called before address_failed(): records in the /48 that this /64 fails, if it did not
 * before. */
void addresses_note_failing(struct addresses *t, const struct auth_address *a, uint64_t now_ms);
/* Moves it to the end of the list: it was used now. */
void addresses_touch(struct addresses *t, struct auth_address *a);

/* True if one more login from it may be accepted. */
bool address_has_room(struct auth_address *a, uint64_t most_s, uint64_t now_ms);
/* Records a failure; `key` identifies the wrong credential (or is empty). Returns the answer's
 * delay in ms. */
uint64_t address_failed(struct auth_address *a, struct slice key, uint64_t most_s, uint64_t now_ms);
/* Records a success and returns the delay of its answer. */
uint64_t address_succeeded(struct auth_address *a, uint64_t most_s, uint64_t now_ms);
/* The delay of an answer to a request that is refused and does not count. */
uint64_t address_refused(struct auth_address *a, uint64_t most_s, uint64_t now_ms);
bool address_knows_wrong(const struct auth_address *a, struct slice key, uint64_t now_ms);
/* Its class in the queue of hashes: 0 first. */
uint8_t address_class(const struct auth_address *a, uint64_t now_ms);
enum { ADDRESS_CLASSES = 3 };

#endif
