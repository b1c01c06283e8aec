/* SPDX-License-Identifier: ISC */
/* A process of the server's that runs here as it is linked: its own code on lib/ev/loop.h and
 * runtime/role/process.h, which process.c implements over the world's events and channels in the
 * place of loop.c and process.c (the linker takes these objects first).
 *
 * Everything that calls into the process goes through process_in() and process_out(): the end of a
 * turn of its loop is there. A process that ends itself is started again at once, as the parent
 * would. */
#ifndef QASID_WORLD_OUTSIDE_PROCESS_H
#define QASID_WORLD_OUTSIDE_PROCESS_H

#include "runtime/role/process.h"
#include "tests/world/world.h"

enum { LATERS_MAX = 10000 /* of one turn: more is a loop */ };

struct loop {
  struct guest *guest;
  struct loop_later *first, **last;
};

struct guest {
  struct world *world;
  const struct role_ops *ops;
  /* Makes and starts what ops work on (process.arg); ends it, nothing of it staying on the loop. */
  void (*make)(struct guest *p);
  void (*end)(struct guest *p);
  struct process process;
  struct loop loop;
  struct world_guest guest;
  bool lives;
};

/* Set: world, ops, make, end. Joins the world. */
void guest_join(struct guest *p);
/* False: the process is gone or going, and is not to be called. */
bool guest_in(struct guest *p);
void guest_out(struct guest *p);

#endif
