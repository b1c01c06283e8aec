/* SPDX-License-Identifier: ISC */
/* Detects whether the network between this machine and the Internet drops connections to the mail
 * port, as most home networks and many hosting providers do. Pure.
 *
 * It is assumed when BLOCKED_HOSTS different addresses did not answer over BLOCKED_MS, and no
 * connection succeeded meanwhile. One connection disproves it. A refusal (RST) proves neither: it
 * may come from the host itself. */
#ifndef QASID_SENDER_BLOCKED_H
#define QASID_SENDER_BLOCKED_H

#include "runtime/dial/dial.h"

enum {
  BLOCKED_HOSTS = 5,
  BLOCKED_MS = 5 * 60 * 1000,
  BLOCKED_FORGET_MS = 24 * 3600 * 1000, /* after the last of them */
};

struct blocked {
  uint64_t first_ms, last_ms;
  struct dial_address hosts[BLOCKED_HOSTS];
  size_t count; /* of hosts: the first ones that did not answer */
  bool told;    /* it was logged */
};

/* A connection was established. */
void blocked_connected(struct blocked *b);
/* `why`: the errno with which a connection failed. */
void blocked_failed(struct blocked *b, const struct dial_address *to, int why, uint64_t now_ms);
bool blocked_is(const struct blocked *b, uint64_t now_ms);

#endif
