/* A process of the server's that runs here as it is linked: its own code on lib/ev/loop.h and lib/room/room.h, which
 * process.c implements over the world's events and channels in the place of loop.c and room.c (the linker takes these
 * objects first).
 *
 * Everything that calls into the process goes through process_in() and process_out(): the end of a turn of its loop is
 * there. A process that ends itself is started again at once, as the parent would. */
#ifndef QASID_WORLD_OUTSIDE_PROCESS_H
#define QASID_WORLD_OUTSIDE_PROCESS_H

#include "lib/room/room.h"
#include "tests/world/world.h"

enum { LATERS_MAX = 10000 /* of one turn: more is a loop */ };

struct loop {
  struct process *process;
  struct loop_later *first, **last;
};

struct process {
  struct world *world;
  const struct room_ops *ops;
  /* Makes and starts what ops work on (room.arg); ends it, nothing of it staying on the loop. */
  void (*make)(struct process *p);
  void (*end)(struct process *p);
  struct room room;
  struct loop loop;
  struct world_guest guest;
  bool lives;
};

/* Set: world, ops, make, end. Joins the world. */
void process_join(struct process *p);
/* False: the process is gone or going, and is not to be called. */
bool process_in(struct process *p);
void process_out(struct process *p);

#endif
