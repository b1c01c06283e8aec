/* SPDX-License-Identifier: ISC */
/* The sender with what it stands on: the resolver (its own core, on a DNS that the outside makes
 * up) and a keys process that is in no hurry. */
#ifndef QASID_WORLD_OUTSIDE_ROLES_H
#define QASID_WORLD_OUTSIDE_ROLES_H

#include "src/resolver/resolver.h"
#include "src/sender/sender.h"
#include "tests/world/outside/mx.h"
#include "tests/world/outside/guest.h"

struct roles {
  struct world *w;
  struct mx *mx;
  struct guest sender, resolver;
  struct world_guest keys;
  struct sender *sender_core;
  struct resolver *resolver_core;
  struct key_answer *answers;
};

/* Before world_boot(). */
void roles_join(struct roles *r, struct world *w, struct mx *mx);
/* A reload has put another in the sender's place: it finishes, and then the other begins. */
void roles_retire_sender(struct roles *r);

#endif
