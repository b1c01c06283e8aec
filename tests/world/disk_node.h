/* SPDX-License-Identifier: ISC */
/* One simulated file: what is seen, what is durable, and the writes between them. Only disk_sim.c
 * uses this; its header has the model. */
#ifndef QASID_WORLD_DISK_NODE_H
#define QASID_WORLD_DISK_NODE_H

#include "lib/base/slice.h"
#include "tests/world/rng.h"

enum { SECTOR = 512 };

/* Octets past `size` are anything, up to `cap`. */
struct image {
  uint8_t *p;
  size_t size, cap;
};

/* A change that is not durable yet: octets at a place, or (data NULL) a new size. */
struct change {
  uint8_t *data;
  size_t at, n;
};

struct node {
  struct node *next; /* all nodes of the disk */
  bool is_dir;
  bool stale;                             /* a failed sync left `now` different from the disk */
  unsigned names, handles, durable_names; /* who holds it */
  struct image now, durable;
  struct change *changes;
  size_t count, room;
};

void node_free(struct node *n);
void node_write(struct node *n, struct slice s, size_t at);
void node_truncate(struct node *n, size_t size);
/* All changes are durable. */
void node_sync(struct node *n);
/* Each sector of each change survives or not; changes are forgotten; `now` is untouched. */
void node_settle(struct node *n, struct rng *rng);
/* `now` becomes what is durable and what still waits. */
void node_reread(struct node *n);

#endif
