/* SPDX-License-Identifier: ISC */
/* Which login's hash is computed next.
 *
 * Each network has a queue of its own; the networks of a class take turns, so a network that asks
 * for a hundred hashes delays another by one. Classes by what is known of the network: logged in
 * before; unknown; failing lately. A better class goes first, but each fourth turn goes to the
 * worst, so no network waits for ever. When the queue is full, the newest login of the worst class
 * is removed. */
#ifndef QASID_AUTH_QUEUE_H
#define QASID_AUTH_QUEUE_H

#include "src/auth/addresses.h"

enum { AUTH_WAITING = 512 }; /* about four seconds of hashes on two processors */

struct auth_queue {
  struct {
    struct auth_address *first, *last;
  } rings[ADDRESS_CLASSES];
  size_t count;
  unsigned turn;
};

/* Puts `l` at the end of its network's queue. Returns the login that was removed for it (`l` itself
 * if no login is in a worse class), or NULL. */
struct login *queue_put(struct auth_queue *q, struct login *l, uint64_t now_ms);
/* Takes the next out, or NULL. */
struct login *queue_take(struct auth_queue *q);
/* Takes `l` out of the middle. */
void queue_remove(struct auth_queue *q, struct login *l);

#endif
